"""`pair_sums`, the service behind every sum over all pairs, and the checks of what it is given."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from umapinfo.core.curve import Curve, checked_curve
from umapinfo.pairs.choice import DIRECT, PRODUCT, WIDE
from umapinfo.pairs.direct import fill_sums
from umapinfo.pairs.far import Plan
from umapinfo.pairs.fourier import Sums, fourier_sums
from umapinfo.pairs.potentials import CLIPPED, POTENTIALS, code_of
from umapinfo.pairs.tiles import tile_sums, tiles_error
from umapinfo.pairs.wide import CODES
from umapinfo.threads import in_parts

EXACT_UP_TO = 4000  # points: exact sums take one core a tenth of a second by vectors, one or two by formulas
AT_A_TIME = 200_000  # pairs that a thread sums: some milliseconds
TILES_FASTER = 65.0  # than the float64 body's formulas
RTOL = 1e-6


class PairSums(NamedTuple):
    """What `pair_sums` returns.

    Attributes
    ----------
    values : float64[n, p, r] + (d,) * moment
    method : str
        The body that was used: "direct" (exact, float64), "direct-single" (float32 tiles) or "fourier".
    reason : str
        Why this one.
    error : float
        |error of vertex i| / sum_j |w_j f(d_ij)| d_ij^moment: a bound for "direct-single", an estimate (twice the
        largest error seen among checked vertices) for "fourier", 0.0 for "direct" (rounding is not counted).
    n_coincident : int64[n]
        Number of other points at distance 0 of each point.
    plan : Plan or None
        Of "fourier": give it for the next layout, to sum that in the same way.
    """

    values: NDArray[np.float64]
    method: str
    reason: str
    error: float
    n_coincident: NDArray[np.int64]
    plan: Plan | None


def pair_sums(
    Y: ArrayLike,
    potentials: str | Sequence[str],
    weights: ArrayLike,
    curve: Curve,
    *,
    moment: int = 0,
    rtol: float | None = None,
    plan: Plan | None = None,
) -> PairSums:
    r"""Sums over all other points of potentials of the distance, for every point.

    values[i, a, r, ...] = sum_{j != i} weights[j, r] f_a(d_ij) Delta_ij^(moment),

    with Delta_ij = y_i - y_j and Delta^(0) = 1, Delta^(1) = Delta, Delta^(2) = Delta Delta^T.

    Parameters
    ----------
    Y : float[n, d], layout units
        Any float or integer dtype and any dimension; differences are taken in float64.
    potentials : str or sequence of p str
        Names out of `umapinfo.pairs.potentials`, whose formulas stand there.
    weights : float[n, r] or float[n]
        Columns of weights of the other point; [n] counts as one column.
    curve : Curve
        Gives the logit theta = -ln(c + a d^(2b)).
    moment : {0, 1, 2}
        Power of the difference beside the potential: 0 for energies, 1 for forces, 2 for metrics.
    rtol : float in (0, 1), optional
        Allowed error of vertex i, relative to sum_j |weights_j f(d_ij)| d_ij^moment.  None: exact.  Otherwise the
        cheapest of three is taken that keeps to it: exact sums (up to 4,000 points always); `umapinfo.pairs.tiles`
        (repulsion and similarity, moment 0, coordinates that are float32 numbers, rtol from about 1e-6 on);
        `umapinfo.pairs.fourier` (two or three dimensions, any potential but the clipped one, time about n).
    plan : Plan, optional
        Of an earlier result, of whatever potentials and of this moment or a higher one: where it still serves, the
        layout is summed in the same way, as one smooth function; where not, `reason` says why.  With a plan and no
        rtol, 1e-6 is allowed.

    Returns
    -------
    PairSums
        A coincident pair (d = 0; distances under 1e-162 count, as their square underflows) contributes
        f(0) where that is finite.  Where it is infinite (repulsion, c = 0) the pair is left out, and
        `n_coincident` says how many were.

    Raises
    ------
    TypeError, ValueError
        Y not a finite numeric [n, d] array or too wide for float64, unknown potentials, weights that do
        not fit Y, a curve without a, b > 0, a moment, rtol or plan outside the above.
    """
    check_plan(plan)
    if not isinstance(moment, int | np.integer) or moment not in (0, 1, 2):
        raise ValueError(f"moment: expected 0, 1 or 2, got {moment!r}")
    rtol = checked_rtol(rtol)
    layout = checked_layout(Y)
    sums = Sums(layout, checked_codes(potentials), checked_weights(weights, len(layout)), checked_curve(curve), moment)
    values, *found = _summed(sums, RTOL if rtol is None and plan is not None else rtol, plan)
    return PairSums(values.reshape(values.shape[:3] + (layout.shape[1],) * moment), *found)


def check_plan(plan: Any) -> None:
    """TypeError unless it is a Plan or None."""
    if plan is not None and not isinstance(plan, Plan):
        raise TypeError(f"plan: expected a Plan, got {type(plan).__name__}; give the plan of an earlier result")


def checked_rtol(rtol: Any) -> float | None:
    """Rtol, if it is None or in (0, 1); else ValueError."""
    real = isinstance(rtol, int | float | np.integer | np.floating)
    if rtol is not None and not (real and 0 < rtol < 1):
        raise ValueError(f"rtol: expected None or a number in (0, 1), got {rtol!r}; None is the exact sum")
    return None if rtol is None else float(rtol)


def _summed(sums: Sums, rtol: float | None, plan: Plan | None) -> tuple[Any, ...]:
    """Values [n, p, r, d^moment] and the other fields of PairSums, by the cheapest body that keeps to rtol."""
    n = len(sums.layout)
    if rtol is None or (n <= EXACT_UP_TO and plan is None):
        return _direct(sums, "an exact sum was asked for" if rtol is None else f"{n} points are few")
    error = tiles_error(*sums[:4]) if sums.moment == 0 else np.inf
    tiles = DIRECT * n * n * len(sums.codes) / TILES_FASTER
    cheapest = tiles if error <= rtol else _direct_cost(sums)
    why_not = "the potential has a kink, or the layout has not 2 or 3 dimensions"
    if CLIPPED not in sums.codes and sums.layout.shape[1] in (2, 3):
        found, not_planned = fourier_sums(sums, rtol, plan, budget=cheapest)
        replaced = f"; the plan given was replaced: {not_planned}" if plan is not None and not_planned else ""
        if found is not None:
            reason = f"{found.plan.split.modes} modes and a near part cost less than all pairs{replaced}"
            return found.values, "fourier", reason, found.error, found.n_coincident, found.plan
        why_not = f"no split is both cheaper and seen to keep to rtol{replaced}"
    if error <= rtol:
        values, n_coincident = tile_sums(*sums[:4])
        return values[..., np.newaxis], "direct-single", why_not, error, n_coincident, None
    return _direct(sums, f"{why_not}, and the tiles do not apply")


def _direct_cost(sums: Sums) -> float:
    """What the direct body costs, as `choice` counts; by vectors, products with weights and moments add to it."""
    n, n_axes = sums.layout.shape
    n_wide = int(np.isin(sums.codes, CODES).sum()) if sums.curve.c == 0 else 0
    by_vectors = WIDE + PRODUCT * sums.weights.shape[1] * n_axes**sums.moment
    return float(n * n * (by_vectors * n_wide + DIRECT * (len(sums.codes) - n_wide) * n_axes**sums.moment))


def _direct(sums: Sums, reason: str) -> tuple[Any, ...]:
    n, n_axes = sums.layout.shape
    values = np.empty((n, len(sums.codes), sums.weights.shape[1], n_axes**sums.moment))
    n_coincident = np.empty(n, dtype=np.int64)
    axes, weights = np.ascontiguousarray(sums.layout.T), np.ascontiguousarray(sums.weights.T)
    given = axes, sums.codes, weights, sums.curve, int(sums.moment)
    in_parts(lambda first, stop: fill_sums(*given, first, stop, values, n_coincident), n, max(1, AT_A_TIME // n))
    return values, "direct", reason, 0.0, n_coincident, None


def checked_layout(Y: ArrayLike) -> NDArray[np.float64]:
    """The layout as contiguous float64[n, d]; errors name the first vertex that is not finite."""
    layout = numeric("layout Y", Y)
    if layout.ndim != 2 or 0 in layout.shape:
        raise ValueError(f"layout Y: expected shape (n, d), none 0, got {layout.shape}; give a row per vertex")
    finite = np.isfinite(layout)
    if not finite.all():
        vertex = int(np.argmin(finite.all(axis=1)))
        raise ValueError(
            f"layout Y: expected finite numbers, got {layout[vertex]} at vertex {vertex}; repair or remove it"
        )
    with np.errstate(over="ignore"):
        extent2 = sum((axis.max() - axis.min()) ** 2 for axis in layout.T)
    if not np.isfinite(extent2):
        raise ValueError(
            f"layout Y: expected squared distances < 1e308, got |Y| up to {abs(layout).max():.3g}; rescale Y"
        )
    return layout


def checked_codes(potentials: str | Sequence[str]) -> NDArray[np.int64]:
    """The kernels' codes of one or several names of potentials."""
    names = [potentials] if isinstance(potentials, str) else list(potentials)
    if not names:
        raise ValueError(f"potentials: expected one or more of {', '.join(POTENTIALS)}, got none")
    return np.array([code_of(name) for name in names], dtype=np.int64)


def checked_weights(weights: ArrayLike, n_vertices: int) -> NDArray[np.float64]:
    """The weights as contiguous float64[n, r], r >= 1."""
    columns = numeric("weights", weights)
    if columns.ndim == 1:
        columns = columns[:, np.newaxis]
    if columns.ndim != 2 or columns.shape[0] != n_vertices or columns.shape[1] == 0:
        raise ValueError(
            f"weights: expected shape ({n_vertices},) or ({n_vertices}, r), as the layout has, "
            f"got {np.shape(weights)}; give a row per vertex"
        )
    finite = np.isfinite(columns)
    if not finite.all():
        vertex = int(np.argmin(finite.all(axis=1)))
        raise ValueError(f"weights: expected finite numbers, got {columns[vertex]} at vertex {vertex}; repair them")
    return columns


def numeric(what: str, values: Any) -> NDArray[np.float64]:
    """A contiguous float64 array of real numbers, or TypeError."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{what}: expected real numbers, got dtype {array.dtype}; convert it to float")
    return np.ascontiguousarray(array, dtype=np.float64)
