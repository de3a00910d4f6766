"""The near part of a split energy and its gradient: pairs within a radius, each once, its force put to both ends.

The points, in the order of their cells, are cut into N_LANES runs.  A lane takes the pairs whose first point lies in
its run, and adds to a gradient of its own, as long as its points reach; the lanes' are added in order, so that the bits
do not depend on the number of threads.
"""

from collections.abc import Callable
from concurrent.futures import Executor
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from umapinfo.core.bits import bits_of, float_of
from umapinfo.core.curve import Curve, logit
from umapinfo.jit import jit
from umapinfo.pairs.cells import Cells, fill_ranges
from umapinfo.pairs.near import BITS, CHUNK, DEGREE, Lacking, pick_near, piece_coordinate, piece_of
from umapinfo.pairs.potentials import real_potential

Floats = NDArray[np.float64]

N_LANES = 16  # so many threads have work
EXPONENT = 2047 << 52  # of a float's binary form


class NearTask(NamedTuple):
    """What is summed, in the order of the cells: B_ij = sum_r u_ir v_jr; codes of potentials and of their slopes.

    The table is that of the sum of the potentials times their factors (`combined`).
    """

    Y: Floats
    found: Cells
    codes: NDArray[np.int64]
    slope_codes: NDArray[np.int64]
    factors: Floats
    u: Floats
    v: Floats
    curve: Curve
    table: Lacking


class Near(NamedTuple):
    """Energy and gradient [n, d] of the near part, and the number of coincident pairs."""

    value: float
    gradient: Floats
    n_coincident: int


def combined(table: Lacking, factors: Floats) -> Lacking:
    """What the smooth part of a sum of potentials lacks, from what those of each do."""
    pieces = np.einsum("k,k...->...", factors, table.pieces)[np.newaxis]
    return table._replace(pieces=pieces, smooth=(factors @ table.smooth)[np.newaxis])


def start_near(task: NearTask, pool: Executor) -> Callable[[], Near]:
    """Set the lanes going; the function that is returned waits for them."""
    firsts = (np.arange(N_LANES + 1) * len(task.Y) // N_LANES).tolist()
    lanes = [pool.submit(_lane, task, *run) for run in pairwise(firsts)]

    def wait() -> Near:
        value, gradient, n_coincident = 0.0, np.zeros_like(task.Y), 0
        for first, lane in zip(firsts, lanes, strict=False):
            own = lane.result()
            value, n_coincident = value + own.value, n_coincident + own.n_coincident
            gradient[first : first + len(own.gradient)] += own.gradient
        return Near(value, gradient, n_coincident)

    return wait


def _lane(task: NearTask, first: int, stop: int) -> Near:
    """What a lane adds; its gradient is that of the points from `first` on."""
    gradient = np.zeros((reach_of(task.found, first, stop) - first, task.Y.shape[1]))
    value, n_coincident = add_lane(task, first, stop, gradient)
    return Near(value, gradient, n_coincident)


@jit
def reach_of(found: Cells, first: int, stop: int) -> int:
    """The place behind the last point that is in reach of a run of points."""
    end, ranges = stop, np.empty((found.steps.shape[0], 2), np.int64)
    if stop > first:
        fill_ranges(found, found.keys[stop - 1], ranges)
        end = max(end, ranges[:, 1].max())
    return end


@jit
def add_lane(task: NearTask, first: int, stop: int, forces: np.ndarray) -> tuple[float, int]:
    """Add the gradient of a lane's pairs, from point `first` on; returns their energy and how many are coincident."""
    Y, found = task.Y, task.found
    s, f, slope, weight = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK)
    near, energy, n_coincident = np.empty(CHUNK, np.int64), 0.0, 0
    key, ranges = -1, np.empty((found.steps.shape[0], 2), np.int64)
    for i in range(first, stop):
        if found.keys[i] != key:
            key = found.keys[i]
            fill_ranges(found, key, ranges)
        for row in range(ranges.shape[0]):
            for start in range(max(i + 1, ranges[row, 0]), ranges[row, 1], CHUNK):
                end = min(start + CHUNK, ranges[row, 1])
                size = pick_near(Y, i, start, end, task.table.s0, s, near)
                fill_lacking(task, s[:size], f, slope)
                fill_weights(task, i, near[:size], weight)
                for t in range(size):
                    energy += weight[t] * f[t]
                    n_coincident += s[t] == 0.0
                add_forces(Y, i, near[:size], weight, slope, first, forces)
    return energy, n_coincident


@jit
def fill_lacking(task: NearTask, s: np.ndarray, f: np.ndarray, slope: np.ndarray) -> None:
    """Fill f with (f - T)(s) and slope with 2 (f - T)'(s), the derivative of the very polynomial f is read off."""
    table, least = task.table, np.inf
    for t in range(s.shape[0]):
        place, x = max(piece_of(s[t]) - table.first, 0), piece_coordinate(s[t])
        total, derivative = table.pieces[0, place, DEGREE], 0.0
        for k in range(DEGREE - 1, -1, -1):
            derivative = derivative * x + total
            total = total * x + table.pieces[0, place, k]
        f[t] = total
        slope[t] = derivative * (4 << BITS) / float_of(bits_of(s[t]) & EXPONENT)
        least = min(least, s[t])
    if piece_of(least) < table.first:
        for t in range(s.shape[0]):
            if piece_of(s[t]) < table.first:
                f[t], slope[t] = lacking_exactly(task, s[t])


@jit
def lacking_exactly(task: NearTask, s: float) -> tuple[float, float]:
    """(f - T)(s) and f'(d)/d - 2 T'(s) by the formulas, without what is infinite."""
    smooth, theta = task.table.smooth[0], logit(s, task.curve)
    t, value, slope = s / task.table.s0 - 1.0, 0.0, 0.0
    for k in range(smooth.shape[0] - 1, -1, -1):
        slope = slope * t + value
        value = value * t + smooth[k]
    value, slope = -value, -2.0 * slope / task.table.s0
    for a in range(task.codes.shape[0]):
        value += task.factors[a] * real_potential(task.codes[a], s, theta, task.curve)
        slope += task.factors[a] * real_potential(task.slope_codes[a], s, theta, task.curve)
    return value, slope


@jit
def fill_weights(task: NearTask, i: int, near: np.ndarray, weight: np.ndarray) -> None:
    """Fill the weights B_ij of point i and listed points j."""
    for t in range(near.shape[0]):
        weight[t] = task.u[i, 0] * task.v[near[t], 0]
    for r in range(1, task.u.shape[1]):
        for t in range(near.shape[0]):
            weight[t] += task.u[i, r] * task.v[near[t], r]


@jit
def add_forces(
    Y: np.ndarray, i: int, near: np.ndarray, weight: np.ndarray, slope: np.ndarray, first: int, forces: np.ndarray
) -> None:
    """Add weight * slope * (y_i - y_j) to the gradient of point i, and take it from that of each listed point j."""
    for axis in range(Y.shape[1]):
        own = 0.0
        for t in range(near.shape[0]):
            term = weight[t] * slope[t] * (Y[i, axis] - Y[near[t], axis])
            own += term
            forces[near[t] - first, axis] -= term
        forces[i - first, axis] += own
