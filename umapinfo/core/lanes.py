"""Vertices side by side: each lane holds one vertex at a time and goes through its list, an update a step.

An update waits for the one before it, which moved the same head: some hundred cycles, in which a processor has room
for as many updates of other vertices, in vectors.  An update sees the moves of its own head, and of the layout Y as it
stands.  When vertices come and go, a timetable says; where tails move is the matter of an order of updates
(`sequential`, `blocked`).  Bits of a vertex do not depend on the lanes beside it.

Distances and positions are float32, forces of the precision of their Motion: float64 as in umap-learn 0.5.12
(layouts.py, but for its fastmath), or float32.  A self-draw or a coincident pair moves nothing.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from umapinfo.core.bits import NO_BITS, least_bits, most_bits, zero_where
from umapinfo.core.counts import Counts
from umapinfo.core.forces import EVERY_TAIL, LATER_TAIL, Motion, exact_factor, factor_of, push_damping
from umapinfo.core.lists import tail_of
from umapinfo.core.odds import ONE, ZERO
from umapinfo.core.timetable import Timetable
from umapinfo.jit import inlined_jit, jit

NOBODY = np.int32(-1)  # the vertex of a lane that is empty, whose numbers are of no account and ordinary
WIDTH = 16  # lanes are filled up to a multiple of the widest vector
SQUARE, PLACE = 0, 1  # rows of the buffers; places of d axes, their differences
FACTOR, FORCE = 0, 1  # rows of the forces; along each of d axes


class Lanes(NamedTuple):
    """The lanes of some vertices, and what they hold, arrays of a multiple of WIDTH; one array serves many.

    Attributes
    ----------
    vertex : int32[width]
    who : int64[width]
        The vertex as its place in the timetable.
    start : int64[width]
        Where in Lists.flat the update of step 0 would be, were the list that much longer; it may be negative.
    named : int32[width]
        The update of a lane in the step, as in Lists.flat.
    buffers : float32[1 + 2 d, width]
    forces : float32 or float64[1 + d, width]
    """

    vertex: NDArray[np.int32]
    who: NDArray[np.int64]
    start: NDArray[np.int64]
    named: NDArray[np.int32]
    buffers: NDArray[np.float32]
    forces: NDArray[np.floating[Any]]


def several_axes(Y: NDArray[np.float32]) -> int | None:
    """How many axes Y has; None in the plane, for which alone `walk` is then compiled, in less time."""
    return None if Y.shape[1] == 2 else Y.shape[1]


@jit
def empty_lanes(n: int, n_axes: int, motion: Motion) -> Lanes:
    """Lanes for up to n vertices, none there, with forces of the motion's precision."""
    width = (n + WIDTH - 1) // WIDTH * WIDTH
    names = np.empty(width, np.int32), np.empty(width, np.int32)
    places = np.empty(width, np.int64), np.empty(width, np.int64)
    buffers, forces = np.empty((1 + 2 * n_axes, width), np.float32), np.full((1 + n_axes, width), motion.clip)
    for lane in range(width):
        names[0][lane], names[1][lane], places[0][lane], places[1][lane] = NOBODY, 0, 0, 0
    for row in range(1 + 2 * n_axes):
        for lane in range(width):
            buffers[row, lane] = ONE
    return Lanes(names[0], *places, names[1], buffers, forces)


