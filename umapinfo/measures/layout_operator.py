r"""Symmetric matrices on displacements of a layout that are sums over pairs: blocks of vertices, and products.

A pair e = (i, j) has M_e = A (slope + tensor Delta Delta^T) of one pair of potentials + B (the same) of another, with
Delta = y_i - y_j and the weights A, B of a loss (`umapinfo.measures.loss_weights`).  M_e stands in the blocks ii and
jj, -M_e in ij and ji.  Off the edges A = 0 and B has low rank, so that sums over all pairs serve (`umapinfo.pairs`);
the edges add what they have beyond.  Coordinate a of vertex i is at place m i + a.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import LinearOperator

from umapinfo.core.curve import Curve, checked_curve
from umapinfo.measures.bernoulli import Floats
from umapinfo.measures.loss_sums import checked_rows
from umapinfo.measures.loss_weights import LossWeights
from umapinfo.pairs import Plan, edge_potentials, pair_sums
from umapinfo.pairs.products import PairProducts
from umapinfo.pairs.sums import check_plan, checked_layout, checked_rtol

DENSE_UP_TO = 2000  # coordinates: the matrix itself takes 32 MB
ROUNDING = 1e-13  # of the largest eigenvalue of a block


class Form(NamedTuple):
    """What a matrix is made of, M_e = A (slope + tensor Delta Delta^T) of `pull` + B (the same) of `push`.

    Each: the names of a slope, or None for 0, and of a tensor out of `umapinfo.pairs.potentials`.
    """

    pull: tuple[str | None, str]
    push: tuple[str | None, str]


@dataclass(frozen=True, eq=False, kw_only=True)
class VertexBlocks:
    """The blocks M_ii of a metric or a Hessian: what is known of a vertex's place if the others stand still.

    Attributes
    ----------
    blocks : float64[n, m, m], nats / layout unit^2
        Symmetric; of a Fisher metric, blocks^-1 is the Cramer-Rao bound of a vertex's covariance.
    n_coincident : int
        Unordered pairs at distance 0.
    error : float
        Estimated error of a block's entries, relative to the sum of its absolute terms; 0 where they are exact.
    plan : Plan or None
        How the sums were split, if they were.
    """

    blocks: Floats
    n_coincident: int
    error: float
    plan: Plan | None

    @property
    def trace(self) -> Floats:
        """The traces of the blocks, float64[n]; of the Fisher metric in the plane 4 pi b times the density."""
        return np.trace(self.blocks, axis1=1, axis2=2)

    @property
    def singular(self) -> NDArray[np.bool_]:
        """Blocks with an eigenvalue that is no more than what the largest is known to, or negative: bool[n]."""
        values = np.linalg.eigvalsh(self.blocks)
        return np.asarray(values[:, 0] <= max(self.error, ROUNDING) * np.abs(values).max(axis=1))

    @property
    def log_det_inverse(self) -> Floats:
        """-ln det M_ii, float64[n]: of the Cramer-Rao bound; +inf where the block is `singular`."""
        out = np.full(len(self.blocks), np.inf)
        regular = ~self.singular
        out[regular] = -np.linalg.slogdet(self.blocks[regular])[1]
        return out


class LayoutOperator(LinearOperator):  # type: ignore[misc]
    """A symmetric matrix on displacements of a layout, as products: for scipy's eigsh, lobpcg, cg and @.

    Attributes
    ----------
    own : VertexBlocks
        Its blocks on the diagonal, with the number of coincident pairs and the plan.
    error : float
        Estimated error of a product at a vertex, relative to sum_j |M_ij| (|x_i| + |x_j|); 0 where it is exact.
    method : str
        "dense", up to 2,000 coordinates; else "fourier" (two and three dimensions) or "direct": n^2 times some 40 ns.
    """

    def __init__(
        self, weights: LossWeights, Y: ArrayLike, curve: Curve, form: Form, rtol: float | None, plan: Plan | None
    ) -> None:
        layout, curve = checked_layout(checked_rows(weights, Y)), checked_curve(curve)
        check_plan(plan)
        n, m = layout.shape
        super().__init__(np.float64, (n * m, n * m))
        self._matrix: Floats | None = None
        edges = edge_blocks(weights, layout, curve, form)
        if n * m <= DENSE_UP_TO:
            self.own = vertex_blocks(weights, layout, curve, form, rtol, plan)
            self._matrix = _dense(weights, layout, curve, form, edges, self.own.blocks)
            self.error, self.method = self.own.error, "dense"
            return
        slope, tensor = form.push
        self._edges = _off_diagonal(weights.heads, weights.tails, edges, n)
        self._products = PairProducts(layout, tensor, slope, weights.u, weights.v, curve, checked_rtol(rtol), plan)
        # Blocks by the plan of the products: translations then cancel to the tolerance of the transforms.
        self.own = vertex_blocks(weights, layout, curve, form, rtol, self._products.plan or plan)
        self.error = max(self.own.error, self._products.error)
        self.method = "direct" if self._products.plan is None else "fourier"

    def _matvec(self, x: Floats) -> Floats:
        flat = np.asarray(x, dtype=np.float64).ravel()
        if self._matrix is not None:
            return np.asarray(self._matrix @ flat)
        each = flat.reshape(len(self.own.blocks), -1)
        total = np.einsum("iab,ib->ia", self.own.blocks, each) - self._products(each)
        return total.ravel() - np.asarray(self._edges @ flat)

    def _matmat(self, X: Floats) -> Floats:
        if self._matrix is not None:
            return np.asarray(self._matrix @ X)
        return np.column_stack([self._matvec(column) for column in X.T])

    def _adjoint(self) -> "LayoutOperator":
        return self


def vertex_blocks(
    weights: LossWeights, layout: Floats, curve: Curve, form: Form, rtol: float | None, plan: Plan | None
) -> VertexBlocks:
    """Sum the blocks of a form: what B weighs by all pairs, and the edges' own."""
    slope, tensor = form.push
    tensors = pair_sums(layout, tensor, weights.v, curve, moment=2, rtol=rtol, plan=plan)
    blocks = np.einsum("ir,irab->iab", weights.u, tensors.values[:, 0])
    error = tensors.error
    if slope is not None:
        slopes = pair_sums(layout, slope, weights.v, curve, rtol=rtol, plan=tensors.plan or plan)
        blocks += np.einsum("ir,ir->i", weights.u, slopes.values[:, 0])[:, np.newaxis, np.newaxis] * np.eye(
            blocks.shape[1]
        )
        error = max(error, slopes.error)
    edges = edge_blocks(weights, layout, curve, form)
    for ends in (weights.heads, weights.tails):
        np.add.at(blocks, ends, edges)
    blocks = (blocks + blocks.transpose(0, 2, 1)) / 2
    return VertexBlocks(
        blocks=blocks, n_coincident=int(tensors.n_coincident.sum()) // 2, error=error, plan=tensors.plan
    )


