r"""Eigenvalues at either end of a symmetric operator on a layout, and the motions that a Fisher metric does not feel.

The Fisher metric G of a layout (`umapinfo.measures.fisher`) sees distances alone: v^T G v = 0 for rigid motions,

    translations    v_i = e_a                              m of them
    rotations       v_i = y_ia e_b - y_ib e_a, a < b       m (m - 1) / 2

and for no more if the points affinely span R^m, as all pairs have g > 0: only these motions keep all distances.
The soft modes are the eigenvectors of the next eigenvalues: what edges say least about.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.linalg import LinearOperator, eigsh, lobpcg

from umapinfo.measures.bernoulli import Floats
from umapinfo.measures.spectrum import EXACT_UP_TO, Report, dense
from umapinfo.pairs.sums import checked_layout

PRODUCTS = 30  # by default, for each vector that ARPACK keeps
FLAT = 1e-10  # of a layout's largest extent: less is none


class Eigenpairs(NamedTuple):
    """values float64[k], rising; vectors float64[N, k], orthonormal; residuals |M x - lambda x|, float64[k].

    Within its residual of each value there is an eigenvalue.
    """

    values: Floats
    vectors: Floats
    residuals: Floats


def rigid_motions(Y: ArrayLike) -> Floats:
    """An orthonormal basis of the translations and rotations of a layout, float64[n m, c].

    c = m (m + 1) / 2 where the points affinely span R^m, or R^(m - 1); less where they span less.

    Parameters
    ----------
    Y : float[n, m], layout units

    Raises
    ------
    TypeError, ValueError
        If the layout is not a finite numeric array.
    """
    layout = checked_layout(Y)
    n, m = layout.shape
    centred = layout - layout[0]  # 0 to the bit where points coincide
    centred -= centred.mean(axis=0)
    size = float(np.abs(centred).max()) or 1.0
    motions = [np.tile(axis, (n, 1)) for axis in np.eye(m)]
    for a in range(m):
        for b in range(a):
            motion = np.zeros((n, m))
            motion[:, a], motion[:, b] = centred[:, b] / size, -centred[:, a] / size
            motions.append(motion)
    vectors, sizes, _ = np.linalg.svd(np.column_stack([motion.ravel() for motion in motions]), full_matrices=False)
    return np.asarray(vectors[:, sizes > FLAT * np.sqrt(n)])


def largest_eigenvalues(
    operator: Any,
    k: int = 6,
    *,
    tolerance: float = 1e-6,
    max_products: int | None = None,
    seed: int = 0,
    report: Report | None = None,
) -> Eigenpairs:
    """The k largest eigenvalues with their vectors, by restarted Lanczos iterations (ARPACK).

    Parameters
    ----------
    operator : LinearOperator or float[N, N]
        Symmetric.
    k : int
        In [1, N].
    tolerance : float
        Of the eigenvalues, relative.
    max_products : int, optional
        The most, and what `report` takes for their total, though far fewer do most often.  At least twice as many as
        ARPACK keeps vectors, the larger of 20 and 2 k + 1; None: 30 times as many.
    seed : int
        Of the start.
    report : callable(stage, done, total), optional

    Returns
    -------
    Eigenpairs

    Raises
    ------
    ValueError
        If k is not in [1, N], or max_products too few.
    scipy.sparse.linalg.ArpackNoConvergence
        If they have not converged by then: allow more products, or a larger tolerance.
    """
    order = _checked_number(operator, k)
    if order <= EXACT_UP_TO:
        return _pairs(operator, *_of_matrix(dense(operator), slice(order - k, order)))
    start = np.random.default_rng(seed).normal(size=order)
    kept = min(max(2 * k + 1, 20), order)  # vectors of ARPACK: as many products, and up to kept - k in each iteration
    most = PRODUCTS * kept if max_products is None else max_products
    if most < 2 * kept:
        raise ValueError(f"max_products: expected at least {2 * kept} for {k} eigenvalues, got {max_products!r}")
    counted, n_restarts = _Counted(operator, report, most), (most - kept) // max(kept - k, 1)
    values, vectors = eigsh(counted.operator, k, which="LA", v0=start, tol=tolerance, ncv=kept, maxiter=n_restarts)
    counted.finish()
    return _pairs(operator, values, vectors)


def smallest_eigenvalues(
    operator: Any,
    k: int = 6,
    *,
    apart_from: Floats | None = None,
    blocks: Floats | None = None,
    tolerance: float = 1e-4,
    max_steps: int = 60,
    seed: int = 0,
    report: Report | None = None,
) -> Eigenpairs:
    """The k smallest eigenvalues with their vectors, by LOBPCG: of a Fisher metric a layout's soft modes.

    Soft modes lie close together: `residuals` says how near the values are after max_steps, and none is left out.
    A step takes k products.

    Parameters
    ----------
    operator : LinearOperator or float[N, N]
        Symmetric.
    k : int
        In [1, N - number of columns of apart_from].
    apart_from : float64[N, c], optional
        Orthonormal; the eigenvalues are those of the operator on what is orthogonal to them: `rigid_motions(Y)`.
    blocks : float64[n, m, m], optional
        Of the operator's diagonal (`LayoutOperator.own`); their inverses precondition the iteration.
    tolerance : float
        Residuals, relative to the trace of the largest block, or to 1, at which the iteration ends.
    max_steps : int
    seed : int
        Of the start.
    report : callable(stage, done, total), optional

    Returns
    -------
    Eigenpairs

    Raises
    ------
    ValueError
        If k is out of its range.
    """
    apart = np.empty((operator.shape[0], 0)) if apart_from is None else apart_from
    order = _checked_number(operator, k, apart.shape[1])
    if order <= EXACT_UP_TO:
        basis = np.linalg.qr(apart, mode="complete")[0][:, apart.shape[1] :]
        values, vectors = _of_matrix(basis.T @ dense(operator) @ basis, slice(0, k))
        return _pairs(operator, values, basis @ vectors, apart)
    start = np.random.default_rng(seed).normal(size=(order, k))
    counted = _Counted(operator, report, (max_steps + 2) * k)
    size = 1.0 if blocks is None else float(np.trace(blocks, axis1=1, axis2=2).max())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it has not converged: the residuals say so
        values, vectors = lobpcg(
            counted.operator,
            start,
            M=None if blocks is None else _inverse(blocks),
            Y=apart if apart.shape[1] else None,
            tol=tolerance * size,
            maxiter=max_steps,
            largest=False,
        )
    counted.finish()
    rising = np.argsort(values)
    return _pairs(operator, values[rising], vectors[:, rising], apart)


class _Counted:
    """An operator that reports its products."""

    def __init__(self, operator: Any, report: Report | None, total: int) -> None:
        self._operator, self._report, self._done, self._total = operator, report, 0, total
        self.operator = LinearOperator(operator.shape, matvec=self._product, matmat=self._products, dtype=np.float64)

    def _product(self, x: Floats) -> Floats:
        return self._products(x.reshape(-1, 1)).ravel()

    def _products(self, X: Floats) -> Floats:
        out = np.asarray(self._operator @ X)
        self._done += X.shape[1]
        if self._report is not None:
            self._report("eigenvalues", self._done, max(self._total, self._done + 1))
        return out

    def finish(self) -> None:
        """Report that there are no more products to come."""
        if self._report is not None:
            self._report("eigenvalues", self._done, self._done)


def _checked_number(operator: Any, k: int, n_apart: int = 0) -> int:
    """The operator's order; ValueError unless it has k eigenvalues."""
    order = int(operator.shape[0])
    if not 1 <= k <= order - n_apart:
        raise ValueError(f"k: expected 1 to {order - n_apart}, the number of eigenvalues there are, got {k!r}")
    return order


