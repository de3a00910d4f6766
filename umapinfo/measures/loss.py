r"""UMAP's losses over all pairs: purported and effective, as KL, BCE and H, with the parts they fall into.

**The form.**  Every loss is a weighted Bernoulli form.  With theta the logit of the similarity q of the pair
e in the layout, A_e the weight of its attraction, B_e of its repulsion, w = A + B and the target nu* = A / w,

    BCE = sum_e A softplus(-theta) + B softplus(theta)     H = sum_e w h(nu*)     KL = sum_e w KL(nu* || q)

and KL = BCE - H, whatever the layout (the article's (8) has the wrong sign): H is a constant of the graph, no
training moves it.  -ln q = softplus(-theta), -ln(1 - q) = softplus(theta).  With mu the weights of the pruned
graph, d_i = sum_j mu_ij and n points,

    purported    A = mu    B = 1 - mu                            w = 1, nu* = mu: the loss of UMAP's paper
    effective    A = mu    B = gamma m_neg (d_i + d_j)/(2n)      what the sampled updates descend

gamma = descent.repulsion_strength, m_neg = descent.negative_sample_rate.  The mean update is the effective
loss's gradient if negative samples push their tails too; if not, it has half of the repulsion.

**Sums.**  Off the edges A = 0, KL_e = BCE_e = B softplus(theta) and H_e = 0.  So one sum over all pairs, with
two columns of weights, serves both losses and both of KL and BCE; what it charges on the edges is taken off
again and replaced by the edges' own formulas (`umapinfo.measures.bernoulli`), one each for KL, BCE and H.
Above 4,000 points the sum is taken within rtol of each vertex's (`umapinfo.pairs`), by default 1e-6.

**Coincident points.**  At d = 0 (theta = +inf if c = 0) a pair costs +inf if B > 0, and 0 if B = 0
(purported, mu = 1).  A value is finite, or +inf together with n_coincident > 0, never NaN.  The `_apart`
values and the residual KL - BCE + H are of the pairs whose terms are finite: if c = 0 and nothing is clipped
those with d > 0 (and the coincident ones with B = 0, which are 0), otherwise all.

**Split.**  With I(u || v) = sum_e u ln(u/v) - u + v >= 0 (I-divergence), Z_p = sum mu and Z_q = sum q,

    KL (purported) = I(mu || q) + I(1 - mu || 1 - q),
    I(mu || q) = Z_p KL(mu/Z_p || q/Z_q)           shape: what t-SNE would minimise
               + Z_p ln(Z_p/Z_q) - Z_p + Z_q       mass

The article's (7) drops the complement: -sum mu ln q is the attraction alone, least (0) at total collapse.

**Conventions.**  Sums are over unordered pairs without the diagonal; a vertex gets half of each of its pairs,
so that vertices add up to the total.  "ordered" counts each pair twice.  "damrich-hamprecht" is how the code
of that paper counts: ordered pairs, the diagonal with q_ii = 1 and target 0, and -ln min(x + 1e-4, 1) for
every -ln x, so that H is the loss at q = nu*.  Sums are in float64, nats.

Source: Damrich and Hamprecht (2021, arXiv 2103.14608); the article's equations (6) to (8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from umapinfo.core.curve import Curve
from umapinfo.core.graph import Graph
from umapinfo.measures.bernoulli import pair_terms
from umapinfo.measures.loss_sums import (
    IDivergence,
    LossValues,
    all_pairs,
    checked_rows,
    i_divergence_split,
    loss_parts,
    loss_values,
)
from umapinfo.measures.loss_weights import (
    CONVENTIONS,
    Convention,
    LossWeights,
    ReferenceLosses,
    checked_convention,
    effective_weights,
    purported_weights,
    reference_losses,
)
from umapinfo.measures.sampled import SampledLoss, sampled_loss
from umapinfo.pairs import Plan, edge_theta
from umapinfo.pairs.sums import RTOL, checked_rtol
from umapinfo.trace.observers import Takes

if TYPE_CHECKING:
    from umapinfo.core.descent import Epoch
    from umapinfo.core.settings import Descent

PAIR_SUMS = 1000  # bytes a vertex (measured: 700 where a split has 4 modes a vertex, 2500 where it has 15)

__all__ = [
    "CONVENTIONS",
    "Convention",
    "IDivergence",
    "LossObserver",
    "LossValues",
    "ReferenceLosses",
    "SampledLoss",
    "article_cross_entropy",
    "effective_loss",
    "i_divergence",
    "purported_loss",
    "reference_losses",
    "sampled_loss",
]


def purported_loss(
    graph: Graph,
    Y: ArrayLike,
    curve: Curve,
    *,
    convention: str = "unordered",
    rtol: float | None = RTOL,
    plan: Plan | None = None,
) -> LossValues:
    """The loss of UMAP's paper, -sum mu ln q + (1 - mu) ln(1 - q), as KL, BCE and H.

    Parameters
    ----------
    graph : Graph
        The pruned graph (mu).
    Y : float[n, d], layout units
    curve : Curve
    convention : str
        One of CONVENTIONS.
    rtol : float or None
        Of the sums over all pairs, as for `pair_sums`: up to 4,000 points, and with None, they are exact.
    plan : Plan or None
        Of an earlier value, or of a gradient: this layout is summed in the same way, where that serves.

    Returns
    -------
    LossValues

    Raises
    ------
    TypeError, ValueError
        If the layout is not a finite numeric array with one row per vertex, or curve, convention or rtol are none.
    """
    rule = checked_convention(convention)
    return _loss(purported_weights(graph), Y, curve, rule, rtol, plan)


def effective_loss(
    graph: Graph,
    descent: Descent,
    Y: ArrayLike,
    curve: Curve,
    *,
    convention: str = "unordered",
    rtol: float | None = RTOL,
    plan: Plan | None = None,
) -> LossValues:
    """The loss that negative sampling descends, -sum mu ln q + gamma m_neg (d_i + d_j)/(2n) ln(1 - q).

    Its value is the same with and without `push_tail`; its gradient is the mean update only with it.

    Parameters
    ----------
    graph, Y, curve, convention, rtol, plan
        As for `purported_loss`.
    descent : Descent
        Gives gamma (repulsion_strength) and m_neg (negative_sample_rate).

    Returns
    -------
    LossValues

    Raises
    ------
    TypeError, ValueError
        As for `purported_loss`.
    """
    rule = checked_convention(convention)
    return _loss(effective_weights(graph, descent), Y, curve, rule, rtol, plan)


def _loss(
    weights: LossWeights, Y: ArrayLike, curve: Curve, rule: Convention, rtol: float | None, plan: Plan | None
) -> LossValues:
    pairs = all_pairs(weights, Y, curve, [rule.potential], rtol, plan)
    return loss_values(weights, pairs, loss_parts(weights, pairs, rule), rule)


def i_divergence(graph: Graph, Y: ArrayLike, curve: Curve, *, rtol: float | None = RTOL) -> IDivergence:
    """The split of the purported KL into shape, mass and complement, over unordered pairs.

    Arguments and errors are those of `purported_loss`.  The complement is +inf where KL is; the others are
    finite, unless every q underflows (all distances beyond some 1e150).
    """
    weights = purported_weights(graph)
    pairs = all_pairs(weights, Y, curve, ["repulsion", "similarity"], rtol)
    return i_divergence_split(weights, pairs, loss_parts(weights, pairs, CONVENTIONS["unordered"]))


def article_cross_entropy(graph: Graph, Y: ArrayLike, curve: Curve) -> float:
    """The article's (7), -sum mu ln q over the edges in nats: 0 when all points coincide."""
    weights = purported_weights(graph)
    theta = edge_theta(checked_rows(weights, Y), weights.heads, weights.tails, curve)
    return float(pair_terms(weights.A, weights.B, theta).attraction.sum())


