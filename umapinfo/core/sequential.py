"""The sequential order: updates one after another, entry by entry, as umap-learn's seeded descent applies them.

An attraction of head i and tail j moves both by alpha times the clipped force, a repulsion the head alone (and the tail
with push_tail): umap-learn 0.5.12's law (layouts.py).

Vertices move side by side, an update each a step, where the bits are those of one vertex after another: each begins as
soon as none of its updates comes before what it has to wait for (`umapinfo.core.timetable`).  One thread applies the
updates; another one lists the next ones.
"""

import numpy as np
from numpy.typing import NDArray

from umapinfo.core.calendar import FEW, Calendar, Schedule
from umapinfo.core.counts import Counts, count_list
from umapinfo.core.forces import EVERY_TAIL, Motion
from umapinfo.core.lanes import empty_lanes, several_axes, walk
from umapinfo.core.lists import Kept, Lists, empty_lists, fill_list, records
from umapinfo.core.timetable import fill_begins, timetable
from umapinfo.jit import jit
from umapinfo.threads import one_ahead

AT_A_TIME = 16  # parts, some hundred thousand updates, listed while those before are applied
TOGETHER = 4  # parts with one timetable: of MNIST 2 or 16 take longer
MOST_STEPS = 2**30  # of an epoch, in int32


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
    every_tail, marks, mark = motion.tails == EVERY_TAIL, np.zeros((n, 2), np.int32), np.zeros(1, np.int32)

    def listed(first: int) -> tuple[int, Lists, NDArray[np.int32]]:
        end = min(first + AT_A_TIME, n_parts)
        return first, *list_parts(plan, book, first, end, epoch, seed, drawn_by, n, every_tail, marks, mark)

    ahead = one_ahead if len(plan.heads) > FEW else map
    for first, lists, begins in ahead(listed, range(0, n_parts, AT_A_TIME)):
        delta = None if kept is None else np.empty((len(lists.flat), Y.shape[1]), np.float32)
        apply_parts(lists, begins, Y, several_axes(Y), motion, counts, delta)
        if kept is not None and delta is not None:
            kept.extend(records(plan, book, first, epoch, lists, delta))


@jit
def list_parts(
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
    """The lists of the parts `first` to `end` in an epoch, and when their vertices begin, int32[n_parts, PART].

    marks int32[n, 2] and mark int32[1], 0 before the first call, are those of `fill_begins` from call to call.
    """
    lists = empty_lists(book, first, end, epoch)
    begins = np.empty_like(lists.vertices)
    for r in range(end - first):
        fill_list(plan, book, first + r, epoch, seed, streams, n, r, lists)
    for r in range(0, end - first, TOGETHER):
        if mark[0] > MOST_STEPS:  # what is over constrains nothing: steps are counted anew
            mark[0] = 0
            for v in range(n):
                marks[v, 0] = marks[v, 1] = 0
        mark[0] += fill_begins(lists, r, min(r + TOGETHER, end - first), every_tail, marks, mark[0], begins)
    return lists, begins


@jit
def apply_parts(
    lists: Lists,
    begins: NDArray[np.int32],
    Y: NDArray[np.float32],
    several: int | None,
    motion: Motion,
    counts: Counts,
    delta: NDArray[np.float32] | None,
) -> None:
    """Apply lists, TOGETHER parts by one timetable, and count them."""
    none, nobody = np.empty((0, Y.shape[1]), np.int32), np.empty(0, np.int64)
    for r in range(len(lists.n_vertices)):
        count_list(lists, r, motion.tails == EVERY_TAIL, counts)
    for first in range(0, len(lists.n_vertices), TOGETHER):
        table = timetable(lists, first, min(first + TOGETHER, len(lists.n_vertices)), begins)
        lanes = empty_lanes(len(table.vertices), Y.shape[1], motion)
        walk(lanes, table, Y, several, motion, counts, delta, Y, none, nobody)
