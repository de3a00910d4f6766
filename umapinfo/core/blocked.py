"""The blocked order: the vertices of a block move at once, in parallel, with the same bits for any number of threads.

An epoch goes through the vertices block by block, n_blocks ranges of them.  A vertex of the block goes through its
updates as in the sequential order, but sees every other vertex as it was before the block:

    attraction of entry (i, j)   y_i <- y_i + alpha clip(F),   y_j <- y_j - alpha clip(F) at the end of the block,
    repulsion from vertex k      y_i <- y_i + alpha clip(F).

So only the head is written while vertices move; reactions of the tails are summed up on the way.  An attraction moves
both ends of its edge alike, by a force that was taken once: that is what matters.  Where the tail stands still and the
head moves twice as far, attractions push whole neighbourhoods about (`analyses/blocks.py`).

Reactions are cut off to whole numbers of units, of which a force of 1 has 2^28 over the largest number of neighbours,
that rounded up to a power of 2: their sum does not depend on who adds what and when.  Vertices of a block may be moved
in any order and by any thread, negative samples come from counters: bits depend on n_blocks alone.  With blocks of one
vertex it is the sequential order, in float32, but for a negative sample of a vertex that was just pulled.
"""

from typing import NamedTuple

import numba
import numpy as np
from numba import prange
from numpy.typing import NDArray

from umapinfo.core.bits import take_next
from umapinfo.core.calendar import FEW, Calendar, Schedule, block_starts, part_starts
from umapinfo.core.counts import Counts, count_list
from umapinfo.core.forces import Motion
from umapinfo.core.lanes import empty_lanes, several_axes, walk
from umapinfo.core.lists import Kept, Lists, list_part, records
from umapinfo.core.timetable import all_at_once
from umapinfo.jit import jit, parallel_jit

AT_A_TIME = 4096  # vertices that a thread has react


class Blocks(NamedTuple):
    """The parts of each block, and what the teams, as many as there are threads, hold of a block.

    A team fills its own memory, one place after another: a random look at what another core has written last is slow.

    Attributes
    ----------
    parts : int64[n_blocks + 1]
        Where the parts of each block begin, and the end.
    moved : float32[n, d]
        The layout, and where the vertices of the block have moved to.
    before : float32[n_teams, n, d]
        The layout before the block.
    reactions : int32[n_teams, n, d]
        Sum of the forces that pulled the heads of each tail, in units.
    missed : int64[n_teams, n + 1]
        How often a tail was not pulled, as it stood where its head did, and the same for all; 0 between epochs.
    taken : int64[n_blocks]
        How often teams have asked for a part of a block in the epoch; whoever has moved one asks for the next.
    """

    parts: NDArray[np.int64]
    moved: NDArray[np.float32]
    before: NDArray[np.float32]
    reactions: NDArray[np.int32]
    missed: NDArray[np.int64]
    taken: NDArray[np.int64]


def blocks_of(plan: Schedule, n: int, n_axes: int, n_blocks: int) -> Blocks:
    """The blocks of n vertices; a schedule of few entries has one team, and starts no threads."""
    teams = (numba.get_num_threads() if len(plan.heads) > FEW else 1), n
    parts = np.searchsorted(part_starts(n, n_blocks), block_starts(n, n_blocks))
    moved, before = np.zeros((n, n_axes), np.float32), np.zeros((*teams, n_axes), np.float32)
    reactions, missed = np.zeros((*teams, n_axes), np.int32), np.zeros((teams[0], n + 1), np.int64)
    return Blocks(parts, moved, before, reactions, missed, np.zeros(n_blocks, np.int64))


def move_epoch(
    plan: Schedule,
    book: Calendar,
    blocks: Blocks,
    epoch: int,
    seed: np.uint64,
    Y: NDArray[np.float32],
    motion: Motion,
    counts: Counts,
    kept: list[Kept] | None,
) -> None:
    """Move Y by an epoch of the calendar, count it, and append its records and differences to `kept`, if not None."""
    blocks.moved[:], blocks.taken[:] = Y, 0
    several = several_axes(Y)
    if kept is None:
        move = move_together if len(plan.heads) > FEW else move_alone
        move(plan, book, blocks, epoch, seed, motion, counts, Y, several)
    else:
        for b in range(len(blocks.parts) - 1):
            begin(blocks, 0, Y)
            for part in range(blocks.parts[b], blocks.parts[b + 1]):
                lists = list_part(plan, book, part, epoch, seed, None, len(Y))
                delta = np.empty((len(lists.flat), Y.shape[1]), np.float32)
                move_part(lists, motion, counts, delta, blocks, 0, several)
                kept.extend(records(plan, book, part, epoch, lists, delta))
            react(blocks, 1, 0, len(Y), motion, Y)
    if blocks.missed[:, -1].any():
        counts.attractions_realised[:] -= blocks.missed[:, :-1].sum(axis=0)
        blocks.missed[:] = 0


