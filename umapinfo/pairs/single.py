r"""Repulsion and similarity of a row of pairs in float32, to a stated bound: the inner loops of the fast sums.

One point i against the `size` points from `start` on, t = 0 ... size - 1, in three loops over buffers that stay in the
first-level cache (points float32[d, n], a row per axis; buffers float32[3, >= size]; f float32[p, rows, >= size]):

    fill_squares(points, i, start, size, buffers)              buffers[SQUARE, t] = s = |y_i - y_{start+t}|^2
    fill_odds(numbers, size, buffers)                          buffers[ODDS, t] = x = c + a s^b = e^-theta,
                                                               buffers[LOG, t] = log2(a s^b)
    fill_values(code, numbers, size, buffers, f, a, row)       f[a, row, t] = repulsion or similarity, by its code

numbers = numbers_of(curve).  Where s < numbers.least (coincident points too) f means nothing, and `replace_close` puts
the float64 value there; `has_close` says whether there is any.  Squares must not exceed largest_square(curve).  Sizes
that are multiples of 16 run at full width; bits are the same for any width.  Arrays come whole, with offsets (a view
costs numba an atomic count of references), which are unsigned where they are added up (else numba looks for negative
ones, which makes a gather of each load).

With log2 s = e + log2 m, m in [sqrt(1/2), sqrt(2)), and b and log2 a each split in two, of which the first is a
multiple of 2^-15, the large part of the odds' binary logarithm is exact and the rest small:

    v = log2(a)_high + b_high e (exact),    w = log2(a)_low + b_low e + b log2 m,   log2 m = 2 atanh((m-1)/(m+1)) / ln 2

so that 2^(v + w), k = round(v + w), is 2^k 2^((v - k) + w) to 2 ulp however large v is.  The potentials, x = odds:

    similarity 1 / (1 + x),    repulsion ln(1 + 1/x) = 2 atanh(min(x, 1) / (1 + x + max(x, 1))) + max(-ln x, 0)

Bound.  In units of half an ulp, 2^-24, a pair's value has the relative error (first order, each rounding at its worst)

    (d + 2) b    squares: differences twice, d products and sums, through d ln f / d ln s <= b
    1.8 b        log2 m: quotient 2, polynomial 2, each times |ln m| <= 0.35; sums of |w| <= b / 2 0.4
    1.4          2^x: last step 1, steps before 0.4
    4.5          repulsion: sum and quotient 1.08 each, 2 t - ln x 1, polynomial 0.3, last step 1
    1            c > 0: the sum

The polynomials themselves are within 4e-9 and, but for the rounding of b / ln 2 times them, without bias.
"""

import math
from typing import NamedTuple

import numpy as np

from umapinfo.core.curve import Curve, logit
from umapinfo.jit import jit
from umapinfo.pairs.bits import as_float, fma, least_bits, octave, times_power, within_octave
from umapinfo.pairs.potentials import REPULSION, SIMILARITY, real_potential, squared_distance

HALF_ULP = 2.0**-24
SINGLE_CODES = (REPULSION, SIMILARITY)
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
# 2 atanh(t) = sum_k ATANH[k] t^(2k+1), 0 <= t <= 1/3: within 5e-9, relative
ATANH = tuple(
    np.float32(x) for x in (2.0, 0.666664183139801, 0.40021437406539917, 0.2800302803516388, 0.2800675332546234)
)
SQUARE, LOG, ODDS = 0, 1, 2  # rows of the buffers
ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)
ROUND = np.float32(1.5 * 2**23)  # x + ROUND - ROUND rounds |x| < 2^22 to a whole number
NO_BITS = np.int32(0x7F000000)  # the bits of 2^127


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


def pair_error(curve: Curve, n_axes: int) -> float:
    """Bound of the relative error of a pair's value, derived in the module's docstring."""
    return ((n_axes + 3.8) * curve.b + 5.9 + (curve.c > 0)) * HALF_ULP


@jit
def fill_squares(points: np.ndarray, i: int, start: int, size: int, buffers: np.ndarray) -> None:
    """Fill the squared distances of point i to the points from start on."""
    if points.shape[0] == 2:
        left, low = points[0, i], points[1, i]
        for t in range(size):
            j = np.uintp(start + t)
            x, y = points[0, j] - left, points[1, j] - low
            buffers[SQUARE, t] = fma(x, x, y * y)
        return
    for t in range(size):
        x = points[0, np.uintp(start + t)] - points[0, i]
        buffers[SQUARE, t] = x * x
    for axis in range(1, points.shape[0]):
        here = points[axis, i]
        for t in range(size):
            x = points[axis, np.uintp(start + t)] - here
            buffers[SQUARE, t] = fma(x, x, buffers[SQUARE, t])


@jit
def has_close(numbers: Numbers, size: int, buffers: np.ndarray) -> bool:
    """Whether any square is smaller than `fill_odds` serves."""
    low = NO_BITS
    for t in range(size):
        low = least_bits(low, buffers[SQUARE, t])
    return bool(low < least_bits(NO_BITS, numbers.least))


@jit
def fill_odds(numbers: Numbers, size: int, buffers: np.ndarray) -> None:
    """Fill log2(a s^b) and the odds c + a s^b of each square."""
    for t in range(size):
        s = buffers[SQUARE, t]
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
        buffers[LOG, t] = total
        buffers[ODDS, t] = times_power(power, shifted) + numbers.c


@jit
def fill_values(code: int, numbers: Numbers, size: int, buffers: np.ndarray, f: np.ndarray, a: int, row: int) -> None:
    """Fill f[a, row, :size], the repulsion or the similarity of each pair, from what `fill_odds` gave."""
    if code == SIMILARITY:
        for t in range(size):
            f[a, row, t] = ONE / (ONE + buffers[ODDS, t])
        return
    for t in range(size):
        odds = buffers[ODDS, t]
        ratio = min(odds, ONE) / ((odds + max(odds, ONE)) + ONE)
        u = ratio * ratio
        rest = fma(fma(fma(ATANH[4], u, ATANH[3]), u, ATANH[2]), u, ATANH[1])
        f[a, row, t] = fma(ratio * u, rest, fma(TWO, ratio, numbers.nats * min(buffers[LOG, t], ZERO)))


@jit
def replace_close(
    layout: np.ndarray,
    i: int,
    start: int,
    codes: np.ndarray,
    curve: Curve,
    numbers: Numbers,
    size: int,
    buffers: np.ndarray,
    f: np.ndarray,
    row: int,
) -> None:
    """Put the float64 value in f[:, row, t] where the square is too small; f(0), or 0 if infinite, at distance 0."""
    for t in range(size):
        if buffers[SQUARE, t] < numbers.least:
            d2 = squared_distance(layout, i, start + t)
            theta = logit(d2, curve)
            for a in range(codes.shape[0]):
                f[a, row, t] = real_potential(codes[a], d2, theta, curve)
