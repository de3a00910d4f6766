r"""Listed pairs of vertices that stand for all of them: all edges and all other pairs, or a sample of either.

A sum over all pairs of something that no single distance determines, a movement say, is estimated from a list that is
fixed beforehand and shared by all layouts:

    sum over pairs of x  =  sum over the edges + sum over the other pairs,  each of N_h pairs, of which m_h are listed:
                         ~  sum_h N_h mean_h(x),        variance  sum_h N_h^2 s_h^2 / m_h,    0 where all are listed.

Pairs are drawn with replacement, uniformly and from counters (`umapinfo.core.streams`): by the graph and the seed
alone.  The estimate is unbiased for every layout, and as it is itself a sum over pairs, what holds for sums of squares
(triangle inequality, Cauchy and Schwarz) holds exactly for the estimates of one list.  Intervals are Hall's, as in
`umapinfo.pairs.sampled`.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from umapinfo.core.graph import Graph
from umapinfo.core.streams import epoch_key
from umapinfo.jit import jit
from umapinfo.measures.bernoulli import Floats
from umapinfo.pairs.draws import unit_draw
from umapinfo.pairs.sampled import CONFIDENCE, N_EFFECTIVE, hall

Ends = tuple[NDArray[np.int32], NDArray[np.int32]]

N_PAIRS, LEAST = 100_000, 100


class Stratum(NamedTuple):
    """Places start to stop of a list, which stand for `size` pairs; all of them, or drawn."""

    start: int
    stop: int
    size: int
    drawn: bool


@dataclass(frozen=True, eq=False)
class PairSet:
    """Listed pairs; make one with `pair_set`.

    Attributes
    ----------
    heads, tails : int32[m]
        Head < tail.
    strata : tuple of two Stratum
        The edges and the other pairs.
    n_vertices : int
    """

    heads: NDArray[np.int32]
    tails: NDArray[np.int32]
    strata: tuple[Stratum, Stratum]
    n_vertices: int


class Total(NamedTuple):
    """A sum over all pairs, estimated: value, standard error and skewness of the estimate, effective number of pairs.

    The error is 0, and the number +inf, where all pairs are listed.
    """

    value: float
    error: float
    skewness: float
    n_effective: float


def pair_set(graph: Graph, n_pairs: int | None = N_PAIRS, seed: int = 0) -> PairSet:
    """Pairs of vertices to measure movements of layouts on: half of them edges, half other pairs.

    Parameters
    ----------
    graph : Graph
    n_pairs : int >= 100, or None
        Most pairs to list; None, or at least n(n-1)/2: all of them, without any error.  Time and memory of what is
        measured are proportional to it, errors fall as its root.
    seed : int in [0, 2^64)

    Returns
    -------
    PairSet

    Raises
    ------
    ValueError
        n_pairs or seed outside the above.
    """
    if n_pairs is not None and not (isinstance(n_pairs, int | np.integer) and LEAST <= n_pairs < 2**31):
        raise ValueError(f"n_pairs: expected an integer >= {LEAST} or None, got {n_pairs!r}; {N_PAIRS:,} is usual")
    if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**64:
        raise ValueError(f"seed: expected an integer in [0, 2^64), got {seed!r}; any will do")
    n, edge = graph.n_vertices, graph.heads < graph.indices
    edges = graph.heads[edge], graph.indices[edge]
    n_edges, key = len(edges[0]), np.uint64(epoch_key(np.uint64(seed), 0))
    n_others = n * (n - 1) // 2 - n_edges
    most = n_edges + n_others if n_pairs is None else int(n_pairs)
    of_edges = min(n_edges, max(most // 2, most - n_others))
    of_others = min(n_others, most - of_edges)
    if of_edges < n_edges:
        places = np.empty(of_edges, np.int64)
        fill_places(n_edges, key, places)
        first: Ends = (edges[0][places], edges[1][places])
    else:
        first = edges
    second = _drawn_others(n, edges, key, of_others) if of_others < n_others else _all_others(n, edges)
    strata = (
        Stratum(0, of_edges, n_edges, of_edges < n_edges),
        Stratum(of_edges, of_edges + of_others, n_others, of_others < n_others),
    )
    return PairSet(np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]]), strata, n)


def _all_others(n: int, edges: Ends) -> Ends:
    """All pairs that are no edges."""
    free = np.triu(np.ones((n, n), np.bool_), 1)
    free[edges] = False
    heads, tails = np.nonzero(free)
    return heads.astype(np.int32), tails.astype(np.int32)


def _drawn_others(n: int, edges: Ends, key: np.uint64, wanted: int) -> Ends:
    """The first so many of the draws that are no edges."""
    keys = np.append(np.sort(edges[0].astype(np.int64) * n + edges[1]), np.iinfo(np.int64).max)
    kept: list[NDArray[np.int32]] = []
    done, number = 0, 0
    while done < wanted:
        ends = np.empty((2, 2 * (wanted - done) + LEAST), np.int32)
        fill_ends(n, key, number, ends)
        drawn = ends[0].astype(np.int64) * n + ends[1]
        kept.append(ends[:, keys[np.searchsorted(keys, drawn)] != drawn])
        done, number = done + kept[-1].shape[1], number + ends.shape[1]
    heads, tails = np.concatenate(kept, axis=1)[:, :wanted]
    return heads, tails


@jit
def fill_places(n: int, key: np.uint64, places: np.ndarray) -> None:
    """Fill with numbers in [0, n), uniformly drawn."""
    for number in range(places.shape[0]):
        places[number] = int(unit_draw(key, number, 2) * n)


@jit
def fill_ends(n: int, key: np.uint64, first: int, ends: np.ndarray) -> None:
    """Fill ends int32[2, m] with pairs of different vertices, the smaller first, uniformly drawn: numbers first on."""
    for t in range(ends.shape[1]):
        i = int(unit_draw(key, first + t, 0) * n)
        j = int(unit_draw(key, first + t, 1) * (n - 1))
        j += j >= i
        ends[0, t], ends[1, t] = min(i, j), max(i, j)


def total(pairs: PairSet, x: Floats) -> Total:
    """The sum of x over all pairs, from its values float64[m] at the listed ones."""
    value, variance, third, n_effective = 0.0, 0.0, 0.0, np.inf
    for start, stop, size, drawn in pairs.strata:
        part = x[start:stop]
        if not drawn:
            value += part.sum()
            continue
        m, mean = len(part), part.mean()
        squares = (part - mean) ** 2
        value += size * mean
        variance += size**2 * squares.mean() / (m - 1)
        third += size**3 * (squares * (part - mean)).mean() / m**2
        second = (part * part).sum()
        n_effective = min(n_effective, abs(part).sum() ** 2 / second if second > 0 else m)
    return Total(
        float(value), float(np.sqrt(variance)), float(third / variance**1.5 if variance > 0 else 0), n_effective
    )


def interval(found: Total) -> tuple[float, float]:
    """The 95 % interval of a sum of squares; (0, +inf) where fewer than 100 effective pairs stand behind it."""
    if found.n_effective < N_EFFECTIVE:
        return 0.0, np.inf
    t, k = ndtri((1 + CONFIDENCE) / 2), np.array(found.skewness)
    low, high = (found.value - found.error * float(hall(end, k)) for end in (t, -t))
    return max(low, 0.0), high
