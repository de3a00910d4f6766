r"""Squared forces, sample by sample: what Adagrad would add up, in the mean and of a run, beside the Fisher metric.

A sample is one pair: its force on i, with Delta = y_i - y_j of length d and u = Delta / d, is theta'(d) (1 - q) u if it
attracts and -theta'(d) q u if it repels.  With the weights A, B of a loss (`umapinfo.measures.loss_weights`) their
squares at vertex i add up to

    S_i = sum_j [A_ij (1 - q_ij)^2 + B_ij q_ij^2] theta'(d_ij)^2 u u^T,

where the Fisher metric has G_ii = sum_j (A + B) q (1 - q) theta'^2 u u^T.  Of the purported loss, A = p and B = 1 - p,

    A (1 - q)^2 + B q^2 = q (1 - q) + (p - q) (1 - 2 q):

S is G where p = q, the "empirical Fisher information" is no Fisher information elsewhere (Kunstner, Hennig and Balles
2019).  S counts a near pair off the edges by 4 b^2 / d^2, whose mean over places in the plane is infinite: single pairs
decide it.  The clip of the descent ends that.

**A run.**  It draws an entry mu_ij / M times an epoch, M = max mu, and with it m_neg negative samples of force times
gamma.  Over an epoch in which the layout stands still, the squares of its forces on i, without its clip at 4 and its
0.001 (`umapinfo.core.forces`), have the mean

    2 / M  S_i      with  A = mu,  B_ij = gamma^2 m_neg d_i / (2n),     d_i + d_j in place of d_i with push_tail.

The observer adds up the forces of the run as they were at each update, clipped, of the epochs whose updates are listed:
the recorded ones.  With Recording(epochs=range(n_epochs + 1)) these are all, and the sum is Adagrad's accumulator.
(UMAP has no Adagrad: its run would be another with it.)

Source: Kunstner, Hennig and Balles (2019), Limitations of the empirical Fisher approximation, NeurIPS 32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from umapinfo.core.curve import Curve
from umapinfo.core.forces import CLIP, attraction_factor, repulsion_factor
from umapinfo.core.graph import Graph
from umapinfo.jit import jit
from umapinfo.measures.bernoulli import Floats
from umapinfo.measures.gradient import PUSHES
from umapinfo.measures.loss_sums import checked_rows
from umapinfo.measures.loss_weights import LossWeights, effective_weights, purported_weights
from umapinfo.pairs import edge_potentials, pair_sums
from umapinfo.pairs.sums import RTOL

if TYPE_CHECKING:
    from umapinfo.core.descent import Epoch
    from umapinfo.core.settings import Descent

__all__ = ["SquaredForcesObserver", "effective_squared_forces", "purported_squared_forces"]


def purported_squared_forces(graph: Graph, Y: ArrayLike, curve: Curve, *, rtol: float | None = RTOL) -> Floats:
    """The S_i of the purported loss.

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
    float64[n, d, d], 1 / layout unit^2
        Coincident pairs are left out.

    Raises
    ------
    TypeError, ValueError
        If the layout is not a finite numeric array with one row per vertex, or curve or rtol are none.
    """
    weights = purported_weights(graph)
    return _squared_forces(weights, (weights.u, weights.v), Y, curve, rtol)


def effective_squared_forces(
    graph: Graph, descent: Descent, Y: ArrayLike, curve: Curve, *, push: str = "head", rtol: float | None = RTOL
) -> Floats:
    """The S_i of a run: max(mu) / 2 times the mean sum of an epoch's squared forces, without clip and 0.001.

    Parameters
    ----------
    graph, Y, curve, rtol
        As for `purported_squared_forces`.
    descent : Descent
        Gives gamma and m_neg.
    push : {"head", "both"}
        Whether a negative sample's tail is pushed as well (push_tail).

    Returns
    -------
    float64[n, d, d], 1 / layout unit^2

    Raises
    ------
    TypeError, ValueError
        As for `purported_squared_forces`; an unknown push.
    """
    if push not in PUSHES:
        raise ValueError(f"push: expected one of {', '.join(map(repr, PUSHES))}, got {push!r}")
    weights = effective_weights(graph, descent)
    n_columns = 1 if push == "head" else 2  # s_i, and what the tails get
    columns = descent.repulsion_strength * weights.u[:, :n_columns], weights.v[:, :n_columns]
    return _squared_forces(weights, columns, Y, curve, rtol)


def _squared_forces(
    weights: LossWeights, columns: tuple[Floats, Floats], Y: ArrayLike, curve: Curve, rtol: float | None
) -> Floats:
    """S_i with sum_r u_ir v_jr of the columns u, v off the edges, and B - charged more on them."""
    layout, (u, v) = checked_rows(weights, Y), columns
    everywhere = pair_sums(layout, "repulsion_square", v, curve, moment=2, rtol=rtol).values[:, 0]
    total: Floats = np.einsum("ir,irde->ide", u, everywhere)
    heads, tails = weights.heads, weights.tails
    pull, push = edge_potentials(layout, heads, tails, curve, ("attraction_slope", "repulsion_square"))
    delta = layout[heads].astype(np.float64) - layout[tails]
    pulled, more = pull[:, np.newaxis] * delta, (weights.B - weights.charged) * push
    for one in range(layout.shape[1]):
        for other in range(layout.shape[1]):
            squares = weights.A * pulled[:, one] * pulled[:, other] + more * delta[:, one] * delta[:, other]
            total[:, one, other] += sum(np.bincount(ends, squares, len(layout)) for ends in (heads, tails))
    return total


class SquaredForcesObserver:
    """Add up the squares of a run's forces on each vertex, of the epochs that are recorded.

    At a recorded epoch `values` gives, from the start on, ``squared_forces`` float64[n, d]: the sum over the updates of
    those epochs of the squared coordinates of their forces, clipped as in the run.  An attraction counts for both ends,
    a repulsion for its head, and its tail with push_tail.

    Parameters
    ----------
    n_components : int
        The layout's dimension d.
    """

    name = "squared_forces"
    needs_updates = True
    _curve: Curve
    _descent: Descent

    def __init__(self, n_components: int = 2) -> None:
        self._n_components = n_components

    def start(self, graph: Graph, curve: Curve, descent: Descent) -> dict[str, NDArray[Any]]:
        """Return zeros, float64[n, d]."""
        self._curve, self._descent = curve, descent
        return {"sum": np.zeros((graph.n_vertices, self._n_components))}

    def step(self, arrays: dict[str, NDArray[Any]], epoch: Epoch) -> None:
        """Add the squares of one epoch, if its updates are there."""
        if epoch.updates is None or epoch.delta is None:
            return
        if epoch.delta.shape[1] != self._n_components:
            raise ValueError(
                f"SquaredForcesObserver: expected a layout with {self._n_components} coordinates, got "
                f"{epoch.delta.shape[1]}; give n_components={epoch.delta.shape[1]}"
            )
        gamma, push_tail = float(self._descent.repulsion_strength), self._descent.push_tail
        add_squares(epoch.updates, epoch.delta, self._curve, gamma, push_tail, arrays["sum"])

    def values(self, arrays: dict[str, NDArray[Any]], epoch: Epoch) -> dict[str, NDArray[Any]]:
        """Return a copy of the sums so far."""
        return {"squared_forces": arrays["sum"].copy()}


@jit
def add_squares(
    updates: np.ndarray, delta: np.ndarray, curve: Curve, gamma: float, push_tail: bool, squares: np.ndarray
) -> None:
    """Add the squared forces of updates, float32 differences delta[m, d], to squares[n, d]."""
    for t in range(updates.shape[0]):
        d2 = 0.0
        for axis in range(delta.shape[1]):
            d2 += np.float64(delta[t, axis]) ** 2
        if d2 == 0.0:
            continue
        pulls = updates[t]["draw"] < 0
        factor = attraction_factor(d2, curve) if pulls else repulsion_factor(d2, curve, gamma)
        for axis in range(delta.shape[1]):
            square = min(max(factor * delta[t, axis], -CLIP), CLIP) ** 2
            squares[updates[t]["head"], axis] += square
            if pulls or push_tail:
                squares[updates[t]["tail"], axis] += square
