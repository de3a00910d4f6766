"""Does UMAP feel the weights of its graph, or only which edges there are?

Default runs on the ring (data as start) and the digits (spectral start of the true graph), five seeds each, with the
weights mu of the pruned graph replaced:

    inverted   mu' = min(mu)/mu      permuted   among the edges      ones   mu' = 1      random   uniform on (0, 1)

and, as a control, with the edges themselves replaced by as many random pairs, weights kept.  Damrich and Hamprecht
inverted the weights and saw little change, as the target nu* of the effective loss is nearly binary anyway (C1).
Layouts are judged by the true graph's effective loss (nats, unordered pairs), as a share of the way from the start to
the layout of the true weights, and by what knows no weights: trustworthiness, and recall, the share of a point's 14
nearest neighbours in the data that are among its 14 nearest in the layout.  Replaced weights have other sums, so that
other numbers of updates are drawn: `updates` counts the attractions scheduled, relative to the true weights.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.manifold import trustworthiness

from umapinfo import (
    Descent,
    Graph,
    Neighbors,
    Recording,
    fit_curve,
    fuzzy_graph,
    graph_from_csr,
    initial_layout,
    neighbors,
    prune,
    run,
)
from umapinfo.datasets import load
from umapinfo.measures.binarisation import layout_binarisation, target_similarity
from umapinfo.measures.loss import effective_loss
from umapinfo.plot import PALETTE

CURVE, T, K = fit_curve(), 500, 15
KINDS = ("true", "inverted", "permuted", "ones", "random", "random edges")
SHOWN = ("descended", "recall", "trustworthiness")


def numbers(options: Options) -> dict[str, Any]:
    """What each kind of weights gives, on both data sets."""
    sizes, n_runs = ({"ring": 200, "digits": 200}, 2) if options.quick else ({"ring": None, "digits": None}, 5)
    return {"kinds": KINDS, **{name: of_data(name, n, n_runs) for name, n in sizes.items()}}


def of_data(name: str, n: int | None, n_runs: int) -> dict[str, Any]:
    """All kinds of weights on one data set, n_runs runs of each; redrawn weights are redrawn for each run."""
    X = np.asarray(load(name, seed=3, n=n).X, np.float64)
    lists = neighbors(X, K)
    mu = prune(fuzzy_graph(lists), T)
    start = initial_layout(mu, X if name == "ring" else "spectral")
    found = {kind: [one_run(X, lists, mu, kind, seed, start) for seed in range(n_runs)] for kind in KINDS}
    by_kind = {kind: {m: [one[m] for one in runs] for m in runs[0]} for kind, runs in found.items()}
    at_start = effective_loss(mu, Descent(n_epochs=T), start, CURVE).bce
    true = np.mean(by_kind["true"]["effective_loss"])
    for of_kind in by_kind.values():
        of_kind["descended"] = (at_start - np.array(of_kind["effective_loss"])) / (at_start - true)
    means = {kind: {m: float(np.mean(values)) for m, values in of_kind.items()} for kind, of_kind in by_kind.items()}
    return {
        "n_vertices": len(X),
        "effective_loss_start": at_start,
        "quality_start": quality(X, lists, start),
        "runs": {k: {m: v for m, v in of_kind.items() if m in SHOWN} for k, of_kind in by_kind.items()},
        "mean": means,
        "std": {k: {m: float(np.std(v, ddof=1)) for m, v in of_kind.items()} for k, of_kind in by_kind.items()},
    }


def one_run(X: np.ndarray, lists: Neighbors, mu: Graph, kind: str, seed: int, start: np.ndarray) -> dict[str, float]:
    """A run on the replaced graph, measured by the true one."""
    descent, replaced = Descent(n_epochs=T, seed=seed), replaced_graph(mu, kind, seed)
    trace = run(replaced, CURVE, descent, start, Recording(epochs=2, checkpoints=2), progress=False)
    Y = trace["layouts"].to_dataset()["Y"].values[-1]
    seen = prune(replaced, T)
    nu, edge = target_similarity(seen, Descent(repulsion_strength=0.5)), layout_binarisation(mu, Y, CURVE)
    return {
        "effective_loss": effective_loss(mu, descent, Y, CURVE).bce,
        **quality(X, lists, Y),
        "target_mean": float(nu.mean()),
        "target_over_95": float(np.mean(nu >= 0.95)),
        "q_over_95": edge.near_one_05,
        "updates": float(np.sum(seen.weight / seen.weight.max()) / np.sum(mu.weight / mu.weight.max())),
    }


def quality(X: np.ndarray, lists: Neighbors, Y: np.ndarray) -> dict[str, float]:
    """Trustworthiness and recall of the K - 1 nearest neighbours, the point itself not counted."""
    near = neighbors(Y, K).indices
    hits = [len(np.intersect1d(a, b)) for a, b in zip(lists.indices, near, strict=True)]
    return {
        "trustworthiness": float(trustworthiness(X, Y, n_neighbors=K - 1)),
        "recall": float(np.mean(hits) / (K - 1)),
    }


def replaced_graph(mu: Graph, kind: str, seed: int) -> Graph:
    """The graph with its weights, or its edges, replaced; each edge keeps one weight in both directions."""
    random, edge = np.random.default_rng(seed), mu.heads < mu.indices
    heads, tails, weight = mu.heads[edge], mu.indices[edge], mu.weight[edge].astype(np.float64)
    if kind == "random edges":
        heads, tails = random_pairs(mu.n_vertices, len(heads), random)
    new = {
        "inverted": lambda: weight.min() / weight,
        "permuted": lambda: random.permutation(weight),
        "ones": lambda: np.ones_like(weight),
        "random": lambda: 1 - random.random(len(weight)),
    }.get(kind, lambda: weight)()
    upper = scipy.sparse.coo_matrix((new, (heads, tails)), shape=(mu.n_vertices, mu.n_vertices))
    return graph_from_csr(upper + upper.T)


def random_pairs(n: int, n_edges: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """n_edges different unordered pairs of n vertices, uniformly drawn."""
    heads, tails = np.triu_indices(n, 1)
    chosen = random.choice(len(heads), n_edges, replace=False)
    return heads[chosen], tails[chosen]


def draw(found: Mapping[str, Any]) -> Figure:
    """A column a data set: the way down the true effective loss, and the neighbours found again."""
    figure, axes = panels(2, 2)
    for column, name in enumerate(("ring", "digits")):
        draw_loss(name, found, axes[0, column])
        draw_quality(name, found, axes[1, column])
    return figure


def draw_loss(name: str, found: Mapping[str, Any], ax: Axes) -> None:
    """The true graph's effective loss, mean and standard deviation, over that of the runs on the true weights."""
    of_data = found[name]
    true = of_data["mean"]["true"]["effective_loss"]
    for place, kind in enumerate(found["kinds"]):
        mean, std = (of_data[what][kind]["effective_loss"] / true for what in ("mean", "std"))
        ax.errorbar(place, mean, std, fmt="o", color=PALETTE[0], capsize=3)
    ax.axhline(1, color="0.6", lw=0.8)
    ax.axhline(of_data["effective_loss_start"] / true, color=PALETTE[3], ls="--", lw=0.8, label="start")
    labels(found, ax)
    ax.set(yscale="log", ylabel="true effective loss,\nover that of the true weights", ylim=(0.9, 12))
    ax.set_yticks([], minor=True)
    ax.set_yticks([1, 1.5, 2, 3, 4, 6, 10], ["1", "1.5", "2", "3", "4", "6", "10"])
    of = {kind: of_data["mean"][kind]["effective_loss"] / true - 1 for kind in ("inverted", "ones")}
    ax.set_title(
        f"{name}: inverted weights, effective loss {of['inverted']:+.0%};\nall weights 1, {of['ones']:+.0%}",
        loc="left",
    )
    ax.legend(loc="upper left")


