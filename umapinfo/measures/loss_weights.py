r"""What a loss sums: the weights of either loss, how pairs are counted, and levels to judge a value by.

Both losses are sum_e A_e softplus(-theta_e) + B_e softplus(theta_e) (`umapinfo.measures.loss`).  A is mu, 0
off the edges; off the edges B has low rank, which is what lets one sum over all pairs serve:

    B_ij = sum_r u_ir v_jr
    purported    u = v = (1)                      and B = 1 - mu on the edges
    effective    u_i = (s_i, 1), v_j = (1, s_j)   on the edges too, s_i = gamma m_neg d_i / (2n)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import xlog1py, xlogy

from umapinfo.core.graph import Graph
from umapinfo.measures.bernoulli import Floats, Targets, Terms, pair_terms, targets_of
from umapinfo.pairs.potentials import CLIP, clipped_surprise

if TYPE_CHECKING:
    from umapinfo.core.settings import Descent


@dataclass(frozen=True)
class Convention:
    """How pairs are counted: once or twice, with the diagonal or without, ln x or ln min(x + clip, 1)."""

    name: str
    multiplicity: int
    diagonal: bool
    clip: float

    @property
    def potential(self) -> str:
        """The name of the repulsion in `umapinfo.pairs.potentials`."""
        return "repulsion_clipped" if self.clip else "repulsion"

    def terms(self, A: Floats, B: Floats, theta: Floats) -> Terms:
        """The terms of listed pairs, each counted once."""
        return pair_terms(A, B, theta, clipped=self.clip > 0)

    def diagonal_loss(self, weights: LossWeights) -> Floats:
        """What a vertex's pair with itself costs, q_ii = 1 and target 0: float64[n]; 0 if not counted."""
        if not self.diagonal:
            return np.zeros(len(weights.u))
        return np.asarray((weights.u * weights.v).sum(axis=1) * clipped_surprise(0.0))


CONVENTIONS = {
    convention.name: convention
    for convention in (
        Convention("unordered", multiplicity=1, diagonal=False, clip=0.0),
        Convention("ordered", multiplicity=2, diagonal=False, clip=0.0),
        Convention("damrich-hamprecht", multiplicity=2, diagonal=True, clip=CLIP),
    )
}


def checked_convention(name: str) -> Convention:
    """The convention of that name, or ValueError with the names there are."""
    if name not in CONVENTIONS:
        raise ValueError(f"convention: expected one of {', '.join(CONVENTIONS)}, got {name!r}")
    return CONVENTIONS[name]


@dataclass(frozen=True, eq=False)
class LossWeights:
    """The weights of a loss.

    Attributes
    ----------
    heads, tails : int32[m]
        Ends of the edges, head < tail: each edge once.
    A, B : float64[m]
        Weights of attraction and repulsion on the edges.
    u, v : float64[n, r]
        B_ij = sum_r u_ir v_jr, symmetric and >= 0, off the edges.
    """

    heads: NDArray[np.int32]
    tails: NDArray[np.int32]
    A: Floats
    B: Floats
    u: Floats
    v: Floats

    @cached_property
    def charged(self) -> Floats:
        """What u and v charge the edges for repulsion, float64[m]; B is what they have."""
        return np.asarray(np.einsum("er,er->e", self.u[self.heads], self.v[self.tails]))

    @cached_property
    def _numbers(self) -> csr_array:
        """The number of each edge, in both directions, int64[n, n]; edges are listed once."""
        ends = np.concatenate([self.heads, self.tails]), np.concatenate([self.tails, self.heads])
        return csr_array((np.tile(np.arange(len(self.heads)), 2), ends), shape=(len(self.u), len(self.u)))

    def both_ways(self, values: Floats) -> csr_array:
        """Values float64[m] of the edges, as a matrix [n, n] that has each in both directions."""
        numbers = self._numbers
        return csr_array((values[numbers.data], numbers.indices, numbers.indptr), shape=numbers.shape)

    @cached_property
    def targets(self) -> Targets:
        """The targets of the edges."""
        return targets_of(self.A, self.B)

    @cached_property
    def clipped_targets(self) -> Targets:
        """The same with clipped logarithms."""
        return targets_of(self.A, self.B, clipped=True)

    @cached_property
    def negative_entropy(self) -> tuple[float, float]:
        """Sums over the edges of A ln A and of B ln(1 - A): for the purported weights the parts of -H."""
        return float(xlogy(self.A, self.A).sum()), float(xlog1py(self.B, -self.A).sum())


