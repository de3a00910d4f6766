"""Nearest neighbours: exact for few points, PyNNDescent for many, or somebody else's lists.

n_neighbors = k counts the point itself, as umap-learn does, but the lists do not hold it: k - 1 neighbours a
row, nearest first, ties ordered by index (which of several at the same distance are listed last, PyNNDescent chooses).
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from umapinfo.core.approximate import nn_descent, nn_descent_bytes
from umapinfo.core.checks import checked_data, checked_precomputed
from umapinfo.core.distances import (
    Report,
    checked_metric_kwds,
    exact_bytes,
    exact_search,
    extreme_scale,
    homogeneity,
    nearest,
)
from umapinfo.memory import Stage, check_memory

EXACT_BELOW = 4096  # points; umap-learn's own limit
LARGEST = 1e30  # distance: sums of float32 distances stay finite
ROUNDING = 1e-5  # how far under 0 the rounding of 1 - cos may lead


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
        Arguments of the metric (p of "minkowski").
    exact : bool, optional
        All distances (O(n^2)) or PyNNDescent's approximation; by default exact below 4096 points.
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
    MemoryError
        Before the search: it is forecast to take more memory than is free.
    """
    if metric == "precomputed":
        D = checked_precomputed(X)
        check_n_neighbors(n_neighbors, D.shape[0])
        return _from_precomputed(D, n_neighbors)
    data = checked_data(X)
    n = data.shape[0]
    check_n_neighbors(n_neighbors, n)
    check_memory({"neighbors": search_stage(data, n_neighbors, metric, exact)})
    kwds = checked_metric_kwds(metric, metric_kwds or {}, data)
    scale = extreme_scale(data, metric)
    data = data if scale == 1.0 else data / scale
    if is_exact(n, exact):
        indices, distances = exact_search(data, np.arange(n), n_neighbors - 1, metric, kwds, report)
    else:
        indices, distances = _approximate(data, n_neighbors, metric, kwds, seed, report)
    return Neighbors(indices, _float32(_non_negative(distances * homogeneity(scale, metric), metric)))


def is_exact(n: int, exact: bool | None) -> bool:
    """Whether all distances are looked at: as asked, or else for few points."""
    return n < EXACT_BELOW if exact is None else exact


def search_stage(data: Any, n_neighbors: int, metric: str, exact: bool | None) -> Stage:
    """Memory of a search in checked data, or in checked distances if these are precomputed.

    At the end an entry of the lists has PyNNDescent's int32 index and float32 distance, each twice, the same without
    the point itself, the distance as float64, its place in order (int64), and both in order: 52 bytes.
    """
    n, lists = data.shape[0], 52 * data.shape[0] * n_neighbors
    if metric == "precomputed":
        return Stage(lists, "lower n_neighbors")
    search = exact_bytes(data) if is_exact(n, exact) else nn_descent_bytes(data, n_neighbors, metric)
    return Stage(max(search, lists), "lower n_neighbors, or give fewer features (those of a PCA, say)")


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
        raise ValueError(
            f"neighbor lists: expected two arrays [n, k], got shapes {lists.shape} and {lengths.shape}; "
            "give both of one search"
        )
    if not np.issubdtype(lists.dtype, np.integer):
        raise TypeError(f"neighbor lists: expected integer indices, got {lists.dtype}; cast them with astype(int)")
    n, columns = lists.shape
    k = columns if n_neighbors is None else n_neighbors
    check_n_neighbors(k, n)
    if columns not in (k, k - 1):
        raise ValueError(
            f"neighbor lists: expected {k} or {k - 1} columns for n_neighbors={k}, got {columns}; n_neighbors "
            "counts the point itself, listed or not"
        )
    _check_lists(lists, n)
    lengths = _float32(lengths)
    if (lengths < 0).any():
        row, column = np.argwhere(lengths < 0)[0]
        raise ValueError(
            f"neighbor lists: expected distances >= 0, got {lengths[row, column]} in row {row}; give distances, not "
            "similarities"
        )
    order = np.argsort(lengths, axis=1, kind="stable")
    lists = np.take_along_axis(lists, order, 1).astype(np.int32)
    lengths = np.take_along_axis(lengths, order, 1)
    if columns == k:
        return _without_self(lists, lengths)
    row = np.argmax((lists == np.arange(n)[:, None]).any(axis=1))
    if (lists[row] == row).any():
        raise ValueError(
            f"neighbor lists: expected {k - 1} columns without the point itself, got it in row {row}; give n_neighbors="
            f"{columns} if every row lists it"
        )
    return Neighbors(lists, lengths)


