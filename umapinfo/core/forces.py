r"""The forces of an update, as factors of the difference of two points.

With Delta = y_i - y_j, s = |Delta|^2 and u = a s^b:

    attraction of i   -2 (u b / s) / (1 + c + u) Delta                      = -d/dy_i softplus(-theta)
    repulsion of i     2 gamma b / (0.001 + s) * r / (1 + c + u) Delta      = -d/dy_i gamma softplus(theta),
                       r = u / (c + u), which is 1 for UMAP's c = 0           but for the 0.001

Each coordinate of a force is clipped to +-4.  The 0.001 and the clip belong to no loss.

`factor_of` has both in float32 from the odds of `umapinfo.core.odds`, for loops that vectorise; `exact_factor` in
float64, for squares that `factor_of` does not serve.  Bound: in units of half an ulp, 2^-24, a factor has the relative
error 1.8 b + 1.4 of u, twice one each for sums, products and the quotient: 1.8 b + 8 (c > 0: 3 more), 6e-7 for UMAP.
"""

import math
from typing import NamedTuple

import numpy as np

from umapinfo.core.curve import Curve
from umapinfo.core.odds import largest_square, numbers_of, odds_of, serves
from umapinfo.jit import jit

CLIP = 4.0
SOFTENING = 0.001
LARGEST = 2.0**60  # square, and the inverse of the smallest: s (1 + c + u) stays a float32
NO_TAIL, PULLED_TAIL, EVERY_TAIL = 0, 1, 2  # whose tail moves against the head


class Motion(NamedTuple):
    """How updates move: the curve and gamma, float32 constants of `factor_of`, and rates.

    One flat tuple, as numba hands nothing else to its threads; b_high to log_3 are those of `odds.Numbers`.
    """

    a: float
    b: float
    c: float
    gamma: float
    tails: int  # NO_TAIL, PULLED_TAIL or EVERY_TAIL
    pull_rate: np.float32  # steps per unit of force of an attraction ...
    push_rate: np.float32  # ... and of a repulsion
    b_high: np.float32
    b_low: np.float32
    log_high: np.float32
    log_low: np.float32
    log_0: np.float32
    log_1: np.float32
    log_2: np.float32
    log_3: np.float32
    pull: np.float32  # -2 b
    push: np.float32  # 2 b gamma
    offset: np.float32  # c
    bias: np.float32  # 1 + c
    least: np.float32  # squares that factor_of serves, from here ...
    largest: np.float32  # ... to here


def motion_of(curve: Curve, gamma: float, tails: int) -> Motion:
    """The motion of a checked curve at rates 0; where float32 does not serve it, for a range of no squares."""
    served = serves(curve) and (gamma == 0 or abs(math.log2(gamma)) <= 60)
    numbers = numbers_of(curve if served else Curve(1.0, 1.0))[:8]
    largest = min(largest_square(curve), LARGEST) if served else 0.0
    least = 1 / largest if served else math.inf
    values = -2 * curve.b, 2 * curve.b * gamma, curve.c, 1 + curve.c, least, largest
    singles = (np.float32(min(x, LARGEST**2)) for x in (0.0, 0.0, *numbers, *values))
    return Motion(*curve, float(gamma), tails, *singles)


def at_rates(motion: Motion, pull_rate: float, push_rate: float) -> Motion:
    """The motion at these rates."""
    return motion._replace(pull_rate=np.float32(pull_rate), push_rate=np.float32(push_rate))


@jit
def attraction_factor(d2: float, curve: Curve) -> float:
    """-2 a b s^(b-1) / (1 + c + a s^b): times Delta, the force of an attraction on its head."""
    return -2.0 * curve.a * curve.b * pow(d2, curve.b - 1.0) / (1.0 + curve.c + curve.a * pow(d2, curve.b))


@jit
def repulsion_factor(d2: float, curve: Curve, gamma: float) -> float:
    """2 gamma b / (0.001 + s) r / (1 + c + a s^b), r = a s^b / (c + a s^b): times Delta, the force on its head."""
    scaled = curve.a * pow(d2, curve.b)
    factor = 2.0 * gamma * curve.b / ((SOFTENING + d2) * (1.0 + curve.c + scaled))
    return factor if curve.c == 0.0 else factor * scaled / (curve.c + scaled)


@jit
def factor_of(motion: Motion, pull: bool, s: np.float32) -> np.float32:
    """The factor of an attraction or repulsion in float32, less a repulsion's damping.

    For squares from motion.least to motion.largest.
    """
    _, u = odds_of(motion, s)
    above = motion.pull * u if pull else motion.push
    softened = s if pull else s + np.float32(SOFTENING)
    return above / (softened * (u + motion.bias))


@jit
def push_damping(motion: Motion, s: np.float32) -> np.float32:
    """The r = u / (c + u) of a repulsion in float32; 1 where c = 0."""
    _, u = odds_of(motion, s)
    return u / (u + motion.offset)


@jit
def exact_factor(motion: Motion, pull: bool, s: np.float32) -> np.float32:
    """The factor of an attraction or repulsion at any square over 0, in float64 and then rounded, at most 2^127."""
    d2, curve = np.float64(s), Curve(motion.a, motion.b, motion.c)
    factor = attraction_factor(d2, curve) if pull else repulsion_factor(d2, curve, motion.gamma)
    return np.float32(min(max(factor, -(2.0**127)), 2.0**127))
