"""PyNNDescent, and the memory that it takes."""

import warnings
from typing import Any

import numba
import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from umapinfo.core.distances import single_bytes

MAX_CANDIDATES = 60
BLOCK = 16_384  # points of which PyNNDescent collects updates at a time
LEAVES = 64  # and leaves, a thread
UPDATES = 1 / 8  # of the pairs of candidates (measured: 4 to 14 % up to k = 30, to 40 % at k = 60)
NORMALISED = ("cosine", "direct_cosine", "dot")  # metrics for which it copies the data
COMPILED = 300e6  # bytes of PyNNDescent's kernels, which every process compiles anew (measured)


def nn_descent(
    data: Any, n_neighbors: int, metric: str, kwds: dict[str, Any], seed: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Indices and distances [n, n_neighbors] by PyNNDescent with umap-learn's settings; -1 where none was found."""
    from pynndescent import NNDescent

    n = data.shape[0]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Failed to correctly find n_neighbors", UserWarning)  # the caller sees -1
        index = NNDescent(
            data.astype(np.float32) if scipy.sparse.issparse(data) else np.ascontiguousarray(data, np.float32),
            n_neighbors=n_neighbors,
            metric=metric,
            metric_kwds=dict(kwds),  # it writes into them
            random_state=seed,
            n_trees=n_trees(n),
            n_iters=max(5, round(np.log2(n))),
            max_candidates=MAX_CANDIDATES,
            compressed=False,
        )
        listed, lengths = index.neighbor_graph
    return listed, lengths


def n_trees(n: int) -> int:
    """Random projection trees for n points: umap-learn's rule."""
    return min(64, 5 + round(n**0.5 / 20))


def nn_descent_bytes(data: Any, n_neighbors: int, metric: str) -> float:
    """Memory of `nn_descent` where it descends, by the arrays of PyNNDescent 0.7.

    The data in float32, normalised ones beside them; leaves of the trees (int32, in rows of which half is filled);
    neighbours in heaps (int32, float32, uint8) and reversed edges (two int32); new and old candidates (int32, float32)
    and a flag a point.  Then updates of 12 bytes, and each twice where they are sorted, for a block of points: for some
    of the pairs of a point's candidates, which are its neighbours and as many of which it is one.
    """
    n, k = data.shape[0], n_neighbors
    candidates, leaf = min(MAX_CANDIDATES, 2 * k), min(max(60, 5 * k), 256)
    lists = 8 * n * n_trees(n) + 17 * n * k
    descent = (16 * MAX_CANDIDATES + 1) * n + 36 * UPDATES * min(n, BLOCK) * candidates * (candidates - 1) / 2
    first = 36 * numba.get_num_threads() * LEAVES * leaf * (leaf - 1) / 2
    copies = 2 if metric in NORMALISED else 1
    return copies * single_bytes(data) + lists + max(descent, first) + COMPILED
