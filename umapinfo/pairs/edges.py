"""Lengths, logits and costs of listed pairs, the edges of a graph or any two arrays of ends, and their Laplacian."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from umapinfo.core.curve import Curve, checked_curve, logit
from umapinfo.jit import jit
from umapinfo.pairs.potentials import (
    ATTRACTION,
    ATTRACTION_SLOPE,
    REPULSION,
    REPULSION_SLOPE,
    real_potential,
    squared_distance,
)
from umapinfo.pairs.sums import checked_codes, checked_layout
from umapinfo.threads import in_parts

ROWS = 5_000  # of a Laplacian, that a thread takes at a time


def edge_d2(Y: ArrayLike, heads: NDArray[np.integer], tails: NDArray[np.integer]) -> NDArray[np.float64]:
    """Squared distances d2[e] = |y_head[e] - y_tail[e]|^2, in the bits that `pair_sums` sees.

    Parameters
    ----------
    Y : float[n, d], layout units
    heads, tails : int[m], vertices

    Returns
    -------
    float64[m], squared layout units
        0 for coincident points, which are those nearer than 1e-162 too (the square underflows).
    """
    layout, out = checked_layout(Y), np.empty(len(heads))
    in_parts(lambda start, stop: fill_d2(layout, heads, tails, start, stop, out), len(heads))
    return out


def edge_theta(
    Y: ArrayLike, heads: NDArray[np.integer], tails: NDArray[np.integer], curve: Curve
) -> NDArray[np.float64]:
    """Logits theta[e] = -ln(c + a d2[e]^b), float64[m], of `edge_d2`'s pairs; +inf at d2 = 0 if c = 0."""
    out, checked = edge_d2(Y, heads, tails), checked_curve(curve)
    in_parts(lambda start, stop: replace_by_logits(out, checked, start, stop), len(out))
    return out


def edge_potentials(
    Y: ArrayLike, heads: NDArray[np.integer], tails: NDArray[np.integer], curve: Curve, potentials: Sequence[str]
) -> NDArray[np.float64]:
    """Potentials f_a(d_e) of `edge_d2`'s pairs, float64[p, m]; 0 where they are infinite, as in `pair_sums`."""
    codes, d2, checked = checked_codes(potentials), edge_d2(Y, heads, tails), checked_curve(curve)
    out = np.empty((len(codes), len(d2)))
    in_parts(lambda start, stop: fill_potentials(d2, codes, checked, start, stop, out), len(d2))
    return out


def edge_costs(
    Y: ArrayLike,
    heads: NDArray[np.integer],
    tails: NDArray[np.integer],
    curve: Curve,
    A: NDArray[np.float64],
    B: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A attraction + B repulsion of `edge_d2`'s pairs and the slope f'(d)/d of that, float64[m] each.

    By two logarithms and three exponentials where `edge_potentials` takes nine of them and two powers; 0 for what is
    infinite, as there.  A and B may have any sign.  Either term is within some ulp of what `edge_potentials` gives, for
    a slope times 1 + |b - 1| |ln d2|.
    """
    layout, checked, cost, slope = checked_layout(Y), checked_curve(curve), np.empty(len(heads)), np.empty(len(heads))
    in_parts(lambda start, stop: fill_costs(layout, heads, tails, checked, A, B, start, stop, cost, slope), len(heads))
    return cost, slope


@jit
def fill_costs(
    Y: np.ndarray,
    heads: np.ndarray,
    tails: np.ndarray,
    curve: Curve,
    A: np.ndarray,
    B: np.ndarray,
    start: int,
    stop: int,
    cost: np.ndarray,
    slope: np.ndarray,
) -> None:
    """Fill cost[e] and slope[e] of pair e, start <= e < stop."""
    for e in range(start, stop):
        s = squared_distance(Y, heads[e], tails[e])
        theta = logit(s, curve)
        if s == 0.0:
            cost[e] = A[e] * real_potential(ATTRACTION, s, theta, curve)
            cost[e] += B[e] * real_potential(REPULSION, s, theta, curve)
            slope[e] = A[e] * real_potential(ATTRACTION_SLOPE, s, theta, curve)
            slope[e] += B[e] * real_potential(REPULSION_SLOPE, s, theta, curve)
            continue
        small = np.exp(-abs(theta))
        both = np.log1p(small)
        apart = theta < 0.0
        q, odds = (small / (1.0 + small), small) if apart else (1.0 / (1.0 + small), 1.0 / small)
        pull = 2.0 * curve.a * curve.b * np.exp((curve.b - 1.0) * np.log(s)) * q
        push = -pull * odds
        cost[e] = A[e] * (both - theta if apart else both) + B[e] * (both if apart else both + theta)
        slope[e] = A[e] * (pull if pull < np.inf else 0.0) + B[e] * (push if push > -np.inf else 0.0)


def laplacian_product(w: csr_array, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum_j w_ij (x_i - x_j) of edges w[n, n], stored in both directions, and x [n, d]; float64[n, d].

    Raises
    ------
    ValueError
        Unless there is a row of x for each of w.
    """
    x = np.ascontiguousarray(x, np.float64)
    if w.shape != (len(x), len(x)):
        raise ValueError(f"x: expected {w.shape[0]} rows, one for each vertex of the edges, got {len(x)}")
    out = np.empty_like(x)
    in_parts(lambda start, stop: fill_laplacian(w.indptr, w.indices, w.data, x, start, stop, out), len(x), ROWS)
    return out


@jit
def fill_laplacian(
    indptr: np.ndarray, indices: np.ndarray, w: np.ndarray, x: np.ndarray, start: int, stop: int, out: np.ndarray
) -> None:
    """Fill out[i], start <= i < stop, from the entries of the rows i of w."""
    for i in range(start, stop):
        for axis in range(x.shape[1]):
            own, total = x[i, axis], 0.0
            for e in range(indptr[i], indptr[i + 1]):
                total += w[e] * (own - x[np.uintp(indices[e]), axis])
            out[i, axis] = total


@jit
def fill_potentials(d2: np.ndarray, codes: np.ndarray, curve: Curve, start: int, stop: int, out: np.ndarray) -> None:
    """Fill out[a, e] with potential codes[a] of pair e, start <= e < stop."""
    for e in range(start, stop):
        theta = logit(d2[e], curve)
        for a in range(codes.shape[0]):
            out[a, e] = real_potential(codes[a], d2[e], theta, curve)


@jit
def fill_d2(Y: np.ndarray, heads: np.ndarray, tails: np.ndarray, start: int, stop: int, out: np.ndarray) -> None:
    """Fill out[e] with the squared distance of heads[e] and tails[e], start <= e < stop."""
    for e in range(start, stop):
        out[e] = squared_distance(Y, heads[e], tails[e])


@jit
def replace_by_logits(d2: np.ndarray, curve: Curve, start: int, stop: int) -> None:
    """Put the logit theta of each squared distance, start <= e < stop, in its place."""
    for e in range(start, stop):
        d2[e] = logit(d2[e], curve)
