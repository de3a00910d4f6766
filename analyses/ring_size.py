"""Does the binarised target sharpen with the number of points, and does the layout follow it?

The target of the effective loss, nu* = mu/(mu + c) with c = m (d_i + d_j)/(2n), exceeds 0.95 just where mu > 19 c (C1).
Degrees do not grow with n, so c falls as 1/n: every edge is binarised in the end, but those at the bound of the filter,
mu = max(mu)/T, only from n = 19 m d T on, d the mean degree.  Where the head alone is pushed c is halved.

Four parts, all on Damrich and Hamprecht's ring, m = 5, n_neighbors 15:
- the table of the target over n = 100 ... 100,000, exact neighbours, filter of T = 10,000, five data seeds;
- what layouts make of it: mean q (1 - q) over the edges after a default run, three runs a size;
- dense similarities, mu := q(data) on all pairs: the data are then the minimiser of the purported loss, with KL = 0.
  A run of 200 epochs that starts there leaves it, as it descends another loss (C35): with the tail pushed too the
  effective one, as umap-learn runs, head alone, that of half the repulsion; KL in nats, unordered pairs;
- 1 to 20 rings of 1000 points, 12 apart, 200 epochs from the data as they are: more points elsewhere weaken the
  repulsion inside a ring.  Spreads are those over the rings of one run.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.spatial import cKDTree
from scipy.special import expit

from umapinfo import (
    Descent,
    Graph,
    Recording,
    fit_curve,
    fuzzy_graph,
    graph_from_csr,
    initial_layout,
    neighbors_from_lists,
    prune,
    run,
)
from umapinfo.datasets import rings
from umapinfo.measures.binarisation import layout_binarisation, target_similarity
from umapinfo.measures.loss import effective_loss, purported_loss
from umapinfo.pairs import edge_theta
from umapinfo.plot import PALETTE

CURVE, SEED, K = fit_curve(), 3, 15
# Of the reference, data seed 3: mean degree, mean repulsive weight, mean nu*, shares of nu* >= 0.9 and >= 0.99
PRINTED = {
    100: (5.5917, 0.2796, 0.4687, 0.0, 0.0),
    500: (5.8178, 0.0582, 0.7621, 0.2450, 0.0),
    1000: (5.8273, 0.0291, 0.8445, 0.4680, 0.0),
    2000: (5.8465, 0.0146, 0.9125, 0.7231, 0.0001),
}
COLUMNS = ("degree_mean", "push_mean", "target_mean", "target_over_90", "target_over_99")


def numbers(options: Options) -> dict[str, Any]:
    """All four parts."""
    sizes = (100, 500) if options.quick else (100, 500, 1000, 2000, 5000, 10_000, 30_000, 100_000)
    run_sizes, n_runs = ((100, 200), 2) if options.quick else ((100, 200, 500, 1000, 2000, 5000), 3)
    counts, each, n_dense = ((1, 2), 100, 100) if options.quick else ((1, 2, 5, 10, 20), 1000, 1000)
    seeds = [{n: target_row(n, seed) for n in sizes} for seed in range(5)]
    table = seeds[SEED]
    off = max(
        abs(table[n][column] - value)
        for n in PRINTED.keys() & table.keys()
        for column, value in zip(COLUMNS, PRINTED[n], strict=True)
    )
    return {
        "size": sizes,
        "target": {name: [table[n][name] for n in sizes] for name in table[sizes[0]]},
        "target_over_seeds": {
            name: {
                "mean": [np.mean([one[n][name] for one in seeds]) for n in sizes],
                "std": [np.std([one[n][name] for one in seeds], ddof=1) for n in sizes],
            }
            for name in ("target_mean", "target_over_90", "target_over_95", "target_undecided")
        },
        "printed": {"size": list(PRINTED), **dict(zip(COLUMNS, np.transpose(list(PRINTED.values())), strict=True))},
        "largest_deviation_from_printed": off,
        "layout": {"size": run_sizes, **layouts(run_sizes, n_runs)},
        "dense": dense(n_dense, n_runs),
        "rings": {"count": counts, **many_rings(counts, each)},
    }


def ring_graph(n: int, count: int, seed: int) -> tuple[np.ndarray, Graph]:
    """`count` rings of n points and their graph of exact neighbours."""
    X = rings(n, count, seed=seed)
    distances, indices = cKDTree(X).query(X, K)
    return X, fuzzy_graph(neighbors_from_lists(indices, distances, K))


def target_row(n: int, seed: int) -> dict[str, float]:
    """The target of one ring at T = 10,000: a row of the table; degrees are those of the graph before the filter."""
    graph, descent = ring_graph(n, 1, seed)[1], Descent(n_epochs=10_000)
    mu = prune(graph, 10_000)
    nu, head_only = target_similarity(mu, descent), target_similarity(mu, Descent(repulsion_strength=0.5))
    mean_degree = float(graph.degree.mean())
    return {
        "degree_mean": mean_degree,
        "push_mean": descent.negative_sample_rate * mean_degree / n,
        "target_mean": float(nu.mean()),
        "target_over_90": float(np.mean(nu >= 0.9)),
        "target_over_95": float(np.mean(nu > 0.95)),
        "target_over_95_head_only": float(np.mean(head_only > 0.95)),
        "target_over_99": float(np.mean(nu >= 0.99)),
        "target_undecided": float((nu * (1 - nu)).sum() / nu.sum()),
        "n_for_all_edges_over_95": 19 * descent.negative_sample_rate * mean_degree * 10_000,
    }


def layouts(sizes: tuple[int, ...], n_runs: int) -> dict[str, list[Any]]:
    """Mean q (1 - q) and share of q > 0.95 on the edges after default runs, beside those of the targets, as run."""
    found: dict[str, list[Any]] = {"q_variance": [], "q_over_95": [], "target_variance": [], "target_over_95": []}
    for n in sizes:
        X, graph = ring_graph(n, 1, SEED)
        mu = prune(graph, 500)
        nu = target_similarity(mu, Descent(n_epochs=500, repulsion_strength=0.5))
        measured = [
            layout_binarisation(mu, last(graph, Descent(n_epochs=500, seed=seed), initial_layout(mu, X)), CURVE)
            for seed in range(n_runs)
        ]
        found["q_variance"].append([one.variance for one in measured])
        found["q_over_95"].append([one.near_one_05 for one in measured])
        found["target_variance"].append(float(np.mean(nu * (1 - nu))))
        found["target_over_95"].append(float(np.mean(nu >= 0.95)))
    return found


def last(graph: Graph, descent: Descent, start: np.ndarray) -> np.ndarray:
    """The layout at the end of a run."""
    trace = run(graph, CURVE, descent, start, Recording(epochs=2, checkpoints=2), progress=False)
    return np.asarray(trace["layouts"].to_dataset()["Y"].values[-1])


def dense(n: int, n_runs: int) -> dict[str, Any]:
    """Runs from the data, on the similarities of the data and on the sparse graph: both KL, and the ring's width."""
    X, sparse = ring_graph(n, 1, SEED)
    pairs = np.triu_indices(n, 1)
    P = np.zeros((n, n))
    P[pairs] = expit(edge_theta(X, *(end.astype(np.int32) for end in pairs), CURVE))
    full = graph_from_csr(P + P.T)
    runs = {"dense": (full, False), "dense_tail_too": (full, True), "sparse": (sparse, False)}
    half = Descent(repulsion_strength=0.5)
    found: dict[str, Any] = {"n_vertices": n, "width_start": [width(X)]}
    for name, (graph, push_tail) in runs.items():
        settings = [Descent(n_epochs=200, seed=seed, push_tail=push_tail) for seed in range(n_runs)]
        mu, end = prune(graph, 200), [last(graph, descent, X) for descent in settings]
        found[name] = {
            "degree_mean": float(mu.degree.mean()),
            "target_mean": float(target_similarity(mu, Descent()).mean()),
            "purported_kl": [purported_loss(mu, Y, CURVE).kl for Y in (X, *end)],
            "effective_kl": [effective_loss(mu, Descent(), Y, CURVE).kl for Y in (X, *end)],
            "effective_half_kl": [effective_loss(mu, half, Y, CURVE).kl for Y in (X, *end)],
            "width": [width(Y) for Y in end],
            "radius_over_start": [radius(Y) / radius(X) for Y in end],
        }
    return found


