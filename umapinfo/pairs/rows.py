"""Some rows of a sum over pairs: chosen vertices against chosen others, in float64, or against all, in float32."""

import numpy as np
from numba import prange
from numpy.typing import NDArray

from umapinfo.core.curve import Curve, logit
from umapinfo.core.odds import ONE, ZERO, Numbers, numbers_of
from umapinfo.jit import parallel_jit
from umapinfo.pairs.potentials import real_potential, squared_distance
from umapinfo.pairs.single import (
    SQUARE,
    fill_odds,
    fill_squares,
    fill_values,
    has_close,
    replace_close,
)
from umapinfo.pairs.tiles import RUN

Floats = NDArray[np.float64]


def row_sums(
    Y: Floats,
    rows: NDArray[np.int64],
    others: NDArray[np.int64],
    codes: NDArray[np.int64],
    weights: Floats,
    curve: Curve,
    moment: int,
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Sums over the others of w_j f(d_ij) Delta_ij^(moment), those of |w_j f| d^moment, and coincident others.

    float64[m, p, r, d^moment] twice and int64[m], for the m rows; a vertex that is among the others too is left out
    of its own sum.
    """
    shape = (len(rows), len(codes), weights.shape[1], Y.shape[1] ** moment)
    values, sizes, n_coincident = np.zeros(shape), np.zeros(shape), np.zeros(len(rows), dtype=np.int64)
    fill_rows(Y, rows, others, codes, weights, curve, moment, values, sizes, n_coincident)
    return values, sizes, n_coincident


def outer_rows(Y: Floats, n_rows: int) -> NDArray[np.int64]:
    """Vertices to check: a third at random, a third of the outer twentieth, a third the outermost, which feel least."""
    n, third, random = len(Y), n_rows // 3, np.random.default_rng(1)
    outer = np.argsort(-np.abs(Y - np.median(Y, axis=0)).max(axis=1), kind="stable")
    some = random.permutation(outer[: max(n // 20, 1)])[:third]
    return np.unique(np.concatenate([random.choice(n, min(third, n), replace=False), some, outer[:third]]))


@parallel_jit
def fill_rows(
    Y: np.ndarray,
    rows: np.ndarray,
    others: np.ndarray,
    codes: np.ndarray,
    weights: np.ndarray,
    curve: Curve,
    moment: int,
    values: np.ndarray,
    sizes: np.ndarray,
    n_coincident: np.ndarray,
) -> None:
    """Fill what `row_sums` returns; all come as zeros."""
    for t in prange(rows.shape[0]):
        i = rows[t]
        for j in others:
            if j == i:
                continue
            s = squared_distance(Y, i, j)
            n_coincident[t] += s == 0.0
            theta = logit(s, curve)
            reach = 1.0 if moment == 0 else s ** (0.5 * moment)
            for a in range(codes.shape[0]):
                f = real_potential(codes[a], s, theta, curve)
                for component in range(values.shape[3]):
                    term, rest = f, component
                    for _ in range(moment):
                        term *= Y[i, rest % Y.shape[1]] - Y[j, rest % Y.shape[1]]
                        rest //= Y.shape[1]
                    for r in range(weights.shape[1]):
                        values[t, a, r, component] += weights[j, r] * term
                        sizes[t, a, r, component] += abs(weights[j, r] * f) * reach


def quick_row_sums(
    Y: Floats, rows: NDArray[np.int64], codes: NDArray[np.int64], weights: Floats, curve: Curve
) -> tuple[Floats, Floats]:
    """The first two of `row_sums`, of moment 0 and against all others, by the float32 loops: where tiles apply."""
    n = len(Y)
    points = np.repeat(Y[:1].T, -(-n // 64) * 64, axis=1).astype(np.float32)
    points[:, :n] = Y.T
    shape = (len(rows), len(codes), weights.shape[1], 1)
    values, sizes = np.zeros(shape), np.zeros(shape)
    fill_quick_rows(points, Y, rows, codes, weights, curve, numbers_of(curve), values, sizes)
    return values, sizes


@parallel_jit
def fill_quick_rows(
    points: np.ndarray,
    Y: np.ndarray,
    rows: np.ndarray,
    codes: np.ndarray,
    weights: np.ndarray,
    curve: Curve,
    numbers: Numbers,
    values: np.ndarray,
    sizes: np.ndarray,
) -> None:
    """Fill what `quick_row_sums` returns; both come as zeros."""
    for t in prange(rows.shape[0]):
        i, n = rows[t], Y.shape[0]
        buffers, f = np.empty((3, RUN), np.float32), np.empty((codes.shape[0], 1, RUN), np.float32)
        for start in range(0, points.shape[1], RUN):
            size, stop = min(RUN, points.shape[1] - start), min(RUN, n - start)
            fill_squares(points, i, start, size, buffers)
            if 0 <= i - start < size:
                buffers[SQUARE, i - start] = ONE
            fill_odds(numbers, size, buffers)
            for a in range(codes.shape[0]):
                fill_values(codes[a], numbers, size, buffers, f, a, 0)
            if has_close(numbers, size, buffers):
                replace_close(Y, i, start, codes, curve, numbers, stop, buffers, f, 0)
            for a in range(codes.shape[0]):
                if 0 <= i - start < size:
                    f[a, 0, i - start] = ZERO
                for r in range(weights.shape[1]):
                    value, absolute = 0.0, 0.0
                    for u in range(stop):
                        term = weights[start + u, r] * np.float64(f[a, 0, u])
                        value, absolute = value + term, absolute + abs(term)
                    values[t, a, r, 0] += value
                    sizes[t, a, r, 0] += absolute