def check_n_neighbors(n_neighbors: int, n: int) -> None:
    """Raise unless 2 <= n_neighbors < n is an integer."""
    if isinstance(n_neighbors, bool) or not isinstance(n_neighbors, int | np.integer):
        raise TypeError(f"n_neighbors: expected an integer, got {n_neighbors!r}; round it")
    if not 2 <= n_neighbors < n:
        raise ValueError(
            f"n_neighbors: expected 2 <= n_neighbors < n = {n} (the point itself is counted), got {n_neighbors}; "
            "choose a number in that range"
        )


def _check_lists(indices: NDArray[Any], n: int) -> None:
    outside = (indices < 0) | (indices >= n)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        raise ValueError(
            f"neighbor lists: expected indices in [0, {n}), got {indices[row, column]} in row {row}; "
            "search again with more candidates, -1 stands for a neighbour that was not found"
        )
    repeated = (np.diff(np.sort(indices, axis=1), axis=1) == 0).any(axis=1)
    if repeated.any():
        raise ValueError(
            f"neighbor lists: expected each neighbour once a row, got one twice in row {np.argmax(repeated)}; "
            "remove repeated neighbours"
        )


def _non_negative(distances: NDArray[np.float64], metric: str) -> NDArray[np.float64]:
    """Distances with rounding under 0 cut off; ValueError for a metric whose values are no distances."""
    if distances.min() < -ROUNDING:
        row, column = np.argwhere(distances < -ROUNDING)[0]
        raise ValueError(
            f"metric: expected distances >= 0, got {distances[row, column]} from {metric!r} in row {row}; "
            "use a metric such as 'cosine'"
        )
    return np.maximum(distances, 0.0)


def _float32(distances: NDArray[Any]) -> NDArray[np.float32]:
    """Distances as float32; ValueError naming the first row where one is not finite or over LARGEST."""
    wrong = ~(distances <= LARGEST)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"distances: expected finite values up to {LARGEST:.0e}, got {distances[row, column]} in row {row}; "
            "rescale the data"
        )
    return np.ascontiguousarray(distances, dtype=np.float32)


def _without_self(indices: NDArray[np.int32], distances: NDArray[np.float32]) -> Neighbors:
    """Sorted lists less the point itself, or less the last neighbour where the point is not listed."""
    n, k = indices.shape
    is_self = indices == np.arange(n)[:, None]
    is_self[~is_self.any(axis=1), -1] = True
    return Neighbors(indices[~is_self].reshape(n, k - 1), distances[~is_self].reshape(n, k - 1))


def _from_precomputed(D: Any, n_neighbors: int) -> Neighbors:
    if not scipy.sparse.issparse(D):
        indices, distances = nearest(D, np.arange(len(D)), n_neighbors - 1)
        return Neighbors(indices, _float32(distances))
    n, listed = D.shape[0], n_neighbors - 1
    indices, distances = np.empty((n, listed), np.int32), np.empty((n, listed))
    for i in range(n):
        columns, values = D.indices[D.indptr[i] : D.indptr[i + 1]], D.data[D.indptr[i] : D.indptr[i + 1]]
        columns, values = columns[columns != i], values[columns != i]
        if len(columns) < listed:
            raise ValueError(
                f"precomputed distances: expected at least {listed} stored neighbours a row, got {len(columns)} "
                f"in row {i}; lower n_neighbors or store more distances"
            )
        order = np.lexsort((columns, values))[:listed]
        indices[i], distances[i] = columns[order], values[order]
    return Neighbors(indices, _float32(distances))


def _approximate(
    data: Any, n_neighbors: int, metric: str, kwds: dict[str, Any], seed: int, report: Report | None
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """PyNNDescent's lists without the point itself; rows it could not fill are searched exactly."""
    n = data.shape[0]
    if report:
        report("neighbors", 0, n)
    listed, lengths = nn_descent(data, n_neighbors, metric, kwds, seed)
    missing = np.flatnonzero((listed < 0).any(axis=1) | ~np.isfinite(lengths).all(axis=1))
    found = _without_self(listed.astype(np.int32), lengths)
    indices, distances = found.indices, found.distances.astype(np.float64)
    if len(missing):
        indices[missing], distances[missing] = exact_search(data, missing, n_neighbors - 1, metric, kwds, None)
    order = np.lexsort((indices, distances))  # PyNNDescent's order of ties depends on the number of threads
    if report:
        report("neighbors", n, n)
    return np.take_along_axis(indices, order, 1), np.take_along_axis(distances, order, 1)
