"""How far does a run of UMAP go, and how far does it get?

In the Fisher-Rao metric of the layouts' similarities (`umapinfo.measures.path`): the length of the path that takes
every epoch, the chord from its start to its end, and straightness = chord / length.  A length depends on how finely the
path is looked at: taken of every k-th layout alone it goes like

    k^0       on a smooth path
    k^(-1/2)  in a diffusion
    k^(-1)    where layouts shake about one place, so that any two are as far apart as an epoch from the next.

The thermodynamic divergence, duration times the integral of the squared speed, is at least the squared thermodynamic
length, and equal at constant speed: what it has more is what a rate that falls spends unevenly.

Ring and digits, the run's own rate, which falls to 0, and a tenth of it.  On a fixed sample of pairs; radians.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _layouts import Run, run_of
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from umapinfo import Descent, epochs, initial_state
from umapinfo.measures import pair_set, path_length
from umapinfo.plot import PALETTE

SIZES = {"ring": 1000, "digits": None}
RATES = (1.0, 0.1)
STRIDES = (1, 2, 5, 10, 25, 50, 100)
N_PAIRS = 20_000
LOOKS = {"ring": PALETTE[0], "digits": PALETTE[1]}


def numbers(options: Options) -> dict[str, Any]:
    """Lengths of the runs."""
    return {name: {str(rate): of_run(run_of(name, options, n), rate) for rate in RATES} for name, n in SIZES.items()}


def of_run(run: Run, rate: float) -> dict[str, Any]:
    """One run from the start of UMAP's, at a learning rate."""
    descent = Descent(n_epochs=run.trace.attrs["n_epochs"], learning_rate=rate)
    state = initial_state(run.mu, descent, run.trace["layouts"]["Y"].values[0])
    layouts = [state.Y.copy(), *(epoch.Y.copy() for epoch in epochs(run.mu, run.curve, descent, state))]
    pairs, last = pair_set(run.mu, N_PAIRS), len(layouts) - 1
    strides = [k for k in STRIDES if k <= last / 4]
    found = {k: path_length(layouts[::k], run.curve, pairs, n_nodes=1) for k in strides}
    whole = path_length(layouts, run.curve, pairs, n_nodes=3)
    shown = np.unique(np.linspace(0, last, 26).astype(int))
    chords = [path_length([layouts[0], layouts[t]], run.curve, pairs, n_nodes=1).chord for t in shown]
    fitted = np.polyfit(np.log(strides), np.log([found[k].length for k in strides]), 1)[0]
    return {
        "n": run.mu.n_vertices,
        "n_epochs": last,
        "length": whole.length,
        "length_error": whole.length_error,
        "chord": whole.chord,
        "chord_error": whole.chord_error,
        "straightness": whole.straightness,
        "thermodynamic_length": whole.thermodynamic_length,
        "thermodynamic_excess": whole.thermodynamic_divergence / whole.thermodynamic_length**2 - 1,
        "steps": whole.steps,
        "epoch": shown,
        "length_by": np.concatenate([[0], np.cumsum(whole.steps)])[shown],
        "chord_by": chords,
        "stride": strides,
        "length_of_stride": [found[k].length for k in strides],
        "stride_exponent": float(fitted),
    }


def draw(found: Mapping[str, Any]) -> Figure:
    """Length and chord along a run, single steps, and length by stride."""
    figure, axes = panels(1, 3, height=3.3)
    draw_along(found, axes[0, 0])
    draw_steps(found, axes[0, 1])
    draw_strides(found, axes[0, 2])
    return figure


def draw_along(found: Mapping[str, Any], ax: Axes) -> None:
    """Length gone and distance from the start."""
    for name, color in LOOKS.items():
        own = found[name]["1.0"]
        ax.plot(own["epoch"][1:], own["length_by"][1:], color=color, label=f"{name}: way gone")
        ax.plot(own["epoch"][1:], own["chord_by"][1:], color=color, ls="--", label=f"{name}: distance from start")
    ax.set(xlabel="epoch", ylabel="Fisher-Rao length (radians)", yscale="log")
    ratios = {name: 1 / found[name]["1.0"]["straightness"] for name in LOOKS}
    ax.set_title(
        f"a run goes {ratios['ring']:.0f} (ring) and {ratios['digits']:.0f} (digits)\ntimes as far as it gets",
        loc="left",
    )
    ax.legend(loc="upper center", bbox_to_anchor=(0.45, -0.22), ncols=1)


def draw_steps(found: Mapping[str, Any], ax: Axes) -> None:
    """The length of each epoch, beside the learning rate."""
    for name, color in LOOKS.items():
        for rate, line in (("1.0", "-"), ("0.1", ":")):
            steps = np.array(found[name][rate]["steps"])
            shown = steps > 0  # nothing is due in the first epoch
            ax.plot(1 + np.flatnonzero(shown), steps[shown], color=color, ls=line, lw=0.8, label=f"{name}, rate {rate}")
    steps = np.array(found["digits"]["1.0"]["steps"])
    rate = 1 - np.arange(len(steps)) / len(steps)
    ax.plot(
        1 + np.arange(len(steps)),
        steps[: max(len(steps) // 10, 1)].mean() * rate,
        "k--",
        lw=0.8,
        label="the rate's fall",
    )
    ax.set(xlabel="epoch", ylabel="length of an epoch (radians)", yscale="log")
    excess = [found[name]["1.0"]["thermodynamic_excess"] for name in LOOKS]
    ax.set_title(
        f"uneven speed spends {min(excess):.0%} to {max(excess):.0%} more\nthan constant speed would", loc="left"
    )
    ax.legend(loc="upper center", bbox_to_anchor=(0.45, -0.22), ncols=2, columnspacing=0.8)


def draw_strides(found: Mapping[str, Any], ax: Axes) -> None:
    """Length of every k-th layout."""
    for name, color in LOOKS.items():
        for rate, line in (("1.0", "o-"), ("0.1", "s:")):
            own = found[name][rate]
            ax.plot(own["stride"], own["length_of_stride"], line, color=color, label=f"{name}, rate {rate}")
    own = found["digits"]["1.0"]
    stride = np.array(own["stride"], dtype=float)
    for exponent, line in ((-0.5, "k--"), (-1, "k:")):
        label = "diffusion, $k^{-1/2}$" if exponent > -1 else "shaking, $k^{-1}$"
        ax.plot(stride, 1.3 * own["length_of_stride"][0] * stride**exponent, line, lw=0.8, label=label)
    ax.set(xscale="log", yscale="log", xlabel="every $k$-th layout", ylabel="length of the path (radians)")
    exponents = [found[name]["1.0"]["stride_exponent"] for name in LOOKS]
    ax.set_title(
        f"length goes like $k$ to the {exponents[0]:.2f} (ring), {exponents[1]:.2f}\n"
        f"(digits): {kind(float(np.mean(exponents)))}",
        loc="left",
    )
    ax.legend(loc="upper center", bbox_to_anchor=(0.45, -0.22), ncols=2, columnspacing=0.8)


def kind(exponent: float) -> str:
    """The path that comes nearest to an exponent."""
    return {0: "the run is smooth", -1: "it diffuses", -2: "layouts shake about one place"}[round(2 * exponent)]


if __name__ == "__main__":
    study(Study("path_length", (__doc__ or "").splitlines()[0], numbers, draw))