def draw_quality(name: str, found: Mapping[str, Any], ax: Axes) -> None:
    """Recall and trustworthiness of every run."""
    of_data = found[name]
    for measure, color, marker in (("trustworthiness", PALETTE[2], "s"), ("recall", PALETTE[1], "^")):
        for place, kind in enumerate(found["kinds"]):
            values = of_data["runs"][kind][measure]
            label = measure if place == 0 else None
            ax.plot(np.full(len(values), place), values, marker, color=color, mfc="none", ms=4, label=label)
    labels(found, ax)
    ax.set(ylabel="share", ylim=(-0.03, 1.05))
    recall = {kind: of_data["mean"][kind]["recall"] for kind in ("true", "inverted", "ones")}
    ax.set_title(
        f"{name}: recall {recall['true']:.2f}; {recall['ones']:.2f} if all weights are 1,\n"
        f"{recall['inverted']:.2f} if inverted",
        loc="left",
    )
    ax.legend(loc="lower left")


def labels(found: Mapping[str, Any], ax: Axes) -> None:
    """The kinds of weights along the axis."""
    ax.set_xticks(range(len(found["kinds"])), [kind.replace(" ", "\n") for kind in found["kinds"]], fontsize=6)
    ax.set_xlim(-0.5, len(found["kinds"]) - 0.5)


if __name__ == "__main__":
    study(Study("weights", (__doc__ or "").splitlines()[0], numbers, draw))
