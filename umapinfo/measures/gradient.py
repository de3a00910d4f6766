r"""Gradients of the losses, and the force of a run: what the layout would move along.

Both losses are sum over pairs of A softplus(-theta) + B softplus(theta), with B_ij = sum_r u_ir v_jr off the edges
(`umapinfo.measures.loss_weights`).  With the slopes f'(d)/d of `umapinfo.pairs.potentials` and Delta = y_i - y_j,

    dL/dy_i = sum_j B_ij repulsion_slope Delta                                      all pairs, by `pair_sums`
              + sum_{j ~ i} [A attraction_slope + (B - sum_r u_ir v_jr) repulsion_slope] Delta          the edges

A coincident pair adds nothing: its Delta is 0 (for b > 1/2; below, the attraction has no gradient there).

UMAP moves the tail of an attraction too, but of a negative sample the head alone.  Its expected move in an epoch, to
first order in alpha, over many epochs, and without its clip and its 0.001, is

    -(2 alpha / max mu) (the gradient of the effective loss with B_ij = gamma m_neg d_i / (2n)
                         in place of gamma m_neg (d_i + d_j) / (2n)),

as both entries of an edge are due mu / max mu times an epoch: half of the repulsion on average, and no gradient of
anything (push="head").  With push_tail the same factor stands before the whole gradient.
"""

import numpy as np
from numpy.typing import ArrayLike

from umapinfo.core.curve import Curve
from umapinfo.core.graph import Graph
from umapinfo.core.settings import Descent
from umapinfo.measures.bernoulli import Floats
from umapinfo.measures.loss_sums import checked_rows
from umapinfo.measures.loss_weights import LossWeights, effective_weights, purported_weights
from umapinfo.pairs import Plan, edge_potentials, pair_sums
from umapinfo.pairs.sums import RTOL

PUSHES = ("both", "head")


def purported_gradient(
    graph: Graph, Y: ArrayLike, curve: Curve, *, rtol: float | None = RTOL, plan: Plan | None = None
) -> Floats:
    """Gradient of the purported loss (BCE or KL: they differ by a constant), over unordered pairs.

    Parameters
    ----------
    graph : Graph
        The pruned graph (mu).
    Y : float[n, d], layout units
    curve : Curve
    rtol, plan
        As for `umapinfo.measures.purported_loss`.

    Returns
    -------
    float64[n, d], nats / layout unit

    Raises
    ------
    TypeError, ValueError
        As for `umapinfo.measures.purported_loss`.
    """
    return gradient(purported_weights(graph), Y, curve, rtol=rtol, plan=plan)


def effective_gradient(
    graph: Graph,
    descent: Descent,
    Y: ArrayLike,
    curve: Curve,
    *,
    push: str = "both",
    rtol: float | None = RTOL,
    plan: Plan | None = None,
) -> Floats:
    """Gradient of the effective loss, or with push="head" minus max(mu) / 2 times a run's mean move an epoch and alpha.

    Parameters
    ----------
    graph : Graph
        The pruned graph (mu).
    descent : Descent
        Gives gamma and m_neg.
    Y : float[n, d], layout units
    curve : Curve
    push : {"both", "head"}
        Whether a negative sample's tail is pushed as well.  The run's own clip at 4 and its 0.001 beside d^2 are left
        out: they belong to no loss.
    rtol, plan
        As for `umapinfo.measures.purported_loss`.

    Returns
    -------
    float64[n, d], nats / layout unit

    Raises
    ------
    TypeError, ValueError
        As for `umapinfo.measures.effective_loss`; an unknown push.
    """
    if push not in PUSHES:
        raise ValueError(f"push: expected one of {', '.join(map(repr, PUSHES))}, got {push!r}")
    weights = effective_weights(graph, descent)
    heads_alone = weights.u[:, :1], weights.v[:, :1]  # s_i, without what the tails get
    return gradient(weights, Y, curve, push=heads_alone if push == "head" else None, rtol=rtol, plan=plan)


def gradient(
    weights: LossWeights,
    Y: ArrayLike,
    curve: Curve,
    *,
    push: tuple[Floats, Floats] | None = None,
    rtol: float | None = RTOL,
    plan: Plan | None = None,
) -> Floats:
    """The sum in the module's docstring, float64[n, d]; `push` are other columns u, v for the repulsion by all."""
    layout = checked_rows(weights, Y)
    u, v = push or (weights.u, weights.v)
    everywhere = pair_sums(layout, "repulsion_slope", v, curve, moment=1, rtol=rtol, plan=plan).values[:, 0]
    total: Floats = np.einsum("ir,ird->id", u, everywhere)
    heads, tails = weights.heads, weights.tails
    pull, push_apart = edge_potentials(layout, heads, tails, curve, ("attraction_slope", "repulsion_slope"))
    more = weights.B - weights.charged
    delta = layout[heads].astype(np.float64) - layout[tails]
    forces = (weights.A * pull + more * push_apart)[:, np.newaxis] * delta
    for axis in range(layout.shape[1]):
        total[:, axis] += np.bincount(heads, forces[:, axis], len(layout))
        total[:, axis] -= np.bincount(tails, forces[:, axis], len(layout))
    return total
