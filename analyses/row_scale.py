"""What do sigma and a row of the graph keep of the local density and dimension?

k counts the point itself, m = k - 1 are listed; r is the distance of the last; logarithms are natural; perplexity is
2 to the entropy in bits of P_ij / sum_j P_ij.

Rows are unchanged by a positive affine map of their distances (C6), so that at constant density in D dimensions their
law is that of distances G_j^(1/D), G_j the partial sums of Exp(1) numbers, whatever the density (C9); as D grows, that
of ln G_j.  `law` draws it.  Given r, the ratios of the nearer distances to r do not depend on r: ln sigma = ln r +
an independent term, the slope of ln sigma on ln r is exactly 1 there (C13), and the term's mean depends on D.  With f
the density, ln sigma has slope -1/D on ln f and, where f hardly changes within a ball (C8),

    R^2 = var(ln f) / (var(ln f) + psi'(m) + D^2 var(ln(sigma/r))),      var(ln f) = D/2 for a Gaussian.

Measured, not so: among Gaussian points of higher dimension, where f changes within a ball, both slopes fall short
(0.7 and 0.5 of theirs at D = 10, n = 2000), and R^2 is below this.

The estimate (m - 1)/(n V_D r^D) over f tends to (m - 1)/Gamma(m): mean 1, CV 1/sqrt(m - 2), however many points.
Gaussian points have density gradients and are the test of the local laws; uniform ones on the torus have neither
gradients nor boundaries.  Mutual information in nats by nearest neighbours (Kraskov's, as in scikit-learn), beside
that of shuffled values.  Mean over seeds, and the standard deviation between them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _rows import Floats, graph_of_distances, log_ball_volume, mean_and_spread, memberships, row_perplexity
from _script import SEED
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import polygamma
from scipy.stats import linregress
from sklearn.feature_selection import mutual_info_regression

from umapinfo import Graph, fuzzy_graph, neighbors
from umapinfo.datasets import load
from umapinfo.plot import PALETTE

K = 15


def law(D: int | None, n_rows: int) -> dict[str, float]:
    """What rows look like at constant density in D dimensions; None: as D grows without bound."""
    G = np.cumsum(np.random.default_rng(0).exponential(size=(n_rows, K - 1)), axis=1)
    if D is None:
        return {"perplexity": float(row_perplexity(graph_of_distances(np.log(G / G[:, :1]) + 1)).mean())}
    d = (G / G[:, -1:]) ** (1 / D)
    graph = graph_of_distances(d)
    ln_scale = np.log(graph.rows.sigma.astype(np.float64))  # sigma over r, as r is 1
    perplexity = row_perplexity(graph)
    return {
        "perplexity": float(perplexity.mean()),
        "perplexity_sd_of_a_row": float(perplexity.std()),
        "rho_over_sigma_median": float(np.median(d[:, 0] / graph.rows.sigma)),
        "ln_sigma_over_r": float(ln_scale.mean()),
        "ln_sigma_over_r_sd": float(ln_scale.std()),
    }


def torus_graph(D: int, n: int, seed: int) -> Graph:
    """The graph of uniform points on the unit torus."""
    X = np.random.default_rng([seed, D]).uniform(size=(n, D))
    gap = np.abs(X[:, None] - X)
    squared = np.sum(np.minimum(gap, 1 - gap) ** 2, axis=2)
    return fuzzy_graph(neighbors(np.sqrt(squared), K, metric="precomputed"))


def cube_graph(D: int, n: int, seed: int) -> Graph:
    """The graph of uniform points in the unit cube."""
    return fuzzy_graph(neighbors(np.random.default_rng([seed, D]).uniform(size=(n, D)), K))


def last_distance(graph: Graph) -> Floats:
    """Distance of the last listed neighbour, float64[n]."""
    return graph.rows.distance.reshape(graph.n_vertices, -1)[:, -1].astype(np.float64)


def rows_of(graphs: list[Graph]) -> dict[str, Any]:
    """Mean and spread over seeds of what `law` predicts, and the slope of ln sigma on ln r, which it says is 1."""
    names = ("perplexity", "rho_over_sigma_median", "ln_sigma_over_r", "slope_on_r")
    parts: dict[str, list[float]] = {name: [] for name in names}
    for graph in graphs:
        sigma, r = graph.rows.sigma.astype(np.float64), last_distance(graph)
        parts["perplexity"].append(float(row_perplexity(graph).mean()))
        parts["rho_over_sigma_median"].append(float(np.median(graph.rows.rho / sigma)))
        parts["ln_sigma_over_r"].append(float(np.mean(np.log(sigma / r))))
        parts["slope_on_r"].append(float(linregress(np.log(r), np.log(sigma)).slope))
    return {name: mean_and_spread(values) for name, values in parts.items()}


def density_estimate(n: int, seeds: range) -> dict[str, Any]:
    """Mean and CV of (m - 1)/(n V_2 r^2) for uniform points on the torus of 2 dimensions, where f is 1."""
    ratio = [(K - 2) / (n * np.exp(log_ball_volume(2)) * last_distance(torus_graph(2, n, seed)) ** 2) for seed in seeds]
    cvs = [float(values.std() / values.mean()) for values in ratio]
    return {"n": n, "mean": mean_and_spread([float(v.mean()) for v in ratio]), "cv": mean_and_spread(cvs)}


def information(x: Floats, y: Floats) -> float:
    """Mutual information of two numbers in nats, estimated."""
    return float(mutual_info_regression(x[:, None], y, n_neighbors=5, random_state=0)[0])


def gaussian(D: int, n: int, seed: int, expected: Mapping[str, float]) -> dict[str, float]:
    """Regressions and mutual information for standard Gaussian points in D dimensions."""
    random = np.random.default_rng([seed, D, 5])
    X = random.normal(size=(n, D))
    graph = fuzzy_graph(neighbors(X, K))
    ln_f = -np.sum(X**2, axis=1) / 2
    ln_sigma, ln_r = np.log(graph.rows.sigma.astype(np.float64)), np.log(last_distance(graph))
    on_f, on_r = linregress(ln_f, ln_sigma), linregress(ln_r, ln_sigma)
    noise = float(polygamma(1, K - 1)) + D**2 * expected["ln_sigma_over_r_sd"] ** 2
    entropy = np.log(row_perplexity(graph))
    return {
        "slope_on_f_times_minus_D": float(-D * on_f.slope),
        "R2_on_f": float(on_f.rvalue**2),
        "R2_on_f_predicted": D / 2 / (D / 2 + noise),
        "slope_on_r": float(on_r.slope),
        "R2_on_r": float(on_r.rvalue**2),
        "residual_sd_on_r": float(np.std(ln_sigma - on_r.intercept - on_r.slope * ln_r)),
        "information_f_entropy": information(ln_f, entropy),
        "information_f_entropy_shuffled": information(ln_f, random.permutation(entropy)),
        "information_f_sigma": information(ln_f, ln_sigma),
    }


def invariance(name: str, n_maps: int) -> dict[str, float]:
    """Largest change of P under random positive affine maps of each row's distances, in rows not floored."""
    lists = neighbors(load(name, seed=SEED).X, K)
    plain, worst = fuzzy_graph(lists), 0.0
    d = lists.distances.astype(np.float64)
    for i in range(n_maps):
        random = np.random.default_rng(i)
        factor = np.exp(random.uniform(-3, 3, (len(d), 1)))
        mapped = graph_of_distances(factor * (d + random.uniform(0, 3, (len(d), 1)) * d[:, -1:]))
        free = ~(plain.rows.floored | mapped.rows.floored)
        worst = max(worst, float(np.abs(memberships(plain) - memberships(mapped))[free].max()))
    return {"largest_change": worst, "floored": float(plain.rows.floored.mean())}


