"""Does sampling that is not uniform cost an embedding a dimension, as two replicator orbits were shown to suggest?

The experiment of Kolpakov and Rocke (arXiv 2309.01237): dx_i/dt = 5 x_i (W x)_i in five dimensions, a flow that
preserves volume and one that does not, 1,000 points at t = 0, 0.1, ..., 99.9, embedded in three dimensions
(n_neighbors = 6, min_dist = 0.1 sqrt 5).  Found first, of the flows: both W are antisymmetric, so that sum x, the
product of x_i^c_i (W c = 0) and the measure dx / prod x_i are conserved by both; both have one more integral, a cubic,
by exact linear algebra over the polynomials.  Three independent integrals in five dimensions: either orbit winds round
a compact level surface of dimension 2 without rest, a torus, and neither converges.  What the second flow does not
preserve is dx alone.  It starts off the simplex (sum 1.3), and stays there.

Then dimension (maximum likelihood by Levina and Bickel, inverses averaged) and evenness (CV of r_k^2, the volumes of
the k-neighbour balls of a surface, which is 1/sqrt k for independent uniform points) of data and embedding, for samples
of the same torus: in time, by arc length, at random times of a long orbit, at random but uniform by area, and even
(farthest point first).  A seed starts another window of 100 of the long orbit, other draws and another embedding.
(C3, C5: uniformity holds in expectation, with a CV of 1/sqrt k.)  The estimate of the dimension supposes independent
points: even ones raise it where few neighbours are taken.

Found: in equal times, as published, the second embedding is nearer to lines than the first at the scale of a few
neighbours, while over a hundred both are surfaces.  Sampled alike, the two tori do not differ: independent points,
uniform by area too, give strands, even points surfaces.  So it is the unevenness of the points among few neighbours
that costs a dimension there, and neither their density on the torus nor the volume that the flow preserves.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline
from scipy.spatial import KDTree

from umapinfo import Recording, embed
from umapinfo.plot import PALETTE

FLOWS = {
    "preserving": (
        [[0, -1, -1, 1, 1], [1, 0, -1, -1, 1], [1, 1, 0, -1, -1], [-1, 1, 1, 0, -1], [-1, -1, 1, 1, 0]],
        [0.25, 0.15, 0.1, 0.2, 0.3],
    ),
    "not_preserving": (
        [[0, -1, 1, -1, 1], [1, 0, -1, -1, 1], [-1, 1, 0, -1, 1], [1, 1, 1, 0, -1], [-1, -1, -1, 1, 0]],
        [0.25, 0.15, 0.1, 0.5, 0.3],
    ),
}
SAMPLES = {
    "time": 6,
    "arc": 6,
    "random": 6,
    "uniform": 6,
    "even": 6,
    "random_30": 30,
    "uniform_30": 30,
}  # n_neighbors of the embedding
STEP, PER_WINDOW = 0.05, 2000  # of the long orbit; a window of 100 time units
SEEDS, N = 3, 1000
SCALES = (5, 10, 20, 50, 100)
K, AREA_K = 15, 100  # neighbours whose ball's volume is taken; of the long orbit, for its density

Floats = np.ndarray


def numbers(options: Options) -> Mapping[str, Any]:
    """Facts, dimensions and evenness of both flows."""
    return {"poisson_cv": K**-0.5, "k_cv": K, "scales": SCALES, "flows": {key: of_flow(key, options) for key in FLOWS}}


def of_flow(name: str, options: Options) -> Mapping[str, Any]:
    """What the orbit is, and the samples of it and their embeddings."""
    W, start = (np.array(part, float) for part in FLOWS[name])
    orbit = long_orbit(W, start, 2 if options.quick else 10)
    area = radii(orbit, AREA_K)[:, -1] ** 2
    kinds = ("time", "even") if options.quick else tuple(SAMPLES)
    seeds = 2 if options.quick else SEEDS
    measured = {kind: [of_sample(kind, orbit, area, seed, options) for seed in range(seeds)] for kind in kinds}
    return {"facts": facts(W, orbit), "samples": {kind: summary(rows) for kind, rows in measured.items()}}


def long_orbit(W: Floats, start: Floats, n_windows: int) -> Floats:
    """The orbit every 0.05 time units, float64[2000 n_windows, 5]."""
    times = STEP * np.arange(n_windows * PER_WINDOW)
    settings = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-14, "t_eval": times}
    return solve_ivp(lambda _, x: 5 * x * (W @ x), (0, times[-1]), start, **settings).y.T


# ---- what the orbit is ---------------------------------------------------------------------------


def facts(W: Floats, orbit: Floats) -> dict[str, Any]:
    """Antisymmetry, divergence, integrals and their drift, frequencies, speeds."""
    cubic, n_cubic = cubic_integral(W)
    c = np.linalg.svd(W)[2][-1]
    c = c / c.sum()
    values = [orbit.sum(axis=1), np.log(orbit) @ c, monomials(orbit) @ cubic]
    independence = [np.linalg.svd(integral_gradients(x, c, cubic))[1][-1] for x in orbit[::100]]
    speed = np.linalg.norm(5 * orbit * (orbit @ W.T), axis=1)
    frequencies = np.sort(np.abs(np.linalg.eigvals(5 * np.diag(c * orbit[0].sum()) @ W).imag))[[2, 4]]
    area = radii(orbit, AREA_K)[:, -1] ** 2
    return {
        "antisymmetric": bool((W == -W.T).all()),
        "divergence_over_5": W.sum(axis=0),  # div = 5 sum_i (W x)_i: these are its coefficients of x / 5
        "kernel": c,
        "sum_x": orbit[0].sum(),
        "cubic_integrals": n_cubic,  # (sum x)^3 among them
        "smallest_singular_value_of_gradients": min(independence),  # of three unit vectors, along the orbit
        "drift": [np.ptp(value) / np.abs(value).max() for value in values],
        "frequencies_at_rest_point": frequencies,
        "speed_ratio": speed.max() / speed.min(),
        "x_min": orbit.min(),
        "dimension_of_long_orbit": dimension(orbit, AREA_K),
        "cv_of_area_per_point": np.std(area) / np.mean(area),
    }


EXPONENTS = np.array([e for e in product(range(4), repeat=5) if sum(e) == 3])
QUARTICS = {e: place for place, e in enumerate(e for e in product(range(5), repeat=5) if sum(e) == 4)}


def monomials(x: Floats) -> Floats:
    """All monomials of degree 3 of each row, [n, 35]."""
    return np.prod(x[:, None, :] ** EXPONENTS, axis=2)


def monomial_gradients(x: Floats) -> Floats:
    """Their gradients at a point without zeros, [35, 5]."""
    return monomials(x[None])[0][:, None] * EXPONENTS / x


def integral_gradients(x: Floats, c: Floats, cubic: Floats) -> Floats:
    """Unit gradients of sum x, sum_i c_i ln x_i and the cubic at a point, [3, 5]: independent ones have rank 3."""
    gradients = np.array([np.ones(5), c / x, cubic @ monomial_gradients(x)])
    return gradients / np.linalg.norm(gradients, axis=1, keepdims=True)


def cubic_integral(W: Floats) -> tuple[Floats, int]:
    """Coefficients of the integral orthogonal to (sum x)^3, and the dimension of all cubic integrals.

    d/dt x^e = 5 x^e sum_i e_i (W x)_i: a linear map from the cubics to the quartics, whose kernel is asked for.
    """
    rate = np.zeros((len(QUARTICS), len(EXPONENTS)))
    for column, exponents in enumerate(EXPONENTS):
        for i, factor in enumerate(exponents @ W):
            rate[QUARTICS[tuple(exponents + np.eye(5, dtype=int)[i])], column] += factor
    n_cubic = len(EXPONENTS) - np.linalg.matrix_rank(rate)
    kernel = np.linalg.svd(rate)[2][-n_cubic:]
    factorial = np.array([1, 1, 2, 6])
    power = kernel @ (6 / factorial[EXPONENTS].prod(axis=1))  # (sum x)^3 in that basis
    rest = np.linalg.svd(power[None])[2][1:] @ kernel
    return rest[0], int(n_cubic)


# ---- samples and their measures ------------------------------------------------------------------


def of_sample(kind: str, orbit: Floats, area: Floats, seed: int, options: Options) -> dict[str, Any]:
    """Dimension by scale and evenness of one sample and of its embedding."""
    X = sample(kind, orbit, area, seed, 300 if options.quick else N)
    settings: dict[str, Any] = {"n_epochs": 20} if options.quick else {}
    settings |= {"n_components": 3, "min_dist": 0.1 * 5**0.5, "recording": Recording(observers=()), "progress": False}
    trace = embed(X, SAMPLES[kind], seed=seed, **settings)
    return {"data": measures(X), "embedding": measures(trace["layouts"]["Y"][-1].values.astype(float))}


def sample(kind: str, orbit: Floats, area: Floats, seed: int, n: int) -> Floats:
    """Some points of an orbit, by the kinds of the module's docstring; of a window those that follow its start."""
    random = np.random.default_rng(seed)
    window = orbit[seed * PER_WINDOW % len(orbit) :][: 2 * n]
    if kind == "time":
        return window[::2]
    if kind == "arc":
        lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(window, axis=0), axis=1))])
        return CubicSpline(lengths, window)(np.linspace(0, lengths[-1], n, endpoint=False))
    if kind.startswith("random"):
        return orbit[random.choice(len(orbit), n, replace=False)]
    if kind == "even":
        return orbit[farthest_first(orbit, n, int(random.integers(len(orbit))))]
    return orbit[random.choice(len(orbit), n, replace=False, p=area / area.sum())]


