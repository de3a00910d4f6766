"""The near part of a split sum in float32: repulsion and similarity, by the row loops of `umapinfo.pairs.single`.

As `umapinfo.pairs.near`, but every pair in reach is evaluated, at full vector width, and what is out of the radius is
set to 0.  A point's terms are added in float64, LANES interleaved sums, halved at the end: the bits do not depend on
the number of threads, nor on the width of a vector.
"""

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from numpy.typing import NDArray

from umapinfo.core.curve import Curve
from umapinfo.jit import jit
from umapinfo.pairs.bits import fma
from umapinfo.pairs.cells import Cells, fill_ranges
from umapinfo.pairs.potentials import squared_distance
from umapinfo.pairs.single import (
    ONE,
    SQUARE,
    ZERO,
    Numbers,
    fill_odds,
    fill_squares,
    fill_values,
    has_close,
    numbers_of,
    replace_close,
)

Floats = NDArray[np.float64]

LANES = 64
RUN = 512  # points that are looked at together
BLOCK = 512  # points a thread sums at a time


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
) -> None:
    """Add what the smooth part lacks to values[n, p, r, 1], and count coincident points; all in the order of the cells.

    smooth float64[p, 9] are the Taylor polynomials about s0, whose values at 0 are taken from each point as its own.
    """
    n = len(Y)
    points = np.repeat(Y[-1:].T, n + LANES, axis=1).astype(np.float32)
    points[:, :n] = Y.T
    columns = np.zeros((weights.shape[1], n + LANES))
    columns[:, :n] = weights.T
    own = np.array([np.polynomial.polynomial.polyval(-1.0, one) for one in smooth])
    values[..., 0] -= own[np.newaxis, :, np.newaxis] * weights[:, np.newaxis, :]
    arrays = (points, Y, found, codes, columns, curve, numbers_of(curve), np.float32(s0), smooth.astype(np.float32))
    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        list(pool.map(lambda first: add_points(*arrays, values, n_coincident, first), range(0, n, BLOCK)))


@jit
def add_points(
    points: np.ndarray,
    Y: np.ndarray,
    found: Cells,
    codes: np.ndarray,
    columns: np.ndarray,
    curve: Curve,
    numbers: Numbers,
    s0: np.float32,
    smooth: np.ndarray,
    values: np.ndarray,
    n_coincident: np.ndarray,
    first: int,
) -> None:
    """Add the terms of a block of points."""
    buffers, f = np.empty((3, RUN), np.float32), np.empty((codes.shape[0], 1, RUN), np.float32)
    sums = np.empty((codes.shape[0], columns.shape[0], LANES))
    key, ranges = -1, np.empty((found.steps.shape[0], 2), np.int64)
    for i in range(first, min(first + BLOCK, Y.shape[0])):
        sums[:] = 0.0
        if found.keys[i] != key:
            key = found.keys[i]
            fill_ranges(found, key, ranges)
        for row in range(ranges.shape[0]):
            for start in range(ranges[row, 0], ranges[row, 1], RUN):
                stop = min(RUN, ranges[row, 1] - start)
                size = (stop + LANES - 1) // LANES * LANES
                fill_lacking_single(
                    points, Y, i, start, stop, size, codes, curve, numbers, s0, smooth, buffers, f, n_coincident
                )
                add_to_lanes(f, columns, start, size, sums)
        add_lanes(sums, i, values)


@jit
def fill_lacking_single(
    points: np.ndarray,
    Y: np.ndarray,
    i: int,
    start: int,
    stop: int,
    size: int,
    codes: np.ndarray,
    curve: Curve,
    numbers: Numbers,
    s0: np.float32,
    smooth: np.ndarray,
    buffers: np.ndarray,
    f: np.ndarray,
    n_coincident: np.ndarray,
) -> None:
    """Fill f[a, 0, :size] with f - T of points i and start + t nearer than s0; 0 of the others, of i and of padding."""
    fill_squares(points, i, start, size, buffers)
    for t in range(stop, size):
        buffers[SQUARE, t] = s0
    if 0 <= i - start < stop:
        buffers[SQUARE, i - start] = s0
    fill_odds(numbers, size, buffers)
    for a in range(codes.shape[0]):
        fill_values(codes[a], numbers, size, buffers, f, a, 0)
    if has_close(numbers, size, buffers):
        replace_close(Y, i, start, codes, curve, numbers, stop, buffers, f, 0)
        for t in range(stop):
            if buffers[SQUARE, t] == ZERO and squared_distance(Y, i, start + t) == 0.0:
                n_coincident[i] += 1
    for a in range(codes.shape[0]):
        subtract_smooth(a, size, s0, smooth, buffers, f)


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
def add_to_lanes(f: np.ndarray, columns: np.ndarray, start: int, size: int, sums: np.ndarray) -> None:
    """Add the terms times their weights to LANES interleaved sums."""
    for a in range(f.shape[0]):
        for r in range(columns.shape[0]):
            for low in range(0, size, LANES):
                for t in range(LANES):
                    sums[a, r, t] += np.float64(f[a, 0, np.uintp(low + t)]) * columns[r, np.uintp(start + low + t)]


@jit
def add_lanes(sums: np.ndarray, i: int, values: np.ndarray) -> None:
    """Add the interleaved sums, halving them, to the values of point i."""
    for a in range(sums.shape[0]):
        for r in range(sums.shape[1]):
            half = LANES // 2
            while half > 0:
                for t in range(half):
                    sums[a, r, t] += sums[a, r, np.uintp(half + t)]
                half //= 2
            values[i, a, r, 0] += sums[a, r, 0]
