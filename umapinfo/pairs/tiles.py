"""The fast body of `pair_sums`: each unordered pair once, its value for both ends, in float32 tiles.

The points are cut into an even number of blocks.  All pairs of blocks are met in rounds like those of a tournament, in
which every block plays once (`opponents`): the tiles of a round share no point, so that threads add to one array of
float64 sums without a lock, and the order of the rounds, not the number of threads, is the order of the additions.
Memory O(n p r).

A tile goes by FOUR rows at a time and RUN columns at a time through the loops of `umapinfo.pairs.single`.  Only four
values at a time are added in float32, in pairs (so that equal ones add exactly): the rows' of one column, and four of
one row a quarter of a run apart; then follow float64 sums, SUB of them for each row.
"""

import numpy as np
from numba import prange
from numpy.typing import NDArray

from umapinfo.core.curve import Curve
from umapinfo.jit import jit, parallel_jit
from umapinfo.pairs.bits import fma
from umapinfo.pairs.potentials import squared_distance
from umapinfo.pairs.single import (
    HALF_ULP,
    ONE,
    SINGLE_CODES,
    ZERO,
    Numbers,
    fill_odds,
    fill_squares,
    fill_values,
    has_close,
    largest_square,
    numbers_of,
    pair_error,
    replace_close,
    serves,
)

