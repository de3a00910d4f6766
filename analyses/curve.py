"""What is q(d) = 1 / (1 + a d^(2b)): a step at min_dist, Student's t, or the offset exponential that it is fitted to?

a and b over min_dist at spread 1, by UMAP's fit; the article's 1.93, 0.79 are those of min_dist = 0.001 and not UMAP's
default, 0.1 (C28).  Differences are root mean squares over the fit's 300 distances, even on [0, 3], and the largest:
to the exponential exp(-(d - min_dist)), 1 below min_dist (C27), to the step 1(d <= min_dist) that the article takes q
for (C27), to the best t with one degree of freedom (b = 1, Cauchy) and to the best t of any scale s and degrees of
freedom nu, (1 + (d/s)^2 / nu)^(-(nu + 1)/2) (C29); the norm that (5) lacks (C26) is the d here.

q is the characteristic function of an isotropic Linnik law, an Exp(1)-mixture of e^(-t a d^(2b)), and positive definite
in every dimension iff b <= 1.  C29 is stronger than its words for b > 1: already three points on a line, 0, e and 2e,
have 8 (1 - q(e)) - 2 (1 - q(2e)) -> 2 a e^(2b) (4 - 4^b) < 0 with the weights (1, -2, 1).  tests/test_curve.py
checks all of this; here the least eigenvalue of q on points of a line is measured.

As an approximation the t is fair, and so is that sentence of the article: on [0, 3] the best t lies nearer to q than
the exponential that q is fitted to, up to min_dist 0.6, with far less than one degree of freedom (0.26 at the article's
min_dist, 0.58 at the default); Cauchy's does so only near b = 1, min_dist 0.2.  The tails have other powers.

q is no density (C30): at b <= 1 its integral over the plane diverges, so that far pairs would dominate sum q in a
layout of even density that grows without end.  Their share of sum q over unordered pairs is measured on layouts of
default runs with 3 seeds: it grows with n, but pairs over 5 apart, five in six of all, are an eighth of it at
n = 1797: at these sizes near pairs dominate.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import least_squares

from umapinfo import Curve, Recording, embed, fit_curve
from umapinfo.datasets import load
from umapinfo.pairs import edge_d2, edge_potentials
from umapinfo.plot import PALETTE

MIN_DISTS = (0.0, 0.001, 0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
ARTICLE, DEFAULT = 0.001, 0.1
RUNS = (0.001, 0.1, 0.5)  # min_dist of the runs on all points: b is 0.79, 0.90, 1.33
D = np.linspace(0, 3, 300)  # the fit's distances
EDGES = (0, 0.5, 1, 2, 5, 10, 20, np.inf)  # of the shares of sum q, layout units
FAR = 5.0
GAUSSIAN = 1e3  # degrees of freedom at which the search for the best t stops: no other shape beyond
SEEDS = (0, 1, 2)
SHOWN = np.concatenate([np.linspace(0, 1, 51)[:-1], np.linspace(1, 4, 31)])


def similarity(d: np.ndarray, curve: Curve) -> np.ndarray:
    """The library's q at distances d: of the pairs (0, d) on a line."""
    line = np.append(0.0, d)[:, None]
    tails = np.arange(1, len(line))
    return edge_potentials(line, np.zeros_like(tails), tails, curve, ["similarity"])[0]


def exponential(d: np.ndarray, min_dist: float) -> np.ndarray:
    """What UMAP fits q to, at spread 1."""
    return np.exp(-np.maximum(d - min_dist, 0))


def student(d: np.ndarray, scale: float, nu: float) -> np.ndarray:
    """The kernel of Student's t with nu degrees of freedom, 1 at d = 0; nu = 1 is Cauchy's."""
    return (1 + (d / scale) ** 2 / nu) ** (-(nu + 1) / 2)


def numbers(options: Options) -> Mapping[str, Any]:
    """The fits, the differences, eigenvalues, and shares of sum q."""
    sizes = (100, 200) if options.quick else (225, 450, 900, 1797)
    seeds = SEEDS[:1] if options.quick else SEEDS
    epochs = 30 if options.quick else None
    fits = {str(min_dist): described(min_dist) for min_dist in MIN_DISTS}
    shown = {str(m): similarity(SHOWN, fit_curve(m)) for m in (ARTICLE, DEFAULT, 0.5)}
    shown["exponential"] = exponential(SHOWN, ARTICLE)
    return {
        "fits": fits,
        "b_is_1_at_min_dist": b_one(),
        "distance": SHOWN,
        "q": shown,
        "eigenvalues": eigenvalues(),
        "edges": [str(edge) for edge in EDGES],
        "far": FAR,
        "ring": shares("ring", 200 if options.quick else 1000, DEFAULT, seeds, epochs),
        "digits_of_n": {str(n): shares("digits", n, DEFAULT, seeds, epochs) for n in sizes},
        "digits_of_min_dist": {str(m): shares("digits", sizes[-1], m, seeds, epochs) for m in RUNS},
    }


