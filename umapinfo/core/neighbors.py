"""Nearest neighbours: exact for few points, PyNNDescent for many, or somebody else's lists.

n_neighbors = k counts the point itself, as umap-learn does, but the lists do not hold it: k - 1 neighbours a
row, nearest first.  In exact lists ties are ordered by index.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from numba import prange
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

from umapinfo.core.checks import checked_data, checked_precomputed
from umapinfo.jit import parallel_jit

EXACT_UP_TO = 4096  # points; umap-learn's own limit
BLOCK_BYTES = 2**27  # of distances in memory at once
SCIPY_NAMES = {
    **dict.fromkeys(("euclidean", "l2"), "euclidean"),
    **dict.fromkeys(("manhattan", "l1", "cityblock", "taxicab"), "cityblock"),
    **dict.fromkeys(("chebyshev", "linfinity", "linfty", "linf"), "chebyshev"),
}

Report = Callable[[str, int, int], None]


class Neighbors(NamedTuple):
    """Lists of the k - 1 nearest neighbours, the point itself not listed, nearest first.

    Attributes
    ----------
    indices : int32[n, k - 1]
    distances : float32[n, k - 1], data units
    """

    indices: NDArray[np.int32]
    distances: NDArray[np.float32]


def neighbors(
    X: ArrayLike | Any,
    n_neighbors: int = 15,
    *,
    metric: str = "euclidean",
    metric_kwds: dict[str, Any] | None = None,
    exact: bool | None = None,
    seed: int = 0,
    report: Report | None = None,
) -> Neighbors:
    """The n_neighbors - 1 nearest neighbours of every point.

    Parameters
    ----------
    X : array, DataFrame or scipy sparse matrix [n, n_features]
        Finite numbers.  With metric="precomputed": symmetric distances [n, n]; of a sparse matrix the stored entries
        off the diagonal are the known distances.
    n_neighbors : int, 2 <= n_neighbors < n
        Counts the point itself.  Too small: the graph falls apart; too large: local detail is lost.
    metric : str
        Any name that PyNNDescent knows, or "precomputed".
    metric_kwds : dict, optional
        Arguments of the metric in its own order (p of "minkowski").
    exact : bool, optional
        All distances (O(n^2)) or PyNNDescent's approximation; by default exact up to 4096 points.
    seed : int
        Of PyNNDescent.
    report : callable(stage, done, total), optional
        Told of progress.

    Returns
    -------
    Neighbors

    Raises
    ------
    TypeError, ValueError
        For input that the descriptions above exclude.
    """
    if metric == "precomputed":
        D = checked_precomputed(X)
        check_n_neighbors(n_neighbors, D.shape[0])
        return _from_precomputed(D, n_neighbors)
    data = checked_data(X)
    n = data.shape[0]
    check_n_neighbors(n_neighbors, n)
    _check_metric(metric, scipy.sparse.issparse(data))
    if exact if exact is not None else n <= EXACT_UP_TO:
        return _exact(data, np.arange(n), n_neighbors, metric, metric_kwds or {}, report)
    return _approximate(data, n_neighbors, metric, metric_kwds or {}, seed, report)


def neighbors_from_lists(indices: ArrayLike, distances: ArrayLike, n_neighbors: int | None = None) -> Neighbors:
    """Neighbour lists that exist already, in this package's form.

    Parameters
    ----------
    indices, distances : array [n, k] with the point itself anywhere, or [n, k - 1] with n_neighbors = k given
        A list of k that lacks its point (more than k duplicates) loses its farthest neighbour.
    n_neighbors : int, optional
        k, the point itself counted; by default the number of columns.

    Returns
    -------
    Neighbors
        Sorted by distance; equal distances stay in the given order.

    Raises
    ------
    TypeError, ValueError
        For shapes that differ, indices that are no integers in [0, n) or repeat in a row, distances not finite or
        negative.
    """
    lists, lengths = np.asarray(indices), np.asarray(distances)
    if lists.ndim != 2 or lists.shape != lengths.shape:
        raise ValueError(f"neighbor lists: expected two arrays [n, k], got shapes {lists.shape} and {lengths.shape}")
    if not np.issubdtype(lists.dtype, np.integer):
        raise TypeError(f"neighbor lists: expected integer indices, got {lists.dtype}; cast them with astype(int)")
    n, columns = lists.shape
    k = columns if n_neighbors is None else n_neighbors
    check_n_neighbors(k, n)
    if columns not in (k, k - 1):
        raise ValueError(f"neighbor lists: expected {k} or {k - 1} columns for n_neighbors={k}, got {columns}")
    lengths = _float32(lengths)
    _check_lists(lists, lengths, n)
    order = np.argsort(lengths, axis=1, kind="stable")
    lists = np.take_along_axis(lists, order, 1).astype(np.int32)
    lengths = np.take_along_axis(lengths, order, 1)
    if columns == k:
        return _without_self(lists, lengths)
    row = np.argmax((lists == np.arange(n)[:, None]).any(axis=1))
    if (lists[row] == row).any():
        raise ValueError(f"neighbor lists: expected {k - 1} columns without the point itself, got it in row {row}")
    return Neighbors(lists, lengths)


def check_n_neighbors(n_neighbors: int, n: int) -> None:
    """Raise unless 2 <= n_neighbors < n is an integer."""
    if isinstance(n_neighbors, bool) or not isinstance(n_neighbors, int | np.integer):
        raise TypeError(f"n_neighbors: expected an integer, got {n_neighbors!r}")
    if not 2 <= n_neighbors < n:
        raise ValueError(
            f"n_neighbors: expected 2 <= n_neighbors < n = {n} (the point itself is counted), got "
            f"{n_neighbors}; lower it"
        )


def _check_metric(metric: str, sparse: bool) -> None:
    known = _metrics(sparse)
    if metric not in known:
        raise ValueError(f"metric: expected 'precomputed' or one of {', '.join(sorted(known))}, got {metric!r}")


def _metrics(sparse: bool) -> dict[str, Any]:
    """PyNNDescent's compiled distance functions by name (importing it takes a second)."""
    if sparse:
        from pynndescent.sparse import sparse_named_distances

        return dict(sparse_named_distances)
    from pynndescent.distances import named_distances

    return dict(named_distances)


