r"""The m-projection: which similarities q* = 1 / (1 + exp(-(alpha + beta ln d))) are nearest to the targets p.

At a fixed layout UMAP's similarities, for all a and b, are the family of logits theta = alpha + beta ln d with alpha =
-ln a and beta = -2b: affine in functions of the pair, and so flat in the exponential connection.  Its member q* with
the least KL(p || q) = sum over pairs of KL(p_e || q_e) is a logistic regression on the soft labels p, a convex problem:

    sum (q* - p) = 0,     sum (q* - p) ln d = 0                                  (where both derivatives vanish)
    KL(p || q) = KL(p || q*) + KL(q* || q)   for every member q                  (Pythagoras)

beta >= 0 is no curve of UMAP (b > 0), but a member: then edges are no nearer than other pairs.

**The optimum.**  Newton's method from the constant q = mean p, so that it knows no curve.  With weights v = q (1 - q)
and ln d counted from its mean by them the Hessian is diagonal.  A step is halved until the loss has fallen by 1e-4 of
what its slope promises.  The last is the step that promises, g' H^-1 g / 2, less than 1e-16 of the loss.

**No finite optimum.**  The loss falls all along a ray exactly if a distance t separates: of the pairs nearer than t all
have p = 1 and of those further apart all p = 0, or the other way round; pairs at t have any p.  The least is reached in
the limit, where q* is 1, 0, and at t the mean of p there; Pythagoras holds.  So it does with all pairs at one distance,
which is the mean's q* by many alpha and beta, and without edges.  In these cases alpha and beta are None.

Source: Amari, Information Geometry and Its Applications (2016), chapter 2; Boyd and Vandenberghe, Convex Optimization
(2004), section 9.5.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_expit, logit

from umapinfo.measures.bernoulli import Floats, pair_terms

PROMISED = 1e-16  # of the loss, whose rounding that is: the step squares what is left
DESCENT = 1e-4  # of what the slope promises
ROUNDING = 1e-13  # of the loss: what two of its sums are compared to
MOST_STEPS = 200  # some 10 are usual, and under 30 were taken by any data that nearly separate


class LogPairs(NamedTuple):
    """Pairs apart, in groups of one distance and target: ln d, p and the number of pairs of each, float64[k]."""

    log_d: Floats
    p: Floats
    n_pairs: Floats

    @property
    def mean(self) -> float:
        """The mean of p; 0 of no pairs."""
        return float((self.n_pairs * self.p).sum() / max(self.n_pairs.sum(), 1.0))

    def divergence(self, p: Floats, rest: Floats, theta: Floats) -> float:
        """Sum of KL(p || q) over the pairs, q of logit theta, rest = 1 - p: nats."""
        return float(pair_terms(self.n_pairs * p, self.n_pairs * rest, theta).kl.sum())


class Projection(NamedTuple):
    """The nearest member of the family.

    theta float64[k]: its logits, in the limit infinite.  alpha, beta: theta = alpha + beta ln d, or None.
    slopes: the sums of q* - p and of (q* - p) ln d, 0 but for rounding.
    """

    theta: Floats
    alpha: float | None
    beta: float | None
    slopes: tuple[float, float]
    n_steps: int


def m_projection(pairs: LogPairs) -> Projection:
    """The member of the family theta = alpha + beta ln d with the least KL(p || q)."""
    limit = _limit(pairs)
    if limit is not None:
        return Projection(limit, None, None, _slopes(pairs, pairs.log_d, limit), 0)
    centre = float((pairs.n_pairs * pairs.p * pairs.log_d).sum() / (pairs.n_pairs * pairs.p).sum())
    x, at, n_steps = pairs.log_d - centre, np.array([logit(pairs.mean), 0.0]), 0
    is_last = False
    while not is_last and n_steps < MOST_STEPS:
        loss, (step, slope) = _loss(pairs, x, at), _newton(pairs, x, at)
        is_last = -slope / 2 <= PROMISED * loss
        while not is_last and _loss(pairs, x, at + step) > loss + DESCENT * slope + ROUNDING * loss:
            step, slope = step / 2, slope / 2
        at, n_steps = at + step, n_steps + 1
    alpha, beta = float(at[0] - at[1] * centre), float(at[1])
    theta = at[0] + at[1] * x
    return Projection(theta, alpha, beta, _slopes(pairs, pairs.log_d, theta), n_steps)


def _loss(pairs: LogPairs, x: Floats, at: Floats) -> float:
    """The cross entropy -sum p ln q + (1 - p) ln(1 - q): KL(p || q) and a constant."""
    theta = at[0] + at[1] * x
    return -float((pairs.n_pairs * (pairs.p * log_expit(theta) + (1 - pairs.p) * log_expit(-theta))).sum())


def _newton(pairs: LogPairs, x: Floats, at: Floats) -> tuple[Floats, float]:
    """Newton's step, and the slope of the loss along it: -g' H^-1 g."""
    theta = at[0] + at[1] * x
    v = pairs.n_pairs * expit(theta) * expit(-theta)
    mean = (v * x).sum() / v.sum()
    excess = _excess(pairs, theta)
    up, along = excess.sum() / v.sum(), (excess * (x - mean)).sum() / (v * (x - mean) ** 2).sum()
    slope = -(up**2 * v.sum() + along**2 * (v * (x - mean) ** 2).sum())
    return np.array([along * mean - up, -along]), float(slope)


def _excess(pairs: LogPairs, theta: Floats) -> Floats:
    """Of each group n_pairs (q - p), from q and p or from 1 - q and 1 - p, whichever are small."""
    return np.asarray(pairs.n_pairs * np.where(theta < 0, expit(theta) - pairs.p, (1 - pairs.p) - expit(-theta)))


def _slopes(pairs: LogPairs, log_d: Floats, theta: Floats) -> tuple[float, float]:
    excess = _excess(pairs, theta)
    return float(excess.sum()), float((excess * log_d).sum())


def _limit(pairs: LogPairs) -> Floats | None:
    """The logits of q* where no finite alpha and beta are the only optimum, or None."""
    edge, certain = pairs.p > 0, pairs.p == 1
    if not edge.any():
        return np.full(len(pairs.p), -np.inf)
    for sign in (1.0, -1.0):  # edges nearer than other pairs, or further apart
        x = sign * pairs.log_d
        t = x[edge].max()
        if (certain | (x >= t))[edge].all() and (x[~edge] >= t).all():
            at_t = LogPairs(*(column[x == t] for column in pairs))
            return np.where(x == t, logit(at_t.mean), np.where(x < t, np.inf, -np.inf))
    return None
