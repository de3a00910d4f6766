"""Does it matter which divergence a layout is judged by?

A family of divergences between graph and layout (`umapinfo.measures.divergence`), KL, the loss of UMAP's paper, among
them.  All have the Fisher metric as their curvature at p = q, and differ in what pairs far from there cost: alpha of
order under 1, Hellinger, Jensen-Shannon and Fisher-Rao let go of long edges.  Along UMAP's run all of them fall at
first, and rise in the end, not KL alone.

Layouts of one graph are put in order by each: at the layout's own scale, and at the scale best for that
divergence, which takes most of the miscalibration of a and b out.

Reversed KL and Jeffreys's have p clipped to [1/n^2, 1 - 1/n^2], and what they say depends on that.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _layouts import N_MINIMA, Run, layouts_of, run_of
from _script import SEED
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import rankdata, spearmanr
from sklearn.decomposition import PCA

from umapinfo.datasets import load
from umapinfo.measures import Divergence
from umapinfo.measures.divergence import divergence
from umapinfo.plot import PALETTE

SIZES = {"ring": 500, "digits": N_MINIMA}
RISES = 0.1  # relative: a divergence that ends so much above its least has risen again
NAMES = {
    "alpha(0.1)": "alpha, order 0.1",
    "hellinger": "Hellinger",
    "fisher_rao": "Fisher-Rao",
    "jensen_shannon": "Jensen-Shannon",
    "renyi(0.5)": "Rényi, order 0.5",
    "kl": "KL (the paper's)",
    "alpha(2)": "alpha, order 2",
    "jeffreys": "Jeffreys, clipped",
    "reverse_kl": "reversed KL, clipped",
}
LINES = ("-", "--", "-.", ":")
LAYOUTS = {
    "pca": "PCA",
    "start": "start",
    "tenth": "epoch T/10",
    "umap": "UMAP",
    "effective": "least eff.",
    "purported": "least purp.",
}


def member(name: str, n: int) -> str | Divergence:
    """A divergence of the family; n points say where p is clipped."""
    if "(" in name:
        kind, order = name.rstrip(")").split("(")
        return Divergence(kind, order=float(order))
    return Divergence(name, p_min=1 / n**2) if name in ("jeffreys", "reverse_kl") else name


def numbers(options: Options) -> dict[str, Any]:
    """Divergences along two runs, and of the digits' layouts."""
    runs = {name: run_of(name, options, n) for name, n in SIZES.items()}
    found: dict[str, Any] = {name: along(run) for name, run in runs.items()}
    run = runs["digits"]
    layouts = layouts_of_digits(run, options)
    own = {name: {which: value(run, name, Y) for which, Y in layouts.items()} for name in NAMES}
    best = {name: {which: least_over_scales(run, name, Y) for which, Y in layouts.items()} for name in NAMES}
    orders = {"own": own, "best": best}
    rank = {scale: {name: agreement(table[name], table["kl"]) for name in NAMES} for scale, table in orders.items()}
    return {"along": found, **orders, "rank_correlation_with_kl": rank}


def along(run: Run) -> dict[str, Any]:
    """Each divergence at the recorded epochs, nats."""
    layouts = run.trace["layouts"]["Y"].values
    values = {name: [value(run, name, Y) for Y in layouts] for name in NAMES}
    rises = [name for name in NAMES if values[name][-1] > (1 + RISES) * min(values[name])]
    return {"n": run.mu.n_vertices, "epoch": run.trace["epochs"]["epoch"].values, "values": values, "rises": rises}


def value(run: Run, name: str, Y: NDArray[Any]) -> float:
    """A divergence, nats over unordered pairs."""
    return divergence(run.mu, Y, run.curve, member(name, run.mu.n_vertices)).value


def layouts_of_digits(run: Run, options: Options) -> dict[str, NDArray[Any]]:
    """Layouts of one graph by name."""
    recorded, epoch = run.trace["layouts"]["Y"].values, run.trace["epochs"]["epoch"].values
    X = load("digits", seed=SEED, n=run.mu.n_vertices).X
    found = layouts_of(run, options) | {
        "pca": PCA(2, random_state=0).fit_transform(X),
        "start": recorded[0],
        "tenth": recorded[int(np.abs(epoch - epoch[-1] / 10).argmin())],
    }
    return {which: found[which] for which in LAYOUTS}


def least_over_scales(run: Run, name: str, Y: NDArray[Any]) -> float:
    """The least divergence of the layouts e^t Y, t in [-6, 6]: the best of a coarse grid, refined."""
    grid = np.linspace(-6, 6, 13)
    at = int(np.argmin([value(run, name, np.exp(t) * Y) for t in grid]))
    bounds = grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]
    found = minimize_scalar(
        lambda t: value(run, name, np.exp(t) * Y), bounds=bounds, method="bounded", options={"xatol": 1e-3}
    )
    return float(found.fun)


def agreement(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Rank correlation of two orders of the same layouts."""
    return float(spearmanr(list(one.values()), list(other.values())).statistic)


def draw(found: Mapping[str, Any]) -> Figure:
    """Along the digits' run, and the orders of the layouts."""
    figure, axes = panels(1, 3, height=3.2)
    draw_along(found["along"]["digits"], axes[0, 0])
    draw_orders(found, axes[0, 1], "own")
    draw_orders(found, axes[0, 2], "best")
    return figure


def draw_along(found: Mapping[str, Any], ax: Axes) -> None:
    """Each divergence over its value at the start."""
    for place, (name, label) in enumerate(NAMES.items()):
        values = np.array(found["values"][name])
        ax.plot(found["epoch"], values / values[0], color=PALETTE[place], ls=LINES[place % 4], label=label)
    ax.set(xlabel="epoch", ylabel="divergence / its value at the start", yscale="log")
    ax.set_title(
        f"digits: {len(found['rises'])} of {len(NAMES)} divergences end more than\n"
        f"{RISES:.0%} above their least of UMAP's run",
        loc="left",
    )
    ax.legend(ncols=2, loc="upper center", bbox_to_anchor=(0.45, -0.22), columnspacing=0.8)


def draw_orders(found: Mapping[str, Any], ax: Axes, scale: str) -> None:
    """Rank of each layout by each divergence, 1 the least."""
    ranks = np.array([rankdata([found[scale][name][which] for which in LAYOUTS], "min") for name in NAMES])
    ax.imshow(ranks, cmap="cividis", aspect="auto")
    for (row, column), rank in np.ndenumerate(ranks):
        ax.text(
            column, row, f"{rank:.0f}", ha="center", va="center", color="white" if rank < 4 else "black", fontsize=7
        )
    ax.set_xticks(range(len(LAYOUTS)), LAYOUTS.values(), rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(NAMES)), NAMES.values() if scale == "own" else [])
    ax.tick_params(length=0)
    umap = ranks[:, list(LAYOUTS).index("umap")]
    low, high = umap.min(), umap.max()
    where = {"own": "own scale", "best": "the best scale for each"}[scale]
    place = f"number {low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
    ax.set_title(f"order at {where} (1: least):\nUMAP's layout is {place} of {len(LAYOUTS)}", loc="left")


if __name__ == "__main__":
    study(Study("divergences", (__doc__ or "").splitlines()[0], numbers, draw))
