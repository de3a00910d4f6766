"""How much of UMAP's misfit to its paper's loss is two numbers, a and b, that fit the layout's scale badly?

The loss at UMAP's layout, as KL over the unordered pairs, is exactly the sum of

    residual         KL(p || q*)      what the layout leaves at the best curve for it, theta = alpha + beta ln d
    miscalibration   KL(q* || q_Y)    what the layout's own a and b are off at this scale

The residual does not change when the layout is scaled.  Beside them stands the KL of one probability for all pairs, a
random graph of Erdos and Renyi's: pseudo-R2 = 1 - KL / that, raw of q_Y and calibrated of q*, which is in [0, 1].  Bits
per vertex: what the calibrated layout tells of the graph beyond its number of edges.

UMAP's runs on the ring and on random subsets of the digits, of several n; of 450 digits other layouts too, among them
the minima of both losses.  --full adds MNIST's subsets, pendigits and the mammoth.

Most of UMAP's loss is miscalibration, the more of it the more points there are; calibrated, its layouts are nearly as
good as those of least loss.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _layouts import N_MINIMA, Run, layouts_of, run_of
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from umapinfo import Curve, fit_curve
from umapinfo.datasets import load
from umapinfo.measures import calibrate
from umapinfo.measures.calibration import Calibration
from umapinfo.plot import PALETTE

SIZES: dict[str, tuple[int | None, ...]] = {"ring": (250, 500, 1000, 2000), "digits": (225, 450, 900, None)}
FULL: dict[str, tuple[int | None, ...]] = {
    "mnist": (1000, 4000, 16000, None),
    "pendigits": (None,),
    "mammoth": (None,),
}
N_TICKS = (250, 1000, 4000, 16_000, 64_000)
TICKS = (-100, -10, -3, -1, 0, 1)
R2 = ("pseudo_r2", "calibrated_pseudo_r2")
LOOKS = {
    "ring": (PALETTE[0], "o"),
    "digits": (PALETTE[1], "s"),
    "mnist": (PALETTE[2], "^"),
    "pendigits": (PALETTE[3], "D"),
    "mammoth": (PALETTE[4], "v"),
}
NAMES = {
    "start": "UMAP's start",
    "pca": "two principal\ncomponents",
    "umap": "UMAP",
    "effective": "least effective\nloss",
    "purported": "least purported\nloss",
}


def numbers(options: Options) -> dict[str, Any]:
    """Calibration of UMAP's layouts along n, and of several layouts of the digits."""
    sizes = dict.fromkeys(SIZES, (100, None)) if options.quick else dict(SIZES)
    sizes |= FULL if options.full else {}
    found = {name: [calibrated(run_of(name, options, n)) for n in of_name] for name, of_name in sizes.items()}
    return {
        "along": {name: [parts(one) for one in of_name] for name, of_name in found.items()},
        "reliability": {name: reliability(of_name[-1]) for name, of_name in found.items()},
        "layouts": of_digits(options),
        "half_at": half_at(fit_curve()),
    }


def calibrated(run: Run) -> Calibration:
    """UMAP's layout."""
    return calibrate(run.mu, run.Y, run.curve)


def of_digits(options: Options) -> dict[str, Any]:
    """Several layouts of one graph."""
    run = run_of("digits", options, N_MINIMA)
    X = load("digits", seed=3, n=run.mu.n_vertices).X
    start = run.trace["layouts"]["Y"].values[0]
    layouts = {"start": start, "pca": PCA(2, random_state=0).fit_transform(X), **layouts_of(run, options)}
    return {which: parts(calibrate(run.mu, layouts[which], run.curve)) for which in NAMES}


def parts(found: Calibration) -> dict[str, Any]:
    """A calibration in single numbers; nats unless said otherwise."""
    names = ("kl", "entropy", "residual", "miscalibration", "constant", "explained", "pseudo_r2")
    names += ("calibrated_pseudo_r2", "bits_per_vertex", "class_error")
    curve = found.curve
    return {
        "n": found.n_vertices,
        **{name: getattr(found, name) for name in names},
        "share": found.miscalibration / found.kl,
        **({} if curve is None else {"a": curve.a, "b": curve.b, "half_at": half_at(curve)}),
    }


def half_at(curve: Curve) -> float:
    """The distance at which q is 1/2, layout units."""
    return float(curve.a ** (-1 / (2 * curve.b)))


def reliability(found: Calibration) -> dict[str, Any]:
    """Means of p and q in bins of the distance."""
    return found.reliability._asdict()


def draw(found: Mapping[str, Any]) -> Figure:
    """Above along n, below the largest layouts bin by bin, and the digits' layouts."""
    figure, axes = panels(2, 2, height=2.7)
    for drawing, ax in zip((draw_shares, draw_r2, draw_reliability, draw_layouts), axes.ravel(), strict=True):
        drawing(found, ax)
    return figure


