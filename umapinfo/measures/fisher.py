r"""The Fisher metric of a layout's edge probabilities, and the Hessian of a loss: products, blocks of vertices.

A layout Y says that pair e = (i, j) is an edge with probability q_e, independently of the others.  With theta = logit q
and the weights A, B of a loss (`umapinfo.measures.loss_weights`; A + B = 1 for the purported loss),

    L = sum_e A softplus(-theta) + B softplus(theta),
    G = sum_e (A + B) q (1 - q) (d theta)(d theta)^T,           H = d^2 L = G + sum_e (B q - A (1 - q)) d^2 theta.

G is the Fisher metric of that product of Bernoulli variables (each seen A + B times), pulled back to the layout, and
the Gauss-Newton part of the Hessian.  Each is a sum over pairs of M_e on the differences Delta = y_i - y_j: M_e stands
in the blocks ii and jj, -M_e in ij and ji, so that (G v)_i = sum_j M_ij (v_i - v_j).  With d = |Delta|, unit vector u,
r = a d^2b / (c + a d^2b) (1 for UMAP's c = 0) and w = (2 b r / d^2) (A (1 - q) - B q), which is (2 b / d^2) (p - q) for
the purported loss,

    M_e of G       g u u^T,      g = (A + B) 4 b^2 r^2 q (1 - q) / d^2      springs along the bars of a framework
    M_e of H - G   w [1 - (2 - 2 b (1 - r)) u u^T]                          0 where p = q

- G is positive semi-definite.  Translations and rotations of the layout do not change it: its null space, and no more,
  unless the points lie in fewer dimensions than the layout has (n + 1 for n >= 2 points on a line of the plane).
- Y^T G Y = 4 b^2 sum_e (A + B) q (1 - q) if c = 0: dilation shifts every theta alike.
- In m dimensions tr H_ii = tr G_ii + sum_j w_ij (m - 2 + 2 b (1 - r_ij)).  So in the plane, with c = 0, the traces are
  equal for every layout, graph and weights: ln d is harmonic there.
- Where the layout has the density rho around a vertex (points per unit area, in the plane), with A + B = 1 and c = 0,

      tr G_ii = rho int g 2 pi d dd = 4 pi b rho,      det(G_ii)^(1/2) = 2 pi b rho      in the mean,

  whatever a is, as q'(d) = -2 b q (1 - q) / d: the information that edges give on a vertex's place is the density.

All over unordered pairs, in nats / layout unit^2.  Pairs at distance 0 have no u: they are left out, and their number
is said.  (With c > 0 and b >= 1 the Hessian is finite there, and counted.)  Coordinate a of vertex i is at m i + a.
"""

import numpy as np
from numpy.typing import ArrayLike

from umapinfo.core.curve import Curve
from umapinfo.measures.layout_operator import Form, LayoutOperator, VertexBlocks, vertex_blocks
from umapinfo.measures.loss_sums import checked_rows
from umapinfo.measures.loss_weights import LossWeights
from umapinfo.pairs import Plan
from umapinfo.pairs.sums import RTOL, checked_layout

FISHER = Form((None, "fisher_tensor"), (None, "fisher_tensor"))
HESSIAN = Form(("attraction_slope", "attraction_tensor"), ("repulsion_slope", "repulsion_tensor"))


def fisher_blocks(
    Y: ArrayLike,
    curve: Curve,
    *,
    weights: LossWeights | None = None,
    rtol: float | None = RTOL,
    plan: Plan | None = None,
) -> VertexBlocks:
    """The blocks G_ii of the Fisher metric: the information that all pairs together give on each vertex's place.

    Parameters
    ----------
    Y : float[n, m], layout units
    curve : Curve
    weights : LossWeights, optional
        Pair e counts A_e + B_e times.  None: once, as for the purported loss of any graph.
    rtol, plan
        As for `umapinfo.pairs.pair_sums`, moment 2: up to 4,000 points, and with None, sums are exact.

    Returns
    -------
    VertexBlocks

    Raises
    ------
    TypeError, ValueError
        If the layout is not a finite numeric array with one row per vertex, or curve, rtol or plan are none.
    """
    layout = checked_layout(Y)
    known = weights or each_pair_once(len(layout))
    return vertex_blocks(known, checked_rows(known, layout), curve, FISHER, rtol, plan)


def fisher_metric(
    Y: ArrayLike,
    curve: Curve,
    *,
    weights: LossWeights | None = None,
    rtol: float | None = RTOL,
    plan: Plan | None = None,
) -> LayoutOperator:
    """The Fisher metric G of a layout as an operator: G @ v, v float64[n m].

    Parameters and errors are those of `fisher_blocks`; formulas: the module's docstring.
    """
    layout = checked_layout(Y)
    return LayoutOperator(weights or each_pair_once(len(layout)), layout, curve, FISHER, rtol, plan)


def hessian(
    weights: LossWeights, Y: ArrayLike, curve: Curve, *, rtol: float | None = RTOL, plan: Plan | None = None
) -> LayoutOperator:
    """The Hessian H of a loss as an operator; hessian(weights, Y, curve) - fisher_metric(...) is its residual.

    Parameters
    ----------
    weights : LossWeights
        Of the loss: `purported_weights(graph)` or `effective_weights(graph, descent)`, of the pruned graph.
    Y, curve, rtol, plan
        As for `fisher_blocks`.

    Raises
    ------
    TypeError, ValueError
        As `fisher_blocks`.
    """
    return LayoutOperator(weights, Y, curve, HESSIAN, rtol, plan)


def each_pair_once(n: int) -> LossWeights:
    """Weights of no edges, and of A + B = 1 for every pair of n vertices."""
    ends, none, ones = np.empty(0, dtype=np.int32), np.empty(0), np.ones((n, 1))
    return LossWeights(ends, ends, none, none, ones, ones)
