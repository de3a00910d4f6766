"""The fourier body of `pair_sums`: smooth part, near part, the vertices outside the box, and an estimate of the error.

The error is measured, not assumed: the sums of some vertices, two thirds of them among those with the least sums, are
compared with exact ones.  Where twice the largest difference exceeds rtol, the split is refined; where that does not
help, there is no answer, and the caller sums directly.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from umapinfo.core.curve import Curve
from umapinfo.pairs.cells import cells_of
from umapinfo.pairs.choice import DIRECT, NEAR, NEAR_SINGLE, choose, looked_at, radius_in_steps
from umapinfo.pairs.far import Plan, far_sums, make_plan
from umapinfo.pairs.near import add_near
from umapinfo.pairs.near_single import add_near_single
from umapinfo.pairs.rows import quick_row_sums, row_sums
from umapinfo.pairs.tiles import tiles_error

Floats = NDArray[np.float64]

CHECKED, CHECKED_AGAIN = 96, 48  # vertices whose sums are checked, with a new plan and with a kept one
CHECKED_IN_FLOAT64 = 16  # of the vertices whose float32 sums are checked
SAFETY = 2.0
NOTHING = 1e-13  # of the largest sum: rounding of the transforms
TRIES = 6
OUTSIDE = 2048  # most vertices outside the box of a kept plan


class Fourier(NamedTuple):
    """Sums [n, p, r, d^moment], their estimated relative error, coincident points, and the plan."""

    values: Floats
    error: float
    n_coincident: NDArray[np.int64]
    plan: Plan


def fourier_sums(
    Y: Floats,
    codes: NDArray[np.int64],
    weights: Floats,
    curve: Curve,
    moment: int,
    rtol: float,
    plan: Plan | None = None,
    *,
    budget: float,
) -> Fourier | None:
    """Sums within rtol, or None where every split costs more than the budget or the error estimate stays above rtol.

    Columns are scaled to a largest weight of 1, so that none drowns in another; columns of zeros are left out.
    """
    scale = np.abs(weights).max(axis=0)
    live = scale > 0
    if not live.any():
        return None
    found = _scaled_sums(Y, codes, weights[:, live] / scale[live], curve, moment, rtol, plan, budget)
    if found is None:
        return None
    values = np.zeros((len(Y), len(codes), weights.shape[1], Y.shape[1] ** moment))
    values[:, :, live] = found.values * scale[live, np.newaxis]
    return found._replace(values=values)


def _scaled_sums(
    Y: Floats,
    codes: NDArray[np.int64],
    weights: Floats,
    curve: Curve,
    moment: int,
    rtol: float,
    plan: Plan | None,
    budget: float,
) -> Fourier | None:
    key, quick = tuple(codes.tolist()), moment == 0 and tiles_error(Y, codes, weights, curve) < rtol
    near = len(codes) * (NEAR_SINGLE if quick else NEAR)
    if plan is not None and plan.serves(Y, key, curve, moment, OUTSIDE):
        outside = 2 * DIRECT * len(codes) * len(Y) * float((~plan.inside(Y)).sum())
        if outside + near * looked_at(Y, plan.kernel.radius) <= budget:
            found = _checked(Y, weights, plan, quick, CHECKED_AGAIN)
            if found.error <= rtol:
                return found
    n_transforms = len(codes) * Y.shape[1] ** moment * -(-weights.shape[1] // 2)
    steps, tolerance, before = radius_in_steps(rtol, Y.shape[1]), rtol / 500, 0.0
    for _ in range(TRIES):
        split = choose(Y, n_transforms, moment, steps, near, budget)
        if split is None:
            return None
        found = _checked(Y, weights, make_plan(key, curve, moment, split, max(tolerance, 1e-13)), quick, CHECKED)
        if found.error <= rtol:
            return found
        if found.error == before == np.inf:  # refining does not help
            return None
        steps, tolerance, before = 1.4 * steps, tolerance / 30, found.error
    return None


def _checked(Y: Floats, weights: Floats, plan: Plan, quick: bool, n_checked: int) -> Fourier:
    """The sums of a plan, and twice the largest error seen among checked vertices.

    Quick sums are checked by float32 rows, and some of them by float64 rows: the former share the near part's rounding.
    """
    values, n_coincident = planned_sums(Y, weights, plan, quick=quick)
    rows, codes = _rows_to_check(values, n_checked), np.array(plan.codes)
    in_float64 = rows[:: 1 + len(rows) // CHECKED_IN_FLOAT64] if quick else rows
    exact, sizes, _ = row_sums(Y, in_float64, np.arange(len(Y)), codes, weights, plan.curve, plan.moment)
    error = _largest_error(values, in_float64, exact, sizes)
    if quick:
        error = max(error, _largest_error(values, rows, *quick_row_sums(Y, rows, codes, weights, plan.curve)))
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
    least = np.argsort((sizes / np.maximum(sizes.max(axis=0), 1e-300)).min(axis=(1, 2)), kind="stable")
    some = random.permutation(least[: max(n // 20, 1)])[:third]
    return np.unique(np.concatenate([random.choice(n, min(third, n), replace=False), some, least[:third]]))


def planned_sums(Y: Floats, weights: Floats, plan: Plan, *, quick: bool = False) -> tuple[Floats, NDArray[np.int64]]:
    """The sums of a plan, [n, p, r, d^moment], and the coincident points of each vertex."""
    inside = plan.inside(Y)
    if inside.all():
        return bulk_sums(Y, weights, plan, quick)
    values = np.zeros((len(Y), len(plan.codes), weights.shape[1], Y.shape[1] ** plan.moment))
    n_coincident = np.zeros(len(Y), dtype=np.int64)
    values[inside], n_coincident[inside] = bulk_sums(Y[inside], weights[inside], plan, quick)
    bulk, outside, everyone = np.flatnonzero(inside), np.flatnonzero(~inside), np.arange(len(Y))
    for rows, others in ((bulk, outside), (outside, everyone)):
        sums, _, counts = row_sums(Y, rows, others, np.array(plan.codes), weights, plan.curve, plan.moment)
        values[rows] += sums
        n_coincident[rows] += counts
    return values, n_coincident


def bulk_sums(Y: Floats, weights: Floats, plan: Plan, quick: bool) -> tuple[Floats, NDArray[np.int64]]:
    """Sums over the pairs of vertices in the box, and the coincident points of each."""
    found = cells_of(Y, plan.kernel.radius**2)
    ordered = Y[found.order], weights[found.order]
    codes, table = np.array(plan.codes), plan.kernel.table
    shape = (len(Y), len(codes), weights.shape[1], Y.shape[1] ** plan.moment)
    near, counts = np.zeros(shape), np.zeros(len(Y), dtype=np.int64)
    with ThreadPoolExecutor(1) as pool:  # the far part keeps one core busy for half of its time
        far = pool.submit(far_sums, *ordered, plan)
        if quick:
            add_near_single(ordered[0], found, codes, ordered[1], plan.curve, table.s0, table.smooth, near, counts)
        else:
            add_near(ordered[0], found, codes, ordered[1], plan.curve, table, plan.moment, near, counts)
        sums = far.result() + near
    values, n_coincident = np.empty_like(sums), np.empty_like(counts)
    values[found.order], n_coincident[found.order] = sums, counts
    return values, n_coincident
