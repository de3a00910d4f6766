"""How many numbers of a layout do its edge probabilities pin down, and which not?

Eigenvalues of the Fisher metric G of a layout, nats / layout unit^2: a move along an eigenvector by 1 / sqrt(lambda)
changes what the layout says of its edges by 1/2 nat.  G does not feel rigid motions: three eigenvalues are 0.  Beside
the spectrum stand effective numbers of directions (`umapinfo.measures.spectrum`): the exponential of the entropy of
lambda / tr G, the participation ratio (tr G)^2 / tr G^2, and tr G (G + r)^-1 for a ridge r: of UMAP's start, of its
layout and of the minima of both losses.

All eigenvalues of small runs, by which the rule of Lanczos's quadrature is checked; all digits by that rule alone.
--full adds MNIST.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _layouts import N_MINIMA, Run, layouts_of, run_of
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from umapinfo.measures import fisher_metric, rigid_motions, smallest_eigenvalues, spectral_density
from umapinfo.measures.spectrum import Spectrum
from umapinfo.plot import PALETTE

SIZES = {"ring": 500, "digits": N_MINIMA}
RIDGES = tuple(10.0 ** np.arange(-2, 4.01, 0.5))
NULL = 1e-10  # of the largest eigenvalue: rounding
N_SOFT = 3
LOOKS = {
    "start": ("UMAP's start", "0.5", ":"),
    "umap": ("UMAP", PALETTE[0], "-"),
    "effective": ("least effective loss", PALETTE[3], "--"),
    "purported": ("least purported loss", PALETTE[4], "-."),
}


def numbers(options: Options) -> dict[str, Any]:
    """Spectra of small runs exactly, of the large ones by quadrature."""
    runs = {name: run_of(name, options, n) for name, n in SIZES.items()}
    large = ("digits", "mnist") if options.full else ("digits",)
    return {
        "exact": {
            name: {which: exact(run, Y) for which, Y in named(run, options).items()} for name, run in runs.items()
        },
        "rule": rule_errors(runs["digits"]),
        "large": {name: summary(by_rule(run_of(name, options))) for name in large},
        "soft": soft(runs["digits"]),
        "ridges": RIDGES,
    }


def named(run: Run, options: Options) -> dict[str, NDArray[Any]]:
    """Layouts of a run by name; minima of the digits alone."""
    start = {"start": run.trace["layouts"]["Y"].values[0]}
    return start | (layouts_of(run, options) if run.name == "digits" else {"umap": run.Y})


def exact(run: Run, Y: NDArray[Any]) -> dict[str, Any]:
    """All eigenvalues of a layout's metric."""
    found = spectral_density(fisher_metric(Y, run.curve), exact=True)
    return {**summary(found), "eigenvalues": found.nodes}


def summary(found: Spectrum) -> dict[str, Any]:
    """A spectrum in effective numbers, as shares of all its directions."""
    return {
        "order": found.order,
        "null": round(found.count_below(NULL * found.nodes[-1])) if found.exact else None,
        "trace": found.trace(found.nodes),
        "largest": float(found.nodes[-1]),
        "median": float(found.nodes[np.searchsorted(np.cumsum(found.weights), 0.5)]),
        "effective_rank": found.effective_rank / found.order,
        "participation": found.participation_ratio / found.order,
        "effective_dof": [found.effective_dof(ridge) / found.order for ridge in RIDGES],
    }


def by_rule(run: Run) -> Spectrum:
    """By Lanczos's quadrature."""
    return spectral_density(fisher_metric(run.Y, run.curve), n_steps=60, n_probes=2, exact=False)


def rule_errors(run: Run) -> dict[str, float]:
    """What the rule is off, of UMAP's layout: relative, or as shares of all directions."""
    told, true = summary(by_rule(run)), exact(run, run.Y)
    found = {name: told[name] / true[name] - 1 for name in ("trace", "largest", "effective_rank", "participation")}
    gaps = np.abs(np.array(told["effective_dof"]) - true["effective_dof"])
    return {**found, "effective_dof": float(gaps.max())}


