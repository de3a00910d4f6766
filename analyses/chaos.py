"""Same seed, another machine, another picture: how fast does one ulp grow, and what does not care?

One coordinate of one vertex of the start is moved by one ulp of float32, seed and graph untouched, and the run is set
beside the unmoved one after every epoch.  With UMAP's learning rate of 1 the difference either grows by a factor of
hundreds to ten thousands an epoch, and is as large as the layout after two or three of them, or the rounding of a sum
takes it away for good (`died`).  At 0.1 it grows for longer, and stays smaller; at 0.01 it never shows.  So at the
usual rate any other rounding (of a mathematical library, of a compiler, of an order of updates) gives another picture,
as far from the first (Procrustes) as that of another seed.  It keeps more of the neighbourhoods than another seed does,
as the negative samples are the same.  What is said of the run as a whole stays: the means of losses, binarisation,
trustworthiness and recall over runs an ulp apart lie within one standard deviation of the means over seeds
(`compared`), and none scatters detectably more.  The attractions of each vertex stay to the number: the schedule
reads no geometry.

In the sequential order and in the blocked one; the figure is of the sequential order.  The distance of two layouts is
the root mean square over vertices, without alignment, over the radius (root mean square distance from the centre) of
the unmoved run's layout at that epoch.  Losses are KL in nats over unordered pairs; neighbours are 15 others, the
vertex not counted.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from _runs import CURVE, N_LISTED, SHORT, Problem, lists, problem, shared, statistics
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.spatial import procrustes
from scipy.stats import f, t

from umapinfo import Descent, epochs, initial_state
from umapinfo.plot import PALETTE

DATA = ("ring", "digits")
ORDERS = ("sequential", "blocked")
RATES = (1.0, 0.1, 0.01)
LARGE = 0.1  # radii: a difference that shows in the picture
SETTLED = 0.01  # radii: up to here a difference grows freely
LOOKS = {1.0: (PALETTE[0], "-"), 0.1: (PALETTE[1], "--"), 0.01: (PALETTE[2], "-.")}


class Run(NamedTuple):
    """Layouts float32[n_epochs + 1, n, d] after each epoch, and the attractions of each vertex, int64[n]."""

    layouts: NDArray[np.float32]
    attractions: NDArray[np.int64]


def run(given: Problem, start: NDArray[np.float32], **settings: Any) -> Run:
    """A run, all of its layouts kept."""
    descent = Descent(n_epochs=given.n_epochs, **settings)
    state = initial_state(given.mu, descent, start)
    layouts, attractions = [state.Y.copy()], np.zeros(len(start), np.int64)
    for epoch in epochs(given.mu, CURVE, descent, state):
        layouts.append(epoch.Y.copy())
        attractions += epoch.counts.attractions_scheduled
    return Run(np.array(layouts), attractions)


def moved_starts(start: NDArray[np.float32], count: int) -> list[NDArray[np.float32]]:
    """Starts that differ from the given one by one ulp up, in one coordinate of one vertex each."""
    random, starts = np.random.default_rng(0), []
    for vertex in random.choice(len(start), count, replace=False):
        moved = start.copy()
        moved[vertex, 0] = np.nextafter(moved[vertex, 0], np.float32(np.inf))
        starts.append(moved)
    return starts


def distances(one: Run, other: Run) -> NDArray[np.float64]:
    """Distance of the layouts after each epoch, in radii."""
    Y = one.layouts.astype(np.float64)
    apart = ((other.layouts - Y) ** 2).sum(axis=(1, 2))
    return np.sqrt(apart / ((Y - Y.mean(axis=1, keepdims=True)) ** 2).sum(axis=(1, 2)))


def first_at(distance: NDArray[np.float64], level: float) -> int | None:
    """The first epoch at which a distance reaches a level, or None."""
    reached = np.flatnonzero(distance >= level)
    return int(reached[0]) if len(reached) else None


def growth(distance: NDArray[np.float64]) -> float | None:
    """Mean factor an epoch, from epoch 1 (which moves nothing) until SETTLED is reached, or to the end.

    None where rounding took the difference away again.
    """
    end = first_at(distance, SETTLED) or len(distance) - 1
    return float((distance[end] / distance[1]) ** (1 / max(end - 1, 1))) if distance[end] > 0 else None


def growth_of(given: Problem, order: str, rate: float, count: int) -> dict[str, Any]:
    """How ulps grow at a learning rate; one row a perturbation."""
    settings = {"order": order, "learning_rate": rate}
    reference = run(given, given.start, **settings)
    found = np.array([distances(reference, run(given, Y, **settings)) for Y in moved_starts(given.start, count)])
    shown = np.unique(np.rint(np.geomspace(1, given.n_epochs, 17)).astype(int))
    return {
        "epochs": shown,
        "distances": found[:, shown],
        "growth_an_epoch": [growth(distance) for distance in found],
        "epoch_large": [first_at(distance, LARGE) for distance in found],
        "end": found[:, -1],
        "died": int((found[:, -1] == 0).sum()),
    }


def beside(given: Problem, reference: Run, others: list[Run]) -> dict[str, Any]:
    """Statistics of runs: means and standard deviations, and how much each run has in common with the reference."""
    Y = reference.layouts[-1]
    found = [statistics(given, other.layouts[-1]) for other in others]
    values = {name: np.array([one[name] for one in found]) for name in found[0]}
    return {
        "mean": {name: value.mean() for name, value in values.items()},
        "sd": {name: value.std(ddof=1) for name, value in values.items()},
        "neighbours_shared": [shared(lists(Y), lists(other.layouts[-1])) for other in others],
        "procrustes": [float(procrustes(Y, other.layouts[-1])[2]) for other in others],
        "vertices_of_other_attractions": max(int((o.attractions != reference.attractions).sum()) for o in others),
    }


def compared(ulp: Mapping[str, Any], seed: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Ratio of standard deviations and difference of means (ulp to seed, in the seeds' sd) with 95 % intervals."""
    found = {}
    for name, sd in seed["sd"].items():
        ratio, off = ulp["sd"][name] / sd, (ulp["mean"][name] - seed["mean"][name]) / sd
        bound, free = f.ppf(0.975, count - 1, count - 1) ** 0.5, 2 * count - 2
        width = t.ppf(0.975, free) * np.sqrt((1 + ratio**2) / count)
        found[name] = {"sd_ratio": [ratio, ratio / bound, ratio * bound], "offset": [off, off - width, off + width]}
    return found


