"""A loss put together: one sum over all pairs, and the edges' own terms for what it charges them.

The formulas and what is finite when stand in `umapinfo.measures.loss`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from umapinfo.core.curve import Curve
from umapinfo.measures.bernoulli import Costs, Floats, Targets, Terms, add_at_ends, costs_of
from umapinfo.measures.loss_weights import Convention, LossWeights
from umapinfo.pairs import Plan, edge_d2, edge_theta, pair_sums


@dataclass(frozen=True, eq=False, kw_only=True)
class LossValues:
    """One loss of one layout, in nats; formulas and conventions: the module's docstring.

    Attributes
    ----------
    convention : str
    kl, bce, entropy, attraction, repulsion : float
        Over all pairs; bce = attraction + repulsion.
    kl_apart, bce_apart, entropy_apart : float
        Over the pairs whose terms are finite.
    n_coincident : int
        Unordered pairs at distance 0, under any convention.
    pair_sum_error : float
        Estimated relative error of a vertex's sum over all pairs, 0 where that is exact.
    plan : Plan or None
        How that sum was split, if it was: for the next layout, or for this one's gradient.
    per_vertex : Terms of float64[n]
        kl, bce, entropy, attraction, repulsion; they add up to the totals.
    """

    convention: str
    kl: float
    bce: float
    entropy: float
    attraction: float
    repulsion: float
    kl_apart: float
    bce_apart: float
    entropy_apart: float
    n_coincident: int
    pair_sum_error: float
    plan: Plan | None
    per_vertex: Terms

    @property
    def identity_residual(self) -> float:
        """KL - BCE + H of the pairs apart: 0 up to rounding."""
        return self.kl_apart - self.bce_apart + self.entropy_apart


class IDivergence(NamedTuple):
    """I(mu || q) = shape + mass over unordered pairs, and I(1 - mu || 1 - q) = complement; nats."""

    divergence: float
    shape: float
    mass: float
    complement: float


@dataclass(frozen=True, eq=False)
class Pairs:
    """What all losses of one layout share.

    costs: of the edges, clipped or not.  sums[potential] float64[n, r]: sum_{j != i} v_jr f(d_ij).
    hidden bool[n]: the vertex has a coincident partner off its edges, whose repulsion is infinite.
    error: estimated relative error of the sums of a vertex, 0 if they are exact.  plan: of the sums, or None.
    """

    Y: NDArray[Any]
    costs: Costs
    sums: dict[str, Floats]
    n_coincident: NDArray[np.int64]
    hidden: NDArray[np.bool_]
    error: float
    plan: Plan | None


class Parts(NamedTuple):
    """Of one loss, per vertex: the terms of its edges, each counted whole at both ends; repulsion off the edges.

    apart: the same of the edges whose terms are finite.  off float64[n]: where finite; infinite bool[n]: where not.
    """

    edges: Terms
    apart: Terms
    off: Floats
    infinite: NDArray[np.bool_]


def all_pairs(
    weights: LossWeights,
    Y: ArrayLike,
    curve: Curve,
    potentials: list[str],
    rtol: float | None,
    plan: Plan | None = None,
) -> Pairs:
    """One sum over all pairs, for every loss whose columns v are the first of these weights'."""
    layout = checked_rows(weights, Y)
    sums = pair_sums(layout, potentials, weights.v, curve, rtol=rtol, plan=plan)
    theta = edge_theta(layout, weights.heads, weights.tails, curve)
    hidden = np.zeros(len(layout), dtype=bool)
    if curve.c == 0 and sums.n_coincident.any():
        hidden = sums.n_coincident > _n_at_ends(weights, np.isinf(theta))
    columns = {name: sums.values[:, place] for place, name in enumerate(potentials)}
    costs = costs_of(theta, clipped="repulsion_clipped" in potentials)
    return Pairs(layout, costs, columns, sums.n_coincident, hidden, sums.error, sums.plan)


def checked_rows(weights: LossWeights, Y: ArrayLike) -> NDArray[Any]:
    """The layout as an array with one row per vertex; `umapinfo.pairs` checks the rest."""
    layout, n = np.asarray(Y), len(weights.u)
    if layout.ndim != 2 or len(layout) != n:
        raise ValueError(
            f"layout Y: expected shape ({n}, d), a row per vertex of the graph, got {layout.shape}; "
            f"give the layout of this graph"
        )
    return layout


