"""Damrich and Hamprecht's toy ring: which of their numbers does a bug-free run give, and what do they say?

Seven rings (data seed = run seed = 0 ... 6), n = 1000, n_neighbors 15, min_dist 0.1, 10,000 epochs, the data as start,
each axis rescaled to [0, 10].  Losses in nats in the convention of their code: ordered pairs, the diagonal, logarithms
clipped at 1e-4 (C35: the diagonal alone is 9210 of a purported loss and about 268 of an effective one, so that it is
given without, too).  A layout that needs no dimension reduced is not kept: the distances to the centre vary several
times as much as in the data.  The purported loss ends above that of no similarities at all (C35); the effective one
jumps up in the first epochs, at full learning rate, and ends below its start (C1).

Six of the eight entries need no descent and must agree to the digits printed.  Those of the embedding are held against
a bug-free serial descent: their own kernel kicked points that drew themselves.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from umapinfo import Descent, Graph, Recording, fit_curve, fuzzy_graph, initial_layout, neighbors, prune, run
from umapinfo.datasets import load
from umapinfo.measures.loss import effective_loss, purported_loss, reference_losses
from umapinfo.plot import PALETTE

CONVENTION = "damrich-hamprecht"
SHOWN = 3  # seed of the ring that is drawn and whose graph the reference describes
# Mean and standard deviation (ddof 0) over the seeds 0 ... 6; those of the embedding: of a bug-free serial descent.
PUBLISHED = {
    "purported, q = mu": (6913.633132, 41.463707),
    "purported, q = identity": (62959.035234, 81.883532),
    "purported, embedding": (69640.0, 950.0),
    "purported, data as layout": (136329.361829, 720.896834),
    "effective, q = nu*": (1523.167386, 6.655435),
    "effective, q = identity": (54017.438335, 82.292950),
    "effective, embedding": (3380.0, 17.0),
    "effective, data as layout": (4972.791282, 27.833160),
}
PRINTED_EMBEDDING = {"purported, embedding": (70235.184, 1300.731), "effective, embedding": (3388.188, 23.449)}
# From the least to the largest, as the published means have them
ORDER = {
    "purported": ("q = mu", "q = identity", "embedding", "data as layout"),
    "effective": ("q = nu*", "embedding", "data as layout", "q = identity"),
}
# Of the graph of ring 3: nnz, mean, least and largest degree, correlation of mu_ij and d_i + d_j, updates drawn
PRINTED_GRAPH = {
    "n_entries": 16524,
    "degree_mean": 5.8273,
    "degree_least": 3.9644,
    "degree_largest": 7.9251,
    "weight_degree_correlation": 0.0655241,
    "attractions_500": 2_900_136,
    "attractions_10000": 58_259_468,
}


def numbers(options: Options) -> dict[str, Any]:
    """Losses by seed beside the published ones, the run of one ring along training, and its graph."""
    n, n_epochs, seeds = (200, 300, (2, SHOWN)) if options.quick else (1000, 10_000, tuple(range(7)))
    found = [ring_run(seed, n, n_epochs) for seed in seeds]
    table = pd.DataFrame([one["losses"] for one in found])
    means, stds = table.mean(), table.std(ddof=0)
    shown = found[seeds.index(SHOWN)]
    return {
        "n_vertices": n,
        "n_epochs": n_epochs,
        "seeds": seeds,
        "by_seed": table.to_dict(orient="list"),
        "mean": means.to_dict(),
        "std": stds.to_dict(),
        "published": {name: {"mean": mean, "std": std} for name, (mean, std) in PUBLISHED.items()},
        "printed_embedding": {name: {"mean": mean, "std": std} for name, (mean, std) in PRINTED_EMBEDDING.items()},
        "comparison": comparison(means, stds),
        "along_training": {
            "epoch": shown["epoch"],
            **{kind: np.transpose([one["along"][kind] for one in found]) for kind in ("purported", "effective")},
        },
        "width": {name: np.array([one["width"][name] for one in found]) for name in ("data", "embedding")},
        "without_diagonal": {k: float(np.mean([one["clean"][k] for one in found])) for k in shown["clean"]},
        "graph": shown["graph"],
        "graph_printed": PRINTED_GRAPH,
        "points": shown["points"],
    }


def ring_run(seed: int, n: int, n_epochs: int) -> dict[str, Any]:
    """One ring: its eight losses, its run along training, and the graph."""
    X, curve, descent = load("ring", seed=seed, n=n).X, fit_curve(min_dist=0.1), Descent(n_epochs=n_epochs, seed=seed)
    graph = fuzzy_graph(neighbors(X))
    mu = prune(graph, n_epochs)
    epochs = np.unique(np.geomspace(1, n_epochs, 25).astype(int))
    trace = run(graph, curve, descent, initial_layout(mu, X), Recording(epochs=epochs, checkpoints=2), progress=False)
    layouts, levels = trace["layouts"].to_dataset()["Y"].values, reference_losses(mu, descent, convention=CONVENTION)

    def purported(Y: np.ndarray, convention: str = CONVENTION) -> float:
        return purported_loss(mu, Y, curve, convention=convention).bce

    def effective(Y: np.ndarray, convention: str = CONVENTION) -> float:
        return effective_loss(mu, descent, Y, curve, convention=convention).bce

    along = {"purported": [purported(Y) for Y in layouts], "effective": [effective(Y) for Y in layouts]}
    losses = {
        "purported, q = mu": levels.purported_target,
        "purported, q = identity": levels.purported_empty,
        "purported, embedding": along["purported"][-1],
        "purported, data as layout": purported(X),
        "effective, q = nu*": levels.effective_target,
        "effective, q = identity": levels.effective_empty,
        "effective, embedding": along["effective"][-1],
        "effective, data as layout": effective(X),
    }
    unordered = reference_losses(mu, descent)
    return {
        "losses": losses,
        "along": along,
        "epoch": trace["epochs"].to_dataset()["epoch"].values,
        "width": {"data": relative_width(X), "embedding": relative_width(layouts[-1])},
        "clean": {
            "purported, embedding, unordered pairs": purported(layouts[-1], "unordered"),
            "purported, q = mean mu, unordered pairs": unordered.purported_constant,
            "effective, embedding, unordered pairs": effective(layouts[-1], "unordered"),
            "effective, q = nu*, unordered pairs": unordered.effective_target,
        },
        "graph": graph_numbers(graph),
        "points": {"data": np.round(X[:: n // 125 or 1], 2), "embedding": np.round(layouts[-1][:: n // 125 or 1], 2)},
    }


def relative_width(Y: np.ndarray) -> float:
    """Standard deviation of the distances to the centre over their mean: of a thin circle 0."""
    radius = np.linalg.norm(Y - Y.mean(axis=0), axis=1)
    return float(radius.std() / radius.mean())


def graph_numbers(graph: Graph) -> dict[str, float]:
    """What the reference prints of a graph, unpruned; attractions drawn in T epochs: sum of floor((T - 1) mu / max)."""
    ends = graph.degree[graph.heads] + graph.degree[graph.indices]
    relative = graph.weight.astype(np.float64) / graph.weight.max()
    return {
        "n_entries": graph.n_entries,
        "degree_mean": float(graph.degree.mean()),
        "degree_least": float(graph.degree.min()),
        "degree_largest": float(graph.degree.max()),
        "weight_degree_correlation": float(np.corrcoef(graph.weight, ends)[0, 1]),
        **{f"attractions_{T}": int(np.floor((T - 1) * relative).sum()) for T in (500, 10_000)},
    }


def comparison(means: pd.Series, stds: pd.Series) -> dict[str, Any]:
    """Largest relative deviation where no descent is involved, standard errors off where one is, and the orders."""
    fixed = [name for name in PUBLISHED if not name.endswith("embedding")]
    off = {
        what: max(abs(found[name] / PUBLISHED[name][place] - 1) for name in fixed)
        for place, (what, found) in enumerate({"mean": means, "std": stds}.items())
    }
    ordered = {}
    for kind, order in ORDER.items():
        values = [means[f"{kind}, {name}"] for name in order]
        ordered[kind] = values == sorted(values)
    printed = {
        name: (means[name] - mean) / np.sqrt((stds[name] ** 2 + std**2) / 6)  # seven each, deviations of ddof 0
        for name, (mean, std) in PRINTED_EMBEDDING.items()
    }
    return {
        "largest_relative_deviation": off,
        "ordered_as_published": ordered,
        "embedding_minus_printed_in_standard_errors": printed,
        "embedding_over_bug_free": {name: means[name] / PUBLISHED[name][0] for name in PRINTED_EMBEDDING},
    }


def draw(found: Mapping[str, Any]) -> Figure:
    """Data, embedding, the table, and both losses along training."""
    figure, axes = panels(2, 2, height=2.9)
    data, embedding = found["width"]["data"], found["width"]["embedding"]
    draw_points(found["points"]["data"], axes[0, 0])
    axes[0, 0].set_title(f"ring {SHOWN}: radii vary by {np.mean(data):.1%} ({len(data)} rings)", loc="left")
    draw_points(found["points"]["embedding"], axes[0, 1])
    title = f"after {found['n_epochs']:,} epochs from there: by {np.mean(embedding):.0%}"
    axes[0, 1].set_title(title, loc="left")
    draw_table(found, axes[1, 0])
    draw_training(found, axes[1, 1])
    return figure


def draw_points(points: list[list[float]], ax: Axes) -> None:
    """Points coloured by their place along the ring."""
    x, y = np.transpose(points)
    ax.scatter(x, y, c=np.arange(len(x)), cmap="twilight", s=4, linewidths=0.2, edgecolors="0.4")
    ax.set(aspect="equal", xlabel="coordinate 1", ylabel="coordinate 2")
    ax.set_aspect("equal", adjustable="datalim")


def draw_table(found: Mapping[str, Any], ax: Axes) -> None:
    """Published and found means; deviations are smaller than the marks."""
    rows = [(kind, name) for kind, names in ORDER.items() for name in names]
    place = np.arange(len(rows))[::-1]
    keys = [f"{kind}, {name}" for kind, name in rows]
    names = [f"{kind[:3]}., {name.replace('data as layout', 'data')}" for kind, name in rows]
    published = [found["published"][key]["mean"] for key in keys]
    ax.plot(published, place, "o", ms=7, mfc="none", color=PALETTE[0], label="published (embedding: bug-free)")
    ax.plot([found["mean"][key] for key in keys], place, "x", ms=4, color="black", label="found")
    ax.set_yticks(place, names)
    ax.set(xscale="log", xlabel="loss (nats, ordered pairs, with diagonal)", ylim=(-0.5, len(rows) + 1.2))
    ax.axhline(len(ORDER["effective"]) - 0.5, color="0.8", lw=0.6, zorder=0)
    off = found["comparison"]["largest_relative_deviation"]
    ax.set_title(
        f"means without descent within {off['mean']:.0e}\nof those published, spreads {off['std']:.0e}", loc="left"
    )
    ax.legend(loc="upper left")


def draw_training(found: Mapping[str, Any], ax: Axes) -> None:
    """Both losses of every ring, and what no similarities at all would cost."""
    along, mean = found["along_training"], found["mean"]
    for kind, color, line in (("purported", PALETTE[1], "-"), ("effective", PALETTE[0], "--")):
        values = np.array(along[kind])
        ax.plot(along["epoch"], values, color=color, ls=line, lw=0.8)
        ax.plot([], [], color=color, ls=line, label=f"{kind}, {values.shape[1]} rings")
    empty = mean["purported, q = identity"]
    ax.axhline(empty, color="black", ls=":", lw=0.8, label="purported, q = identity (mean)")
    ax.set_xscale("symlog", linthresh=1)
    ax.set(yscale="log", xlabel="epoch", ylabel="loss (nats, ordered pairs, with diagonal)")
    ax.set(ylim=(0.6 * np.min(along["effective"]), 12 * np.max(along["purported"])), xlim=(0, along["epoch"][-1]))
    ends = {kind: mean[f"{kind}, embedding"] / mean[f"{kind}, data as layout"] for kind in ORDER}
    ax.set_title(
        f"purported loss ends {mean['purported, embedding'] / empty - 1:+.0%} from that\n"
        f"of no similarities; effective {ends['effective'] - 1:+.0%} from the data's",
        loc="left",
    )
    ax.legend(loc="upper right")


if __name__ == "__main__":
    study(Study("toy_ring", (__doc__ or "").splitlines()[0], numbers, draw))
