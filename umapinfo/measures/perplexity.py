r"""Effective numbers of neighbours: the Hill numbers of weights, and which of them UMAP's graph fixes.

For weights w_1..w_m >= 0 with sum S and shares r_j = w_j / S, the Hill number of order alpha is

    D_alpha = (sum_j r_j^alpha)^(1 / (1 - alpha)) = exp(H_alpha),      0 <= alpha <= inf,

exp of the Renyi entropy H_alpha (nats): the number of equal weights that would have that entropy.  It falls with
alpha, strictly unless all positive weights are equal (then it is their number at every order):

    D_0 = number of positive weights    D_1 = exp(-sum r ln r), the Shannon perplexity
    D_2 = 1 / sum r^2                   D_inf = 1 / max r = S / max w   (Berger and Parker)

**Rows of UMAP's graph.**  w_j = p_{j|i} = e^(-x_j), x_j = max(0, d_ij - rho_i) / sigma_i.  With
Z(alpha) = sum_j e^(-alpha x_j), so that S = Z(1),

    D_alpha = (Z(alpha) / Z(1)^alpha)^(1 / (1 - alpha)),
    D_inf = S            if some neighbour has p = 1 (the nearest has, unless local_connectivity < 1),
    D_1 = S e^<x>,       <x> = sum_j x_j e^(-x_j) / S.

The search for sigma sets S = log2 k unless the row is tied or floored: n_neighbors fixes the perplexity of order
inf to log2 k, where t-SNE's parameter fixes that of order 1.  Hence k = 2^S = 2^(2^(H_inf)), H_inf in bits.

**Numbers.**  Of the logarithms l_j = ln w_j - ln max w, which neither overflow nor underflow: near alpha = 1, where
the quotient of the definition is 0/0, as -log1p(sum_j r_j expm1((alpha - 1) ln r_j)) / (alpha - 1).

Source: Hill (1973, Ecology 54, 427-432).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from umapinfo.core.graph import Graph
from umapinfo.measures.bernoulli import Floats

ORDERS = (0.0, 1.0, 2.0, np.inf)
NEAR_ONE = 0.5  # |alpha - 1| up to which the form with expm1 is taken: its argument stays under 400


def hill_numbers(values: ArrayLike, orders: ArrayLike = ORDERS, *, indptr: ArrayLike | None = None) -> Floats:
    """Hill numbers D_alpha of weights, or of each group of them.

    Parameters
    ----------
    values : float[m]
        Weights, finite and >= 0; only their shares within a group count.
    orders : float[a]
        Each alpha >= 0, np.inf included.
    indptr : int[g + 1], optional
        Group i is ``values[indptr[i]:indptr[i + 1]]``, as in a CSR matrix.  Without it all values are one group.

    Returns
    -------
    float64[g, a]
        Effective numbers, in [1, number of positive weights]; 0 where a group has no positive weight.

    Raises
    ------
    TypeError, ValueError
        Weights that are not numbers, not 1-d, negative, NaN or infinite; an order that is none; an indptr that does
        not cut the weights into groups.
    """
    w, alphas = _checked_weights(values), _checked_orders(orders)
    bounds = _checked_bounds(np.array([0, len(w)]) if indptr is None else indptr, len(w))
    n = len(bounds) - 1
    group = np.repeat(np.arange(n), np.diff(bounds))[w > 0]
    logs = np.log(w[w > 0])
    largest = np.full(n, -np.inf)
    np.maximum.at(largest, group, logs)
    logs -= largest[group]
    found = np.bincount(group, minlength=n) > 0
    log_numbers = np.column_stack([_log_number(logs, group, n, alpha) for alpha in alphas])
    return np.where(found[:, None], np.exp(log_numbers), 0.0)


def row_hill_numbers(graph: Graph, orders: ArrayLike = ORDERS) -> Floats:
    """Hill numbers of the directed rows p_{j|i}: the row's effective numbers of neighbours, the point not counted.

    Parameters
    ----------
    graph : Graph
        Its directed rows are read (`Rows.membership`), its symmetric weights are not.
    orders : float[a]
        Each alpha >= 0, np.inf included: D_inf is the row sum wherever some neighbour has p = 1.

    Returns
    -------
    float64[n, a]

    Raises
    ------
    TypeError, ValueError
        If the graph has no directed rows (it was not built by ``fuzzy_graph``), or an order is none.
    """
    if graph.rows is None:
        raise ValueError(
            "expected a graph with directed rows, got one without (graph_from_csr keeps none); "
            "build it with fuzzy_graph, or give hill_numbers the weights and indptr of the graph"
        )
    return hill_numbers(graph.rows.membership, orders, indptr=graph.rows.indptr)


def _log_number(logs: Floats, group: NDArray[np.integer], n: int, alpha: float) -> Floats:
    """Return ln D_alpha of each of n groups from l = ln w - ln max w of the positive weights; 0 for none."""

    def total(x: Floats) -> Floats:
        return np.bincount(group, x, minlength=n).astype(np.float64)

    sums = total(np.exp(logs))
    log_sum = np.log(sums, out=np.zeros(n), where=sums > 0)
    if alpha == np.inf:
        return log_sum
    log_share = logs - log_sum[group]
    share, beyond = np.exp(log_share), alpha - 1
    if alpha == 1:
        return -total(share * log_share)
    if abs(beyond) <= NEAR_ONE:
        return -np.log1p(total(share * np.expm1(beyond * log_share))) / beyond
    powers = total(np.exp(alpha * logs))
    return (alpha * log_sum - np.log(powers, out=np.zeros(n), where=powers > 0)) / beyond


def _checked_weights(values: ArrayLike) -> Floats:
    given = np.asarray(values)
    if given.dtype.kind not in "fiub":
        raise TypeError(
            f"expected real numbers as weights, got dtype {given.dtype}; make them float; for a Graph: row_hill_numbers"
        )
    if given.ndim != 1:
        raise ValueError(
            f"expected a 1-d array of weights, got shape {given.shape}; give a CSR matrix's data and indptr"
        )
    wrong = ~((given >= 0) & (given < np.inf))
    if wrong.any():
        first = int(np.argmax(wrong))
        raise ValueError(
            f"expected finite weights >= 0, got {given[first]} at place {first}, the first of {wrong.sum()}; "
            "drop what is no weight"
        )
    return given.astype(np.float64)


def _checked_orders(orders: ArrayLike) -> Floats:
    alphas = np.asarray(orders)
    if alphas.ndim != 1 or alphas.dtype.kind not in "fiu" or not len(alphas) or not np.all(alphas >= 0):
        raise ValueError(f"expected a list of orders alpha >= 0, np.inf included, got {orders!r}; (1,) for perplexity")
    return alphas.astype(np.float64)


def _checked_bounds(indptr: ArrayLike, n: int) -> NDArray[np.int64]:
    bounds = np.asarray(indptr)
    listed = bounds.ndim == 1 and len(bounds) > 0 and bounds.dtype.kind in "iu"
    if not listed or bounds[0] != 0 or bounds[-1] != n or np.any(bounds[1:] < bounds[:-1]):
        raise ValueError(
            f"expected indptr as integers that rise from 0 to the number of weights, {n}, got {bounds!r}; "
            "take it from the CSR matrix that the weights are the data of"
        )
    return bounds.astype(np.int64)
