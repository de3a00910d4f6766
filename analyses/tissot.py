"""How exactly do edges say where a point is, and is that anything else than the layout's density?

The block G_ii of the Fisher metric is the information of a vertex's edges on its own place; G_ii^-1/2 is the
ellipse, as Tissot drew them on maps, within which the place would be known if the others were (one standard deviation,
Cramer and Rao's bound, the graph being drawn from the layout's own q).  Its trace is 4 pi b times the density of a
locally uniform layout: so the information is held against the density that the k nearest points in the layout show,
and against that of the data, which UMAP's rows divide out (sigma_i, the width of row i).

At UMAP's layout of all digits and of the ring these are not uniform within the reach of q, as that theorem wants:
information is the density smoothed over some layout units, wider than the clusters are, so that it goes with the
density by a power well under 1.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _layouts import Run, run_of
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from umapinfo import graph_of, neighbors
from umapinfo.measures import fisher_blocks
from umapinfo.plot import PALETTE

SIZES = {"ring": 1000, "digits": None}
K_DENSITY = 20  # points of the layout that its density is read off
N_ELLIPSES = 150  # around the vertex of median information
WIDTHS = (0.25, 0.5, 1, 2, 4)


def numbers(options: Options) -> dict[str, Any]:
    """Information at UMAP's layouts."""
    return {name: of_run(run_of(name, options, n)) for name, n in SIZES.items()}