def described(min_dist: float) -> dict[str, Any]:
    """a, b, some values, and how far q is from each of the three readings."""
    curve = fit_curve(min_dist)
    q = similarity(D, curve)
    cauchy = least_squares(lambda x: student(D, np.exp(x[0]), 1.0) - q, [0.0], xtol=1e-12)
    bounds = np.log([[0.1, 0.01], [10.0, GAUSSIAN]])
    t = least_squares(lambda x: student(D, *np.exp(x)) - q, [0.0, 0.0], xtol=1e-12, bounds=bounds)
    readings = {
        "exponential": exponential(D, min_dist),
        "step": (min_dist >= D).astype(float),
        "cauchy": student(D, np.exp(cauchy.x[0]), 1.0),
        "student": student(D, *np.exp(t.x)),
    }
    return {
        "a": curve.a,
        "b": curve.b,
        "q_at_min_dist_1_3_10": similarity(np.array([max(min_dist, 1e-9), 1.0, 3.0, 10.0]), curve),
        "half_at": curve.a ** (-1 / (2 * curve.b)),
        "tenth_at": (9 / curve.a) ** (1 / (2 * curve.b)),
        "cauchy_scale": float(np.exp(cauchy.x[0])),
        "student_scale_nu": np.exp(t.x),
        "rms": {name: float(np.sqrt(np.mean((q - other) ** 2))) for name, other in readings.items()},
        "largest": {name: float(np.abs(q - other).max()) for name, other in readings.items()},
    }


def b_one() -> float:
    """min_dist at which b = 1, by bisection to 1e-6."""
    low, high = 0.0, 1.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if fit_curve(middle).b < 1 else (low, middle)
    return (low + high) / 2


def eigenvalues() -> dict[str, Any]:
    """Least eigenvalue of [q(|x_i - x_j|)] for 41 points, 0.1 apart on a line."""
    x = np.arange(41) * 0.1
    apart = np.abs(x[:, None] - x[None, :])
    found = {}
    for min_dist in (ARTICLE, DEFAULT, 0.25, 0.5):
        curve = fit_curve(min_dist)
        q = similarity(apart.ravel(), curve).reshape(apart.shape)
        found[str(min_dist)] = {"b": curve.b, "least": float(np.linalg.eigvalsh(q)[0])}
    return found


def shares(name: str, n: int, min_dist: float, seeds: tuple[int, ...], epochs: int | None) -> dict[str, Any]:
    """Mean over seeds of the shares of sum q and of the pairs by distance; the far share of each seed."""
    found = [shares_of_run(name, n, min_dist, seed, epochs) for seed in seeds]
    means = {key: np.mean([run[key] for run in found], axis=0) for key in found[0]}
    return {**means, "q_far_of_seeds": [run["q_far"] for run in found]}


def shares_of_run(name: str, n: int, min_dist: float, seed: int, epochs: int | None) -> dict[str, Any]:
    """Of one run on n points: shares by distance, mean q, and the median distance."""
    X = load(name, seed=seed, n=n).X
    recording = Recording(epochs=2, checkpoints=2)
    trace = embed(X, min_dist=min_dist, seed=seed, n_epochs=epochs, recording=recording, progress=False)
    Y, curve = trace["layouts"]["Y"].values[-1], fit_curve(min_dist)
    heads, tails = np.triu_indices(n, 1)
    d = np.sqrt(edge_d2(Y, heads, tails))
    q = edge_potentials(Y, heads, tails, curve, ["similarity"])[0]
    of_q, of_pairs = np.histogram(d, EDGES, weights=q)[0] / q.sum(), np.histogram(d, EDGES)[0] / len(d)
    return {
        "of_q": of_q,
        "of_pairs": of_pairs,
        "q_far": float(q[d > FAR].sum() / q.sum()),
        "pairs_far": float(np.mean(d > FAR)),
        "mean_q": float(q.mean()),
        "median_distance": float(np.median(d)),
    }


def draw(found: Mapping[str, Any]) -> Figure:
    """The curve and its readings; a and b; differences; shares of sum q."""
    figure, axes = panels(2, 2)
    draw_curve(found, axes[0, 0])
    draw_parameters(found["fits"], found["b_is_1_at_min_dist"], axes[0, 1])
    draw_differences(found["fits"], axes[1, 0])
    draw_shares(found, axes[1, 1])
    return figure


