r"""The near pairs of a layout, found on a grid and summed exactly: the first of the two strata of `sampled_sum`.

Pairs carry the weight w_ij = 1/2 sum_r (u_ir v_jr + u_jr v_ir) and, to be drawn by, its size without signs

    z_ij = 1/2 sum_r (|u_ir v_jr| + |u_jr v_ir|)  >=  |w_ij|,    equal if no weight is negative.

Near are the pairs with d2 <= radius^2, coincident ones always.  Points that are equal bit for bit become one point with
the sums of their weights, so that a heap of n points costs n, not n^2.  The others are found on a grid of cells of side
`radius` along the (up to) three widest axes (`umapinfo.pairs.cells`); distances take all axes.  Pairs are summed as
they are found and never listed: memory O(n).

The radius is the largest that n_near pairs allow, as the distances from some points to all others tell
(`umapinfo.pairs.cells.pilot_radius2`); where they misjudge the layout, or in many dimensions, it is halved until the
grid offers at most 16 n_near pairs.  Where |f| falls with distance a wider radius leaves less variance, so that cost
alone sets it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import ArrayLike, NDArray

from umapinfo.core.curve import Curve, checked_curve, logit
from umapinfo.jit import jit, parallel_jit
from umapinfo.pairs.cells import Cells, cells_of, count_candidates, fill_ranges, pilot_radius2
from umapinfo.pairs.draws import Draws, draws_by, half_product
from umapinfo.pairs.edges import fill_potentials
from umapinfo.pairs.potentials import real_potential, squared_distance
from umapinfo.pairs.sums import checked_codes, checked_layout, checked_weights

BLOCK = 256  # points a thread sums at a time
CANDIDATES = 16  # a uniform cloud's grid offers 3 (two dimensions) or 6 (three) for each near pair
ROUNDING = 1e-12  # of the weight of all pairs: what is left to the far ones is no more than rounding

Floats = NDArray[np.float64]


class Points(NamedTuple):
    """Distinct points float64[g, d] with the weights of all vertices there: u, v, |u|, |v| float64[g, r], number."""

    Y: Floats
    u: Floats
    v: Floats
    size_u: Floats
    size_v: Floats
    number: NDArray[np.int64]


class NearStratum(NamedTuple):
    """The near pairs of a layout, summed, and what is needed to draw from the far ones (`stratified_sum`).

    Attributes
    ----------
    Y, codes, draws, curve
        The layout, the potentials' codes, the weights and tables to draw by them, and the curve.
    radius2 : float, squared layout units
        Near are the pairs with d2 <= radius2; +inf: all of them.
    total : float64[p]
        sum w_ij f_a(d_ij) over the near pairs, each once.
    far_size : float
        sum z_ij over the far pairs; the number of far pairs if all weights are 1.
    far_bound : float64[p]
        The largest |f_a| of a far pair.
    n_near, n_far, n_coincident : int
        Unordered pairs; coincident ones are near.
    """

    Y: Floats
    codes: NDArray[np.int64]
    draws: Draws
    curve: Curve
    radius2: float
    total: Floats
    far_size: float
    far_bound: Floats
    n_near: int
    n_far: int
    n_coincident: int


def near_stratum(
    Y: ArrayLike,
    potentials: str | Sequence[str],
    u: ArrayLike,
    v: ArrayLike,
    curve: Curve,
    *,
    n_near: int | None = None,
    radius: float | None = None,
) -> NearStratum:
    """Sum the near pairs of a layout exactly, in float64.

    Parameters
    ----------
    Y, potentials, u, v, curve
        As for `sampled_sum`.
    n_near : int >= 0, optional
        About how many pairs may be near; at least n(n-1)/2: all are.  None: 100,000, or 10 n if more.  Too few: what is
        left for the sample is uneven, and its interval wide or not to be had; too many: slow.
    radius : float >= 0, layout units, optional
        Instead of n_near; +inf: all pairs.

    Returns
    -------
    NearStratum

    Raises
    ------
    TypeError, ValueError
        As `pair_sums`; u and v of different shapes; both n_near and radius, or either negative.
    """
    layout, codes = checked_layout(Y), checked_codes(potentials)
    u, v = checked_weights(u, len(layout)), checked_weights(v, len(layout))
    if u.shape != v.shape:
        raise ValueError(f"weights: expected u and v of one shape, got {u.shape} and {v.shape}; pair their columns")
    points, curve, size = distinct_points(layout, u, v), checked_curve(curve), _checked_size(u, v)
    radius2, cells = chosen_cells(layout, points.Y, n_near, radius)
    sums, z_apart, n_apart, n_underflows = near_sums(points, cells, radius2, codes, curve)
    w_equal, z_equal, n_equal = equal_pairs(points, u, v)
    at_zero = np.array([real_potential(code, 0.0, logit(0.0, curve), curve) for code in codes])
    n_far = len(layout) * (len(layout) - 1) // 2 - n_equal - n_apart
    far_size = size - z_equal - z_apart
    return NearStratum(
        Y=layout,
        codes=codes,
        draws=draws_by(u, v),
        curve=curve,
        radius2=radius2,
        total=sums + w_equal * at_zero,
        far_size=far_size if n_far and far_size > ROUNDING * size else 0.0,
        far_bound=far_bound(layout, radius2, codes, curve),
        n_near=n_equal + n_apart,
        n_far=n_far,
        n_coincident=n_equal + n_underflows,
    )


def chosen_cells(layout: Floats, distinct: Floats, n_near: int | None, radius: float | None) -> tuple[float, Cells]:
    """The squared radius, given or the one that n_near pairs suggest, and the cells of the distinct points for it."""
    if radius is not None:
        if n_near is not None or not radius >= 0:
            raise ValueError(f"radius: expected a number >= 0 and no n_near, got {radius}, {n_near}; give one of them")
        radius2 = float(radius) * float(radius)  # +inf where a power would raise
        return radius2, cells_of(distinct, radius2)
    n = len(layout)
    budget = max(100_000, 10 * n) if n_near is None else n_near
    if not budget >= 0:
        raise ValueError(f"n_near: expected a number of pairs >= 0, got {n_near}; None chooses one")
    radius2 = float("inf") if n * (n - 1) // 2 <= budget else pilot_radius2(layout, budget)
    cells = cells_of(distinct, radius2)
    for _ in range(40):  # a heap narrower than a cell can be is searched in full
        if radius2 in (0, np.inf) or count_candidates(cells) <= CANDIDATES * budget:
            break
        radius2 /= 4
        cells = cells_of(distinct, radius2)
    return radius2, cells


def distinct_points(layout: Floats, u: Floats, v: Floats) -> Points:
    """The points of a layout, those that are equal put together."""
    order = np.lexsort(layout.T)
    ranked = layout[order]
    starts = np.flatnonzero(np.r_[True, (ranked[1:] != ranked[:-1]).any(axis=1)])
    sum_u, sum_v, size_u, size_v = (np.add.reduceat(array[order], starts) for array in (u, v, abs(u), abs(v)))
    number = np.diff(np.r_[starts, len(order)]).astype(np.int64)
    return Points(ranked[starts], sum_u, sum_v, size_u, size_v, number)


def some_points(points: Points, chosen: NDArray[Any]) -> Points:
    """The points at places int64[...] or under a mask bool[g]."""
    return Points._make(array[chosen] for array in points)


def equal_pairs(points: Points, u: Floats, v: Floats) -> tuple[float, float, int]:
    """Sums of w_ij and z_ij over the pairs that are equal bit for bit, and their number."""
    several = points.number > 1
    if not several.any():
        return 0.0, 0.0, 0
    heaps, singles = (some_points(points, chosen) for chosen in (several, ~several))
    own = [(u * v).sum() - (singles.u * singles.v).sum()]  # of the vertices in heaps, a pair with itself
    own += [abs(u * v).sum() - (singles.size_u * singles.size_v).sum()]
    all_pairs = [(heaps.u * heaps.v).sum(), (heaps.size_u * heaps.size_v).sum()]
    w, z = ((both - one) / 2 for both, one in zip(all_pairs, own, strict=True))
    return float(w), float(z), int((points.number * (points.number - 1) // 2).sum())


def _checked_size(u: Floats, v: Floats) -> float:
    """sum_{i<j} z_ij, from the sums of the columns; ValueError where it overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        size = float((abs(u).sum(axis=0) * abs(v).sum(axis=0)).sum() - abs(u * v).sum()) / 2
    if not np.isfinite(size):
        raise ValueError(f"weights: expected products that add up, got |u| to {abs(u).max():.3g}; rescale u or v")
    return size


