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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from umapinfo.core.curve import softplus
from umapinfo.jit import jit
from umapinfo.pairs.potentials import clipped_surprise, similarity

Floats = NDArray[np.float64]

PART = 50_000  # pairs a thread takes at a time: some milliseconds


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
    _in_parts(lambda start, stop: fill_terms(A, B, theta, clipped, start, stop, out), len(theta))
    return Terms(*out)


def pair_repulsions(B: Floats, theta: Floats, *, clipped: bool = False) -> Floats:
    """The repulsion alone of the same pairs, float64[m]."""
    out = np.empty(len(theta))
    _in_parts(lambda start, stop: fill_repulsions(B, theta, clipped, start, stop, out), len(theta))
    return out


def _in_parts(work: Callable[[int, int], None], n: int) -> None:
    """Do a kernel's work on [start, stop) of n pairs, of many in as many threads as numba has."""
    if n <= PART:
        return work(0, n)
    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        list(pool.map(lambda start: work(start, min(start + PART, n)), range(0, n, PART)))


@jit
def fill_repulsions(B: Floats, theta: Floats, clipped: bool, start: int, stop: int, out: Floats) -> None:
    """Fill out[e] with the repulsion of pairs start <= e < stop."""
    for e in range(start, stop):
        if clipped:
            out[e] = B[e] * clipped_surprise(similarity(-theta[e]))
        else:
            out[e] = times(B[e], softplus(theta[e]))


@jit
def fill_terms(A: Floats, B: Floats, theta: Floats, clipped: bool, start: int, stop: int, out: Floats) -> None:
    """Fill out[:, e] with kl, bce, entropy, attraction, repulsion of pairs start <= e < stop."""
    for e in range(start, stop):
        w = A[e] + B[e]
        p, rest = (A[e] / w, B[e] / w) if w > 0.0 else (0.0, 1.0)
        if clipped:
            out[0, e] = w * clipped_divergence(p, rest, theta[e])
            out[2, e] = w * clipped_entropy(p, rest)
            out[3, e] = A[e] * clipped_surprise(similarity(theta[e]))
            out[4, e] = B[e] * clipped_surprise(similarity(-theta[e]))
        else:
            small = min(p, rest)
            logs, pulled, pushed = logs_of(small), softplus(-theta[e]), softplus(theta[e])
            toward, cost = (theta[e], pushed) if p <= rest else (-theta[e], pulled)
            out[0, e] = times(w, divergence(small, logs, toward, cost))
            out[2, e] = w * entropy(small, logs)
            out[3, e] = times(A[e], pulled)
            out[4, e] = times(B[e], pushed)
        out[1, e] = out[3, e] + out[4, e]


@jit
def times(weight: float, value: float) -> float:
    """Product of a weight and a value, with 0 * inf = 0."""
    return 0.0 if weight == 0.0 else weight * value


@jit
def logs_of(small: float) -> tuple[float, float]:
    """Ln p and ln(1 - p) of the smaller of p and 1 - p; (0, 0) at 0, where neither is used."""
    return (math.log(small), math.log1p(-small)) if small > 0.0 else (0.0, 0.0)


@jit
def entropy(small: float, logs: tuple[float, float]) -> float:
    """h(p) = -p ln p - (1 - p) ln(1 - p) in nats, from the smaller of p and 1 - p; 0 at p = 0 and p = 1."""
    return -small * logs[0] - (1.0 - small) * logs[1]


@jit
def divergence(small: float, logs: tuple[float, float], toward: float, cost: float) -> float:
    """KL(p || q) in nats by the Bregman form, from the smaller of p and 1 - p, with cost = softplus(toward).

    Toward is theta if p is the smaller, else -theta.
    """
    if small == 0.0:
        return cost
    if math.isinf(toward):
        return np.inf
    return cost + logs[1] - small * (toward - logs[0] + logs[1])


@jit
def clipped_entropy(p: float, rest: float) -> float:
    """-p ln c(p) - (1 - p) ln c(1 - p): the clipped cross entropy at q = p."""
    return p * clipped_surprise(p) + rest * clipped_surprise(rest)


@jit
def clipped_divergence(p: float, rest: float, theta: float) -> float:
    """KL clipped, p ln(c(p) / c(q)) + (1 - p) ln(c(1 - p) / c(1 - q)); of either sign."""
    gain = clipped_surprise(similarity(theta)) - clipped_surprise(p)
    return p * gain + rest * (clipped_surprise(similarity(-theta)) - clipped_surprise(rest))
