r"""In how many directions one more dimension lowers a loss: negative eigenvalues of its signed Laplacian L.

L is the Hessian in a coordinate z that the layout has not got (`umapinfo.measures.laplacian`).  A z that is affine in
the layout's coordinates tilts it, which is a stretch within its plane and no further dimension.  So what is counted are
directions orthogonal to 1, y_1, y_2 ... in the inner product of D = diag(sum_j |w_ij|): negative eigenvalues of

    P D^-1/2 L D^-1/2 P,         P the projection off D^1/2 (1, y_1, y_2 ...),         all in [-2, 2].

By Sylvester's law of inertia and Cauchy's interlacing their number is that of the negative eigenvalues of L or up to d
fewer.  At a stationary layout, where the kernel of L holds 1 and the coordinates, it is the same: and no tolerance has
to tell the kernel, whose eigenvalues come out as large as what is left of the gradient, from small eigenvalues.

Above DENSE vertices the eigenvalues of some of them alone, a principal submatrix, give a lower bound (interlacing).
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigvalsh
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from umapinfo.core.distances import Report
from umapinfo.measures.bernoulli import Floats
from umapinfo.measures.laplacian import SignedLaplacian

DENSE = 3_000  # vertices: the eigenvalues of a dense matrix take some seconds
ROUNDING = 1e-10  # eigenvalues nearer to 0 than this, or than the sums' error, count as 0
MOST = 64  # that Lanczos' method looks for
PRODUCTS = 300  # with L, each time
PRECISE = 1e-6  # residual of an eigenvector: its eigenvalue is known to that, and most to the square of it
SHIFT = 3.0  # over the highest eigenvalue


class NegativeDirections(NamedTuple):
    """In how many directions of a further dimension the loss falls.

    Attributes
    ----------
    number : int
    complete : bool
        False: there are at least so many.
    lowest : float
        The lowest eigenvalue found, of the module's docstring's matrix or, where that settles it, of a part of it.
    """

    number: int
    complete: bool
    lowest: float


def negative_directions(laplacian: SignedLaplacian, *, report: Report | None = None) -> NegativeDirections:
    """Count the directions in which one more dimension lowers the loss, other than tilts of the layout.

    Parameters
    ----------
    laplacian : SignedLaplacian
        Of the loss in question.  At its minimum the number says whether another dimension would help; elsewhere it
        speaks of steps straight out of the layout's space.
    report : callable(stage, done, total), optional
        Called after each product with L.

    Returns
    -------
    NegativeDirections
        Up to 3,000 vertices by all eigenvalues.  Above, first those of the 3,000 vertices under the most negative
        pressure, relative to sum_j |w_ij|; where these show fewer than 64, Lanczos' method looks for the lowest
        eigenvalues of all, more each time until one is not negative: up to some 1,300 products with L.  Eigenvalues
        within 1e-10 of 0 (Lanczos': 1e-6), or within the error of the sums, count as 0.
    """
    n, d = laplacian.layout.shape
    scale = 1 / np.sqrt(np.where(laplacian.size > 0, laplacian.size, 1.0))
    limit = -max(ROUNDING, laplacian.pair_sum_error)
    tilts = _tilts(laplacian.layout, scale)
    if n <= DENSE:
        values = _eigenvalues(laplacian.dense(), scale, tilts)
        return NegativeDirections(int((values < limit).sum()), True, float(values[0]))
    some = np.argsort(laplacian.pressure * scale**2, kind="stable")[:DENSE]
    values = _eigenvalues(laplacian.dense(some), scale[some], np.zeros((DENSE, 0)))
    found = NegativeDirections(max(int((values < limit).sum()) - d, 0), False, float(values[0]))
    return found if found.number >= MOST else _by_lanczos(_compressed(laplacian, scale, tilts, report), limit, found)


def _tilts(layout: Floats, scale: Floats) -> Floats:
    """An orthonormal basis of D^1/2 times 1 and the coordinates, float64[n, <= d + 1]."""
    middle = (layout.max(axis=0) + layout.min(axis=0)) / 2
    affine = np.column_stack([np.ones(len(layout)), layout - middle]) / scale[:, np.newaxis]
    lengths = np.sqrt((affine**2).sum(axis=0))
    basis, sizes, _ = np.linalg.svd(affine / np.where(lengths > 0, lengths, 1.0), full_matrices=False)
    return np.asarray(basis[:, sizes > ROUNDING * sizes[0]])


def _eigenvalues(L: Floats, scale: Floats, tilts: Floats) -> Floats:
    """Of P D^-1/2 L D^-1/2 P, ascending."""
    left = L * scale[:, np.newaxis] * scale
    left -= tilts @ (tilts.T @ left)
    return np.asarray(eigvalsh(left - (left @ tilts) @ tilts.T))


def _compressed(laplacian: SignedLaplacian, scale: Floats, tilts: Floats, report: Report | None) -> LinearOperator:
    """P D^-1/2 L D^-1/2 P - SHIFT P: its lowest eigenvalues are none of the tilts', and none is near 0."""
    done = 0

    def product(z: Floats) -> Floats:
        nonlocal done
        done += 1
        z = z.ravel() - tilts @ (tilts.T @ z.ravel())
        image = scale * laplacian.matvec(scale * z)
        if report:
            report("eigenvalues", done % PRODUCTS, PRODUCTS)
        return np.asarray(image - tilts @ (tilts.T @ image) - SHIFT * z)

    return LinearOperator(laplacian.shape, product, dtype=np.float64)


def _by_lanczos(operator: LinearOperator, limit: float, found: NegativeDirections) -> NegativeDirections:
    """Look for more and more of the lowest eigenvalues, until one is not negative, and from `found` on."""
    start, k = np.random.default_rng(0).normal(size=operator.shape[0]), min(found.number + 8, MOST)
    limit = min(limit, -PRECISE)
    while True:
        values, converged = _lowest(operator, k, start)
        negative = int((values < limit).sum())
        complete = converged and negative < k
        lowest = float(values.min()) if len(values) else found.lowest
        found = NegativeDirections(max(found.number, negative), complete, lowest)
        if complete or not converged or k == MOST:
            return found
        k = min(2 * k, MOST)


def _lowest(operator: LinearOperator, k: int, start: Floats) -> tuple[Floats, bool]:
    """The k lowest eigenvalues, or those that PRODUCTS products bring to light, and whether that is all of them."""
    n_kept = 2 * k + 4
    settings = {"ncv": n_kept, "maxiter": max(PRODUCTS // (n_kept - k), 2), "tol": PRECISE / SHIFT}
    try:
        return SHIFT + eigsh(operator, k, which="SA", v0=start, return_eigenvectors=False, **settings), True
    except ArpackNoConvergence as stopped:
        return SHIFT + stopped.eigenvalues, False
