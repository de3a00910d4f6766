r"""The forces of an update, as factors of the difference of two points.

With Delta = y_i - y_j, s = |Delta|^2 and u = a s^b:

    attraction of i   -2 (u b / s) / (1 + c + u) Delta                      = -d/dy_i softplus(-theta)
    repulsion of i     2 gamma b / (0.001 + s) * r / (1 + c + u) Delta      = -d/dy_i gamma softplus(theta),
                       r = u / (c + u), which is 1 for UMAP's c = 0           but for the 0.001

Each coordinate of a force is clipped to +-4.  The 0.001 and the clip belong to no loss.

`factor_of` has both for loops that vectorise: u in float32 by `umapinfo.core.odds`, whose relative error is at most
(1.8 b + 1.4) 2^-24, 1.8e-7 for UMAP, and the rest in the precision of its Motion: float64 in the sequential order, to
stay by umap-learn's, and in the blocked one float32, which adds five roundings of 2^-24 and is faster.
An attraction feels 1 / (1 + c + u) of the error of u, a repulsion u / (1 + c + u).  `exact_factor` is float64
throughout, for squares that `factor_of` does not serve.
"""

from typing import Any, NamedTuple

import numpy as np

from umapinfo.core.curve import Curve
from umapinfo.core.odds import largest_square, numbers_of, odds_of, serves
from umapinfo.jit import jit

CLIP = 4.0
SOFTENING = 0.001
LARGEST_SQUARE = 2.0**60  # that float32 forces serve, and the inverse of the smallest: no product over- or underflows
LARGEST_STRENGTH = {np.float32: 2.0**30, np.float64: 2.0**900}  # likewise of gamma
LATER_TAIL, PULLED_TAIL, EVERY_TAIL = 0, 1, 2  # whose tail moves against the head: of a pull, later or now, or of any


class Motion(NamedTuple):
    """How updates move; one flat tuple, as numba hands nothing else to its threads.

    b_high to log_3 are those of `odds.Numbers`.  The type of `clip` and what follows is the precision of forces.
    """

    a: float
    b: float
    c: float
    gamma: float
    b_high: np.float32
    b_low: np.float32
    log_high: np.float32
    log_low: np.float32
    log_0: np.float32
    log_1: np.float32
    log_2: np.float32
    log_3: np.float32
    least: np.float32  # squares that factor_of serves, from here ...
    largest: np.float32  # ... to here
    tails: int  # LATER_TAIL, PULLED_TAIL or EVERY_TAIL
    clip: np.floating[Any]
    most: np.floating[Any]  # the largest number
    softening: np.floating[Any]
    beside: np.floating[Any]  # 1 + c
    pull: np.floating[Any]  # -2 b
    push: np.floating[Any]  # 2 b gamma
    units: np.floating[Any]  # of a force of 1, where forces are added up as whole numbers
    rate: np.floating[Any]  # steps per unit of force


def motion_of(curve: Curve, gamma: float, tails: int, most_added: int = 1) -> Motion:
    """The motion of a checked curve at rate 0; of one that float32 does not serve, for no squares at all.

    most_added: how many forces may be added up as whole numbers of 32 bits.
    """
    real: Any = np.float32 if tails == LATER_TAIL else np.float64
    served = serves(curve) and gamma <= LARGEST_STRENGTH[real]
    numbers = numbers_of(curve if served else Curve(1.0, 1.0))[:8]
    largest = largest_square(curve) if served else 0.0
    if real is np.float32:
        largest = min(largest, LARGEST_SQUARE)
    bounds = np.float32(1 / largest if served else 1.0), np.float32(largest)
    push = 2 * curve.b * gamma if served else 0.0
    forces = CLIP, np.finfo(real).max, SOFTENING, 1.0 + curve.c, -2 * curve.b, push, units_of(most_added), 0.0
    return Motion(*curve, float(gamma), *numbers, *bounds, tails, *map(real, forces))


def units_of(most_added: int) -> float:
    """Into how many units a force of 1 is divided: the largest power of 2 for which no sum leaves 31 bits."""
    return 2.0 ** (28 - (max(most_added, 1) - 1).bit_length())


def at_rate(motion: Motion, rate: float) -> Motion:
    """The motion at this rate."""
    return motion._replace(rate=type(motion.clip)(rate))


@jit
def attraction_factor(d2: float, curve: Curve) -> float:
    """-2 a b s^(b-1) / (1 + c + a s^b): times Delta, the force of an attraction on its head."""
    scaled = curve.a * pow(d2, curve.b)
    if scaled == np.inf:
        return -2.0 * curve.b / d2
    return -2.0 * curve.a * curve.b * pow(d2, curve.b - 1.0) / (1.0 + curve.c + scaled)


@jit
def repulsion_factor(d2: float, curve: Curve, gamma: float) -> float:
    """2 gamma b / (0.001 + s) r / (1 + c + a s^b), r = a s^b / (c + a s^b): times Delta, the force on its head."""
    scaled = curve.a * pow(d2, curve.b)
    factor = 2.0 * gamma * curve.b / ((SOFTENING + d2) * (1.0 + curve.c + scaled))
    return factor if curve.c == 0.0 or scaled == np.inf else factor * scaled / (curve.c + scaled)


@jit
def factor_of(motion: Motion, pull: bool, s: np.float32) -> np.floating[Any]:
    """The factor of an attraction or repulsion, less a repulsion's damping, for squares that the motion serves."""
    u = odds_of(motion, s)[1]
    above = motion.pull * u if pull else motion.push
    softened = s if pull else s + motion.softening
    return above / (softened * (u + motion.beside))


@jit
def push_damping(motion: Motion, s: np.float32) -> float:
    """The r = u / (c + u) of a repulsion; 1 where c = 0."""
    u = np.float64(odds_of(motion, s)[1])
    return u / (u + motion.c)


@jit
def exact_factor(motion: Motion, pull: bool, s: np.float32) -> float:
    """The factor of an attraction or repulsion at any square over 0; finite, as coordinates may be equal."""
    d2, curve = np.float64(s), Curve(motion.a, motion.b, motion.c)
    factor = attraction_factor(d2, curve) if pull else repulsion_factor(d2, curve, motion.gamma)
    return min(max(factor, -float(motion.most)), float(motion.most))