def _check_lists(indices: NDArray[Any], distances: NDArray[np.float32], n: int) -> None:
    outside = (indices < 0) | (indices >= n)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        raise ValueError(
            f"neighbor lists: expected indices in [0, {n}), got {indices[row, column]} in row {row}; "
            "search again with more candidates, -1 stands for a neighbour that was not found"
        )
    if (distances < 0).any():
        row, column = np.argwhere(distances < 0)[0]
        raise ValueError(f"neighbor lists: expected distances >= 0, got {distances[row, column]} in row {row}")
    repeated = (np.diff(np.sort(indices, axis=1), axis=1) == 0).any(axis=1)
    if repeated.any():
        raise ValueError(
            f"neighbor lists: expected each neighbour once a row, got one twice in row {np.argmax(repeated)}"
        )


def _float32(distances: NDArray[Any]) -> NDArray[np.float32]:
    """Distances as float32; ValueError naming the first row where one is not finite (or too large for float32)."""
    with np.errstate(over="ignore"):
        result = np.ascontiguousarray(distances, dtype=np.float32)
    if not np.isfinite(result).all():
        row = np.argwhere(~np.isfinite(result))[0, 0]
        raise ValueError(
            f"distances: expected finite values below 3.4e38, got {distances[row].max()} in row {row}; rescale the data"
        )
    return result


def _without_self(indices: NDArray[np.int32], distances: NDArray[np.float32]) -> Neighbors:
    """Sorted lists less the point itself, or less the last neighbour where the point is not listed."""
    n, k = indices.shape
    is_self = indices == np.arange(n)[:, None]
    is_self[~is_self.any(axis=1), -1] = True
    return Neighbors(indices[~is_self].reshape(n, k - 1), distances[~is_self].reshape(n, k - 1))


