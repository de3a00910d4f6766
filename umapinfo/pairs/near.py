"""The near part of a split sum: pairs within a radius, found by a grid of cells.

Each point sums its own row in a fixed order: the bits do not depend on the number of threads.  What a near pair adds is
read off a table of polynomials: no logarithm, no power.
"""

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from umapinfo.core.bits import bits_of, float_of
from umapinfo.core.curve import Curve, logit
from umapinfo.jit import jit, parallel_jit
from umapinfo.pairs.cells import Cells, fill_ranges
from umapinfo.pairs.potentials import real_potential, squared_distance
from umapinfo.pairs.taylor import polynomial

DEGREE, BITS, OCTAVES = 7, 2, 40
BLOCK = 256  # points a thread sums at a time
CHUNK = 512  # points of a run that are looked at together: their buffers stay in the first-level cache
ONE = 1023 << 52  # the binary form of 1.0


class Lacking(NamedTuple):
    """What the smooth part lacks, f - T for 0 < s < s0, as polynomials on pieces of the squared distance.

    An octave of s has 2^BITS pieces, on which f - T is analytic: the polynomials of degree 7 are within 1e-10 of its
    size.  Nearer than 2^-OCTAVES s0 the formula itself is used.
    """

    s0: float
    first: int
    pieces: NDArray[np.float64]
    smooth: NDArray[np.float64]


def lacking(codes: NDArray[np.int64], curve: Curve, s0: float, smooth: NDArray[np.float64]) -> Lacking:
    """Pieces for each potential; smooth float64[p, 9] are the Taylor polynomials T about s0."""
    nodes = np.cos(np.pi * (np.arange(DEGREE + 1) + 0.5) / (DEGREE + 1))
    powers = np.vander(nodes, increasing=True)
    last = piece_of(s0)
    first = last - (OCTAVES << BITS)
    pieces = np.empty((len(codes), last - first + 1, DEGREE + 1))
    for place in range(pieces.shape[1]):
        low, high = piece_ends(first + place)
        for a, code in enumerate(codes):
            values = [lacking_exactly(code, low + (high - low) * (x + 1) / 2, curve, s0, smooth[a]) for x in nodes]
            pieces[a, place] = np.linalg.solve(powers, values)
    return Lacking(s0, first, pieces, smooth)


@jit
def lacking_exactly(code: int, s: float, curve: Curve, s0: float, smooth: np.ndarray) -> float:
    """(f - T)(s) by the formulas, f = 0 where it is infinite."""
    return real_potential(code, s, logit(s, curve), curve) - polynomial(smooth, (s - s0) / s0)


@jit
def piece_of(s: float) -> int:
    """Number of the piece that a squared distance lies in: exponent and first bits of its binary form."""
    return bits_of(s) >> (52 - BITS)


def piece_ends(piece: int) -> tuple[float, float]:
    """Least and greatest squared distance of a piece."""
    low, high = np.array([piece, piece + 1], dtype=np.int64) << (52 - BITS)
    return float(low.view(np.float64)), float(high.view(np.float64))


@parallel_jit
def add_near(
    Y: np.ndarray,
    found: Cells,
    codes: np.ndarray,
    weights: np.ndarray,
    curve: Curve,
    table: Lacking,
    moment: int,
    values: np.ndarray,
    n_coincident: np.ndarray,
) -> None:
    """Add sum over pairs with s < s0 of w_j (f - T)(s) Delta^(moment), and -T(0) of the point itself.

    Y, weights, values [n, p, r, d^moment] and n_coincident are in the order of the cells.
    """
    for block in prange(-(-Y.shape[0] // BLOCK)):
        s, f, near = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK, np.int64)
        key, ranges = -1, np.empty((found.steps.shape[0], 2), np.int64)
        for i in range(block * BLOCK, min((block + 1) * BLOCK, Y.shape[0])):
            subtract_own(i, weights, table, moment, values)
            if found.keys[i] != key:
                key = found.keys[i]
                fill_ranges(found, key, ranges)
            for row in range(ranges.shape[0]):
                for start in range(ranges[row, 0], ranges[row, 1], CHUNK):
                    end = min(start + CHUNK, ranges[row, 1])
                    size = pick_near(Y, i, start, end, table.s0, s, near)
                    add_run(Y, i, near[:size], s[:size], codes, weights, curve, table, moment, f, values)
                    for t in range(size):
                        n_coincident[i] += s[t] == 0.0


@jit
def subtract_own(i: int, weights: np.ndarray, table: Lacking, moment: int, values: np.ndarray) -> None:
    """Take a point's own smooth value T(0) from its sums; beside a moment it is 0."""
    if moment == 0:
        for a in range(values.shape[1]):
            for r in range(values.shape[2]):
                values[i, a, r, 0] -= weights[i, r] * polynomial(table.smooth[a], -1.0)


@jit
def add_run(
    Y: np.ndarray,
    i: int,
    near: np.ndarray,
    s: np.ndarray,
    codes: np.ndarray,
    weights: np.ndarray,
    curve: Curve,
    table: Lacking,
    moment: int,
    f: np.ndarray,
    values: np.ndarray,
) -> None:
    """Add the terms of listed near points to values[i]; f is a buffer."""
    for a in range(codes.shape[0]):
        fill_lacking(a, codes[a], s, curve, table, f)
        for component in range(values.shape[3]):
            for r in range(weights.shape[1]):
                values[i, a, r, component] += weighted(Y, i, near, f, weights, r, moment, component)


@jit
def pick_near(Y: np.ndarray, i: int, start: int, end: int, s0: float, s: np.ndarray, near: np.ndarray) -> int:
    """List the points of a run nearer than s0 to point i, and their squared distances; returns how many."""
    size = 0
    for j in range(start, end):
        d2 = squared_distance(Y, i, j)
        s[size], near[size] = d2, j
        size += (d2 < s0) & (j != i)
    return size


@jit
def fill_lacking(a: int, code: int, s: np.ndarray, curve: Curve, table: Lacking, f: np.ndarray) -> None:
    """Fill f with (f - T)(s) of potential a."""
    least = np.inf
    for t in range(s.shape[0]):
        place = max(piece_of(s[t]) - table.first, 0)
        x = piece_coordinate(s[t])
        total = table.pieces[a, place, DEGREE]
        for k in range(DEGREE - 1, -1, -1):
            total = total * x + table.pieces[a, place, k]
        f[t] = total
        least = min(least, s[t])
    if piece_of(least) < table.first:
        for t in range(s.shape[0]):
            if piece_of(s[t]) < table.first:
                f[t] = lacking_exactly(code, s[t], curve, table.s0, table.smooth[a])


@jit
def piece_coordinate(s: float) -> float:
    """Where in its piece a squared distance lies: -1 at the least, 1 at the greatest."""
    fraction = float_of((bits_of(s) & ((1 << (52 - BITS)) - 1)) << BITS | ONE)  # in [1, 2)
    return 2.0 * fraction - 3.0


@jit
def weighted(
    Y: np.ndarray, i: int, near: np.ndarray, f: np.ndarray, weights: np.ndarray, r: int, moment: int, component: int
) -> float:
    """Sum over the listed points j of weights[j, r] f Delta^(moment)[component], in two interleaved parts."""
    even, odd = 0.0, 0.0
    for t in range(near.shape[0]):
        j, term = near[t], f[t]
        rest = component
        for _ in range(moment):
            term *= Y[i, rest % Y.shape[1]] - Y[j, rest % Y.shape[1]]
            rest //= Y.shape[1]
        even, odd = odd, even + weights[j, r] * term
    return even + odd
