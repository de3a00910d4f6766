r"""Potentials: functions of the distance of a pair, one formula each, written in the logit theta.

With theta = ln(q / (1 - q)) (`umapinfo.core.curve.logit`) and c(x) = min(x + CLIP, 1):

    attraction         -ln q         = softplus(-theta)        at d = 0 (c = 0):  0
    repulsion          -ln(1 - q)    = softplus(theta)                            +inf
    similarity         q             = 1 / (1 + exp(-theta))                      1
    repulsion_clipped  -ln c(1 - q)                                               -ln CLIP = 9.21

The limit at d = 0 is the formula's own value at theta = +inf; with c > 0 theta stays finite there.
The clipped repulsion is that of Damrich and Hamprecht's code (arXiv 2103.14608).
"""

import math

import numpy as np

from umapinfo.core.curve import softplus
from umapinfo.jit import jit

CLIP = 1e-4  # Damrich and Hamprecht's epsilon inside their logarithms

# A potential's place in the tuple is its code in the kernels.
POTENTIALS = ("attraction", "repulsion", "similarity", "repulsion_clipped")
ATTRACTION, REPULSION, SIMILARITY = 0, 1, 2


@jit
def similarity(theta: float) -> float:
    """The similarity q = 1 / (1 + exp(-theta)), accurate relative to q for either sign; 1 at +inf."""
    small = math.exp(-abs(theta))
    return (1.0 if theta >= 0.0 else small) / (1.0 + small)


@jit
def clipped_surprise(x: float) -> float:
    """-ln(min(x + CLIP, 1)) in nats, for a probability x."""
    return -math.log(min(x + CLIP, 1.0))


@jit
def potential(code: int, theta: float) -> float:
    """The potential POTENTIALS[code] of a pair with logit theta: nats, or the similarity in [0, 1]."""
    if code == ATTRACTION:
        return softplus(-theta)
    if code == REPULSION:
        return softplus(theta)
    if code == SIMILARITY:
        return similarity(theta)
    return clipped_surprise(similarity(-theta))


@jit
def squared_distance(Y: np.ndarray, i: int, j: int) -> float:
    """Squared distance |y_i - y_j|^2 in float64; 0 also where it underflows, for distances under 1e-162."""
    d2 = 0.0
    for axis in range(Y.shape[1]):
        difference = Y[i, axis] - Y[j, axis]
        d2 += difference * difference
    return d2
