"""What would UMAP draw if it minimised the loss in its paper?

UMAP's layout beside the minima that full-gradient descent (`umapinfo.minimise`) finds from it: of the effective loss,
which negative sampling descends on average, and of the purported loss, the one in the paper.  Each starts from UMAP's
layout dilated to the scale at which its loss is least, MNIST's from the unfolded one (`umapinfo.unfolded`); what
dilation alone does is measured, too.

A minimum of the purported loss has as much similarity as the graph has edge probability, sum q = sum mu, and is at
least [((n - 1) / mean degree - 1) / a]^(1/2b) wide.  UMAP's layouts have, and are, neither.

The digits; with --full MNIST too, which takes half an hour.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from _layouts import Run, minimum_of, run_of
from _runs import lists, shared
from _script import SEED
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from umapinfo import history, minimiser_layout
from umapinfo.datasets import load
from umapinfo.measures import (
    dilated,
    effective,
    effective_loss,
    layout_diameter,
    least_diameter,
    purported,
    purported_balance,
    purported_loss,
    reference_losses,
)
from umapinfo.plot import PALETTE

LAYOUTS = {"umap": "UMAP", "effective": "least effective loss", "purported": "least purported loss"}
N_SHOWN, N_ITERATIONS = 3000, 100  # points drawn and iterations kept


def numbers(options: Options) -> dict[str, Any]:
    """UMAP's layout and the two minima of each data set."""
    names = ("digits", "mnist") if options.full else ("digits",)
    return {name: of_run(run_of(name, options), options) for name in names}


def of_run(run: Run, options: Options) -> dict[str, Any]:
    """What is measured of one data set."""
    mu, curve, start, n = run.mu, run.curve, run.Y, run.mu.n_vertices
    data = load(run.name, seed=SEED, n=n)
    losses = {"effective": effective(mu, run.descent), "purported": purported(mu)}
    found = {which: minimum_of(which, run, options) for which in losses}
    layouts = {"umap": start} | {which: minimiser_layout(trace) for which, trace in found.items()}
    layouts |= {f"{which} dilated": dilated(loss, curve, start) for which, loss in losses.items()}
    listed = lists(data.X)
    shown = np.sort(np.random.default_rng(0).choice(n, min(n, N_SHOWN), replace=False))
    return {
        "n": n,
        "mean_degree": float(mu.degree.mean()),
        "least_diameter": least_diameter(mu, curve),
        "constant_q": reference_losses(mu, run.descent).purported_constant,
        "layouts": {
            which: {
                "purported": purported_loss(mu, Y, curve).bce,
                "effective": effective_loss(mu, run.descent, Y, curve).bce,
                "diameter": layout_diameter(Y),
                "scale": float(np.sqrt(Y.var(axis=0).sum() / start.var(axis=0).sum())),
                "similarity_over_probability": purported_balance(mu, Y, curve).mass_ratio,
                "kept_neighbours": shared(listed, lists(Y.astype(np.float32))),
            }
            for which, Y in layouts.items()
        },
        "iterations": {which: thinned(history(trace)) for which, trace in found.items()},
        "shown": {which: np.round(layouts[which][shown] - layouts[which].mean(axis=0), 3) for which in LAYOUTS},
        "labels": np.unique(np.asarray(data.labels)[shown], return_inverse=True)[1],
    }


def thinned(told: xr.Dataset) -> dict[str, Any]:
    """Iterations that are closer to each other at the start: their number and loss, and how many there are of all."""
    last = told.sizes["iteration"] - 1
    kept = np.unique(np.rint(np.geomspace(1, last + 1, N_ITERATIONS)).astype(int) - 1)
    fields = {name: told[name].values for name in ("value", "evaluation", "plan")}
    return {
        "iteration": kept,
        "value": fields["value"][kept],
        "n_iterations": last,
        "n_evaluations": int(fields["evaluation"][-1]),
        "n_plans": int(fields["plan"][-1]),
    }


def draw(found: Mapping[str, Any]) -> Figure:
    """A row for each data set: three layouts, each at its own scale, and the loss along the iterations."""
    figure, axes = panels(len(found), 4, height=2.9)
    for row, (name, of_one) in enumerate(found.items()):
        for column, which in enumerate(LAYOUTS):
            draw_layout(of_one, which, axes[row, column])
        axes[row, 0].set_ylabel(f"{name}, n = {of_one['n']:,}")
        draw_iterations(of_one, axes[row, 3])
    return figure


def draw_layout(found: Mapping[str, Any], which: str, ax: Axes) -> Axes:
    """One layout, with a bar of a round length."""
    Y, told = np.array(found["shown"][which]), found["layouts"][which]
    ax.scatter(*Y.T, c=found["labels"], cmap="tab10", s=2, lw=0, rasterized=True)
    low, high = np.percentile(Y, 0, axis=0), np.percentile(Y, 100, axis=0)
    bar = 10.0 ** np.floor(np.log10(told["diameter"] / 2))
    corner = low - 0.08 * (high - low)
    ax.plot([corner[0], corner[0] + bar], [corner[1]] * 2, color="black", lw=1.5)
    ax.annotate(f"{bar:g}", (corner[0] + bar, corner[1]), (3, 0), textcoords="offset points", va="center", fontsize=7)
    ax.set_aspect("equal", adjustable="datalim")
    ax.set(xticks=[], yticks=[])
    ratio = told["similarity_over_probability"]
    ax.set_title(
        f"{LAYOUTS[which]}: {told['diameter']:.0f} wide,\n"
        f"sum q = {ratio:.3g} sum p; keeps {told['kept_neighbours']:.0%}",
        loc="left",
    )
    return ax


def draw_iterations(found: Mapping[str, Any], ax: Axes) -> Axes:
    """The purported loss along its descent, and the levels to judge it by."""
    told, levels = found["iterations"]["purported"], found["layouts"]
    ax.plot(np.array(told["iteration"]) + 1, told["value"], color=PALETTE[0], lw=1.5, label="from UMAP's layout")
    for value, label, color, style in (
        (levels["umap"]["purported"], "UMAP", PALETTE[1], "--"),
        (found["constant_q"], "one similarity for all pairs", "0.5", ":"),
        (levels["effective"]["purported"], "least effective loss", PALETTE[2], "-."),
    ):
        ax.axhline(value, color=color, ls=style, lw=1, label=label)
    ax.set(xscale="log", yscale="log", xlabel="iteration + 1", ylabel="purported loss (nats)")
    times = levels["umap"]["purported"] / levels["purported"]["purported"]
    ax.set_title(f"UMAP's layout has {times:.3g} times\nthe least loss found of its paper", loc="left")
    low, high = ax.get_ylim()
    ax.set_ylim(bottom=low * (low / high) ** 0.6)  # room for the legend
    ax.legend(loc="lower left")
    return ax


if __name__ == "__main__":
    study(Study("true_minimum", (__doc__ or "").splitlines()[0], numbers, draw, full=True))
