r"""The signed Laplacian of a loss: its Hessian in a dimension that the layout has not got.

With the weights A, B of a loss, theta'(d) d = -2b rho and over unordered pairs (`umapinfo.measures.balance`),

    w_ij = 2b rho [A_ij (1 - q_ij) - B_ij q_ij] / d_ij^2       purported, c = 0:  2b (p - q) / d^2
    (L z)_i = sum_j w_ij (z_i - z_j),          z' L z = sum over pairs of w_ij (z_i - z_j)^2

is the gradient when z is a coordinate of the layout, dL/dy = L y.  Give the points a further coordinate z: d^2 grows
by (z_i - z_j)^2, so the loss by z' L z / 2 to second order, and by nothing to first.  Hence

- L 1 = 0, and at a stationary layout L y = 0: its coordinates are in the kernel of L, as in a spectral embedding;
- where z' L z < 0, a further dimension lowers the loss (`umapinfo.measures.inertia` counts such directions);
- the pressure kappa_i = sum_j w_ij is what the loss of point i alone has: where it is negative, that point by itself
  gains by leaving the plane.

Pairs at distance 0 have infinite weights if c = 0; they are left out, and counted.

Source for points that want to leave: Vladymyrov (2019), "No pressure! Addressing the problem of local minima in
manifold learning algorithms".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.linalg import LinearOperator

from umapinfo.core.curve import Curve, checked_curve
from umapinfo.core.graph import Graph
from umapinfo.measures.bernoulli import Floats
from umapinfo.measures.loss_sums import checked_rows
from umapinfo.measures.loss_weights import LossWeights, effective_weights, purported_weights
from umapinfo.pairs import Plan, edge_potentials, pair_sums
from umapinfo.pairs.sums import RTOL, checked_layout

if TYPE_CHECKING:
    from umapinfo.core.settings import Descent

COLUMNS = 16  # vectors that are summed at a time


class SignedLaplacian(LinearOperator):  # type: ignore[misc] # scipy has no types
    """The signed Laplacian L of a loss at a layout, as a symmetric operator of float64[n] and [n, k].

    Attributes
    ----------
    pressure : float64[n], nats / layout unit^2
        kappa_i = sum_j w_ij, the diagonal of L.
    size : float64[n]
        The diagonal of D, sum_j |w_ij|.
    layout : float64[n, d]
    n_coincident : int
        Unordered pairs at distance 0, which are left out.
    pair_sum_error : float
        Estimated relative error of a vertex's sum over all pairs, 0 where that is exact.
    """

    def __init__(self, weights: LossWeights, Y: ArrayLike, curve: Curve, *, rtol: float | None = RTOL) -> None:
        super().__init__(np.float64, (len(weights.u), len(weights.u)))
        self.layout, self._weights = checked_layout(checked_rows(weights, Y)), weights
        self._curve, self._rtol = checked_curve(curve), rtol
        self._plan: Plan | None = None
        pull, push = edge_potentials(
            self.layout, weights.heads, weights.tails, self._curve, ("attraction_slope", "repulsion_slope")
        )
        w, charged = weights.A * pull + weights.B * push, weights.charged * push
        self._edges = weights.both_ways(w - charged)
        sums = pair_sums(self.layout, "repulsion_slope", weights.v, self._curve, rtol=rtol)
        self._plan = sums.plan
        everywhere = (weights.u * sums.values[:, 0]).sum(axis=1)
        off = np.minimum(everywhere - weights.both_ways(charged).sum(axis=1), 0.0)
        self.pressure: Floats = everywhere + self._edges.sum(axis=1)
        self.size: Floats = weights.both_ways(abs(w)).sum(axis=1) - off
        self.n_coincident = int(sums.n_coincident.sum()) // 2
        self.pair_sum_error = sums.error

    def _matmat(self, Z: Floats) -> Floats:
        Z = Z - Z.mean(axis=0)  # L 1 = 0: what cancels is left out
        parts = (self._products(Z[:, start : start + COLUMNS]) for start in range(0, Z.shape[1], COLUMNS))
        return np.asarray(self.pressure[:, np.newaxis] * Z - self._edges @ Z - np.hstack(list(parts)))

    def _products(self, Z: Floats) -> Floats:
        """Sum over all j of B_ij repulsion_slope z_j, float64[n, k]."""
        u, v = self._weights.u, self._weights.v
        columns = (v[:, :, np.newaxis] * Z[:, np.newaxis]).reshape(len(Z), -1)
        sums = pair_sums(self.layout, "repulsion_slope", columns, self._curve, rtol=self._rtol, plan=self._plan)
        return np.asarray(np.einsum("ir,irk->ik", u, sums.values[:, 0].reshape(len(Z), v.shape[1], -1)))

    def _adjoint(self) -> SignedLaplacian:
        return self

    def dense(self, vertices: NDArray[np.integer] | None = None) -> Floats:
        """Rows and columns of some vertices, or all of L, exactly but for its diagonal: float64[k, k]."""
        some = np.arange(len(self.layout)) if vertices is None else vertices
        one, other = np.triu_indices(len(some), 1)
        (push,) = edge_potentials(self.layout, some[one], some[other], self._curve, ("repulsion_slope",))
        L = np.diag(self.pressure[some])
        L[one, other] = -push * (self._weights.u[some] @ self._weights.v[some].T)[one, other]
        L[other, one] = L[one, other]
        return np.asarray(L - self._edges[some][:, some].toarray() * (1 - np.eye(len(some))))


def purported_laplacian(graph: Graph, Y: ArrayLike, curve: Curve, *, rtol: float | None = RTOL) -> SignedLaplacian:
    """The signed Laplacian of the loss of UMAP's paper; its `pressure` is kappa.

    Parameters
    ----------
    graph : Graph
        The pruned graph (mu).
    Y : float[n, d], layout units
    curve : Curve
    rtol : float or None
        Of the sums over all pairs, as for `pair_sums`: up to 4,000 points, and with None, they are exact.

    Returns
    -------
    SignedLaplacian

    Raises
    ------
    TypeError, ValueError
        If the layout is not a finite numeric array with one row per vertex, or curve or rtol are none.
    """
    return SignedLaplacian(purported_weights(graph), Y, curve, rtol=rtol)


def effective_laplacian(
    graph: Graph, descent: Descent, Y: ArrayLike, curve: Curve, *, rtol: float | None = RTOL
) -> SignedLaplacian:
    """The signed Laplacian of the loss that negative sampling descends; its `pressure` is kappa.

    Parameters
    ----------
    graph, Y, curve, rtol
        As for `purported_laplacian`.
    descent : Descent
        Gives gamma (repulsion_strength) and m_neg (negative_sample_rate).

    Returns
    -------
    SignedLaplacian

    Raises
    ------
    TypeError, ValueError
        As for `purported_laplacian`.
    """
    return SignedLaplacian(effective_weights(graph, descent), Y, curve, rtol=rtol)