def radii(Y: np.ndarray) -> np.ndarray:
    """Distances to the centre."""
    return np.asarray(np.linalg.norm(Y - Y.mean(axis=0), axis=1), dtype=np.float64)


def radius(Y: np.ndarray) -> float:
    """Mean distance to the centre."""
    return float(radii(Y).mean())


def width(Y: np.ndarray) -> float:
    """Standard deviation of the distances to the centre over their mean: of a thin circle 0."""
    return float(radii(Y).std() / radii(Y).mean())


def many_rings(counts: tuple[int, ...], each: int) -> dict[str, list[Any]]:
    """Target and layout of several rings: means, and of the width the spread over the rings."""
    found: dict[str, list[Any]] = {name: [] for name in ("push_mean", "target_over_90", "q_mean", "width", "width_std")}
    for count in counts:
        X, graph = ring_graph(each, count, SEED)
        mu = prune(graph, 200)
        Y = last(graph, Descent(n_epochs=200), X)
        widths = [width(ring) for ring in np.split(Y, count)]
        found["push_mean"].append(5 * float(graph.degree.mean()) / len(X))
        found["target_over_90"].append(float(np.mean(target_similarity(mu, Descent()) >= 0.9)))
        found["q_mean"].append(float(expit(edge_theta(Y, mu.heads, mu.indices, CURVE)).mean()))
        found["width"].append(np.mean(widths))
        found["width_std"].append(np.std(widths))
    return found


