"""The blocked order: all vertices move at once, in parallel, with the same bits for any number of threads.

The edges of the graph are dealt, once and at random, to a few blocks, and an epoch takes block after block what is due
of it.  In a block a vertex sees every other vertex as it was before the block, and only it is written:

    y_i <- y_i + 2 alpha clip(attraction by j, from where i stood before the block)    for each entry (i, j) due, and
    y_i <- y_i +   alpha clip(repulsion from k, from where i is)                       for each negative sample k of it.

An attraction counts twice in place of moving the tail: the other entry of its edge, (j, i), is due in the same block at
the same times and moves j by as much the other way.  That an edge moves its ends alike is what matters.  Where it does
not, as with blocks of vertices one after another, or where an attraction sees its vertex's own moves, attractions push
whole neighbourhoods about, and the layout ends at losses a tenth higher (`analyses/blocks.py`).

Vertices may be moved in any order and by any thread, negative samples come from counters, the same as in the sequential
order: bits depend on n_blocks alone.
"""

import numpy as np
from numba import prange
from numpy.typing import NDArray

from umapinfo.core.calendar import FEW, Calendar, Schedule
from umapinfo.core.counts import Counts, count_list
from umapinfo.core.forces import Motion
from umapinfo.core.lanes import empty_lanes, enter, longest_first, walk
from umapinfo.core.lists import Kept, Lists, list_part, records
from umapinfo.jit import jit, parallel_jit


def move_epoch(
    plan: Schedule,
    book: Calendar,
    n_blocks: int,
    epoch: int,
    seed: np.uint64,
    streams: NDArray[np.int64],
    Y: NDArray[np.float32],
    motion: Motion,
    counts: Counts,
    kept: list[Kept] | None,
) -> None:
    """Move Y by an epoch of the calendar, count it, and append its records and differences to `kept`, if not None."""
    n_parts, before = len(book.starts) // n_blocks, Y.copy()
    for first in range(0, n_blocks * n_parts, n_parts):
        if kept is None and len(plan.heads) > FEW:
            move_block(plan, book, first, n_parts, epoch, seed, streams, before, motion, counts, Y)
        else:
            for part in range(first, first + n_parts):
                if kept is None:
                    list_and_move(plan, book, part, epoch, seed, streams, before, motion, counts, Y)
                    continue
                lists = list_part(plan, book, part, epoch, seed, streams, len(Y))
                delta = np.empty((len(lists.flat), Y.shape[1]), np.float32)
                move_part(lists, before, motion, counts, delta, Y)
                kept.extend(records(plan, book, part, epoch, lists, delta))
        before[:] = Y


@parallel_jit
def move_block(
    plan: Schedule,
    book: Calendar,
    first: int,
    n_parts: int,
    epoch: int,
    seed: np.uint64,
    streams: NDArray[np.int64],
    Y: NDArray[np.float32],
    motion: Motion,
    counts: Counts,
    moved: NDArray[np.float32],
) -> None:
    """Move the vertices of a block's parts from where they stand in Y to `moved`."""
    for part in prange(first, first + n_parts):
        list_and_move(plan, book, part, epoch, seed, streams, Y, motion, counts, moved)


@jit
def list_and_move(
    plan: Schedule,
    book: Calendar,
    part: int,
    epoch: int,
    seed: np.uint64,
    streams: NDArray[np.int64],
    Y: NDArray[np.float32],
    motion: Motion,
    counts: Counts,
    moved: NDArray[np.float32],
) -> None:
    """Move the vertices of a part, and keep nothing."""
    lists = list_part(plan, book, part, epoch, seed, streams, len(Y))
    move_part(lists, Y, motion, counts, np.empty((0, Y.shape[1]), np.float32), moved)


@jit
def move_part(
    lists: Lists,
    Y: NDArray[np.float32],
    motion: Motion,
    counts: Counts,
    delta: NDArray[np.float32],
    moved: NDArray[np.float32],
) -> None:
    """Move the vertices of a part's list from where they stand in Y to `moved`."""
    count_list(lists, 0, False, counts)
    n, order = int(lists.n_vertices[0]), longest_first(lists, 0)
    lanes = empty_lanes(n, Y.shape[1], motion)
    for lane in range(n):
        enter(lanes, lane, lists, 0, order[lane], Y)
    walk(lanes, n, lists.flat, Y, motion, counts, delta, moved)
