"""How may an epoch be cut into blocks that run in parallel, and what does that do to the layout?

All vertices of a block move at once; each sees its own moves, and the others as they were before the block.  While they
move, an attraction cannot move its tail, which somebody else may be moving.  Two ways out:

    reactions   the library's blocked order: what an attraction does to its tail is added up, and done at the end of the
                block.  With blocks of one vertex it is nearly the sequential order, in float32.
    doubled     an attraction moves its head twice as far, and its tail not at all: the other entry of the edge does
                that, as often, when its turn comes.

In the sequential order an attraction moves both ends of its edge alike and leaves their centre where it is.  So it does
with reactions.  Doubled, the ends move at different times, from different places, and at UMAP's learning rates
attractions push neighbourhoods about.  The effective loss is higher whatever the size of a block, one vertex included,
which sees no old place at all.

How many blocks are within the spread of the sequential order's seeds?  One graph, one start, five seeds of the descent
(0 to 4) for each order.  The difference of the means over seeds is held against three rules:

    in_range         the mean lies in [min, max] of the five sequential runs
    in_two_errors    |difference| <= 2 SE, SE^2 = (s^2 + s_sequential^2) / 5, s the standard deviations over seeds
    in_four_tests    |difference| <= 3.2 SE: Student's test, 8 degrees of freedom, at 5 % / 4 (Bonferroni), so that of
                     an order that does not differ some of the four statistics fails at most 5 times in 100

Of one statistic that does not differ (normal values) the first rule fails 14 times in 100, the second 8 times: of four,
one that fails says little.  So the sequential order stands beside once more, with five other seeds.

Losses are KL in nats over unordered pairs (plus `entropy`: BCE); neighbours are 15 others, the vertex not counted.
Doubled attractions are run here, in float64, by a kernel that is slow and short, on the small data alone; negative
samples are the same in all runs of a seed.  The library's layouts are kept, and not run again.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from _quality import qualities
from _runs import CURVE, N_LISTED, Problem, last_layout, problem
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator
from numpy.typing import NDArray
from scipy.stats import t as student

from umapinfo import Descent
from umapinfo.core.calendar import block_starts
from umapinfo.core.curve import Curve
from umapinfo.core.forces import CLIP, attraction_factor, repulsion_factor
from umapinfo.core.lists import run_updates
from umapinfo.core.settings import N_BLOCKS
from umapinfo.core.streams import initial_streams
from umapinfo.jit import jit
from umapinfo.measures import effective_loss, purported_loss
from umapinfo.measures.loss import LossValues
from umapinfo.plot import PALETTE
from umapinfo.progress import Progress

SHOWN = ("effective KL", "purported KL", "trustworthiness", "recall of neighbours")
RULES = ("in_range", "in_two_errors", "in_four_tests")
BLOCKS = (1, 4, 16, 64)
DOUBLED = (1, 16)  # blocks; as many as vertices too
LOOKS = dict(zip(SHOWN, zip("osD^", PALETTE, strict=False), strict=True))

Way = tuple[str, int]  # "sequential" and the first seed, "reactions" or "doubled" and the number of blocks
Values = dict[str, NDArray[np.float64]]  # by seed, of each statistic


def numbers(options: Options) -> dict[str, Any]:
    """Each data set: statistics of the orders, and what of them is within the spread of the sequential order."""
    names = ("digits", "mammoth", "mnist") if options.full else ("ring", "digits")
    return {name: compared(name, options) for name in names}


def compared(name: str, options: Options) -> dict[str, Any]:
    """All numbers of a data set; `again` is the sequential order with other seeds."""
    n, n_epochs, n_seeds = (80, 60, 2) if options.quick else (None, None, 5)
    with Progress() as report:
        given = problem(name, n, n_epochs, report)
    doubled = () if options.full else (*DOUBLED, len(given.X))
    ways = [
        *(("sequential", first) for first in (0, n_seeds)),
        *(("reactions", number) for number in sorted(set(options.lists["blocks"]))),
        *(("doubled", number) for number in doubled),
    ]
    found = described(name, given, ways, n_seeds, options.traces)
    sequential = found.pop(("sequential", 0))
    judged = {way: {what: beside(values[what], sequential[what]) for what in SHOWN} for way, values in found.items()}
    by_kind = {
        kind: {str(at): one for (of, at), one in judged.items() if of == kind} for kind in ("reactions", "doubled")
    }
    effective, purported = losses(given, given.start)
    return {
        "n_vertices": len(given.X),
        "n_epochs": given.n_epochs,
        "n_seeds": n_seeds,
        "entropy": {"effective": effective.entropy, "purported": purported.entropy},
        "sequential": {what: spread(values) for what, values in sequential.items()},
        "again": judged["sequential", n_seeds],
        **by_kind,
        "fewest_blocks": {rule: fewest(by_kind["reactions"], rule) for rule in RULES},
    }


def described(name: str, given: Problem, ways: list[Way], n_seeds: int, folder: Path) -> dict[Way, Values]:
    """The statistics of each way to run an epoch, by seed."""
    runs = [(way, seed) for way in ways for seed in range(n_seeds)]
    with Progress() as report:
        layouts = []
        for done, (way, seed) in enumerate(runs):
            report(f"{name}: runs", done, len(runs))
            layouts.append(layout(name, given, way, seed, folder))
        kept = qualities(given.X, layouts, N_LISTED, report)
    lost = [[loss.kl for loss in losses(given, Y)] for Y in layouts]
    rows = np.hstack([lost, kept])
    by_way = np.split(rows, len(ways))
    return {way: dict(zip(SHOWN, part.T, strict=True)) for way, part in zip(ways, by_way, strict=True)}


def layout(name: str, given: Problem, way: Way, seed: int, folder: Path) -> NDArray[np.float32]:
    """The layout at the end of a run."""
    kind, number = way
    if kind == "doubled":
        return doubled_attractions(given, seed, number)
    if kind == "sequential":
        return last_layout(name, given, Descent(n_epochs=given.n_epochs, seed=number + seed), folder)
    descent = Descent(n_epochs=given.n_epochs, seed=seed, order="blocked", n_blocks=number)
    return last_layout(name, given, descent, folder)


def losses(given: Problem, Y: NDArray[np.float32]) -> tuple[LossValues, LossValues]:
    """Effective and purported loss."""
    descent = Descent(n_epochs=given.n_epochs)
    return effective_loss(given.mu, descent, Y, CURVE), purported_loss(given.mu, Y, CURVE)


def spread(values: NDArray[np.float64]) -> dict[str, Any]:
    """Mean, standard deviation, and all values by seed."""
    return {"mean": values.mean(), "sd": values.std(ddof=1), "by_seed": values}


def beside(values: NDArray[np.float64], sequential: NDArray[np.float64]) -> dict[str, Any]:
    """A statistic beside that of the sequential order: difference and its standard error, and the rules."""
    n, off = len(values), values.mean() - sequential.mean()
    error = np.sqrt((values.var(ddof=1) + sequential.var(ddof=1)) / n)
    return {
        **spread(values),
        "difference": off,
        "relative_difference": off / sequential.mean(),
        "standard_error": error,
        "in_range": bool(sequential.min() <= values.mean() <= sequential.max()),
        "in_two_errors": bool(abs(off) <= 2 * error),
        "in_four_tests": bool(abs(off) <= student.ppf(1 - 0.05 / len(SHOWN) / 2, 2 * n - 2) * error),
    }


def fewest(found: Mapping[str, Any], rule: str) -> int | None:
    """The number of blocks from which on no statistic fails a rule, all larger numbers included; None: the largest."""
    least = None
    for number in sorted(map(int, found), reverse=True):
        if not all(one[rule] for one in found[str(number)].values()):
            break
        least = number
    return least


def doubled_attractions(given: Problem, seed: int, n_blocks: int) -> NDArray[np.float32]:
    """The layout at the end of a run in blocks where attractions move their heads alone, twice as far."""
    descent = Descent(n_epochs=given.n_epochs, seed=seed)
    starts = block_starts(len(given.X), n_blocks)
    Y, streams = given.start.astype(np.float64), initial_streams("counter", seed, given.start)
    for number, updates in enumerate(run_updates(given.mu, descent, streams), start=1):
        named = (np.ascontiguousarray(updates[field]) for field in ("head", "tail", "draw"))
        move_in_blocks(*named, starts, descent.alpha(number, given.n_epochs), CURVE, Y)
    return Y.astype(np.float32)


@jit
def move_in_blocks(
    head: NDArray[np.int32],
    tail: NDArray[np.int32],
    draw: NDArray[np.int32],
    starts: NDArray[np.int64],
    alpha: float,
    curve: Curve,
    Y: NDArray[np.float64],
) -> None:
    """Apply an epoch's updates, sorted by head, in the blocks that begin at `starts`: heads move in `moved`."""
    moved, block = Y.copy(), 0
    for t in range(len(head)):
        i, j = head[t], tail[t]
        if i >= starts[block + 1]:  # all vertices of the block before have moved
            Y[starts[block] : i] = moved[starts[block] : i]
            while i >= starts[block + 1]:
                block += 1
        if i == j:
            continue
        d2 = np.sum((moved[i] - Y[j]) ** 2)
        if d2 == 0.0:
            continue
        pull = draw[t] < 0
        factor = attraction_factor(d2, curve) if pull else repulsion_factor(d2, curve, 1.0)
        rate = 2 * alpha if pull else alpha
        for axis in range(Y.shape[1]):
            force = factor * (moved[i, axis] - Y[j, axis])
            moved[i, axis] += min(max(force, -CLIP), CLIP) * rate
    Y[:] = moved