def draw(found: Mapping[str, Any]) -> Figure:
    """The table, the layouts, the dense similarities, the rings."""
    figure, axes = panels(2, 2)
    draw_target(found, axes[0, 0])
    draw_layouts(found, axes[0, 1])
    draw_dense(found["dense"], axes[1, 0])
    draw_rings(found["rings"], axes[1, 1])
    return figure


def draw_target(found: Mapping[str, Any], ax: Axes) -> None:
    """Shares of the target over n, and those printed."""
    for name, label, color, line in (
        ("target_mean", "mean of $\\nu^*$", PALETTE[0], "-"),
        ("target_over_90", "share of $\\nu^* \\geq 0.9$", PALETTE[1], "--"),
        ("target_over_95", "share of $\\nu^* > 0.95$", PALETTE[2], "-."),
        ("target_over_99", "share of $\\nu^* \\geq 0.99$", PALETTE[3], ":"),
    ):
        ax.plot(found["size"], found["target"][name], color=color, ls=line, label=label)
        if name in found["printed"]:
            ax.plot(found["printed"]["size"], found["printed"][name], "o", color=color, mfc="none", ms=4)
    ax.plot([], [], "o", color="black", mfc="none", ms=4, label="reference")
    ax.set(xscale="log", xlabel="points n", ylabel="over the edges", ylim=(-0.03, 1.6))
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.set_title(
        "target of the ring sharpens with n, as published\n"
        f"(largest deviation {found['largest_deviation_from_printed']:.0e})",
        loc="left",
    )
    ax.legend(loc="upper left", ncols=2, columnspacing=1.0)


def draw_layouts(found: Mapping[str, Any], ax: Axes) -> None:
    """Mean q (1 - q) of layouts beside that of the target."""
    layout = found["layout"]
    ax.plot(layout["size"], layout["target_variance"], color=PALETTE[1], ls="--", label="target as run, $\\nu^*$")
    values = np.array(layout["q_variance"])
    ax.plot(layout["size"], values.mean(axis=1), color=PALETTE[0], label=f"layout $q$, {values.shape[1]} runs")
    ax.plot(np.repeat(layout["size"], values.shape[1]), values.ravel(), "o", color=PALETTE[0], mfc="none")
    ax.set(xscale="log", xlabel="points n", ylabel="mean of $v\\,(1 - v)$ over the edges", ylim=(0, 0.26))
    ratio = values[-1].mean() / layout["target_variance"][-1]
    ax.set_title(f"layouts at n = {layout['size'][-1]:,}: {ratio:.1f} times as\nundecided as their target", loc="left")
    ax.legend(loc="lower left")


def draw_dense(dense: Mapping[str, Any], ax: Axes) -> None:
    """KL before and after the runs on the data's own similarities; a run falls on its own loss."""
    here, pushed = dense["dense"], dense["dense_tail_too"]
    for name, color, marker, label in (
        ("purported_kl", PALETTE[1], "s-", "KL, purported"),
        ("effective_kl", PALETTE[0], "o--", "KL, effective"),
        ("effective_half_kl", PALETTE[2], "^:", "KL, effective, half repulsion"),
    ):
        values = [np.mean(pushed[name][1:]), here[name][0], np.mean(here[name][1:])]
        ax.plot([0, 1, 2], values, marker, color=color, label=label)
    ax.set_xticks([0, 1, 2], ["tail pushed too,\n200 epochs", "start:\nthe data", "head alone,\n200 epochs"])
    ax.set(ylabel="nats", xlim=(-0.3, 2.3))
    ax.set_ylim(0, 1.5 * max(np.max(here["purported_kl"]), here["effective_half_kl"][0]))
    ax.set_title(
        "dense $\\mu$ = q(data): the run leaves a perfect\n"
        f"layout; mean degree {here['degree_mean']:.0f}, mean target {here['target_mean']:.2f}",
        loc="left",
    )
    ax.legend(loc="upper left")


def draw_rings(many: Mapping[str, Any], ax: Axes) -> None:
    """Width of the rings and sharpness of the target over the number of rings."""
    ax.errorbar(many["count"], many["width"], many["width_std"], fmt="o-", color=PALETTE[0], label="width / radius")
    ax.plot(many["count"], many["target_over_90"], "s--", color=PALETTE[1], label="share of $\\nu^* \\geq 0.9$")
    ax.plot(many["count"], many["q_mean"], "^:", color=PALETTE[2], label="mean q of the edges")
    ax.set(xscale="log", xlabel="rings of 1000 points", ylim=(0, 1.6))
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.set_xticks(many["count"], [str(count) for count in many["count"]], minor=False)
    ax.set_xticks([], minor=True)
    q = many["q_mean"]
    ax.set_title(
        f"{many['count'][0]} to {many['count'][-1]} rings: mean q of the edges\ngrows from {q[0]:.2f} to {q[-1]:.2f}",
        loc="left",
    )
    ax.legend(loc="upper left")


if __name__ == "__main__":
    study(Study("ring_size", (__doc__ or "").splitlines()[0], numbers, draw))
