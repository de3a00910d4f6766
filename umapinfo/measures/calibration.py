r"""UMAP's loss in three parts: what no layout can do, what this layout leaves, and what its a and b are off.

With H = sum h(p) and q* the m-projection of the targets p on the similarities of all curves at the fixed layout,
theta = alpha + beta ln d (`umapinfo.measures.projection`), exactly

    BCE(Y) = H + KL(p || q*) + KL(q* || q_Y)
             irreducible   layout residual   miscalibration of (a, b)

as UMAP's own q_Y is a member of that family.  The residual and the layout's share below do not change when the layout
is scaled: another scale is another alpha.  So is the constant q = mean p of all pairs (Erdos and Renyi's random graph),
beta = 0, a layout without structure:

    KL(p || mean p) = KL(p || q*) + KL(q* || mean p)
    pseudo-R2 = 1 - KL(p || q) / KL(p || mean p)      of q_Y: below 0 where the loss is worse than the constant's;
                                                      of q*: in [0, 1]
    bits per vertex = KL(q* || mean p) / (n ln 2) = [KL(p || mean p) - KL(p || q*)] / (n ln 2)

Each KL is a sum of its own formula over the pairs, none a difference.  All are over the unordered pairs apart (d > 0):
coincident ones have q = 1 in every layout at every scale, and cost +inf if p < 1 (`purported_loss` says so).

**Sums.**  Edges are summed one by one, the other pairs in classes of distance (`umapinfo.pairs.classes`): up to 1,000
points a class is one distance, above, sums are within `class_error` of -sum ln(1 - q).  The identities hold for either
to rounding, as the classes are a set of pairs themselves.

Source: the identities are Pythagoras's in the exponential family, Amari (2016), chapter 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from umapinfo.core.curve import Curve, checked_curve
from umapinfo.core.graph import Graph
from umapinfo.measures.bernoulli import Floats, pair_terms
from umapinfo.measures.loss_sums import checked_rows
from umapinfo.measures.loss_weights import LossWeights, purported_weights
from umapinfo.measures.projection import LogPairs, m_projection
from umapinfo.pairs import distance_classes, edge_d2

BINS_PER_OCTAVE = 4  # of the distance


class Reliability(NamedTuple):
    """Pairs by distance, nearest first, in bins of a quarter of an octave that hold some; float64[k].

    distance: the bin's middle (geometric), layout units.  p, q, calibrated: means of the targets, of the layout's
    similarities and of q*.  n_pairs int64[k]: unordered pairs.  q falls with the distance: bins of d are bins of q.
    """

    distance: Floats
    p: Floats
    q: Floats
    calibrated: Floats
    n_pairs: NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Calibration:
    """The parts of the loss of UMAP's paper, in nats, over the pairs apart; formulas: the module's docstring.

    Attributes
    ----------
    bce, kl, entropy : float
        The loss of q_Y, as cross entropy and as KL(p || q_Y), and H.
    residual : float
        KL(p || q*): what the layout leaves at the best a and b.
    miscalibration : float
        KL(q* || q_Y).
    constant : float
        KL(p || mean p).
    explained : float
        KL(q* || mean p).
    alpha, beta : float or None
        Of q*: alpha + beta ln d, d in layout units; None where no finite ones are the only optimum.
    slopes : (float, float)
        Sums of q* - p and of (q* - p) ln d: 0 up to rounding.
    n_vertices, n_pairs, n_coincident : int
        Vertices, pairs apart, pairs at distance 0.
    class_error : float
        Bound of the error of a sum of -ln(1 - q), relative to it; 0 up to 1,000 points (rounding is not counted).
    reliability : Reliability
        Whether q means what it says: mean p of the pairs with about that q.
    """

    bce: float
    kl: float
    entropy: float
    residual: float
    miscalibration: float
    constant: float
    explained: float
    alpha: float | None
    beta: float | None
    slopes: tuple[float, float]
    n_vertices: int
    n_pairs: int
    n_coincident: int
    class_error: float
    reliability: Reliability

    @property
    def curve(self) -> Curve | None:
        """The curve of q*; None where there is none: b <= 0, no finite optimum, or an a that float64 does not hold."""
        if self.alpha is None or self.beta is None or self.beta >= 0 or abs(self.alpha) > 700:
            return None
        return Curve(math.exp(-self.alpha), -self.beta / 2)

    @property
    def pseudo_r2(self) -> float | None:
        """1 - KL(p || q_Y) / KL(p || mean p); None where p is a constant."""
        return 1 - self.kl / self.constant if self.constant > 0 else None

    @property
    def calibrated_pseudo_r2(self) -> float | None:
        """KL(q* || mean p) / KL(p || mean p), in [0, 1]; None where p is a constant."""
        return self.explained / (self.explained + self.residual) if self.constant > 0 else None

    @property
    def bits_per_vertex(self) -> float:
        """What the layout tells of the graph, beyond its number of edges: KL(q* || mean p) in bits a vertex."""
        return self.explained / (self.n_vertices * math.log(2))


def calibrate(graph: Graph, Y: ArrayLike, curve: Curve) -> Calibration:
    """The loss of UMAP's paper, split in H, layout residual and miscalibration of (a, b); and how p goes with q.

    Parameters
    ----------
    graph : Graph
        The pruned graph: its weights are the targets p.
    Y : float[n, d], layout units
    curve : Curve
        With c = 0; others are in no family that (a, b) spans.

    Returns
    -------
    Calibration
        Time n^2: some 10 s of one core for 70,000 points.

    Raises
    ------
    TypeError, ValueError
        If the layout is not a finite numeric array with one row per vertex, or the curve is none or has c > 0.
    """
    curve = checked_curve(curve)
    if curve.c != 0:
        raise ValueError(f"calibrate: expected a curve with c = 0, got c={curve.c}; (a, b) span no family with others")
    weights = purported_weights(graph)
    pairs, n_coincident, width = _log_pairs(weights, checked_rows(weights, Y))
    theta = -math.log(curve.a) - 2 * curve.b * pairs.log_d
    best = m_projection(pairs)
    terms = pair_terms(pairs.n_pairs * pairs.p, pairs.n_pairs * (1 - pairs.p), theta)
    steepest = max(2 * curve.b, abs(best.beta or 0.0))
    return Calibration(
        bce=float(terms.bce.sum()),
        kl=float(terms.kl.sum()),
        entropy=float(terms.entropy.sum()),
        **_divergences(pairs, theta, best.theta),
        alpha=best.alpha,
        beta=best.beta,
        slopes=best.slopes,
        n_vertices=len(weights.u),
        n_pairs=int(pairs.n_pairs.sum()),
        n_coincident=n_coincident,
        class_error=width**2 / 8 * (steepest**2 / 4 + steepest / 2),
        reliability=_reliability(pairs, theta, best.theta),
    )


def _log_pairs(weights: LossWeights, layout: NDArray[Any]) -> tuple[LogPairs, int, float]:
    """The pairs apart, edges first; how many are not; and the width of the classes that the others are in."""
    d2 = edge_d2(layout, weights.heads, weights.tails)
    others, apart = distance_classes(layout, weights.heads, weights.tails), d2 > 0
    pairs = LogPairs(
        log_d=np.log(np.concatenate([d2[apart], others.d2])) / 2,
        p=np.concatenate([weights.A[apart], np.zeros(len(others.d2))]),
        n_pairs=np.concatenate([np.ones(int(apart.sum())), others.n_pairs.astype(np.float64)]),
    )
    return pairs, others.n_coincident + int((~apart).sum()), others.width


def _divergences(pairs: LogPairs, theta: Floats, best: Floats) -> dict[str, float]:
    """Residual, miscalibration, constant and explained."""
    p, q, mean = (pairs.p, 1 - pairs.p), (expit(best), expit(-best)), np.full_like(theta, logit(pairs.mean))
    is_constant = len(p[0]) == 0 or p[0].min() == p[0].max()
    return {
        "residual": pairs.divergence(*p, best),
        "miscalibration": pairs.divergence(*q, theta),
        "constant": 0.0 if is_constant else pairs.divergence(*p, mean),
        "explained": pairs.divergence(*q, mean),
    }


def _reliability(pairs: LogPairs, theta: Floats, best: Floats) -> Reliability:
    bins, place = np.unique(np.floor(BINS_PER_OCTAVE / np.log(2) * pairs.log_d), return_inverse=True)
    n_pairs = np.bincount(place, pairs.n_pairs, len(bins))

    def mean(x: Floats) -> Floats:
        return np.asarray(np.bincount(place, pairs.n_pairs * x, len(bins)) / n_pairs)

    middle = 2.0 ** ((bins + 0.5) / BINS_PER_OCTAVE)
    return Reliability(middle, mean(pairs.p), mean(expit(theta)), mean(expit(best)), n_pairs.astype(np.int64))
