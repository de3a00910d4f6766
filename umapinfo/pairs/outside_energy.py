"""The part of an energy and its gradient that vertices outside a plan's box have: by the formulas, each pair once.

The points are cut into N_LANES runs.  A lane takes the pairs of an outside vertex with a point of its run, and puts
their force to both ends: to the point in place, to the outside vertices in sums of its own, which are added in order,
so that the bits do not depend on the number of threads.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from umapinfo.core.curve import Curve, logit
from umapinfo.jit import jit
from umapinfo.pairs.near_energy import N_LANES
from umapinfo.pairs.potentials import real_potential, squared_distance

Floats = NDArray[np.float64]


class OutsideTask(NamedTuple):
    """What is summed: B_ij = sum_r u_ir v_jr; codes of potentials and of their slopes; numbers of vertices outside."""

    Y: Floats
    outside: NDArray[np.int64]
    codes: NDArray[np.int64]
    slope_codes: NDArray[np.int64]
    factors: Floats
    u: Floats
    v: Floats
    curve: Curve


def add_outside(task: OutsideTask, gradient: Floats) -> tuple[float, int]:
    """Add to the gradient float64[n, d] what pairs with an outside vertex give; their energy, how many coincide."""
    firsts = (np.arange(N_LANES + 1) * len(task.Y) // N_LANES).tolist()
    forces = np.zeros((N_LANES, len(task.outside), task.Y.shape[1]))
    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        lanes = [
            pool.submit(add_outside_lane, task, *run, gradient, own)
            for run, own in zip(pairwise(firsts), forces, strict=True)
        ]
        found = [lane.result() for lane in lanes]
    for own in forces:
        gradient[task.outside] += own
    return float(sum(energy for energy, _ in found)), sum(n_coincident for _, n_coincident in found)


@jit
def add_outside_lane(
    task: OutsideTask, first: int, stop: int, gradient: np.ndarray, forces: np.ndarray
) -> tuple[float, int]:
    """Add the forces of a lane's pairs; returns their energy and how many are coincident."""
    Y, outside, energy, n_coincident, place = task.Y, task.outside, 0.0, 0, 0
    for j in range(first, stop):
        while place < outside.shape[0] and outside[place] < j:
            place += 1
        # Of two outside vertices, the one with the higher number takes the pair.
        end = place if place < outside.shape[0] and outside[place] == j else outside.shape[0]
        for t in range(end):
            i = outside[t]
            s, weight = squared_distance(Y, i, j), 0.0
            theta, value, slope = logit(s, task.curve), 0.0, 0.0
            for r in range(task.u.shape[1]):
                weight += task.u[i, r] * task.v[j, r]
            for a in range(task.codes.shape[0]):
                value += task.factors[a] * real_potential(task.codes[a], s, theta, task.curve)
                slope += task.factors[a] * real_potential(task.slope_codes[a], s, theta, task.curve)
            energy += weight * value
            n_coincident += s == 0.0
            for axis in range(Y.shape[1]):
                term = weight * slope * (Y[i, axis] - Y[j, axis])
                forces[t, axis] += term
                gradient[j, axis] -= term
    return energy, n_coincident
