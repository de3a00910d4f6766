"""Would one more dimension help, and how much?

Give a layout's points a further coordinate z: to second order its loss moves by z' L z / 2, L the signed Laplacian of
the loss (`umapinfo.measures.laplacian`).  Negative eigenvalues of L are directions in which a third dimension lowers
the loss; a vertex of negative pressure L_ii gains by leaving the plane alone.  At a minimum the number says whether
the plane is too small.  At UMAP's layout, no minimum, it speaks of first steps.

Each is counted of the loss in question at UMAP's layout and at that loss's minimum in the plane.  From there descent
goes on in three dimensions, off the plane a little along the negative directions: what the loss falls by is what the
third dimension is worth.  (Relative to KL: the loss less what no layout can do.)
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _layouts import QUICK_STEPS, Run, layouts_of, run_of
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from umapinfo import minimise, minimiser_layout
from umapinfo.measures import (
    effective,
    effective_laplacian,
    effective_loss,
    negative_directions,
    purported,
    purported_laplacian,
    purported_loss,
)
from umapinfo.measures.laplacian import SignedLaplacian
from umapinfo.plot import PALETTE

SIZES = {"ring": 250, "square": 250, "digits": 225}
LOSSES = {"purported": PALETTE[1], "effective": PALETTE[0]}
OFF = 0.02  # how far off the plane the descent starts, root mean square, of the layout's radius


def numbers(options: Options) -> dict[str, Any]:
    """Negative directions and gains of each data set and loss."""
    return {name: of_run(run_of(name, options, n), options) for name, n in SIZES.items()}


def of_run(run: Run, options: Options) -> dict[str, Any]:
    """One data set, by loss."""
    layouts, found = layouts_of(run, options), {}
    for loss in LOSSES:
        at_umap, at_least = laplacian(run, loss, run.Y), laplacian(run, loss, layouts[loss])
        found[loss] = {
            "umap": signs(at_umap),
            "least": signs(at_least),
            "gain": gain(run, loss, layouts[loss], at_least, options),
        }
    solid = {loss: found[loss]["gain"].pop("axes") for loss in LOSSES}
    return {"n": run.mu.n_vertices, **found, "solid": np.round(solid["purported"], 4)}


def laplacian(run: Run, loss: str, Y: NDArray[Any]) -> SignedLaplacian:
    """Of a loss at a layout."""
    if loss == "purported":
        return purported_laplacian(run.mu, Y, run.curve)
    return effective_laplacian(run.mu, run.descent, Y, run.curve)


def signs(L: SignedLaplacian) -> dict[str, Any]:
    """Negative directions, pressured vertices, and how nearly the coordinates are in the kernel of L."""
    found, centred = negative_directions(L), L.layout - L.layout.mean(axis=0)
    forces = np.linalg.norm(L @ centred, axis=0) / np.linalg.norm(L.size[:, np.newaxis] * centred, axis=0)
    return {
        "negative": found.number,
        "complete": int(found.complete),
        "lowest": found.lowest,
        "pressed": float(np.mean(L.pressure < 0)),
        "kernel_residual": float(forces.max()),
    }


def gain(run: Run, loss: str, Y: NDArray[np.float64], L: SignedLaplacian, options: Options) -> dict[str, Any]:
    """What a descent in three dimensions from a minimum in two brings, nats and of KL; its layout, and third axis."""
    values, vectors = np.linalg.eigh(L.dense())
    negative = vectors[:, values < 0]
    z = negative @ np.random.default_rng(0).normal(size=negative.shape[1])
    centred = Y - Y.mean(axis=0)
    z *= OFF * np.sqrt((centred**2).sum() / max((z**2).sum(), np.finfo(float).tiny))
    target = purported(run.mu) if loss == "purported" else effective(run.mu, run.descent)
    told = {"n_steps": QUICK_STEPS if options.quick else 3000, "tolerance": 1e-8, "progress": False}
    solid = minimiser_layout(minimise(target, run.curve, np.column_stack([centred, z]), **told))
    flat_kl, kl = (kl_of(run, loss, layout) for layout in (Y, solid))
    variances, axes = np.linalg.eigh(np.cov(solid.T))
    return {
        "flat_kl": flat_kl,
        "kl": kl,
        "share": 1 - kl / flat_kl,
        "third_axis": float(variances[0] / variances.sum()),
        "axes": (solid - solid.mean(axis=0)) @ axes[:, ::-1],
    }


def kl_of(run: Run, loss: str, Y: NDArray[np.float64]) -> float:
    """The loss less its constant, nats."""
    if loss == "purported":
        return purported_loss(run.mu, Y, run.curve).kl
    return effective_loss(run.mu, run.descent, Y, run.curve).kl


def draw(found: Mapping[str, Any]) -> Figure:
    """Numbers of directions, gains, and a layout that wants to leave the plane."""
    figure, axes = panels(1, 3, height=2.8)
    draw_counts(found, axes[0, 0])
    draw_gains(found, axes[0, 1])
    draw_layout(found, axes[0, 2])
    return figure


def draw_counts(found: Mapping[str, Any], ax: Axes) -> None:
    """Negative directions as a share of all, at UMAP's layout and at the minimum."""
    places = np.arange(len(SIZES))
    for shift, (loss, color) in zip((-0.2, 0.2), LOSSES.items(), strict=True):
        umap, least = (
            np.array([found[name][loss][where]["negative"] for name in SIZES]) for where in ("umap", "least")
        )
        ax.bar(places + shift, least, 0.36, color=color, label=f"{loss}, at its least")
        ax.plot(
            places + shift, umap, "_", color="black", ms=12, mew=1.5, label="at UMAP's layout" if shift > 0 else None
        )
        for place, value in zip(places + shift, least, strict=True):
            ax.annotate(f"{value}", (place, value), (0, 2), textcoords="offset points", ha="center", fontsize=7)
    ax.set_xticks(places, [f"{name}\n(n = {found[name]['n']})" for name in SIZES])
    ax.set(ylabel="negative eigenvalues of L", ylim=(0, 1.45 * max(ax.get_ylim()[1], 1)))
    counts = [found["digits"][loss]["least"]["negative"] for loss in LOSSES]
    ax.set_title(
        f"digits: {counts[0]} directions out of the plane lower the\nleast purported loss, {counts[1]} the effective",
        loc="left",
    )
    ax.legend(loc="upper left")


