"""Do balls of one volume hold one number of points, and balls that hold k points one volume?

In expectation only.  k counts the point itself, so that a ball to the last listed neighbour holds m = k - 1 of n - 1
others.  Uniform points, no boundary, volume 1:

    points in a ball of volume v:  Binomial(n, v), CV sqrt((1 - v)/(n v))                                       (C3)
    share of the volume V_D r^D that m others need:  Beta(m, n - m), CV sqrt((n - m)/(m (n + 1))) ~ 1/sqrt(m)   (C5)
    so without boundary  E ln r = (psi(m) - psi(n) - ln V_D)/D  whatever the data set's size.

These laws do not depend on D.  Boundaries (C4): at a corner of codimension c the radius grows by 2^(c/D), and the
`excess` of mean ln r over the law above is measured against the depth, the distance to the nearest face of the cube.

Curvature (C15), on the D-sphere of radius 1 with n points: to first order the shift of E ln r is
S r^2 / (6 D (D + 2)), S = D (D - 1), for geodesic distances.  UMAP is given chords, and the volume of a ball of chords
feels the second fundamental form II and its trace H: shift (|H|^2 - 2 |II|^2) r^2 / (8 D (D + 2)), here
(D - 2) r^2 / (8 (D + 2)): nothing at all on the 2-sphere, where a cap of chord r has the area pi r^2 (Archimedes), so
that S is not what a list of Euclidean neighbours sees.  Logarithms are natural; seeds give the spread.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _rows import Floats, graph_of_distances, log_ball_volume, mean_and_spread
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import polygamma, psi

from umapinfo import neighbors
from umapinfo.plot import PALETTE

K = 15
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def torus_distances(X: Floats, Y: Floats) -> Floats:
    """Distances [n, m] between points of the unit torus."""
    gap = np.abs(X[:, None] - Y)
    return np.sqrt(np.sum(np.minimum(gap, 1 - gap) ** 2, axis=2))


def volumes(distances: Floats, D: int, k: int) -> Floats:
    """Volume of the ball from each point to its (k - 1)-th other."""
    symmetric = (distances + distances.T) / 2
    r = neighbors(symmetric, k, metric="precomputed").distances[:, -1].astype(np.float64)
    return np.exp(log_ball_volume(D)) * r**D


def cv(values: Any) -> float:
    """Coefficient of variation: standard deviation over mean."""
    return float(np.std(values) / np.mean(values))


def balls(D: int, k: int, n: int, seeds: range) -> dict[str, Any]:
    """CV of counts in balls of one volume, and of volumes of balls of one count, for uniform points on the torus."""
    radius, m = ((k - 1) / n / np.exp(log_ball_volume(D))) ** (1 / D), k - 1
    counts, sizes = [], []
    for seed in seeds:
        random = np.random.default_rng([seed, D, k])
        X, centres = random.uniform(size=(n, D)), random.uniform(size=(n, D))
        counts.append(cv(np.sum(torus_distances(centres, X) < radius, axis=1)))
        sizes.append(cv(volumes(torus_distances(X, X), D, k)))
    return {
        "D": D,
        "k": k,
        "counts_cv": mean_and_spread(counts),
        "counts_cv_predicted": float(np.sqrt((1 - m / n) / m)),
        "volumes_cv": mean_and_spread(sizes),
        "volumes_cv_predicted": float(np.sqrt((n - m) / (m * (n + 1)))),
    }


def others(n: int, seeds: range) -> dict[str, Any]:
    """CV of n f V_D r^D in the plane for points on a jittered lattice, and for a Gaussian with f and as if f were 1."""
    side = int(np.sqrt(n))
    lattice, own, constant = [], [], []
    for seed in seeds:
        random = np.random.default_rng([seed, 99])
        cells = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
        L = (cells + random.uniform(0, 0.5, cells.shape)) / side
        lattice.append(cv(volumes(torus_distances(L, L), 2, K)))
        X = random.normal(size=(n, 2))
        size = np.pi * neighbors(X, K).distances[:, -1].astype(np.float64) ** 2
        own.append(cv(size * np.exp(-np.sum(X**2, axis=1) / 2)))
        constant.append(cv(size))
    named = {"lattice": lattice, "gaussian_true_density": own, "gaussian_constant_density": constant}
    return {f"{name}_cv": mean_and_spread(values) for name, values in named.items()}


def corner(D: int, n: int, n_draws: int) -> list[dict[str, float]]:
    """Mean ln r at a point of c faces of the cube, less that at its centre, against c ln(2)/D, for c = 0..D."""
    probes = np.array([[0.0] * c + [0.5] * (D - c) for c in range(D + 1)])
    ln_r = np.empty((n_draws, D + 1))
    for i in range(n_draws):
        X = np.random.default_rng([i, D]).uniform(size=(n, D))
        squared = np.sum((probes[:, None] - X) ** 2, axis=2)
        ln_r[i] = np.log(np.partition(squared, K - 2, axis=1)[:, K - 2]) / 2
    growth = ln_r - ln_r[:, :1]
    error = growth.std(axis=0, ddof=1) / np.sqrt(n_draws)
    return [
        {"c_over_D": c / D, "log2_growth": float(growth[:, c].mean() / np.log(2)), "error": float(error[c] / np.log(2))}
        for c in range(1, D + 1)
    ]


def boundary(D: int, n: int, seeds: range) -> dict[str, Any]:
    """Excess of mean ln r in the cube over the law without boundary, by tenths of the points, shallowest first."""
    law = (psi(K - 1) - psi(n) - log_ball_volume(D)) / D
    excess, depth, out = [], [], []
    for seed in seeds:
        X = np.random.default_rng([seed, D, 7]).uniform(size=(n, D))
        r = neighbors(X, K).distances[:, -1].astype(np.float64)
        s = np.min(np.minimum(X, 1 - X), axis=1)
        tenths = np.array_split(np.argsort(s), 10)
        excess.append([np.mean(np.log(r[some])) - law for some in tenths])
        depth.append([np.mean(s[some]) / np.mean(r) for some in tenths])
        out.append(np.mean(s < r))
    error = np.std(excess, axis=0, ddof=1) / np.sqrt(len(seeds))
    return {
        "excess": np.mean(excess, axis=0),
        "excess_error": error,
        "depth_over_r": np.mean(depth, axis=0),
        "sticking_out": float(np.mean(out)),
    }


def spheres(D: int, n: int, n_points: int, flat_log_sigma: float) -> dict[str, Any]:
    """Shifts of mean ln r and of mean ln sigma on the unit D-sphere, against those expected to first order."""
    n_draws = n_points // n
    chords = []
    for i in range(n_draws):
        X = np.random.default_rng([i, D, n]).normal(size=(n, D + 1))
        chords.append(neighbors(X / np.linalg.norm(X, axis=1, keepdims=True), K).distances)
    chord = np.concatenate(chords).astype(np.float64)
    volume = np.log(D + 1) + log_ball_volume(D + 1)
    law = (psi(K - 1) - psi(n) + volume - log_ball_volume(D)) / D
    found: dict[str, Any] = {"n": n, "sd_of_a_point": float(np.sqrt(polygamma(1, K - 1) - polygamma(1, n)) / D)}
    rates = {"geodesic": D * (D - 1) / (6 * D * (D + 2)), "chord": (D - 2) / (8 * (D + 2))}
    for name, d in (("geodesic", 2 * np.arcsin(np.minimum(chord / 2, 1))), ("chord", chord)):
        ln_r = np.log(d[:, -1])
        sigma = graph_of_distances(d).rows.sigma.astype(np.float64)
        shift, spread = mean_and_spread(ln_r.reshape(n_draws, n).mean(axis=1) - law)
        found[name] = {
            "r_squared": float(np.mean(d[:, -1] ** 2)),
            "shift": shift,
            "error": spread / np.sqrt(n_draws),
            "predicted": float(rates[name] * np.mean(d[:, -1] ** 2)),
            "sigma_shift": float(np.mean(np.log(sigma)) - law - flat_log_sigma),
        }
    return found


def flat_log_sigma(D: int, n_rows: int) -> float:
    """Mean ln(sigma/r) of rows in flat space of constant density: distances the D-th roots of Exp(1) partial sums."""
    G = np.cumsum(np.random.default_rng(D).exponential(size=(n_rows, K - 1)), axis=1)
    d = (G / G[:, -1:]) ** (1 / D)
    return float(np.mean(np.log(graph_of_distances(d).rows.sigma.astype(np.float64))))


def numbers(options: Options) -> dict[str, Any]:
    """Balls, boundaries, curvature."""
    quick = options.quick
    n, seeds, draws = (200, range(2), 20) if quick else (1000, range(8), 400)
    sizes, points = ((20, 80), 400) if quick else ((20, 40, 80, 160, 320, 1000), 20_000)
    flat = {D: flat_log_sigma(D, 20 * n) for D in ((2,) if quick else (2, 3, 5))}
    return {
        "n": n,
        "n_seeds": len(seeds),
        "n_neighbors": K,
        "balls": [balls(D, k, n, seeds) for D in ((1, 2) if quick else (1, 2, 3, 5)) for k in (5, 15, 50)],
        "others": others(n, seeds),
        "corner": {D: corner(D, n if quick else 2000, draws) for D in ((2,) if quick else (1, 2, 3, 5))},
        "boundary": {D: boundary(D, n, seeds) for D in ((2, 10) if quick else (2, 3, 5, 10, 20, 50))},
        "spheres": {D: [spheres(D, size, points, flat[D]) for size in sizes] for D in flat},
    }


def by_dimension(found: Mapping[str, Any]) -> list[tuple[int, Any]]:
    """The values of a mapping whose keys are dimensions written as texts, by dimension."""
    return sorted((int(D), values) for D, values in found.items())


def draw_balls(found: Mapping[str, Any], ax: Axes) -> None:
    """CV of counts and volumes against k."""
    m = np.geomspace(3, 60, 50)
    ax.plot(m, m**-0.5, color="black", ls=":", label="$1/\\sqrt{m}$")
    for i, D in enumerate(sorted({one["D"] for one in found["balls"]})):
        some = [one for one in found["balls"] if one["D"] == D]
        x = np.array([one["k"] - 1 for one in some])
        ax.plot(x * 1.04**i, [one["volumes_cv"][0] for one in some], MARKERS[i], color=PALETTE[i],
                label=f"volume, $D$ = {D}")  # fmt: skip
        ax.plot(x * 0.96 ** (i + 1), [one["counts_cv"][0] for one in some], MARKERS[i], color=PALETTE[i], mfc="none",
                label=f"count, $D$ = {D}")  # fmt: skip
    known, at = found["others"], found["n_neighbors"] - 1
    texts = {"lattice": "jittered lattice", "gaussian_constant_density": "Gaussian, $f$ taken as constant"}
    for name, text in texts.items():
        value = known[f"{name}_cv"][0]
        ax.plot(at, value, "*", color=PALETTE[7], ms=6)
        ax.annotate(text, (at, value), (6, 0), textcoords="offset points", fontsize=7, va="center")
    ax.set(xscale="log", yscale="log", xlabel="$m = k - 1$ others in the ball", ylabel="coefficient of variation")
    ticks = sorted({one["k"] - 1 for one in found["balls"]})
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.set_xticks([], minor=True)
    worst = max(abs(one["volumes_cv"][0] / one["volumes_cv_predicted"] - 1) for one in found["balls"])
    ax.set_title(f"uniform data: CV within {worst:.0%} of Beta's, ~$1/\\sqrt{{m}}$,\nin every dimension", loc="left")
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), handlelength=1.2)


def draw_corner(found: Mapping[str, Any], ax: Axes) -> None:
    """Growth of the radius at faces, edges and corners."""
    ax.plot([0, 1], [0, 1], color="black", ls=":", label="$2^{c/D}$")
    for i, (D, some) in enumerate(by_dimension(found["corner"])):
        x, y, error = (np.array([one[key] for one in some]) for key in ("c_over_D", "log2_growth", "error"))
        ax.errorbar(x, y, 2 * error, ls="", marker=MARKERS[i], color=PALETTE[i], label=f"$D$ = {D}", elinewidth=0.8)
    worst = max(abs(one["log2_growth"] - one["c_over_D"]) for some in found["corner"].values() for one in some)
    ax.set(xlabel="codimension $c$ / dimension $D$", ylabel="$\\log_2$ growth of $r_k$")
    ax.set_title(f"on a boundary $r_k$ grows by $2^{{c/D}}$\n(off by {worst:.3f} or less; bars: 2 standard errors)",
                 loc="left")  # fmt: skip
    ax.legend(loc="upper left")


def draw_boundary(found: Mapping[str, Any], ax: Axes) -> None:
    """Excess of mean ln r against depth."""
    for i, (D, q) in enumerate(by_dimension(found["boundary"])):
        ax.plot(q["depth_over_r"], q["excess"], marker=MARKERS[i], color=PALETTE[i], ms=2.5, lw=0.9,
                label=f"{D}: {q['sticking_out']:.0%} stick out")  # fmt: skip
    ax.axhline(0, color="black", ls=":")
    ax.set(xscale="log", xlabel="distance to the boundary / mean $r_k$", ylabel="excess of mean ln $r_k$")
    D, low = min((D, q["excess"][-1]) for D, q in by_dimension(found["boundary"]) if q["sticking_out"] > 0.999)
    ax.set_title(
        f"cube, $D \\geq$ {D}: every ball sticks out; even in the\n"
        f"deepest tenth $r_k$ is {np.exp(low) - 1:.0%} or more too large",
        loc="left",
    )
    ax.legend(title="$D$: balls that", loc="upper left", bbox_to_anchor=(1.0, 1.0), title_fontsize=7)


def draw_spheres(found: Mapping[str, Any], ax: Axes) -> None:
    """Shift of mean ln r on spheres against r^2."""
    for i, (D, some) in enumerate(by_dimension(found["spheres"])):
        for name, line, fill in (("geodesic", "-", PALETTE[i]), ("chord", "--", "none")):
            q = [one[name] for one in some]
            r2 = np.array([one["r_squared"] for one in q])
            ax.errorbar(r2, [one["shift"] for one in q], [2 * one["error"] for one in q], ls="", marker=MARKERS[i],
                        color=PALETTE[i], mfc=fill, elinewidth=0.8, label=f"$D$ = {D}, {name}")  # fmt: skip
            ax.plot(r2, [one["predicted"] for one in q], line, color=PALETTE[i], lw=0.8)
    ax.set(xscale="log", xlabel="mean $r_k^2/R^2$", ylabel="shift of mean ln $r_k$")
    _, least = by_dimension(found["spheres"])[0]
    flat = max(abs(one["chord"]["shift"]) / one["sd_of_a_point"] for one in least)
    ax.set_title(f"curvature: on the 2-sphere chords shift by {flat:.2f} s.d. of\n"
                 "one point or less (lines: first order)", loc="left")  # fmt: skip
    ax.legend(loc="upper left")


def draw(found: Mapping[str, Any]) -> Figure:
    """Balls, corners, depth, curvature."""
    figure, axes = panels(2, 2)
    drawings = (draw_balls, draw_corner, draw_boundary, draw_spheres)
    for drawing, ax in zip(drawings, axes.ravel(), strict=True):
        drawing(found, ax)
    figure.set_size_inches(9.0, 5.4)
    return figure


if __name__ == "__main__":
    study(Study("uniformity", (__doc__ or "").splitlines()[0], numbers, draw))
