"""How far is a layout from every minimum of UMAP's losses, and on which side: a ruler for any layout.

At each stationary layout of a loss, attraction and repulsion of its virial are equal (`umapinfo.measures.balance`):

    Gamma          attraction / repulsion           1 at those of the effective loss; 1/2 where half of its repulsion
                                                    acts, as a negative sample pushes its head alone
    mass ratio     sum q / sum p                    1 at those of the paper's loss
    gamma_eff      sum mu (1 - q) / sum q           the weight of repulsion, one for all pairs, that would balance the
                                                    layout: m_eff = gamma_eff n / mean degree negative samples

The numbers need a graph and a layout, whoever made it.  Those of one graph of 450 digits (k = 15) are compared: two
principal components, UMAP's start, t-SNE, runs of umap-learn's random numbers (with which the descent is umap-learn's
to the bit, as tests show), sequential, blocked, and with tails pushed too (three seeds each), and the minima of both
losses.  Each is read at its own scale, and at the scale at which the effective loss is least.

Clip and softening keep the runs a little off 1/2 and 1.
"""

from collections.abc import Mapping
from typing import Any

from _layouts import N_MINIMA, Run, layouts_of, run_of
from _runs import Problem, last_layout
from _script import SEED
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from umapinfo import Descent
from umapinfo.datasets import load
from umapinfo.measures import dilated, effective, effective_balance, effective_loss, layout_diameter
from umapinfo.plot import PALETTE

N_SEEDS = 3
RUNS: dict[str, dict[str, Any]] = {
    "umap_learn": {"streams": "umap"},
    "sequential": {},
    "blocked": {"order": "blocked"},
    "push_tail": {"push_tail": True},
}
NAMES = {
    "pca": "principal components",
    "start": "UMAP's start",
    "tsne": "t-SNE",
    "umap_learn": "UMAP, its random numbers",
    "sequential": "UMAP, sequential",
    "blocked": "UMAP, blocked",
    "push_tail": "UMAP, tails pushed too",
    "effective": "least effective loss",
    "purported": "least purported loss",
}
KINDS = {"push_tail": 2, "effective": 3, "purported": 4} | dict.fromkeys(("pca", "start", "tsne"), 7)


def numbers(options: Options) -> dict[str, Any]:
    """The readings of all layouts, a list over seeds each."""
    run = run_of("digits", options, N_MINIMA)
    degree = float(run.mu.degree.mean())
    found = {which: [reading(run, Y) for Y in layouts] for which, layouts in all_layouts(run, options).items()}
    return {
        "n": run.mu.n_vertices,
        "mean_degree": degree,
        "m_neg": run.descent.negative_sample_rate,
        "layouts": {which: {key: [one[key] for one in seeds] for key in seeds[0]} for which, seeds in found.items()},
    }


def all_layouts(run: Run, options: Options) -> dict[str, list[NDArray[Any]]]:
    """Layouts of one graph by name."""
    X = load("digits", seed=SEED, n=run.mu.n_vertices).X
    start, n_epochs = run.trace["layouts"]["Y"].values[0], int(run.trace.attrs["n_epochs"])
    given, minima = Problem(X, run.mu, start, n_epochs), layouts_of(run, options)
    runs = {
        kind: [
            last_layout(f"digits-{kind}", given, Descent(n_epochs=n_epochs, seed=seed, **settings), options.traces)
            for seed in range(N_SEEDS)
        ]
        for kind, settings in RUNS.items()
    }
    others = {
        "pca": [PCA(2, random_state=0).fit_transform(X)],
        "start": [start],
        "tsne": [TSNE(random_state=0, init="pca", n_jobs=1).fit_transform(X)],
    }
    return others | runs | {which: [minima[which]] for which in ("effective", "purported")}


