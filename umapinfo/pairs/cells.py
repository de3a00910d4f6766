"""Cells: a grid over points in any dimension that finds those near each other, and how wide it should be."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from umapinfo.jit import jit
from umapinfo.pairs.potentials import squared_distance

PILOT = 10_000_000  # distances that the choice of the radius may cost
BINS_PER_OCTAVE = 8  # of squared distance
LOWEST = -1075  # log2 of the smallest squared distance
UNDERFLOW = 1e-150  # layout units: pairs whose squared distance is inexact or 0 are not further apart
CELLS = 2**41  # along an axis: the number of a cell is then known to 2e-3, rounding included
REACH = 2  # cells to a radius: the more, the fewer points in reach are out of it, and the shorter their runs
SLIVER = 5e-3  # by which cells are wider, so that rounding takes no neighbour further away than the next


class Cells(NamedTuple):
    """A grid over points: their order by cell, their cells' numbers in that order, steps to the rows of cells around.

    The cells in reach of one are those up to REACH away along each axis; those of one row have numbers in sequence: one
    range of points.  int64[g], [g], [1, 5 or 25].
    """

    order: NDArray[np.int64]
    keys: NDArray[np.int64]
    steps: NDArray[np.int64]


def cells_of(Y: NDArray[np.float64], radius2: float) -> Cells:
    """The cells of points float64[g, d], REACH wider than the radius; along the widest axis they follow each other."""
    columns = np.ascontiguousarray(Y.T)
    low = np.array([axis.min() for axis in columns])
    extent = np.array([axis.max() for axis in columns]) - low
    axes = np.argsort(-extent, kind="stable")[:3]
    widest = extent[axes[0]]
    if widest <= UNDERFLOW or np.sqrt(radius2) >= widest:
        return Cells(np.arange(len(Y)), np.ones(len(Y), np.int64), np.zeros(1, np.int64))
    side = max(np.sqrt(radius2) * (1 + SLIVER) / REACH, widest / CELLS, UNDERFLOW)
    keys, steps, stride = np.zeros(len(Y), np.int64), np.zeros(1, np.int64), 1
    for axis in axes:
        places = without_gaps(np.floor((columns[axis] - low[axis]) / side).astype(np.int64))
        if stride > 1:
            steps = (steps[:, np.newaxis] + stride * np.arange(-REACH, REACH + 1)).ravel()
        keys += places * stride
        stride *= int(places.max()) + REACH + 1  # with empty cells at either end of a row
        if stride >= 2**62 // ((REACH + 1) * (len(Y) + 1)):  # numbers would not fit; fewer axes find the same pairs
            break
    order = np.argsort(keys, kind="stable")
    return Cells(order, keys[order], steps)


def without_gaps(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers from 1 on in the order of the places, in sequence where these are: far outliers cost no numbers."""
    found, index = np.unique(places, return_inverse=True)
    return np.concatenate([[1], 1 + np.cumsum(np.minimum(np.diff(found), REACH + 1))])[index]


@jit
def fill_ranges(cells: Cells, key: int, ranges: np.ndarray) -> None:
    """Fill ranges int64[rows, 2] with the points in reach of a cell, row by row of cells: [start, stop)."""
    for row in range(ranges.shape[0]):
        beside = key + cells.steps[row]
        ranges[row, 0] = np.searchsorted(cells.keys, beside - REACH)
        ranges[row, 1] = np.searchsorted(cells.keys, beside + REACH, side="right")


@jit
def count_candidates(cells: Cells) -> int:
    """Number of pairs of points in reach of each other, each pair once."""
    total, key, ranges = 0, -1, np.empty((cells.steps.shape[0], 2), np.int64)
    for i in range(cells.keys.shape[0]):
        if cells.keys[i] != key:
            key = cells.keys[i]
            fill_ranges(cells, key, ranges)
        for row in range(ranges.shape[0]):
            total += max(0, ranges[row, 1] - max(i + 1, ranges[row, 0]))
    return total


def pilot_radius2(layout: NDArray[np.float64], n_near: int) -> float:
    """The squared radius within which about n_near pairs lie, as some points' distances to all others tell."""
    n = len(layout)
    n_pilot = min(n, max(16, min(256, PILOT // n)))
    pilots = np.arange(n_pilot) * n // n_pilot
    histogram = np.zeros((1024 - LOWEST) * BINS_PER_OCTAVE + 1, np.int64)
    count_distances(layout, pilots, histogram)
    within = np.cumsum(histogram) * (n / (2 * n_pilot))
    bins = int(np.searchsorted(within, n_near, side="right"))  # that together are not too many
    if bins == 0 or within[bins - 1] == 0:
        return 0.0
    extent2 = ((layout.max(axis=0) - layout.min(axis=0)) ** 2).sum()
    return float(min(2.0 ** min(bins / BINS_PER_OCTAVE + LOWEST, 1023.0), extent2))


@jit
def count_distances(Y: np.ndarray, pilots: np.ndarray, histogram: np.ndarray) -> None:
    """Count the squared distances d2 > 0 from some points to all others in bins of log2 d2."""
    for i in pilots:
        for j in range(Y.shape[0]):
            d2 = squared_distance(Y, i, j)
            if d2 > 0.0:
                histogram[int(np.floor((np.log2(d2) - LOWEST) * BINS_PER_OCTAVE))] += 1
