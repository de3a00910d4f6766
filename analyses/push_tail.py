"""Does it matter that umap-learn moves the head alone of a negative sample, and on which loss?

With push_tail the mean update is the gradient of the effective loss, whose repulsion has the weight
m (d_i + d_j)/(2n).  Without, as umap-learn does, the force on i has m d_i/(2n): half of it where degrees are equal, and
else no gradient at all (C35).  The loss nearest to that is the effective one of half the repulsion.  Both layouts are
measured by both, and by the purported loss.  Each run should win on its own.

The published ring (data seed = run seed = 3, 10,000 epochs, the data as start) in the convention of Damrich and
Hamprecht's code (nats, ordered pairs, with diagonal); seven rings and the digits, five runs, at default settings in
nats over unordered pairs.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from umapinfo import Descent, Graph, Recording, fit_curve, fuzzy_graph, initial_layout, neighbors, prune, run
from umapinfo.datasets import load
from umapinfo.measures.loss import effective_loss, purported_loss
from umapinfo.plot import PALETTE

CURVE = fit_curve()
RUNS = {"head_only": False, "tail_too": True}
LABELS = {"head_only": "head alone pushed", "tail_too": "tail pushed too"}
LOSSES = ("purported", "effective", "effective_half")
TITLES = {"purported": "purported", "effective": "effective", "effective_half": "effective, half repulsion"}
PRINTED = {
    "head_only": {"purported": 70.0e3, "effective": 3396.0},
    "tail_too": {"purported": 49.8e3, "effective": 3158.0},
}


def numbers(options: Options) -> dict[str, Any]:
    """Losses of both kinds of run: the published ring, and several seeds of ring and digits."""
    n, n_epochs, n_seeds = (200, 100, 2) if options.quick else (1000, 10_000, 7)
    long = Descent(n_epochs=n_epochs, seed=3)
    published = both(fuzzy_graph(neighbors(load("ring", seed=3, n=n).X)), load("ring", seed=3, n=n).X, long, True)
    default = Descent(n_epochs=100 if options.quick else None)
    rings = [load("ring", seed=seed, n=n).X for seed in range(n_seeds)]
    digits = load("digits", n=300 if options.quick else None).X
    graph = fuzzy_graph(neighbors(digits))
    return {
        "published_ring": published,
        "printed": PRINTED,
        "ring": gathered([both(fuzzy_graph(neighbors(X)), X, replace(default, seed=i)) for i, X in enumerate(rings)]),
        "digits": gathered([both(graph, "spectral", replace(default, seed=i)) for i in range(min(n_seeds, 5))]),
        "degree_variation": {"ring": variation(fuzzy_graph(neighbors(rings[0]))), "digits": variation(graph)},
    }


def both(graph: Graph, start: Any, descent: Descent, printed: bool = False) -> dict[str, dict[str, float]]:
    """Losses of the layouts of both kinds of run from one start."""
    mu = prune(graph, descent.epochs_for(graph.n_vertices))
    start = initial_layout(mu, start, seed=descent.seed)
    return {kind: losses(graph, mu, replace(descent, push_tail=tail), start, printed) for kind, tail in RUNS.items()}


def losses(graph: Graph, mu: Graph, descent: Descent, start: np.ndarray, printed: bool) -> dict[str, float]:
    """One run's purported loss, effective loss, and effective loss of half the repulsion; nats."""
    rule = "damrich-hamprecht" if printed else "unordered"
    trace = run(graph, CURVE, descent, start, Recording(epochs=2, checkpoints=2), progress=False)
    Y, half = trace["layouts"].to_dataset()["Y"].values[-1], replace(descent, repulsion_strength=0.5)
    return {
        "purported": purported_loss(mu, Y, CURVE, convention=rule).bce,
        "effective": effective_loss(mu, descent, Y, CURVE, convention=rule).bce,
        "effective_half": effective_loss(mu, half, Y, CURVE, convention=rule).bce,
        "size": float(np.sqrt(Y.var(axis=0).sum())),
    }