def statistics_of(given: Problem, order: str, count: int) -> dict[str, Any]:
    """The unmoved run's statistics beside those of runs an ulp apart, and of other seeds."""
    reference = run(given, given.start, order=order)
    ulps = [run(given, Y, order=order) for Y in moved_starts(given.start, count)]
    seeds = [run(given, given.start, order=order, seed=seed) for seed in range(1, count + 1)]
    ulp, seed = beside(given, reference, ulps), beside(given, reference, seeds)
    return {
        "n_runs": count,
        "chance_of_sharing": N_LISTED / (len(given.X) - 1),
        "unmoved": statistics(given, reference.layouts[-1]),
        "ulp": ulp,
        "seed": seed,
        "compared": compared(ulp, seed, count),
    }


def numbers(options: Options) -> Mapping[str, Any]:
    """Ring and digits, in every order there is."""
    n, n_epochs, few, many = (80, 60, 2, 3) if options.quick else (600, 500, 5, 10)
    found: dict[str, Any] = {"large": LARGE, "settled": SETTLED, "n_vertices": n, "n_epochs": n_epochs}
    for order in ORDERS:
        found[order] = {}
        for name in DATA:
            given = problem(name, n, n_epochs)
            rates = {f"{rate:g}": growth_of(given, order, rate, few) for rate in RATES}
            found[order][name] = {"rates": rates, "statistics": statistics_of(given, order, many)}
    return found


def draw_growth(name: str, found: Mapping[str, Any], large: float, ax: Axes) -> None:
    """The distance to the unmoved run by epoch, for each learning rate."""
    for rate, (colour, style) in LOOKS.items():
        one = found["rates"][f"{rate:g}"]
        factors = [factor for factor in one["growth_an_epoch"] if factor is not None]
        label = f"$\\alpha_0$ = {rate:g}: factor {np.median(factors):.3g} an epoch" if factors else "died out"
        for row, distance in enumerate(one["distances"]):
            kept = [(epoch, value) for epoch, value in zip(one["epochs"], distance, strict=True) if value > 0]
            ax.plot(*zip(*kept, strict=True), color=colour, ls=style, lw=0.9, label=None if row else label)
    ax.axhline(large, color="black", ls=":", lw=0.8)
    ax.set(xscale="log", yscale="log", xlabel="epoch", ylabel="distance to unmoved run (radii)", ylim=(1e-10, 3e3))
    reached = [epoch for epoch in found["rates"]["1"]["epoch_large"] if epoch is not None]
    total = len(found["rates"]["1"]["epoch_large"])
    when = f"epoch {max(reached)}" if reached else "the end"
    ax.set_title(f"{name}: at rate 1, {len(reached)} of {total} ulps\nare {large:g} radii by {when}", loc="left")
    ax.legend(loc="upper left")


def draw_statistics(name: str, found: Mapping[str, Any], ax: Axes) -> None:
    """The scatter of each statistic over runs an ulp apart, and over seeds."""
    known = found["statistics"]
    names = sorted(known["unmoved"])
    places = np.arange(len(names))
    for key, marker, colour, label in (("ulp", "o", PALETTE[0], "one ulp aside"), ("seed", "s", PALETTE[1], "seeds")):
        scatter = [known[key]["sd"][what] / known[key]["mean"][what] for what in names]
        ax.plot(scatter, places + (0.12 if key == "seed" else -0.12), marker, color=colour, label=label)
    ax.set_yticks(places, [SHORT[what] for what in names])
    ax.set(xscale="log", xlabel="standard deviation over mean", ylim=(len(names) - 0.4, -0.6), xlim=(1e-5, 1))
    common = [np.mean(known[key]["neighbours_shared"]) for key in ("ulp", "seed")]
    ax.set_title(
        f"{name}: neighbours shared by runs an\nulp apart {common[0]:.0%}, by seeds {common[1]:.0%}", loc="left"
    )
    ax.legend(loc="upper center", bbox_to_anchor=(0.45, -0.22), ncols=2)


def draw(found: Mapping[str, Any]) -> Figure:
    """A column for each data set, of the sequential order."""
    order = found[ORDERS[0]]
    figure, axes = panels(2, len(DATA), height=2.7)
    for column, name in enumerate(DATA):
        draw_growth(name, order[name], found["large"], axes[0, column])
        draw_statistics(name, order[name], axes[1, column])
    return figure


if __name__ == "__main__":
    study(Study("chaos", (__doc__ or "").splitlines()[0], numbers, draw))
