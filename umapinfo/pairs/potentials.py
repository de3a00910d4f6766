r"""Potentials: functions of the distance of a pair, one formula each.

With the squared distance s = d^2, the logit theta(d) = ln(q / (1 - q)) (`umapinfo.core.curve.logit`), its slope in
ln d, theta'(d) d = -2 b rho with rho = a s^b / (c + a s^b) (1 for UMAP's c = 0), and c(x) = min(x + CLIP, 1):

    attraction         -ln q         = softplus(-theta)        at d = 0 (c = 0):  0
    repulsion          -ln(1 - q)    = softplus(theta)                            +inf
    similarity         q             = 1 / (1 + exp(-theta))                      1
    repulsion_clipped  -ln c(1 - q)                                               -ln CLIP = 9.21
    variance           q (1 - q)                                                  0
    attraction_slope   f'(d) / d of the attraction, 2 b a s^(b-1) q               +inf, 2 a or 0: b <, =, > 1
    repulsion_slope    f'(d) / d of the repulsion, -attraction_slope e^theta      -inf
    fisher             q (1 - q) theta'(d)^2 = attraction_slope 2 b rho q         as attraction_slope
    similarity_log     q ln d                                                     -inf
    variance_log       q (1 - q) ln d                                             0
    variance_log2      q (1 - q) (ln d)^2                                         0
    similarity_slope   f'(d) / d of the similarity, -attraction_slope q           as attraction_slope, with - before it
    repulsion_square   repulsion_slope^2                                          as repulsion_slope, with + before it
    entropy            h(q) = -q ln q - (1 - q) ln(1 - q)                         0
    entropy_slope      f'(d) / d of it, attraction_slope q theta                  +inf, or 0: b <= 1, > 1
    fisher_tensor      fisher / d^2                                               +inf for b < 2
    attraction_tensor  (f''(d) - f'(d)/d) / d^2 of the attraction, 4 d^2f/ds^2    -inf, -4 a^2, +inf: b <, =, > 1 (< 2)
    repulsion_tensor   the same of the repulsion                                  +inf

and what the divergences D(p || q) of `umapinfo.measures.divergence` charge for p = 0, with their f'(d) / d:

    jensen_shannon     2 q ln 2 - 2 ln(1 - q/2) - 2 (1 - q) ln(1 + e^theta / 2)   4 ln 2
    ..._slope          -2 attraction_slope q ln(2 + e^theta)                      -inf, or 0: b <= 1, > 1
    fisher_rao         phi^2 / 2, phi = 2 arctan e^(theta/2)                      pi^2 / 2
    ..._slope          -attraction_slope e^(theta/2) phi                          -inf, -4 pi a^(1/2), 0: b <, =, > 2
    alpha(x)           ((1 - q)^(1 - x) - 1) / (x (x - 1)), order x > 0, not 1    1 / (x (1 - x)), x < 1; +inf
    alpha_slope(x)     repulsion_slope (1 - q)^(1 - x) / x                        finite: b (1 - x) >= 1; -inf

Energies in nats, slopes and Fisher weight in nats / layout unit^2, tensors in nats / layout unit^4.  The gradient of
sum_j w_j f(d_ij) is sum_j w_j f'(d)/d Delta_ij, a pair's part of its Hessian w_j [slope 1 + tensor Delta Delta^T], of
the Fisher metric fisher_tensor Delta Delta^T.  With h = a b s^b, so that d^2f/ds^2 follows by the chain rule,

    fisher_tensor      4 h^2 q^2 e^theta / s^2
    attraction_tensor  4 h q [(b - 1) - h q] / s^2
    repulsion_tensor   4 h q e^theta [h e^theta (2 - q) - (b - 1)] / s^2           4 b q (1 + b (1 - q)) / s^2 if c = 0

Derivatives in (a, b) are those of theta, (-rho/a, -2 rho ln d), times q or q (1 - q).
The clipped repulsion is that of Damrich and Hamprecht's code (arXiv 2103.14608).

A new potential is its name below and its line in `potential`.  Every formula but the clipped one is analytic in s, and
compiles for complex s too, from which `umapinfo.pairs.taylor` takes the derivatives that a far/near split needs.

An order x rides in the code, so that kernels need no arguments for it: the code is the bits of x, whose last bit says
whether the slope is meant (x is known to an ulp of itself).
"""

import math
import re

import numpy as np