def near_sums(
    points: Points, cells: Cells, radius2: float, codes: NDArray[np.int64], curve: Curve
) -> tuple[Floats, float, int, int]:
    """Over the near pairs of distinct points: sums of w f_a and of z, numbers of pairs and of those at d2 = 0."""
    blocks = np.zeros((-(-len(cells.keys) // BLOCK), len(codes) + 1))
    counts = np.zeros((len(blocks), 2), np.int64)
    fill_near_sums(some_points(points, cells.order), cells, radius2, codes, curve, blocks, counts)
    sums, (n_near, n_zero) = blocks.sum(axis=0), counts.sum(axis=0)
    return sums[:-1], float(sums[-1]), int(n_near), int(n_zero)


@parallel_jit
def fill_near_sums(
    points: Points,
    cells: Cells,
    radius2: float,
    codes: np.ndarray,
    curve: Curve,
    sums: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Sum the near pairs of distinct points in the order of their cells; each block of points fills a row.

    sums float64[blocks, p + 1]: w f_a for each potential, then z.  counts int64[blocks, 2]: near pairs of vertices, and
    those at d2 = 0, which are distinct points so near that the square underflows.  Both come as zeros.
    """
    for block in prange(sums.shape[0]):
        key, ranges = -1, np.empty((cells.steps.shape[0], 2), np.int64)
        for i in range(block * BLOCK, min((block + 1) * BLOCK, cells.keys.shape[0])):
            if cells.keys[i] != key:
                key = cells.keys[i]
                fill_ranges(cells, key, ranges)
            for row in range(ranges.shape[0]):
                for j in range(max(i + 1, ranges[row, 0]), ranges[row, 1]):
                    d2 = squared_distance(points.Y, i, j)
                    if d2 <= radius2:
                        add_pair(points, i, j, d2, codes, curve, sums[block])
                        counts[block, 0] += points.number[i] * points.number[j]
                        counts[block, 1] += points.number[i] * points.number[j] * (d2 == 0.0)


@jit
def add_pair(points: Points, i: int, j: int, d2: float, codes: np.ndarray, curve: Curve, sums: np.ndarray) -> None:
    """Add a pair's w f_a and z to the sums float64[p + 1]."""
    weight, theta = half_product(points.u, points.v, i, j), logit(d2, curve)
    for a in range(codes.shape[0]):
        sums[a] += weight * real_potential(codes[a], d2, theta, curve)
    sums[-1] += half_product(points.size_u, points.size_v, i, j)


def far_bound(layout: Floats, radius2: float, codes: NDArray[np.int64], curve: Curve) -> Floats:
    """The largest |f_a(d)| from the radius to the layout's diagonal, seen on 1,024 distances: float64[p]."""
    extent2 = ((layout.max(axis=0) - layout.min(axis=0)) ** 2).sum()
    low = max(min(radius2, extent2), 1e-300)
    s = np.geomspace(low, max(extent2, low), 1024)
    f = np.empty((len(codes), len(s)))
    fill_potentials(s, codes, curve, 0, len(s), f)
    return abs(f).max(axis=1)
