"""How well layouts keep neighbourhoods: trustworthiness and recall, exact at any size, of many layouts at once.

With r_ij the rank of j among the other points by distance from i in the data (1 is the nearest), and U_i the k nearest
others of i in the layout,

    trustworthiness   1 - 2 / (n k (2 n - 3 k - 1)) sum_i sum_{j in U_i} max(0, r_ij - k)
    recall            1 / (n k) sum_i #{j in U_i : r_ij <= k}

Trustworthiness is that of Venna and Kaski (2001), in scikit-learn too, which sorts n x n distances for one layout.
Here rows of distances are taken a few at a time, once for all layouts, and only ranks asked for are looked up.

Ties: points equally far in the data are ranked by index, as neighbour lists have them, copies of a point too.  Of those
equally far in a layout, scipy's tree chooses which are listed.  Squared distances are |x|^2 - 2 x y + |y|^2 in float64:
of whole numbers (grey values) exact, of others with an error of about 1e-16 (|x|^2 + |y|^2), within which ranks may be
exchanged.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from sklearn.metrics import pairwise_distances_chunked

from umapinfo import neighbors_from_lists
from umapinfo.core.distances import Report
from umapinfo.jit import parallel_jit

MEGABYTES = 512  # of distances at a time, and as much again sorted


class Quality(NamedTuple):
    """Trustworthiness and recall of a layout, both in [0, 1]."""

    trustworthiness: float
    recall: float


def qualities(
    X: NDArray[Any],
    layouts: Sequence[NDArray[Any]],
    n_listed: int,
    report: Report | None = None,
) -> list[Quality]:
    """The quality of each layout [n, d] of the data [n, n_features], by the `n_listed` nearest others, under n / 2."""
    n, k = len(X), n_listed
    if not 1 <= k < n / 2:
        raise ValueError(f"n_listed: expected 1 <= n_listed < n / 2 = {n / 2:g}, got {k}; list fewer neighbours")
    near = np.stack([nearest(Y, k) for Y in layouts], axis=1)
    ranks = data_ranks(X, near.reshape(n, -1), report).reshape(near.shape)
    too_far = np.maximum(ranks - k, 0).sum(axis=(0, 2), dtype=np.int64)
    trust, recall = 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * too_far, (ranks <= k).mean(axis=(0, 2))
    return [Quality(*map(float, pair)) for pair in zip(trust, recall, strict=True)]


def nearest(Y: NDArray[Any], n_listed: int) -> NDArray[np.int32]:
    """The nearest others of each point, int32[n, n_listed]."""
    distances, indices = cKDTree(Y).query(Y, n_listed + 1)
    return neighbors_from_lists(indices, distances).indices


def data_ranks(X: NDArray[Any], near: NDArray[np.int32], report: Report | None = None) -> NDArray[np.int32]:
    """Rank of each point near[i, c] by distance from i in the data, int32 of the shape of `near`."""
    ranks, start = np.empty(near.shape, np.int32), 0
    chunks = pairwise_distances_chunked(np.asarray(X, np.float64), squared=True, working_memory=MEGABYTES)
    for d2 in chunks:
        rows = np.arange(len(d2))
        d2[rows, start + rows] = np.inf
        part = slice(start, start + len(d2))
        fill_ranks(d2, np.sort(d2, axis=1), near[part], ranks[part])
        start += len(d2)
        if report:
            report("ranks of neighbours", start, len(X))
    return ranks


@parallel_jit
def fill_ranks(
    d2: NDArray[np.float64], in_order: NDArray[np.float64], near: NDArray[np.int32], ranks: NDArray[np.int32]
) -> None:
    """Write 1 + the number of nearer points, and of equally far ones with a lower index; `in_order` is d2 sorted."""
    n = d2.shape[1]
    for row in prange(len(near)):
        for column in range(near.shape[1]):
            j = near[row, column]
            before = np.searchsorted(in_order[row], d2[row, j])
            if before + 1 < n and in_order[row, before + 1] == d2[row, j]:
                for other in range(j):
                    before += d2[row, other] == d2[row, j]
            ranks[row, column] = before + 1
