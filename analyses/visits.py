"""Is UMAP's choice of edges an importance sampling?

No (C12).  Importance sampling visits a term at a rate of one's choice and divides by that rate, so that the mean stays
the wanted sum.  UMAP visits an edge at a rate proportional to its weight and divides by nothing: an update's force is a
function of the layout alone.  So the weights of the sum are the rates.  Nor is it a sample: an entry's visits are not
drawn but due, floor((T - 1) mu / max mu) of them in T epochs, and scatter by rounding alone, not like counts drawn
by chance, whose variance is their mean.  The negative samples are drawn: heads as often as they are visited, tails
evenly, without weights either.

Counted from the updates of a run, each entry (an edge has two) by its attractions; mu is the pruned graph.  The weight
that a run gives an entry is its count times max mu / (T - 1).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _runs import CURVE, Problem, problem
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from umapinfo import Descent, epochs, initial_state
from umapinfo.core.lists import ATTRACTION
from umapinfo.plot import PALETTE

DATA = ("ring", "digits")


def counts_of(given: Problem) -> tuple[Any, Any, Any]:
    """Attractions of each entry, negative samples of each entry, negative samples by tail: int64 arrays."""
    n, m = given.mu.n_vertices, given.mu.n_entries
    descent = Descent(n_epochs=given.n_epochs)
    state = initial_state(given.mu, descent, given.start)
    attractions, negatives, tails = np.zeros(m, np.int64), np.zeros(m, np.int64), np.zeros(n, np.int64)
    for epoch in epochs(given.mu, CURVE, descent, state, keep_updates=range(1, given.n_epochs + 1)):
        assert epoch.updates is not None
        attracts = epoch.updates["draw"] == ATTRACTION
        attractions += np.bincount(epoch.updates["entry"][attracts], minlength=m)
        negatives += np.bincount(epoch.updates["entry"][~attracts], minlength=m)
        tails += np.bincount(epoch.updates["tail"][~attracts], minlength=n)
    return attractions, negatives, tails


def study_of(given: Problem) -> dict[str, Any]:
    """Counts beside the rates (T - 1) mu / max mu."""
    weight = given.mu.weight.astype(np.float64)
    rate = (given.n_epochs - 1) * weight / weight.max()
    attractions, negatives, tails = counts_of(given)
    bins = np.geomspace(rate.min(), rate.max(), 13)
    place = np.clip(np.digitize(rate, bins) - 1, 0, len(bins) - 2)
    of_bin = [place == one for one in range(len(bins) - 1) if (place == one).any()]
    visited = attractions > 0
    lost, slack = rate - attractions, 2e-7 * given.n_epochs  # a period is rounded to float32
    floored = (np.floor(rate - slack) <= attractions) & (attractions <= np.floor(rate + slack))
    return {
        "n_vertices": given.mu.n_vertices,
        "n_entries": given.mu.n_entries,
        "n_epochs": given.n_epochs,
        "attractions": int(attractions.sum()),
        "rate": [rate[here].mean() for here in of_bin],
        "mean": [attractions[here].mean() for here in of_bin],
        "least": [attractions[here].min() for here in of_bin],
        "largest": [attractions[here].max() for here in of_bin],
        "slope": float((attractions * rate).sum() / (rate**2).sum()),
        "correlation": float(np.corrcoef(attractions, rate)[0, 1]),
        "share_equal_to_floor": float(floored.mean()),
        "rate_less_count_least": lost.min(),
        "rate_less_count_largest": lost.max(),
        "variance_over_poisson": float(((attractions - rate) ** 2).sum() / rate.sum()),
        "entries_never_visited": int((~visited).sum()),
        "share_of_weight_lost": float(lost.sum() / rate.sum()),
        "negatives_an_attraction": float(negatives.sum() / attractions.sum()),
        "negatives_correlation_with_attractions": float(np.corrcoef(negatives, attractions)[0, 1]),
        "tails_variance_over_mean": float(tails.var() / tails.mean()),
    }


def numbers(options: Options) -> Mapping[str, Any]:
    """The ring of 1000 points and some of the digits."""
    size = {"ring": 80, "digits": 80} if options.quick else {"ring": 1000, "digits": 600}
    return {name: study_of(problem(name, size[name], 60 if options.quick else 500)) for name in DATA}


def draw_counts(name: str, found: Mapping[str, Any], ax: Axes) -> None:
    """Visits by rate, in bins of the rate."""
    rate, mean = np.array(found["rate"]), np.array(found["mean"])
    ax.plot(rate, rate, color="black", ls=":", label="the rate itself")
    ax.plot(rate, mean, "o", color=PALETTE[0], label="visits, mean of a bin")
    ax.plot(rate, rate - 0.5, color=PALETTE[1], ls="--", label="rate $-$ 1/2 (rounded down)")
    ax.set(xscale="log", yscale="log", xlabel="rate $(T - 1)\\,\\mu / \\max\\mu$", ylabel="visits of an entry")
    ax.set_title(
        f"{name}: visits go with the weight, slope {found['slope']:.3f},\n"
        f"and scatter by {found['variance_over_poisson']:.1g} of chance's variance",
        loc="left",
    )
    ax.xaxis.set_minor_formatter("")
    ax.yaxis.set_minor_formatter("")
    ax.set_xlim(1)
    ax.legend(loc="upper left")


def draw(found: Mapping[str, Any]) -> Figure:
    """A panel for each data set."""
    figure, axes = panels(1, len(DATA))
    for column, name in enumerate(DATA):
        draw_counts(name, found[name], axes[0, column])
    return figure


if __name__ == "__main__":
    study(Study("visits", (__doc__ or "").splitlines()[0], numbers, draw))
