r"""The weighted Bernoulli loss of one pair, formula by formula, in the logit theta of its similarity q.

A and B are the weights of attraction and repulsion, w = A + B, p = A / w the target, rest = 1 - p = B / w
(given apart: 1 - p of a rounded p has lost what p has lost), and 0 * inf = 0:

    attraction   A (-ln q)      = A softplus(-theta)
    repulsion    B (-ln(1 - q)) = B softplus(theta)
    entropy      w h(p),          h = -p ln p - (1 - p) log1p(-p)
    divergence   w KL(p || q),    KL = softplus(theta) - softplus(lambda) - p (theta - lambda),
                                  lambda = ln p - log1p(-p),  softplus(lambda) = -log1p(-p)

The cross entropy is attraction + repulsion.  The divergence is the Bregman form of softplus, a formula of
its own, so that KL - BCE + H = 0 checks all of them.  Entropy and divergence are evaluated at the smaller of
p and rest (at -theta if that is rest): every formula is accurate relative to the largest of the three, where
softplus(theta) - p theta cancels at p near 1, and ln(p / q) of rounded numbers at both ends.

The clipped formulas have -ln c(x), c(x) = min(x + CLIP, 1), for -ln x everywhere (Damrich and Hamprecht's
code, arXiv 2103.14608): finite at coincident points, but KL can be negative and q = p is not the minimum.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from umapinfo.core.curve import softplus
from umapinfo.jit import jit
from umapinfo.pairs.potentials import clipped_surprise, similarity

Floats = NDArray[np.float64]


class Terms(NamedTuple):
    """The terms of pairs or of vertices, float64 arrays of one length, nats; bce = attraction + repulsion."""

    kl: Floats
    bce: Floats
    entropy: Floats
    attraction: Floats
    repulsion: Floats


def pair_terms(A: Floats, B: Floats, theta: Floats, *, clipped: bool = False) -> Terms:
    """The terms of pairs with weights A, B >= 0 and logits theta, float64[m] each; theta = +inf is d = 0.

    A and B both 0 give 0; kl, bce and repulsion are +inf where theta is and B > 0, unless clipped.
    """
    out = np.empty((5, len(theta)))
    fill_terms(A, B, theta, clipped, out)
    return Terms(*out)


@jit
def fill_terms(A: Floats, B: Floats, theta: Floats, clipped: bool, out: Floats) -> None:
    """Fill out[:, e] with kl, bce, entropy, attraction, repulsion of pair e."""
    for e in range(theta.shape[0]):
        w = A[e] + B[e]
        p, rest = (A[e] / w, B[e] / w) if w > 0.0 else (0.0, 1.0)
        if clipped:
            out[0, e] = w * clipped_divergence(p, rest, theta[e])
            out[2, e] = w * clipped_entropy(p, rest)
            out[3, e] = A[e] * clipped_surprise(similarity(theta[e]))
            out[4, e] = B[e] * clipped_surprise(similarity(-theta[e]))
        else:
            out[0, e] = times(w, divergence(p, rest, theta[e]))
            out[2, e] = w * entropy(p, rest)
            out[3, e] = times(A[e], softplus(-theta[e]))
            out[4, e] = times(B[e], softplus(theta[e]))
        out[1, e] = out[3, e] + out[4, e]


@jit
def times(weight: float, value: float) -> float:
    """Product of a weight and a value, with 0 * inf = 0."""
    return 0.0 if weight == 0.0 else weight * value


@jit
def entropy(p: float, rest: float) -> float:
    """h(p) = -p ln p - (1 - p) log1p(-p) in nats, at the smaller of p and rest; 0 at p = 0 and p = 1."""
    small = min(p, rest)
    if small == 0.0:
        return 0.0
    return -small * math.log(small) - (1.0 - small) * math.log1p(-small)


@jit
def divergence(p: float, rest: float, theta: float) -> float:
    """KL(p || q) in nats by the Bregman form; softplus(theta) at p = 0, softplus(-theta) at p = 1."""
    small, toward = (p, theta) if p <= rest else (rest, -theta)
    if small == 0.0:
        return softplus(toward)
    if math.isinf(toward):
        return np.inf
    rest_log = math.log1p(-small)
    return softplus(toward) + rest_log - small * (toward - math.log(small) + rest_log)


@jit
def clipped_entropy(p: float, rest: float) -> float:
    """-p ln c(p) - (1 - p) ln c(1 - p): the clipped cross entropy at q = p."""
    return p * clipped_surprise(p) + rest * clipped_surprise(rest)


@jit
def clipped_divergence(p: float, rest: float, theta: float) -> float:
    """KL clipped, p ln(c(p) / c(q)) + (1 - p) ln(c(1 - p) / c(1 - q)); of either sign."""
    gain = clipped_surprise(similarity(theta)) - clipped_surprise(p)
    return p * gain + rest * (clipped_surprise(similarity(-theta)) - clipped_surprise(rest))
