r"""The energy of a layout and its gradient as one function, for minimisers: their line searches need both to agree.

With potentials f_k, factors c_k, columns of weights v and a symmetric coupling M, over unordered pairs,

    E = sum_{i<j} B_ij f(d_ij),     f = sum_k c_k f_k,     B_ij = sum_rs v_ir M_rs v_js,

and dE/dy_i = sum_j B_ij (f'(d)/d) Delta_ij.  Without a plan both are exact.  By a plan f is replaced by a smooth
periodic function and, within r_c, a table of polynomials (`umapinfo.pairs.far`, `umapinfo.pairs.near`), and the
gradient is that of what replaces f, to the tolerance of the transforms: differences of E agree with it far better than
with the exact gradient.  The slope of a wave is the wave times i m, and the energy of all waves is a sum over them,

    E_far = 1/2 sum_m g_m sum_rs M_rs conj(V_r) V_s - 1/2 g(0) sum_i B_ii,      V_r(m) = sum_j v_jr e^(-i m x_j),

so that one transform to waves and one back, two axes in each, do for a column of weights what takes `pair_sums` five.
A near pair is looked at once, its force put to both ends.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from umapinfo.core.curve import Curve
from umapinfo.pairs.cells import cells_of
from umapinfo.pairs.choice import DIRECT, choose, radius_in_steps
from umapinfo.pairs.direct_energy import DirectTask, add_direct
from umapinfo.pairs.far import Plan
from umapinfo.pairs.far_energy import far_energy
from umapinfo.pairs.fourier import CHECKED, FINER, SAFETY, TOLERANCE, TRIES
from umapinfo.pairs.near_energy import NearTask, combined, start_near
from umapinfo.pairs.rows import outer_rows, row_sums
from umapinfo.pairs.sums import checked_codes
from umapinfo.pairs.taylor import polynomial

Floats = NDArray[np.float64]

NEAR = 8e-9  # seconds of one core for a near pair looked at from both ends: as in `umapinfo.pairs.choice`
SLOPES = 1.8  # steps that r_c is wider by, for gradients as exact as values
MARGIN = 0.1  # by which a plan's box is further from the median than the layout is: iterations move it


class Energy(NamedTuple):
    """What E sums: names of potentials f_k and of their slopes f_k'(d)/d, c float64[p], v float64[n, r], M [r, r]."""

    potentials: Sequence[str]
    slopes: Sequence[str]
    factors: Floats
    v: Floats
    coupling: Floats

    @property
    def u(self) -> Floats:
        """Columns with B_ij = sum_r u_ir v_jr, float64[n, r]."""
        return self.v @ self.coupling

    def of(self, vertices: NDArray[np.bool_]) -> "Energy":
        """The energy of some vertices alone."""
        return self._replace(v=np.ascontiguousarray(self.v[vertices]))


class EnergyValue(NamedTuple):
    """E in nats, its gradient float64[n, d], and how many unordered pairs are at distance 0.

    A coincident pair has no force; where its potential is infinite, it is left out of E.
    """

    value: float
    gradient: Floats
    n_coincident: int


def energy_plan(Y: Floats, energy: Energy, curve: Curve, rtol: float | None) -> Plan | None:
    """A plan by which the gradient is within rtol at all vertices checked; None where exact sums cost less.

    Parameters
    ----------
    Y : float64[n, d], layout units
    energy : Energy
    curve : Curve
    rtol : float or None
        Of sum_j |B_ij f'(d_ij)| at each vertex; the energy is closer.  None: exact sums.

    Returns
    -------
    Plan or None
        Its box is MARGIN wider than the layout.
    """
    n, d = Y.shape
    if rtol is None or d not in (2, 3):
        return None
    middle = np.median(Y, axis=0)  # of outliers, which are left out of the box, it knows nothing
    wider, budget = middle + (1 + MARGIN) * (Y - middle), DIRECT * n * n * len(energy.potentials) * (1 + d)
    steps, tolerance = radius_in_steps(rtol, d) + SLOPES, rtol / TOLERANCE
    for _ in range(TRIES):
        split = choose(wider, energy.v.shape[1], 0, steps, NEAR, budget)
        if split is None:
            return None
        plan = Plan(curve, 0, split, max(tolerance, 1e-13))
        if gradient_error(Y, energy, curve, plan) <= rtol:
            return plan
        steps, tolerance = FINER * steps, tolerance / 10
    return None


