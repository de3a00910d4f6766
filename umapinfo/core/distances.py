"""All distances from a block of points to all points, and the nearest of them: exact search.

Distances are scipy's in float64 where a metric of PyNNDescent is the same there, else PyNNDescent's own on float32
data, whose squares would leave float32 for data of extreme scale: those are divided by a power of two.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy as np
import scipy.sparse
from numba import prange
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from umapinfo.jit import jit
from umapinfo.threads import in_parts

BLOCK_BYTES = 2**27  # of distances in memory at once
SEARCHED = 4_000_000  # distances that a thread looks through at a time: some milliseconds
SCIPY_NAMES = {  # none takes an argument
    **dict.fromkeys(("euclidean", "l2"), "euclidean"),
    **dict.fromkeys(("manhattan", "l1", "taxicab"), "cityblock"),
    **dict.fromkeys(("chebyshev", "linfinity", "linfty", "linf"), "chebyshev"),
}
# d(s x, s y) = s^degree d(x, y)
DEGREES = {
    **dict.fromkeys(("cosine", "correlation", "true_angular", "canberra", "braycurtis"), 0),
    **dict.fromkeys((*SCIPY_NAMES, "minkowski", "wminkowski", "weighted_minkowski"), 1),
    **dict.fromkeys(("seuclidean", "standardised_euclidean", "mahalanobis"), 1),
    "sqeuclidean": 2,
}
# Arguments with a row per feature; PyNNDescent's own defaults are of two features, whatever the data.
PER_FEATURE = {
    **dict.fromkeys(("seuclidean", "standardised_euclidean"), "sigma"),
    **dict.fromkeys(("wminkowski", "weighted_minkowski"), "w"),
    **dict.fromkeys(("kantorovich", "wasserstein", "sinkhorn"), "cost"),
    "mahalanobis": "vinv",
}

Report = Callable[[str, int, int], None]

# numba files a compiled kernel under the identity of the distance function that it is given, which is another one in
# every process: a cache would never be hit and would grow by a file each time.
_parallel_uncached = numba.njit(parallel=True, nogil=True, error_model="numpy")


def metrics(sparse: bool) -> dict[str, Any]:
    """PyNNDescent's compiled distance functions of real numbers by name.

    Importing it takes a second, and many where no cache has its kernels yet.
    """
    if sparse:
        from pynndescent.sparse import sparse_named_distances

        return dict(sparse_named_distances)
    from pynndescent.distances import named_distances

    return {name: distance for name, distance in named_distances.items() if not name.startswith("bit_")}


def checked_metric_kwds(metric: str, kwds: dict[str, Any], data: Any) -> dict[str, Any]:
    """The arguments of a metric in its own order.

    Raises
    ------
    TypeError
        An argument that the metric does not take.
    ValueError
        An unknown metric, one that is not for so many features, or without the argument that it needs.
    """
    sparse = scipy.sparse.issparse(data)
    names = [] if metric in SCIPY_NAMES and not sparse else _arguments_of(metric, data)
    if not set(kwds) <= set(names):
        raise TypeError(f"metric_kwds: expected arguments of {metric!r}, {names}, got {list(kwds)}; remove the others")
    needed = None if sparse else PER_FEATURE.get(metric)
    if needed is None:
        return {name: kwds[name] for name in names if name in kwds}
    shape = np.shape(kwds.get(needed, ()))
    if shape[:1] != (data.shape[1],):
        raise ValueError(
            f"metric_kwds: expected {needed!r} of {metric!r} with {data.shape[1]} rows, one a feature, got shape "
            f"{shape}; give it in metric_kwds"
        )
    arrays = {needed: np.ascontiguousarray(kwds[needed], np.float64)}
    return {name: (kwds | arrays)[name] for name in names if name in kwds}


def _arguments_of(metric: str, data: Any) -> list[str]:
    """Names of a metric's arguments, as PyNNDescent knows them; ValueError where it does not know the metric."""
    sparse = scipy.sparse.issparse(data)
    known = metrics(sparse)
    if metric not in known:
        raise ValueError(
            f"metric: expected 'precomputed' or a name that PyNNDescent knows, got {metric!r}; choose one of "
            f"{', '.join(sorted(known))}"
        )
    if metric == "haversine" and data.shape[1] != 2:
        raise ValueError(
            f"metric: expected 2 features (latitude, longitude) for 'haversine', got {data.shape[1]}; choose two"
        )
    names = [name for name in inspect.signature(known[metric].py_func).parameters if name != "n_features"]
    return names[4 if sparse else 2 :]  # after two points, of a sparse matrix with indices and values each


