r"""Losses to be minimised: value and gradient of a layout as one function.

    L(Y) = energy of all pairs (`umapinfo.pairs.energy`) + sum over the edges of what they have beyond it,

both by one plan, so that the gradient is that of the value given.  `purported` and `effective` make UMAP's two, in
their binary cross-entropy (KL is less by a constant); the formulas stand in `umapinfo.measures.loss`.

**Where there is a least.**  Both attract along the edges without bound, and repel all pairs less and less.  If the
graph is connected, no layout that is wide or has two points close is low, and there is one with the least loss.  If it
is not, its components repel each other at every distance: the loss falls for ever as they fly apart.

**Scale.**  Along sY the loss has one least, where dL/d ln s = sum_i y_i . dL/dy_i = 0.  For UMAP (c = 0) that is

    sum_e A_e (1 - q_e) = sum_e B_e q_e,      for the purported loss  sum_e q_e = sum_e mu_e,

so it holds at every minimum, too.  `dilated` puts a layout there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.sparse.csgraph import connected_components

from umapinfo.core.curve import Curve, checked_curve
from umapinfo.core.graph import Graph
from umapinfo.core.settings import Descent
from umapinfo.measures.bernoulli import Floats
from umapinfo.measures.loss_sums import checked_rows
from umapinfo.measures.loss_weights import LossWeights, effective_weights, purported_weights
from umapinfo.pairs import Plan, edge_costs, edge_d2, edge_potentials, laplacian_product, pair_sums
from umapinfo.pairs.energy import Energy, energy_plan, pair_energy
from umapinfo.pairs.sums import RTOL, checked_layout

RATES = ("repulsion_strength", "negative_sample_rate")  # what of a descent the effective loss is made of
ROUGHLY = 1e-2  # rtol of curvatures
LEAST = 1e-9  # of the largest curvature
WIDEST = 2.0**64  # of the scales that are tried


class ValueAndGradient(NamedTuple):
    """A loss in nats, +inf where a coincident pair costs that, and its gradient float64[n, d] in nats / layout unit."""

    value: float
    gradient: Floats


@dataclass(frozen=True, eq=False)
class Loss:
    """A loss of layouts, sum over pairs of A softplus(-theta) + B softplus(theta).

    Another sum over pairs is a subclass with its own `energy`, `beyond` and `n_infinite`; how stiff it is, minimisers
    take from the weights.

    Attributes
    ----------
    name : str
    graph : Graph
        The pruned graph (mu).
    weights : LossWeights
    settings : mapping
        What beside the graph it is made of, for a trace to say.
    """

    name: str
    graph: Graph
    weights: LossWeights
    settings: Mapping[str, float] = field(default_factory=dict)

    @property
    def energy(self) -> Energy:
        """What it charges all pairs, the edges too."""
        n_columns = self.weights.v.shape[1]
        # u is v with its columns in reverse: (1), or (s, 1) of (1, s)
        return Energy(["repulsion"], ["repulsion_slope"], np.ones(1), self.weights.v, np.eye(n_columns)[::-1].copy())

    def plan(self, Y: Floats, curve: Curve, rtol: float | None = RTOL) -> Plan | None:
        """A plan for layouts near this one, as `umapinfo.pairs.energy.energy_plan` gives it."""
        return energy_plan(Y, self.energy, curve, rtol)

    def value_and_gradient(self, Y: Floats, curve: Curve, plan: Plan | None = None) -> ValueAndGradient:
        """The loss and its gradient, by a plan or exactly.

        Parameters
        ----------
        Y : float64[n, d], layout units
            Finite, a row per vertex.
        curve : Curve
        plan : Plan or None

        Returns
        -------
        ValueAndGradient
        """
        everywhere = pair_energy(Y, self.energy, curve, plan)
        beyond, slopes = self.beyond(Y, curve)
        value, gradient = everywhere.value + float(beyond.sum()), everywhere.gradient
        gradient += laplacian_product(self.weights.both_ways(slopes), Y)
        if everywhere.n_coincident and self.n_infinite(Y, curve, everywhere.n_coincident):
            value = np.inf
        return ValueAndGradient(value, gradient)

    def beyond(self, Y: Floats, curve: Curve) -> tuple[Floats, Floats]:
        """What each edge costs beyond its energy, and the slope of that over its length, float64[m] each."""
        weights = self.weights
        return edge_costs(Y, weights.heads, weights.tails, curve, weights.A, weights.B - weights.charged)

    def curvature(self, Y: Floats, curve: Curve, everywhere: Floats) -> Floats:
        """How stiff the loss is at each vertex if the others stand still, float64[n, 1] > 0, nats / layout unit^2.

        tr G_ii / d + sum_j A_ij f'(d_ij) / d_ij: the mean curvature of the Fisher metric (in the plane the Hessian's,
        too), and that of parabolas which touch the attraction f along the edges and, for b <= 1, lie above it.  Where a
        vertex is far from its neighbours the former is next to nothing, and the latter says how far it may go.

        everywhere float64[n, 1]: `curvature_everywhere` of this layout, or of one near it; the edges, by which the
        stiffness changes fast, are taken anew.  Vertices that feel next to nothing get 1e-9 of the largest.
        """
        weights = self.weights
        fisher, slope = edge_potentials(Y, weights.heads, weights.tails, curve, ("fisher", "attraction_slope"))
        more = (weights.A + weights.B - weights.charged) * fisher / Y.shape[1] + weights.A * slope
        stiffness = everywhere[:, 0].copy()
        for ends in (weights.heads, weights.tails):
            stiffness += np.bincount(ends, more, len(Y))
        largest = float(stiffness.max())
        return np.maximum(stiffness, LEAST * largest if largest > 0 else 1.0)[:, np.newaxis]

    def stiffness(self, Y: Floats, curve: Curve) -> Floats:
        """A f'(d)/d of the attraction f at each edge, float64[m] >= 0, nats / layout unit^2; 0 where infinite."""
        weights = self.weights
        slope = edge_potentials(Y, weights.heads, weights.tails, curve, ("attraction_slope",))[0]
        return np.asarray(weights.A * slope)

    def curvature_everywhere(self, Y: Floats, curve: Curve) -> Floats:
        """The part of `curvature` that all pairs are charged, the edges too, float64[n, 1]: to a few percent."""
        sums = pair_sums(Y, "fisher", self.weights.v, curve, rtol=ROUGHLY).values[:, 0]
        return (self.weights.u * sums).sum(axis=1, keepdims=True) / Y.shape[1]

    def n_infinite(self, Y: Floats, curve: Curve, n_coincident: int) -> int:
        """How many coincident pairs cost +inf: but for edges with B = 0, and two vertices that repel nobody."""
        if curve.c > 0:
            return 0
        heads, tails, B = self.weights.heads, self.weights.tails, self.weights.B
        idle = (self.weights.u * self.weights.v).sum(axis=1) == 0
        free = (edge_d2(Y, heads, tails) == 0) & (B == 0) & ~(idle[heads] & idle[tails])
        together = np.unique(Y[idle], axis=0, return_counts=True)[1] if idle.any() else np.zeros(1, int)
        return n_coincident - int(free.sum()) - int((together * (together - 1) // 2).sum())


def purported(graph: Graph) -> Loss:
    """The loss of UMAP's paper, A = mu and B = 1 - mu; the graph is the pruned one."""
    return Loss("purported", graph, purported_weights(graph))


def effective(graph: Graph, descent: Descent) -> Loss:
    """The loss that negative sampling descends, A = mu and B = gamma m_neg (d_i + d_j)/(2n); the graph is pruned.

    Of the descent, gamma (repulsion_strength) and m_neg (negative_sample_rate) are read.
    """
    read = {name: getattr(descent, name) for name in RATES}
    return Loss("effective", graph, effective_weights(graph, descent), read)


def check_connected(graph: Graph) -> None:
    """ValueError unless the graph is connected: of others the losses have no least value (the module's docstring)."""
    n_components, labels = connected_components(graph.to_csr(), directed=False)
    if n_components > 1:
        sizes = [str(size) for size in np.sort(np.bincount(labels))[::-1]]
        raise ValueError(
            f"graph: expected a connected one, got {n_components} components of {', '.join(sizes[:5])}"
            f"{', ...' if n_components > 5 else ''} vertices, which repel each other at any distance: no layout has "
            "the least loss; take one component, or a graph of more neighbours"
        )


def dilated(loss: Loss, curve: Curve, Y: ArrayLike, *, rtol: float | None = RTOL) -> Floats:
    """The layout sY of the scale s > 0 at which a loss is least: where sum q = sum mu, for the purported one.

    Where a minimiser should start from: of a layout with too much similarity, most of the loss goes by dilation alone.

    Parameters
    ----------
    loss : Loss
    curve : Curve
    Y : float[n, d], layout units
    rtol : float or None
        Of the sums over all pairs: s is found to about as much.

    Returns
    -------
    float64[n, d]

    Raises
    ------
    TypeError, ValueError
        As for the losses; a layout with all points in one place; no scale is best: a graph without edges (the wider the
        better), or one whose every pair is an edge of weight 1, or a loss without repulsion (the narrower the better).
    """
    curve, layout = checked_curve(curve), checked_layout(checked_rows(loss.weights, Y))
    attraction, repulsion, rounding = _totals(loss.weights)
    if not attraction > 0 or not repulsion > rounding:
        raise _no_scale(loss, wider=not attraction > 0)
    if (layout == layout[0]).all():
        raise ValueError(
            f"layout Y: expected points apart, got all {len(layout)} at {layout[0]}, the same at any scale"
        )

    @cache  # brentq asks anew for its ends
    def pull(log2_scale: float) -> float:
        """DL / d ln s."""
        moved = 2.0**log2_scale * layout
        return float((moved * loss.value_and_gradient(moved, curve, loss.plan(moved, curve, rtol)).gradient).sum())

    way = 1.0 if pull(0.0) < 0 else -1.0
    step = 1.0
    while way * pull(way * step) < 0:
        step *= 2
        if step > np.log2(WIDEST):
            raise _no_scale(loss, wider=way > 0, tried=True)
    found = brentq(pull, *sorted((0.0, way * step)), xtol=(RTOL if rtol is None else rtol) / 2)
    return np.asarray(2.0**found * layout)


def _totals(weights: LossWeights) -> tuple[float, float, float]:
    """Sum A and sum B over all pairs, and what of the latter may be rounding."""
    u, v = weights.u, weights.v
    charged = float(u.sum(axis=0) @ v.sum(axis=0) - (u * v).sum()) / 2
    return float(weights.A.sum()), charged + float((weights.B - weights.charged).sum()), 1e-12 * charged


def _no_scale(loss: Loss, wider: bool, tried: bool = False) -> ValueError:
    """The error of a layout that is the better the wider, or the narrower it is, of all scales or of those tried."""
    return ValueError(
        f"layout Y: expected a scale at which the {loss.name} loss is least, got one that is better the "
        f"{'wider' if wider else 'narrower'} Y is{' within a factor of 2^64' if tried else ''}; "
        f"give {'a layout nearer to the size of the curve, or ' if tried else ''}"
        "a graph with some edges of weight under 1"
    )
