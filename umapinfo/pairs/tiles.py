"""The fast body of `pair_sums`: each unordered pair once, its value for both ends, in float32 tiles.

The points are cut into 2 N_LANES blocks.  A lane takes the rows of two of them, one with many points after it and one
with few, and adds to float64 sums of its own; the lanes' sums are added in order.  A thread takes whole lanes, so that
bits do not depend on the number of threads.  Memory: N_LANES n (p r + 1/2) float64.

Pairs go by FOUR rows at a time and RUN columns at a time through the loops of `umapinfo.pairs.single`.  Only four
values at a time are added in float32, in pairs (so that equal ones add exactly): the rows' of one column, and four of
one row a quarter of a run apart.  What follows is float64, SUB sums for each row.
"""

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from numpy.typing import NDArray

from umapinfo.core.bits import fma
from umapinfo.core.curve import Curve
from umapinfo.core.odds import ONE, ZERO, Numbers, largest_square, numbers_of, serves
from umapinfo.jit import jit
from umapinfo.pairs.potentials import squared_distance
from umapinfo.pairs.single import (
    HALF_ULP,
    SINGLE_CODES,
    SQUARE,
    fill_odds,
    fill_squares,
    fill_values,
    has_close,
    pair_error,
    replace_close,
)

FOUR = 4
RUN = 1024  # columns: the buffers of a run stay near the first-level cache
SUB = RUN // 4
PANEL = 4 * RUN  # columns: their points and sums stay in the second-level cache
N_LANES = 16  # so many threads have work
N_BLOCKS = 2 * N_LANES
LEAST_POINTS = 512  # below, the float64 body takes some milliseconds
WEIGHT_RANGE = 2.0**-40  # smallest weight that is not 0, relative to the largest: float32 products stay normal


def tiles_error(
    layout: NDArray[np.float64], codes: NDArray[np.int64], weights: NDArray[np.float64], curve: Curve
) -> float:
    """Bound of the error of each vertex, relative to sum_j |w_j f|; inf where the tiles do not apply.

    They take coordinates that are float32 numbers, curves and extents that `umapinfo.pairs.single` serves, repulsion
    and similarity, and weights within a factor of 2^40.
    """
    if len(layout) < LEAST_POINTS or not np.isin(codes, SINGLE_CODES).all() or not serves(curve):
        return np.inf
    extent2 = sum((axis.max() - axis.min()) ** 2 for axis in layout.T)  # numpy is slow along few columns
    sizes = np.abs(weights)
    with np.errstate(over="ignore"):
        exact = np.array_equal(layout.astype(np.float32), layout)
    if (
        not exact
        or extent2 > 0.99 * largest_square(curve)
        or np.any((sizes > 0) & (sizes < WEIGHT_RANGE * sizes.max(0)))
    ):
        return np.inf
    # Adding four values takes two roundings; weights one more, and one of their own.
    n_roundings = 2 if np.all(weights == weights[0]) else 4
    return 1.01 * (pair_error(curve, layout.shape[1]) + n_roundings * HALF_ULP)


