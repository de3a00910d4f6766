"""The descent: epoch after epoch, list what is due, apply it, yield what happened.

What is due and which vertices are drawn (`umapinfo.core.calendar`, `umapinfo.core.lists`) is chance without geometry;
how the listed updates move the layout (`umapinfo.core.lanes`, in the order of `umapinfo.core.sequential` or
`umapinfo.core.blocked`) is geometry without chance.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from umapinfo.core import blocked, sequential
from umapinfo.core.calendar import due_times, new_calendar, parts_of, schedule, turned
from umapinfo.core.checks import check_finite
from umapinfo.core.counts import Counts, zero_counts
from umapinfo.core.curve import Curve, checked_curve
from umapinfo.core.forces import EVERY_TAIL, LATER_TAIL, PULLED_TAIL, at_rate, motion_of
from umapinfo.core.graph import Graph
from umapinfo.core.lists import UPDATE, Kept
from umapinfo.core.settings import Descent
from umapinfo.core.streams import initial_streams


@dataclass
class State:
    """All that the next epoch needs and that cannot be rebuilt; due times are rebuilt from the schedule.

    Attributes
    ----------
    Y : float32[n, d], the layout after `epoch` epochs
    epoch : int
    streams : int64[n, 3] for streams="umap", int64[0, 3] for "counter"
    """

    Y: NDArray[np.float32]
    epoch: int
    streams: NDArray[np.int64]

    def copy(self) -> "State":
        """A checkpoint."""
        return State(self.Y.copy(), self.epoch, self.streams.copy())


@dataclass
class Epoch:
    """One applied epoch; its arrays are read-only live views, overwritten by the next epoch: copy what you keep.

    Attributes
    ----------
    number : int
        How many epochs have been applied; 0 is the start.
    alpha : float
        Learning rate of this epoch.
    Y, Y_before : float32[n, d]
        The layout after and before this epoch.
    counts : Counts
    updates : structured array of UPDATE, or None unless asked for
        In order of application.
    delta : float32[m, d], or None unless asked for
        Y[head] - Y[tail] just before each update.
    """

    number: int
    alpha: float
    Y: NDArray[np.float32]
    Y_before: NDArray[np.float32]
    counts: Counts
    updates: NDArray[np.void] | None = None
    delta: NDArray[np.float32] | None = None


def initial_state(graph: Graph, descent: Descent, Y0: Any) -> State:
    """The state before the first epoch: a float32 copy of Y0 as it stands, and fresh streams.

    Raises
    ------
    ValueError
        Unless Y0 is a finite array [n_vertices, d >= 1].
    """
    if np.asarray(Y0).dtype.kind not in "biuf":
        raise TypeError(f"start: expected real numbers, got dtype {np.asarray(Y0).dtype}")
    start = np.array(Y0, dtype=np.float32, order="C")
    if start.ndim != 2 or len(start) != graph.n_vertices or start.shape[1] < 1:
        raise ValueError(f"start: expected shape [{graph.n_vertices}, d], got {start.shape}; give a row per vertex")
    check_finite(start, "start")
    return State(start, 0, initial_streams(descent.streams, descent.seed, start))


def epochs(
    graph: Graph, curve: Curve, descent: Descent, state: State, *, keep_updates: Collection[int] = ()
) -> Iterator[Epoch]:
    """The loop: applies epoch after epoch to `state`, up to n_epochs, and yields each.

    Leaving the loop stops the run; an interrupt (Ctrl-C) leaves `state` at a whole epoch, from which another call goes
    on
    with the same bits.

    Parameters
    ----------
    graph : Graph
        The pruned graph mu.
    curve : Curve
    descent : Descent
    state : State
        Moved in place.
    keep_updates : collection of int
        Epochs whose updates and differences are to be yielded too; takes 16 + 4 d bytes an update.

    Yields
    ------
    Epoch

    Raises
    ------
    TypeError, ValueError
        For a curve that is none, or a state of another graph or another kind of streams.
    """
    curve = checked_curve(curve)
    n_streams = graph.n_vertices if descent.streams == "umap" else 0
    if (len(state.Y), len(state.streams)) != (graph.n_vertices, n_streams):
        raise ValueError(
            f"state: expected {graph.n_vertices} vertices and {n_streams} streams, got {len(state.Y)} and "
            f"{len(state.streams)}; make it with initial_state(graph, descent, Y0)"
        )
    n_epochs, move = descent.epochs_for(graph.n_vertices), mover(graph, curve, descent, state)
    counts, before = zero_counts(graph.n_vertices), state.copy()
    while state.epoch < n_epochs:
        number = state.epoch + 1
        alpha = descent.alpha(number, n_epochs)
        before.Y[:], before.streams[:] = state.Y, state.streams
        for count in counts:
            count[:] = 0
        try:
            updates, delta = move(number, alpha, counts, number in keep_updates)
            state.epoch = number
        except BaseException:
            if state.epoch != number:  # cut off inside the epoch: back to the last whole one
                state.Y[:], state.streams[:] = before.Y, before.streams
            raise
        views = _read_only(state.Y), _read_only(before.Y), Counts(*map(_read_only, counts))
        yield Epoch(number, alpha, *views, updates, delta)


def mover(graph: Graph, curve: Curve, descent: Descent, state: State) -> Callable[..., Any]:
    """What moves a state on by an epoch: move(number, alpha, counts, keep) -> (updates, delta) or (None, None)."""
    n, seed, plan = graph.n_vertices, np.uint64(descent.seed), schedule(graph, descent)
    n_blocks = descent.n_blocks_for(n)
    due, bounds = due_times(plan, state.epoch), parts_of(plan, n, n_blocks)
    book, is_blocked = new_calendar(plan, bounds, state.epoch), descent.order == "blocked"
    blocks = blocked.blocks_of(plan, n, state.Y.shape[1], n_blocks) if is_blocked else None
    tails = LATER_TAIL if is_blocked else EVERY_TAIL if descent.push_tail else PULLED_TAIL
    most = int(np.diff(graph.indptr).max(initial=0))
    still = motion_of(curve, descent.repulsion_strength, tails, most)
    nothing: Kept = np.zeros(0, UPDATE), np.zeros((0, state.Y.shape[1]), np.float32)

    def move(number: int, alpha: float, counts: Counts, keep: bool) -> tuple[Any, Any]:
        """Move the state by epoch `number`, list more of the calendar where it ends, and return what is to be kept."""
        nonlocal book
        if number > book.last:
            book = turned(book, plan, due, bounds)
        motion = at_rate(still, alpha)
        kept: list[Kept] | None = [nothing] if keep else None
        if blocks is not None:
            blocked.move_epoch(plan, book, blocks, number, seed, state.Y, motion, counts, kept)
        else:
            sequential.move_epoch(plan, book, number, seed, state.streams, state.Y, motion, counts, kept)
        if kept is None:
            return None, None
        updates, delta = zip(*kept, strict=True)
        return np.concatenate(updates), np.concatenate(delta)

    return move


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A view that cannot be written through: who watches a run cannot change it."""
    view = array.view()
    view.flags.writeable = False
    return view
