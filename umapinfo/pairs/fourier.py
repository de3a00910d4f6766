"""The fourier body of `pair_sums`: smooth part, near part, the vertices outside the box, and an estimate of the error.

The error is measured, not assumed: the sums of some vertices, two thirds of them among those with the least sums, are
compared with exact ones.  Where twice the largest difference exceeds rtol, the split is refined; where that does not
help, there is no answer, and the caller sums directly.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from umapinfo.core.curve import Curve
from umapinfo.pairs.cells import cells_of
from umapinfo.pairs.choice import DIRECT, NEAR, NEAR_SINGLE, choose, looked_at, radius_in_steps
from umapinfo.pairs.far import Plan, far_sums
from umapinfo.pairs.near import add_near
from umapinfo.pairs.near_single import add_near_single
from umapinfo.pairs.rows import quick_row_sums, row_sums
from umapinfo.pairs.tiles import tiles_error

Floats = NDArray[np.float64]

CHECKED, CHECKED_AGAIN = 96, 48  # vertices whose sums are checked, with a new plan and with a kept one
CHECKED_IN_FLOAT64 = 4  # of them: float32 rounding is bounded beforehand, and under rtol (`tiles_error`)
SAFETY = 2.0
NOTHING = 1e-13  # of the largest sum: rounding of the transforms
TRIES = 6
FINER = 1.2  # radius of the next try, in steps
TOLERANCE = 100.0  # rtol over the tolerance of the transforms
OUTSIDE = 2048  # most vertices outside the box of a kept plan


class Fourier(NamedTuple):
    """Sums [n, p, r, d^moment], their estimated relative error, coincident points, and the plan."""

    values: Floats
    error: float
    n_coincident: NDArray[np.int64]
    plan: Plan


class Sums(NamedTuple):
    """What is to be summed, checked: layout [n, d], potentials' codes [p], weights [n, r], curve, moment."""

    layout: Floats
    codes: NDArray[np.int64]
    weights: Floats
    curve: Curve
    moment: int


def fourier_sums(sums: Sums, rtol: float, plan: Plan | None = None, *, budget: float) -> tuple[Fourier | None, str]:
    """Sums within rtol, or None where every split costs more than the budget or the error estimate stays above rtol.

    And why the plan that was given was not used, or "".  Columns are scaled to a largest weight of 1, so that none
    drowns in another; columns of zeros are left out.
    """
    scale = np.array([np.abs(column).max() for column in sums.weights.T])
    live = scale > 0
    if not live.any():
        return None, "all weights are 0"
    scaled = sums._replace(weights=sums.weights[:, live] / scale[live])
    quick = sums.moment == 0 and tiles_error(*scaled[:4]) < rtol
    found, why_not = _planned(scaled, rtol, plan, quick, budget) if plan is not None else (None, "")
    found = found or _split(scaled, rtol, quick, budget)
    if found is None:
        return None, why_not
    values = np.zeros((*found.values.shape[:2], len(scale), found.values.shape[3]))
    values[:, :, live] = found.values * scale[live, np.newaxis]
    return found._replace(values=values), why_not


def _planned(sums: Sums, rtol: float, plan: Plan, quick: bool, budget: float) -> tuple[Fourier | None, str]:
    """The sums by a plan that was given, or None and why not."""
    why_not = plan.why_not(sums.layout, sums.curve, sums.moment, OUTSIDE)
    if why_not:
        return None, why_not
    outside = 2 * DIRECT * len(sums.codes) * len(sums.layout) * float((~plan.inside(sums.layout)).sum())
    if outside + _near_cost(sums, quick) * looked_at(sums.layout, plan.split.radius) > budget:
        return None, "too many pairs are near in this layout"
    found = _checked(sums, plan, quick, CHECKED_AGAIN)
    return (found, "") if found.error <= rtol else (None, f"its error is seen to be {found.error:.1e}")


def _near_cost(sums: Sums, quick: bool) -> float:
    return len(sums.codes) * (NEAR_SINGLE if quick else NEAR)


