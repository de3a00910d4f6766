"""Some rows of a sum over pairs, exact in float64: chosen vertices against chosen others."""

import numpy as np
from numba import prange
from numpy.typing import NDArray

from umapinfo.core.curve import Curve, logit
from umapinfo.jit import parallel_jit
from umapinfo.pairs.potentials import real_potential, squared_distance

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
    """Sums over the others of w_j f(d_ij) Delta_ij^(moment), those of the absolute terms, and coincident others.

    float64[m, p, r, d^moment] twice and int64[m], for the m rows; a vertex that is among the others too is left out
    of its own sum.
    """
    shape = (len(rows), len(codes), weights.shape[1], Y.shape[1] ** moment)
    values, sizes, n_coincident = np.zeros(shape), np.zeros(shape), np.zeros(len(rows), dtype=np.int64)
    fill_rows(Y, rows, others, codes, weights, curve, moment, values, sizes, n_coincident)
    return values, sizes, n_coincident


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
            for a in range(codes.shape[0]):
                f = real_potential(codes[a], s, theta, curve)
                for component in range(values.shape[3]):
                    term, rest = f, component
                    for _ in range(moment):
                        term *= Y[i, rest % Y.shape[1]] - Y[j, rest % Y.shape[1]]
                        rest //= Y.shape[1]
                    for r in range(weights.shape[1]):
                        values[t, a, r, component] += weights[j, r] * term
                        sizes[t, a, r, component] += abs(weights[j, r] * term)