def along(found: Mapping[str, Any], ax: Axes, key: str, **how: Any) -> None:
    """One quantity along n, a line a data set."""
    for name, of_name in found["along"].items():
        color, marker = LOOKS[name]
        values = [one[key] for one in of_name]
        ax.plot([one["n"] for one in of_name], values, marker, color=color, **{"ls": "-", "label": name, **how})
    ax.set(xscale="log", xlabel="number of points n")
    most = max(of_name[-1]["n"] for of_name in found["along"].values())
    shown = [n for n in N_TICKS if n <= most]
    ax.set_xticks(shown, [f"{n:,}" for n in shown])
    ax.minorticks_off()


def draw_shares(found: Mapping[str, Any], ax: Axes) -> None:
    """What part of KL is miscalibration."""
    along(found, ax, "share")
    shares = [one["share"] for of_name in found["along"].values() for one in of_name]
    ax.set(ylabel="miscalibration / KL(p || q)", ylim=(0, 1.02))
    ax.set_title(
        f"{min(shares):.0%} to {max(shares):.0%} of UMAP's KL is\nmiscalibration of two numbers, a and b", loc="left"
    )
    ax.legend(loc="lower right")


def draw_r2(found: Mapping[str, Any], ax: Axes) -> None:
    """Pseudo-R2, raw and calibrated."""
    along(found, ax, "pseudo_r2", ls=":", mfc="white", label=None)
    along(found, ax, "calibrated_pseudo_r2")
    ax.plot([], [], "o:", color="0.4", mfc="white", label="raw")
    ax.plot([], [], "o-", color="0.4", label="calibrated")
    ax.axhline(0, color="black", lw=0.6)
    ax.set_yscale("symlog", linthresh=1)
    ax.set_yticks(TICKS, TICKS)
    raw, better = ([one[key] for of_name in found["along"].values() for one in of_name] for key in R2)
    ax.set(ylabel="pseudo-R$^2$", ylim=(min(1.6 * min(raw), -0.3), 1.2))
    ax.set_title(
        f"raw, {sum(value < 0 for value in raw)} of {len(raw)} layouts do worse than one\n"
        f"q for all pairs; calibrated {min(better):.2f} to {max(better):.2f}",
        loc="left",
    )
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[-2:], labels[-2:], loc="lower left")


def draw_reliability(found: Mapping[str, Any], ax: Axes) -> None:
    """Mean p of the pairs in a bin of the distance against their mean q."""
    excess = {}
    for name, bins in found["reliability"].items():
        color, marker = LOOKS[name]
        p, q, best = (np.array(bins[key]) for key in ("p", "q", "calibrated"))
        shown = p > 0
        ax.plot(q[shown], p[shown], marker, color=color, ls=":", mfc="white", ms=2.5, label=None)
        ax.plot(best[shown], p[shown], marker, color=color, ls="-", ms=2.5, label=name)
        pairs = np.array(bins["n_pairs"])
        excess[name] = float((pairs * q).sum() / (pairs * p).sum())
    ax.plot([1e-6, 1], [1e-6, 1], color="black", lw=0.6)
    ax.set(xscale="log", yscale="log", xlabel="mean q of pairs at one distance", ylabel="mean p of the same pairs")
    ax.set(xlim=(1e-6, 1.5), ylim=(1e-6, 1.5))
    ax.set_title(
        f"q promises {min(excess.values()):.0f} to {max(excess.values()):.0f} times the edges there are;\n"
        "with the best a and b, the number there are",
        loc="left",
    )
    ax.legend(loc="upper left")


def draw_layouts(found: Mapping[str, Any], ax: Axes) -> None:
    """Raw and calibrated pseudo-R2 of several layouts of one graph."""
    places = np.arange(len(NAMES))[::-1]
    values = {key: np.array([found["layouts"][which][key] for which in NAMES]) for key in R2}
    for place, raw, better in zip(places, *values.values(), strict=True):
        ax.plot([raw, better], [place, place], color="0.7", lw=1)
    ax.plot(values["pseudo_r2"], places, "o", color=PALETTE[1], mfc="white", label="raw")
    ax.plot(values["calibrated_pseudo_r2"], places, "o", color=PALETTE[1], label="calibrated")
    ax.axvline(0, color="black", lw=0.6)
    ax.set_xscale("symlog", linthresh=1)
    ax.set_xticks(TICKS, TICKS)
    ax.set_yticks(places, NAMES.values())
    ax.set(xlabel="pseudo-R$^2$", xlim=(min(1.6 * min(values["pseudo_r2"]), -0.3), 1.2), ylim=(-0.6, len(NAMES) - 0.4))
    umap, least = (found["layouts"][which]["calibrated_pseudo_r2"] for which in ("umap", "purported"))
    n = found["layouts"]["umap"]["n"]
    ax.set_title(f"{n} digits: calibrated, UMAP explains {umap:.2f},\nthe layout of least loss {least:.2f}", loc="left")
    ax.legend(loc="lower left")


if __name__ == "__main__":
    study(Study("calibration", (__doc__ or "").splitlines()[0], numbers, draw, full=True))