def _n_at_ends(weights: LossWeights, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many of some edges each vertex has, int64[n]."""
    ends = np.concatenate([weights.heads[chosen], weights.tails[chosen]])
    return np.bincount(ends, minlength=len(weights.u))


def _at_ends(weights: LossWeights, costs: Costs, rule: Convention, edges: Any = slice(None)) -> tuple[Terms, Floats]:
    """Per vertex the sums over its edges, or over some, of their terms, and of what u and v charge them, if finite."""
    targets = weights.clipped_targets if rule.clip else weights.targets
    out = np.zeros((len(weights.u), 6))
    some_targets, some_costs = Targets(*(one[edges] for one in targets)), Costs(*(one[edges] for one in costs))
    ends = weights.heads[edges], weights.tails[edges]
    add_at_ends(*ends, some_targets, some_costs, weights.charged[edges], rule.clip > 0, out)
    *terms, charged = np.ascontiguousarray(out.T)
    return Terms(*terms), charged


def _infinite(weights: LossWeights, pairs: Pairs, rule: Convention) -> NDArray[np.bool_]:
    """Whether a vertex has a coincident partner off its edges that costs +inf, B_ij > 0: bool[n]."""
    if rule.clip or not pairs.hidden.any():
        return pairs.hidden & False
    own = (weights.u * weights.v).sum(axis=1)  # B_ii = 0: no edges, or no repulsion at all
    infinite: NDArray[np.bool_] = pairs.hidden & (own > 0)
    everyone = np.arange(len(own))
    for i in np.flatnonzero(pairs.hidden & (own == 0)):  # B_ij > 0 if the partner has edges
        partners = edge_d2(pairs.Y, np.full_like(everyone, i), everyone) == 0
        infinite[i] = (weights.u[i] @ weights.v[partners].T).any()
    return infinite


def loss_parts(weights: LossWeights, pairs: Pairs, rule: Convention) -> Parts:
    """What a loss is put together of."""
    edges, charged = _at_ends(weights, pairs.costs, rule)
    apart, costs, u = edges, pairs.costs, weights.u
    if not np.isfinite(edges.bce).all():
        infinite = (np.isinf(costs.pulled) & (weights.A > 0)) | (np.isinf(costs.pushed) & (weights.B > 0))
        apart, _ = _at_ends(weights, costs, rule, ~infinite)
    everywhere = (u * pairs.sums[rule.potential][:, : u.shape[1]]).sum(axis=1)
    # Where a vertex's sum lies on its edges, the difference is what the sum is known to, which may be under 0.
    return Parts(edges, apart, np.maximum(everywhere - charged, 0.0), _infinite(weights, pairs, rule))


def loss_values(weights: LossWeights, pairs: Pairs, parts: Parts, rule: Convention) -> LossValues:
    """Put a loss together: the edges' own terms, the pairs off the edges, the diagonal."""
    edges, apart = (Terms(*(rule.multiplicity / 2 * term for term in terms)) for terms in (parts.edges, parts.apart))
    off, diagonal = rule.multiplicity / 2 * parts.off, rule.diagonal_loss(weights)
    repelled = np.where(parts.infinite, np.inf, off)
    repulsion = edges.repulsion + repelled + diagonal
    per_vertex = Terms(
        kl=edges.kl + repelled + diagonal,
        bce=edges.attraction + repulsion,
        entropy=edges.entropy,
        attraction=edges.attraction,
        repulsion=repulsion,
    )
    far = (off + diagonal).sum()
    return LossValues(
        convention=rule.name,
        **{name: float(values.sum()) for name, values in per_vertex._asdict().items()},
        kl_apart=float(apart.kl.sum() + far),
        bce_apart=float(apart.bce.sum() + far),
        entropy_apart=float(apart.entropy.sum()),
        n_coincident=int(pairs.n_coincident.sum()) // 2,
        pair_sum_error=pairs.error,
        plan=pairs.plan,
        per_vertex=per_vertex,
    )


def i_divergence_split(weights: LossWeights, pairs: Pairs, parts: Parts) -> IDivergence:
    """I(mu || q) as shape + mass, and the complement, from the purported weights and parts (unordered)."""
    mass_p, mass_q = float(weights.A.sum()), float(pairs.sums["similarity"][:, 0].sum() / 2)
    own, own_rest = weights.negative_entropy
    ratios = own + float(parts.edges.attraction.sum()) / 2  # sum mu ln(mu / q)
    with np.errstate(divide="ignore"):
        ratio_of_masses = mass_p * (np.log(mass_p) - np.log(mass_q)) if mass_p > 0 else 0.0
    off = np.where(parts.infinite, np.inf, parts.off).sum() / 2
    return IDivergence(
        divergence=ratios - mass_p + mass_q,
        shape=float(ratios - ratio_of_masses),
        mass=float(ratio_of_masses - mass_p + mass_q),
        complement=float(off + own_rest + parts.edges.repulsion.sum() / 2 + mass_p - mass_q),
    )
