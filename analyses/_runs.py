"""What the analyses share that compare runs on one graph: the graph with its start, and what is said of a layout."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import trustworthiness

from umapinfo import Curve, Descent, Graph, fit_curve, fuzzy_graph, initial_layout, neighbors, prune
from umapinfo.datasets import load
from umapinfo.measures import effective_loss, layout_binarisation, purported_loss

CURVE: Curve = fit_curve()
N_LISTED = 15  # neighbours of a point, itself not counted, that layouts are compared by
SHORT = {  # what the statistics are called beside an axis
    "effective KL": "eff. KL",
    "entropy of q": "h(q)",
    "purported KL": "purp. KL",
    "recall of neighbours": "recall",
    "share of q in the middle": "mid q",
    "trustworthiness": "trust",
}


class Problem(NamedTuple):
    """Data, their pruned graph (k = 15), a start and the number of epochs."""

    X: NDArray[Any]
    mu: Graph
    start: NDArray[np.float32]
    n_epochs: int


def problem(name: str, n: int | None, n_epochs: int) -> Problem:
    """Some points of a data set (None: all), as UMAP's defaults have them."""
    X = load(name, seed=3, n=n).X
    mu = prune(fuzzy_graph(neighbors(X, 15)), n_epochs)
    return Problem(X, mu, initial_layout(mu, X=X), n_epochs)


def lists(Y: NDArray[Any]) -> NDArray[np.int32]:
    """The N_LISTED nearest others of each point."""
    return neighbors(Y, N_LISTED + 1).indices


def shared(one: NDArray[np.int32], other: NDArray[np.int32]) -> float:
    """Share of the listed neighbours that two lists have in common, mean over vertices."""
    return float(np.mean([len(np.intersect1d(a, b)) for a, b in zip(one, other, strict=True)]) / one.shape[1])


def statistics(given: Problem, Y: NDArray[np.float32]) -> dict[str, float]:
    """What is said of a layout as a whole; KL in nats over unordered pairs, entropy in nats an edge, shares.

    In the middle are the edges with 0.05 < q < 0.95; recall is of the data's N_LISTED neighbours.
    """
    q = layout_binarisation(given.mu, Y, CURVE)
    return {
        "purported KL": purported_loss(given.mu, Y, CURVE).kl,
        "effective KL": effective_loss(given.mu, Descent(n_epochs=given.n_epochs), Y, CURVE).kl,
        "entropy of q": q.entropy_mean,
        "share of q in the middle": 1 - q.near_zero_05 - q.near_one_05,
        "trustworthiness": float(trustworthiness(given.X, Y, n_neighbors=N_LISTED)),
        "recall of neighbours": shared(lists(given.X), lists(Y)),
    }
