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
    fisher_tensor      fisher / d^2                                               +inf for b < 2
    attraction_tensor  (f''(d) - f'(d)/d) / d^2 of the attraction, 4 d^2f/ds^2    -inf, -4 a^2, +inf: b <, =, > 1 (< 2)
    repulsion_tensor   the same of the repulsion                                  +inf

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
"""

import math

import numpy as np

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
    "fisher_tensor",
    "attraction_tensor",
    "repulsion_tensor",
)
ATTRACTION, REPULSION, SIMILARITY, CLIPPED = 0, 1, 2, 3
VARIANCE, ATTRACTION_SLOPE, REPULSION_SLOPE, FISHER = 4, 5, 6, 7
SIMILARITY_LOG, VARIANCE_LOG, VARIANCE_LOG2 = 8, 9, 10
FISHER_TENSOR, ATTRACTION_TENSOR, REPULSION_TENSOR = 11, 12, 13


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
    """The potential POTENTIALS[code] of a pair with squared distance s and logit theta."""
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
    return slope


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
