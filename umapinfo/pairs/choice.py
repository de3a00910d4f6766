"""Where to split a sum: box, modes and radius from the layout, by what each would cost.

Costs are seconds on one core of the machine that the benchmarks name; only their ratios matter, and they are
constants, so that a layout always gets the same split.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from umapinfo.pairs.cells import cells_of, count_candidates

Floats = NDArray[np.float64]

SAMPLE = 5_000  # points from which the number of near pairs is estimated
TRIMMED = (0, 16, 64, 256, 1024)  # vertices that may be left out of the box
MODES = (64, 96, 128, 192, 256, 384, 512, 768, 1024, 1280, 1536, 2048, 3072, 4096)
MODES_3D = (16, 24, 32, 48, 64, 96, 128, 192, 256)
DIRECT, NEAR, MODE, POINT = (
    30e-9,
    12e-9,
    40e-9,
    0.15e-6,
)  # a pair, a near pair looked at, a mode and a point a transform


def turn(n_modes: int, moment: int, steps: float) -> float:
    """Grid steps between the box's length and half the period: a moment has to get from L to 0 there, smoothly."""
    return max(n_modes / 42, (0.5 if moment == 0 else 3.0) * steps)


class Split(NamedTuple):
    """A period of modes * step about a centre, the radius of the near part, and what it all costs.

    Steps are taken from a coarse ladder, so that layouts of about the same size share their kernels.
    """

    centre: tuple[float, ...]
    step: float
    modes: tuple[int, ...]
    radius: float
    cost: float


def radius_in_steps(rtol: float) -> float:
    """r_c over the grid's step for a smooth part within rtol / 2: seen 3.5e-7 at 4.4, and tenfold less 0.9 steps on."""
    return min(max(4.4 - 0.9 * (math.log10(rtol) + 6.0), 3.0), 12.0)


def choose(Y: Floats, n_transforms: int, moment: int, steps: float, budget: float) -> Split | None:
    """The cheapest split of a layout, or None where all cost more than the budget.

    Parameters
    ----------
    Y : float64[n, d], d in {1, 2, 3}
    n_transforms : int
        Complex transforms to points: potentials, components and pairs of columns.
    moment : int
    steps : float
        r_c over the grid's step.
    budget : float, seconds of one core
        What another way would cost.
    """
    n, d = Y.shape
    if d > 3:
        return None
    distance = np.abs(Y - np.median(Y, axis=0)).max(axis=1)
    outward = np.argsort(distance, kind="stable")
    sample = np.random.default_rng(0).permutation(n)[:SAMPLE]
    best, shortest, least = None, np.inf, budget
    for trimmed in TRIMMED:
        if trimmed >= n // 2:
            break
        kept = outward[: n - trimmed]
        low, high = Y[kept].min(axis=0), Y[kept].max(axis=0)
        if (high - low).max() > 0.9 * shortest:
            continue
        shortest = (high - low).max()
        outside = 2 * DIRECT * trimmed * n * n_transforms
        inside = sample[np.isin(sample, kept, assume_unique=True)] if trimmed else sample
        for split in _splits(Y[inside], low, high, n, n_transforms, moment, steps):
            if split.cost + outside < least:
                best, least = split._replace(cost=split.cost + outside), split.cost + outside
    return best


def _splits(
    sample: Floats, low: Floats, high: Floats, n: int, n_transforms: int, moment: int, steps: float
) -> list[Split]:
    """The splits of a box, one a number of modes."""
    d, lengths = sample.shape[1], np.maximum(high - low, 1e-3 * (high - low).max())
    if lengths.max() == 0:
        return []
    centre = tuple((low + (high - low) / 2).tolist())
    rung = 2.0 ** (math.ceil(8 * math.log2(lengths.max())) / 8)
    found = []
    for longest in MODES_3D if d == 3 else MODES:
        room = longest / 2 - turn(longest, moment, steps)
        if room <= 0:
            continue
        step = rung / room
        modes = tuple(_modes(length / step, moment, steps) for length in lengths)
        radius = steps * step
        far = (n_transforms + 1) * (MODE * math.prod(modes) + POINT * n)
        near = NEAR * 2 * count_candidates(cells_of(sample, radius**2)) * (n / len(sample)) ** 2
        found.append(Split(centre, step, modes, radius, far + near))
        if near < far / 8:  # more modes cost more, and save less than an eighth
            break
    return found


def _modes(length: float, moment: int, steps: float) -> int:
    """The least even number of modes that FFTs are quick at, and that holds a length in grid steps and its turn."""
    half = max(math.ceil(length * 1.05 - 1e-9), math.ceil(length + turn(0, moment, steps) - 1e-9), 8)
    return 2 * int(next_fast_len(half))
