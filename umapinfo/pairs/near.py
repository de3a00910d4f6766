r"""The near pairs of a layout, found on a grid and summed exactly: the first of the two strata of `sampled_sum`.

Pairs carry the weight w_ij = 1/2 sum_r (u_ir v_jr + u_jr v_ir) and, to be drawn by, its size without signs

    z_ij = 1/2 sum_r (|u_ir v_jr| + |u_jr v_ir|)  >=  |w_ij|,    equal if no weight is negative.

Near are the pairs with d2 <= radius^2, coincident ones always.  Points that are equal bit for bit become one point with
the sums of their weights, so that a heap of n points costs n, not n^2.  The others are found on a grid of cells of side
`radius` along the (up to) three widest axes; distances take all axes.  Pairs are summed as they are found and
never listed: memory O(n).

The radius is the largest that n_near pairs allow: distances from PILOT / n points (16 to 256, evenly spaced in the
order of vertices) to all others give the number of near pairs at every radius, in steps of 4 %; where that
misjudges the layout, or in many dimensions, the radius is halved until the grid offers at most 16 n_near pairs.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import ArrayLike, NDArray

from umapinfo.core.curve import Curve, checked_curve, logit
from umapinfo.jit import jit, parallel_jit
from umapinfo.pairs.potentials import real_potential, squared_distance
from umapinfo.pairs.sums import checked_codes, checked_layout, checked_weights

BLOCK = 256  # points a thread sums at a time
PILOT = 10_000_000  # distances that the choice of the radius may cost
BINS_PER_OCTAVE = 8  # of squared distance
LOWEST = -1075  # log2 of the smallest squared distance
CANDIDATES = 16  # a uniform cloud's grid offers 3 (two dimensions) or 6 (three) for each near pair
CELLS = 2**20  # along an axis, so that a cell's number fits into 63 bits

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
    Y, codes, u, v, curve
        The layout, the potentials' codes, weights float64[n, r] and the curve.
    radius2 : float, squared layout units
        Near are the pairs with d2 <= radius2; +inf: all of them.
    total : float64[p]
        sum w_ij f_a(d_ij) over the near pairs, each once.
    far_size : float
        sum z_ij over the far pairs; the number of far pairs if all weights are 1.
    n_near, n_far, n_coincident : int
        Unordered pairs; coincident ones are near.
    """

    Y: Floats
    codes: NDArray[np.int64]
    u: Floats
    v: Floats
    curve: Curve
    radius2: float
    total: Floats
    far_size: float
    n_near: int
    n_far: int
    n_coincident: int