def soft(run: Run) -> dict[str, Any]:
    """The softest modes of UMAP's layout that are no rigid motion."""
    G = fisher_metric(run.Y, run.curve)
    found = smallest_eigenvalues(G, N_SOFT, apart_from=rigid_motions(run.Y), blocks=G.own.blocks)
    mode = found.vectors[:, 0].reshape(run.Y.shape)
    sizes = (mode**2).sum(axis=1)
    return {
        "values": found.values,
        "residual": float(found.residuals.max()),
        "n_moved": float(1 / (sizes**2).sum()),
        "Y": np.round(run.Y, 3),
        "mode": np.round(mode / np.sqrt(sizes.max()), 3),
    }


def draw(found: Mapping[str, Any]) -> Figure:
    """Eigenvalues, effective degrees of freedom, and the softest mode."""
    figure, axes = panels(1, 3, height=2.8)
    draw_values(found, axes[0, 0])
    draw_dof(found, axes[0, 1])
    draw_soft(found["soft"], axes[0, 2])
    return figure


def draw_values(found: Mapping[str, Any], ax: Axes) -> None:
    """All eigenvalues but the null ones, in falling order."""
    for which, (label, color, line) in LOOKS.items():
        own = found["exact"]["digits"][which]
        values = np.array(own["eigenvalues"])[own["null"] :][::-1]
        ax.plot(np.arange(1, len(values) + 1) / own["order"], values, color=color, ls=line, label=label)
    umap = found["exact"]["digits"]["umap"]
    ax.set(yscale="log", xlabel="share of the directions", ylabel="eigenvalue of G (nats / unit$^2$)")
    ax.set_title(
        f"digits, UMAP: {umap['null']} of {umap['order']} eigenvalues are 0,\n"
        f"the others as many as {umap['effective_rank']:.0%} equal ones",
        loc="left",
    )
    ax.legend(loc="lower left")


def draw_dof(found: Mapping[str, Any], ax: Axes) -> None:
    """Effective degrees of freedom over the ridge."""
    for which, (label, color, line) in LOOKS.items():
        ax.plot(found["ridges"], found["exact"]["digits"][which]["effective_dof"], color=color, ls=line, label=label)
    ring, large = found["exact"]["ring"]["umap"], found["large"]["digits"]
    ax.plot(
        found["ridges"],
        ring["effective_dof"],
        "s",
        color="black",
        mfc="none",
        ms=3,
        label=f"UMAP, {ring['order'] // 2} of a ring",
    )
    ax.plot(found["ridges"], large["effective_dof"], "o", color=PALETTE[0], label=f"UMAP, {large['order'] // 2} digits")
    ax.set(xscale="log", xlabel="ridge $r$ (nats / unit$^2$)", ylabel="tr G (G + $r$)$^{-1}$ / 2n", ylim=(0, 1.02))
    umap = found["exact"]["digits"]["umap"]
    ax.set_title(
        f"effective rank of UMAP's layouts: {umap['effective_rank']:.0%} ({umap['order'] // 2} digits),\n"
        f"{large['effective_rank']:.0%} ({large['order'] // 2} digits), {ring['effective_rank']:.0%} (ring)",
        loc="left",
    )
    ax.legend(loc="lower left", fontsize=6.5)


def draw_soft(found: Mapping[str, Any], ax: Axes) -> None:
    """The softest mode as arrows."""
    Y, mode = np.array(found["Y"]), np.array(found["mode"])
    ax.plot(*Y.T, ".", color="0.75", ms=2)
    length = 0.15 * np.ptp(Y, axis=0).max()
    ax.quiver(*Y.T, *(length * mode).T, color=PALETTE[1], angles="xy", scale_units="xy", scale=1, width=0.004)
    ax.set_aspect("equal", adjustable="datalim")
    ax.set(xticks=[], yticks=[])
    ax.set_title(
        f"digits, UMAP: softest mode, {found['values'][0]:.2g} nats / unit$^2$,\n"
        f"shared by about {found['n_moved']:.0f} points",
        loc="left",
    )


if __name__ == "__main__":
    study(Study("spectrum", (__doc__ or "").splitlines()[0], numbers, draw, full=True))