def tile_sums(
    layout: NDArray[np.float64], codes: NDArray[np.int64], weights: NDArray[np.float64], curve: Curve
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The values float64[n, p, r] of `pair_sums` and n_coincident, where `tiles_error` is finite.

    Parameters
    ----------
    layout : float64[n, d]
        Of float32 numbers.
    codes : int64[p]
    weights : float64[n, r]
        A column of equal weights is served exactly; others are rounded to float32, relative to their largest.
    curve : Curve
    """
    n = len(layout)
    block = -(-n // (64 * N_BLOCKS)) * 64
    points = np.repeat(layout[:1].T, N_BLOCKS * block, axis=1).astype(np.float32)
    points[:, :n] = layout.T
    equal = np.all(weights == weights[0], axis=0)
    scale = np.where(equal, weights[0], np.abs(weights).max(axis=0))
    columns = np.zeros((weights.shape[1], N_BLOCKS * block), dtype=np.float32)
    columns[:, :n] = (weights / np.where(scale == 0, 1.0, scale)).T
    sums = np.zeros((N_LANES, len(codes), weights.shape[1], N_BLOCKS * block))
    n_coincident = np.zeros((N_LANES, n), dtype=np.int32)
    arrays = (points, columns, equal, layout, codes, curve, numbers_of(curve), block, sums, n_coincident)
    # Threads of Python, not of numba, which would compile the kernel three times over (and these take the next lane
    # when they are free); their number is numba's all the same.
    with ThreadPoolExecutor(min(N_LANES, numba.get_num_threads())) as pool:
        list(pool.map(lambda lane: add_lane(*arrays, lane), range(N_LANES)))
    values = sums.sum(axis=0)[:, :, :n] * scale[:, np.newaxis]
    return np.ascontiguousarray(values.transpose(2, 0, 1)), n_coincident.sum(axis=0, dtype=np.int64)


@jit
def add_lane(
    points: np.ndarray,
    columns: np.ndarray,
    equal: np.ndarray,
    layout: np.ndarray,
    codes: np.ndarray,
    curve: Curve,
    numbers: Numbers,
    block: int,
    sums: np.ndarray,
    n_coincident: np.ndarray,
    lane: int,
) -> None:
    """Add the pairs of a lane: its two blocks of rows, with all points after each row, a panel at a time."""
    n_blocks = 2 * sums.shape[0]
    f = np.empty((codes.shape[0], FOUR, RUN), np.float32)
    rows = np.empty((codes.shape[0], columns.shape[0], FOUR, SUB))
    buffers = np.empty((3, RUN), np.float32)
    n_padded = (layout.shape[0] + 63) // 64 * 64
    for half in range(2):
        first = n_blocks - 1 - lane if half else lane
        for panel in range(first * block, n_padded, PANEL):
            stop = min(panel + PANEL, n_padded)
            for i in range(first * block, min((first + 1) * block, stop, layout.shape[0]), FOUR):
                rows[:] = 0.0
                for start in range(max(panel, i // 64 * 64), stop, RUN):
                    size = min(RUN, stop - start)
                    for row in range(FOUR):
                        run = (i + row, row, start, size)
                        fill_row(points, layout, codes, curve, numbers, run, buffers, f, n_coincident, lane)
                    add_to_columns(f, columns, equal, i, start, size, sums, lane)
                    add_to_rows(f, columns, equal, start, size, rows)
                add_rows(rows, i, sums, lane)


@jit
def fill_row(
    points: np.ndarray,
    layout: np.ndarray,
    codes: np.ndarray,
    curve: Curve,
    numbers: Numbers,
    run: tuple[int, int, int, int],
    buffers: np.ndarray,
    f: np.ndarray,
    n_coincident: np.ndarray,
    lane: int,
) -> None:
    """Fill f[a, row, t] of points i and start + t; 0 unless i < start + t < n: each pair once, and no padding."""
    i, row, start, size = run
    stop = min(size, layout.shape[0] - start) if i < layout.shape[0] else 0
    skip = min(max(i + 1 - start, 0), stop)
    fill_squares(points, i, start, size, buffers)
    for t in range(skip):
        buffers[SQUARE, t] = ONE
    fill_odds(numbers, size, buffers)
    for a in range(codes.shape[0]):
        fill_values(codes[a], numbers, size, buffers, f, a, row)
    if has_close(numbers, size, buffers):
        replace_close(layout, i, start, codes, curve, numbers, stop, buffers, f, row)
        count_coincident(layout, i, start, stop, buffers, n_coincident, lane)
    if skip > 0 or stop < size:
        for a in range(codes.shape[0]):
            for t in range(size):
                f[a, row, t] = f[a, row, t] if skip <= t < stop else ZERO


@jit
def count_coincident(
    layout: np.ndarray, i: int, start: int, size: int, buffers: np.ndarray, n_coincident: np.ndarray, lane: int
) -> None:
    """Count the points of the run at distance 0 of point i, for both ends of the pair."""
    for t in range(size):
        if buffers[SQUARE, t] == ZERO and squared_distance(layout, i, start + t) == 0.0:
            n_coincident[lane, i] += 1
            n_coincident[lane, start + t] += 1


@jit
def add_to_columns(
    f: np.ndarray,
    weights: np.ndarray,
    equal: np.ndarray,
    i: int,
    start: int,
    size: int,
    sums: np.ndarray,
    lane: int,
) -> None:
    """Add four rows, times their weights unless these are equal, to the columns' sums."""
    for a in range(f.shape[0]):
        for r in range(weights.shape[0]):
            if equal[r]:
                for t in range(size):
                    four = (f[a, 0, t] + f[a, 1, t]) + (f[a, 2, t] + f[a, 3, t])
                    sums[lane, a, r, np.uintp(start + t)] += np.float64(four)
                continue
            w0, w1, w2, w3 = weights[r, i], weights[r, i + 1], weights[r, i + 2], weights[r, i + 3]
            for t in range(size):
                four = fma(f[a, 1, t], w1, f[a, 0, t] * w0) + fma(f[a, 3, t], w3, f[a, 2, t] * w2)
                sums[lane, a, r, np.uintp(start + t)] += np.float64(four)


@jit
def add_to_rows(f: np.ndarray, weights: np.ndarray, equal: np.ndarray, start: int, size: int, rows: np.ndarray) -> None:
    """Add the columns, times their weights unless these are equal, to each row's SUB sums."""
    one = size // 4
    two, three = 2 * one, 3 * one
    for a in range(f.shape[0]):
        for r in range(weights.shape[0]):
            for row in range(FOUR):
                if equal[r]:
                    for t in range(one):
                        t1, t2, t3 = np.uintp(t + one), np.uintp(t + two), np.uintp(t + three)
                        four = (f[a, row, t] + f[a, row, t1]) + (f[a, row, t2] + f[a, row, t3])
                        rows[a, r, row, t] += np.float64(four)
                    continue
                for t in range(one):
                    t1, t2, t3 = np.uintp(t + one), np.uintp(t + two), np.uintp(t + three)
                    w0, w1 = weights[r, np.uintp(start + t)], weights[r, np.uintp(start + one + t)]
                    w2, w3 = weights[r, np.uintp(start + two + t)], weights[r, np.uintp(start + three + t)]
                    low = fma(f[a, row, t1], w1, f[a, row, t] * w0)
                    rows[a, r, row, t] += np.float64(low + fma(f[a, row, t3], w3, f[a, row, t2] * w2))


@jit
def add_rows(rows: np.ndarray, i: int, sums: np.ndarray, lane: int) -> None:
    """Add each row's SUB sums, halving them, to the sums of points i to i + 3."""
    for a in range(rows.shape[0]):
        for r in range(rows.shape[1]):
            for row in range(FOUR):
                half = SUB // 2
                while half > 0:
                    for t in range(half):
                        rows[a, r, row, t] += rows[a, r, row, np.uintp(half + t)]
                    half //= 2
                sums[lane, a, r, i + row] += rows[a, r, row, 0]
