"""Does high dimension harm the rows of the graph, or its columns?

Points of D independent coordinates, uniform or Gaussian.  Distances concentrate: the relative contrast
(d_(k-1) - d_1) / d_1 of a row falls with D.  But a row is unchanged by affine maps of its distances (C6): its Shannon
perplexity saturates by D of 10 or so.  Nothing pins the columns: some points stand in very many lists, others in none
(C7).  A list holds k - 1 others; in-degree: the lists that hold a point; reciprocity: share of listed pairs whose
reverse is listed; perplexity: 2 to the entropy in bits of P_ij / sum_j P_ij.  Mean over seeds, and the standard
deviation between them (`spread`).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _rows import mean_and_spread, row_perplexity
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import skew

from umapinfo import fuzzy_graph, neighbors
from umapinfo.measures.degree import degree
from umapinfo.plot import PALETTE

DIMENSIONS = (1, 2, 3, 5, 10, 20, 50, 100, 300, 1000)
LAWS = ("uniform", "Gaussian")
LINES = {"uniform": {"color": PALETTE[0], "marker": "o"}, "Gaussian": {"color": PALETTE[1], "marker": "s", "ls": "--"}}
K = 15


def points(law: str, n: int, D: int, seed: int) -> NDArray[np.float64]:
    """Points [n, D] of D coordinates, each uniform on [0, 1] or standard Gaussian."""
    random = np.random.default_rng([seed, D])
    return random.uniform(size=(n, D)) if law == "uniform" else random.normal(size=(n, D))


def measured(X: NDArray[np.float64]) -> dict[str, float]:
    """What the rows and the columns of the graph of X look like."""
    lists = neighbors(X, K)
    graph = fuzzy_graph(lists)
    found, rows = degree(graph), graph.rows
    in_degree = np.bincount(lists.indices.ravel(), minlength=len(X))
    near, far = lists.distances[:, 0].astype(np.float64), lists.distances[:, -1].astype(np.float64)
    return {
        "row_perplexity": float(row_perplexity(graph).mean()),
        "contrast_median": float(np.median((far - near) / near)),
        "rho_over_sigma_median": float(np.median(rows.rho.astype(np.float64) / rows.sigma)),
        "floored": float(rows.floored.mean()),
        "in_degree_skewness": float(skew(in_degree)),
        "in_degree_max": float(in_degree.max()),
        "in_degree_zero": float(np.mean(in_degree == 0)),
        "reciprocity": found.reciprocity,
        "column_sum_max": float(found.column_sum.max()),
        "degree_max": float(found.degree.max()),
        "degree_mean": found.mean_degree,
    }


def along(law: str, dimensions: tuple[int, ...], n: int, n_seeds: int) -> dict[str, dict[str, list[float]]]:
    """Of each quantity its mean and its spread over seeds, as lists over the dimensions."""
    found: dict[str, dict[str, list[float]]] = {}
    for D in dimensions:
        by_seed = [measured(points(law, n, D, seed)) for seed in range(n_seeds)]
        for name in by_seed[0]:
            mean, spread = mean_and_spread([seed[name] for seed in by_seed])
            at = found.setdefault(name, {"mean": [], "spread": []})
            at["mean"].append(mean)
            at["spread"].append(spread)
    return found


def numbers(options: Options) -> dict[str, Any]:
    """Everything for both laws; n points, n_seeds seeds."""
    n, n_seeds, dimensions = (200, 2, (1, 10, 100)) if options.quick else (1000, 5, DIMENSIONS)
    known = {"n": n, "n_seeds": n_seeds, "n_neighbors": K, "log2_k": float(np.log2(K)), "D": list(dimensions)}
    return {**known, **{law: along(law, dimensions, n, n_seeds) for law in LAWS}}


def curves(found: Mapping[str, Any], ax: Axes, name: str, label: str, **how: Any) -> None:
    """One quantity along D for both laws, with its spread over seeds as bars."""
    for law in LAWS:
        values = found[law][name]
        style = {**LINES[law], **how}
        ax.errorbar(found["D"], values["mean"], values["spread"], label=f"{law}{label}", elinewidth=0.8, **style)
    ax.set(xscale="log", xlabel="dimension $D$ of the data")


def both(found: Mapping[str, Any], name: str, at: int = -1, digits: int = 1) -> str:
    """The values of both laws at one dimension, for a title."""
    low, high = sorted((f"{found[law][name]['mean'][at]:.{digits}f}" for law in LAWS), key=float)
    return low if low == high else f"{low} to {high}"


def draw_rows(found: Mapping[str, Any], ax: Axes) -> None:
    """Row perplexity along D."""
    curves(found, ax, "row_perplexity", "")
    ax.set(ylabel="mean Shannon perplexity of a row", ylim=(7.5, 11))
    at = int(np.argmin(np.abs(np.array(found["D"]) - 10)))
    ax.set_title(
        f"rows: perplexity {both(found, 'row_perplexity', 0)} at $D$ = 1,\n"
        f"{both(found, 'row_perplexity', at)} at {found['D'][at]}, {both(found, 'row_perplexity')} at {found['D'][-1]}",
        loc="left",
    )
    ax.legend(loc="lower right")


def draw_contrast(found: Mapping[str, Any], ax: Axes) -> None:
    """Relative contrast and rho / sigma along D."""
    curves(found, ax, "contrast_median", ": $(d_{k-1} - d_1)/d_1$")
    curves(found, ax, "rho_over_sigma_median", ": $\\rho/\\sigma$", mfc="none", lw=0.7)
    ax.set(yscale="log", ylabel="median over rows", ylim=(3e-4, None))
    ax.set_title(
        f"though distances concentrate: at $D$ = {found['D'][-1]} the\n"
        f"median contrast is {both(found, 'contrast_median', digits=2)}",
        loc="left",
    )
    ax.legend(loc="lower center", ncols=2, columnspacing=1.0)


def draw_columns(found: Mapping[str, Any], ax: Axes) -> None:
    """Largest degree and in-degree skewness along D."""
    curves(found, ax, "degree_max", "")
    ax.axhline(found["log2_k"], color="black", ls=":", label="row mass $\\log_2 k$")
    ax.set(yscale="log", ylabel="largest degree")
    first, end = both(found, "degree_max", 0, 0), both(found, "degree_max", digits=0)
    ax.set_title(
        f"columns: the largest degree is {first} at $D$ = 1,\n{end} at $D$ = {found['D'][-1]} (mean over seeds)",
        loc="left",
    )
    ax.legend(loc="upper left")


def draw_lists(found: Mapping[str, Any], ax: Axes) -> None:
    """Reciprocity of the lists, and the share of points that no list holds."""
    curves(found, ax, "reciprocity", ": reciprocity")
    curves(found, ax, "in_degree_zero", ": in no list", mfc="none", lw=0.7)
    ax.set(ylabel="share", ylim=(-0.03, 1))
    worst = max(found[law]["in_degree_zero"]["mean"][-1] for law in LAWS)
    ax.set_title(f"lists are less mutual; at $D$ = {found['D'][-1]} up to\n"
                 f"{worst:.0%} of the points stand in no other's list", loc="left")  # fmt: skip
    ax.legend(loc="upper right")


def draw(found: Mapping[str, Any]) -> Figure:
    """Rows above, columns below."""
    figure, axes = panels(2, 2)
    for drawing, ax in zip((draw_rows, draw_contrast, draw_columns, draw_lists), axes.ravel(), strict=True):
        drawing(found, ax)
    return figure


if __name__ == "__main__":
    study(Study("concentration", (__doc__ or "").splitlines()[0], numbers, draw))