def purported_weights(graph: Graph) -> LossWeights:
    """A = mu, B = 1 - mu: the loss of UMAP's paper.  The graph is the pruned one."""
    heads, tails, mu = _edges(graph)
    ones = np.ones((graph.n_vertices, 1))
    return LossWeights(heads, tails, mu, 1 - mu, ones, ones)


def effective_weights(graph: Graph, descent: Descent) -> LossWeights:
    """A = mu, B = gamma m_neg (d_i + d_j)/(2n): what sampling descends.  The graph is the pruned one."""
    heads, tails, mu = _edges(graph)
    push = descent.repulsion_strength * descent.negative_sample_rate * graph.degree / (2 * graph.n_vertices)
    ones = np.ones_like(push)
    B = push[heads] + push[tails]
    return LossWeights(heads, tails, mu, B, np.column_stack([push, ones]), np.column_stack([ones, push]))


def _edges(graph: Graph) -> tuple[NDArray[np.int32], NDArray[np.int32], Floats]:
    """Heads, tails and mu of the edges, each once (head < tail)."""
    edge = graph.heads < graph.indices
    return graph.heads[edge], graph.indices[edge], graph.weight[edge].astype(np.float64)


class ReferenceLosses(NamedTuple):
    """Values of the BCE that need no layout, to judge one by; nats.

    purported_target, effective_target: at q = nu*, where the loss is its entropy, the least there is.
    purported_empty, effective_empty: at q = 0 off the diagonal; +inf if there are edges and no clip.
    purported_constant: at q = mean mu on every pair, the Erdos-Renyi graph of the same mean degree.
    """

    purported_target: float
    purported_empty: float
    purported_constant: float
    effective_target: float
    effective_empty: float


def reference_losses(graph: Graph, descent: Descent, *, convention: str = "unordered") -> ReferenceLosses:
    """The levels of both losses at similarities that no layout has: the target, none, a constant.

    Parameters
    ----------
    graph : Graph
        The pruned graph (mu).
    descent : Descent
        Gives gamma and m_neg of the effective loss.
    convention : str
        One of CONVENTIONS.  With the diagonal, q_ii = 1 at the empty and the constant level, as in a layout.

    Raises
    ------
    ValueError
        If there is no such convention.
    """
    rule = checked_convention(convention)
    purported, effective = purported_weights(graph), effective_weights(graph, descent)
    n_pairs, mass = graph.n_vertices * (graph.n_vertices - 1) / 2, purported.A.sum()
    # All pairs have the same q there: they are one pair with the weights of all, and q is its target.
    constant = rule.terms(np.array([mass]), np.array([n_pairs - mass]), np.zeros(1)).entropy.sum()
    return ReferenceLosses(
        purported_target=_target(purported, rule),
        purported_empty=_empty(purported, rule),
        purported_constant=float(rule.multiplicity * constant + rule.diagonal_loss(purported).sum()),
        effective_target=_target(effective, rule),
        effective_empty=_empty(effective, rule),
    )


def _target(weights: LossWeights, rule: Convention) -> float:
    """The entropy: off the edges and on the diagonal the target is 0, which costs nothing."""
    terms = rule.terms(weights.A, weights.B, np.zeros_like(weights.A))
    return float(rule.multiplicity * terms.entropy.sum())


def _empty(weights: LossWeights, rule: Convention) -> float:
    """The loss of the layout with all points infinitely far from each other."""
    terms = rule.terms(weights.A, weights.B, np.full_like(weights.A, -np.inf))
    return float(rule.multiplicity * terms.bce.sum() + rule.diagonal_loss(weights).sum())