@jit
def walk(
    lanes: Lanes,
    table: Timetable,
    Y: NDArray[np.float32],
    several: int | None,
    motion: Motion,
    counts: Counts,
    delta: NDArray[np.float32] | None,
    out: NDArray[np.float32],
    reactions: NDArray[np.int32],
    missed: NDArray[np.int64],
) -> None:
    """Move vertices through their lists by a timetable; vertex i ends in out[i], tails that move now are in Y.

    several: `several_axes` of Y, None for two axes.
    delta float32[n_updates, d], unless None, is filled with the differences before each update.  To tails that move
    later the forces on their heads are added in reactions int32[n, d], in motion.units, and to `missed` int64[n + 1],
    for the tail and for all, attractions that moved nothing.
    """
    vertex, start, named, buffers, forces = lanes.vertex, lanes.start, lanes.named, lanes.buffers, lanes.forces
    flat, m, width, any_tail = table.flat, len(table.vertices), len(vertex), motion.tails == EVERY_TAIL
    n_axes = 2 if several is None else several
    moved, pairs, lane_of = np.empty(width, np.uintp), np.empty((width, 2), np.float32), np.empty(m, np.int64)
    for lane in range(width):
        pairs[lane, 0] = pairs[lane, 1] = ZERO
    n, t, n_come, n_gone = 0, 0, 0, 0
    while n_gone < m:
        while n_come < m and table.begins[n_come] == t:
            come(lanes, n, table, n_come, lane_of, Y, n_axes)
            n, n_come = n + 1, n_come + 1
        wide = (n + WIDTH - 1) // WIDTH * WIDTH
        low, high = least_bits(NO_BITS, ONE), least_bits(NO_BITS, ONE)
        if several is None:
            for lane in range(n):
                listed = flat[np.uintp(start[lane] + t)]
                named[lane], tail = listed, tail_of(listed)
                pairs[lane, 0], pairs[lane, 1] = Y[tail, 0], Y[tail, 1]
            for lane in range(wide):
                own = named[lane] == vertex[lane]  # a self-draw
                x = zero_where(own, buffers[PLACE, lane] - pairs[lane, 0])
                y = zero_where(own, buffers[PLACE + 1, lane] - pairs[lane, 1])
                square = x * x + y * y
                buffers[PLACE + 2, lane], buffers[PLACE + 3, lane], buffers[SQUARE, lane] = x, y, square
                low, high = least_bits(low, square), most_bits(high, square)  # ordered as the squares are
        else:
            look(start, t, n, wide, flat, vertex, Y, n_axes, named, buffers)
            for lane in range(wide):
                low, high = least_bits(low, buffers[SQUARE, lane]), most_bits(high, buffers[SQUARE, lane])
        if delta is not None:
            keep(start, t, n, n_axes, buffers, delta)

        for lane in range(wide):
            pull, s = named[lane] < 0, buffers[SQUARE, lane]
            forces[FACTOR, lane] = factor_of(motion, pull, s)
        if motion.c > 0.0:
            dampen(named, wide, motion, buffers, forces)
        if low < least_bits(NO_BITS, motion.least) or high > least_bits(NO_BITS, motion.largest):
            correct(vertex, named, n, n_axes, motion, counts, missed, buffers, forces)

        for axis in range(n_axes):
            place, gap, row = np.uintp(PLACE + axis), np.uintp(PLACE + n_axes + axis), np.uintp(FORCE + axis)
            for lane in range(wide):
                force = min(max(forces[FACTOR, lane] * buffers[gap, lane], -motion.clip), motion.clip)
                forces[row, lane] = force
                buffers[place, lane] += force * motion.rate

        n_moved = np.uintp(0)
        for lane in range(n):
            moved[n_moved] = lane  # without a branch, which would often be foretold wrongly
            n_moved += np.uintp(named[lane] < 0 or any_tail)
        for k in range(n_moved):
            lane = moved[k]
            tail = tail_of(named[lane])
            for axis in range(n_axes):
                force, place = forces[FORCE + axis, lane], np.uintp(axis)
                if motion.tails == LATER_TAIL:
                    reactions[tail, place] += np.int32(force * motion.units)
                else:
                    Y[tail, place] -= force * motion.rate
        while n_gone < m and table.ends[table.leaving[n_gone]] == t:
            n -= 1
            go(lanes, lane_of[table.leaving[n_gone]], n, lane_of, out, n_axes)
            pairs[n, 0], pairs[n, 1] = ZERO, ZERO
            n_gone += 1
        t += 1


@inlined_jit
def come(
    lanes: Lanes,
    lane: int,
    table: Timetable,
    k: int,
    lane_of: NDArray[np.int64],
    Y: NDArray[np.float32],
    n_axes: int,
) -> None:
    """Put the k-th vertex of a timetable into a lane, where it stands in Y."""
    i = table.vertices[k]
    lanes.vertex[lane], lanes.who[lane], lanes.start[lane] = i, k, table.starts[k] - table.begins[k]
    lane_of[k] = lane
    for axis in range(n_axes):
        lanes.buffers[PLACE + axis, lane] = Y[i, axis]


