r"""The odds a s^b of squared distances in float32, to a stated bound: what loops over many pairs share.

    u = odds_of(numbers, s)[1] = a s^b = e^-theta - c,        numbers = numbers_of(curve),

for squares s from numbers.least to largest_square(curve); log2 u comes with it.  Loops over arrays vectorise, and bits
are the same for any width.  With log2 s = e + log2 m, m in [sqrt(1/2), sqrt(2)), and b and log2 a each split in two, of
which the first is a multiple of 2^-15, the large part of the odds' binary logarithm is exact and the rest small:

    v = log2(a)_high + b_high e (exact),    w = log2(a)_low + b_low e + b log2 m,   log2 m = 2 atanh((m-1)/(m+1)) / ln 2

so that 2^(v + w), k = round(v + w), is 2^k 2^((v - k) + w) to 2 ulp however large v is.  Bound: in units of half
an ulp, 2^-24, u has the relative error (first order, each rounding at its worst)

    1.8 b    log2 m: quotient 2, polynomial 2, each times |ln m| <= 0.35; sums of |w| <= b / 2 0.4
    1.4      2^x: last step 1, steps before 0.4

The polynomials themselves are within 4e-9 and, but for the rounding of b / ln 2 times them, without bias.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from umapinfo.core.bits import as_float, fma, octave, times_power, within_octave
from umapinfo.core.curve import Curve
from umapinfo.jit import jit

LARGEST_LOG = 60.0  # bits of log2(a s^b) either way: nothing under- or overflows, beside weights of 2^-40 neither

# Minimax coefficients, each rounded to float32 before the next was fitted (Lawson's iteration, float64).
# log2 m = sum_k LOG2[k] t^(2k+1), t = (m-1)/(m+1), |t| <= 0.1716: within 9e-10
LOG2 = (2.885390043258667, 0.9618092775344849, 0.5759819149971008, 0.44628822803497314)
# 2^r = 1 + sum_k EXP2[k] r^(k+1), |r| <= 1/2: within 3e-9, relative
EXP2 = tuple(
    np.float32(x)
    for x in (
        0.6931471824645996,
        0.24022647738456726,
        0.05550359934568405,
        0.009618505835533142,
        0.0013390806270763278,
        0.0001532646274426952,
    )
)
ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)
ROUND = np.float32(1.5 * 2**23)  # x + ROUND - ROUND rounds |x| < 2^22 to a whole number


class Numbers(NamedTuple):
    """A curve's float32 constants for the loops of this module; fields as in its docstring."""

    b_high: np.float32  # times 2^-23, as `octave` gives 2^23 e
    b_low: np.float32  # likewise
    log_high: np.float32
    log_low: np.float32
    log_0: np.float32  # b LOG2[0] ...
    log_1: np.float32
    log_2: np.float32
    log_3: np.float32
    c: np.float32
    nats: np.float32  # -ln 2, or 0 where no odds are under 1 (c >= 1)
    least: np.float32  # smallest square that is served


def numbers_of(curve: Curve) -> Numbers:
    """The constants of a curve that `serves` admits."""
    b_high, b_low = split(curve.b)
    log_high, log_low = split(math.log2(curve.a))
    values = [b_high * 2.0**-23, b_low * 2.0**-23, log_high, log_low, *(curve.b * x for x in LOG2)]
    values += [curve.c, -math.log(2) if curve.c == 0 else 0.0, 1 / largest_square(curve)]
    return Numbers(*(np.float32(x) for x in values))


def split(x: float) -> tuple[float, float]:
    """The multiple of 2^-15 next to x, and the rest."""
    high = round(x * 2.0**15) * 2.0**-15
    return high, x - high


def serves(curve: Curve) -> bool:
    """Whether the float32 loops take a curve: c = 0 or c >= 1, a and b not extreme."""
    return (curve.c == 0 or 1 <= curve.c <= 2**30) and abs(math.log2(curve.a)) <= 30 and 2**-4 <= curve.b <= 16


def largest_square(curve: Curve) -> float:
    """The largest squared distance that is served, and the inverse of the smallest."""
    return 2.0 ** min((LARGEST_LOG - abs(math.log2(curve.a))) / curve.b, 100.0)


@jit
def odds_of(numbers: Any, s: np.float32) -> tuple[np.float32, np.float32]:
    """Float32 log2(a s^b) and a s^b of a square; numbers: Numbers, or another tuple with its fields."""
    whole = octave(s)
    m = within_octave(s, whole)
    e = as_float(whole)
    v = fma(numbers.b_high, e, numbers.log_high)
    ratio = (m - ONE) / ((m - ONE) + TWO)
    u = ratio * ratio
    log = fma(fma(fma(numbers.log_3, u, numbers.log_2), u, numbers.log_1), u, numbers.log_0)
    w = fma(ratio, log, fma(numbers.b_low, e, numbers.log_low))
    total = v + w
    shifted = total + ROUND
    r = (v - (shifted - ROUND)) + w
    power = fma(fma(fma(EXP2[5], r, EXP2[4]), r, EXP2[3]), r, EXP2[2])
    power = fma(fma(fma(power, r, EXP2[1]), r, EXP2[0]), r, ONE)
    return total, times_power(power, shifted)