from umapinfo.core.bits import float_of
from umapinfo.core.curve import Curve, softplus
from umapinfo.jit import jit

CLIP = 1e-4  # Damrich and Hamprecht's epsilon inside their logarithms

# A potential's place in the tuple is its code in the kernels.
POTENTIALS = (
    "attraction",
    "repulsion",
    "similarity",
    "repulsion_clipped",
    "variance",
    "attraction_slope",
    "repulsion_slope",
    "fisher",
    "similarity_log",
    "variance_log",
    "variance_log2",
    "similarity_slope",
    "entropy",
    "entropy_slope",
    "jensen_shannon",
    "jensen_shannon_slope",
    "fisher_rao",
    "fisher_rao_slope",
    "repulsion_square",
    "fisher_tensor",
    "attraction_tensor",
    "repulsion_tensor",
)
ATTRACTION, REPULSION, SIMILARITY, CLIPPED = 0, 1, 2, 3
VARIANCE, ATTRACTION_SLOPE, REPULSION_SLOPE, FISHER = 4, 5, 6, 7
SIMILARITY_LOG, VARIANCE_LOG, VARIANCE_LOG2 = 8, 9, 10
SIMILARITY_SLOPE, ENTROPY, ENTROPY_SLOPE = 11, 12, 13
JENSEN_SHANNON, JENSEN_SHANNON_SLOPE, FISHER_RAO, FISHER_RAO_SLOPE = 14, 15, 16, 17
REPULSION_SQUARE = 18
FISHER_TENSOR, ATTRACTION_TENSOR, REPULSION_TENSOR = 19, 20, 21
WITH_ORDER = ("alpha", "alpha_slope")  # the last bit of their codes is their place here
LEAST_ORDER, LARGEST_ORDER = 0.01, 4.0
FIRST_WITH_ORDER = 1 << 52  # the bits of the smallest normal number: no other code is so large
LN2 = math.log(2.0)


def code_of(name: str) -> int:
    """The kernels' code of a potential's name, one of POTENTIALS or "alpha(x)" or "alpha_slope(x)"; ValueError."""
    if name in POTENTIALS:
        return POTENTIALS.index(name)
    found = re.fullmatch(r"(\w+)\(([-+.\w]+)\)", str(name))
    try:
        place, order = WITH_ORDER.index(found[1]), float(found[2])  # type: ignore[index]
    except (TypeError, ValueError):
        known = ", ".join((*POTENTIALS, *(f"{one}(x)" for one in WITH_ORDER)))
        raise ValueError(f"potentials: expected one or more of {known}, got {name!r}") from None
    if not (LEAST_ORDER <= order <= LARGEST_ORDER and order != 1):
        raise ValueError(
            f"potentials: expected an order in [{LEAST_ORDER:g}, {LARGEST_ORDER:g}] and not 1, got {name!r}; "
            "of order 1 it is the repulsion"
        )
    return int(np.float64(order).view(np.int64)) & -2 | place


@jit
def similarity(theta: float) -> float:
    """The similarity q = 1 / (1 + exp(-theta)), accurate relative to q for either sign; 1 at +inf."""
    if theta.real >= 0.0:
        return 1.0 / (1.0 + np.exp(-theta))
    small = np.exp(theta)
    return small / (1.0 + small)


@jit
def clipped_surprise(x: float) -> float:
    """-ln(min(x + CLIP, 1)) in nats, for a probability x."""
    return -math.log(min(x + CLIP, 1.0))


@jit
def times(weight: float, value: float) -> float:
    """Product of a weight and a value, with 0 * inf = 0; also of complex ones."""
    return weight if weight == 0.0 else weight * value


@jit
def tensor(code: int, s: float, theta: float, q: float, curve: Curve) -> float:
    """The tensor potential POTENTIALS[code]; powers of s are apart, so that it is finite at 0 where its limit is."""
    a, b = curve.a, curve.b
    if code == FISHER_TENSOR:
        if curve.c == 0.0:
            return 4.0 * a * b * b * q * q * s ** (b - 2.0)
        return (2.0 * a * b * q) ** 2 * s ** (2.0 * b - 2.0) * np.exp(theta)
    if code == REPULSION_TENSOR and curve.c == 0.0:
        return 4.0 * b * q * (1.0 + b * similarity(-theta)) / (s * s)
    bent = (b - 1.0) * s ** (b - 2.0) if b != 1.0 else 0.0 * s
    if code == ATTRACTION_TENSOR:
        return 4.0 * a * b * q * (bent - a * b * q * s ** (2.0 * b - 2.0))
    odds = np.exp(theta)
    return 4.0 * a * b * q * odds * (a * b * odds * (2.0 - q) * s ** (2.0 * b - 2.0) - bent)


