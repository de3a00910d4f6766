"""The near part of a split sum in float32: repulsion and similarity, by the row loops of `umapinfo.pairs.single`.

As `umapinfo.pairs.near`, but every pair in reach is evaluated, at full vector width, and what is out of the radius is
set to 0.  The points in reach of a cell are gathered once for all of its points.  A point's terms are added in float64,
LANES interleaved sums, halved at the end: the bits do not depend on the number of threads, nor on a vector's width.
"""

from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from umapinfo.core.bits import fma
from umapinfo.core.curve import Curve
from umapinfo.core.odds import ONE, ZERO, Numbers, numbers_of
from umapinfo.jit import jit
from umapinfo.pairs.cells import Cells, fill_ranges
from umapinfo.pairs.lanes import LANES, dot
from umapinfo.pairs.potentials import squared_distance
from umapinfo.pairs.single import (
    SQUARE,
    fill_odds,
    fill_squares,
    fill_values,
    has_close,
    replace_close,
)

Floats = NDArray[np.float64]

RUN = 512  # points in reach that are looked at together
BLOCK = 2048  # points a thread sums at a time


class Task(NamedTuple):
    """What is summed, in the order of the cells; points float32[d, n], columns float64[r, n]."""

    points: NDArray[np.float32]
    columns: Floats
    Y: Floats
    found: Cells
    codes: NDArray[np.int64]
    curve: Curve
    numbers: Numbers
    s0: np.float32
    smooth: NDArray[np.float32]


class Reach(NamedTuple):
    """Points in reach, gathered, and in place RUN the one whose sums are taken; buffers of the row loops."""

    points: NDArray[np.float32]  # [d, RUN + 1]
    columns: Floats  # [r, RUN]
    places: NDArray[np.int64]  # [RUN + 1], in the order of the cells
    Y: Floats  # [RUN + 1, d], filled where points are too close for float32
    buffers: NDArray[np.float32]  # [3, RUN]
    f: NDArray[np.float32]  # [p, 1, RUN]


def add_near_single(
    Y: Floats,
    found: Cells,
    codes: NDArray[np.int64],
    weights: Floats,
    curve: Curve,
    s0: float,
    smooth: Floats,
    values: Floats,
    n_coincident: NDArray[np.int64],
    pool: Executor,
) -> None:
    """Add what the smooth part lacks to values[n, p, r, 1], and count coincident points; all in the order of the cells.

    smooth float64[p, 9] are the Taylor polynomials about s0, whose values at 0 are taken from each point as its own.
    """
    points, columns = np.ascontiguousarray(Y.T, dtype=np.float32), np.ascontiguousarray(weights.T)
    own = np.array([np.polynomial.polynomial.polyval(-1.0, one) for one in smooth])
    values[..., 0] -= own[np.newaxis, :, np.newaxis] * weights[:, np.newaxis, :]
    numbers, single = numbers_of(curve), smooth.astype(np.float32)
    task = Task(points, columns, Y, found, codes, curve, numbers, np.float32(s0), single)
    list(pool.map(lambda first: add_points(task, values, n_coincident, first), range(0, len(Y), BLOCK)))


@jit
def add_points(task: Task, values: np.ndarray, n_coincident: np.ndarray, first: int) -> None:
    """Add the terms of a block of points, by groups of the same cell."""
    d, n = task.points.shape
    n_potentials, n_columns = task.codes.shape[0], task.columns.shape[0]
    reach = Reach(
        np.zeros((d, RUN + 1), np.float32),
        np.zeros((n_columns, RUN)),
        np.zeros(RUN + 1, np.int64),
        np.zeros((RUN + 1, d)),
        np.empty((3, RUN), np.float32),
        np.empty((n_potentials, 1, RUN), np.float32),
    )
    key, ranges = -1, np.empty((task.found.steps.shape[0], 2), np.int64)
    i, last = first, min(first + BLOCK, n)
    while i < last:
        if task.found.keys[i] != key:
            key = task.found.keys[i]
            fill_ranges(task.found, key, ranges)
        stop = i + 1
        while stop < last and task.found.keys[stop] == key:
            stop += 1
        add_group(task, ranges, i, stop, reach, values, n_coincident)
        i = stop


