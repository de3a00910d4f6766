"""Would Adagrad's accumulator have estimated the curvature of UMAP's loss?

Adagrad divides by the root of accumulated squared gradients, sample by sample.  UMAP does not: but its run's forces,
clipped as they are, can be squared and added up beside it (`umapinfo.measures.squared_forces`).  The sum is held, entry
by entry, against what could be called curvature at the layout of the end:

    Fisher           diag G                            of all pairs once, or with the weights of the effective loss
    squared          diag of sum A (1 - q)^2 + B q^2   the "empirical Fisher": the mean of the squares without clip
    Hessian          diag H, negative entries as 0

by rank correlation, slope of the logarithms, and the standard deviation of their residual; of the whole run, and of its
last fifth, where the layout stands nearly still.  Only where p = q is the empirical Fisher the Fisher metric, and
UMAP's layout is not there (C37 to C39).  Clipped, the squares go with G rather than with their own mean without clip:
single close pairs decide that, and the clip ends them.  But they grow by much less than in proportion to G.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _layouts import N_MINIMA, Run, run_of
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import spearmanr

from umapinfo import Descent, Recording
from umapinfo import run as run_descent
from umapinfo.measures import (
    SquaredForcesObserver,
    effective_squared_forces,
    fisher_blocks,
    hessian,
    purported_squared_forces,
)
from umapinfo.measures.loss_weights import effective_weights, purported_weights
from umapinfo.plot import PALETTE

SIZES = {"ring": 500, "digits": N_MINIMA}
LAST = 0.2  # of the run
NAMES = {
    "fisher": "Fisher, all pairs once",
    "fisher_effective": "Fisher, effective weights",
    "squares": "squared forces, purported",
    "squares_effective": "squared forces, effective",
    "hessian": "Hessian, purported",
    "hessian_effective": "Hessian, effective",
}
WINDOWS = {"whole": "whole run", "last": "last fifth"}
LOOKS = {"ring": (PALETTE[0], "o"), "digits": (PALETTE[1], "s")}


def numbers(options: Options) -> dict[str, Any]:
    """Accumulators of two runs beside the diagonals."""
    return {name: of_run(run_of(name, options, n)) for name, n in SIZES.items()}


def of_run(given: Run) -> dict[str, Any]:
    """One run, gone through again with every epoch's forces squared."""
    n_epochs = int(given.trace.attrs["n_epochs"])
    first = int((1 - LAST) * n_epochs)
    told = Recording(epochs=range(n_epochs + 1), checkpoints=2, observers=[SquaredForcesObserver()])
    start = given.trace["layouts"]["Y"].values[0]
    trace = run_descent(given.mu, given.curve, Descent(n_epochs=n_epochs), start, told, progress=False)
    sums = squares_of(trace)
    Y = trace["layouts"]["Y"].values[-1].astype(np.float64)
    accumulators = {"whole": sums[-1].ravel(), "last": (sums[-1] - sums[first]).ravel()}
    curvatures = diagonals(given, Y)
    return {
        "n": given.mu.n_vertices,
        "same_layout": int(np.array_equal(Y, given.Y)),
        "compared": {
            window: {name: compared(sum_, curvature) for name, curvature in curvatures.items()}
            for window, sum_ in accumulators.items()
        },
        "squares_of_run": compared(accumulators["last"], expected(given, Y, n_epochs - first)),
        "points": {"accumulator": accumulators["last"], **{name: curvatures[name] for name in POINTS}},
    }


POINTS = {"fisher": (0, "."), "squares": (2, "x"), "hessian": (3, "+")}


def squares_of(trace: Any) -> NDArray[np.float64]:
    """The observer's sums at every epoch, float64[T + 1, n, d]."""
    return np.asarray(trace["vertices"]["squared_forces"].values)


