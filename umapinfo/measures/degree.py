r"""Degrees of UMAP's graph: what the search for sigma fixes, what the union makes of it.

Notation: P_ij = p_{j|i} is the directed membership of row i, zero off the list of i; n points, k =
n_neighbors counts the point itself, so that a list holds k - 1 others.

**Rows.**  The search for sigma_i aims at

    S_i = sum_j P_ij = log2 k                                                            (row mass)

and what holds of its result is one-sided: S_i >= log2 k - 1e-5 (the search's tolerance) - float32 rounding.
Equality is due for rows that are neither *tied* (log2 k or more neighbours at or under rho_i: each has P =
1, no sigma brings the sum down) nor *floored* (sigma_i was raised to 1e-3 of a mean distance, and raising
sigma raises S_i).

**Columns.**  c_i = sum_j P_ji has the same mean as S_i, but nothing pins it: hubs.

**Degrees.**  The union p_ij = P_ij + P_ji - P_ij P_ji (set_op_mix_ratio = 1), summed over j, gives, with
the mutual mass M_i = sum_j P_ij P_ji,

    d_i = S_i + c_i - M_i,        max(S_i, c_i)  <=  d_i  <=  min(n - 1, S_i + c_i),

because max(x, y) <= x + y - xy <= min(1, x + y) on [0, 1]^2.  So log2 k bounds the degree from below; it is
not the degree.

**Mean degree.**  Write S for the mean of S_i (which is also that of c_i).  Always

    mean d = 2 S - (1/n) sum_ij P_ij P_ji = 2 S - r (1/n) sum_ij P_ij^2,      r = sum P_ij P_ji / sum P_ij^2,

where r is the weighted reciprocity; r <= 1 by Cauchy-Schwarz (P and its transpose have the same norm), and
r >= 0:

    S + (1/n) sum_ij P_ij (1 - P_ij)  <=  mean d  <=  2 S.

Equality on the left iff P is symmetric.  The upper bound sharpens to 2 S - 2/n exactly when sum_ij P_ij
P_ji (ordered pairs) is at least 2; one pair with P_ij = P_ji = 1 suffices.  The globally closest pair at
non-zero distance is such a pair if each end lists the other and local_connectivity >= 1; approximate lists,
lists filled with duplicates or cut within a tie, an asymmetric metric or local_connectivity < 1 can take it
away.

**Other graphs.**  With set_op_mix_ratio w the degree is w d_i + (1 - w) M_i, and pruning takes mass off it:
the bounds speak of the union of the rows, which is therefore returned (``union_degree``) beside the degree
of the graph given.

**Degree realised by a run.**  In t epochs the descent draws entry e = (i, j) floor((t - 1) mu_e / max mu)
times: the first epoch draws nothing.  Both entries of an edge attract both its ends, so A_i, the
attractions of i as head or tail, is 2 sum_j floor((t - 1) mu_ij / max mu), and

    A_i max mu / (2 (t - 1)) = d_i - b_i,     0 <= b_i < n_adjacent_i max mu / (t - 1),     d_i = sum_j mu_ij,

when every attraction was realised (a coincident pair's is not).

Source: the row search is umap-learn's (0.5.12, ``smooth_knn_dist``); log2 k as a lower bound of the degrees
is noted in the notebooks of Damrich and Hamprecht (2021, arXiv 2103.14608).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from umapinfo.core.curve import Curve
from umapinfo.core.descent import Epoch
from umapinfo.core.graph import Graph, Rows
from umapinfo.core.settings import Descent
from umapinfo.trace.observers import Takes

# A weight of the union comes of three float32 operations on numbers up to 2, each off by at most 2^-24.
UNION_ROUNDING = 2.0**-22


@dataclass(frozen=True, eq=False, kw_only=True)
class Degrees:
    """Degrees of a graph against what its directed rows allow (formulas: the module's docstring).

    Arrays have one value a vertex, sums are in float64, everything is a sum of probabilities (no unit).
    What follows from the directed rows is None where the graph has none (somebody else's graph).

    Attributes
    ----------
    degree : float64[n]
        d_i, the row sums of the graph as given.
    n_adjacent : int64[n]
        Vertices that share an edge with i.
    log2_k : float or None
        What the search for sigma aims at; None where ``graph.n_neighbors`` is.
    row_mass, row_excess, column_sum : float64[n] or None
        S_i, S_i - log2 k, c_i.
    floored, tied : bool[n] or None
        Rows whose mass may exceed log2 k.
    union_degree, lower, upper : float64[n] or None
        S_i + c_i - M_i, and the bounds it obeys: max(S_i, c_i) and min(n - 1, S_i + c_i).
    mean_lower, mean_upper : float or None
        Bounds of the mean of ``union_degree``; the upper one is 2 S - 2/n if ``has_mutual_one``, else 2 S.
    has_mutual_one : bool or None
        Some pair has P_ij = P_ji = 1.
    is_union : bool or None
        ``degree`` is ``union_degree`` to float32 rounding; False where the graph was pruned by more than that
        or mixed with set_op_mix_ratio < 1: then the bounds are not the graph's own.
    reciprocity : float or None
        Share of the directed kNN arcs (listed pairs of any weight) whose reverse is listed; 0 if none.
    weighted_reciprocity : float or None
        r = sum P_ij P_ji / sum P_ij^2; 1 iff P is symmetric; 0 if P is.
    """

    degree: NDArray[np.float64]
    n_adjacent: NDArray[np.int64]
    log2_k: float | None = None
    row_mass: NDArray[np.float64] | None = None
    row_excess: NDArray[np.float64] | None = None
    column_sum: NDArray[np.float64] | None = None
    floored: NDArray[np.bool_] | None = None
    tied: NDArray[np.bool_] | None = None
    union_degree: NDArray[np.float64] | None = None
    lower: NDArray[np.float64] | None = None
    upper: NDArray[np.float64] | None = None
    mean_lower: float | None = None
    mean_upper: float | None = None
    has_mutual_one: bool | None = None
    is_union: bool | None = None
    reciprocity: float | None = None
    weighted_reciprocity: float | None = None

    @property
    def mean_degree(self) -> float:
        """Mean of ``degree``."""
        return float(self.degree.mean())

    @property
    def pinned(self) -> NDArray[np.bool_] | None:
        """Rows whose mass has to equal log2 k: neither floored nor tied, bool[n]."""
        return None if self.floored is None or self.tied is None else ~(self.floored | self.tied)


def degree(graph: Graph) -> Degrees:
    """Measure row mass, column sums, degrees, their bounds and reciprocity of a graph.

    Parameters
    ----------
    graph : Graph
        The graph as built (p).  A pruned one works; ``is_union`` then says that the bounds speak of p.

    Returns
    -------
    Degrees
        Formulas in the module's docstring.
    """
    own = graph.degree
    n_adjacent = np.diff(graph.indptr).astype(np.int64)
    log2_k = None if graph.n_neighbors is None else float(np.log2(graph.n_neighbors))
    if graph.rows is None:
        return Degrees(degree=own, n_adjacent=n_adjacent, log2_k=log2_k)
    of_rows = _of_rows(graph.rows)
    gap = np.abs(own - of_rows["union_degree"])
    return Degrees(
        degree=own,
        n_adjacent=n_adjacent,
        log2_k=log2_k,
        row_excess=None if log2_k is None else of_rows["row_mass"] - log2_k,
        is_union=bool(np.all(gap <= UNION_ROUNDING * (1 + n_adjacent))),
        **of_rows,
    )


def _of_rows(rows: Rows) -> dict[str, Any]:
    """Everything that the directed rows alone determine, by field name of `Degrees`."""
    n = len(rows.indptr) - 1
    P = csr_matrix((rows.membership.astype(np.float64), rows.neighbor, rows.indptr), shape=(n, n))
    mutual = P.multiply(P.T).tocsr()
    row_mass, column_sum = _sum(P, axis=1), _sum(P, axis=0)
    either = row_mass + column_sum
    squares = float(P.data @ P.data)
    mean, has_mutual_one = float(row_mass.mean()), bool(mutual.nnz and mutual.max() == 1.0)
    return {
        "row_mass": row_mass,
        "column_sum": column_sum,
        "floored": rows.floored,
        "tied": rows.tied,
        "union_degree": either - _sum(mutual, axis=1),
        "lower": np.maximum(row_mass, column_sum),
        "upper": np.minimum(n - 1.0, either),
        "mean_lower": 2 * mean - squares / n,
        "mean_upper": 2 * mean - (2 / n if has_mutual_one else 0.0),
        "has_mutual_one": has_mutual_one,
        "reciprocity": _reciprocity(P),
        "weighted_reciprocity": float(mutual.sum()) / squares if squares > 0 else 0.0,
    }


def _sum(matrix: csr_matrix, axis: int) -> NDArray[np.float64]:
    return np.asarray(matrix.sum(axis=axis), dtype=np.float64).ravel()


def _reciprocity(P: csr_matrix) -> float:
    """Share of the stored entries whose transpose is stored."""
    arcs = csr_matrix((np.ones(P.nnz), P.indices, P.indptr), shape=P.shape)
    return float(arcs.multiply(arcs.T).sum()) / P.nnz if P.nnz else 0.0


class DegreeObserver:
    """Count, over a run, the attractions and repulsions of every vertex, and the degree that they realise.

    At a recorded epoch `values` gives, per vertex: ``attractions_realised`` and ``repulsions_realised``
    (int64, from the start of the run on) and ``realised_degree`` = A_i max mu / (2 (t - 1)) after t epochs
    (float64; the module's docstring derives it and bounds its distance from d_i), 0 while no epoch has drawn.

    The counts live in the arrays that `start` returns; what follows from the graph is kept on the observer.
    """

    name = "degree"
    needs_updates = False
    _largest: float

    def start(self, graph: Graph, curve: Curve, descent: Descent) -> dict[str, NDArray[Any]]:
        """Return the zero counts, int64[n] each; ``graph`` is the pruned one (mu)."""
        self._largest = float(graph.weight.max()) if graph.n_entries else 0.0
        counted = ("attractions_realised", "repulsions_realised")
        return {name: np.zeros(graph.n_vertices, dtype=np.int64) for name in counted}

    def memory(self, n_vertices: int, n_entries: float) -> Takes:
        """Return the bytes of the counts, their copies, the realised degree and the factor of it."""
        return Takes(16 * n_vertices, 32 * n_vertices, 24 * n_vertices, 16 * n_vertices)

    def step(self, arrays: dict[str, NDArray[Any]], epoch: Epoch) -> None:
        """Add the counts of one epoch."""
        arrays["attractions_realised"] += epoch.counts.attractions_realised
        arrays["repulsions_realised"] += epoch.counts.repulsions_realised

    def values(self, arrays: dict[str, NDArray[Any]], epoch: Epoch) -> dict[str, NDArray[Any]]:
        """Return the counts so far (copies) and the realised degree, per vertex."""
        drawing_epochs = max(epoch.number - 1, 1)  # before the first of them the counts are 0
        realised = arrays["attractions_realised"] * (self._largest / (2 * drawing_epochs))
        return {**{name: counts.copy() for name, counts in arrays.items()}, "realised_degree": realised}
