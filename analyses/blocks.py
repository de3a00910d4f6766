"""How may an epoch be cut into blocks that run in parallel, and what does that do to the layout?

All vertices of a block move at once, each written by nobody else, so that an attraction cannot move its tail and counts
twice for its head instead.  Two ways to cut:

    blocks of vertices   block after block moves its own vertices; each sees its own moves, and the others as they were
                         before the block.  From one vertex to all of them.
    blocks of edges      the library's blocked order: every vertex moves in every block, by a share of the edges; an
                         attraction is taken from where both ends stood before the block.

In the sequential order an attraction moves both ends of its edge alike and leaves their centre where it is.  So it does
in blocks of edges.  In blocks of vertices it does not: the ends move at different times, from different places, and at
UMAP's learning rates attractions push neighbourhoods about.  Their effective loss is higher whatever the size of a
block, one vertex included, which sees no old place at all.

Means and standard deviations over seeds of the descent, one graph and one start.  Losses are KL in nats over unordered
pairs; neighbours are 15 others, the vertex not counted.  Blocks of vertices are run here, in float64, by a kernel that
is slow and short; negative samples are the same in all runs of a seed.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _runs import CURVE, SHORT, Problem, problem, statistics
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from umapinfo import Descent, epochs, initial_state
from umapinfo.core.curve import Curve
from umapinfo.core.forces import CLIP, attraction_factor, repulsion_factor
from umapinfo.core.lists import run_updates
from umapinfo.core.streams import initial_streams
from umapinfo.jit import jit
from umapinfo.plot import PALETTE

SHOWN = ("effective KL", "purported KL", "trustworthiness", "recall of neighbours")


def numbers(options: Options) -> dict[str, Any]:
    """Statistics of the sequential order and of both kinds of blocks, on ring and digits."""
    n, n_epochs, n_seeds = (80, 60, 2) if options.quick else (None, 500, 5)
    return {name: compared(problem(name, n, n_epochs), n_seeds) for name in ("ring", "digits")}


def compared(given: Problem, n_seeds: int) -> dict[str, Any]:
    """Mean and standard deviation over seeds of each statistic, for each way to run an epoch."""
    n = len(given.X)
    sizes = [size for size in (1, 16, 256) if size < n] + [n]
    return {
        "n_vertices": n,
        "sequential": over_seeds(given, [blocked_by_edges(given, seed, None) for seed in range(n_seeds)]),
        "edges": {
            str(n_blocks): over_seeds(given, [blocked_by_edges(given, seed, n_blocks) for seed in range(n_seeds)])
            for n_blocks in (1, 2, 4, 8, 16)
        },
        "vertices": {
            str(size): over_seeds(given, [blocked_by_vertices(given, seed, size) for seed in range(n_seeds)])
            for size in sizes
        },
    }


def over_seeds(given: Problem, layouts: list[NDArray[np.float32]]) -> dict[str, list[float]]:
    """Mean and standard deviation of the statistics shown."""
    found = [statistics(given, Y) for Y in layouts]
    values = {name: np.array([one[name] for one in found]) for name in SHOWN}
    return {name: [float(value.mean()), float(value.std(ddof=1))] for name, value in values.items()}


def blocked_by_edges(given: Problem, seed: int, n_blocks: int | None) -> NDArray[np.float32]:
    """The last layout of a run of the library; None: in the sequential order."""
    order = {} if n_blocks is None else {"order": "blocked", "n_blocks": n_blocks}
    descent = Descent(n_epochs=given.n_epochs, seed=seed, **order)  # type: ignore[arg-type]
    state = initial_state(given.mu, descent, given.start)
    for _ in epochs(given.mu, CURVE, descent, state):
        pass
    return state.Y


def blocked_by_vertices(given: Problem, seed: int, size: int) -> NDArray[np.float32]:
    """The last layout of a run in blocks of `size` vertices."""
    descent = Descent(n_epochs=given.n_epochs, seed=seed)
    Y, streams = given.start.astype(np.float64), initial_streams("counter", seed, given.start)
    for number, updates in enumerate(run_updates(given.mu, descent, streams), start=1):
        named = (np.ascontiguousarray(updates[field]) for field in ("head", "tail", "draw"))
        move_in_blocks(*named, size, descent.alpha(number, given.n_epochs), CURVE, Y)
    return Y.astype(np.float32)


@jit
def move_in_blocks(
    head: NDArray[np.int32],
    tail: NDArray[np.int32],
    draw: NDArray[np.int32],
    size: int,
    alpha: float,
    curve: Curve,
    Y: NDArray[np.float64],
) -> None:
    """Apply an epoch's updates, sorted by head, in blocks of vertices: heads move in `moved`, tails stand in Y."""
    moved, block = Y.copy(), 0
    for t in range(len(head)):
        i, j = head[t], tail[t]
        if i // size != block:  # all vertices of the block before have moved
            Y[:] = moved
            block = i // size
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
    """A row for each data set, a column for each statistic, the sequential order as a band."""
    figure, axes = panels(len(found), len(SHOWN), height=2.2)
    for row, (data, of_data) in enumerate(found.items()):
        for column, name in enumerate(SHOWN):
            draw_statistic(of_data, name, axes[row, column])
            axes[row, column].set_title(f"{data}: {SHORT.get(name, name)}")
    axes[0, 0].legend(loc="best", fontsize="small")
    return figure


def draw_statistic(found: Mapping[str, Any], name: str, ax: Axes) -> Axes:
    """One statistic by the share of a block, of vertices or of edges."""
    mean, sd = found["sequential"][name]
    ax.axhspan(mean - sd, mean + sd, color="0.8", label="sequential")
    n = found["n_vertices"]
    for kind, label, colour, marker in (("edges", "edges", PALETTE[0], "o"), ("vertices", "vertices", PALETTE[1], "s")):
        shares = [1 / int(key) if kind == "edges" else int(key) / n for key in found[kind]]
        values = np.array([found[kind][key][name] for key in found[kind]])
        ax.errorbar(
            shares, values[:, 0], values[:, 1], color=colour, marker=marker, ms=3, lw=1, label=f"blocks of {label}"
        )
    ax.set_xscale("log")
    ax.set_xlabel("share of the whole in a block")
    return ax


if __name__ == "__main__":
    study(Study("blocks", (__doc__ or "").splitlines()[0], numbers, draw))
