r"""Divergences D(p || q) of two Bernoulli variables, formula by formula, in the logit theta of q.

With lambda the logit of p, M = (p + q)/2 and the Fisher-Rao angle phi = 2 arcsin q^(1/2) = 2 arctan e^(theta/2):

    name            D(p || q), nats                                              dD/dtheta
    kl              p ln(p/q) + (1 - p) ln((1 - p)/(1 - q))                      q - p
    alpha           (Z - 1) / (x (x - 1)),                                       (1 - q)^(1-x) (1 - p)^x q / x
                      Z = p^x q^(1-x) + (1 - p)^x (1 - q)^(1-x)                    - q^(1-x) p^x (1 - q) / x
    hellinger       alpha of order 1/2, 4 (1 - Z)
    renyi           ln Z / (x (x - 1))                                           (q - m) / x, m of logit
                                                                                   x lambda + (1 - x) theta
    reverse_kl      KL(q || p)                                                   q (1 - q) (theta - lambda)
    jeffreys        (KL(p || q) + KL(q || p)) / 2 = (p - q)(lambda - theta)/2    the mean of both
    jensen_shannon  2 KL(p || M) + 2 KL(q || M)                                  2 q (1 - q) (theta - theta_M)
    fisher_rao      (phi_p - phi_q)^2 / 2                                        (phi_q - phi_p) (q (1 - q))^(1/2)

x > 0 is the order.  Each is scaled to (p - q)^2 / (2 q (1 - q)) near p = q, so that its second derivative in theta is
q (1 - q) there, the Fisher information: alpha and renyi of order 1 are kl; Renyi's own divergence of order x is x times
renyi; Jensen and Shannon's is a quarter.  Always

    jensen_shannon <= hellinger <= fisher_rao <= renyi(1/2) <= 2 kl,    fisher_rao <= jeffreys,
    hellinger <= jensen_shannon / ln 2,    fisher_rao <= pi^2/8 hellinger,    jensen_shannon <= 4 ln 2 |p - q|,

and, of alpha and of renyi, x D grows with the order and (1 - x) D falls.

**Ends.**  alpha of order x < 1, jensen_shannon and fisher_rao are finite for all p and q; kl, alpha of x > 1 and
jeffreys are infinite at q = 0 and q = 1, renyi too except for x < 1 and 0 < p < 1, unless p = q; reverse_kl and
jeffreys at p = 0 and p = 1.

**Rounding.**  Everything is made of ln(p/q), ln((1 - p)/(1 - q)) and lambda - theta, of which none is the difference
of rounded probabilities, by sums that do not cancel but in values near p = q: these are known to some ulp of the
smaller of p + q and 2 - p - q, times the logarithms above (1/x where x is small).  Slopes and the values of fisher_rao
and jeffreys are known to some ulp of themselves, but for what lambda and theta are rounded by.

Sources: Amari (2016), Information Geometry and Its Applications, chapters 3 and 4; van Erven and Harremoes (2014), IEEE
Trans. Inf. Theory 60; Topsoe (2000), IEEE Trans. Inf. Theory 46 (jensen_shannon <= hellinger).
"""

import math
from typing import NamedTuple

import numpy as np

from umapinfo.core.curve import softplus
from umapinfo.jit import jit
from umapinfo.measures.bernoulli import Floats
from umapinfo.pairs.potentials import LN2, similarity, times
from umapinfo.threads import in_parts

# A divergence's place in the tuple is its code in the kernels; the first two have an order.
KINDS = ("alpha", "renyi", "reverse_kl", "jeffreys", "jensen_shannon", "fisher_rao")
ALPHA, RENYI, REVERSE_KL, JEFFREYS, JENSEN_SHANNON, FISHER_RAO = range(6)


class PairTerms(NamedTuple):
    """Divergences of pairs in nats and their derivatives in theta, float64[m] each."""

    value: Floats
    slope: Floats


class Pair(NamedTuple):
    """What the formulas are made of.

    p, rest = 1 - p and their logarithms; q, spare = 1 - q and minus theirs (pulled, pushed); the logits lam of p and
    theta of q; r = ln(p/q), s = ln(rest/spare), -inf where p, or rest, is 0; gap = lam - theta = r - s.
    """

    p: float
    rest: float
    log_p: float
    log_rest: float
    q: float
    spare: float
    pulled: float
    pushed: float
    lam: float
    theta: float
    r: float
    s: float
    gap: float


def pair_values(kind: int, order: float, p: Floats, rest: Floats, theta: Floats) -> PairTerms:
    """The divergences KINDS[kind] of pairs from p, rest = 1 - p (given apart) and theta, float64[m] each."""
    out = np.empty((2, len(theta)))
    in_parts(lambda start, stop: fill_terms(kind, order, p, rest, theta, start, stop, out), len(theta))
    return PairTerms(*out)


@jit
def fill_terms(
    kind: int, order: float, p: Floats, rest: Floats, theta: Floats, start: int, stop: int, out: Floats
) -> None:
    """Fill out[0, e] and out[1, e] with value and slope of pairs start <= e < stop."""
    for e in range(start, stop):
        pair = pair_of(p[e], rest[e], theta[e])
        out[0, e], out[1, e] = value_of(kind, order, pair), slope_of(kind, order, pair)


@jit
def pair_of(p: float, rest: float, theta: float) -> Pair:
    """What the formulas are made of, for p in [0, 1] and theta in [-inf, inf]."""
    log_p, log_rest, pulled, pushed = log_of(p, rest), log_of(rest, p), softplus(-theta), softplus(theta)
    lam = log_p - log_rest
    r = log_p + pulled if p > 0.0 else -np.inf
    s = log_rest + pushed if rest > 0.0 else -np.inf
    gap = r - s if math.isinf(theta) else lam - theta
    return Pair(p, rest, log_p, log_rest, similarity(theta), similarity(-theta), pulled, pushed, lam, theta, r, s, gap)


