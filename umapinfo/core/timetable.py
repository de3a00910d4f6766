"""Timetables: at which steps the vertices of some lists go through them, an update a step, side by side.

The updates of a vertex follow each other, a step each.  At each step all that is due is read, then tails are written
that move now; where a vertex ends is written after its last update.  In the sequential order a vertex begins as early
as this gives the bits of one update after another.  With read(j) and written(j) the last steps at which vertices before
it read and write j, -1 where none does, an update that reads j comes after written(j), and one that writes j also not
before read(j); so a vertex i with l updates, the k-th from 0 on of tail j_k, begins at the largest of

    0,    written(i) + 1,    read(i) - l + 1,    written(j_k) + 1 - k,    and read(j_k) - k where j_k is written.

(i itself is read when it begins, and who writes it later waits until it has been written at its end.)
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from umapinfo.core.lists import Lists, tail_of
from umapinfo.jit import jit


class Timetable(NamedTuple):
    """When the vertices of some lists come and go, in the order in which they come.

    Attributes
    ----------
    vertices : int32[m]
    starts : int64[m]
        Where their lists start in Lists.flat.
    begins, ends : int64[m]
        Steps of the first and of the last update.
    leaving : int64[m]
        Which of them goes first, second, ...
    flat : int32
        That of the lists.
    """

    vertices: NDArray[np.int32]
    starts: NDArray[np.int64]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    leaving: NDArray[np.int64]
    flat: NDArray[np.int32]


@jit
def fill_begins(
    lists: Lists,
    first: int,
    end: int,
    every_tail: bool,
    marks: NDArray[np.int32],
    mark: int,
    begins: NDArray[np.int32],
) -> int:
    """Fill begins[r, v] of the rows `first` to `end` of lists, for the sequential order; how many steps they take.

    marks int32[n, 2], less mark + 1: the steps read(j) and written(j); older ones are at most `mark`.
    """
    last = np.int32(mark)
    for r in range(first, end):
        for v in range(lists.n_vertices[r]):
            i, start, stop = lists.vertices[r, v], np.uintp(lists.starts[r, v]), np.uintp(lists.starts[r, v + 1])
            length = np.int32(stop - start)
            begin = max(np.int32(mark + 1), np.int32(marks[i, 1] + 1), np.int32(marks[i, 0] - length + 1))
            k = np.int32(0)
            for at in range(start, stop):
                listed = lists.flat[at]
                tail = tail_of(listed)
                begin = max(begin, np.int32(marks[tail, 1] + 1 - k))
                if listed < 0 or every_tail:
                    begin = max(begin, np.int32(marks[tail, 0] - k))
                k += np.int32(1)
            step = begin
            for at in range(start, stop):
                listed = lists.flat[at]
                tail = tail_of(listed)
                marks[tail, 0] = max(marks[tail, 0], step)
                if listed < 0 or every_tail:
                    marks[tail, 1] = step
                step += np.int32(1)
            marks[i, 1] = np.int32(step - 1)
            begins[r, v] = begin - mark - 1
            last = max(last, np.int32(step - 1))
    return int(last) - mark


@jit
def timetable(lists: Lists, first: int, end: int, begins: NDArray[np.int32]) -> Timetable:
    """The timetable of rows `first` to `end` of lists, of which vertex v of row r begins at begins[r, v]."""
    m, n_steps = 0, 0
    for r in range(first, end):
        m += lists.n_vertices[r]
    rows, places, steps = np.empty(m, np.int64), np.empty(m, np.int64), np.empty(m, np.int64)
    k = 0
    for r in range(first, end):
        for v in range(lists.n_vertices[r]):
            rows[k], places[k], steps[k] = r, v, begins[r, v]
            n_steps = max(n_steps, steps[k] + lists.starts[r, v + 1] - lists.starts[r, v])
            k += 1
    order, ends = by_step(steps, n_steps), np.empty(m, np.int64)
    vertices, starts, begun = np.empty(m, np.int32), np.empty(m, np.int64), np.empty(m, np.int64)
    for k in range(m):
        r, v = rows[order[k]], places[order[k]]
        vertices[k], starts[k], begun[k] = lists.vertices[r, v], lists.starts[r, v], begins[r, v]
        ends[k] = begun[k] + lists.starts[r, v + 1] - starts[k] - 1
    return Timetable(vertices, starts, begun, ends, by_step(ends, n_steps), lists.flat)


@jit
def all_at_once(lists: Lists, r: int) -> Timetable:
    """The timetable of row r of lists, all of whose vertices begin at step 0."""
    m, starts, n_steps = int(lists.n_vertices[r]), lists.starts[r], 0
    begins, ends = np.empty(m, np.int64), np.empty(m, np.int64)
    for v in range(m):
        begins[v], ends[v] = 0, starts[v + 1] - starts[v] - 1
        n_steps = max(n_steps, ends[v] + 1)
    return Timetable(lists.vertices[r][:m], starts[:m], begins, ends, by_step(ends, n_steps), lists.flat)


@jit
def by_step(steps: NDArray[np.int64], n_steps: int) -> NDArray[np.int64]:
    """Places of an array of steps under n_steps, by step."""
    first, order = np.empty(n_steps + 1, np.int64), np.empty(len(steps), np.int64)
    for step in range(n_steps + 1):
        first[step] = 0
    for k in range(len(steps)):
        first[steps[k] + 1] += 1
    for step in range(n_steps):
        first[step + 1] += first[step]
    for k in range(len(steps)):
        order[first[steps[k]]] = k
        first[steps[k]] += 1
    return order