@jit
def potential(code: int, s: float, theta: float, curve: Curve) -> float:
    """The potential of a code (`code_of`) at a pair with squared distance s and logit theta."""
    if code >= FIRST_WITH_ORDER:
        return potential_of_order(code, s, theta, curve)
    if code == ATTRACTION:
        return softplus(-theta)
    if code == REPULSION:
        return softplus(theta)
    q = similarity(theta)
    if code == SIMILARITY:
        return q
    if code == SIMILARITY_LOG:
        return q * 0.5 * np.log(s)
    if code == VARIANCE:
        return q * similarity(-theta)
    if code == VARIANCE_LOG:
        return q * similarity(-theta) * 0.5 * np.log(s)
    if code == VARIANCE_LOG2:
        return q * similarity(-theta) * (0.5 * np.log(s)) ** 2
    if code == ENTROPY:
        small = -theta if theta.real > 0.0 else theta  # h is even in theta
        return softplus(small) - times(similarity(small), small)
    if code == JENSEN_SHANNON:
        return 2.0 * (q * LN2 - np.log1p(-0.5 * q) - times(similarity(-theta), softplus(theta - LN2)))
    if code == FISHER_RAO:
        return 2.0 * np.arctan(np.exp(0.5 * theta)) ** 2
    if code >= FISHER_TENSOR:
        return tensor(code, s, theta, q, curve)
    slope = 2.0 * curve.b * curve.a * s ** (curve.b - 1.0) * q
    if code == REPULSION_SLOPE:
        return -slope * np.exp(theta)
    if code == FISHER:
        if curve.c == 0.0:
            return slope * 2.0 * curve.b * q
        return (
            (2.0 * curve.a * curve.b * q) ** 2 * s ** (2.0 * curve.b - 1.0) * np.exp(theta)
        )  # finite at 0 for b = 1/2
    if code == REPULSION_SQUARE:
        return (slope * np.exp(theta)) ** 2
    if code == SIMILARITY_SLOPE:
        return -slope * q
    if code == ENTROPY_SLOPE:
        return slope * q * theta
    if code == JENSEN_SHANNON_SLOPE:
        return -2.0 * slope * q * (LN2 + softplus(theta - LN2))
    if code == FISHER_RAO_SLOPE:
        phi = 2.0 * np.arctan(np.exp(0.5 * theta))
        if curve.c == 0.0:
            return -2.0 * curve.b * np.sqrt(curve.a) * s ** (0.5 * curve.b - 1.0) * q * phi  # finite at 0 for b = 2
        return -slope * np.exp(0.5 * theta) * phi
    return slope


@jit
def potential_of_order(code: int, s: float, theta: float, curve: Curve) -> float:
    """The potential alpha(x) of a pair, or its slope, by the bits of x."""
    x = float_of(code & -2)
    if code & 1 == 0:
        return np.expm1((x - 1.0) * softplus(theta)) / (x * (x - 1.0))
    shape = similarity(theta) ** (2.0 - x) * (-2.0 * curve.b / x)
    if curve.c == 0.0:
        return shape * curve.a ** (1.0 - x) * s ** (curve.b * (1.0 - x) - 1.0)  # finite at 0 for b (1 - x) = 1
    return shape * curve.a * s ** (curve.b - 1.0) * np.exp(x * theta)


@jit
def real_potential(code: int, s: float, theta: float, curve: Curve) -> float:
    """The potential of a pair at a real distance; 0 where it is infinite, which leaves the pair out."""
    if code == CLIPPED:
        return clipped_surprise(similarity(-theta))
    value = potential(code, s, theta, curve)
    return value if np.isfinite(value) else 0.0


@jit
def squared_distance(Y: np.ndarray, i: int, j: int) -> float:
    """Squared distance |y_i - y_j|^2 in float64; 0 also where it underflows, for distances under 1e-162."""
    d2 = 0.0
    for axis in range(Y.shape[1]):
        difference = Y[i, axis] - Y[j, axis]
        d2 += difference * difference
    return d2
