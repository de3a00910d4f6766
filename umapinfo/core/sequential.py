"""The sequential order: updates one after another, entry by entry, as umap-learn's seeded descent applies them.

An attraction of head i and tail j moves both by alpha times the clipped force, a repulsion the head alone (and the tail
with push_tail): umap-learn 0.5.12's law (layouts.py).

Vertices of which none reads or writes what another one writes may move side by side, an update each: the bits are those
of one vertex after another.  So each vertex of a part has a *layer*, after the layers of those before it that it has to
wait for, and the lanes are the vertices of a layer.  One thread applies the updates; another one lists the next ones.
"""

import numpy as np
from numpy.typing import NDArray

from umapinfo.core.calendar import FEW, Calendar, Schedule
from umapinfo.core.counts import Counts, count_list
from umapinfo.core.forces import EVERY_TAIL, Motion
from umapinfo.core.lanes import empty_lanes, enter, longest_first, walk
from umapinfo.core.lists import Kept, Lists, empty_lists, fill_list, records, tail_of
from umapinfo.jit import jit
from umapinfo.threads import one_ahead

AT_A_TIME = 16  # parts, some hundred thousand updates, listed while those before are applied


def move_epoch(
    plan: Schedule,
    book: Calendar,
    epoch: int,
    seed: np.uint64,
    streams: NDArray[np.int64],
    Y: NDArray[np.float32],
    motion: Motion,
    counts: Counts,
    kept: list[Kept] | None,
) -> None:
    """Move Y by an epoch of the calendar, count it, and append its records and differences to `kept`, if not None."""
    n, n_parts, drawn_by = len(Y), len(book.starts), streams if len(streams) else None
    every_tail, marks, mark = motion.tails == EVERY_TAIL, np.zeros((2, n), np.int32), np.zeros(1, np.int32)

    def listed(first: int) -> tuple[int, Lists, NDArray[np.int32]]:
        end = min(first + AT_A_TIME, n_parts)
        return first, *list_layers(plan, book, first, end, epoch, seed, drawn_by, n, every_tail, marks, mark)

    ahead = one_ahead if len(plan.heads) > FEW else map
    for first, lists, layers in ahead(listed, range(0, n_parts, AT_A_TIME)):
        delta = None if kept is None else np.empty((len(lists.flat), Y.shape[1]), np.float32)
        apply_layers(lists, layers, Y, motion, counts, delta)
        if kept is not None and delta is not None:
            kept.extend(records(plan, book, first, epoch, lists, delta))


@jit
def list_layers(
    plan: Schedule,
    book: Calendar,
    first: int,
    end: int,
    epoch: int,
    seed: np.uint64,
    streams: NDArray[np.int64] | None,
    n: int,
    every_tail: bool,
    marks: NDArray[np.int32],
    mark: NDArray[np.int32],
) -> tuple[Lists, NDArray[np.int32]]:
    """The lists of the parts `first` to `end` in an epoch, and the layers int32[n_parts, PART] of their vertices."""
    lists = empty_lists(book, first, end, epoch)
    layers = np.empty_like(lists.vertices)
    for r in range(end - first):
        fill_list(plan, book, first + r, epoch, seed, streams, n, r, lists)
        mark[0] += fill_layers(lists, r, every_tail, marks, mark[0], layers)
    return lists, layers


@jit
def apply_layers(
    lists: Lists,
    layers: NDArray[np.int32],
    Y: NDArray[np.float32],
    motion: Motion,
    counts: Counts,
    delta: NDArray[np.float32] | None,
) -> None:
    """Apply lists part by part, layer by layer."""
    none, nobody = np.empty((0, Y.shape[1]), np.int32), np.empty(0, np.int64)
    for r in range(len(lists.n_vertices)):
        count_list(lists, r, motion.tails == EVERY_TAIL, counts)
        lanes, order = empty_lanes(lists.n_vertices[r], Y.shape[1], motion), longest_first(lists, r)
        layer, n_left = 0, len(order)
        while n_left > 0:
            layer, size = layer + 1, 0
            for v in order:
                if layers[r, v] == layer:
                    enter(lanes, size, lists, r, v, Y)
                    size += 1
            walk(lanes, size, lists.flat, Y, motion, counts, delta, Y, none, nobody)
            n_left -= size


@jit
def fill_layers(
    lists: Lists, r: int, every_tail: bool, marks: NDArray[np.int32], mark: int, layers: NDArray[np.int32]
) -> int:
    """Fill the layers, from 1 on, of the vertices of row r of lists; how many there are.

    marks[0, j] and marks[1, j], less `mark`: the last layer that touches j, and the last that writes it; older marks
    are at most `mark`.
    """
    n_layers = 0
    for v in range(lists.n_vertices[r]):
        i, first, end = lists.vertices[r, v], np.uintp(lists.starts[r, v]), np.uintp(lists.starts[r, v + 1])
        after = max(mark, marks[0, i])
        for at in range(first, end):
            listed = lists.flat[at]
            touched_or_written = 0 if listed < 0 or every_tail else 1
            after = max(after, marks[touched_or_written, tail_of(listed)])
        layer = np.int32(after + 1)
        marks[0, i] = marks[1, i] = layer
        for at in range(first, end):
            listed = lists.flat[at]
            tail = tail_of(listed)
            marks[0, tail] = max(marks[0, tail], layer)
            if listed < 0 or every_tail:
                marks[1, tail] = layer
        layers[r, v] = layer - mark
        n_layers = max(n_layers, layers[r, v])
    return n_layers
