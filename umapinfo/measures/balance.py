r"""Whether attraction and repulsion balance, as they must at every stationary layout of a loss, and how wide that is.

**Virial.**  Scaling Y to e^t Y moves every logit by t theta'(d) d = -2b rho t, rho = a d^(2b) / (c + a d^(2b)) (1 for
UMAP's c = 0).  With the weights A, B of a loss (`umapinfo.measures.loss_weights`), sums over unordered pairs,

    dL/dt = 2b (sum A rho (1 - q) - sum B rho q) = 2b (attraction - repulsion) = sum_i y_i . dL/dy_i,

so that at any stationary layout attraction = repulsion.  Of the purported loss that says

    sum rho q = sum rho p:    as many edges in the layout as in the graph           (mass ratio 1)

and of the effective one Gamma = attraction / repulsion = 1 with the repulsion that all samples' heads and tails would
have.  Where heads alone are pushed half of it acts: Gamma near 1/2, if degrees do not go with the place.  No loss is
needed for

    gamma_eff = sum mu rho (1 - q) / sum rho q,

the weight that repulsion, the same for all pairs, would need for balance: a stationary layout of the effective loss has
there the mean of gamma m_neg (d_i + d_j) / (2n) by rho q, about m_neg d / n.  It can be read off any layout.

**Diameter.**  q falls with the distance, so all pairs have q >= q(diameter).  With c = 0 and sum q = sum p = n d / 2, d
the mean degree, a stationary layout of the purported loss has

    q(diameter) <= d / (n - 1),    diameter >= [((n - 1) / d - 1) / a]^(1 / 2b),

which grows with n.  (The effective loss, whose repulsion falls with n, gives no such bound.)

Pairs at distance 0 move nowhere when a layout is scaled: they are left out of all sums, and counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from umapinfo.core.curve import Curve, checked_curve
from umapinfo.core.graph import Graph
from umapinfo.measures.bernoulli import Floats
from umapinfo.measures.loss_sums import checked_rows
from umapinfo.measures.loss_weights import LossWeights, effective_weights, purported_weights
from umapinfo.pairs import edge_d2, edge_potentials, pair_sums
from umapinfo.pairs.sums import RTOL, checked_layout

if TYPE_CHECKING:
    from umapinfo.core.settings import Descent

BLOCK = 4_000_000  # distances at a time
MARGIN = 1e-9  # relative: by which more points are looked at than need be, for rounding


@dataclass(frozen=True, eq=False, kw_only=True)
class Balance:
    """Attraction and repulsion of a loss at a layout, over the pairs apart (formulas: the module's docstring).

    Attributes
    ----------
    attraction, repulsion : float
        Sums of A rho (1 - q) and of B rho q.
    mass, layout_mass : float
        Sums of rho p and of rho q: without rho, the edges of the graph and of the layout.
    dilation : float, nats
        dL/dt of Y to e^t Y: positive where the loss would have the layout smaller.
    n_coincident : int
        Unordered pairs at distance 0.
    pair_sum_error : float
        Estimated relative error of a vertex's sum over all pairs, 0 where that is exact.
    """

    attraction: float
    repulsion: float
    mass: float
    layout_mass: float
    dilation: float
    n_coincident: int
    pair_sum_error: float

    @property
    def virial_ratio(self) -> float | None:
        """Gamma = attraction / repulsion: 1 at a stationary layout; None without repulsion."""
        return _ratio(self.attraction, self.repulsion)

    @property
    def mass_ratio(self) -> float | None:
        """Sum rho q / sum rho p: 1 at a stationary layout of the purported loss; None without edges."""
        return _ratio(self.layout_mass, self.mass)

    @property
    def gamma_eff(self) -> float | None:
        """Attraction / sum rho q: what all pairs' repulsion would have to weigh; None where no pair is apart."""
        return _ratio(self.attraction, self.layout_mass)


def _ratio(one: float, other: float) -> float | None:
    return one / other if other > 0 else None


def purported_balance(graph: Graph, Y: ArrayLike, curve: Curve, *, rtol: float | None = RTOL) -> Balance:
    """The balance in the loss of UMAP's paper.

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
    Balance

    Raises
    ------
    TypeError, ValueError
        If the layout is not a finite numeric array with one row per vertex, or curve or rtol are none.
    """
    return balance(purported_weights(graph), Y, curve, rtol=rtol)


def effective_balance(
    graph: Graph, descent: Descent, Y: ArrayLike, curve: Curve, *, rtol: float | None = RTOL
) -> Balance:
    """The balance in the loss that negative sampling descends, whose virial ratio gauges a run.

    Parameters
    ----------
    graph, Y, curve, rtol
        As for `purported_balance`.
    descent : Descent
        Gives gamma (repulsion_strength) and m_neg (negative_sample_rate).

    Returns
    -------
    Balance

    Raises
    ------
    TypeError, ValueError
        As for `purported_balance`.
    """
    return balance(effective_weights(graph, descent), Y, curve, rtol=rtol)


def balance(weights: LossWeights, Y: ArrayLike, curve: Curve, *, rtol: float | None = RTOL) -> Balance:
    """The balance of any weights whose first column v is of ones.

    The slopes f'(d)/d of attraction and repulsion times d^2 are 2b rho (1 - q) and -2b rho q: the trace of the second
    moment, to which pairs at distance 0 add nothing.
    """
    layout, curve = checked_rows(weights, Y), checked_curve(curve)
    sums = pair_sums(layout, "repulsion_slope", weights.v, curve, moment=2, rtol=rtol)
    everywhere = -np.trace(sums.values[:, 0], axis1=2, axis2=3) / (2 * curve.b)
    d2 = edge_d2(layout, weights.heads, weights.tails)
    slopes = edge_potentials(layout, weights.heads, weights.tails, curve, ("attraction_slope", "repulsion_slope"))
    pulled, pushed = slopes * [[1], [-1]] * d2 / (2 * curve.b)
    attraction = float((weights.A * pulled).sum())
    repulsion = float((weights.u * everywhere).sum() / 2 + ((weights.B - weights.charged) * pushed).sum())
    return Balance(
        attraction=attraction,
        repulsion=repulsion,
        mass=float((weights.A * (pulled + pushed)).sum()),
        layout_mass=float(everywhere[:, 0].sum() / 2),
        dilation=2 * curve.b * (attraction - repulsion),
        n_coincident=int(sums.n_coincident.sum()) // 2,
        pair_sum_error=sums.error,
    )


def layout_diameter(Y: ArrayLike) -> float:
    """The largest distance of two points of a layout, exactly.

    A point at r from the middle is within r + r_max of all others: where that is less than a distance already found,
    it is at no end of the largest.  Of what is left all pairs are looked at.

    Parameters
    ----------
    Y : float[n, d], layout units

    Returns
    -------
    float, layout units
        0.0 for one point.

    Raises
    ------
    TypeError, ValueError
        If Y is not a finite numeric [n, d] array.
    """
    layout = checked_layout(Y)
    radius = _distances(layout, (layout.max(axis=0) + layout.min(axis=0)) / 2)
    found, end = 0.0, layout[np.argmax(radius)]
    for _ in range(2):
        distance = _distances(layout, end)
        found, end = max(found, distance.max()), layout[np.argmax(distance)]
    if found == 0:
        return 0.0
    outer = layout[radius + radius.max() >= found * (1 - MARGIN)]
    step = max(BLOCK // len(outer), 1)
    for start in range(0, len(outer), step):
        found = max(found, cdist(outer[start : start + step], outer[start:]).max())
    return float(found)


def _distances(layout: Floats, point: Floats) -> Floats:
    return np.asarray(cdist(layout, point[np.newaxis])[:, 0])


def least_diameter(graph: Graph, curve: Curve) -> float:
    """What the diameter of every stationary layout of the purported loss is at least.

    Parameters
    ----------
    graph : Graph
        The pruned graph (mu).
    curve : Curve
        With c = 0.

    Returns
    -------
    float, layout units
        [((n - 1) / d - 1) / a]^(1 / 2b) with the mean degree d: of any number of dimensions.  +inf without edges, as
        then nothing holds points together.

    Raises
    ------
    TypeError, ValueError
        If the curve is none or has c > 0, where no bound follows from sum rho q = sum rho p.
    """
    curve = checked_curve(curve)
    if curve.c != 0:
        raise ValueError(f"least_diameter: expected a curve with c = 0, got c={curve.c}; there is no bound for others")
    mean_degree = graph.degree.mean()
    if mean_degree == 0:
        return float(np.inf)
    odds = max((graph.n_vertices - 1) / mean_degree - 1, 0.0)
    return float((odds / curve.a) ** (1 / (2 * curve.b)))