def draw_curve(found: Mapping[str, Any], ax: Axes) -> None:
    """The article's q beside the default one, the exponential and the step."""
    d, fit = np.array(found["distance"]), found["fits"][str(ARTICLE)]
    ax.plot(d, found["q"][str(ARTICLE)], color=PALETTE[0], label=f"q, the article's (min_dist {ARTICLE})")
    ax.plot(d, found["q"][str(DEFAULT)], color=PALETTE[1], ls="--", label=f"q, UMAP's default ({DEFAULT})")
    ax.plot(d, found["q"]["exponential"], color=PALETTE[2], ls="-.", label="what the article's is fitted to")
    ax.plot([0, ARTICLE, ARTICLE, 4], [1, 1, 0, 0], color="black", ls=":", label="the step that the article sees")
    ax.plot(fit["half_at"], 0.5, "o", color=PALETTE[0])
    ax.set(xlabel="distance d (layout units)", ylabel="similarity q", xlim=(-0.05, 4))
    ax.set_title(
        f"The article's q is no step: 1/2 at d = {fit['half_at']:.2f},\n"
        f"{fit['half_at'] / ARTICLE:.0f} times its min_dist; q(3) = {fit['q_at_min_dist_1_3_10'][2]:.3f}",
        loc="left",
    )
    ax.legend(loc="upper right")


def draw_parameters(fits: Mapping[str, Any], crossing: float, ax: Axes) -> None:
    """The parameters over min_dist."""
    x = [float(min_dist) for min_dist in fits]
    ax.plot(x, [fit["a"] for fit in fits.values()], "-o", color=PALETTE[0], label="a")
    ax.plot(x, [fit["b"] for fit in fits.values()], "--s", color=PALETTE[1], label="b")
    ax.axhline(1, color="0.6", lw=0.6)
    for min_dist in (ARTICLE, DEFAULT):
        ax.axvline(min_dist, color="0.6", lw=0.6, ls=":")
    article, default = fits[str(ARTICLE)], fits[str(DEFAULT)]
    ax.set(xlabel="min_dist (layout units, spread 1)", ylabel="parameter")
    ax.set_title(
        f"a, b = {article['a']:.2f}, {article['b']:.2f} at min_dist {ARTICLE},\n"
        f"{default['a']:.2f}, {default['b']:.2f} at the default; b = 1 at {crossing:.2f}",
        loc="left",
    )
    ax.legend(loc="upper center")


def draw_differences(fits: Mapping[str, Any], ax: Axes) -> None:
    """Root mean square difference of q to each reading."""
    x = [float(min_dist) for min_dist in fits]
    labels = {
        "step": "step at min_dist",
        "cauchy": "best Cauchy (t, 1 d.f.)",
        "exponential": "exponential (the fit)",
        "student": "best t, any d.f.",
    }
    for i, (name, label) in enumerate(labels.items()):
        ax.plot(
            x,
            [fit["rms"][name] for fit in fits.values()],
            "osv^"[i],
            ls=("-", "--", "-.", ":")[i],
            color=PALETTE[i],
            label=label,
        )
    rms = fits[str(ARTICLE)]["rms"]
    ax.set(xlabel="min_dist (layout units, spread 1)", ylabel="r.m.s. difference to q on [0, 3]", yscale="log")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * 8)
    ax.set_title(
        f"At the article's min_dist q is {rms['step']:.2f} from the step,\n"
        f"{rms['exponential']:.3f} from the exponential, {rms['student']:.3f} from a t",
        loc="left",
    )
    ax.legend(loc="upper right", ncols=2, columnspacing=1)


def draw_shares(found: Mapping[str, Any], ax: Axes) -> None:
    """Share of sum q from far pairs, over n, and for three min_dist at all points."""
    of_n = {size: found["digits_of_n"][size] for size in sorted(found["digits_of_n"], key=int)}
    n = [int(size) for size in of_n]
    for i, (key, label) in enumerate((("q_far", "of sum q"), ("pairs_far", "of the pairs"))):
        ax.plot(n, [part[key] for part in of_n.values()], ("-o", "--s")[i], color=PALETTE[i], label=label)
    for part, size in zip(of_n.values(), n, strict=True):
        ax.plot([size] * len(part["q_far_of_seeds"]), part["q_far_of_seeds"], "_", color="black", ms=5)
    for min_dist, part in found["digits_of_min_dist"].items():
        if float(min_dist) != DEFAULT:
            ax.plot(n[-1], part["q_far"], "D", color=PALETTE[2], ms=4)
            ax.annotate(
                f"min_dist {min_dist}",
                (n[-1], part["q_far"]),
                xytext=(5, 4 if float(min_dist) < DEFAULT else -4),
                va="center",
                textcoords="offset points",
                fontsize=6,
            )
    last = of_n[str(n[-1])]
    ax.set(
        xscale="log",
        xlim=(n[0] * 0.85, n[-1] * 2),
        ylim=(0, 1.3),
        xlabel="points n of digits",
        ylabel=f"share from pairs with d > {found['far']:g}",
    )
    ax.set_xticks(n, [str(size) for size in n])
    ax.minorticks_off()
    ax.set_title(
        f"Pairs further than {found['far']:g} apart are {last['q_far']:.0%} of sum q\nat n = {n[-1]}", loc="left"
    )
    ax.legend(loc="upper left", ncols=2)


if __name__ == "__main__":
    study(Study("curve", (__doc__ or "").splitlines()[0], numbers, draw))
