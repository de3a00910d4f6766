r"""How close to 0 and 1 probabilities are: of the rows, of the graph, of the target, of the layout.

For probabilities v_1..v_n: a histogram of 20 equal bins, the shares within 0.01 and 0.05 of either end, the
mean of v (1 - v), and the Bernoulli entropy

    sum_e h(v_e),       h(v) = -v ln v - (1 - v) ln(1 - v)  nats,      h(0) = h(1) = 0,

against the largest that the sums allow.  h is concave, so entries that share a sum s have, by Jensen,

    sum_{e in group} h(v_e)  <=  n_g h(s_g / n_g),       equality iff they are all equal.

The ratio of the two is 1 where nothing is decided beyond what the sums say, and 0 where everything is.  0/0
(k = 2, no entries, or sums that force every entry to an end) counts as 1, the value of equal entries.  Shares
and means over no entries are 0.

Four v have a function of their own:

    row_binarisation     v = p_{j|i}.  The sum of row i is fixed, and one entry is 1 by the definition of
                         rho, so the k - 2 others share S_i - 1: at most (k - 2) h((S_i - 1)/(k - 2)) a row.
                         (A row without a 1, local_connectivity < 1, has all k - 1 free.)
    graph_binarisation   v = p_ij of the symmetric graph.
    target_binarisation  v = nu*_ij = mu_ij / (mu_ij + c_ij), c_ij = gamma m_neg (d_i + d_j)/(2n): where the
                         effective loss mu softplus(-theta) + c softplus(theta) is least, pair by pair.
                         1 - nu* = c/(mu + c), so that nu* > 0.95 iff mu > 19 c: a statement about the
                         target, not about what a layout reaches.
    layout_binarisation  v = q_ij = 1/(1 + exp(-theta_ij)) of a layout, on the edges of the graph.

The last three count each edge once.  Their sums are the vertices': over the n_i edges of vertex i, v adds
up to s_i, and each edge gives half of its entropy to each end, so

    sum_edges h(v_e)  <=  1/2 sum_i n_i h(s_i / n_i).

**Near 1.**  1 - v is carried beside v: 1/(1 + exp(theta)) keeps its digits where 1/(1 + exp(-theta)) has
rounded to 1. Every entropy here is (A + B) h(A/(A + B)): of an entry A = v, B = 1 - v; of a group's maximum
A = sum v, B = sum (1 - v), so that A + B = n_g.

Source of the target similarities: Damrich and Hamprecht (2021, arXiv 2103.14608).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from umapinfo.core.curve import Curve
from umapinfo.core.descent import Epoch
from umapinfo.core.graph import Graph
from umapinfo.core.settings import Descent
from umapinfo.measures.bernoulli import Floats, targets_of
from umapinfo.pairs.edges import edge_theta
from umapinfo.trace.observers import Takes

N_BINS = 20


@dataclass(frozen=True, eq=False, kw_only=True)
class Binarisation:
    """Where probabilities lie between 0 and 1 (formulas and conventions: the module's docstring).

    Attributes
    ----------
    n_values : int
        How many probabilities were counted.
    histogram : int64[20]
        Counts in the bins [0, 0.05), ..., [0.95, 1].
    near_zero_01, near_zero_05, near_one_01, near_one_05 : float
        Shares with v <= 0.01, v <= 0.05, v >= 0.99, v >= 0.95.
    variance : float
        Mean of v (1 - v).
    entropy, entropy_mean, entropy_maximum : float
        Sum of h(v), the same per value, and the largest sum compatible with the sums of v; nats.
    entropy_ratio : float
        entropy / entropy_maximum in [0, 1] up to rounding; 1 where both are 0.
    """

    n_values: int
    histogram: NDArray[np.int64]
    near_zero_01: float
    near_zero_05: float
    near_one_01: float
    near_one_05: float
    variance: float
    entropy: float
    entropy_mean: float
    entropy_maximum: float
    entropy_ratio: float


def binarisation(values: ArrayLike, indptr: ArrayLike | None = None) -> Binarisation:
    """Measure the binarisation of probabilities, their sums fixed as a whole or by group.

    Parameters
    ----------
    values : float[n]
        Probabilities, 0 and 1 included.
    indptr : int[g + 1], optional
        Group r is ``values[indptr[r]:indptr[r + 1]]``; the maximum of the entropy is given every group's sum.
        Without it all values are one group.

    Raises
    ------
    TypeError, ValueError
        If the values are not numbers, not 1-d, one is NaN or outside [0, 1], or indptr does not cut them into groups.
    """
    v = _checked_values(values)
    bounds = np.array([0, len(v)]) if indptr is None else _checked_indptr(indptr, len(v))
    return _describe(v, 1 - v, _entropy(_group_sums(v, bounds), _group_sums(1 - v, bounds)))


def row_binarisation(graph: Graph) -> Binarisation:
    """Measure the directed memberships p_{j|i}; a row's maximum is (k - 2) h((S_i - 1)/(k - 2)).

    Raises
    ------
    ValueError
        If the graph has no directed rows (it was not built by ``fuzzy_graph``).
    """
    if graph.rows is None:
        raise ValueError(
            "expected a graph with directed rows, got one without (graph_from_csr keeps none); "
            "build it with fuzzy_graph, or use graph_binarisation for the symmetric weights"
        )
    v, indptr = graph.rows.membership.astype(np.float64), graph.rows.indptr
    has_one = _group_sums(v == 1.0, indptr) > 0  # by rho: that entry is not free
    return _describe(v, 1 - v, _entropy(_group_sums(v, indptr) - has_one, _group_sums(1 - v, indptr)))


def graph_binarisation(graph: Graph) -> Binarisation:
    """Measure the symmetric weights on the edges: p of the graph as built, mu of a pruned one."""
    v = graph.weight[graph.heads < graph.indices].astype(np.float64)
    return _over_edges(graph, v, 1 - v)


def target_similarity(graph: Graph, descent: Descent) -> Floats:
    """Return nu* = mu / (mu + gamma m_neg (d_i + d_j)/(2n)) on every entry of the graph.

    Parameters
    ----------
    graph : Graph
        The pruned graph (mu), as the descent draws from it; its row sums are the d_i.
    descent : Descent
        Gives gamma (``repulsion_strength``) and m_neg (``negative_sample_rate``).

    Returns
    -------
    float64[nnz]
        In (0, 1]; 1 without repulsion.  It grows with n: at small n a weak edge is not meant to be close.
    """
    d, strength = graph.degree, descent.repulsion_strength * descent.negative_sample_rate
    push = strength * (d[graph.heads] + d[graph.indices]) / (2 * graph.n_vertices)
    mu = graph.weight.astype(np.float64)
    return mu / (mu + push)


def target_binarisation(graph: Graph, descent: Descent) -> Binarisation:
    """Measure the target similarities nu* on the edges of a pruned graph (see `target_similarity`)."""
    v = target_similarity(graph, descent)[graph.heads < graph.indices]
    return _over_edges(graph, v, 1 - v)


def layout_binarisation(graph: Graph, Y: NDArray[Any], curve: Curve) -> Binarisation:
    """Measure the similarities q that a layout gives to the edges of the graph.

    Parameters
    ----------
    graph : Graph
        Its edges are measured, its weights are not read.
    Y : float[n, d]
        The layout; coincident ends have q = 1/(1 + c).
    curve : Curve
        theta(d) = -ln(c + a d^(2b)).

    Returns
    -------
    Binarisation

    Raises
    ------
    TypeError, ValueError
        If the layout is not a finite numeric array with one row per vertex, or the curve is none.
    """
    if np.ndim(Y) != 2 or len(Y) != graph.n_vertices:
        raise ValueError(
            f"expected a layout with one row per vertex, shape ({graph.n_vertices}, d), got {np.shape(Y)}; "
            "pass the layout of this graph"
        )
    edge = graph.heads < graph.indices
    theta = edge_theta(Y, graph.heads[edge], graph.indices[edge], curve)
    return _over_edges(graph, expit(theta), expit(-theta))


class BinarisationObserver:
    """Measure the binarisation of q on the edges of the run's graph at recorded epochs.

    `values` gives ``q_histogram`` (int64[20]), ``q_near_zero_01``, ``q_near_zero_05``, ``q_near_one_01``,
    ``q_near_one_05`` (shares), ``q_variance`` (mean of q (1 - q)), ``q_entropy`` (nats per edge) and
    ``q_entropy_ratio``.  Nothing accumulates, so there are no arrays.
    """

    name = "binarisation"
    needs_updates = False
    _graph: Graph
    _curve: Curve

    def start(self, graph: Graph, curve: Curve, descent: Descent) -> dict[str, NDArray[Any]]:
        """Keep graph and curve; there is nothing to accumulate."""
        self._graph, self._curve = graph, curve
        return {}

    def memory(self, n_vertices: int, n_entries: float) -> Takes:
        """Return the bytes of theta, q and 1 - q, of an edge's ends (int32, then int64) and of what they add up."""
        return Takes(0, 34 * n_entries, 0, 0)

    def step(self, arrays: dict[str, NDArray[Any]], epoch: Epoch) -> None:
        """Do nothing: q is a function of the layout at the recorded epoch."""

    def values(self, arrays: dict[str, NDArray[Any]], epoch: Epoch) -> dict[str, Any]:
        """Return the variables named above, of the layout after this epoch."""
        of_q = layout_binarisation(self._graph, epoch.Y, self._curve)
        kept = ("histogram", "near_zero_01", "near_zero_05", "near_one_01", "near_one_05", "variance")
        values = {f"q_{name}": getattr(of_q, name) for name in kept}
        return {**values, "q_entropy": of_q.entropy_mean, "q_entropy_ratio": of_q.entropy_ratio}


def _entropy(A: Floats, B: Floats) -> float:
    """Sum of (A + B) h(A / (A + B)), nats: of values and complements, or the maximum from groups' sums."""
    return float(targets_of(A, B).entropy.sum())


def _group_sums(x: NDArray[Any], indptr: NDArray[Any]) -> Floats:
    """Return the sums of x[indptr[r]:indptr[r + 1]], 0 where that is empty."""
    n_groups = len(indptr) - 1
    return _sums_at(np.repeat(np.arange(n_groups), np.diff(indptr)), x, n_groups)


def _sums_at(places: NDArray[np.integer], x: NDArray[Any], n_places: int) -> Floats:
    """Return the sums of the x of each place."""
    return np.asarray(np.bincount(places, x, minlength=n_places), dtype=np.float64)


def _over_edges(graph: Graph, v: Floats, rest: Floats) -> Binarisation:
    """Describe one value per edge (head < tail, CSR order); the maximum is given the sums of the vertices."""
    edge = graph.heads < graph.indices
    ends = np.concatenate([graph.heads[edge], graph.indices[edge]])
    sums, rests = (_sums_at(ends, np.tile(x, 2), graph.n_vertices) for x in (v, rest))
    return _describe(v, rest, _entropy(sums, rests) / 2)


def _describe(v: Floats, rest: Floats, maximum: float) -> Binarisation:
    """Assemble the measures from v, rest = 1 - v and the largest entropy that the sums of v allow."""
    n, entropy = len(v), _entropy(v, rest)

    def mean(x: NDArray[Any]) -> float:
        return float(np.mean(x)) if n else 0.0

    return Binarisation(
        n_values=n,
        histogram=np.histogram(v, bins=N_BINS, range=(0, 1))[0],
        near_zero_01=mean(v <= 0.01),
        near_zero_05=mean(v <= 0.05),
        near_one_01=mean(v >= 0.99),
        near_one_05=mean(v >= 0.95),
        variance=mean(v * rest),
        entropy=entropy,
        entropy_mean=entropy / max(n, 1),
        entropy_maximum=maximum,
        # A maximum under the smallest normal number has no digits left to divide by: it counts as 0.
        entropy_ratio=entropy / maximum if maximum >= np.finfo(np.float64).tiny else 1.0,
    )


def _checked_values(values: ArrayLike) -> Floats:
    given = np.asarray(values)
    if given.dtype.kind not in "fiub":
        raise TypeError(f"expected real numbers as probabilities, got dtype {given.dtype}; make them float")
    if given.ndim != 1:
        raise ValueError(f"expected a 1-d array of probabilities, got shape {given.shape}; ravel it")
    v = given.astype(np.float64)
    outside = ~((v >= 0) & (v <= 1))
    if outside.any():
        first = int(np.argmax(outside))
        raise ValueError(
            f"expected probabilities in [0, 1], got {v[first]} at place {first}, the first of "
            f"{outside.sum()}; divide weights by their maximum, drop NaN"
        )
    return v


def _checked_indptr(indptr: ArrayLike, n: int) -> NDArray[np.int64]:
    bounds = np.asarray(indptr)
    listed = bounds.ndim == 1 and len(bounds) > 0 and bounds.dtype.kind in "iu"
    if not listed or bounds[0] != 0 or bounds[-1] != n or np.any(bounds[1:] < bounds[:-1]):
        raise ValueError(
            f"expected indptr as integers that rise from 0 to the number of values, {n}, got {bounds!r}; "
            "take it from the CSR matrix that the values are the data of"
        )
    return bounds.astype(np.int64)
