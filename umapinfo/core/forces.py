r"""The forces of an update, as factors of the difference of two points.

With Delta = y_i - y_j, s = |Delta|^2 and u = a s^b:

    attraction of i   -2 (u b / s) / (1 + c + u) Delta                      = -d/dy_i softplus(-theta)
    repulsion of i     2 gamma b / (0.001 + s) * r / (1 + c + u) Delta      = -d/dy_i gamma softplus(theta),
                       r = u / (c + u), which is 1 for UMAP's c = 0           but for the 0.001

Each coordinate of a force is clipped to +-4.  The 0.001 and the clip belong to no loss.

`factor_of` has both for loops that vectorise, from a float32 square by float64 arithmetic without a library: with
s = m 2^e, m in [sqrt(1/2), sqrt(2)), t = (m - 1) / (m + 1) and x = log2 a + b (e + log2 m), k = round(x),

    log2 m = 2 / ln 2 (t + t^3 / 3 + ... + t^11 / 11)      within 3e-11, as |t| <= 0.1716
    u = 2^k 2^(x - k), the latter by nine terms of its series    within 1e-11, as |x - k| <= 1/2

so that a factor is within 1e-10 of its value, a thousandth of a float32's rounding.  `exact_factor` takes the library's
powers, for squares that `factor_of` does not serve.
"""

import math
from typing import NamedTuple

import numpy as np

from umapinfo.core.bits import as_float, fma_double, octave, times_power, within_octave
from umapinfo.core.curve import Curve
from umapinfo.core.odds import ONE, ROUND
from umapinfo.jit import jit

CLIP = 4.0
SOFTENING = 0.001
LARGEST_LOG = 120.0  # bits of a square and of its odds, either way: a power of two is a normal float32
NO_TAIL, PULLED_TAIL, EVERY_TAIL = 0, 1, 2  # whose tail moves against the head
LOG2 = tuple(2 / (math.log(2) * (2 * k + 1)) for k in range(6))
EXP2 = tuple(math.log(2) ** k / math.factorial(k) for k in range(10))


class Motion(NamedTuple):
    """How updates move; one flat tuple, as numba hands nothing else to its threads."""

    a: float
    b: float
    c: float
    gamma: float
    log_a: float  # log2 a
    least: np.float32  # squares that factor_of serves, from here ...
    largest: np.float32  # ... to here
    tails: int  # NO_TAIL, PULLED_TAIL or EVERY_TAIL
    pull_rate: float  # steps per unit of force of an attraction ...
    push_rate: float  # ... and of a repulsion


def motion_of(curve: Curve, gamma: float, tails: int) -> Motion:
    """The motion of a checked curve at rates 0."""
    log_a = math.log2(curve.a)
    bits = min((LARGEST_LOG - abs(log_a)) / curve.b, LARGEST_LOG)
    least, largest = (np.float32(2.0**-bits), np.float32(2.0**bits)) if bits > 0 else (np.float32(1), np.float32(0))
    return Motion(*curve, float(gamma), log_a, least, largest, tails, 0.0, 0.0)


def at_rates(motion: Motion, pull_rate: float, push_rate: float) -> Motion:
    """The motion at these rates."""
    return motion._replace(pull_rate=float(pull_rate), push_rate=float(push_rate))


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
def odds_of_square(motion: Motion, s: np.float32) -> float:
    """The odds u = a s^b of a square from motion.least to motion.largest."""
    whole = octave(s)
    m = np.float64(within_octave(s, whole))
    t = (m - 1.0) / (m + 1.0)
    z = t * t
    log = fma_double(fma_double(fma_double(LOG2[5], z, LOG2[4]), z, LOG2[3]), z, LOG2[2])
    log = t * fma_double(fma_double(log, z, LOG2[1]), z, LOG2[0])
    x = fma_double(motion.b, np.float64(as_float(whole)) * 2.0**-23 + log, motion.log_a)
    shifted = np.float32(x) + ROUND
    r = x - np.float64(shifted - ROUND)
    power = fma_double(fma_double(fma_double(EXP2[9], r, EXP2[8]), r, EXP2[7]), r, EXP2[6])
    power = fma_double(fma_double(fma_double(power, r, EXP2[5]), r, EXP2[4]), r, EXP2[3])
    power = fma_double(fma_double(fma_double(power, r, EXP2[2]), r, EXP2[1]), r, EXP2[0])
    return power * np.float64(times_power(ONE, shifted))


@jit
def factor_of(motion: Motion, pull: bool, s: np.float32) -> float:
    """The factor of an attraction or repulsion, less a repulsion's damping, for squares that the motion serves."""
    u, d2 = odds_of_square(motion, s), np.float64(s)
    above = -2.0 * motion.b * u if pull else 2.0 * motion.b * motion.gamma
    softened = d2 if pull else d2 + SOFTENING
    return above / (softened * (u + (1.0 + motion.c)))


@jit
def push_damping(motion: Motion, s: np.float32) -> float:
    """The r = u / (c + u) of a repulsion; 1 where c = 0."""
    u = odds_of_square(motion, s)
    return u / (u + motion.c)


@jit
def exact_factor(motion: Motion, pull: bool, s: np.float32) -> float:
    """The factor of an attraction or repulsion at any square over 0."""
    d2, curve = np.float64(s), Curve(motion.a, motion.b, motion.c)
    return attraction_factor(d2, curve) if pull else repulsion_factor(d2, curve, motion.gamma)
