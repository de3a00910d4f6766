"""A loss put together: one sum over all pairs, and the edges' own terms for what it charges them.

The formulas and what is finite when stand in `umapinfo.measures.loss`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from umapinfo.core.curve import Curve
from umapinfo.measures.bernoulli import Floats, Terms
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

    theta float64[m]: logits on the edges.  sums[potential] float64[n, r]: sum_{j != i} v_jr f(d_ij).
    hidden bool[n]: the vertex has a coincident partner off its edges, whose repulsion is infinite.
    error: estimated relative error of the sums of a vertex, 0 if they are exact.  plan: of the sums, or None.
    """

    Y: NDArray[Any]
    theta: Floats
    sums: dict[str, Floats]
    n_coincident: NDArray[np.int64]
    hidden: NDArray[np.bool_]
    error: float
    plan: Plan | None


class Parts(NamedTuple):
    """Of one loss: its terms on the edges; per vertex the finite repulsion off them, and whether it is +inf."""

    edges: Terms
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
    if curve.c == 0:
        hidden = sums.n_coincident > _at_ends(weights, np.isinf(theta))
    columns = {name: sums.values[:, place] for place, name in enumerate(potentials)}
    return Pairs(layout, theta, columns, sums.n_coincident, hidden, sums.error, sums.plan)


def checked_rows(weights: LossWeights, Y: ArrayLike) -> NDArray[Any]:
    """The layout as an array with one row per vertex; `umapinfo.pairs` checks the rest."""
    layout, n = np.asarray(Y), len(weights.u)
    if layout.ndim != 2 or len(layout) != n:
        raise ValueError(
            f"layout Y: expected shape ({n}, d), a row per vertex of the graph, got {layout.shape}; "
            f"give the layout of this graph"
        )
    return layout


def _at_ends(weights: LossWeights, values: NDArray[Any]) -> Floats:
    """Per vertex the sum of a value over its edges, float64[n]."""
    at_heads, at_tails = (np.bincount(e, values, len(weights.u)) for e in (weights.heads, weights.tails))
    return np.asarray(at_heads + at_tails, dtype=np.float64)


def _off_edges(weights: LossWeights, pairs: Pairs, rule: Convention) -> Floats:
    """Per vertex the repulsion off its edges, sum_j B_ij f(d_ij), where that is finite."""
    u = weights.u
    everywhere = (u * pairs.sums[rule.potential][:, : u.shape[1]]).sum(axis=1)
    on_edges = rule.repulsions(weights.charged, pairs.theta)
    on_edges[np.isinf(on_edges)] = 0.0  # pair_sums left them out
    # Where a vertex's sum lies on its edges, the difference is what the sum is known to, which may be under 0.
    return np.asarray(np.maximum(everywhere - _at_ends(weights, on_edges), 0.0))


def _infinite(weights: LossWeights, pairs: Pairs, rule: Convention) -> NDArray[np.bool_]:
    """Whether a vertex has a coincident partner off its edges that costs +inf, B_ij > 0: bool[n]."""
    own = (weights.u * weights.v).sum(axis=1)  # B_ii = 0: no edges, or no repulsion at all
    if rule.clip or not own.any():
        return np.zeros(len(own), dtype=bool)
    infinite: NDArray[np.bool_] = pairs.hidden & (own > 0)
    everyone = np.arange(len(own))
    for i in np.flatnonzero(pairs.hidden & (own == 0)):  # B_ij > 0 if the partner has edges
        partners = edge_d2(pairs.Y, np.full_like(everyone, i), everyone) == 0
        infinite[i] = (weights.u[i] @ weights.v[partners].T).any()
    return infinite


def loss_parts(weights: LossWeights, pairs: Pairs, rule: Convention) -> Parts:
    """What a loss is put together of."""
    edges = rule.terms(weights.A, weights.B, pairs.theta)
    return Parts(edges, _off_edges(weights, pairs, rule), _infinite(weights, pairs, rule))


def loss_values(weights: LossWeights, pairs: Pairs, parts: Parts, rule: Convention) -> LossValues:
    """Put a loss together: the edges' own terms, the pairs off the edges, the diagonal."""
    edges, off, diagonal = parts.edges, parts.off / 2, rule.diagonal_loss(weights)
    repelled = np.where(parts.infinite, np.inf, off)
    kl, entropy, attraction, repulsion = (
        rule.multiplicity * _at_ends(weights, values) / 2
        for values in (edges.kl, edges.entropy, edges.attraction, edges.repulsion)
    )
    repulsion = repulsion + rule.multiplicity * repelled + diagonal
    per_vertex = Terms(
        kl=kl + rule.multiplicity * repelled + diagonal,
        bce=attraction + repulsion,
        entropy=entropy,
        attraction=attraction,
        repulsion=repulsion,
    )
    finite = np.isfinite(edges.bce)
    kl_apart, bce_apart, entropy_apart = (rule.multiplicity * values[finite].sum() for values in edges[:3])
    far = (rule.multiplicity * off + diagonal).sum()
    return LossValues(
        convention=rule.name,
        **{name: float(values.sum()) for name, values in per_vertex._asdict().items()},
        kl_apart=float(kl_apart + far),
        bce_apart=float(bce_apart + far),
        entropy_apart=float(entropy_apart),
        n_coincident=int(pairs.n_coincident.sum()) // 2,
        pair_sum_error=pairs.error,
        plan=pairs.plan,
        per_vertex=per_vertex,
    )


def i_divergence_split(weights: LossWeights, pairs: Pairs, parts: Parts) -> IDivergence:
    """I(mu || q) as shape + mass, and the complement, from the purported weights and parts (unordered)."""
    mass_p, mass_q = float(weights.A.sum()), float(pairs.sums["similarity"][:, 0].sum() / 2)
    own, own_rest = weights.negative_entropy
    ratios = own + float(parts.edges.attraction.sum())  # sum mu ln(mu / q)
    with np.errstate(divide="ignore"):
        ratio_of_masses = mass_p * (np.log(mass_p) - np.log(mass_q)) if mass_p > 0 else 0.0
    off = np.where(parts.infinite, np.inf, parts.off).sum() / 2
    return IDivergence(
        divergence=ratios - mass_p + mass_q,
        shape=float(ratios - ratio_of_masses),
        mass=float(ratio_of_masses - mass_p + mass_q),
        complement=float(off + own_rest + parts.edges.repulsion.sum() + mass_p - mass_q),
    )
