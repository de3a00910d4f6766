r"""All pairs of points by their distance: a table of narrow classes, from which sums over pairs follow for any f(d).

A class holds the pairs whose squared distances s share exponent and first BITS bits, so that their s differ by less
than 2^-BITS of the least.  It is represented by their number and their mean.  For f(d) = softplus(alpha + beta ln d),
of which |s^2 d^2f/ds^2| <= (beta^2 / 4 + |beta| / 2) f, Taylor's formula about the mean gives

    |sum of f over the pairs - sum over the classes of n_pairs f(d2)| <= 4^-BITS / 8 (beta^2 / 4 + |beta| / 2) sum of f

to leading order, whatever the layout: 2e-7 at UMAP's beta = -1.8.  Up to EXACT_UP_TO points a class is one distance.

One pass over the pairs serves every f; `umapinfo.pairs.pair_sums` passes once for each, and is the quicker for one or
two.  Time n^2: 70,000 points take some 7 s of one core.  Bits do not depend on the number of threads: LANES lanes take
every LANES-th row each, and are added in order.
"""

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import ArrayLike, NDArray

from umapinfo.core.bits import bits_of
from umapinfo.jit import jit, parallel_jit
from umapinfo.pairs.edges import edge_d2
from umapinfo.pairs.sums import checked_layout

BITS = 10
EXACT_UP_TO = 1000  # points: half a million distances
LANES = 16
RUN = 512  # points: a run's squares and places stay in the first-level cache
SHIFT = 52 - BITS
OCTAVES = 64  # of the squared distance in a table, unless some pair is nearer than 2^-32 of the layout's extent


class DistanceClasses(NamedTuple):
    """Pairs apart by squared distance, nearest first.

    Attributes
    ----------
    d2 : float64[k], squared layout units
        The mean of each class.
    n_pairs : int64[k]
        Its number of unordered pairs, > 0.
    n_coincident : int
        Pairs at distance 0, which are in no class.
    width : float
        Largest difference within a class over its d2: 0.0 where a class is one distance, else 2^-BITS (but for
        distances under 1e-153, whose squares have lost digits: those are in one class).
    """

    d2: NDArray[np.float64]
    n_pairs: NDArray[np.int64]
    n_coincident: int
    width: float


def distance_classes(Y: ArrayLike, heads: NDArray[np.integer], tails: NDArray[np.integer]) -> DistanceClasses:
    """The classes of all unordered pairs but the listed ones.

    Parameters
    ----------
    Y : float[n, d], layout units
    heads, tails : int[m], vertices
        Pairs to leave out, each listed once, head < tail.

    Returns
    -------
    DistanceClasses

    Raises
    ------
    TypeError, ValueError
        As for `pair_sums`, if Y is not a finite numeric [n, d] array.
    """
    layout = checked_layout(Y)
    if len(layout) <= EXACT_UP_TO:
        return _distances(layout, heads, tails)
    columns, listed = np.ascontiguousarray(layout.T), edge_d2(layout, heads, tails)
    last = class_of(1.01 * ((columns.max(axis=1) - columns.min(axis=1)) ** 2).sum())
    first = max(last - (OCTAVES << BITS), 0)
    counts, sums = _counted(columns, first, last)
    if sums[0] > 0:
        first = 0
        counts, sums = _counted(columns, first, last)
    return _without(listed, first, counts, sums)


def _distances(layout: NDArray[np.float64], heads: NDArray[np.integer], tails: NDArray[np.integer]) -> DistanceClasses:
    """Each distance is a class."""
    others = np.triu(np.ones((len(layout), len(layout)), dtype=bool), 1)
    others[heads, tails] = False
    d2, count = np.unique(edge_d2(layout, *np.nonzero(others)), return_counts=True)
    apart = d2 > 0
    return DistanceClasses(d2[apart], count[apart], int(count[~apart].sum()), 0.0)


def _counted(columns: NDArray[np.float64], first: int, last: int) -> NDArray[np.float64]:
    """Numbers of pairs and sums of their squared distances, float64[2, last - first + 2].

    Place 0 has what lies before class `first`, pairs at distance 0 among them.
    """
    table = np.zeros((LANES, last - first + 2, 2))
    fill_table(columns, first, table)
    return np.ascontiguousarray(table.sum(axis=0).T)


def _without(
    listed: NDArray[np.float64], first: int, counts: NDArray[np.float64], sums: NDArray[np.float64]
) -> DistanceClasses:
    """The classes of a table, with some distances taken off again."""
    places = np.maximum(((listed.view(np.int64) - 1) >> SHIFT) - first + 1, 0)
    count = counts.astype(np.int64) - np.bincount(places, minlength=len(counts))
    some = np.flatnonzero(count[1:] > 0) + 1
    low, high = ((some + (first + k) << SHIFT).view(np.float64) for k in (-1, 0))
    left = sums[some] - np.bincount(places, listed, len(counts))[some]
    return DistanceClasses(np.clip(left / count[some], low, high), count[some], int(count[0]), 2.0**-BITS)


@parallel_jit
def fill_table(columns: np.ndarray, first: int, table: np.ndarray) -> None:
    """Add to table[lane, place] the number of pairs of a class, and their squared distances.

    columns float64[d, n].  Numbers are kept as float64, beside their sums: they are exact up to 2^53.
    """
    n = columns.shape[1]
    for lane in prange(LANES):
        s, places = np.empty(RUN), np.empty(RUN, np.int64)
        for i in range(lane, n, LANES):
            for start in range(i + 1, n, RUN):
                size = min(RUN, n - start)
                fill_squares(columns, i, start, size, s)
                for t in range(size):
                    places[t] = max(class_of(s[t]) - first + 1, 0)
                for t in range(size):
                    place = np.uintp(places[t])
                    table[lane, place, 0] += 1.0
                    table[lane, place, 1] += s[t]


@jit
def fill_squares(columns: np.ndarray, i: int, start: int, size: int, s: np.ndarray) -> None:
    """Fill the squared distances of point i to a run of points, in the bits of `squared_distance`."""
    for axis in range(columns.shape[0]):
        own = columns[axis, i]
        if axis == 0:
            for t in range(size):
                s[t] = (own - columns[0, start + t]) ** 2
        else:
            for t in range(size):
                s[t] += (own - columns[axis, start + t]) ** 2


@jit
def class_of(s: float) -> int:
    """Number of the class of a squared distance; -1 at 0.  A class holds its greatest number, not its least."""
    return (bits_of(s) - 1) >> SHIFT