class LossObserver:
    """Record both losses, the split and the sampled loss at recorded epochs, from one sum over all pairs.

    Of the purported loss kl, bce, entropy, attraction, repulsion, identity_residual and per vertex loss
    (bce); the same of the effective loss with the prefix effective_; n_coincident, article_cross_entropy,
    i_divergence, i_divergence_shape, _mass and _complement; of the epoch's updates sampled_loss,
    sampled_attraction, sampled_repulsion.  All over unordered pairs.  pair_sum_error is the estimated relative
    error of the sums over all pairs, 0 where they are exact.

    Parameters
    ----------
    rtol : float or None
        Of the sums over all pairs; up to 4,000 points, and with None, they are exact.  A resumed run keeps it: it
        stands among the arrays that are checkpointed.
    """

    name = "loss"
    needs_updates = True
    _graph: Graph
    _curve: Curve
    _descent: Descent
    _purported: LossWeights
    _effective: LossWeights

    def __init__(self, rtol: float | None = RTOL) -> None:
        self._rtol = checked_rtol(rtol)

    def start(self, graph: Graph, curve: Curve, descent: Descent) -> dict[str, NDArray[Any]]:
        """Keep what the losses are made of; returns rtol, 0 for None."""
        self._graph, self._curve, self._descent = graph, curve, descent
        self._purported, self._effective = purported_weights(graph), effective_weights(graph, descent)
        return {"rtol": np.array(self._rtol or 0.0)}

    def memory(self, n_vertices: int, n_entries: float) -> Takes:
        """Return the bytes of both losses' weights, and of what edges cost in a layout beside the sums over all pairs.

        Of each loss an edge has two ends (int32), A, B, what u and v charge it, two logarithms and an entropy; in a
        layout a logit and two costs.
        """
        held = 56 * n_entries + 56 * n_vertices
        return Takes(held, 12 * n_entries + PAIR_SUMS * n_vertices, 16 * n_vertices, 0)

    def step(self, arrays: dict[str, NDArray[Any]], epoch: Epoch) -> None:
        """Do nothing: the losses are functions of the recorded epoch."""

    def values(self, arrays: dict[str, NDArray[Any]], epoch: Epoch) -> dict[str, Any]:
        """Return the variables named above, of the layout after this epoch and of its updates."""
        rule, rtol = CONVENTIONS["unordered"], float(arrays["rtol"]) or None
        # The columns v of the effective weights begin with the purported ones: one sum serves both.
        pairs = all_pairs(self._effective, epoch.Y, self._curve, ["repulsion", "similarity"], rtol)
        parts = loss_parts(self._purported, pairs, rule)
        purported = loss_values(self._purported, pairs, parts, rule)
        effective = loss_values(self._effective, pairs, loss_parts(self._effective, pairs, rule), rule)
        split = i_divergence_split(self._purported, pairs, parts)
        sampled = sampled_loss(epoch, self._curve, self._descent, self._graph)
        recorded = ("kl", "bce", "entropy", "attraction", "repulsion", "identity_residual")
        return {
            **{name: getattr(purported, name) for name in recorded},
            **{f"effective_{name}": getattr(effective, name) for name in recorded},
            "loss": purported.per_vertex.bce,
            "effective_loss": effective.per_vertex.bce,
            "n_coincident": purported.n_coincident,
            "pair_sum_error": pairs.error,
            "article_cross_entropy": float(parts.edges.attraction.sum()) / 2,
            "i_divergence": split.divergence,
            "i_divergence_shape": split.shape,
            "i_divergence_mass": split.mass,
            "i_divergence_complement": split.complement,
            "sampled_loss": sampled.loss,
            "sampled_attraction": sampled.attraction,
            "sampled_repulsion": sampled.repulsion,
        }
