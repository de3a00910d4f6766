r"""Potentials of many pairs at once, in float64, by loops that LLVM writes in vectors; bits are the same for any width.

Of UMAP's curves, c = 0, and squares within `served`, all others being left to `umapinfo.pairs.potentials`.  With
s = m 2^e, m in [sqrt(1/2), sqrt(2)), and k the whole number next to -|theta| / ln 2,

    theta = -(ln a + b ln s),       ln s = e ln 2 + 2 atanh((m - 1) / (m + 1)),
    e^-|theta| = 2^k e^r,           |r| <= ln(2) / 2 + rounding,
    ln(1 + x) = 2 atanh(x / (x + 2)) or, for x > sqrt(2) - 1, ln 2 + 2 atanh((x - 1) / (x + 3)),     x = e^-|theta|,

so that every atanh is of |t| <= 3 - 2 sqrt(2) = 0.172; its series and that of e^r end where the next term is under
2^-54 of the sum.  Theta is within 2^-52 (|theta| + 2 |ln a| + b), and each potential within that and 6 2^-53 of itself.
"""

import math

import numpy as np

from umapinfo.core.bits import bits_of, float_of, fma64
from umapinfo.core.curve import Curve
from umapinfo.jit import jit
from umapinfo.pairs.potentials import (
    ATTRACTION,
    ATTRACTION_SLOPE,
    LN2,
    REPULSION,
    REPULSION_SLOPE,
    SIMILARITY,
    VARIANCE,
)

CODES = (ATTRACTION, REPULSION, SIMILARITY, VARIANCE, ATTRACTION_SLOPE, REPULSION_SLOPE)
LARGEST_LOG = 350.0  # of odds and squares, of either sign: neither these nor their products over- or underflow ...
LARGEST_B = 1e100  # ... with b
FRACTION, ONE_BITS = np.uint64(52), np.uint64(1023 << 52)
SQRT_HALF = np.uint64(0x3FE6A09E667F3BCD)  # the bits of sqrt(1/2)
WHOLE = np.uint64(0x4330000000000000)  # the bits of 2^52, to which whole numbers under it are added
BIAS = 2.0**52 + 1023.0
ROUND = 1.5 * 2.0**52  # x + ROUND - ROUND rounds |x| < 2^51 to a whole number
LN2_HIGH, LN2_LOW = float.fromhex("0x1.62e42fefap-1"), float.fromhex("0x1.cf79abc9e3b3ap-40")  # high: 36 bits
LOG2_E = 1.0 / LN2
LARGE = math.sqrt(2.0) - 1.0  # beyond it ln(1 + x) is ln 2 + ln((1 + x) / 2)
ATANH = tuple(2.0 / (2 * k + 1) for k in range(11))
EXP = tuple(1.0 / math.factorial(k) for k in range(14))


@jit
def served(curve: Curve) -> tuple[float, float]:
    """The least and the largest square for which this module stands in; where there is none, inf and 0."""
    if curve.c > 0.0 or curve.b > LARGEST_B:
        return np.inf, 0.0
    log_a, most = math.log(curve.a), LARGEST_LOG
    least = max((-most - log_a) / curve.b, -most)
    return math.exp(least), math.exp(min((most - log_a) / curve.b, most))


@jit
def n_unserved(s: np.ndarray, size: int, bounds: tuple[float, float]) -> int:
    """How many of the first `size` squares are not served."""
    n = 0
    for t in range(size):
        n += int((s[t] < bounds[0]) | (s[t] > bounds[1]))
    return n


@jit
def twice_atanh(t: float) -> float:
    """2 atanh(t) of |t| <= 0.172."""
    u = t * t
    p = fma64(u, ATANH[10], ATANH[9])
    p = fma64(u, fma64(u, fma64(u, p, ATANH[8]), ATANH[7]), ATANH[6])
    p = fma64(u, fma64(u, fma64(u, p, ATANH[5]), ATANH[4]), ATANH[3])
    return fma64(t * u, fma64(u, fma64(u, p, ATANH[2]), ATANH[1]), t + t)


@jit
def exp_near_zero(r: float) -> float:
    """e^r of |r| <= 0.35."""
    p = fma64(r, EXP[13], EXP[12])
    p = fma64(r, fma64(r, fma64(r, fma64(r, p, EXP[11]), EXP[10]), EXP[9]), EXP[8])
    p = fma64(r, fma64(r, fma64(r, fma64(r, p, EXP[7]), EXP[6]), EXP[5]), EXP[4])
    return fma64(r * r, fma64(r, fma64(r, p, EXP[3]), EXP[2]), r) + 1.0


@jit
def fill_logits(s: np.ndarray, curve: Curve, size: int, theta: np.ndarray, odds: np.ndarray) -> None:
    """Fill theta and odds = e^-|theta| of the first `size` squares, all of which are served."""
    log_a = math.log(curve.a)
    for t in range(size):
        bits = np.uint64(bits_of(s[t]))
        biased = (bits - SQRT_HALF + ONE_BITS) >> FRACTION  # e + 1023
        m = float_of(np.int64(bits + ONE_BITS - (biased << FRACTION)))
        e = float_of(np.int64(biased | WHOLE)) - BIAS
        log = fma64(e, LN2_HIGH, fma64(e, LN2_LOW, twice_atanh((m - 1.0) / (m + 1.0))))
        theta[t] = -fma64(curve.b, log, log_a)
        low = -abs(theta[t])
        shifted = fma64(low, LOG2_E, ROUND)
        k = shifted - ROUND
        power = exp_near_zero(fma64(-k, LN2_LOW, fma64(-k, LN2_HIGH, low)))
        odds[t] = float_of(np.int64(np.uint64(bits_of(power)) + (np.uint64(bits_of(shifted)) << FRACTION)))


@jit
def log_one_plus(x: float) -> float:
    """ln(1 + x) of x in [0, 1]."""
    large = x > LARGE
    above, below = (x - 1.0 if large else x), (x + 3.0 if large else x + 2.0)
    return (LN2 if large else 0.0) + twice_atanh(above / below)


@jit
def fill_wide(
    code: int, s: np.ndarray, theta: np.ndarray, odds: np.ndarray, curve: Curve, size: int, f: np.ndarray
) -> bool:
    """Fill f with the potential of a code, and say so; or say that it is none of this module's.

    s, theta and odds of the first `size` pairs, as `fill_logits` gives them.
    """
    if code in (REPULSION, ATTRACTION):
        sign = 1.0 if code == REPULSION else -1.0
        for t in range(size):
            f[t] = max(sign * theta[t], 0.0) + log_one_plus(odds[t])
    elif code == VARIANCE:
        for t in range(size):
            f[t] = odds[t] / ((1.0 + odds[t]) * (1.0 + odds[t]))
    elif code in (SIMILARITY, REPULSION_SLOPE):  # q, or -2 b q / s
        for t in range(size):
            q = (odds[t] if theta[t] < 0.0 else 1.0) / (1.0 + odds[t])
            f[t] = q if code == SIMILARITY else -2.0 * curve.b * q / s[t]
    elif code == ATTRACTION_SLOPE:  # 2 b (1 - q) / s
        for t in range(size):
            f[t] = 2.0 * curve.b * (odds[t] if theta[t] > 0.0 else 1.0) / ((1.0 + odds[t]) * s[t])
    else:
        return False
    return True
