"""What happened to each vertex in an epoch, counted."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from umapinfo.core.lists import Lists
from umapinfo.jit import jit


class Counts(NamedTuple):
    """What happened to each vertex in one epoch, int64[n] each.

    An attraction counts for head and tail, a repulsion for its head (and its tail with push_tail: a self-draw then
    counts twice at its vertex).  Self-draws and coincident pairs are scheduled, not realised: they move nothing.
    """

    attractions_scheduled: NDArray[np.int64]
    attractions_realised: NDArray[np.int64]
    repulsions_scheduled: NDArray[np.int64]
    repulsions_realised: NDArray[np.int64]


def zero_counts(n: int) -> Counts:
    """Counts of an epoch in which nothing happened."""
    return Counts(*(np.zeros(n, np.int64) for _ in range(4)))


@jit
def count_list(lists: Lists, r: int, push_tail: bool, counts: Counts) -> None:
    """Add row r of lists as if all of it were realised: both entries of an edge are due at the same times."""
    n = lists.n_vertices[r]
    for v in range(n):
        i, pulls = lists.vertices[r, v], lists.pulls[r, v + 1] - lists.pulls[r, v]
        pushes = lists.starts[r, v + 1] - lists.starts[r, v] - pulls
        counts.attractions_scheduled[i] += 2 * pulls
        counts.attractions_realised[i] += 2 * pulls
        counts.repulsions_scheduled[i] += pushes
        counts.repulsions_realised[i] += pushes
    if push_tail and n > 0:
        for at in range(lists.starts[r, 0], lists.starts[r, n]):
            if lists.flat[at] >= 0:
                counts.repulsions_scheduled[lists.flat[at]] += 1
                counts.repulsions_realised[lists.flat[at]] += 1