def numbers(options: Options) -> dict[str, Any]:
    """Laws and measurements."""
    quick = options.quick
    n, seeds, n_rows = (200, range(2), 1000) if quick else (1000, range(5), 20_000)
    dimensions = (1, 2) if quick else (1, 2, 3, 5, 10)
    laws = {D: law(D, n_rows) for D in dimensions}
    gaussians: dict[int, dict[str, tuple[float, float]]] = {}
    for D in dimensions:
        found = [gaussian(D, 2 * n, seed, laws[D]) for seed in seeds]
        gaussians[D] = {name: mean_and_spread([one[name] for one in found]) for name in found[0]}
    torus_seeds = range(5 * len(seeds))  # single slopes on ln r scatter by 0.2, as r hardly varies there
    torus = {D: rows_of([torus_graph(D, n, seed) for seed in torus_seeds]) for D in dimensions if D <= 5}
    slopes = {D: (q["slope_on_r"][0], q["slope_on_r"][1] / len(torus_seeds) ** 0.5) for D, q in torus.items()}
    return {
        "n": n,
        "n_gaussian": 2 * n,
        "n_seeds_torus": len(torus_seeds),
        "torus_slope_on_r_and_error": slopes,
        "torus_slope_off_1_in_errors": max(abs(slope - 1) / error for slope, error in slopes.values()),
        "n_seeds": len(seeds),
        "n_neighbors": K,
        "law": laws,
        "law_limit": law(None, n_rows),
        "torus": torus,
        "cube": {D: rows_of([cube_graph(D, n, seed) for seed in seeds]) for D in dimensions},
        "gaussian": gaussians,
        "density_estimate": [density_estimate(size, seeds) for size in ((100, 200) if quick else (300, 1500))],
        "density_estimate_cv_predicted": (K - 3) ** -0.5,
        "invariance": {name: invariance(name, 2 if quick else 5) for name in ("ring", "digits")},
    }


def along(found: Mapping[str, Any], name: str) -> tuple[list[int], Floats]:
    """Dimensions, and the values of a quantity there: [n_D], or [n_D, 2] with the spread."""
    dimensions = sorted(int(D) for D in found)
    return dimensions, np.array([found[str(D)][name] for D in dimensions])


