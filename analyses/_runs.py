"""What the analyses share that compare runs on one graph: graph and start, last layouts, and what is said of them."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import trustworthiness

import umapinfo
from umapinfo import (
    Curve,
    Descent,
    Graph,
    epochs,
    fit_curve,
    fuzzy_graph,
    initial_layout,
    initial_state,
    neighbors,
    prune,
)
from umapinfo.core.distances import Report
from umapinfo.datasets import load
from umapinfo.jit import source_digest
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


def problem(name: str, n: int | None, n_epochs: int | None, report: Report | None = None) -> Problem:
    """Some points of a data set (None: all), as UMAP's defaults have them, for so many epochs (None: the default)."""
    X = load(name, seed=3, n=n).X
    n_epochs = Descent(n_epochs=n_epochs).epochs_for(len(X))
    mu = prune(fuzzy_graph(neighbors(X, 15, report=report)), n_epochs)
    return Problem(X, mu, initial_layout(mu, X=X), n_epochs)


def last_layout(name: str, given: Problem, descent: Descent, folder: Path) -> NDArray[np.float32]:
    """The layout at the end of a run: the kept one of this problem, settings and sources, or run now and kept."""
    order = f"{descent.order}{descent.n_blocks_for(len(given.X))}-seed{descent.seed}"
    settings = f"{name}-n{len(given.X)}-epochs{given.n_epochs}-{order}"
    path = folder / f"{settings}-{digest(given, descent)}.npy"
    if path.exists():
        return np.load(path, allow_pickle=False)
    state = initial_state(given.mu, descent, given.start)
    for _ in epochs(given.mu, CURVE, descent, state):
        pass
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{settings}-*.npy"):  # of other sources: never to be read again
        old.unlink()
    draft = path.with_suffix(".draft.npy")
    np.save(draft, state.Y)
    draft.replace(path)
    return state.Y


def digest(given: Problem, descent: Descent) -> str:
    """What a layout depends on, in twelve hexadecimal digits."""
    found = hashlib.sha256(source_digest(Path(umapinfo.__file__).parent) or b"")
    found.update(repr((CURVE, descent)).encode())
    for array in (given.mu.indptr, given.mu.indices, given.mu.weight, given.start):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:12]


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
