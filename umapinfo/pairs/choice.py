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

SAMPLE = 3_000  # points from which the number of near pairs is estimated
TRIMMED = (0, 16, 64, 256, 1024)  # vertices that may be left out of the box
MODES = (64, 96, 128, 192, 256, 384, 512, 768, 1024, 1280, 1536, 2048, 3072, 4096)
MODES_3D = (16, 24, 32, 48, 64, 96, 128, 192, 256)
DIRECT = 30e-9  # an ordered pair by a formula, for each entry of its moment
WIDE, PRODUCT = 6e-9, 0.5e-9  # an ordered pair by vectors, and for each of its weights and entries
MODE, POINT = 48e-9, 0.1e-6  # a transform's, each
NEAR, NEAR_SINGLE = 9e-9, 1.6e-9  # a near pair looked at
NARROWEST = 1e-140  # layout units: the squares of radii must not underflow
CHOICE = 0.1  # the choice itself, and the check


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


def radius_in_steps(rtol: float, d: int) -> float:
    """r_c over the grid step for a smooth part within rtol / 2: in 2-d 2e-7 at 4.7, tenfold less 0.9 steps on."""
    return min(max((4.7 if d == 2 else 6.4) - 0.9 * (math.log10(rtol) + 6.0), 3.0), 12.0)


def choose(Y: Floats, n_transforms: int, moment: int, steps: float, near: float, budget: float) -> Split | None:
    """The cheapest split of a layout, or None where all cost more than the budget, and outside 2 and 3 dimensions.

    Parameters
    ----------
    Y : float64[n, d]
    n_transforms : int
        Complex transforms to points: potentials, components and pairs of columns.
    moment : int
    steps : float
        r_c over the grid's step.
    near : float, seconds of one core
        For each near pair that is looked at: NEAR or NEAR_SINGLE.
    budget : float, seconds of one core
        What another way would cost.
    """
    n, d = Y.shape
    if d not in (2, 3) or budget <= CHOICE:
        return None
    columns, sample = np.ascontiguousarray(Y.T), np.random.default_rng(0).choice(n, min(n, SAMPLE), replace=False)
    middle = np.median(columns[:, :: max(n // SAMPLE, 1)], axis=1)
    distance = np.abs(columns - middle[:, np.newaxis]).max(axis=0)
    some = min(TRIMMED[-1], n)
    outermost = np.argpartition(distance, n - some)[n - some :]
    outermost = outermost[np.lexsort((outermost, -distance[outermost]))]
    place = np.full(n, some)
    place[outermost] = np.arange(some)
    bulk, edge = columns[:, place == some], columns[:, outermost]
    best, shortest, least = None, np.inf, budget
    for trimmed in TRIMMED:
        if trimmed >= n // 2:
            break
        kept = [np.append(one, other[trimmed:]) for one, other in zip(bulk, edge, strict=True)]
        low, high = np.array([axis.min() for axis in kept]), np.array([axis.max() for axis in kept])
        if (high - low).max() > 0.9 * shortest:
            continue
        shortest = (high - low).max()
        outside = 2 * DIRECT * trimmed * n * n_transforms
        box = Box(Y[sample[place[sample] >= trimmed]], low, high, n)
        split = _cheapest(box, n_transforms, moment, steps, near) if shortest > NARROWEST else None
        if split is not None and split.cost + outside < least:
            best, least = split._replace(cost=split.cost + outside), split.cost + outside
    return best


class Box(NamedTuple):
    """A box, a sample of the points in it, and the number of all."""

    sample: Floats
    low: Floats
    high: Floats
    n: int


def _cheapest(box: Box, n_transforms: int, moment: int, steps: float, near: float) -> Split:
    """The split of a box with the number of modes at which cost is least, going up or down from the middle one."""
    rungs = [m for m in (MODES_3D if len(box.low) == 3 else MODES) if m / 2 > turn(m, moment, steps)]
    place = len(rungs) // 2
    best = _split(box, rungs[place], n_transforms, moment, steps, near)
    for way in (1, -1):
        at = place + way
        while 0 <= at < len(rungs):
            split = _split(box, rungs[at], n_transforms, moment, steps, near)
            if split.cost >= best.cost:
                break
            best, at = split, at + way
    return best


def _split(box: Box, longest: int, n_transforms: int, moment: int, steps: float, near: float) -> Split:
    """The split with so many modes along the longest axis."""
    lengths = np.maximum(box.high - box.low, 1e-3 * (box.high - box.low).max())
    centre = tuple((box.low + (box.high - box.low) / 2).tolist())
    rung = 2.0 ** (math.ceil(8 * math.log2(lengths.max())) / 8)
    step = rung / (longest / 2 - turn(longest, moment, steps))
    modes = tuple(_modes(length / step, moment, steps) for length in lengths)
    radius = steps * step
    far = (n_transforms + 1) * (MODE * math.prod(modes) + POINT * box.n)
    return Split(centre, step, modes, radius, CHOICE + far + near * _looked_at(box.sample, radius, box.n))


def looked_at(Y: Floats, radius: float) -> float:
    """Near pairs, each for both ends, that a layout has to be looked at for, as a sample tells."""
    sample = np.random.default_rng(0).choice(len(Y), min(len(Y), SAMPLE), replace=False)
    return _looked_at(Y[sample], radius, len(Y))


def _looked_at(sample: Floats, radius: float, n: int) -> float:
    return 2 * float(count_candidates(cells_of(sample, radius**2))) * (n / len(sample)) ** 2


def _modes(length: float, moment: int, steps: float) -> int:
    """The least even number of modes that FFTs are quick at, and that holds a length in grid steps and its turn."""
    half = max(math.ceil(length * 1.05 - 1e-9), math.ceil(length + turn(0, moment, steps) - 1e-9), 8)
    return 2 * int(next_fast_len(half))