def reading(run: Run, Y: NDArray[Any]) -> dict[str, float]:
    """Of one layout, at its own scale and at the best for the effective loss."""
    own = effective_balance(run.mu, run.descent, Y, run.curve)
    rescaled = dilated(effective(run.mu, run.descent), run.curve, Y)
    best = effective_balance(run.mu, run.descent, rescaled, run.curve)
    gamma_eff, gamma, mass_ratio = own.gamma_eff, own.virial_ratio, own.mass_ratio
    return {
        "gamma": gamma or 0.0,
        "mass_ratio": mass_ratio or 0.0,
        "gamma_eff": gamma_eff or 0.0,
        "m_eff": (gamma_eff or 0.0) * run.mu.n_vertices / float(run.mu.degree.mean()),
        "diameter": layout_diameter(Y),
        "effective_kl": effective_loss(run.mu, run.descent, Y, run.curve).kl,
        "best_scale": layout_diameter(rescaled) / layout_diameter(Y),
        "best_scale_mass_ratio": best.mass_ratio or 0.0,
        "best_scale_effective_kl": effective_loss(run.mu, run.descent, rescaled, run.curve).kl,
    }


def draw(found: Mapping[str, Any]) -> Figure:
    """Gamma, and the mass ratio."""
    figure, axes = panels(1, 2, height=2.9)
    draw_gamma(found, axes[0, 0])
    draw_mass(found, axes[0, 1])
    return figure


def dots(found: Mapping[str, Any], ax: Axes, key: str, marker: str, **how: Any) -> None:
    """A row a layout, a dot a seed."""
    for place, which in enumerate(reversed(NAMES)):
        values = found["layouts"][which][key]
        color = PALETTE[KINDS.get(which, 0)]
        ax.plot(values, [place] * len(values), marker, color=color, ls="", ms=4, **how)
    ax.set_yticks(range(len(NAMES)), list(reversed(NAMES.values())))
    ax.set(xscale="log", ylim=(-0.6, len(NAMES) - 0.4))
    ax.grid(axis="y", color="0.9", lw=0.6)


def draw_gamma(found: Mapping[str, Any], ax: Axes) -> None:
    """The virial ratio, with what a stationary layout has."""
    for value in (0.5, 1):
        ax.axvline(value, color="black", lw=0.6, ls=":" if value < 1 else "-")
    dots(found, ax, "gamma", "o", mfc="none")
    heads = [value for which in list(RUNS)[:3] for value in found["layouts"][which]["gamma"]]
    tails = found["layouts"]["push_tail"]["gamma"]
    ax.set(xlabel="attraction / repulsion ($\\Gamma$)")
    ax.set_title(f"runs of UMAP end at $\\Gamma$ = {span(heads)},\nwith tails pushed too at {span(tails)}", loc="left")


def draw_mass(found: Mapping[str, Any], ax: Axes) -> None:
    """The mass ratio, at the layout's scale and at the best."""
    ax.axvline(1, color="black", lw=0.6)
    dots(found, ax, "best_scale_mass_ratio", "o")
    dots(found, ax, "mass_ratio", "o", mfc="white")
    ax.plot([], [], "o", color="0.4", mfc="white", label="own scale")
    ax.plot([], [], "o", color="0.4", label="scale of least effective loss")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, handletextpad=0)
    ax.tick_params(labelleft=False)
    runs = [value for which in list(RUNS)[:3] for value in found["layouts"][which]["mass_ratio"]]
    least = found["layouts"]["purported"]["mass_ratio"]
    ax.set(xlabel="edges in the layout / edges in the graph")
    ax.set_title(
        f"UMAP promises {span(runs, 0)} times the edges there are,\nthe least purported loss {span(least)} times",
        loc="left",
    )


def span(values: Any, digits: int = 2) -> str:
    """Least and largest, or the one number that both are in print."""
    low, high = (f"{value:.{digits}f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


if __name__ == "__main__":
    study(Study("virial", (__doc__ or "").splitlines()[0], numbers, draw))