def draw(found: Mapping[str, Any]) -> Figure:
    """A row for each data set: differences by number of blocks, and those of doubled attractions, if any."""
    kinds = [kind for kind in ("reactions", "doubled") if all(one[kind] for one in found.values())]
    figure, axes = panels(len(found), len(kinds), height=2.7)
    for row, (name, one) in enumerate(found.items()):
        for column, kind in enumerate(kinds):
            draw_kind(one, kind, axes[row, column])
            axes[row, column].set_title(f"{name}: {finding(one, kind)}", loc="left")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    how = "filled: in the range of sequential seeds", "bars: two standard errors; seq.: sequential, other seeds"
    title = ("; " if len(kinds) > 1 else "\n").join(how)
    figure.legend(handles, labels, loc="outside lower center", ncols=2 * len(kinds), title=title, title_fontsize=7)
    return figure


def draw_kind(found: Mapping[str, Any], kind: str, ax: Axes) -> None:
    """Differences from the sequential order, in standard deviations of its seeds; leftmost the order itself again."""
    keys = sorted(found[kind], key=int)
    places = np.array([int(keys[0]) / 4, *map(int, keys)])
    for row, (what, (marker, colour)) in enumerate(LOOKS.items()):
        ax.plot([], [], marker, color=colour, ms=4, label=what)
        sd = found["sequential"][what]["sd"]
        if sd == 0:  # of two seeds that agree: no unit to draw in
            continue
        shown = [found["again"][what], *(found[kind][key][what] for key in keys)]
        for place, one in zip(places, shown, strict=True):
            at, off, reach = place * 1.17 ** (row - 1.5), one["difference"] / sd, 2 * one["standard_error"] / sd
            inside = colour if one["in_range"] else "white"
            ax.errorbar(at, off, reach, fmt=marker, color=colour, mfc=inside, ms=4, lw=0.9)
    ax.axhline(0, color="black", lw=0.6)
    ax.set_xscale("log")
    ax.set_yscale("symlog", linthresh=3)
    ax.set_xticks(places, ["seq.", *keys])
    ax.minorticks_off()
    ax.yaxis.set_major_locator(FixedLocator([sign * size for size in (0, 1, 3, 10, 30, 100, 300) for sign in (-1, 1)]))
    ax.yaxis.set_major_formatter(lambda y, _: f"{y:+g}".replace("-", "\N{MINUS SIGN}") if y else "0")
    ax.set_xlabel("blocks" if kind == "reactions" else "blocks, attractions doubled")
    ax.set_ylabel("difference (sequential s.d.)")


def finding(found: Mapping[str, Any], kind: str) -> str:
    """What a panel shows, in two lines."""
    if kind == "doubled":
        rises = [one["effective KL"]["relative_difference"] for one in found[kind].values()]
        return f"doubled attractions, in any\nblocks: effective KL {min(rises):+.0%} to {max(rises):+.0%}"
    number, most = found["fewest_blocks"]["in_four_tests"], max(map(int, found[kind]))
    few = min(found[kind], key=lambda key: abs(int(key) - N_BLOCKS))
    shifts = [found[kind][few][what]["relative_difference"] for what in ("effective KL", "purported KL")]
    told = f"not told apart from {number} blocks on" if number else f"told apart up to {most} blocks"
    return f"{told}\n{few} blocks: effective KL {shifts[0]:+.1%}, purported {shifts[1]:+.1%}"


if __name__ == "__main__":
    study(Study("blocks", (__doc__ or "").splitlines()[0], numbers, draw, full=True, lists={"blocks": BLOCKS}))
