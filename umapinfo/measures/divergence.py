r"""A family of losses: divergences between graph and layout that all have UMAP's Fisher information as curvature.

    D = sum over unordered pairs of D(p_e || q_e)

with p the graph's probabilities (0 off its edges), q the layout's similarities and D(p || q) one of the divergences of
`umapinfo.measures.pair_divergences`, each scaled to the same second derivative at p = q: its Hessian in the layout is
there the Fisher metric G = sum q (1 - q) grad theta grad theta^T, whichever it is (Chentsov).  KL is the purported loss
(without its constant H).  What differs is what a pair far from p = q costs:

                      p = 0, q small     p = 1, q small: dD/dtheta     p = 0 at distance 0
    kl                q                  -1                            +inf
    alpha(x)          q / x              -q^(1 - x) / x                1 / (x (1 - x)); +inf from x = 1 on
    hellinger         2 q                -2 q^(1/2)                    4
    renyi(x)          q / x              -1 / x                        +inf
    jensen_shannon    2 ln 2 q           -2 q ln(1/q)                  4 ln 2
    fisher_rao        2 q                -pi q^(1/2)                   pi^2 / 2

so that alpha of x < 1, jensen_shannon and fisher_rao let go of long edges, and alpha of x > 1 does not let them be.

reverse_kl, KL(q || p), is +inf wherever p = 0 < q: for every graph with a pair off its edges, every layout, and so is
jeffreys.  Both take p clipped to [p_min, 1 - p_min], off the edges too; what they say depends on p_min.

The product of all pairs' Bernoulli laws is one law on graphs.  Of two products, kl, reverse_kl, jeffreys and renyi are
the sums over pairs given here, and twice fisher_rao is the squared distance rho^2 = sum (phi_p - phi_q)^2.  Their alpha
of order x, hellinger and jensen_shannon are no sums: for x < 1 they are bounded by what a single pair can cost, and
close to that for any graph of some size.

**Sums.**  Off the edges D(0 || q) is one potential of the distance, or a few with p_min: one sum over all pairs, off
which what it charges on the edges is taken again, as for the losses (`umapinfo.measures.loss`); gradients likewise from
the slopes, and on the edges (dD/dtheta) (theta'(d)/d) Delta.  Up to 4,000 points, or with rtol=None, sums are exact;
otherwise within rtol of each vertex's, of every potential.  A coincident pair adds nothing to a gradient.  Pairs nearer
than about 1e-50 can pass 1e308 nats if x > 2, and are then left out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from umapinfo.core.curve import Curve
from umapinfo.core.graph import Graph
from umapinfo.measures.bernoulli import Floats
from umapinfo.measures.divergence_family import Divergence, checked_divergence, edge_terms, far_part, pair_divergence
from umapinfo.measures.loss_sums import all_pairs, checked_rows
from umapinfo.measures.loss_weights import LossWeights, purported_weights
from umapinfo.pairs import Plan, edge_potentials, edge_theta, pair_sums
from umapinfo.pairs.sums import RTOL

__all__ = [
    "Divergence",
    "DivergenceValue",
    "divergence",
    "divergence_and_gradient",
    "divergence_gradient",
    "pair_divergence",
]


@dataclass(frozen=True, eq=False, kw_only=True)
class DivergenceValue:
    """A divergence of a graph and a layout, in nats over unordered pairs.

    Attributes
    ----------
    value : float
        +inf only with coincident points, and only of some (the module's docstring).
    n_coincident : int
        Unordered pairs at distance 0.
    pair_sum_error : float
        Estimated relative error of a vertex's sum over all pairs, 0 where that is exact.
    plan : Plan or None
        How that sum was split, if it was: for the next layout, or for this one's gradient.
    per_vertex : float64[n]
        Half of each pair to either end; they add up to the value.
    """

    value: float
    n_coincident: int
    pair_sum_error: float
    plan: Plan | None
    per_vertex: Floats


def divergence(
    graph: Graph,
    Y: ArrayLike,
    curve: Curve,
    which: str | Divergence,
    *,
    rtol: float | None = RTOL,
    plan: Plan | None = None,
) -> DivergenceValue:
    """Sum over pairs of D(p || q), D one of the family in the module's docstring.

    Parameters
    ----------
    graph : Graph
        The pruned graph (mu), or any other.
    Y : float[n, d], layout units
    curve : Curve
    which : str or Divergence
        "kl", "hellinger", "jensen_shannon", "fisher_rao", or one with a number: Divergence("alpha", order=2).
    rtol, plan
        As for `umapinfo.measures.purported_loss`.

    Returns
    -------
    DivergenceValue

    Raises
    ------
    TypeError, ValueError
        As for `umapinfo.measures.purported_loss`; no such divergence.
    """
    member, weights = checked_divergence(which), purported_weights(graph)
    return _value(member, weights, Y, curve, rtol, plan)


def divergence_gradient(
    graph: Graph,
    Y: ArrayLike,
    curve: Curve,
    which: str | Divergence,
    *,
    rtol: float | None = RTOL,
    plan: Plan | None = None,
) -> Floats:
    """The gradient of `divergence` in the layout, float64[n, d], nats / layout unit; arguments and errors are its."""
    return _gradient(checked_divergence(which), purported_weights(graph), Y, curve, rtol, plan)[0]


def divergence_and_gradient(
    graph: Graph,
    Y: ArrayLike,
    curve: Curve,
    which: str | Divergence,
    *,
    rtol: float | None = RTOL,
    plan: Plan | None = None,
) -> tuple[DivergenceValue, Floats]:
    """`divergence` and `divergence_gradient` by one plan, the value's: given for the next layout, it serves both again.

    Arguments and errors are those of `divergence`.
    """
    member, weights = checked_divergence(which), purported_weights(graph)
    slopes, plan = _gradient(member, weights, Y, curve, rtol, plan)  # first: a plan for moments serves values too
    return _value(member, weights, Y, curve, rtol, plan), slopes


def _value(
    member: Divergence, weights: LossWeights, Y: ArrayLike, curve: Curve, rtol: float | None, plan: Plan | None
) -> DivergenceValue:
    far = far_part(member)
    pairs = all_pairs(weights, Y, curve, far.potentials, rtol, plan)
    heads, tails, n = weights.heads, weights.tails, len(pairs.Y)
    at_edges = edge_potentials(pairs.Y, heads, tails, curve, far.potentials)
    charged = far.constant + far.factors @ at_edges
    own = edge_terms(member, weights.A, weights.B, pairs.costs.theta).value
    on_edges, off_them = (np.bincount(heads, x, n) + np.bincount(tails, x, n) for x in (own, charged))
    everywhere = far.constant * (n - 1) + sum(
        k * pairs.sums[name][:, 0] for k, name in zip(far.factors, far.potentials, strict=True)
    )
    off = np.maximum(everywhere - off_them, 0.0)
    off[pairs.hidden & far.infinite] = np.inf
    per_vertex = (on_edges + off) / 2
    return DivergenceValue(
        value=float(per_vertex.sum()),
        n_coincident=int(pairs.n_coincident.sum()) // 2,
        pair_sum_error=pairs.error,
        plan=pairs.plan,
        per_vertex=per_vertex,
    )


def _gradient(
    member: Divergence, weights: LossWeights, Y: ArrayLike, curve: Curve, rtol: float | None, plan: Plan | None
) -> tuple[Floats, Plan | None]:
    far, layout = far_part(member), checked_rows(weights, Y)
    sums = pair_sums(layout, far.slopes, weights.v, curve, moment=1, rtol=rtol, plan=plan)
    total: Floats = np.einsum("k,nkrd->nd", far.factors, sums.values)
    heads, tails = weights.heads, weights.tails
    pull, push, *slopes = edge_potentials(
        layout, heads, tails, curve, ["attraction_slope", "repulsion_slope", *far.slopes]
    )
    along = push - pull  # theta'(d) / d
    own = edge_terms(member, weights.A, weights.B, edge_theta(layout, heads, tails, curve)).slope
    forces = np.where(along == 0, 0.0, own) * along - far.factors @ slopes
    delta = layout[heads].astype(np.float64) - layout[tails]
    for axis in range(layout.shape[1]):
        force = forces * delta[:, axis]
        total[:, axis] += np.bincount(heads, force, len(layout)) - np.bincount(tails, force, len(layout))
    return total, sums.plan