FOUR = 4
RUN = 256  # columns: the buffers of a run stay in the first-level cache
SUB = RUN // 4
N_BLOCKS = 32  # so many threads have work, two blocks each; more blocks, more rounds to wait for one another
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
    extent2 = np.sum((layout.max(axis=0) - layout.min(axis=0)) ** 2)
    with np.errstate(over="ignore"):
        exact = np.array_equal(layout.astype(np.float32), layout)
    size = np.abs(weights)
    if not exact or extent2 > 0.99 * largest_square(curve) or np.any((size > 0) & (size < WEIGHT_RANGE * size.max(axis=0))):
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
    n, n_axes = layout.shape
    block = -(-n // (64 * N_BLOCKS)) * 64
    points = np.repeat(layout[:1].T, N_BLOCKS * block, axis=1).astype(np.float32)
    points[:, :n] = layout.T
    equal = np.all(weights == weights[0], axis=0)
    scale = np.where(equal, weights[0], np.abs(weights).max(axis=0))
    columns = np.zeros((weights.shape[1], N_BLOCKS * block), dtype=np.float32)
    columns[:, :n] = (weights / np.where(scale == 0, 1.0, scale)).T
    sums = np.zeros((N_BLOCKS // 2, len(codes), weights.shape[1], N_BLOCKS * block))
    n_coincident = np.zeros((N_BLOCKS // 2, n), dtype=np.int32)
    fill_tiles(points, columns, equal, layout, codes, curve, numbers_of(curve), block, sums, n_coincident)
    values = sums.sum(axis=0)[:, :, :n] * scale[:, np.newaxis]
    return np.ascontiguousarray(values.transpose(2, 0, 1)), n_coincident.sum(axis=0, dtype=np.int64)


@parallel_jit
def fill_tiles(
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
) -> None:
    """Add all pairs to sums[lane] and n_coincident[lane]; a lane has two blocks of rows, one long and one short."""
    n_lanes, last = sums.shape[0], 2 * sums.shape[0] - 1
    for lane in prange(n_lanes):
        for J in range(lane, last + 1):
            add_tile(points, columns, equal, layout, codes, curve, numbers, block, lane, J, sums[lane], n_coincident[lane])
        for J in range(last - lane, last + 1):
            add_tile(
                points, columns, equal, layout, codes, curve, numbers, block, last - lane, J, sums[lane], n_coincident[lane]
            )


@jit
def add_tile(
    points: np.ndarray,
    columns: np.ndarray,
    equal: np.ndarray,
    layout: np.ndarray,
    codes: np.ndarray,
    curve: Curve,
    numbers: Numbers,
    block: int,
    I: int,
    J: int,
    sums: np.ndarray,
    n_coincident: np.ndarray,
) -> None:
    """Add the pairs of block I with block J, or within it, to the sums of both ends."""
    n = layout.shape[0]
    f = np.empty((codes.shape[0], FOUR, RUN), np.float32)
    rows = np.empty((codes.shape[0], columns.shape[0], FOUR, SUB))
    buffers = np.empty((3, RUN), np.float32)
    last = min((J + 1) * block, -(-n // 64) * 64)
    for i in range(I * block, min((I + 1) * block, n), FOUR):
        rows[:] = 0.0
        for start in range(max(J * block, i // 64 * 64), last, RUN):
            size = min(RUN, last - start)
            for row in range(FOUR):
                fill_row(points, layout, codes, curve, numbers, i, row, start, size, buffers, f, n_coincident)
            for a in range(codes.shape[0]):
                for r in range(columns.shape[0]):
                    add_to_columns(f[a], columns[r], equal[r], i, start, size, sums[a, r])
                    add_to_rows(f[a], columns[r], equal[r], start, size, rows[a, r])
        add_rows(rows, i, sums)


@jit
def opponents(turn: int, k: int, n_blocks: int) -> tuple[int, int]:
    """Pair k of round `turn` of a tournament of an even number of blocks, smaller first: the circle method."""
    n = n_blocks - 1
    one = n if k == 0 else (turn + k) % n
    other = turn if k == 0 else (turn - k) % n
    return min(one, other), max(one, other)


@jit
def fill_row(
    points: np.ndarray,
    layout: np.ndarray,
    codes: np.ndarray,
    curve: Curve,
    numbers: Numbers,
    i: int,
    row: int,
    start: int,
    size: int,
    buffers: np.ndarray,
    f: np.ndarray,
    n_coincident: np.ndarray,
) -> None:
    """Fill f[a, row, t] of points i + row and start + t; 0 unless i + row < start + t < n (once, and no padding)."""
    s, logs, odds = buffers[0, :size], buffers[1, :size], buffers[2, :size]
    own = i + row
    stop = min(size, layout.shape[0] - start) if own < layout.shape[0] else 0
    skip = min(max(own + 1 - start, 0), stop)
    fill_squares(points, own, start, s)
    for t in range(skip):
        s[t] = ONE
    fill_odds(s, numbers, logs, odds)
    for a in range(codes.shape[0]):
        fill_values(codes[a], numbers, logs, odds, f[a, row, :size])
    if has_close(s, numbers):
        replace_close(layout, own, start, codes, curve, numbers.least, s[:stop], f[:, row])
        count_coincident(layout, own, start, s[:stop], n_coincident)
    if skip > 0 or stop < size:
        for a in range(codes.shape[0]):
            for t in range(size):
                f[a, row, t] = f[a, row, t] if skip <= t < stop else ZERO


@jit
def count_coincident(layout: np.ndarray, i: int, start: int, s: np.ndarray, n_coincident: np.ndarray) -> None:
    """Count the points of the run at distance 0 of point i, for both ends of the pair."""
    for t in range(s.shape[0]):
        if s[t] == ZERO and squared_distance(layout, i, start + t) == 0.0:
            n_coincident[i] += 1
            n_coincident[start + t] += 1


@jit
def add_to_columns(
    f: np.ndarray, weights: np.ndarray, equal: bool, i: int, start: int, size: int, sums: np.ndarray
) -> None:
    """Add four rows, times their weights unless these are equal, to the columns' sums."""
    f0, f1, f2, f3, columns = f[0, :size], f[1, :size], f[2, :size], f[3, :size], sums[start : start + size]
    if equal:
        for t in range(size):
            columns[t] += np.float64((f0[t] + f1[t]) + (f2[t] + f3[t]))
        return
    w0, w1, w2, w3 = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
    for t in range(size):
        columns[t] += np.float64(fma(f1[t], w1, f0[t] * w0) + fma(f3[t], w3, f2[t] * w2))


@jit
def add_to_rows(f: np.ndarray, weights: np.ndarray, equal: bool, start: int, size: int, rows: np.ndarray) -> None:
    """Add the columns, times their weights unless these are equal, to each row's SUB sums."""
    quarter = size // 4
    for row in range(FOUR):
        values, lanes = f[row], rows[row, :quarter]
        f0, f1 = values[:quarter], values[quarter : 2 * quarter]
        f2, f3 = values[2 * quarter : 3 * quarter], values[3 * quarter : size]
        if equal:
            for t in range(quarter):
                lanes[t] += np.float64((f0[t] + f1[t]) + (f2[t] + f3[t]))
            continue
        w = weights[start : start + size]
        w0, w1, w2, w3 = w[:quarter], w[quarter : 2 * quarter], w[2 * quarter : 3 * quarter], w[3 * quarter :]
        for t in range(quarter):
            lanes[t] += np.float64(fma(f1[t], w1[t], f0[t] * w0[t]) + fma(f3[t], w3[t], f2[t] * w2[t]))


@jit
def add_rows(rows: np.ndarray, i: int, sums: np.ndarray) -> None:
    """Add each row's SUB sums, halving them, to the sums of points i to i + 3."""
    for a in range(rows.shape[0]):
        for r in range(rows.shape[1]):
            for row in range(FOUR):
                lanes = rows[a, r, row]
                half = SUB // 2
                while half > 0:
                    for t in range(half):
                        lanes[t] += lanes[half + t]
                    half //= 2
                sums[a, r, i + row] += lanes[0]
