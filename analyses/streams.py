"""Do umap-learn's random streams, which coincide in their first draws, show in the layouts?

umap-learn gives each vertex a Tausworthe state: three numbers of the run, the same for all, plus the bits of the
vertex's first coordinate as float64.  A float32 has zeros in the lowest 29 of these, so that the first words of all
vertices agree in their lowest four bits (the largest shift, 25, brings bit 29 to bit 4) though they are all different;
the second words agree in none.  The vertex drawn is the word modulo n: the first draws reach n / gcd(n, 16) vertices
only, 75 of iris' 150, 75 of 600, any of an odd n.

Part one counts how much the k-th draws of different vertices have in common, over seeds: distinct vertices drawn, pairs
of vertices that draw the same one (over chance, 1/n), for all pairs and for the two ends of edges, and the correlation
of the draws at the two ends.  The same of the counter streams, a vertex's k-th draw being that of its first entry in
epoch 2.  Part two counts how evenly a run's negative samples fall on the vertices: variance over mean of the counts per
vertex, in single epochs and in the whole run (chance: 1 - 1/n).  Part three runs both kinds from the same start with
the same seed, and compares what comes out, pair by pair of runs: mean difference (umap's streams less counters) with
95 % intervals of Student's t, in standard deviations over the counters' seeds too.  There are twelve intervals, none
corrected for their number: one in twenty leaves 0 out by chance.

Losses are KL in nats over unordered pairs; neighbours are 15 others, the vertex not counted.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _runs import CURVE, SHORT, Problem, problem, statistics
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import t as student

from umapinfo import Descent, epochs, initial_state
from umapinfo.core.lists import ATTRACTION, run_updates
from umapinfo.core.streams import counter_draw, epoch_key, initial_streams, tausworthe_draw
from umapinfo.plot import PALETTE

DATA = ("iris", "digits")
KINDS = ("umap", "counter")
N_DRAWS = 8
EPOCHS = (2, 3, 5, 10, 20, 50)  # whose negative samples are looked at alone; epoch 1 has none
LOOKS = {"umap": (PALETTE[1], "o", "umap-learn's streams"), "counter": (PALETTE[0], "s", "counters")}


def first_draws(given: Problem, kind: str, seed: int) -> NDArray[np.int64]:
    """The first draws of each vertex, int64[n, N_DRAWS]."""
    n = len(given.X)
    if kind == "umap":
        states = initial_streams("umap", seed, given.start)
        return np.array([[tausworthe_draw(state, n) for _ in range(N_DRAWS)] for state in states])
    key, places = np.uint64(epoch_key(np.uint64(seed), 2)), given.mu.indptr[:-1]
    return np.array([[counter_draw(key, entry, i, n) for i in range(N_DRAWS)] for entry in places])


def in_common(given: Problem, draws: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """What the k-th draws of different vertices have in common, for each k; the docstring of this file says what."""
    n, ends = len(draws), (draws[given.mu.heads], draws[given.mu.indices])
    counts = np.array([np.bincount(column, minlength=n) for column in draws.T])
    return {
        "distinct": (counts > 0).sum(axis=1).astype(np.float64),
        "same_over_chance": (counts * (counts - 1)).sum(axis=1) / (n - 1),
        "same_at_edges_over_chance": n * (ends[0] == ends[1]).mean(axis=0),
        "correlation_at_edges": np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(ends[0].T, ends[1].T, strict=True)]),
    }


def draws_of(given: Problem, kind: str, n_seeds: int) -> dict[str, Any]:
    """Means and standard deviations over seeds, for each draw."""
    found = [in_common(given, first_draws(given, kind, seed)) for seed in range(n_seeds)]
    every = {name: np.array([one[name] for one in found]) for name in found[0]}
    return {name: {"mean": value.mean(axis=0), "sd": value.std(axis=0, ddof=1)} for name, value in every.items()}


def unevenness(given: Problem, kind: str, seed: int) -> dict[str, float]:
    """Variance over mean of the negative samples per vertex, in epochs and in the run; no geometry is needed."""
    n, descent = len(given.X), Descent(n_epochs=given.n_epochs, streams=kind, seed=seed)
    states, total, found = initial_streams(kind, seed, given.start), np.zeros(n), {}
    for epoch, updates in enumerate(run_updates(given.mu, descent, states), start=1):
        counts = np.bincount(updates["tail"][updates["draw"] != ATTRACTION], minlength=n)
        total += counts
        if epoch in EPOCHS:
            found[str(epoch)] = counts.var() / counts.mean()
    return {**found, "all": total.var() / total.mean()}


def unevenness_of(given: Problem, kind: str, n_seeds: int) -> dict[str, list[float]]:
    """Mean and standard deviation over seeds."""
    found = [unevenness(given, kind, seed) for seed in range(n_seeds)]
    values = {name: np.array([one[name] for one in found]) for name in found[0]}
    return {name: [value.mean(), value.std(ddof=1)] for name, value in values.items()}


def outcome(given: Problem, kind: str, seed: int) -> list[float]:
    """The statistics of a run's last layout."""
    descent = Descent(n_epochs=given.n_epochs, streams=kind, seed=seed)
    state = initial_state(given.mu, descent, given.start)
    for _ in epochs(given.mu, CURVE, descent, state):
        pass
    return list(statistics(given, state.Y).values())