def _split(sums: Sums, rtol: float, quick: bool, budget: float) -> Fourier | None:
    """The sums by the cheapest split that is seen to keep to rtol."""
    d, before = sums.layout.shape[1], 0.0
    serves = 2 if d == 2 else sums.moment  # in two dimensions, the room that moments need costs next to nothing
    n_transforms = len(sums.codes) * d**sums.moment * -(-sums.weights.shape[1] // 2)
    steps, tolerance = radius_in_steps(rtol, d), rtol / TOLERANCE
    for _ in range(TRIES):
        split = choose(sums.layout, n_transforms, serves, steps, _near_cost(sums, quick), budget)
        if split is None:
            return None
        found = _checked(sums, Plan(sums.curve, serves, split, max(tolerance, 1e-13)), quick, CHECKED)
        if found.error <= rtol:
            return found
        if found.error == before == np.inf:  # refining does not help
            return None
        steps, tolerance, before = FINER * steps, tolerance / 10, found.error
    return None


def _checked(sums: Sums, plan: Plan, quick: bool, n_checked: int) -> Fourier:
    """The sums of a plan, and twice the largest error seen among checked vertices.

    Quick sums are checked by float32 rows, and some of them by float64 rows: the former share the near part's rounding.
    """
    Y, codes, weights, curve, moment = sums
    values, n_coincident = planned_sums(sums, plan, quick=quick)
    rows = _rows_to_check(values, n_checked)
    in_float64 = rows[:: 1 + len(rows) // CHECKED_IN_FLOAT64] if quick else rows
    exact, sizes, _ = row_sums(Y, in_float64, np.arange(len(Y)), codes, weights, curve, moment)
    error = _largest_error(values, in_float64, exact, sizes)
    if quick:
        error = max(error, _largest_error(values, rows, *quick_row_sums(Y, rows, codes, weights, curve)))
    return Fourier(values, SAFETY * error, n_coincident, plan)


def _largest_error(values: Floats, rows: NDArray[np.int64], exact: Floats, sizes: Floats) -> float:
    """The largest error of some rows over their absolute sums; of rows that sum nothing, rounding is no error."""
    errors, largest = np.abs(values[rows] - exact), np.abs(values).max(axis=(0, 3), keepdims=True)
    errors = np.where((sizes == 0) & (errors <= NOTHING * largest), 0.0, errors)
    return float(np.divide(errors, sizes, out=np.where(errors > 0, np.inf, 0.0), where=sizes > 0).max())


def _rows_to_check(values: Floats, n_checked: int) -> NDArray[np.int64]:
    """Vertices to check: a third at random, a third of the twentieth with the least sums, a third with the very least.

    There an error weighs most: the smooth part is known to so much of the largest sums.  The least in any potential and
    column count, each relative to its largest.
    """
    n, third = len(values), n_checked // 3
    random, sizes = np.random.default_rng(1), np.abs(values).max(axis=3)
    relative = (sizes / np.maximum(sizes.max(axis=0), 1e-300)).min(axis=(1, 2))
    few = min(max(n // 20, third), n)
    least = np.argpartition(relative, few - 1)[:few]
    least = least[np.lexsort((least, relative[least]))]
    some = random.permutation(least[: max(n // 20, 1)])[:third]
    return np.unique(np.concatenate([random.choice(n, min(third, n), replace=False), some, least[:third]]))


def planned_sums(sums: Sums, plan: Plan, *, quick: bool = False) -> tuple[Floats, NDArray[np.int64]]:
    """The sums of a plan, [n, p, r, d^moment], and the coincident points of each vertex."""
    Y, codes, weights, curve, moment = sums
    inside = plan.inside(Y)
    if inside.all():
        return bulk_sums(sums, plan, quick)
    values = np.zeros((len(Y), len(codes), weights.shape[1], Y.shape[1] ** moment))
    n_coincident = np.zeros(len(Y), dtype=np.int64)
    in_box = sums._replace(layout=Y[inside], weights=weights[inside])
    values[inside], n_coincident[inside] = bulk_sums(in_box, plan, quick)
    bulk, outside, everyone = np.flatnonzero(inside), np.flatnonzero(~inside), np.arange(len(Y))
    for rows, others in ((bulk, outside), (outside, everyone)):
        more, _, counts = row_sums(Y, rows, others, codes, weights, curve, moment)
        values[rows] += more
        n_coincident[rows] += counts
    return values, n_coincident


def bulk_sums(sums: Sums, plan: Plan, quick: bool) -> tuple[Floats, NDArray[np.int64]]:
    """Sums over the pairs of vertices in the box, and the coincident points of each."""
    Y, codes, weights, curve, moment = sums
    found = cells_of(Y, plan.split.radius**2)
    Y, weights = Y[found.order], weights[found.order]
    table, spectra = plan.kernel(tuple(codes.tolist()), moment)
    near = np.zeros((len(Y), len(codes), weights.shape[1], Y.shape[1] ** moment))
    counts = np.zeros(len(Y), dtype=np.int64)
    with ThreadPoolExecutor(numba.get_num_threads()) as pool:  # the far part keeps one core busy for half of its time
        far = pool.submit(far_sums, Y, weights, plan, spectra, moment)
        if quick:
            add_near_single(Y, found, codes, weights, curve, table.s0, table.smooth, near, counts, pool)
        else:
            add_near(Y, found, codes, weights, curve, table, moment, near, counts)
        total = far.result() + near
    values, n_coincident = np.empty_like(total), np.empty_like(counts)
    values[found.order], n_coincident[found.order] = total, counts
    return values, n_coincident