@jit
def log_of(p: float, rest: float) -> float:
    """Logarithm of p = 1 - rest, accurate relative to itself."""
    if p == 0.0:
        return -np.inf
    return math.log(p) if p < rest else math.log1p(-rest)


@jit
def value_of(kind: int, order: float, pair: Pair) -> float:
    """D(p || q)."""
    if kind == ALPHA:
        return alpha_value(order, pair)
    if kind == RENYI:
        return renyi_value(order, pair)
    if kind == REVERSE_KL:
        return max(-times(pair.q, pair.r) - times(pair.spare, pair.s), 0.0)
    if kind == JEFFREYS:
        return 0.5 * times(distance(pair), abs(pair.gap))
    if kind == JENSEN_SHANNON:
        of_p = times(pair.p, -log_mean(-pair.r)) + times(pair.rest, -log_mean(-pair.s))
        of_q = times(pair.q, -log_mean(pair.r)) + times(pair.spare, -log_mean(pair.s))
        return max(2.0 * (of_p + of_q), 0.0)
    return 0.5 * turn(pair.lam, pair.theta) ** 2


@jit
def slope_of(kind: int, order: float, pair: Pair) -> float:
    """The derivative of D(p || q) in theta."""
    variance = pair.q * pair.spare
    if kind == ALPHA:
        return alpha_slope(order, pair)
    if kind == RENYI:
        return renyi_slope(order, pair)
    if kind == REVERSE_KL:
        return -times(variance, pair.gap)
    if kind == JEFFREYS:
        return -0.5 * math.copysign(distance(pair) + times(variance, abs(pair.gap)), pair.gap)
    if kind == JENSEN_SHANNON:
        return 2.0 * times(variance, log_mean(pair.s) - log_mean(pair.r))
    return -times(math.sqrt(variance), turn(pair.lam, pair.theta))


@jit
def alpha_value(x: float, pair: Pair) -> float:
    """(Z - 1) / (x (x - 1)) as sum over both outcomes of p (e^((x-1) ln(p/q)) - 1) / (x (x - 1))."""
    return max(times(pair.p, deformed(pair.r, x - 1.0)) + times(pair.rest, deformed(pair.s, x - 1.0)), 0.0) / x


@jit
def alpha_slope(x: float, pair: Pair) -> float:
    """((1 - p) q e^((x-1) s) - p (1 - q) e^((x-1) r)) / x, of which the larger is put before the brackets."""
    if pair.gap < 0.0:
        return -pair.rest * pair.q * np.exp(times(x - 1.0, pair.s)) * np.expm1(x * pair.gap) / x
    return pair.p * pair.spare * np.exp(times(x - 1.0, pair.r)) * np.expm1(-x * pair.gap) / x


@jit
def renyi_value(x: float, pair: Pair) -> float:
    """The logarithm of Z over x (x - 1)."""
    divergence = alpha_value(x, pair)
    if x == 1.0:
        return divergence
    scale = x * (x - 1.0)
    if abs(scale * divergence) < 0.5:
        return np.log1p(scale * divergence) / scale
    one = x * pair.log_p + times(x - 1.0, pair.pulled) if pair.p > 0.0 else -np.inf
    other = x * pair.log_rest + times(x - 1.0, pair.pushed) if pair.rest > 0.0 else -np.inf
    most = max(one, other)
    return (most if math.isinf(most) else most + math.log1p(math.exp(-abs(one - other)))) / scale


@jit
def renyi_slope(x: float, pair: Pair) -> float:
    """(q - m) / x, as q (1 - m) (1 - e^(logit m - theta)) / x or likewise for 1 - m and 1 - q."""
    mixed = pair.lam if math.isinf(pair.lam) else x * pair.lam + times(1.0 - x, pair.theta)
    if pair.gap < 0.0:
        return -pair.q * similarity(-mixed) * np.expm1(x * pair.gap) / x
    return pair.spare * similarity(mixed) * np.expm1(-x * pair.gap) / x


@jit
def deformed(log: float, t: float) -> float:
    """(e^(t log) - 1) / t; the logarithm itself for t = 0."""
    return log if t == 0.0 else np.expm1(t * log) / t


@jit
def distance(pair: Pair) -> float:
    """|p - q|, accurate relative to itself."""
    if pair.gap < 0.0:
        return -pair.rest * pair.q * np.expm1(pair.gap)
    return -pair.p * pair.spare * np.expm1(-pair.gap)


@jit
def log_mean(log: float) -> float:
    """ln((1 + e^log) / 2), accurate relative to itself near log = 0."""
    return softplus(log) - LN2 if log > 1.0 else math.log1p(0.5 * np.expm1(log))


@jit
def angle(theta: float) -> float:
    """The Fisher-Rao angle phi = 2 arctan e^(theta/2) of a similarity, in [0, pi]."""
    return 2.0 * math.atan(np.exp(0.5 * theta))


@jit
def turn(to: float, start: float) -> float:
    """phi(to) - phi(start) = 2 arctan(sinh((to - start)/4) / cosh((to + start)/4)), accurate relative to itself."""
    if math.isinf(to):
        return angle(-start) if to > 0.0 else -angle(start)
    if math.isinf(start):
        return angle(to) if start < 0.0 else -angle(-to)
    u, v = 0.25 * abs(to - start), 0.25 * abs(to + start)
    ratio = -np.exp(u - v) * np.expm1(-2.0 * u) / (1.0 + np.exp(-2.0 * v))
    return math.copysign(2.0 * math.atan(ratio), to - start)
