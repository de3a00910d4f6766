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

What a pair costs per unit of weight depends on the layout alone, -ln q = softplus(-theta) = l + max(-theta, 0) and
-ln(1 - q) = l + max(theta, 0) with one l = log1p(e^-|theta|) (`Costs`); the logarithms of a target on its weights alone
(`Targets`).  So several losses of one layout share the former, all layouts of a graph the latter.

The clipped formulas have -ln c(x), c(x) = min(x + CLIP, 1), for -ln x everywhere (Damrich and Hamprecht's
code, arXiv 2103.14608): finite at coincident points, but KL can be negative and q = p is not the minimum.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from umapinfo.jit import jit
from umapinfo.pairs.potentials import clipped_surprise, similarity, times
from umapinfo.threads import in_parts

Floats = NDArray[np.float64]


class Terms(NamedTuple):
    """The terms of pairs or of vertices, float64 arrays of one length, nats; bce = attraction + repulsion."""

    kl: Floats
    bce: Floats
    entropy: Floats
    attraction: Floats
    repulsion: Floats


class Targets(NamedTuple):
    """Weights of pairs, float64[m] each, and what their terms need of p alone.

    logs float64[m, 2]: ln p and ln(1 - p) of the smaller of p and 1 - p; clipped: -ln c(p) and -ln c(1 - p).
    entropy float64[m]: w h(p).
    """

    A: Floats
    B: Floats
    logs: Floats
    entropy: Floats


class Costs(NamedTuple):
    """Logits theta of pairs, and what they cost per unit of weight: pulled = -ln q, pushed = -ln(1 - q); float64[m]."""

    theta: Floats
    pulled: Floats
    pushed: Floats


def targets_of(A: Floats, B: Floats, *, clipped: bool = False) -> Targets:
    """The targets of pairs with weights A, B >= 0."""
    found = Targets(A, B, np.empty((len(A), 2)), np.empty(len(A)))
    in_parts(lambda start, stop: fill_targets(found, clipped, start, stop), len(A))
    return found


def costs_of(theta: Floats, *, clipped: bool = False) -> Costs:
    """The costs of pairs with logits theta, of which +inf is d = 0."""
    found = Costs(theta, np.empty(len(theta)), np.empty(len(theta)))
    in_parts(lambda start, stop: fill_costs(found, clipped, start, stop), len(theta))
    return found


def pair_terms(A: Floats, B: Floats, theta: Floats, *, clipped: bool = False) -> Terms:
    """The terms of pairs with weights A, B >= 0 and logits theta, float64[m] each; theta = +inf is d = 0.

    A and B both 0 give 0; kl, bce and repulsion are +inf where theta is and B > 0, unless clipped.
    """
    out, targets, costs = np.empty((len(theta), 5)), targets_of(A, B, clipped=clipped), costs_of(theta, clipped=clipped)
    in_parts(lambda start, stop: fill_terms(targets, costs, clipped, start, stop, out), len(theta))
    return Terms(*np.ascontiguousarray(out.T))


@jit
def fill_targets(targets: Targets, clipped: bool, start: int, stop: int) -> None:
    """Fill logs and entropy of pairs start <= e < stop."""
    for e in range(start, stop):
        w, p, rest = parts(targets.A[e], targets.B[e])
        if clipped:
            logs = clipped_surprise(p), clipped_surprise(rest)
            targets.entropy[e] = w * (p * logs[0] + rest * logs[1])  # the clipped cross entropy at q = p
        else:
            logs = logs_of(min(p, rest))
            targets.entropy[e] = w * entropy(min(p, rest), logs)
        targets.logs[e, 0], targets.logs[e, 1] = logs


@jit
def fill_costs(costs: Costs, clipped: bool, start: int, stop: int) -> None:
    """Fill pulled and pushed of pairs start <= e < stop."""
    for e in range(start, stop):
        theta = costs.theta[e]
        if clipped:
            costs.pulled[e] = clipped_surprise(similarity(theta))
            costs.pushed[e] = clipped_surprise(similarity(-theta))
        else:
            both = np.log1p(np.exp(-abs(theta)))
            costs.pulled[e], costs.pushed[e] = both + max(-theta, 0.0), both + max(theta, 0.0)


@jit
def fill_terms(targets: Targets, costs: Costs, clipped: bool, start: int, stop: int, out: Floats) -> None:
    """Fill out[e] with kl, bce, entropy, attraction, repulsion of pairs start <= e < stop."""
    for e in range(start, stop):
        for place, term in enumerate(terms_of_pair(targets, costs, clipped, e)):
            out[e, place] = term


@jit
def add_at_ends(
    heads: NDArray[np.int32],
    tails: NDArray[np.int32],
    targets: Targets,
    costs: Costs,
    charged: Floats,
    clipped: bool,
    out: Floats,
) -> None:
    """Add to out[i] the terms of the edges at vertex i, and in its last place what they are charged, where finite."""
    for e in range(heads.shape[0]):
        terms, more = terms_of_pair(targets, costs, clipped, e), times(charged[e], costs.pushed[e])
        for end in (heads[e], tails[e]):
            for place, term in enumerate(terms):
                out[end, place] += term
            out[end, 5] += more if np.isfinite(more) else 0.0


@jit
def terms_of_pair(targets: Targets, costs: Costs, clipped: bool, e: int) -> tuple[float, float, float, float, float]:
    """Kl, bce, entropy, attraction, repulsion of pair e."""
    theta, pulled, pushed = costs.theta[e], costs.pulled[e], costs.pushed[e]
    w, p, rest = parts(targets.A[e], targets.B[e])
    logs = targets.logs[e, 0], targets.logs[e, 1]
    attraction, repulsion = times(targets.A[e], pulled), times(targets.B[e], pushed)
    if clipped:
        kl = w * (p * (pulled - logs[0]) + rest * (pushed - logs[1]))  # of either sign
    elif p <= rest:
        kl = times(w, divergence(p, logs, theta, pushed))
    else:
        kl = times(w, divergence(rest, logs, -theta, pulled))
    return kl, attraction + repulsion, targets.entropy[e], attraction, repulsion


@jit
def parts(A: float, B: float) -> tuple[float, float, float]:
    """W = A + B, p = A / w and 1 - p = B / w; of weights 0, p = 0."""
    w = A + B
    return (w, A / w, B / w) if w > 0.0 else (w, 0.0, 1.0)


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
