"""The direct body of `pair_sums`: every ordered pair once, exact, in float64.

Row i of the result is summed by one thread, block after block of BLOCK points j.  The t-th points of all blocks have a
sum of their own, and these are then folded in halves: additions do not wait for each other, and bits do not depend on
the number of threads.  Time n^2; memory n p r d^moment (the result), and of each thread as much as BLOCK rows of it.
"""

import numpy as np

from umapinfo.core.curve import Curve, logit
from umapinfo.jit import jit
from umapinfo.pairs.potentials import real_potential
from umapinfo.pairs.wide import fill_logits, fill_wide, n_unserved, served

BLOCK = 256  # points, a power of 2: what a block shares stays in the first-level cache


@jit
def fill_sums(
    axes: np.ndarray,
    codes: np.ndarray,
    weights: np.ndarray,
    curve: Curve,
    moment: int,
    first: int,
    stop: int,
    values: np.ndarray,
    n_coincident: np.ndarray,
) -> None:
    """Fill the sums of `pair_sums` of the points first <= i < stop, and count the points at distance 0 of each.

    values[i, a, r, :] = sum_{j != i} weights[r, j] f_a(d_ij) Delta_ij^(moment), flat.  axes float64[d, n], codes
    int64[p], weights float64[r, n], contiguous.  values float64[n, p, r, d^moment], n_coincident int64[n].
    """
    n, bounds = axes.shape[1], served(curve)
    _, n_codes, n_columns, n_entries = values.shape
    s, theta, odds, factor = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    f, sums = np.empty((n_codes, BLOCK)), np.empty((n_codes, n_columns, n_entries, BLOCK))
    for i in range(first, stop):
        n_coincident[i] = -1  # itself
        sums[:] = 0.0
        for start in range(0, n, BLOCK):
            size = min(BLOCK, n - start)
            n_coincident[i] += fill_d2(axes, i, start, size, s)
            fill_potentials(codes, s, curve, bounds, size, i - start, theta, odds, f)
            for entry in range(n_entries):
                fill_factor(axes, i, start, size, moment, entry, factor)
                for a in range(n_codes):
                    for r in range(n_columns):
                        add_products(weights[r, start:], f[a], factor, size, sums[a, r, entry])
        for a in range(n_codes):
            for r in range(n_columns):
                for entry in range(n_entries):
                    values[i, a, r, entry] = folded(sums[a, r, entry])


@jit
def fill_d2(axes: np.ndarray, i: int, start: int, size: int, s: np.ndarray) -> int:
    """Fill the squared distances of point i to the block's, as `squared_distance`; returns how many are 0."""
    for t in range(size):
        s[t] = 0.0
    for axis in range(len(axes)):
        here, there = axes[axis, i], axes[axis, start:]
        for t in range(size):
            s[t] += (here - there[t]) * (here - there[t])
    n_coincident = 0
    for t in range(size):
        n_coincident += int(s[t] == 0.0)
    return n_coincident


@jit
def fill_potentials(
    codes: np.ndarray,
    s: np.ndarray,
    curve: Curve,
    bounds: tuple[float, float],
    size: int,
    own: int,
    theta: np.ndarray,
    odds: np.ndarray,
    f: np.ndarray,
) -> None:
    """Fill f[a, t]; 0, which leaves the pair out, for the point itself (t = own) and where f is infinite.

    s[own] is written over, theta and odds are room for what many potentials share.  bounds: `served`, the squares of
    vectors; a block with any other square goes by the formulas, of logits that may have other last bits.
    """
    if 0 <= own < size:
        s[own] = bounds[0]  # as ordinary a square as any
    wide = n_unserved(s, size, bounds) == 0
    if wide:
        fill_logits(s, curve, size, theta, odds)
    else:
        for t in range(size):
            theta[t] = logit(s[t], curve)
    for a in range(len(codes)):
        if not (wide and fill_wide(codes[a], s, theta, odds, curve, size, f[a])):
            for t in range(size):
                f[a, t] = real_potential(codes[a], s[t], theta[t], curve)
        if 0 <= own < size:
            f[a, own] = 0.0


@jit
def fill_factor(axes: np.ndarray, i: int, start: int, size: int, moment: int, entry: int, factor: np.ndarray) -> None:
    """Fill an entry of the flat Delta^(moment): 1, Delta or Delta Delta^T, Delta = y_i - y_j."""
    for t in range(size):
        factor[t] = 1.0
    rest = entry
    for _ in range(moment):
        here, there = axes[rest % len(axes), i], axes[rest % len(axes), start:]
        for t in range(size):
            factor[t] *= here - there[t]
        rest //= len(axes)


@jit
def add_products(weights: np.ndarray, f: np.ndarray, factor: np.ndarray, size: int, sums: np.ndarray) -> None:
    """Add weights f factor to the sums, place by place."""
    for t in range(size):
        sums[t] += weights[t] * f[t] * factor[t]


@jit
def folded(sums: np.ndarray) -> float:
    """The total of BLOCK sums, which are lost."""
    size = BLOCK // 2
    while size > 0:
        for t in range(size):
            sums[t] += sums[t + size]
        size //= 2
    return sums[0]