@inlined_jit
def go(lanes: Lanes, lane: int, last: int, lane_of: NDArray[np.int64], out: NDArray[np.float32], n_axes: int) -> None:
    """Take the vertex out of a lane, which is given to the one of the last lane."""
    for axis in range(n_axes):
        out[lanes.vertex[lane], axis] = lanes.buffers[PLACE + axis, lane]
        lanes.buffers[PLACE + axis, lane] = lanes.buffers[PLACE + axis, last]
        lanes.buffers[PLACE + axis, last] = ONE
    lanes.vertex[lane], lanes.who[lane], lanes.start[lane] = lanes.vertex[last], lanes.who[last], lanes.start[last]
    lane_of[lanes.who[lane]] = lane
    lanes.vertex[last], lanes.named[last] = NOBODY, 0


@jit
def look(
    start: NDArray[np.int64],
    t: int,
    n: int,
    wide: int,
    flat: NDArray[np.int32],
    vertex: NDArray[np.int32],
    Y: NDArray[np.float32],
    n_axes: int,
    named: NDArray[np.int32],
    buffers: NDArray[np.float32],
) -> None:
    """Fill the updates of step t, their differences and squares, in any number of axes."""
    for lane in range(n):
        named[lane] = flat[np.uintp(start[lane] + t)]
    for axis in range(n_axes):
        place, gap = np.uintp(PLACE + axis), np.uintp(PLACE + n_axes + axis)
        for lane in range(n):
            buffers[gap, lane] = Y[tail_of(named[lane]), np.uintp(axis)]
        for lane in range(n, wide):
            buffers[gap, lane] = ZERO
        for lane in range(wide):
            difference = zero_where(named[lane] == vertex[lane], buffers[place, lane] - buffers[gap, lane])
            buffers[gap, lane] = difference
            square = difference * difference
            buffers[SQUARE, lane] = buffers[SQUARE, lane] + square if axis > 0 else square


@jit
def keep(
    start: NDArray[np.int64],
    t: int,
    n: int,
    n_axes: int,
    buffers: NDArray[np.float32],
    delta: NDArray[np.float32],
) -> None:
    """Write the differences of step t where its updates stand in the lists."""
    for lane in range(n):
        for axis in range(n_axes):
            delta[start[lane] + t, axis] = buffers[PLACE + n_axes + axis, lane]


@jit
def dampen(
    named: NDArray[np.int32],
    wide: int,
    motion: Motion,
    buffers: NDArray[np.float32],
    forces: NDArray[np.floating[Any]],
) -> None:
    """Multiply the factors of repulsions by their damping, where c > 0."""
    for lane in range(wide):
        damping = push_damping(motion, buffers[SQUARE, lane])
        forces[FACTOR, lane] *= 1.0 if named[lane] < 0 else damping


@jit
def correct(
    vertex: NDArray[np.int32],
    named: NDArray[np.int32],
    n: int,
    n_axes: int,
    motion: Motion,
    counts: Counts,
    missed: NDArray[np.int64],
    buffers: NDArray[np.float32],
    forces: NDArray[np.floating[Any]],
) -> None:
    """Replace the factors of squares that are not served; where nothing moves, take it off the counts."""
    for lane in range(n):
        s, pull = buffers[SQUARE, lane], named[lane] < 0
        if motion.least <= s <= motion.largest:
            continue
        if s > 0:
            forces[FACTOR, lane] = exact_factor(motion, pull, s)
            continue
        forces[FACTOR, lane] = 0.0
        for axis in range(n_axes):
            buffers[PLACE + n_axes + axis, lane] = 0
        count_nothing(vertex[lane], tail_of(named[lane]), pull, motion.tails, counts, missed)


@jit
def count_nothing(i: int, j: np.uintp, pull: bool, tails: int, counts: Counts, missed: NDArray[np.int64]) -> None:
    """Take an update that moved nothing off the counts of what was realised."""
    realised = counts.attractions_realised if pull else counts.repulsions_realised
    realised[i] -= 1
    if pull and tails == LATER_TAIL:
        missed[j] += 1
        missed[-1] += 1
    elif pull or tails == EVERY_TAIL:
        realised[j] -= 1
