"""Checks of the data that users hand in: done once, at the public surface."""

from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from umapinfo.memory import Stage, check_memory


def checked_data(X: Any) -> Any:
    """X as a C-contiguous float64 array or a float64 CSR matrix with sorted indices, [n >= 2, n_features >= 1].

    Raises
    ------
    TypeError
        Object, string or complex dtype.
    ValueError
        Not two-dimensional, fewer than 2 rows or no column, NaN or inf (the first place is named).
    MemoryError
        The copy in float64 is larger than the memory that is free.
    """
    if np.ma.is_masked(X):
        raise ValueError("X: expected values everywhere, got a masked array; drop or impute the masked rows")
    data = X.tocsr() if scipy.sparse.issparse(X) else np.asarray(X)
    if data.dtype.kind not in "biuf":
        raise TypeError(f"X: expected real numbers, got dtype {data.dtype}; convert it with astype(float)")
    if data.ndim != 2:
        raise ValueError(
            f"X: expected shape [n, n_features], got {data.ndim} dimension(s) of shape {data.shape}; reshape it"
        )
    if data.shape[0] < 2 or data.shape[1] < 1:
        raise ValueError(f"X: expected at least 2 rows and 1 column, got shape {data.shape}; give a row per point")
    check_memory({"X in float64": Stage(_copy_bytes(data), "give fewer rows or features, or float64 in C order")})
    if scipy.sparse.issparse(data):
        data = scipy.sparse.csr_matrix(data, dtype=np.float64, copy=True)
        data.sum_duplicates()
        wrong = np.flatnonzero(~np.isfinite(data.data))
        if len(wrong):
            row = np.searchsorted(data.indptr, wrong[0], side="right") - 1
            raise ValueError(not_finite("X", data.data[wrong[0]], row, data.indices[wrong[0]]))
        return data
    data = np.ascontiguousarray(data, dtype=np.float64)
    check_finite(data, "X")
    return data


def _copy_bytes(data: Any) -> int:
    """Memory of data in float64, where they are not that already, and of what of them is finite."""
    if scipy.sparse.issparse(data):
        return (8 + 4 + 1) * int(data.nnz)
    return int(data.size) if data.dtype == np.float64 and data.flags.c_contiguous else 9 * int(data.size)


def check_finite(values: NDArray[Any], what: str) -> None:
    """ValueError that names the first NaN or inf of a 2-d array."""
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(not_finite(what, values[row, column], row, column))


def not_finite(what: str, value: float, row: int, column: int) -> str:
    """What to say of a NaN or inf."""
    return f"{what}: expected finite values, got {value} in row {row}, column {column}; drop or impute such rows"


def checked_precomputed(D: Any) -> Any:
    """Distances [n, n] as float64, dense or CSR: finite, non-negative, symmetric to 1e-6 of the largest.

    Raises
    ------
    TypeError, ValueError
        As `checked_data`, and for a matrix that is not square, not symmetric, or has a negative entry.
    """
    data = checked_data(D)
    if data.shape[0] != data.shape[1]:
        raise ValueError(
            f"precomputed distances: expected a square matrix, got shape {data.shape}; give those of all pairs, "
            "or lists to neighbors_from_lists"
        )
    values = data.data if scipy.sparse.issparse(data) else data
    # Differences and their sizes; of a sparse matrix (float64 and int32) up to twice as many, and its transpose
    n_bytes = (8 + 8) * int(values.size) if values is data else 12 * (1 + 2 + 2) * int(values.size)
    check_memory({"symmetry of precomputed distances": Stage(n_bytes, "give lists to neighbors_from_lists")})
    if values.size and values.min() < 0:
        raise ValueError(
            f"precomputed distances: expected values >= 0, got {values.min()}; pass distances, not similarities"
        )
    asymmetry = abs(data - data.T).max()
    if values.size and asymmetry > 1e-6 * values.max():
        raise ValueError(
            f"precomputed distances: expected a symmetric matrix, got entries that differ by {asymmetry:.3g} "
            "from their mirror image; use neighbors_from_lists for directed neighbour lists"
        )
    return data