@parallel_jit
def move_together(
    plan: Schedule,
    book: Calendar,
    blocks: Blocks,
    epoch: int,
    seed: np.uint64,
    motion: Motion,
    counts: Counts,
    Y: NDArray[np.float32],
    several: int | None,
) -> None:
    """Move Y by an epoch, in threads."""
    n_teams, n_spans = len(blocks.reactions), (len(Y) + AT_A_TIME - 1) // AT_A_TIME
    for b in range(len(blocks.parts) - 1):
        for team in prange(n_teams):
            move_team(plan, book, blocks, b, team, epoch, seed, motion, counts, Y, several)
        for span in prange(n_spans):
            react(blocks, n_teams, span * AT_A_TIME, min((span + 1) * AT_A_TIME, len(Y)), motion, Y)


@jit
def move_alone(
    plan: Schedule,
    book: Calendar,
    blocks: Blocks,
    epoch: int,
    seed: np.uint64,
    motion: Motion,
    counts: Counts,
    Y: NDArray[np.float32],
    several: int | None,
) -> None:
    """`move_together` without threads."""
    for b in range(len(blocks.parts) - 1):
        move_team(plan, book, blocks, b, 0, epoch, seed, motion, counts, Y, several)
        react(blocks, 1, 0, len(Y), motion, Y)


@jit
def move_team(
    plan: Schedule,
    book: Calendar,
    blocks: Blocks,
    b: int,
    team: int,
    epoch: int,
    seed: np.uint64,
    motion: Motion,
    counts: Counts,
    Y: NDArray[np.float32],
    several: int | None,
) -> None:
    """Move the vertices of parts of block b, as long as one is left, and keep nothing."""
    first = blocks.parts[b]
    begin(blocks, team, Y)
    part = first + take_next(blocks.taken, np.uintp(b))
    while part < blocks.parts[b + 1]:
        lists = list_part(plan, book, part, epoch, seed, None, len(Y))
        move_part(lists, motion, counts, None, blocks, team, several)
        part = first + take_next(blocks.taken, np.uintp(b))


@jit
def move_part(
    lists: Lists,
    motion: Motion,
    counts: Counts,
    delta: NDArray[np.float32] | None,
    blocks: Blocks,
    team: int,
    several: int | None,
) -> None:
    """Move the vertices of a part's list to blocks.moved, and add up the reactions."""
    count_list(lists, 0, False, counts)
    table, before = all_at_once(lists, 0), blocks.before[team]
    reactions, missed = blocks.reactions[team], blocks.missed[team]
    lanes = empty_lanes(len(table.vertices), before.shape[1], motion)
    walk(lanes, table, before, several, motion, counts, delta, blocks.moved, reactions, missed)


@jit
def begin(blocks: Blocks, team: int, Y: NDArray[np.float32]) -> None:
    """Have a team see the layout before a block, without reactions."""
    places, before, reactions = Y.reshape(-1), blocks.before[team].reshape(-1), blocks.reactions[team].reshape(-1)
    for k in range(len(places)):  # one array after the other, which LLVM writes in vectors
        before[k] = places[k]
    for k in range(len(places)):
        reactions[k] = 0


@jit
def react(blocks: Blocks, n_teams: int, first: int, end: int, motion: Motion, Y: NDArray[np.float32]) -> None:
    """Put the vertices `first` to `end` where they have moved to, and their reactions move them."""
    places, moved, scale = Y[first:end].reshape(-1), blocks.moved[first:end].reshape(-1), motion.rate / motion.units
    total = np.empty(len(places), np.int32)
    for k in range(len(total)):
        total[k] = 0
    for team in range(n_teams):
        part = blocks.reactions[team, first:end].reshape(-1)
        for k in range(len(total)):
            total[k] += part[k]
    for k in range(len(total)):
        places[k] = moved[k] = moved[k] - scale * np.float32(total[k])
