"""Pairs of vertices drawn in proportion to the size of their weight, from counters: by the seed and the weights alone.

The weight w_ij = 1/2 sum_r (u_ir v_jr + u_jr v_ir) of an unordered pair has the size z_ij, the same of |u| and |v|.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from umapinfo.core.streams import word_of
from umapinfo.jit import jit

TO_UNIT = 2.0**-53
Floats = NDArray[np.float64]


class Draws(NamedTuple):
    """Weights u, v float64[n, r] and tables of their sizes, for `drawn_pair`.

    shares of columns [r] and of vertices in u, v [r, n] run up to exactly 1.  starts int64[r, n]: the first place whose
    share is over k / n, from where a place is found in two steps on average.
    """

    u: Floats
    v: Floats
    column_shares: Floats
    u_shares: Floats
    v_shares: Floats
    u_starts: NDArray[np.int64]
    v_starts: NDArray[np.int64]


def draws_by(u: Floats, v: Floats) -> Draws:
    """The tables for weights float64[n, r]; nothing can be drawn if all of them are 0."""
    size_u, size_v = abs(u), abs(v)
    shares = _running(size_u.T), _running(size_v.T)
    columns = _running(size_u.sum(axis=0) * size_v.sum(axis=0))
    return Draws(u, v, columns, *shares, _starts(shares[0]), _starts(shares[1]))


def _running(sizes: Floats) -> Floats:
    """Running shares along the last axis, up to exactly 1; zeros for a row without size."""
    sums = np.cumsum(sizes, axis=-1)
    return np.ascontiguousarray(sums / np.where(sums[..., -1:] > 0, sums[..., -1:], 1.0))


def _starts(shares: Floats) -> NDArray[np.int64]:
    """Of each row float64[n], the first place whose share is over k / n, k = 0 .. n - 1."""
    n = shares.shape[1]
    return np.stack([np.searchsorted(row, np.arange(n) / n, side="right") for row in shares]).astype(np.int64)


@jit
def unit_draw(key: np.uint64, number: int, i: int) -> float:
    """The i-th number in [0, 1) of a draw, in steps of 2^-53."""
    return np.float64(word_of(key, number, i) >> np.uint64(11)) * TO_UNIT


@jit
def place_at(shares: np.ndarray, starts: np.ndarray, unit: float) -> int:
    """The first place whose running share is over unit: a place of size > 0, each in proportion to its size."""
    place = starts[int(unit * starts.shape[0])]
    while place > 0 and shares[place - 1] > unit:  # k / n was rounded up
        place -= 1
    while shares[place] <= unit:
        place += 1
    return place


@jit
def drawn_pair(draws: Draws, key: np.uint64, number: int) -> tuple[int, int]:
    """The vertices of a numbered draw: an unordered pair in proportion to z_ij, or i = j, which is no pair."""
    r, unit = 0, unit_draw(key, number, 0)
    while draws.column_shares[r] <= unit:
        r += 1
    i = place_at(draws.u_shares[r], draws.u_starts[r], unit_draw(key, number, 1))
    return i, place_at(draws.v_shares[r], draws.v_starts[r], unit_draw(key, number, 2))


@jit
def half_product(u: np.ndarray, v: np.ndarray, i: int, j: int) -> float:
    """1/2 sum_r (u_ir v_jr + u_jr v_ir)."""
    total = 0.0
    for r in range(u.shape[1]):
        total += u[i, r] * v[j, r] + u[j, r] * v[i, r]
    return 0.5 * total


@jit
def pair_ratio(u: np.ndarray, v: np.ndarray, i: int, j: int) -> float:
    """w_ij / z_ij, in [-1, 1]; 1 where no weight is negative."""
    size = 0.0
    for r in range(u.shape[1]):
        size += abs(u[i, r] * v[j, r]) + abs(u[j, r] * v[i, r])
    return half_product(u, v, i, j) / (0.5 * size)
