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
from umapinfo.core.distances import Report
from umapinfo.jit import jit, parallel_jit
from umapinfo.measures.bernoulli import Floats
from umapinfo.measures.pair_divergences import turn
from umapinfo.measures.pair_sets import PairSet, interval, total
from umapinfo.pairs.potentials import squared_distance
from umapinfo.pairs.sums import checked_layout
from umapinfo.threads import in_parts

__all__ = ["FisherRaoDistance", "fisher_rao_distance"]

ROWS = 1000  # between reports


class FisherRaoDistance(NamedTuple):
    """The distance rho of two layouts, its 95 % interval (low = high where all pairs were summed) and their number."""

    distance: float
    low: float
    high: float
    n_pairs: int


def fisher_rao_distance(
    Y: ArrayLike, Z: ArrayLike, curve: Curve, pairs: PairSet | None = None, *, report: Report | None = None
) -> FisherRaoDistance:
    """The Fisher-Rao distance rho of two layouts' similarities.

    Parameters
    ----------
    Y, Z : float[n, d], layout units
        They may have different dimensions.
    curve : Curve
    pairs : PairSet, optional
        By default all pairs are summed, one by one: at 70,000 vertices four minutes of one core.
    report : callable(stage, done, total), optional
        Called now and then with the number of pairs, while all are summed.

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
        distance = float(np.sqrt(_all_rows(first, second, curve, report).sum()))
        return FisherRaoDistance(distance, distance, distance, n * (n - 1) // 2)
    found = total(pairs, turns_of(pairs, first, second, curve) ** 2)
    low, high = interval(found)
    return FisherRaoDistance(float(np.sqrt(found.value)), float(np.sqrt(low)), float(np.sqrt(high)), len(pairs.heads))


def _all_rows(Y: Floats, Z: Floats, curve: Curve, report: Report | None) -> Floats:
    """The sums over j > i of the squared turns, float64[n]."""
    n = len(Y)
    rows, n_pairs = np.zeros(n), n * (n - 1) // 2
    for start in range(0, n, ROWS):
        stop = min(start + ROWS, n)
        fill_rows(Y, Z, curve, start, stop, rows)
        if report:
            report("Fisher-Rao distance", n_pairs - (n - stop) * (n - stop - 1) // 2, n_pairs)
    return rows


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
def fill_rows(Y: Floats, Z: Floats, curve: Curve, start: int, stop: int, rows: Floats) -> None:
    """Fill rows[i] with the sum over j > i of the squared turns from Y to Z, start <= i < stop."""
    for i in prange(start, stop):
        squares = 0.0
        for j in range(i + 1, rows.shape[0]):
            squares += turn(logit(squared_distance(Z, i, j), curve), logit(squared_distance(Y, i, j), curve)) ** 2
        rows[i] = squares
