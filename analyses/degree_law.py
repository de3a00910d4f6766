"""How far above log2 k is the mean degree, and what decides it?

With L = log2 k and the directed rows P (self not counted), S = mean of sum_j P_ij, the mean degree of the union is
exactly

    mean d = 2 S - r (1/n) sum_ij P_ij^2,        r = sum P_ij P_ji / sum P_ij^2        (sums over ordered pairs)

so that it obeys S + (1/n) sum P (1 - P) <= mean d <= 2 S - 2/n (C14; the upper bound where a pair is mutually nearest).
Since (1/n) sum P^2 is much the same for all data of one k, the weighted reciprocity r decides, and log2 k is a lower
bound, not the degree (E3).  Column sums c_j have mean S and are not pinned: hubs.  Graphs as built, nothing pruned.
Data drawn by a seed: mean over the seeds, and their standard deviation.  The lists of all k are those of the largest
k cut short, approximate ones (PyNNDescent's) from 4096 points on.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _rows import mean_and_spread, shorter
from _script import SEED
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from umapinfo import fuzzy_graph, neighbors
from umapinfo.datasets import load
from umapinfo.measures.degree import Degrees, degree
from umapinfo.plot import PALETTE

SIZES = (5, 10, 15, 30, 50, 100)  # k = n_neighbors, the point itself counted
USUAL = 15
DIMENSIONS = (1, 2, 3, 10, 100, 1000)
TOYS, TABLES, FILES = ("ring", "square"), ("digits", "iris", "wine", "breast_cancer", "diabetes"), (
    "pendigits", "mammoth", "mnist",
)  # fmt: skip
MARKERS = dict(zip(SIZES, "v^osDX", strict=True))
Points = NDArray[Any]


def drawn(D: int, seed: int, options: Options) -> Points:
    """Standard Gaussian points in D dimensions."""
    return np.random.default_rng([seed, D]).normal(size=(300 if options.quick else 1000, D))


def data(options: Options) -> dict[str, list[Points]]:
    """The data sets by name, one for each seed where they are drawn."""
    seeds, dimensions = range(1 if options.quick else 5), DIMENSIONS[:2] if options.quick else DIMENSIONS
    found = {f"Gaussian, D = {D}": [drawn(D, seed, options) for seed in seeds] for D in dimensions}
    found |= {name: [load(name, seed=SEED + seed).X for seed in seeds] for name in TOYS}
    tables = ("iris",) if options.quick else (*TABLES, *(FILES if options.full else ()))
    return found | {name: [load(name, progress=False).X] for name in tables}


def measured(found: Degrees) -> dict[str, float]:
    """Mean degree, its bounds and the largest column sum, all over log2 k, and what explains them."""
    mean = float(found.row_mass.mean())
    over = {
        "mean_degree": float(found.union_degree.mean()),
        "lower_bound": found.mean_lower,
        "upper_bound": found.mean_upper,
        "row_mass": mean,
        "row_squares": 2 * mean - found.mean_lower,
        "column_sum_max": float(found.column_sum.max()),
        "degree_min": float(found.degree.min()),
        "degree_max": float(found.degree.max()),
    }
    return {name: value / found.log2_k for name, value in over.items()} | {
        "weighted_reciprocity": found.weighted_reciprocity,
        "reciprocity": found.reciprocity,
        "not_pinned": 1 - float(found.pinned.mean()),
    }


def of_data(sets: list[Points], options: Options) -> dict[str, Any]:
    """Each quantity as a list over k; `mean_degree_spread` is the standard deviation over seeds."""
    sizes = (5, 15) if options.quick else SIZES
    by_seed = []
    for X in sets:
        lists = neighbors(X, max(sizes))
        by_seed.append([measured(degree(fuzzy_graph(shorter(lists, k)))) for k in sizes])
    found: dict[str, Any] = {
        name: [round(mean_and_spread([seed[i][name] for seed in by_seed])[0], 6) for i in range(len(sizes))]
        for name in by_seed[0][0]
    }
    spread = [round(mean_and_spread([seed[i]["mean_degree"] for seed in by_seed])[1], 6) for i in range(len(sizes))]
    slack = [min(s["mean_degree"] - s["lower_bound"], s["upper_bound"] - s["mean_degree"]) for q in by_seed for s in q]
    return found | {"mean_degree_spread": spread, "least_slack": min(slack), "n": len(sets[0]), "k": list(sizes)}


def summary(by_data: Mapping[str, Any]) -> dict[str, Any]:
    """The extremes over all data and k, where they are, and what the reciprocity leaves unexplained at k = 15."""
    every = [
        {"name": name, "k": k, **{key: q[key][i] for key in ("mean_degree", "weighted_reciprocity", "row_squares",
                                                            "row_mass", "column_sum_max", "degree_max", "degree_min")}}
        for name, q in by_data.items() for i, k in enumerate(q["k"])
    ]  # fmt: skip
    exact = [one for one in every if one["row_mass"] < 1.0005]  # rows at log2 k but for a few floored ones
    usual = [one for one in exact if one["k"] == USUAL]
    r, ratio, squares = (np.array([one[key] for one in usual]) for key in
                         ("weighted_reciprocity", "mean_degree", "row_squares"))  # fmt: skip
    return {
        "least": min(exact, key=lambda one: one["mean_degree"]),
        "largest": max(exact, key=lambda one: one["mean_degree"]),
        "largest_with_ties": max(every, key=lambda one: one["mean_degree"]),
        "largest_hub": max(every, key=lambda one: one["column_sum_max"]),
        "least_degree_over_log2_k": min(one["degree_min"] for one in every),
        "least_slack_of_a_bound": min(q["least_slack"] for q in by_data.values()),
        "usual_k": USUAL,
        "usual_n_data": len(usual),
        "usual_range": [float(ratio.min()), float(ratio.max())],
        "usual_row_squares_range": [float(squares.min()), float(squares.max())],
        "usual_correlation": float(np.corrcoef(r, ratio)[0, 1]) if len(usual) > 2 else 0.0,
        "usual_row_squares_median": float(np.median(squares)),
        "usual_unexplained_largest": float(np.max(np.abs(ratio - (2 - r * np.median(squares))))),
    }


def numbers(options: Options) -> dict[str, Any]:
    """Mean degree over log2 k, its bounds, reciprocity and hubs, over data and k."""
    by_data = {name: of_data(sets, options) for name, sets in data(options).items()}
    return {"data": by_data, "summary": summary(by_data)}


def draw_law(found: Mapping[str, Any], ax: Axes) -> None:
    """Mean degree against weighted reciprocity, a marker for each k."""
    for k, marker in MARKERS.items():
        points = [(q["weighted_reciprocity"][i], q["mean_degree"][i])
                  for q in found["data"].values() for i, size in enumerate(q["k"]) if size == k]  # fmt: skip
        colour = PALETTE[0] if k == USUAL else "0.55"
        if points:
            ax.plot(*zip(*points, strict=True), ls="", marker=marker, ms=4 if k == USUAL else 3, color=colour,
                    mfc=colour if k == USUAL else "none", mew=0.7, label=f"$k$ = {k}")  # fmt: skip
    known = found["summary"]
    r = np.array([0.0, 1.0])
    ax.plot(r, 2 - r * known["usual_row_squares_median"], color=PALETTE[0], lw=0.8,
            label=f"$2 - {known['usual_row_squares_median']:.2f}\\,r$")  # fmt: skip
    ax.axhline(1, color="black", ls=":", label="$\\log_2 k$")
    ax.set(xlabel="weighted reciprocity $r$", ylabel="mean degree / $\\log_2 k$", xlim=(0, 1), ylim=(0.65, None))
    low, high = known["usual_range"]
    ax.set_title(f"at $k$ = {USUAL} the mean degree is {low:.2f} to {high:.2f} $\\log_2 k$,\n"
                 "the more, the fewer neighbours are mutual", loc="left")  # fmt: skip
    ax.legend(loc="lower center", ncols=3, columnspacing=1.0)


def at_usual(found: Mapping[str, Any]) -> list[tuple[str, dict[str, float]]]:
    """Name and numbers of each data set at the usual k, by mean degree."""
    rows = []
    for name, q in found["data"].items():
        at = q["k"].index(USUAL)
        rows.append((name, {key: value[at] for key, value in q.items() if isinstance(value, list)}))
    return sorted(rows, key=lambda row: row[1]["mean_degree"])


def draw_bounds(found: Mapping[str, Any], ax: Axes) -> None:
    """Both bounds and the mean degree of each data set at the usual k."""
    rows = at_usual(found)
    y = np.arange(len(rows))
    low, mean, high = (np.array([q[key] for _, q in rows]) for key in ("lower_bound", "mean_degree", "upper_bound"))
    ax.hlines(y, low, high, color="0.75", lw=4, label="between the bounds")
    ax.plot(mean, y, "o", color=PALETTE[0], ms=4, label="mean degree")
    ax.axvline(1, color="black", ls=":", label="$\\log_2 k$")
    ax.set(xlabel="mean degree / $\\log_2 k$", xlim=(0.95, None), ylim=(-0.7, len(rows) - 0.3))
    ax.set_yticks(y, [name for name, _ in rows])
    ax.set_title(f"no mean degree at $k$ = {USUAL} is near $\\log_2 k$:\n"
                 f"the lower bound is {low.min():.2f} $\\log_2 k$ or more", loc="left")  # fmt: skip
    ax.legend(loc="upper right", bbox_to_anchor=(1.03, -0.17), ncols=3, columnspacing=0.8, handlelength=1.2)


def draw_hubs(found: Mapping[str, Any], ax: Axes) -> None:
    """Largest column sum and largest degree of each data set at the usual k."""
    rows = at_usual(found)
    y = np.arange(len(rows))
    ax.plot([q["degree_max"] for _, q in rows], y, "o", color=PALETTE[0], mfc="none", label="largest $d_i$")
    ax.plot([q["column_sum_max"] for _, q in rows], y, "x", color=PALETTE[1], ms=4, label="largest $c_i$")
    ax.axvline(1, color="black", ls=":", label="row mass")
    ax.set(xlabel="degree $d_i$, column sum $c_i$ / $\\log_2 k$", xscale="log", ylim=(-0.7, len(rows) - 0.3))
    ax.set_yticks(y, [])
    name, most = max(rows, key=lambda row: row[1]["column_sum_max"])
    ax.set_title(f"rows are pinned, columns are not:\n{name} has a hub of {most['column_sum_max']:.0f} $\\log_2 k$",
                 loc="left")  # fmt: skip
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3, columnspacing=0.8, handlelength=1.2)


def draw(found: Mapping[str, Any]) -> Figure:
    """The law, the bounds, the hubs."""
    figure, axes = panels(1, 3, height=3.2)
    for drawing, ax in zip((draw_law, draw_bounds, draw_hubs), axes[0], strict=True):
        drawing(found, ax)
    return figure


if __name__ == "__main__":
    study(Study("degree_law", (__doc__ or "").splitlines()[0], numbers, draw, full=True))
