"""What the analyses of neighbour lists and directed rows share: shorter lists, row entropies, means over seeds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from umapinfo import Graph, Neighbors, fuzzy_graph, neighbors_from_lists

Floats = NDArray[np.float64]


def shorter(lists: Neighbors, k: int) -> Neighbors:
    """The lists of n_neighbors = k, the point itself counted, out of lists that are at least as long."""
    return neighbors_from_lists(lists.indices[:, : k - 1], lists.distances[:, : k - 1], n_neighbors=k)


def graph_of_distances(distances: Any) -> Graph:
    """The graph whose row i has the given sorted distances [n, k - 1]; whom it lists is made up, for rows alone."""
    n, listed = np.shape(distances)
    indices = (np.arange(n)[:, None] + np.arange(1, listed + 1)) % n
    return fuzzy_graph(neighbors_from_lists(indices, distances, n_neighbors=listed + 1))


def memberships(graph: Graph) -> Floats:
    """P_ij in the order of the lists, nearest first, float64[n, k - 1]."""
    return graph.rows.membership.reshape(graph.n_vertices, -1).astype(np.float64)


def row_perplexity(graph: Graph) -> Floats:
    """Shannon perplexity of each row: 2 to the entropy, in bits, of P_ij / sum_j P_ij, float64[n]; 1 to k - 1."""
    P = memberships(graph)
    r = P / P.sum(axis=1, keepdims=True)
    return np.exp(-np.sum(r * np.log(np.where(r > 0, r, 1.0)), axis=1))


def log_ball_volume(D: int) -> float:
    """Natural logarithm of the volume of the unit ball of R^D."""
    return D / 2 * float(np.log(np.pi)) - float(gammaln(D / 2 + 1))


def mean_and_spread(values: Sequence[float] | Floats) -> tuple[float, float]:
    """Mean over seeds, and the standard deviation between them (n - 1 in the denominator; 0 of one seed)."""
    found = np.asarray(values, dtype=np.float64)
    return float(found.mean()), float(found.std(ddof=1)) if len(found) > 1 else 0.0