def edge_blocks(weights: LossWeights, layout: Floats, curve: Curve, form: Form) -> Floats:
    """M_e of the edges less what u and v charge them, float64[number of edges, m, m]."""
    ends = weights.heads, weights.tails
    more = weights.B - weights.charged
    return pair_blocks(layout, *ends, curve, form.pull, weights.A) + pair_blocks(layout, *ends, curve, form.push, more)


def pair_blocks(
    layout: Floats,
    heads: NDArray[Any],
    tails: NDArray[Any],
    curve: Curve,
    names: tuple[str | None, str],
    weight: Floats,
) -> Floats:
    """Weight (slope + tensor Delta Delta^T) of listed pairs, float64[k, m, m]."""
    tensor, *slope = edge_potentials(layout, heads, tails, curve, [name for name in reversed(names) if name])
    delta = layout[heads] - layout[tails]
    out: Floats = (weight * tensor)[:, np.newaxis, np.newaxis] * delta[:, :, np.newaxis] * delta[:, np.newaxis]
    for one in slope:
        out += (weight * one)[:, np.newaxis, np.newaxis] * np.eye(layout.shape[1])
    return (out + out.transpose(0, 2, 1)) / 2  # symmetric to the bit


def _dense(weights: LossWeights, layout: Floats, curve: Curve, form: Form, edges: Floats, own: Floats) -> Floats:
    """The matrix itself, float64[n m, n m]."""
    n, m = layout.shape
    heads, tails = np.triu_indices(n, 1)
    B = np.einsum("er,er->e", weights.u[heads], weights.v[tails])
    matrix = np.zeros((n, m, n, m))
    above = pair_blocks(layout, heads, tails, curve, form.push, B)
    for ends, blocks in (((heads, tails), above), ((weights.heads, weights.tails), edges)):
        matrix[ends[0], :, ends[1], :] -= blocks
        matrix[ends[1], :, ends[0], :] -= blocks
    matrix[np.arange(n), :, np.arange(n), :] = own
    return matrix.reshape(n * m, n * m)


def _off_diagonal(heads: NDArray[Any], tails: NDArray[Any], blocks: Floats, n: int) -> csr_matrix:
    """The sparse matrix [n m, n m] with the pairs' blocks at ij and ji."""
    m = blocks.shape[1]
    a, b = np.divmod(np.arange(m * m), m)
    places = [
        (first[:, np.newaxis] * m + a, second[:, np.newaxis] * m + b)
        for first, second in ((heads, tails), (tails, heads))
    ]
    rows, columns = (np.concatenate([place[way].ravel() for place in places]) for way in (0, 1))
    return csr_matrix((np.tile(blocks.ravel(), 2), (rows, columns)), shape=(n * m, n * m))
