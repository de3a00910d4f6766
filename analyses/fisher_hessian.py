"""When is the Fisher metric of a layout the Hessian of its loss, and what is it a measure of?

Of a loss sum A softplus(-theta) + B softplus(theta), H = G + residual, and the residual is 0 where p = q (C37).  How
large it is, of either loss with its own G: |H - G| / |G| and the cosine of G and H (Frobenius norms) along UMAP's run
and at the minima of both losses.  Along a run few close pairs decide these, as the residual of a pair goes like 1 / d^2
and g does not: so the median over vertices of |H_ii - G_ii| / |G_ii| is drawn.  Whatever the residual, in the plane
tr H_ii = tr G_ii for every vertex, layout and graph, as ln d is harmonic there.

For a layout of density rho around a vertex tr G_ii is 4 pi b rho in the mean, whatever a is: information is density.
Uniform discs of a few densities: vertices at least 5 from the edge, and how single ones scatter, as the points near
them are few: relatively like 1 / sqrt(rho).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _layouts import N_MINIMA, Run, layouts_of, run_of
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from umapinfo import Curve, fit_curve
from umapinfo.measures import alignment, fisher_blocks, fisher_metric, hessian
from umapinfo.measures.loss_weights import effective_weights, purported_weights
from umapinfo.measures.spectrum import dense
from umapinfo.plot import PALETTE

SIZES = {"ring": 500, "digits": N_MINIMA}  # of which all of H is computed
DENSITIES, N_DISC, FROM_EDGE = (3, 10, 30), 20_000, 5.0  # points per unit area; points; layout units
LOSSES = {"purported": (PALETTE[1], "s"), "effective": (PALETTE[0], "o")}
DASHES = {"ring": "--", "digits": "-"}


def numbers(options: Options) -> dict[str, Any]:
    """Discs; Fisher metric and Hessian along runs and at minima."""
    n, densities = (2000, (3, 10)) if options.quick else (N_DISC, DENSITIES)
    curve = fit_curve()
    return {
        "discs": {str(density): disc(n, density, curve) for density in densities},
        "n_disc": n,
        "from_edge": FROM_EDGE,
        "runs": {name: of_run(run_of(name, options, n), name == "digits", options) for name, n in SIZES.items()},
    }


def disc(n: int, density: float, curve: Curve) -> dict[str, Any]:
    """Information at vertices of a uniform disc, over 4 pi b rho: by depth, and well inside."""
    random, edge = np.random.default_rng(0), float(np.sqrt(n / (np.pi * density)))
    radius, angle = edge * np.sqrt(random.uniform(size=n)), random.uniform(0, 2 * np.pi, n)
    Y = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    own = fisher_blocks(Y, curve)
    share, depth = own.trace / (4 * np.pi * curve.b * density), edge - radius
    inside = share[depth >= FROM_EDGE]
    root = np.sqrt(np.linalg.det(own.blocks[depth >= FROM_EDGE])) / (2 * np.pi * curve.b * density)
    bins = np.arange(0, FROM_EDGE + 3, 0.5)
    place = np.digitize(depth, bins)
    shown = [share[place == k] for k in range(1, len(bins))]
    return {
        "n_inside": len(inside),
        "mean": float(inside.mean()),
        "root_det_mean": float(root.mean()),
        "scatter": float(inside.std() / inside.mean() * np.sqrt(density)),
        "depth": [float(left) + 0.25 for left, one in zip(bins, shown, strict=False) if len(one)],
        "mean_at_depth": [float(one.mean()) for one in shown if len(one)],
        "deviation_at_depth": [float(one.std()) for one in shown if len(one)],
        "error": own.error,
    }


def of_run(run: Run, with_minima: bool, options: Options) -> dict[str, Any]:
    """Along the recorded epochs of a run, and at the minima of its losses."""
    layouts = run.trace["layouts"].to_dataset()
    found: dict[str, Any] = {"n": run.mu.n_vertices, "epoch": run.trace["epochs"]["epoch"].values}
    minima = layouts_of(run, options) if with_minima else {}
    for name in LOSSES:
        along = [compared(run, name, Y.astype(np.float64)) for Y in layouts["Y"].values]
        found[name] = {key: [one[key] for one in along] for key in along[0]}
        found[name]["minimum"] = compared(run, name, minima[name]) if with_minima else None
    return found


def compared(run: Run, loss: str, Y: NDArray[np.float64]) -> dict[str, float]:
    """Fisher metric and Hessian of a loss at a layout."""
    weights = purported_weights(run.mu) if loss == "purported" else effective_weights(run.mu, run.descent)
    G, H = fisher_metric(Y, run.curve, weights=weights), hessian(weights, Y, run.curve)
    near, eigenvalues = alignment(H, G), np.linalg.eigvalsh(dense(H))
    sizes = np.linalg.norm(G.own.blocks, axis=(1, 2))
    return {
        "residual": near.residual,
        "cosine": near.cosine,
        "median_block": float(np.median(np.linalg.norm(H.own.blocks - G.own.blocks, axis=(1, 2)) / sizes)),
        "negative_eigenvalues": int((eigenvalues < -1e-9 * eigenvalues[-1]).sum()),
        "trace_gap": float(np.abs(H.own.trace / G.own.trace - 1).max()),
    }


def draw(found: Mapping[str, Any]) -> Figure:
    """Above discs, below the runs."""
    figure, axes = panels(2, 2, height=2.7)
    draw_depth(found, axes[0, 0])
    draw_scatter(found, axes[0, 1])
    draw_along(found, axes[1, 0], "median_block")
    draw_along(found, axes[1, 1], "cosine")
    return figure


def draw_depth(found: Mapping[str, Any], ax: Axes) -> None:
    """Information over 4 pi b rho by depth, mean and standard deviation."""
    for color, (density, of_disc) in zip(
        PALETTE, sorted(found["discs"].items(), key=lambda x: int(x[0])), strict=False
    ):
        depth, mean, sd = (np.array(of_disc[key]) for key in ("depth", "mean_at_depth", "deviation_at_depth"))
        ax.plot(depth, mean, color=color, label=f"$\\rho$ = {density}")
        ax.fill_between(depth, mean - sd, mean + sd, color=color, alpha=0.2, lw=0)
    ax.axhline(1, color="black", lw=0.6)
    ax.axvline(found["from_edge"], color="black", lw=0.6, ls=":")
    ax.set(xlabel="depth under the disc's edge (layout units)", ylabel="tr G$_{ii}$ / 4$\\pi$b$\\rho$", ylim=(0, 2))
    means = [of_disc["mean"] for of_disc in found["discs"].values()]
    ax.set_title(
        f"information is density: from {found['from_edge']:g} under the edge\n"
        f"it is {min(means):.3f} to {max(means):.3f} of 4$\\pi$b$\\rho$ in the mean",
        loc="left",
    )
    ax.legend(loc="lower right")


def draw_scatter(found: Mapping[str, Any], ax: Axes) -> None:
    """Relative standard deviation of single vertices over the density."""
    pairs = sorted((int(density), of_disc["scatter"]) for density, of_disc in found["discs"].items())
    density, scatter = (np.array(values) for values in zip(*pairs, strict=True))
    ax.plot(density, scatter / np.sqrt(density), "o", color=PALETTE[0], label="vertices of the discs")
    typical = float(np.exp(np.log(scatter).mean()))
    line = np.array([density.min() / 1.5, density.max() * 1.5])
    ax.plot(line, typical / np.sqrt(line), color="black", lw=0.8, label=f"{typical:.2f} / $\\sqrt{{\\rho}}$")
    ax.set(
        xscale="log", yscale="log", xlabel="density $\\rho$ (points per unit area)", ylabel="s.d. / mean of tr G$_{ii}$"
    )
    ax.set_xticks(density, density)
    ax.minorticks_off()
    ax.set_yticks(scatter / np.sqrt(density), [f"{value:.2g}" for value in scatter / np.sqrt(density)])
    ax.set_title(
        f"single vertices scatter by {scatter.min():.2f} to {scatter.max():.2f}\nover the root of the density",
        loc="left",
    )
    ax.legend(loc="upper right")


def draw_along(found: Mapping[str, Any], ax: Axes, key: str) -> None:
    """One measure of nearness along the runs and at the minima."""
    for loss, (color, marker) in LOSSES.items():
        for name, of_one in found["runs"].items():
            ax.plot(of_one["epoch"], of_one[loss][key], color=color, ls=DASHES[name], label=f"{loss}, {name}")
            if of_one[loss]["minimum"]:
                end = 1.08 * of_one["epoch"][-1]
                ax.plot(end, of_one[loss]["minimum"][key], marker, color=color, ms=5, label=f"its least, {name}")
    ax.set(xlabel="epoch")
    own = {loss: found["runs"]["digits"][loss] for loss in LOSSES}
    if key == "median_block":
        ax.set(yscale="log", ylabel="median of |H$_{ii}$ $-$ G$_{ii}$| / |G$_{ii}$|")
        ax.set_title(
            f"digits: in the end the median vertex's H$_{{ii}}$ is off\n"
            f"by {own['purported'][key][-1]:.2g} |G$_{{ii}}$| (purported), {own['effective'][key][-1]:.2g} (effective)",
            loc="left",
        )
        ax.legend(loc="best", ncols=2, fontsize=6, columnspacing=0.8)
    else:
        ax.set(ylabel="cosine of G and H", ylim=(min(0.0, ax.get_ylim()[0]), 1.03))
        least = {loss: of_one["minimum"][key] for loss, of_one in own.items()}
        ax.set_title(
            f"at the least purported loss the cosine is {least['purported']:.2f},\n"
            f"at the least effective loss {least['effective']:.2f}",
            loc="left",
        )


if __name__ == "__main__":
    study(Study("fisher_hessian", (__doc__ or "").splitlines()[0], numbers, draw))