def gathered(runs: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Each loss by run, and tail pushed over head alone: of each pair of runs, their mean and standard deviation."""
    by_run = {kind: {name: [one[kind][name] for one in runs] for name in (*LOSSES, "size")} for kind in RUNS}
    ratios = {
        name: np.array(by_run["tail_too"][name]) / np.array(by_run["head_only"][name]) for name in (*LOSSES, "size")
    }
    summary = {name: {"mean": float(r.mean()), "std": float(r.std(ddof=1))} for name, r in ratios.items()}
    own = bool(np.all(ratios["effective"] < 1) and np.all(ratios["effective_half"] > 1))
    return {"by_run": by_run, "ratios": ratios, "ratio": summary, "each_run_better_on_its_own_loss": own}


def variation(graph: Graph) -> float:
    """Standard deviation of the degrees over their mean: 0 where a head-only force would be a gradient."""
    return float(graph.degree.std() / graph.degree.mean())


def draw(found: Mapping[str, Any]) -> Figure:
    """The published ring as bars; the ratios of the pairs of runs."""
    figure, axes = panels(1, 2, height=2.7)
    draw_published(found, axes[0, 0])
    draw_ratios(found, axes[0, 1])
    return figure


def draw_published(found: Mapping[str, Any], ax: Axes) -> None:
    """Both runs on three losses, and what was printed."""
    place = np.arange(len(LOSSES))
    for side, (kind, color, hatch) in enumerate(zip(RUNS, (PALETTE[0], PALETTE[1]), ("", "///"), strict=True)):
        values = [found["published_ring"][kind][name] for name in LOSSES]
        ax.bar(place + 0.4 * side - 0.2, values, 0.38, color=color, hatch=hatch, edgecolor="white", label=LABELS[kind])
        for x, value in zip(place + 0.4 * side - 0.2, values, strict=True):
            ax.text(x, value * 1.05, f"{value:,.0f}", ha="center", va="bottom", fontsize=6.5)
        printed = [found["printed"][kind].get(name, np.nan) for name in LOSSES]
        ax.plot(place + 0.4 * side - 0.2, printed, "_", color="black", ms=14, label="published" if side else None)
    ax.set(yscale="log", ylabel="loss (nats, ordered pairs)", ylim=(1000, 8e5))
    ax.set_xticks(place, [TITLES[name].replace(", ", ",\n") for name in LOSSES])
    less = 1 - found["published_ring"]["tail_too"]["effective"] / found["published_ring"]["head_only"]["effective"]
    ax.set_title(f"ring 3, long run: with the tail pushed too,\nthe effective loss ends {less:.1%} lower", loc="left")
    ax.legend(loc="upper right")


def draw_ratios(found: Mapping[str, Any], ax: Axes) -> None:
    """Tail pushed over head alone, a mark a pair of runs."""
    for data, color, marker, shift in (("ring", PALETTE[2], "o", -0.12), ("digits", PALETTE[3], "^", 0.12)):
        for place, name in enumerate(LOSSES):
            ratios = found[data]["ratios"][name]
            label = f"{data}, {len(ratios)} pairs of runs" if place == 0 else None
            ax.plot(np.full(len(ratios), place + shift), ratios, marker, color=color, mfc="none", ms=4, label=label)
    ax.axhline(1, color="0.6", lw=0.8)
    ax.set_xticks(range(len(LOSSES)), [TITLES[name].replace(", ", ",\n") for name in LOSSES])
    ax.set(ylabel="loss, tail pushed too\nover head alone", xlim=(-0.5, 2.5))
    every = all(found[data]["each_run_better_on_its_own_loss"] for data in ("ring", "digits"))
    size = "every" if every else "not every"
    ax.set_title(f"default runs: {size} run is\nthe better one on its own loss", loc="left")
    ax.legend(loc="best")


if __name__ == "__main__":
    study(Study("push_tail", (__doc__ or "").splitlines()[0], numbers, draw))