def farthest_first(points: Floats, n: int, first: int) -> list[int]:
    """Places of points, each the farthest from those before."""
    chosen, nearest = [first], np.full(len(points), np.inf)
    while len(chosen) < n:
        nearest = np.minimum(nearest, np.square(points - points[chosen[-1]]).sum(axis=1))
        chosen.append(int(nearest.argmax()))
    return chosen


def radii(points: Floats, k: int) -> Floats:
    """Distances to the k nearest others, [n, k]."""
    return KDTree(points).query(points, k + 1)[0][:, 1:]


def dimension(points: Floats, k: int) -> float:
    """Levina and Bickel's estimate from k neighbours: (k - 2)/(k - 1) of 1 over the mean of ln(r_k / r_j), j < k."""
    r = radii(points, k)
    return (k - 2) / (k - 1) / float(np.log(r[:, -1:] / r[:, :-1]).mean())


def measures(points: Floats) -> dict[str, Any]:
    """Dimension by scale, and the CV of r_k^2."""
    volumes = radii(points, K)[:, -1] ** 2
    return {"dimension": [dimension(points, k) for k in SCALES], "cv": np.std(volumes) / np.mean(volumes)}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means and standard deviations over seeds."""
    found: dict[str, Any] = {"n_seeds": len(rows)}
    for space, key in product(("data", "embedding"), ("dimension", "cv")):
        values = np.array([row[space][key] for row in rows])
        found[f"{space}_{key}"] = values.mean(axis=0)
        found[f"{space}_{key}_sd"] = values.std(axis=0, ddof=1)
    return found


# ---- figure --------------------------------------------------------------------------------------

NAMES = {"preserving": "preserves $dx$", "not_preserving": "does not"}
MARKERS = {"preserving": "o", "not_preserving": "s"}
WORDS = {
    "time": "equal\ntimes",
    "arc": "equal\narcs",
    "random": "random\ntimes",
    "uniform": "random\nby area",
    "even": "even",
    "random_30": "times,\nk = 30",
    "uniform_30": "by area,\nk = 30",
}
COLOURS = dict(zip(FLOWS, (PALETTE[0], PALETTE[1]), strict=True))


def draw(found: Mapping[str, Any]) -> Figure:
    """Dimension by scale in time and even, dimension by sample, dimension against evenness."""
    figure, axes = panels(2, 2, height=2.7)
    draw_scales(found, "time", axes[0, 0])
    draw_scales(found, "even", axes[0, 1])
    draw_samples(found, axes[1, 0])
    draw_evenness(found, axes[1, 1])
    return figure


def at_10(found: Mapping[str, Any], kind: str) -> str:
    """The dimensions of both embeddings of a sample, from 10 neighbours, in words; nothing if it was not embedded."""
    tables = [found["flows"][name]["samples"].get(kind) for name in FLOWS]
    return " and ".join(f"{table['embedding_dimension'][1]:.2f}" for table in tables if table)


def draw_scales(found: Mapping[str, Any], kind: str, ax: Axes) -> None:
    """Dimension against the number of neighbours it is taken from: data dashed, embedding solid."""
    for name in FLOWS:
        for space, line in (("data", "--"), ("embedding", "-")):
            mean, sd = (found["flows"][name]["samples"][kind][f"{space}_dimension{end}"] for end in ("", "_sd"))
            settings = {"color": COLOURS[name], "marker": MARKERS[name], "ls": line, "capsize": 2}
            ax.errorbar(found["scales"], mean, sd, label=f"{NAMES[name]}: {space}", **settings)
    what = {"time": "Equal times", "even": "Even points, same tori"}[kind]
    ax.set(xlabel="neighbours taken", ylabel="dimension (max. likelihood)", xscale="log", ylim=(0.8, 4.1))
    ax.set_xticks(found["scales"], [str(k) for k in found["scales"]])
    ax.minorticks_off()
    ax.set_title(f"{what}: embeddings have dimension\n{at_10(found, kind)} at 10 neighbours", loc="left")
    ax.legend(loc="upper right")


def draw_samples(found: Mapping[str, Any], ax: Axes) -> None:
    """Dimension of the embedding from 10 neighbours, a place each sample."""
    kinds = [kind for kind in WORDS if kind in found["flows"]["preserving"]["samples"]]
    for name, shift in zip(FLOWS, (-0.1, 0.1), strict=True):
        rows = [found["flows"][name]["samples"][kind] for kind in kinds]
        means, sds = ([row[f"embedding_dimension{end}"][1] for row in rows] for end in ("", "_sd"))
        places = [place + shift for place in range(len(kinds))]
        ax.errorbar(places, means, sds, fmt=MARKERS[name], color=COLOURS[name], capsize=2, label=NAMES[name])
    ax.set_xticks(range(len(kinds)), [WORDS[kind] for kind in kinds], fontsize=6)
    ax.axhline(2, color="0.6", lw=0.6)
    ax.set(ylabel="dimension of the embedding", ylim=(0.8, 2.6))
    ax.set_title(f"Uniform but random: {at_10(found, 'uniform')};\neven: {at_10(found, 'even')}", loc="left")
    ax.legend(loc="upper left", ncols=2)


def draw_evenness(found: Mapping[str, Any], ax: Axes) -> None:
    """Dimension of the embedding against the CV of the data's volumes, samples embedded with 6 neighbours."""
    k, rows = found["k_cv"], []
    for name in FLOWS:
        of_flow = found["flows"][name]["samples"].items()
        rows = [(row["data_cv"], row["embedding_dimension"][1]) for kind, row in of_flow if SAMPLES[kind] == 6]
        ax.plot(*zip(*rows, strict=True), MARKERS[name], color=COLOURS[name], label=NAMES[name])
    ax.axvline(found["poisson_cv"], color="0.6", lw=0.6, ls="--", label=f"independent: {found['poisson_cv']:.2f}")
    ax.set(
        xlabel=f"CV of $r_{{{k}}}^2$ of the data", ylabel="dimension of the embedding", ylim=(0.8, 2.6), xlim=(0, 0.5)
    )
    most, least = min(rows), max(rows)
    first, last = (f"CV {cv:.2f}: {value:.2f}" for cv, value in (most, least))
    ax.set_title(f"Less even points, embedding nearer to lines\n(flow that does not: {first}, {last})", loc="left")
    ax.legend(loc="upper right")


if __name__ == "__main__":
    study(Study("replicator", (__doc__ or "").splitlines()[0], numbers, draw))