def gradient_error(Y: Floats, energy: Energy, curve: Curve, plan: Plan) -> float:
    """Twice the largest error of the gradient seen at some vertices, over their sums of |B_ij f'(d_ij)|."""
    n, rows = len(Y), outer_rows(Y, CHECKED)
    found = pair_energy(Y, energy, curve, plan).gradient[rows]
    exact, sizes, _ = row_sums(Y, rows, np.arange(n), checked_codes(energy.slopes), energy.v, curve, 1)
    u = energy.u[rows]
    gap = np.abs(np.einsum("k,ir,ikrd->id", energy.factors, u, exact) - found)
    size = np.einsum("k,ir,ikrd->id", np.abs(energy.factors), np.abs(u), sizes)
    return SAFETY * float(np.divide(gap, size, out=np.where(gap > 0, np.inf, 0.0), where=size > 0).max())


def pair_energy(Y: Floats, energy: Energy, curve: Curve, plan: Plan | None = None) -> EnergyValue:
    """E and its gradient.

    Parameters
    ----------
    Y : float64[n, d], layout units
        Finite.
    energy : Energy
    curve : Curve
    plan : Plan or None
        Of `energy_plan`, for this layout or one near it: vertices outside its box are summed one by one.  None: exact
        sums, in n^2 times some 50 ns.

    Returns
    -------
    EnergyValue
        The bits do not depend on the number of threads.
    """
    if plan is None:
        return _exactly(Y, energy, curve, np.arange(len(Y)))
    inside = plan.inside(Y)
    if inside.all():
        return _in_box(Y, energy, curve, plan)
    found = _in_box(Y[inside], energy.of(inside), curve, plan)
    others = _exactly(Y, energy, curve, np.flatnonzero(~inside))
    others.gradient[inside] += found.gradient
    return EnergyValue(found.value + others.value, others.gradient, found.n_coincident + others.n_coincident)


def _exactly(Y: Floats, energy: Energy, curve: Curve, vertices: NDArray[np.int64]) -> EnergyValue:
    """E and its gradient of the pairs that some vertices are in."""
    codes, slope_codes, gradient = checked_codes(energy.potentials), checked_codes(energy.slopes), np.zeros_like(Y)
    task = DirectTask(Y, vertices, codes, slope_codes, energy.factors, energy.u, energy.v, curve)
    value, n_coincident = add_direct(task, gradient)
    return EnergyValue(value, gradient, n_coincident)


def _in_box(Y: Floats, energy: Energy, curve: Curve, plan: Plan) -> EnergyValue:
    """E and its gradient of vertices that all lie in the plan's box."""
    found = cells_of(Y, plan.split.radius**2)
    codes = checked_codes(energy.potentials)
    kernel = plan.kernel(tuple(codes.tolist()), 0)
    table, spectrum = (
        combined(kernel.table, energy.factors),
        np.einsum("k,k...->...", energy.factors, kernel.spectra[:, 0]),
    )
    points, v = Y[found.order], energy.v[found.order]
    u, coupling = v @ energy.coupling, energy.coupling
    task = NearTask(points, found, codes, checked_codes(energy.slopes), energy.factors, u, v, curve, table)
    with ThreadPoolExecutor(numba.get_num_threads()) as pool:  # the far part keeps one of them busy
        far = pool.submit(far_energy, points, v, coupling, plan, spectrum)
        near = start_near(task, pool)()
        waves = far.result()
    own = float((u * v).sum()) * polynomial(table.smooth[0], -1.0)
    gradient = np.empty_like(points)
    gradient[found.order] = near.gradient + waves.gradient
    return EnergyValue(near.value + waves.value - own / 2, gradient, near.n_coincident)
