"""The energy and its gradient of some vertices' pairs, each once, by the formulas: of all, or of those outside a box.

The points are cut into N_LANES runs.  A lane takes the pairs of the vertices with a point of its run, and puts their
force to both ends: to the point in place, to the vertices in sums of its own, which are added in order, so that the
bits do not depend on the number of threads.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from umapinfo.core.curve import Curve, logit
from umapinfo.jit import jit
from umapinfo.pairs.near_energy import N_LANES
from umapinfo.pairs.potentials import real_potential, squared_distance
from umapinfo.threads import in_parts

Floats = NDArray[np.float64]

FEW = 200_000  # pairs that start no threads


class DirectTask(NamedTuple):
    """What is summed: B_ij = sum_r u_ir v_jr; codes of potentials and of their slopes; the vertices, rising."""

    Y: Floats
    vertices: NDArray[np.int64]
    codes: NDArray[np.int64]
    slope_codes: NDArray[np.int64]
    factors: Floats
    u: Floats
    v: Floats
    curve: Curve


def add_direct(task: DirectTask, gradient: Floats) -> tuple[float, int]:
    """Add what the pairs of the vertices give to the gradient float64[n, d]; their energy, how many coincide."""
    n, d = task.Y.shape
    firsts, forces = np.arange(N_LANES + 1) * n // N_LANES, np.zeros((N_LANES, len(task.vertices), d))
    energies, n_coincident = np.zeros(N_LANES), np.zeros(N_LANES, np.int64)
    in_parts(
        lambda start, stop: fill_direct(task, firsts, start, stop, gradient, forces, energies, n_coincident),
        N_LANES,
        1 if n * len(task.vertices) > FEW else N_LANES,
    )
    for own in forces:
        gradient[task.vertices] += own
    return float(energies.sum()), int(n_coincident.sum())


@jit
def fill_direct(
    task: DirectTask,
    firsts: np.ndarray,
    start: int,
    stop: int,
    gradient: np.ndarray,
    forces: np.ndarray,
    energies: np.ndarray,
    n_coincident: np.ndarray,
) -> None:
    """Fill energies, forces and coincident pairs of lanes start <= lane < stop, which come as zeros."""
    for lane in range(start, stop):
        place = 0
        for j in range(firsts[lane], firsts[lane + 1]):
            while place < task.vertices.shape[0] and task.vertices[place] < j:
                place += 1
            # Of two of the vertices, the pair is that of the lower one.
            both = place < task.vertices.shape[0] and task.vertices[place] == j
            for t in range(place if both else task.vertices.shape[0]):
                i = task.vertices[t]
                s, weight, value, slope = squared_distance(task.Y, i, j), 0.0, 0.0, 0.0
                theta = logit(s, task.curve)
                for r in range(task.u.shape[1]):
                    weight += task.u[i, r] * task.v[j, r]
                for a in range(task.codes.shape[0]):
                    value += task.factors[a] * real_potential(task.codes[a], s, theta, task.curve)
                    slope += task.factors[a] * real_potential(task.slope_codes[a], s, theta, task.curve)
                energies[lane] += weight * value
                n_coincident[lane] += s == 0.0
                for axis in range(task.Y.shape[1]):
                    term = weight * slope * (task.Y[i, axis] - task.Y[j, axis])
                    forces[lane, t, axis] += term
                    gradient[j, axis] -= term
