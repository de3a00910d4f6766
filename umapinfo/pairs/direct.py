"""The direct body of `pair_sums`: every ordered pair once, exact, in float64.

Row i of the result is summed by one thread, block after block of BLOCK points j in order, so that the bits do
not depend on the number of threads.  Time n^2; memory n p r d^moment (the result) and some blocks a thread.
"""

import numpy as np

from umapinfo.core.curve import Curve, logit
from umapinfo.jit import jit
from umapinfo.pairs.potentials import real_potential, squared_distance

BLOCK = 256  # points: the buffers of a row stay in the first-level cache


@jit
def fill_sums(
    Y: np.ndarray,
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

    values[i, a, r, :] = sum_{j != i} weights[j, r] f_a(d_ij) Delta_ij^(moment), flat.  Y float64[n, d],
    codes int64[p], weights float64[n, r].  values float64[n, p, r, d^moment] and n_coincident int64[n] come
    as zeros.
    """
    n = Y.shape[0]
    for i in range(first, stop):
        s, f, factor = np.empty(BLOCK), np.empty((codes.shape[0], BLOCK)), np.empty(BLOCK)
        for start in range(0, n, BLOCK):
            size = min(BLOCK, n - start)
            n_coincident[i] += fill_d2(Y, i, start, size, s)
            fill_potentials(codes, s, curve, size, i - start, f)
            for axis in range(values.shape[3]):
                fill_factor(Y, i, start, size, moment, axis, factor)
                add_block(values, i, axis, f, weights, start, factor[:size])


@jit
def fill_d2(Y: np.ndarray, i: int, start: int, size: int, s: np.ndarray) -> int:
    """Fill the squared distances of point i to the block's; returns how many other points are at distance 0."""
    n_coincident = 0
    for t in range(size):
        s[t] = squared_distance(Y, i, start + t)
        n_coincident += s[t] == 0.0 and start + t != i
    return n_coincident


@jit
def fill_potentials(codes: np.ndarray, s: np.ndarray, curve: Curve, size: int, own: int, f: np.ndarray) -> None:
    """Fill f[a, t]; 0, which leaves the pair out, for the point itself (t = own) and where f is infinite."""
    for t in range(size):
        theta = logit(s[t], curve)
        for a in range(codes.shape[0]):
            f[a, t] = 0.0 if t == own else real_potential(codes[a], s[t], theta, curve)


@jit
def fill_factor(Y: np.ndarray, i: int, start: int, size: int, moment: int, axis: int, factor: np.ndarray) -> None:
    """Fill entry `axis` of the flat Delta^(moment): 1, Delta or Delta Delta^T, Delta = y_i - y_j."""
    for t in range(size):
        factor[t] = 1.0
        rest = axis
        for _ in range(moment):
            factor[t] *= Y[i, rest % Y.shape[1]] - Y[start + t, rest % Y.shape[1]]
            rest //= Y.shape[1]


@jit
def add_block(
    values: np.ndarray,
    i: int,
    axis: int,
    f: np.ndarray,
    weights: np.ndarray,
    start: int,
    factor: np.ndarray,
) -> None:
    """Add the block's sums to values[i, :, :, axis]."""
    for a in range(f.shape[0]):
        for r in range(weights.shape[1]):
            total = 0.0
            for t in range(factor.shape[0]):
                total += weights[start + t, r] * f[a, t] * factor[t]
            values[i, a, r, axis] += total