def draw_gains(found: Mapping[str, Any], ax: Axes) -> None:
    """By how much."""
    places = np.arange(len(SIZES))
    for shift, (loss, color) in zip((-0.2, 0.2), LOSSES.items(), strict=True):
        values = [100 * found[name][loss]["gain"]["share"] for name in SIZES]
        ax.bar(places + shift, values, 0.36, color=color, label=loss)
        for place, value in zip(places + shift, values, strict=True):
            ax.annotate(
                f"{value:.2g}" if value >= 0.01 else "0.00",
                (place, value),
                (0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=7,
            )
    ax.set_xticks(places, SIZES)
    ax.set(ylabel="fall of KL in three dimensions (%)", ylim=(0, 1.25 * ax.get_ylim()[1]))
    worth = [found["digits"][loss]["gain"]["share"] for loss in LOSSES]
    ax.set_title(
        f"a third dimension is worth {worth[0]:.1%} of the\ndigits' purported KL, {worth[1]:.1%} of the effective",
        loc="left",
    )
    ax.legend(loc="upper left")


def draw_layout(found: Mapping[str, Any], ax: Axes) -> None:
    """The digits in three dimensions, purported loss: along the first two axes, coloured by the third."""
    x, y, z = np.array(found["digits"]["solid"]).T
    most = abs(z).max()
    dots = ax.scatter(x, y, c=z, cmap="PuOr", vmin=-most, vmax=most, s=9, lw=0.3, edgecolors="0.3", rasterized=True)
    ax.figure.colorbar(dots, ax=ax, label="third axis (layout units)", shrink=0.8)
    ax.set_aspect("equal", adjustable="datalim")
    ax.set(xticks=[], yticks=[])
    share = found["digits"]["purported"]["gain"]["third_axis"]
    pressed = found["digits"]["purported"]["least"]["pressed"]
    ax.set_title(
        f"digits, purported loss: the third axis gets {share:.1%} of\n"
        f"the variance; {pressed:.0%} of the points gain alone",
        loc="left",
    )


if __name__ == "__main__":
    study(Study("out_of_plane", (__doc__ or "").splitlines()[0], numbers, draw))