def _of_matrix(matrix: Floats, which: slice) -> tuple[Floats, Floats]:
    """Some eigenvalues of a matrix, in rising order, and their vectors."""
    values, vectors = np.linalg.eigh(matrix)
    return values[which], vectors[:, which]


def _pairs(operator: Any, values: Floats, vectors: Floats, apart: Floats | None = None) -> Eigenpairs:
    """Eigenpairs with their residuals, apart from some directions."""
    left = np.asarray(operator @ vectors) - vectors * values
    if apart is not None:
        left -= apart @ (apart.T @ left)
    return Eigenpairs(values, vectors, np.linalg.norm(left, axis=0))


def _inverse(blocks: Floats) -> LinearOperator:
    """The inverses of positive definite versions of blocks: with the sizes of their eigenvalues, none near 0."""
    values, vectors = np.linalg.eigh(blocks)
    sizes = np.abs(values)
    sizes = np.maximum(sizes, 1e-3 * np.median(sizes) or 1.0)
    inverses = np.einsum("iab,ib,icb->iac", vectors, 1 / sizes, vectors)
    n, m = blocks.shape[:2]

    def product(X: Floats) -> Floats:
        return np.einsum("iab,ibk->iak", inverses, X.reshape(n, m, -1)).reshape(X.shape)

    return LinearOperator((n * m, n * m), matvec=product, matmat=product, dtype=np.float64)
