"""Squared lengths and logits of listed pairs: the edges of a graph, or any two arrays of ends."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from umapinfo.core.curve import Curve, checked_curve, logit
from umapinfo.jit import jit
from umapinfo.pairs.potentials import real_potential, squared_distance
from umapinfo.pairs.sums import checked_codes, checked_layout
from umapinfo.threads import in_parts


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
