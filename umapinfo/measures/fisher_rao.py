r"""How far two layouts are from each other, in the Fisher-Rao metric of their similarities.

The Bernoulli laws of all pairs are the points of a cube that is flat in the angles phi = 2 arctan e^(theta/2) in
[0, pi], one for each pair: straight lines in phi are shortest, and

    rho(Y, Z)^2 = sum over pairs of (phi(Y) - phi(Z))^2  <=  pi^2 n (n - 1) / 2

is the squared distance of two layouts' laws, finite for coincident points too.  Of a graph and a layout it is twice the
divergence "fisher_rao" of `umapinfo.measures.divergence`.  Unordered pairs, without the diagonal.  Angles are compared
in the logits, without a difference of two rounded angles.

Source: Rao (1945), Bull. Calcutta Math. Soc. 37.
"""

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import ArrayLike

from umapinfo.core.curve import Curve, checked_curve, logit
from umapinfo.jit import jit, parallel_jit
from umapinfo.measures.bernoulli import Floats
from umapinfo.measures.pair_divergences import turn
from umapinfo.measures.pair_sets import PairSet, interval, total
from umapinfo.pairs.potentials import squared_distance
from umapinfo.pairs.sums import checked_layout
from umapinfo.threads import in_parts

__all__ = ["FisherRaoDistance", "fisher_rao_distance"]


class FisherRaoDistance(NamedTuple):
    """The distance rho of two layouts, its 95 % interval (low = high where all pairs were summed) and their number."""

    distance: float
    low: float
    high: float
    n_pairs: int


def fisher_rao_distance(Y: ArrayLike, Z: ArrayLike, curve: Curve, pairs: PairSet | None = None) -> FisherRaoDistance:
    """The Fisher-Rao distance rho of two layouts' similarities.

    Parameters
    ----------
    Y, Z : float[n, d], layout units
        They may have different dimensions.
    curve : Curve
    pairs : PairSet, optional
        By default all pairs are summed, one by one: a minute or two at 70,000 vertices.

    Raises
    ------
    TypeError, ValueError
        Layouts that are not finite numeric arrays of one length, that of the pairs; a curve that is none.
    """
    first, second, curve = checked_layout(Y), checked_layout(Z), checked_curve(curve)
    n = len(first) if pairs is None else pairs.n_vertices
    for layout in (first, second):
        check_length(layout, n)
    if pairs is None:
        rows = np.zeros(n)
        fill_rows(first, second, curve, rows)
        distance = float(np.sqrt(rows.sum()))
        return FisherRaoDistance(distance, distance, distance, n * (n - 1) // 2)
    found = total(pairs, turns_of(pairs, first, second, curve) ** 2)
    low, high = interval(found)
    return FisherRaoDistance(float(np.sqrt(found.value)), float(np.sqrt(low)), float(np.sqrt(high)), len(pairs.heads))


def check_length(layout: Floats, n: int) -> None:
    """ValueError unless a layout has so many vertices."""
    if len(layout) != n:
        raise ValueError(f"layout: expected {n} vertices, as the others or the pairs have, got {len(layout)}")


def turns_of(pairs: PairSet, Y: Floats, Z: Floats, curve: Curve) -> Floats:
    """phi(Z) - phi(Y) of each listed pair, float64[m]."""
    out = np.empty(len(pairs.heads))
    in_parts(lambda start, stop: fill_turns(Y, Z, pairs.heads, pairs.tails, curve, start, stop, out), len(out))
    return out


@jit
def fill_turns(
    Y: Floats,
    Z: Floats,
    heads: np.ndarray,
    tails: np.ndarray,
    curve: Curve,
    start: int,
    stop: int,
    out: Floats,
) -> None:
    """Fill out[e] with the turn of pair e from Y to Z, start <= e < stop."""
    for e in range(start, stop):
        i, j = heads[e], tails[e]
        out[e] = turn(logit(squared_distance(Z, i, j), curve), logit(squared_distance(Y, i, j), curve))


@parallel_jit
def fill_rows(Y: Floats, Z: Floats, curve: Curve, rows: Floats) -> None:
    """Fill rows[i] with the sum over j > i of the squared turns; a thread takes a long row and a short one."""
    n = rows.shape[0]
    for half in prange((n + 1) // 2):
        for i in (half, n - 1 - half):
            squares = 0.0
            for j in range(i + 1, n):
                squares += turn(logit(squared_distance(Z, i, j), curve), logit(squared_distance(Y, i, j), curve)) ** 2
            rows[i] = squares
