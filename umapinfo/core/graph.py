"""The fuzzy graph: symmetric edge probabilities p_ij as a CSR matrix, and the directed rows they came from.

An *entry* is a stored (i, j) of the CSR matrix, an *edge* an unordered pair: the toy ring of seed 3 has
16524 entries and 8262 edges.  p is the graph as built; mu is p after `prune`, which drops the weights that
an optimisation of n_epochs would never draw and divides nothing.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Rows:
    """Directed memberships p_{j|i} = f(max(0, d_ij - rho_i) / sigma_i) on the neighbour lists, self not listed.

    f(x) = exp(-x) unless `fuzzy_graph` was told another kernel.

    Attributes
    ----------
    indptr : int64[n + 1]
        Row i holds the positions indptr[i] to indptr[i + 1], nearest neighbour first.
    neighbor : int32[nnz]; distance : float32[nnz], data units; membership : float32[nnz], in [0, 1]
    rho, sigma : float32[n], data units
        Distance of the nearest neighbour at a distance above zero, and bandwidth.
    floored : bool[n]
        Sigma was raised to its floor, a thousandth of the row's mean distance: the row mass exceeds log2 k.
    tied : bool[n]
        The neighbours at or under rho number at least log2 k: no sigma reaches the target.
    """

    indptr: NDArray[np.int64]
    neighbor: NDArray[np.int32]
    distance: NDArray[np.float32]
    membership: NDArray[np.float32]
    rho: NDArray[np.float32]
    sigma: NDArray[np.float32]
    floored: NDArray[np.bool_]
    tied: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Graph:
    """Edge probabilities as a CSR matrix: both directions, sorted columns, no diagonal, no zeros.

    Attributes
    ----------
    indptr : int64[n + 1]; indices : int32[n_entries]; weight : float32[n_entries], in (0, 1]
    n_neighbors : int or None
        k of the neighbour lists, the point itself counted; None for somebody else's graph.
    rows : Rows or None
        The directed rows; None for somebody else's graph.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    weight: NDArray[np.float32]
    n_neighbors: int | None = None
    rows: Rows | None = None

    @property
    def n_vertices(self) -> int:
        """Number of vertices n."""
        return len(self.indptr) - 1

    @property
    def n_entries(self) -> int:
        """Number of stored entries: twice the number of edges."""
        return len(self.weight)

    @cached_property
    def heads(self) -> NDArray[np.int32]:
        """Row index of each entry, int32[n_entries]; `indices` holds its tail."""
        return np.repeat(np.arange(self.n_vertices, dtype=np.int32), np.diff(self.indptr))

    @cached_property
    def degree(self) -> NDArray[np.float64]:
        """Degrees d_i = sum_j weight_ij, summed in float64."""
        return np.asarray(np.bincount(self.heads, weights=self.weight, minlength=self.n_vertices), np.float64)

    def to_csr(self) -> Any:
        """A new scipy.sparse.csr_matrix of the weights in float64."""
        parts = (self.weight.astype(np.float64), self.indices, self.indptr)
        return scipy.sparse.csr_matrix(parts, shape=(self.n_vertices, self.n_vertices), copy=True)


def csr_graph(matrix: Any, **attributes: Any) -> Graph:
    """A Graph of a symmetric scipy sparse matrix that is known to be sound: sorts, drops zeros, sets the dtypes."""
    csr = scipy.sparse.csr_matrix(matrix, dtype=np.float32, copy=True)
    csr.sum_duplicates()
    csr.eliminate_zeros()
    return Graph(csr.indptr.astype(np.int64), csr.indices.astype(np.int32), csr.data, **attributes)


def graph_from_csr(P: Any) -> Graph:
    """The graph of somebody else's symmetric edge probabilities, which has neither n_neighbors nor rows.

    Parameters
    ----------
    P : sparse or dense matrix [n, n]
        Probabilities in [0, 1], symmetric to 1e-6 (the mean of both directions is taken), zero diagonal.
        Kept as float32, like umap-learn's own graph.

    Raises
    ------
    TypeError, ValueError
        Not a numeric square matrix of at least 2 rows, an entry not in [0, 1], a diagonal, or asymmetry.
    """
    try:
        csr = scipy.sparse.csr_matrix(P, copy=True)
        if csr.dtype.kind not in "biuf":
            raise TypeError
        csr = csr.astype(np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            f"graph: expected a numeric matrix of edge probabilities, got {type(P).__name__}; give a sparse one"
        ) from None
    csr.sum_duplicates()
    if csr.shape[0] != csr.shape[1] or csr.shape[0] < 2:
        raise ValueError(
            f"graph: expected a square matrix of at least 2 rows, got shape {csr.shape}; give a row per vertex"
        )
    wrong = ~((csr.data >= 0) & (csr.data <= 1))
    if wrong.any():
        row = np.searchsorted(csr.indptr, np.argmax(wrong), side="right") - 1
        raise ValueError(
            f"graph: expected probabilities in [0, 1], got {csr.data[wrong][0]} in row {row}; divide by the "
            f"largest weight"
        )
    if csr.diagonal().any():
        raise ValueError("graph: expected a zero diagonal, got self-loops; remove them with P.setdiag(0)")
    if abs(csr - csr.T).max() > 1e-6:
        raise ValueError("graph: expected a symmetric matrix (to 1e-6), got an asymmetric one; symmetrise it first")
    return csr_graph((csr + csr.T) / 2)


def prune(graph: Graph, n_epochs: int) -> Graph:
    """The graph mu that an optimisation of n_epochs sees: weights under max(p) / n_epochs dropped, none divided.

    Such entries would not be drawn once.  umap-learn's rule (0.5.12, umap_.py, simplicial_set_embedding),
    with its exception: for n_epochs <= 10 the default number of epochs takes the place of n_epochs.
    """
    if n_epochs < 0:
        raise ValueError(f"prune: expected n_epochs >= 0, got {n_epochs}; give that of the run")
    keep = kept(graph, n_epochs)
    position = np.concatenate(([0], np.cumsum(keep)))
    return replace(graph, indptr=position[graph.indptr], indices=graph.indices[keep], weight=graph.weight[keep])


def kept(graph: Graph, n_epochs: int) -> NDArray[np.bool_]:
    """Which entries `prune` keeps, bool[n_entries]."""
    if graph.n_entries == 0:
        return np.zeros(0, dtype=bool)
    divisor = n_epochs if n_epochs > 10 else default_epochs(graph.n_vertices)
    return graph.weight >= graph.weight.max() / np.float32(divisor)


def default_epochs(n_vertices: int) -> int:
    """umap-learn's default number of epochs: 500 up to 10,000 vertices, 200 above."""
    return 500 if n_vertices <= 10_000 else 200
