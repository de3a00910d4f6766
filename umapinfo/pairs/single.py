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

The odds are those of `umapinfo.core.odds`; the potentials, x = odds:

    similarity 1 / (1 + x),    repulsion ln(1 + 1/x) = 2 atanh(min(x, 1) / (1 + x + max(x, 1))) + max(-ln x, 0)

Bound.  In units of half an ulp, 2^-24, a pair's value has the relative error (first order, each rounding at its worst)

    (d + 2) b    squares: differences twice, d products and sums, through d ln f / d ln s <= b
    1.8 b + 1.4  odds
    4.5          repulsion: sum and quotient 1.08 each, 2 t - ln x 1, polynomial 0.3, last step 1
    1            c > 0: the sum
"""

import numpy as np

from umapinfo.core.bits import NO_BITS, fma, least_bits
from umapinfo.core.curve import Curve, logit
from umapinfo.core.odds import ONE, TWO, ZERO, Numbers, odds_of
from umapinfo.jit import jit
from umapinfo.pairs.potentials import REPULSION, SIMILARITY, real_potential, squared_distance

HALF_ULP = 2.0**-24
SINGLE_CODES = (REPULSION, SIMILARITY)

# 2 atanh(t) = sum_k ATANH[k] t^(2k+1), 0 <= t <= 1/3: within 5e-9, relative
ATANH = tuple(
    np.float32(x) for x in (2.0, 0.666664183139801, 0.40021437406539917, 0.2800302803516388, 0.2800675332546234)
)
SQUARE, LOG, ODDS = 0, 1, 2  # rows of the buffers


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
        log, odds = odds_of(numbers, buffers[SQUARE, t])
        buffers[LOG, t] = log
        buffers[ODDS, t] = odds + numbers.c


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