def extreme_scale(data: Any, metric: str) -> float:
    """The power of two that brings data of extreme scale to [1, 2); 1 for ordinary data, whose bits stay."""
    largest = float(max(data.max(), -data.min()))
    if metric not in DEGREES or largest == 0 or 2.0**-20 <= largest <= 2.0**20:
        return 1.0
    return float(2.0 ** np.floor(np.log2(largest)))


def homogeneity(scale: float, metric: str) -> float:
    """What distances of data divided by `scale` are to be multiplied by."""
    return scale ** DEGREES.get(metric, 0)


def exact_search(
    data: Any,
    points: NDArray[Any],
    listed: int,
    metric: str,
    kwds: dict[str, Any],
    report: Report | None,
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The nearest neighbours of some points among all: indices and distances [len(points), listed]."""
    indices, distances = np.empty((len(points), listed), np.int32), np.empty((len(points), listed))
    done = 0
    for block, D in _distance_blocks(data, points, metric, kwds):
        _settle_nan(D, block, data, metric)
        found = nearest(D, block, listed)
        indices[done : done + len(block)], distances[done : done + len(block)] = found
        done += len(block)
        if report:
            report("neighbors", done, len(points))
    return indices, distances


def exact_bytes(data: Any) -> float:
    """Memory of an exact search: the data in float32, a block of distances and the one before, and what is NaN."""
    block = min(BLOCK_BYTES, 8 * data.shape[0] ** 2)
    return single_bytes(data) + (2 + 1 / 8) * block


def single_bytes(data: Any) -> int:
    """Memory of checked data in float32: of a sparse matrix with its int32 indices."""
    return 8 * int(data.nnz) if scipy.sparse.issparse(data) else 4 * int(data.size)


def _settle_nan(D: NDArray[np.float64], block: NDArray[Any], data: Any, metric: str) -> None:
    """Make NaN between equal points 0 (some metrics round to sqrt(-1e-8) there); ValueError for any other NaN."""
    D[np.arange(len(block)), block] = 0.0
    undefined = np.isnan(D)
    if not undefined.any():
        return
    labels = _equal_rows(data)
    D[undefined & (labels[block][:, None] == labels)] = 0.0
    if np.isnan(D).any():
        row, j = np.argwhere(np.isnan(D))[0]
        raise ValueError(
            f"metric: expected a distance, got NaN from {metric!r} between points {block[row]} and {j}; "
            "choose a metric that is defined for such data"
        )


def _equal_rows(data: Any) -> NDArray[np.int64]:
    """A label for each row, the same for equal rows."""
    if scipy.sparse.issparse(data):
        spans = [slice(*ends) for ends in zip(data.indptr, data.indptr[1:], strict=False)]
        keys = [(data.indices[span].tobytes(), data.data[span].tobytes()) for span in spans]
    else:
        keys = [row.tobytes() for row in data]
    seen: dict[Any, int] = {}
    return np.array([seen.setdefault(key, len(seen)) for key in keys])


def _distance_blocks(
    data: Any, points: NDArray[Any], metric: str, kwds: dict[str, Any]
) -> Iterator[tuple[NDArray[Any], NDArray[np.float64]]]:
    """Blocks of points with their distances to all: scipy's where the metric is the same there, else PyNNDescent's."""
    rows = max(1, BLOCK_BYTES // (8 * data.shape[0]))
    sparse = scipy.sparse.issparse(data)
    for first in range(0, len(points), rows):
        block = points[first : first + rows]
        if sparse:
            yield block, _sparse_distances(data, block, metric, kwds)
        elif metric in SCIPY_NAMES:
            yield block, cdist(data[block], data, SCIPY_NAMES[metric])
        else:
            out = np.empty((len(block), len(data)))
            _fill_distances(
                np.ascontiguousarray(data, np.float32),
                block,
                metrics(False)[metric],
                tuple(kwds.values()),
                out,
            )
            yield block, out


def _sparse_distances(data: Any, block: NDArray[Any], metric: str, kwds: dict[str, Any]) -> NDArray[np.float64]:
    """Distances of a block's points to all by PyNNDescent's sparse metrics."""
    from pynndescent.sparse import sparse_need_n_features

    arguments = tuple(kwds.values())
    if metric in sparse_need_n_features:
        arguments = (data.shape[1], *arguments)
    out = np.empty((len(block), data.shape[0]))
    parts = (data.indptr, data.indices, data.data.astype(np.float32))
    _fill_sparse_distances(*parts, block, metrics(True)[metric], arguments, out)
    return out


def nearest(D: NDArray[Any], points: NDArray[Any], listed: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The nearest `listed` points of each row of distances D to all, sorted; row r is of point points[r], left out."""
    indices, distances = np.empty((len(D), listed), np.int32), np.empty((len(D), listed))
    given = np.ascontiguousarray(D, np.float64), points.astype(np.int64)
    part = max(1, SEARCHED // D.shape[1])
    in_parts(lambda start, stop: _fill_nearest(*given, start, stop, indices, distances), len(D), part)
    return indices, distances


@jit
def _fill_nearest(
    D: NDArray[np.float64],
    points: NDArray[np.int64],
    start: int,
    stop: int,
    indices: NDArray[np.int32],
    distances: NDArray[np.float64],
) -> None:
    """Sorted lists of the smallest distances of some rows, the point itself left out; ties to the smaller index."""
    listed = indices.shape[1]
    for row in range(start, stop):
        held = 0
        for j in range(D.shape[1]):
            if j == points[row] or (held == listed and not D[row, j] < distances[row, listed - 1]):
                continue
            place = min(held, listed - 1)
            while place > 0 and distances[row, place - 1] > D[row, j]:
                distances[row, place], indices[row, place] = (
                    distances[row, place - 1],
                    indices[row, place - 1],
                )
                place -= 1
            distances[row, place], indices[row, place] = D[row, j], j
            held = min(held + 1, listed)


@_parallel_uncached
def _fill_distances(
    X: NDArray[np.float32],
    block: NDArray[Any],
    distance: Any,
    arguments: tuple[Any, ...],
    out: NDArray[np.float64],
) -> None:
    """Distances of a block's points to all, by one of PyNNDescent's dense metrics."""
    for row in prange(block.shape[0]):
        for j in range(X.shape[0]):
            out[row, j] = distance(X[block[row]], X[j], *arguments)


@_parallel_uncached
def _fill_sparse_distances(
    indptr: NDArray[Any],
    indices: NDArray[Any],
    values: NDArray[np.float32],
    block: NDArray[Any],
    distance: Any,
    arguments: tuple[Any, ...],
    out: NDArray[np.float64],
) -> None:
    """Distances of a block's points to all, by one of PyNNDescent's sparse metrics."""
    for row in prange(block.shape[0]):
        i = block[row]
        mine, my_values = indices[indptr[i] : indptr[i + 1]], values[indptr[i] : indptr[i + 1]]
        for j in range(indptr.shape[0] - 1):
            theirs, their_values = indices[indptr[j] : indptr[j + 1]], values[indptr[j] : indptr[j + 1]]
            out[row, j] = distance(mine, my_values, theirs, their_values, *arguments)