def _from_precomputed(D: Any, n_neighbors: int) -> Neighbors:
    if not scipy.sparse.issparse(D):
        indices, distances = _nearest(D, np.arange(len(D)), n_neighbors - 1)
        return Neighbors(indices, _float32(distances))
    n, listed = D.shape[0], n_neighbors - 1
    indices, distances = np.empty((n, listed), np.int32), np.empty((n, listed))
    for i in range(n):
        columns, values = D.indices[D.indptr[i] : D.indptr[i + 1]], D.data[D.indptr[i] : D.indptr[i + 1]]
        columns, values = columns[columns != i], values[columns != i]
        if len(columns) < listed:
            raise ValueError(
                f"precomputed distances: expected at least {listed} stored neighbours a row, got {len(columns)} "
                f"in row {i}; "
                "lower n_neighbors or store more distances"
            )
        order = np.lexsort((columns, values))[:listed]
        indices[i], distances[i] = columns[order], values[order]
    return Neighbors(indices, _float32(distances))


def _exact(
    data: Any,
    points: NDArray[Any],
    n_neighbors: int,
    metric: str,
    kwds: dict[str, Any],
    report: Report | None,
) -> Neighbors:
    """The nearest neighbours of some points among all, by all distances, a block of rows at a time."""
    listed = n_neighbors - 1
    indices, distances = np.empty((len(points), listed), np.int32), np.empty((len(points), listed))
    done = 0
    for block, D in _distance_blocks(data, points, metric, kwds):
        found = _nearest(D, block, listed)
        indices[done : done + len(block)], distances[done : done + len(block)] = found
        done += len(block)
        if report:
            report("neighbors", done, len(points))
    return Neighbors(indices, _float32(distances))


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
                _metrics(False)[metric],
                tuple(kwds.values()),
                out,
            )
            yield block, out


def _sparse_distances(data: Any, block: NDArray[Any], metric: str, kwds: dict[str, Any]) -> NDArray[np.float64]:
    from pynndescent.sparse import sparse_need_n_features

    arguments = tuple(kwds.values())
    if metric in sparse_need_n_features:
        arguments = (data.shape[1], *arguments)
    out = np.empty((len(block), data.shape[0]))
    parts = (data.indptr, data.indices, data.data.astype(np.float32))
    _fill_sparse_distances(*parts, block, _metrics(True)[metric], arguments, out)
    return out


def _nearest(D: NDArray[Any], points: NDArray[Any], listed: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    indices, distances = np.empty((len(D), listed), np.int32), np.empty((len(D), listed))
    _fill_nearest(np.ascontiguousarray(D, np.float64), points.astype(np.int64), indices, distances)
    return indices, distances


@parallel_jit
def _fill_nearest(
    D: NDArray[np.float64],
    points: NDArray[np.int64],
    indices: NDArray[np.int32],
    distances: NDArray[np.float64],
) -> None:
    """Sorted lists of the smallest distances of each row, the point itself left out; ties to the smaller index."""
    listed = indices.shape[1]
    for row in prange(D.shape[0]):
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


@parallel_jit
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


@parallel_jit
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


def _approximate(
    data: Any, n_neighbors: int, metric: str, kwds: dict[str, Any], seed: int, report: Report | None
) -> Neighbors:
    """PyNNDescent with umap-learn's settings; rows it could not fill are searched exactly."""
    from pynndescent import NNDescent

    n = data.shape[0]
    if report:
        report("neighbors", 0, n)
    index = NNDescent(
        data.astype(np.float32) if scipy.sparse.issparse(data) else np.ascontiguousarray(data, np.float32),
        n_neighbors=n_neighbors,
        metric=metric,
        metric_kwds=kwds,
        random_state=seed,
        n_trees=min(64, 5 + round(n**0.5 / 20)),
        n_iters=max(5, round(np.log2(n))),
        max_candidates=60,
        compressed=False,
    )
    indices, distances = index.neighbor_graph
    missing = np.flatnonzero((indices < 0).any(axis=1) | ~np.isfinite(distances).all(axis=1))
    found = _without_self(indices.astype(np.int32), distances.astype(np.float32))
    if len(missing):
        found.indices[missing], found.distances[missing] = _exact(data, missing, n_neighbors, metric, kwds, report)
    if report:
        report("neighbors", n, n)
    return Neighbors(found.indices, _float32(found.distances))