@jit
def add_group(
    task: Task, ranges: np.ndarray, first: int, stop: int, reach: Reach, values: np.ndarray, n_coincident: np.ndarray
) -> None:
    """Add all in reach to the sums of the points [first, stop) of a cell, RUN of them at a time."""
    own_row, size, shift = ranges.shape[0] // 2, 0, RUN
    for row in range(ranges.shape[0]):
        at = ranges[row, 0]
        while at < ranges[row, 1]:
            taken = min(RUN - size, ranges[row, 1] - at)
            gather(task, at, taken, size, reach)
            if row == own_row:  # where the group's points are in reach of themselves
                shift = size - at
            size, at = size + taken, at + taken
            if size == RUN:
                add_gathered(task, first, stop, shift, size, reach, values, n_coincident)
                size, shift = 0, RUN
    if size > 0:
        add_gathered(task, first, stop, shift, size, reach, values, n_coincident)


@jit
def gather(task: Task, start: int, taken: int, size: int, reach: Reach) -> None:
    """Copy a run of points and their weights behind the `size` that are there, with weights 0 behind them."""
    for axis in range(task.points.shape[0]):
        for t in range(taken):
            reach.points[axis, np.uintp(size + t)] = task.points[axis, np.uintp(start + t)]
    for r in range(task.columns.shape[0]):
        for t in range(taken):
            reach.columns[r, np.uintp(size + t)] = task.columns[r, np.uintp(start + t)]
        for t in range(size + taken, padded(size + taken)):
            reach.columns[r, t] = 0.0
    for t in range(taken):
        reach.places[np.uintp(size + t)] = start + t


@jit
def add_gathered(
    task: Task,
    first: int,
    stop: int,
    shift: int,
    size: int,
    reach: Reach,
    values: np.ndarray,
    n_coincident: np.ndarray,
) -> None:
    """Add the points gathered to the sums of the points [first, stop), whose own places are `shift` further."""
    for i in range(first, stop):
        fill_lacking_single(task, i, i + shift, size, reach, n_coincident)
        add_terms(i, reach, size, values)


@jit
def padded(size: int) -> int:
    """The next multiple of LANES."""
    return (size + LANES - 1) // LANES * LANES


@jit
def fill_lacking_single(task: Task, i: int, own: int, size: int, reach: Reach, n_coincident: np.ndarray) -> None:
    """Fill f[a, 0, t] with f - T of point i and those in reach nearer than s0; 0 of the others, of i and of padding."""
    buffers, whole = reach.buffers, padded(size)
    for axis in range(task.points.shape[0]):
        reach.points[axis, RUN] = task.points[axis, i]
    fill_squares(reach.points, RUN, 0, whole, buffers)
    if 0 <= own < size:
        buffers[SQUARE, own] = task.s0
    for t in range(size, whole):
        buffers[SQUARE, t] = task.s0
    fill_odds(task.numbers, whole, buffers)
    for a in range(task.codes.shape[0]):
        fill_values(task.codes[a], task.numbers, whole, buffers, reach.f, a, 0)
    if has_close(task.numbers, whole, buffers):
        reach.places[RUN] = i
        for t in range(RUN + 1):
            reach.Y[t] = task.Y[reach.places[t]]
        replace_close(reach.Y, RUN, 0, task.codes, task.curve, task.numbers, size, buffers, reach.f, 0)
        for t in range(size):
            if buffers[SQUARE, t] == ZERO and squared_distance(reach.Y, RUN, t) == 0.0:
                n_coincident[i] += 1
    for a in range(task.codes.shape[0]):
        subtract_smooth(a, whole, task.s0, task.smooth, buffers, reach.f)


@jit
def subtract_smooth(a: int, size: int, s0: np.float32, smooth: np.ndarray, buffers: np.ndarray, f: np.ndarray) -> None:
    """Take the Taylor polynomial from f[a, 0] where the square is under s0, and put 0 elsewhere."""
    c0, c1, c2, c3 = smooth[a, 0], smooth[a, 1], smooth[a, 2], smooth[a, 3]
    c4, c5, c6, c7, c8 = smooth[a, 4], smooth[a, 5], smooth[a, 6], smooth[a, 7], smooth[a, 8]
    inverse = ONE / s0
    for u in range(size):
        s = buffers[SQUARE, u]
        t = (s - s0) * inverse
        high = fma(fma(fma(fma(c8, t, c7), t, c6), t, c5), t, c4)
        smoothed = fma(fma(fma(fma(high, t, c3), t, c2), t, c1), t, c0)
        f[a, 0, u] = f[a, 0, u] - smoothed if s < s0 else ZERO


@jit
def add_terms(i: int, reach: Reach, size: int, values: np.ndarray) -> None:
    """Add the terms times their weights to the values of point i."""
    for a in range(reach.f.shape[0]):
        for r in range(reach.columns.shape[0]):
            values[i, a, r, 0] += dot(reach.f, a * RUN, reach.columns, r * RUN, padded(size))
