r"""Products with the matrix of a sum over pairs, again and again at one layout: what iterations on a Hessian ask for.

With Delta = y_i - y_j, potentials slope and tensor of the distance and B_ij = sum_r u_ir v_jr,

    (P x)_i = sum_{j != i} B_ij [slope x_j + tensor Delta (Delta . x_j)].

`pair_sums` gives the same (moments 0 and 2, with the columns v_jr x_j), but looks at the layout anew each time, sums
d^2 components for each column and checks itself.  Here cells, nonuniform FFTs and spectra are prepared once, by the
plan of a sum; components are contracted between the two transforms, so that two dimensions need one complex transform
each way; and the error is measured once, on a random x.  Fourier coefficients of the smooth part of a tensor
Delta_a Delta_b are even along every axis for a = b, odd along a and b else: their corner of frequencies >= 0 will do.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from umapinfo.core.curve import Curve
from umapinfo.pairs.cells import cells_of
from umapinfo.pairs.choice import DIRECT, NEAR, choose, radius_in_steps
from umapinfo.pairs.far import Plan, pairs_of_columns
from umapinfo.pairs.fourier import CHECKED, FINER, OUTSIDE, SAFETY, TOLERANCE, TRIES
from umapinfo.pairs.near import Lacking
from umapinfo.pairs.potentials import code_of
from umapinfo.pairs.product_kernels import add_near_products, fill_products, multiply
from umapinfo.pairs.rows import outer_rows

Floats = NDArray[np.float64]


class PairProducts:
    """Products P x at one layout (formula: the module's docstring).

    Parameters
    ----------
    Y : float64[n, d], layout units
    tensor : str
        Name of a potential.
    slope : str or None
        Of another one; None: 0.
    u, v : float64[n, r]
        B_ij = sum_r u_ir v_jr, symmetric.
    curve : Curve
    rtol : float or None
        Allowed error of vertex i relative to sum_jr |u_ir v_jr x_j| (|slope| + |tensor| d^2).  None: direct.
    plan : Plan or None
        Of moment 2, of an earlier layout; where it does not serve, or if None, one is sought.

    Attributes
    ----------
    plan : Plan or None
        None: products are summed directly, in some 40 ns for each ordered pair of points.
    error : float
        Twice the largest relative error seen among checked vertices, 0.0 for direct products.
    """

    def __init__(
        self,
        Y: Floats,
        tensor: str,
        slope: str | None,
        u: Floats,
        v: Floats,
        curve: Curve,
        rtol: float | None,
        plan: Plan | None = None,
    ) -> None:
        names = (tensor,) if slope is None else (tensor, slope)
        self._Y, self._u, self._v, self._curve = Y, u, v, curve
        self._codes = np.array([code_of(name) for name in names])
        self.plan: Plan | None = None
        self.error = 0.0
        if rtol is not None and not (plan is not None and self._serves(plan) and self._try(plan, rtol)):
            self._seek(rtol)

    def _serves(self, plan: Plan) -> bool:
        return plan.why_not(self._Y, self._curve, 2, OUTSIDE) == ""

    def _seek(self, rtol: float) -> None:
        """Take the cheapest split that is seen to keep to rtol, if one costs less than direct products."""
        n, d = self._Y.shape
        steps, tolerance = radius_in_steps(rtol, d), rtol / TOLERANCE
        n_transforms = 2 * n_rows(self._v.shape[1], d) - 1  # beside the first: as many each way
        for _ in range(TRIES):
            split = choose(self._Y, n_transforms, 2, steps, NEAR * len(self._codes), DIRECT * n * n)
            if split is None or self._try(Plan(self._curve, 2, split, max(tolerance, 1e-13)), rtol):
                return
            steps, tolerance = FINER * steps, tolerance / 10

    def _try(self, plan: Plan, rtol: float) -> bool:
        """Take a plan, if it is seen to keep to rtol."""
        x, rows = np.random.default_rng(2).normal(size=self._Y.shape), outer_rows(self._Y, CHECKED)
        exact, sizes = self._direct(x, rows, np.arange(len(self._Y)))
        self.plan, self._split = plan, Split(self._Y, self._codes, self._v, self._curve, plan)
        gap = np.abs(self(x)[rows] - exact).max(axis=1)
        self.error = SAFETY * float(np.divide(gap, sizes, out=np.where(gap > 0, np.inf, 0.0), where=sizes > 0).max())
        if self.error > rtol:
            self.plan, self.error = None, 0.0
        return self.plan is not None

    def __call__(self, x: Floats) -> Floats:
        """P x of displacements x float64[n, d], as float64[n, d]."""
        everyone = np.arange(len(x))
        if self.plan is None:
            return self._direct(x, everyone, everyone)[0]
        inside = self._split.inside
        total = np.zeros_like(x)
        sums = self._split(self._columns(x)[inside])
        total[inside] = np.einsum("ir,ira->ia", self._u[inside], sums)
        if not inside.all():
            bulk, outside = np.flatnonzero(inside), np.flatnonzero(~inside)
            total[bulk] += self._direct(x, bulk, outside)[0]
            total[outside] = self._direct(x, outside, everyone)[0]
        return total

    def _columns(self, x: Floats) -> Floats:
        """v_jr x_j, float64[n, r, d]."""
        return np.ascontiguousarray(self._v[:, :, np.newaxis] * x[:, np.newaxis])

    def _direct(self, x: Floats, rows: NDArray[np.int64], others: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Some rows of P x, summed over the others alone, and what rtol is relative to."""
        out = np.zeros((len(rows), self._u.shape[1], x.shape[1]))
        sizes = np.zeros(out.shape[:2])
        fill_products(self._Y, rows, others, self._codes, self._curve, self._columns(x), out, sizes)
        u = self._u[rows]
        return np.einsum("ir,ira->ia", u, out), np.einsum("ir,ir->i", np.abs(u), sizes)


class Split:
    """The sums over the pairs in a plan's box, float64[m, r, d] for each of its m vertices, prepared.

    inside bool[n]: the vertices in the box.
    """

    def __init__(self, Y: Floats, codes: NDArray[np.int64], v: Floats, curve: Curve, plan: Plan) -> None:
        import finufft

        self.inside = plan.inside(Y)
        self._codes, self._curve, self._modes = codes, curve, plan.split.modes
        self._cells = cells_of(Y[self.inside], plan.split.radius**2)
        self._Y = Y[self.inside][self._cells.order]
        self._table, self._spectra = _kernel(plan, codes, Y.shape[1])
        rows, points = n_rows(v.shape[1], Y.shape[1]), plan.angles(self._Y)
        self._to_modes = finufft.Plan(1, self._modes, rows, isign=-1, **plan.transform)
        self._to_points = finufft.Plan(2, self._modes, rows, isign=1, **plan.transform)
        for transform in (self._to_modes, self._to_points):
            transform.setpts(*points)

    def __call__(self, columns: Floats) -> Floats:
        """sum_j slope c_j + tensor Delta (Delta . c_j) for columns c float64[m, r, d]."""
        columns = columns[self._cells.order]
        near = np.zeros_like(columns)
        with ThreadPoolExecutor(1) as pool:
            far = pool.submit(self._far, columns)
            add_near_products(self._Y, self._cells, self._codes, columns, self._curve, self._table, near)
            total = far.result() + near
        sums = np.empty_like(total)
        sums[self._cells.order] = total
        return sums

    def _far(self, columns: Floats) -> Floats:
        flat = columns.reshape(len(columns), -1)
        found = self._to_modes.execute(pairs_of_columns(flat)).reshape(-1, int(np.prod(self._modes)))
        out = np.empty_like(found)
        multiply(found, self._spectra, np.array(self._modes), flat.shape[1], out)
        points: NDArray[Any] = self._to_points.execute(out.reshape(-1, *self._modes)).reshape(len(out), -1)
        sums = np.empty_like(flat)
        sums[:, 0::2] = points.real.T
        sums[:, 1::2] = points.imag.T[:, : flat.shape[1] // 2]
        return sums.reshape(columns.shape)


def n_rows(n_columns: int, d: int) -> int:
    """Complex transforms for columns of displacements: two real axes of them each."""
    return -(-n_columns * d // 2)


def _kernel(plan: Plan, codes: NDArray[np.int64], d: int) -> tuple[Lacking, Floats]:
    """What the smooth parts lack, of each potential, and the spectra of their sum, float64[d, d, corner]."""
    of_tensor = plan.kernel((int(codes[0]),), 2)
    table, spectra = of_tensor.table, of_tensor.spectra[0].reshape(d, d, -1)
    if len(codes) == 2:
        of_slope = plan.kernel((int(codes[1]),), 0)
        spectra = spectra + np.eye(d)[:, :, np.newaxis] * of_slope.spectra[0].reshape(-1)
        pieces = np.concatenate([table.pieces, of_slope.table.pieces])
        table = table._replace(pieces=pieces, smooth=np.concatenate([table.smooth, of_slope.table.smooth]))
    return table, spectra