def of_run(run: Run) -> dict[str, Any]:
    """Ellipses and densities of one layout."""
    Y, n = run.Y, run.mu.n_vertices
    own = fisher_blocks(Y, run.curve)
    listed = neighbors(Y.astype(np.float32), min(K_DENSITY + 1, n - 1)).distances.astype(np.float64)
    density = (listed.shape[1] - 1) / (np.pi * listed[:, -1] ** 2)  # unbiased in a Poisson process
    information = own.trace / (4 * np.pi * run.curve.b)
    values, vectors = np.linalg.eigh(own.blocks)
    widths = 1 / np.sqrt(values)  # descending: one standard deviation, the longer first
    root_det = np.sqrt(values.prod(axis=1)) / (2 * np.pi * run.curve.b)
    sigma = graph_of(run.trace).rows.sigma.astype(np.float64)
    middle = Y[np.argsort(information)[n // 2]]
    shown = np.argsort(((Y - middle) ** 2).sum(axis=1), kind="stable")[:N_ELLIPSES]
    return {
        "n": n,
        "information_over_density": quartiles(information / density),
        "root_det_over_density": quartiles(root_det / density),
        "spearman_density": float(spearmanr(information, density).statistic),
        "spearman_log_det": float(spearmanr(-own.log_det_inverse, density).statistic),
        "slope_density": slope(density, information),
        "spearman_sigma": float(spearmanr(information, sigma).statistic),
        "axis_ratio": quartiles(widths[:, 0] / widths[:, 1]),
        "radius_over_nearest": quartiles(np.sqrt(widths.prod(axis=1)) / np.maximum(listed[:, 0], 1e-30)),
        "n_singular": int(own.singular.sum()),
        "points": {"Y": np.round(Y, 3), "information": information, "density": density, "sigma": sigma},
        "shown": shown,
        "widths": widths[shown],
        "angle": np.degrees(np.arctan2(vectors[shown, 1, 0], vectors[shown, 0, 0])),
    }


def quartiles(x: Any) -> list[float]:
    """First, second and third."""
    return [float(value) for value in np.quantile(x, (0.25, 0.5, 0.75))]


def slope(x: Any, y: Any) -> float:
    """Of ln y on ln x."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def draw(found: Mapping[str, Any]) -> Figure:
    """Ellipses, information over density, and over the data's widths."""
    figure, axes = panels(1, 3, height=2.9)
    draw_ellipses(found["digits"], axes[0, 0])
    draw_density(found, axes[0, 1])
    draw_sigma(found, axes[0, 2])
    return figure


def draw_ellipses(found: Mapping[str, Any], ax: Axes) -> None:
    """The ellipses of some neighbouring vertices, and all points there by their information."""
    Y, information = np.array(found["points"]["Y"]), np.array(found["points"]["information"])
    dots = ax.scatter(*Y.T, c=np.log10(information), cmap="cividis", s=5, lw=0, rasterized=True)
    widths, shown = 2 * np.array(found["widths"]), found["shown"]
    ax.add_collection(
        EllipseCollection(
            *widths.T,
            found["angle"],
            units="xy",
            offsets=Y[shown],
            transOffset=ax.transData,
            facecolors="none",
            edgecolors=PALETTE[3],
            linewidths=0.5,
        )
    )
    ax.figure.colorbar(dots, ax=ax, label="log$_{10}$ tr G$_{ii}$ / 4$\\pi$b", shrink=0.8)
    low, high = np.percentile(Y[shown], (0, 100), axis=0)
    margin = 0.15 * max(high - low)
    ax.set_aspect("equal", adjustable="box")
    ax.set(xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin))
    ax.set(xlabel="layout units")
    ratio, radius = found["axis_ratio"][1], found["radius_over_nearest"][1]
    ax.set_title(
        f"digits, some: ellipses of one s.d., axes 1 : {ratio:.2g},\n"
        f"radius {radius:.2g} times the distance of the nearest point",
        loc="left",
    )


def draw_density(found: Mapping[str, Any], ax: Axes) -> None:
    """Information against the layout's density."""
    for place, name in enumerate(SIZES):
        points = found[name]["points"]
        label = f"{name}: rank correlation {found[name]['spearman_density']:.2f}"
        ax.plot(
            points["density"], points["information"], ".", color=PALETTE[place], ms=1.5, label=label, rasterized=True
        )
    low, high = (f(found["digits"]["points"]["density"]) for f in (min, max))
    ax.plot([low, high], [low, high], color="black", lw=0.8)
    ax.set(xscale="log", yscale="log", ylabel="tr G$_{ii}$ / 4$\\pi$b (points per unit area)")
    ax.set_xlabel(f"density by {K_DENSITY} neighbours in the layout")
    middle = [found[name]["information_over_density"][1] for name in SIZES]
    ax.set_title(
        f"information over 4$\\pi$b is {middle[0]:.2f} (ring) and {middle[1]:.2f}\n"
        "(digits) times the density (medians)",
        loc="left",
    )
    ax.legend(loc="upper left", markerscale=4)


def draw_sigma(found: Mapping[str, Any], ax: Axes) -> None:
    """Information against the width of the row in the data."""
    for place, name in enumerate(SIZES):
        points = found[name]["points"]
        sigma = np.array(points["sigma"])
        ax.plot(
            sigma / np.median(sigma),
            points["information"],
            ".",
            color=PALETTE[place],
            ms=1.5,
            label=name,
            rasterized=True,
        )
    ax.set(xscale="log", yscale="log", xlabel="width $\\sigma_i$ of the row / its median")
    ax.set_xticks(WIDTHS, WIDTHS)
    ax.minorticks_off()
    ax.set_ylabel("tr G$_{ii}$ / 4$\\pi$b (points per unit area)")
    ranks = [found[name]["spearman_sigma"] for name in SIZES]
    said = "it says little of" if max(map(abs, ranks)) < 0.5 else "it goes with"
    ax.set_title(
        f"{said} the data's density: rank correlation\nwith $\\sigma_i$ {ranks[0]:.2f} (ring), {ranks[1]:.2f} (digits)",
        loc="left",
    )
    ax.set_ylim(top=1.7 * ax.get_ylim()[1])
    ax.legend(loc="upper right", markerscale=4, ncols=2)


if __name__ == "__main__":
    study(Study("tissot", (__doc__ or "").splitlines()[0], numbers, draw))