def diagonals(given: Run, Y: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """What could be called curvature, by name, float64[2 n]."""
    mu, curve, descent = given.mu, given.curve, given.descent
    weights = {"": purported_weights(mu), "_effective": effective_weights(mu, descent)}
    found = {f"fisher{end}": fisher_blocks(Y, curve, weights=one).blocks for end, one in weights.items()}
    found["squares"] = purported_squared_forces(mu, Y, curve)
    found["squares_effective"] = effective_squared_forces(mu, descent, Y, curve)
    found |= {f"hessian{end}": hessian(one, Y, curve).own.blocks for end, one in weights.items()}
    return {name: np.maximum(np.diagonal(found[name], axis1=1, axis2=2).ravel(), 0) for name in NAMES}


def expected(given: Run, Y: NDArray[np.float64], n_epochs: int) -> NDArray[np.float64]:
    """The mean of the sum over so many epochs, if the layout stood still and nothing were clipped."""
    squares = effective_squared_forces(given.mu, given.descent, Y, given.curve)
    factor = 2 * n_epochs / float(given.mu.weight.max())
    return factor * np.asarray(np.diagonal(squares, axis1=1, axis2=2)).ravel()


def compared(sums: NDArray[np.float64], curvature: NDArray[np.float64]) -> dict[str, float]:
    """An accumulator beside a diagonal; logarithms where both are positive."""
    both = (sums > 0) & (curvature > 0)
    x, y = np.log(curvature[both]), np.log(sums[both])
    slope, level = np.polyfit(x, y, 1)
    return {
        "spearman": float(spearmanr(sums, curvature).statistic),
        "slope": float(slope),
        "residual": float((y - slope * x - level).std()),
        "median_ratio": float(np.exp(np.median(y - x))),
        "left_out": float(1 - both.mean()),
    }


def draw(found: Mapping[str, Any]) -> Figure:
    """The digits' accumulator against three diagonals, and how each agrees."""
    figure, axes = panels(1, 3, height=2.8)
    draw_points(found["digits"], axes[0, 0])
    draw_measure(found, axes[0, 1], "spearman")
    draw_measure(found, axes[0, 2], "slope")
    return figure


def draw_points(found: Mapping[str, Any], ax: Axes) -> None:
    """Entry by entry."""
    sums = np.array(found["points"]["accumulator"])
    for name, (color, marker) in POINTS.items():
        values = np.array(found["points"][name])
        shown = (values > 0) & (sums > 0)
        ax.plot(
            values[shown],
            sums[shown],
            marker,
            color=PALETTE[color],
            ms=2.5,
            mew=0.5,
            ls="",
            label=NAMES[name],
            rasterized=True,
        )
    ax.set(
        xscale="log", yscale="log", xlabel="diagonal entry (nats / unit$^2$)", ylabel="squared forces of the last fifth"
    )
    ax.set_ylim(top=ax.get_ylim()[1] * 8)
    ranks = {name: found["compared"]["last"][name]["spearman"] for name in NAMES}
    best = max(ranks, key=lambda name: ranks[name])
    ax.set_title(f"digits: the accumulator goes best with the\n{NAMES[best]} ({ranks[best]:.2f})", loc="left")
    ax.legend(loc="upper left")


def draw_measure(found: Mapping[str, Any], ax: Axes, key: str) -> None:
    """One measure of agreement, a row a diagonal."""
    places = np.arange(len(NAMES))[::-1]
    for shift, (name, (color, marker)) in zip((0.12, -0.12), LOOKS.items(), strict=True):
        for window, face in (("whole", "white"), ("last", color)):
            values = [found[name]["compared"][window][which][key] for which in NAMES]
            ax.plot(values, places + shift, marker, color=color, mfc=face, ms=4, label=f"{name}, {WINDOWS[window]}")
    ax.set_yticks(places, NAMES.values() if key == "spearman" else [])
    ax.grid(axis="y", color="0.9", lw=0.6)
    digits = found["digits"]["compared"]["last"]
    if key == "spearman":
        ax.set(xlabel="rank correlation with the accumulator")
        ax.set_title(
            f"digits, last fifth: {digits['fisher'][key]:.2f} with Fisher,\n"
            f"{digits['hessian'][key]:.2f} with the Hessian",
            loc="left",
        )
        ax.legend(loc="upper center", bbox_to_anchor=(0.3, -0.2), ncols=2, columnspacing=0.8)
    else:
        ax.axvline(1, color="black", lw=0.6)
        ax.set(xlabel="slope of ln accumulator on ln diagonal")
        spread = [found[name]["compared"]["last"]["fisher"]["residual"] for name in SIZES]
        ax.set_title(
            f"slope on Fisher {digits['fisher'][key]:.2f}; single entries scatter\n"
            f"about it by a factor of {np.exp(max(spread)):.1f}",
            loc="left",
        )


if __name__ == "__main__":
    study(Study("adagrad", (__doc__ or "").splitlines()[0], numbers, draw))
