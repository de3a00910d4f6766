"""A step along a direction at which a function is lower by enough, and flatter (strong Wolfe conditions).

The bracket holds such a step at any time: its low end is low enough and falls on, its high end is too high or rises.  A
trial that gives +inf or NaN counts as too high.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LOWER, FLATTER = 1e-4, 0.9  # the fall demanded, of what the slope promises; the slope allowed, of that at the start
TRIALS = 25
FURTHER = 4.0  # the next trial over the last while all fall on
INNER = 0.1  # of the bracket's length: nearer to its ends there is no trial
NOISE = 1e-14  # of a value: rounding of its sum


class Trial(NamedTuple):
    """A point on the line: step, value there and its derivative in the step, layout and gradient float64[n, d]."""

    step: float
    value: float
    slope: float
    Y: NDArray[np.float64]
    gradient: NDArray[np.float64]


def line_search(at: Callable[[float], Trial], start: Trial, first: float) -> Trial | None:
    """The first trial that keeps both conditions; after TRIALS the lowest that is low enough, None if there is none.

    Parameters
    ----------
    at : step -> Trial
    start : Trial
        Of step 0; its slope is negative.
    first : float > 0
        Step of the first trial.
    """
    low, high, best, step = start, None, start, first
    for _ in range(TRIALS):
        here = at(step)
        allowed = start.value + LOWER * step * start.slope + NOISE * abs(start.value)
        if not here.value <= allowed:
            high = here
        elif abs(here.slope) <= -FLATTER * start.slope:
            return here
        else:
            best = min(best, here, key=lambda trial: trial.value)
            low, high = (here, high) if here.slope < 0 else (low, here)
        step = FURTHER * low.step if high is None else between(low, high)
    return None if best is start else best


def between(low: Trial, high: Trial) -> float:
    """Where the cubic through both ends is least, well inside the bracket; a quarter into it where that is nowhere."""
    width = high.step - low.step
    fraction = 0.25
    if np.isfinite(high.value) and np.isfinite(high.slope):
        rise = (high.value - low.value) / width
        curved = low.slope + high.slope - 3 * rise
        root2 = curved**2 - low.slope * high.slope
        if root2 >= 0:
            root = np.sqrt(root2)
            bottom = high.slope - low.slope + 2 * root
            fraction = 1 - (high.slope + root - curved) / bottom if bottom > 0 else 0.5
    return low.step + width * float(np.clip(fraction, INNER, 1 - INNER))