def near_stratum(
    Y: ArrayLike,
    potentials: Any,
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
    points, curve = distinct_points(layout, u, v), checked_curve(curve)
    radius2 = _checked_radius2(layout, n_near, radius)
    if radius is None and np.isfinite(radius2):
        radius2 = halved_radius2(points.Y, radius2, CANDIDATES * _budget(len(layout), n_near))
    order, keys, n_rows = grid(points.Y, radius2)
    sorted_points = Points(*(array[order] for array in points))
    blocks = np.zeros((-(-len(order) // BLOCK), len(codes) + 1))
    counts = np.zeros((len(blocks), 2), np.int64)
    fill_near_sums(sorted_points, keys, n_rows, radius2, codes, curve, blocks, counts)
    n_pairs = len(layout) * (len(layout) - 1) // 2
    n_inside = int((points.number * (points.number - 1) // 2).sum())
    w_inside, z_inside = inside_weights(points, u, v)
    at_zero = np.array([real_potential(code, 0.0, logit(0.0, curve), curve) for code in codes])
    sums, (near, coincident) = blocks.sum(axis=0), counts.sum(axis=0)
    n_far = n_pairs - n_inside - int(near)
    size = pair_size(u, v)
    far_size = size - z_inside - float(sums[-1]) if n_far else 0.0
    if far_size <= 1e-12 * size:  # rounding: the far pairs have no weight
        far_size = 0.0
    return NearStratum(
        layout, codes, u, v, curve, radius2, sums[:-1] + w_inside * at_zero, far_size,
        n_inside + int(near), n_far, n_inside + int(coincident),
    )  # fmt: skip


def _budget(n_vertices: int, n_near: int | None) -> int:
    """The number of near pairs to aim at."""
    return max(100_000, 10 * n_vertices) if n_near is None else n_near


def _checked_radius2(layout: Floats, n_near: int | None, radius: float | None) -> float:
    """The squared radius that was given or that n_near pairs suggest; +inf where all pairs are few enough."""
    if radius is not None:
        if n_near is not None or not radius >= 0:
            raise ValueError(f"radius: expected a number >= 0 and no n_near, got {radius}, {n_near}; give one of them")
        return float(radius) ** 2
    budget = _budget(len(layout), n_near)
    if budget < 0:
        raise ValueError(f"n_near: expected a number of pairs >= 0, got {n_near}; None chooses one")
    if len(layout) * (len(layout) - 1) // 2 <= budget:
        return float("inf")
    return pilot_radius2(layout, budget)


def pilot_radius2(layout: Floats, n_near: int) -> float:
    """The squared radius within which about n_near pairs lie, as some points' distances to all others tell."""
    n = len(layout)
    n_pilot = min(n, max(16, min(256, PILOT // n)))
    pilots = np.arange(n_pilot) * n // n_pilot
    histogram = np.zeros((1024 - LOWEST) * BINS_PER_OCTAVE + 1, np.int64)
    count_distances(layout, pilots, histogram)
    within = np.cumsum(histogram) * (n / (2 * n_pilot))
    last = int(np.searchsorted(within, n_near, side="right"))  # the first bin that is one too many
    return 2.0 ** (last / BINS_PER_OCTAVE + LOWEST) if last and within[last - 1] > 0 else 0.0


@jit
def count_distances(Y: np.ndarray, pilots: np.ndarray, histogram: np.ndarray) -> None:
    """Count the squared distances d2 > 0 from some points to all others in bins of log2 d2."""
    for i in pilots:
        for j in range(Y.shape[0]):
            d2 = squared_distance(Y, i, j)
            if d2 > 0.0:
                histogram[int(np.floor((np.log2(d2) - LOWEST) * BINS_PER_OCTAVE))] += 1


def halved_radius2(Y: Floats, radius2: float, n_candidates: int) -> float:
    """The squared radius, its root halved until the grid offers at most n_candidates pairs; 0 after 60 times."""
    for _ in range(60):
        order, keys, n_rows = grid(Y, radius2)
        if radius2 == 0 or count_candidates(keys, n_rows) <= n_candidates:
            return radius2
        radius2 /= 4
    return 0.0


def distinct_points(layout: Floats, u: Floats, v: Floats) -> Points:
    """The points of a layout, those that are equal put together."""
    order = np.lexsort(layout.T)
    ranked = layout[order]
    starts = np.flatnonzero(np.r_[True, (ranked[1:] != ranked[:-1]).any(axis=1)])
    columns = (np.add.reduceat(array[order], starts) for array in (u, v, abs(u), abs(v)))
    return Points(ranked[starts], *columns, np.diff(np.r_[starts, len(order)]).astype(np.int64))


def inside_weights(points: Points, u: Floats, v: Floats) -> tuple[float, float]:
    """Sums of w_ij and z_ij over the pairs that are equal bit for bit."""
    several = points.number > 1
    if not several.any():
        return 0.0, 0.0
    single = Points(*(array[~several] for array in points))
    sums = []
    for all_u, all_v, one_u, one_v, vertex_u, vertex_v in (
        (points.u, points.v, single.u, single.v, u, v),
        (points.size_u, points.size_v, single.size_u, single.size_v, abs(u), abs(v)),
    ):
        own = (vertex_u * vertex_v).sum() - (one_u * one_v).sum()
        sums.append(float((all_u[several] * all_v[several]).sum() - own) / 2)
    return sums[0], sums[1]


def pair_size(u: Floats, v: Floats) -> float:
    """sum_{i<j} z_ij, from the sums of the columns."""
    return float((abs(u).sum(axis=0) * abs(v).sum(axis=0)).sum() - abs(u * v).sum()) / 2


def grid(Y: Floats, radius2: float) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Points in the order of their cells, their cells' numbers, and the steps to the rows of cells beside one's own.

    Cells follow each other along the widest axis, so that three neighbours along it are one range of numbers.
    """
    extent = Y.max(axis=0) - Y.min(axis=0)
    axes = np.argsort(-extent, kind="stable")[:3]
    if np.isinf(radius2) or extent[axes[0]] == 0:
        return np.arange(len(Y)), np.ones(len(Y), np.int64), np.zeros(1, np.int64)
    side = max(np.sqrt(radius2) * (1 + 1e-9), extent[axes[0]] / CELLS)  # rounding takes no neighbour further away
    cells = np.floor((Y[:, axes] - Y[:, axes].min(axis=0)) / side).astype(np.int64) + 1
    stride = np.cumprod(np.r_[1, cells.max(axis=0) + 2])[:-1]
    keys = cells @ stride
    steps = np.zeros(1, np.int64)
    for s in stride[1:]:
        steps = (steps[:, None] + np.array([-s, 0, s])).ravel()
    order = np.argsort(keys, kind="stable")
    return order, keys[order], steps


@jit
def count_candidates(keys: np.ndarray, steps: np.ndarray) -> int:
    """Number of pairs of points in cells that touch, each pair once."""
    total = 0
    for i in range(keys.shape[0]):
        for step in steps:
            start = max(i + 1, np.searchsorted(keys, keys[i] + step - 1))
            total += max(0, np.searchsorted(keys, keys[i] + step + 1, side="right") - start)
    return total


@parallel_jit
def fill_near_sums(
    points: Points,
    keys: np.ndarray,
    steps: np.ndarray,
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
        for i in range(block * BLOCK, min((block + 1) * BLOCK, keys.shape[0])):
            for step in steps:
                start = max(i + 1, np.searchsorted(keys, keys[i] + step - 1))
                for j in range(start, np.searchsorted(keys, keys[i] + step + 1, side="right")):
                    d2 = squared_distance(points.Y, i, j)
                    if d2 <= radius2:
                        add_pair(points, i, j, d2, codes, curve, sums[block])
                        counts[block, 0] += points.number[i] * points.number[j]
                        counts[block, 1] += points.number[i] * points.number[j] * (d2 == 0.0)


@jit
def add_pair(
    points: Points, i: int, j: int, d2: float, codes: np.ndarray, curve: Curve, sums: np.ndarray
) -> None:
    """Add a pair's w f_a and z to the sums float64[p + 1]."""
    weight, theta = half_product(points.u, points.v, i, j), logit(d2, curve)
    for a in range(codes.shape[0]):
        sums[a] += weight * real_potential(codes[a], d2, theta, curve)
    sums[-1] += half_product(points.size_u, points.size_v, i, j)


@jit
def half_product(u: np.ndarray, v: np.ndarray, i: int, j: int) -> float:
    """1/2 sum_r (u_ir v_jr + u_jr v_ir)."""
    total = 0.0
    for r in range(u.shape[1]):
        total += u[i, r] * v[j, r] + u[j, r] * v[i, r]
    return 0.5 * total