def differences(given: Problem, n_seeds: int) -> dict[str, Any]:
    """Paired differences of the statistics, umap less counter, with 95 % intervals."""
    runs = np.array([[outcome(given, kind, seed) for seed in range(n_seeds)] for kind in KINDS])
    found, half = {}, student.ppf(0.975, n_seeds - 1) / np.sqrt(n_seeds)
    for place, name in enumerate(statistics(given, given.start)):
        umap, counter = runs[:, :, place]
        off = umap - counter
        mean, width, sd = off.mean(), half * off.std(ddof=1), counter.std(ddof=1)
        found[name] = {
            "umap": umap.mean(),
            "counter": counter.mean(),
            "sd": [umap.std(ddof=1), sd],
            "difference": [mean, mean - width, mean + width],
            "difference_in_sd": [mean / sd, (mean - width) / sd, (mean + width) / sd],
        }
    return found


def study_of(name: str, quick: bool) -> dict[str, Any]:
    """Everything about one data set."""
    n, n_epochs, n_few, n_many = (60, 50, 3, 3) if quick else ({"iris": None, "digits": 600}[name], 500, 10, 20)
    given = problem(name, n, n_epochs)
    n = len(given.X)
    return {
        "n_vertices": n,
        "distinct_by_chance": n * (1 - (1 - 1 / n) ** n),
        "n_seeds": {"draws": n_few, "unevenness": n_few, "runs": n_many},
        "draws": {kind: draws_of(given, kind, n_few) for kind in KINDS},
        "unevenness": {kind: unevenness_of(given, kind, n_few) for kind in KINDS},
        "runs": differences(given, n_many),
    }


def numbers(options: Options) -> Mapping[str, Any]:
    """Iris and some of the digits."""
    return {name: study_of(name, options.quick) for name in DATA}


def draw_draws(name: str, found: Mapping[str, Any], ax: Axes) -> None:
    """How often two vertices draw the same one, by the number of the draw."""
    for kind, (colour, marker, label) in LOOKS.items():
        for key, style, pairs in (("same_over_chance", "-", "all pairs"), ("same_at_edges_over_chance", ":", "edges")):
            mean = found["draws"][kind][key]["mean"]
            ax.plot(range(1, len(mean) + 1), mean, color=colour, ls=style, marker=marker, label=f"{label}, {pairs}")
    ax.set(xlabel="draw of a vertex's stream", ylabel="same vertex drawn, over chance", yscale="log")
    distinct, chance = found["draws"]["umap"]["distinct"]["mean"][0], found["distinct_by_chance"]
    ax.set_title(
        f"{name}: the {found['n_vertices']} streams of umap-learn first\n"
        f"draw {distinct:.0f} vertices, by chance {chance:.0f}",
        loc="left",
    )
    ax.legend(loc="upper right")


def draw_unevenness(name: str, found: Mapping[str, Any], ax: Axes) -> None:
    """How evenly negative samples fall on the vertices."""
    known = found["unevenness"]
    names = [str(epoch) for epoch in EPOCHS if str(epoch) in known["umap"]] + ["all"]
    for kind, (colour, marker, label) in LOOKS.items():
        means, sds = zip(*(known[kind][epoch] for epoch in names), strict=True)
        places = np.arange(len(names)) + (0.08 if kind == "umap" else -0.08)
        ax.errorbar(places, means, sds, color=colour, marker=marker, ls="", capsize=2, label=label)
    ax.axhline(1, color="black", ls=":", lw=0.8)
    ax.set_xticks(range(len(names)), names)
    ax.set(xlabel="epoch", ylabel="variance over mean of samples", ylim=(0, None))
    ax.set_title(
        f"{name}: negative samples of a whole run,\nvariance {known['umap']['all'][0]:.2f} of chance's", loc="left"
    )
    ax.legend(loc="best")


def draw_differences(name: str, found: Mapping[str, Any], ax: Axes) -> None:
    """The paired differences of what comes out."""
    names = sorted(found["runs"])
    places = np.arange(len(names))
    middle, low, high = np.array([found["runs"][what]["difference_in_sd"] for what in names]).T
    ax.errorbar(middle, places, xerr=[middle - low, high - middle], fmt="o", color=PALETTE[0], capsize=2)
    ax.axvline(0, color="black", ls=":", lw=0.8)
    ax.set_yticks(places, [SHORT[what] for what in names])
    ax.set(xlabel="umap-learn's less counters (sd of seeds)", ylim=(len(names) - 0.5, -0.5))
    apart = int(((low > 0) | (high < 0)).sum())
    ax.set_title(
        f"{name}: {apart} of {len(names)} intervals without 0,\n{found['n_seeds']['runs']} paired seeds", loc="left"
    )


def draw(found: Mapping[str, Any]) -> Figure:
    """A column for each data set."""
    figure, axes = panels(3, len(DATA))
    for column, name in enumerate(DATA):
        draw_draws(name, found[name], axes[0, column])
        draw_unevenness(name, found[name], axes[1, column])
        draw_differences(name, found[name], axes[2, column])
    return figure


if __name__ == "__main__":
    study(Study("streams", (__doc__ or "").splitlines()[0], numbers, draw))