def draw_law(found: Mapping[str, Any], ax: Axes) -> None:
    """Mean row perplexity: the law without parameters against uniform points."""
    ax.plot(*along(found["law"], "perplexity"), color="black", ls=":", label="law, no parameter")
    for name, marker, colour in (("torus", "o", PALETTE[0]), ("cube", "s", PALETTE[1])):
        D, values = along(found[name], "perplexity")
        ax.errorbar(D, values[:, 0], values[:, 1], ls="", marker=marker, color=colour, mfc="none", label=name)
    limit = found["law_limit"]["perplexity"]
    ax.axhline(limit, color="0.6", ls="--", lw=0.8, label=f"$D \\to \\infty$: {limit:.2f}")
    D, torus = along(found["torus"], "perplexity")
    off = np.max(np.abs(torus[:, 0] - [found["law"][str(d)]["perplexity"] for d in D]))
    ax.set(xlabel="dimension $D$", ylabel="mean Shannon perplexity of a row")
    ax.set_title(f"dimension alone sets the row entropy: the law is\noff by {off:.2f} or less on the torus", loc="left")
    ax.legend(loc="lower right")


def draw_dimension(found: Mapping[str, Any], ax: Axes) -> None:
    """Median rho over sigma: the law against uniform points."""
    ax.plot(*along(found["law"], "rho_over_sigma_median"), color="black", ls=":", label="law, no parameter")
    for name, marker, colour in (("torus", "o", PALETTE[0]), ("cube", "s", PALETTE[1])):
        D, values = along(found[name], "rho_over_sigma_median")
        ax.errorbar(D, values[:, 0], values[:, 1], ls="", marker=marker, color=colour, mfc="none", label=name)
    D, cube = along(found["cube"], "rho_over_sigma_median")
    short = 1 - cube[-1, 0] / found["law"][str(D[-1])]["rho_over_sigma_median"]
    ax.set(xlabel="dimension $D$", ylabel="median $\\rho/\\sigma$")
    ax.set_title(f"median $\\rho/\\sigma$ tells the dimension, but in a cube of\n$D$ = {D[-1]} it is {short:.0%} short",
                 loc="left")  # fmt: skip
    ax.legend(loc="upper left")


def draw_slopes(found: Mapping[str, Any], ax: Axes) -> None:
    """Regressions of ln sigma on ln f and on ln r for Gaussian points."""
    shown = {
        "slope_on_r": ("slope on ln $r_k$", "o", "-", PALETTE[0]),
        "slope_on_f_times_minus_D": ("$-D$ times slope on ln $f$", "s", "--", PALETTE[1]),
        "R2_on_f": ("$R^2$ on ln $f$", "^", "-.", PALETTE[2]),
        "R2_on_f_predicted": ("$R^2$ predicted", "", ":", "black"),
    }
    for name, (label, marker, line, colour) in shown.items():
        D, values = along(found["gaussian"], name)
        ax.errorbar(D, values[:, 0], values[:, 1], ls=line, marker=marker, color=colour, label=label)
    D = sorted(int(D) for D in found["torus"])
    torus = np.array([found["torus_slope_on_r_and_error"][str(d)] for d in D])
    ax.errorbar(D, torus[:, 0], torus[:, 1], ls="", marker="o", mfc="none", color="black", label="on ln $r_k$, torus")
    D, slope = along(found["gaussian"], "slope_on_r")
    ax.set(xlabel="dimension $D$ (Gaussian but for the torus)", ylabel="slope or $R^2$ of ln $\\sigma$", ylim=(0, 1.7))
    ax.set_title(
        f"$\\sigma$ follows $r_k$: slope 1 on the torus (to {found['torus_slope_off_1_in_errors']:.1f} standard\n"
        f"errors), {slope[:, 0].min():.2f} to {slope[:, 0].max():.2f} where density varies",
        loc="left",
    )
    ax.legend(loc="upper center", ncols=2, columnspacing=1.0)


def draw_information(found: Mapping[str, Any], ax: Axes) -> None:
    """What sigma and the row entropy know of the density."""
    shown = {
        "information_f_sigma": ("$\\sigma$", "s", "--", PALETTE[1]),
        "information_f_entropy": ("row entropy", "o", "-", PALETTE[0]),
        "information_f_entropy_shuffled": ("row entropy, shuffled", "", ":", "black"),
    }
    for name, (label, marker, line, colour) in shown.items():
        D, values = along(found["gaussian"], name)
        ax.errorbar(D, values[:, 0], values[:, 1], ls=line, marker=marker, color=colour, label=label)
    most = along(found["gaussian"], "information_f_entropy")[1][:, 0].max()
    ax.set(xlabel="dimension $D$ of Gaussian points", ylabel="information on ln $f$ (nats)")
    ax.set_title(f"rows drop the density: their entropy holds\n{most:.2f} nats of it or less", loc="left")
    ax.legend(loc="center right")


def draw(found: Mapping[str, Any]) -> Figure:
    """The law's two numbers, the regressions, the information."""
    figure, axes = panels(2, 2)
    drawings = (draw_law, draw_dimension, draw_slopes, draw_information)
    for drawing, ax in zip(drawings, axes.ravel(), strict=True):
        drawing(found, ax)
    return figure


if __name__ == "__main__":
    study(Study("row_scale", (__doc__ or "").splitlines()[0], numbers, draw))
