"""The descent: list an epoch's updates, apply them, yield what happened.

    list_updates   (schedule, streams) -> updates, in order of application        chance, no geometry
    apply_updates  (updates, curve, alpha) -> the layout, moved                   geometry, no chance

An attraction of head i and tail j moves both by alpha times the clipped force, a repulsion the head alone (and the
tail with push_tail).  With Delta = y_i - y_j, s = |Delta|^2 and u = a s^b:

    attraction of i   -2 (u b / s) / (1 + c + u) Delta                       = -d/dy_i softplus(-theta)
    repulsion of i     2 gamma b / (0.001 + s) * r / (1 + c + u) Delta       = -d/dy_i gamma softplus(theta), but for
    0.001,
                       r = u / (c + u), which is 1 for UMAP's c = 0

each coordinate of the force clipped to +-4 before alpha.  The 0.001 and the clip belong to no loss.  A self-draw or a
coincident
pair moves nothing.  Distances are float32, forces float64, positions float32: umap-learn 0.5.12's arithmetic
(layouts.py) without its fastmath.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from umapinfo.core.checks import check_finite
from umapinfo.core.curve import Curve, checked_curve
from umapinfo.core.graph import Graph
from umapinfo.core.schedule import (
    ATTRACTION,
    UPDATE,
    Descent,
    due_times,
    list_updates,
    schedule,
    update_buffer,
)
from umapinfo.core.streams import initial_streams
from umapinfo.jit import jit

CLIP = 4.0
SOFTENING = 0.001


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


class Counts(NamedTuple):
    """What happened to each vertex in one epoch, int64[n] each.

    An attraction counts for head and tail, a repulsion for its head (and its tail with push_tail: a self-draw then
    counts twice at its vertex).  Self-draws and coincident pairs are scheduled, not realised: they move nothing.
    """

    attractions_scheduled: NDArray[np.int64]
    attractions_realised: NDArray[np.int64]
    repulsions_scheduled: NDArray[np.int64]
    repulsions_realised: NDArray[np.int64]


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


def zero_counts(n: int) -> Counts:
    """Counts of an epoch in which nothing happened."""
    return Counts(*(np.zeros(n, np.int64) for _ in range(4)))


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
    n_epochs, plan = descent.epochs_for(graph.n_vertices), schedule(graph, descent)
    due, buffer = due_times(plan, state.epoch), update_buffer(descent)
    counts, before = zero_counts(graph.n_vertices), state.copy()
    while state.epoch < n_epochs:
        number = state.epoch + 1
        alpha = descent.alpha(number, n_epochs)
        before.Y[:], before.streams[:] = state.Y, state.streams
        for count in counts:
            count[:] = 0
        kept: list[tuple[Any, Any]] = []
        try:
            for updates in list_updates(plan, due, number, descent, state.streams, graph.n_vertices, buffer):
                delta = np.empty((len(updates), state.Y.shape[1]), np.float32) if number in keep_updates else None
                apply_updates(
                    updates,
                    state.Y,
                    curve,
                    alpha,
                    descent.repulsion_strength,
                    descent.push_tail,
                    counts,
                    delta,
                )
                if delta is not None:
                    kept.append((updates.copy(), delta))
            state.epoch = number
        except BaseException:
            if state.epoch != number:  # cut off inside the epoch: back to the last whole one
                state.Y[:], state.streams[:] = before.Y, before.streams
            raise
        views = _read_only(state.Y), _read_only(before.Y), Counts(*map(_read_only, counts))
        yield Epoch(number, alpha, *views, *_joined(kept, number in keep_updates, state.Y.shape[1]))


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A view that cannot be written through: who watches a run cannot change it."""
    view = array.view()
    view.flags.writeable = False
    return view


def _joined(kept: list[tuple[Any, Any]], wanted: bool, dimension: int) -> tuple[Any, Any]:
    """The blocks' updates and differences as two arrays, or (None, None)."""
    if not wanted:
        return None, None
    empty = (np.zeros(0, UPDATE), np.zeros((0, dimension), np.float32))
    blocks = [empty, *kept]
    return np.concatenate([block[0] for block in blocks]), np.concatenate([block[1] for block in blocks])


@jit
def apply_updates(
    updates: NDArray[np.void],
    Y: NDArray[np.float32],
    curve: Curve,
    alpha: float,
    gamma: float,
    push_tail: bool,
    counts: Counts,
    delta: NDArray[np.float32] | None,
) -> None:
    """Apply updates in order; fill `delta` (an array or None) with the differences before each, add to `counts`."""
    for t in range(updates.shape[0]):
        head, tail = updates[t]["head"], updates[t]["tail"]
        attraction = updates[t]["draw"] == ATTRACTION
        d2 = squared_distance(Y, head, tail)
        if delta is not None:
            for axis in range(Y.shape[1]):
                delta[t, axis] = Y[head, axis] - Y[tail, axis]
        moved = bool(d2 > 0.0)
        if moved and attraction:
            move(Y, head, tail, attraction_factor(d2, curve), alpha, True)
        elif moved:
            move(Y, head, tail, repulsion_factor(d2, curve, gamma), alpha, push_tail)
        if attraction:
            count(counts.attractions_scheduled, counts.attractions_realised, head, tail, True, moved)
        else:
            count(counts.repulsions_scheduled, counts.repulsions_realised, head, tail, push_tail, moved)


@jit
def squared_distance(Y: NDArray[np.float32], i: int, j: int) -> np.float32:
    """|y_i - y_j|^2 summed in float32, as umap-learn's rdist."""
    d2 = np.float32(0.0)
    for axis in range(Y.shape[1]):
        difference = Y[i, axis] - Y[j, axis]
        d2 += difference * difference
    return d2


@jit
def attraction_factor(d2: np.float32, curve: Curve) -> float:
    """-2 a b s^(b-1) / (1 + c + a s^b): times Delta, the force of an attraction on its head."""
    return -2.0 * curve.a * curve.b * pow(d2, curve.b - 1.0) / (1.0 + curve.c + curve.a * pow(d2, curve.b))


@jit
def repulsion_factor(d2: np.float32, curve: Curve, gamma: float) -> float:
    """2 gamma b / (0.001 + s) r / (1 + c + a s^b), r = a s^b / (c + a s^b): times Delta, the force on its head."""
    scaled = curve.a * pow(d2, curve.b)
    factor = 2.0 * gamma * curve.b / ((SOFTENING + d2) * (1.0 + curve.c + scaled))
    return factor if curve.c == 0.0 else factor * scaled / (curve.c + scaled)


@jit
def move(Y: NDArray[np.float32], head: int, tail: int, factor: float, alpha: float, both: bool) -> None:
    """Move the head by alpha times the clipped force, and the tail against it if `both`."""
    for axis in range(Y.shape[1]):
        force = factor * (Y[head, axis] - Y[tail, axis])
        step = min(max(force, -CLIP), CLIP) * alpha
        Y[head, axis] += step
        if both:
            Y[tail, axis] -= step


@jit
def count(
    scheduled: NDArray[np.int64], realised: NDArray[np.int64], head: int, tail: int, both: bool, moved: bool
) -> None:
    """Add one update to its head's counts, and to its tail's if `both` ends move."""
    scheduled[head] += 1
    realised[head] += moved
    if both:
        scheduled[tail] += 1
        realised[tail] += moved
