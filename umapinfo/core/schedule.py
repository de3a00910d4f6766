"""The schedule: which entries are due in an epoch, and how many negative samples each then draws.

An entry of weight mu is due every epochs_per_sample = max(mu) / mu epochs, first at that time; whenever it is drawn it
also
draws int((epoch - next_negative) / epochs_per_negative) negative samples, epochs_per_negative = epochs_per_sample /
negative_sample_rate (umap-learn 0.5.12, layouts.py).  In T epochs an entry is drawn about (T - 1) mu / max(mu) times.

Epoch n of this package, 1 <= n <= T, is umap-learn's number n - 1: epoch 1 draws nothing.  Due times are float64 sums
as
there, and can be rebuilt for any epoch.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from umapinfo.core.graph import Graph, default_epochs
from umapinfo.core.streams import counter_draw, epoch_key, tausworthe_draw
from umapinfo.jit import jit

UPDATE = np.dtype([("head", np.int32), ("tail", np.int32), ("entry", np.int32), ("draw", np.int32)])
ATTRACTION = -1  # the value of "draw" that marks an attraction; 0, 1, ... number an entry's negative samples
BLOCK = 32_768  # updates listed at a time: 512 KiB
ORDERS = ("sequential",)
STREAMS = ("counter", "umap")


@dataclass(frozen=True, kw_only=True)
class Descent:
    """The settings of a run of the descent.

    Attributes
    ----------
    n_epochs : int >= 0, optional
        T; by default 500 up to 10,000 vertices and 200 above.
    learning_rate : float >= 0
        Step size at the start; falls linearly to 0.  Small: hardly moves; large: points jump about.
    negative_sample_rate : float in [0, 100,000]
        m_neg, repulsions drawn per attraction.
    repulsion_strength : float >= 0
        gamma, factor of every repulsion.
    order : "sequential"
        Updates are applied one after another, as umap-learn's seeded descent does.
    streams : "counter" or "umap"
        Where negative samples come from (see umapinfo.core.streams).
    push_tail : bool
        A negative sample's tail is pushed too, as in the effective loss; umap-learn moves the head alone.
    seed : int in [0, 2^32)
    """

    n_epochs: int | None = None
    learning_rate: float = 1.0
    negative_sample_rate: float = 5.0
    repulsion_strength: float = 1.0
    order: str = "sequential"
    streams: str = "counter"
    push_tail: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings outside their ranges; keep plain numbers (numpy's would take float32 steps in float64)."""
        for name, kind, low, high in (
            ("n_epochs", int, 0, 2**31),
            ("learning_rate", float, 0.0, math.inf),
            ("negative_sample_rate", float, 0.0, 1e5),
            ("repulsion_strength", float, 0.0, math.inf),
            ("seed", int, 0, 2**32 - 1),
        ):
            value = getattr(self, name)
            if name == "n_epochs" and value is None:
                continue
            real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
            if not (real and low <= value <= high and math.isfinite(value) and kind(value) == value):
                wanted = "whole" if kind is int else "finite"
                raise ValueError(f"{name}: expected a {wanted} number in [{low}, {high}], got {value!r}")
            object.__setattr__(self, name, kind(value))
        for name, word, words in (("order", self.order, ORDERS), ("streams", self.streams, STREAMS)):
            if word not in words:
                raise ValueError(f"{name}: expected one of {', '.join(map(repr, words))}, got {word!r}")
        if not isinstance(self.push_tail, bool):
            raise TypeError(f"push_tail: expected True or False, got {self.push_tail!r}")

    def epochs_for(self, n_vertices: int) -> int:
        """T for a graph of that many vertices."""
        return default_epochs(n_vertices) if self.n_epochs is None else self.n_epochs

    def alpha(self, number: int, n_epochs: int) -> float:
        """Learning rate of epoch `number` (1 ... T): full in epochs 1 and 2, then 1 - (number - 2) / T of it."""
        return self.learning_rate * (1.0 - max(number - 2, 0) / n_epochs)


class Schedule(NamedTuple):
    """What the lists of an epoch follow from: entries (int32) and periods (float64[n_entries], in epochs)."""

    heads: NDArray[np.int32]
    tails: NDArray[np.int32]
    per_sample: NDArray[np.float64]
    per_negative: NDArray[np.float64]


class Due(NamedTuple):
    """Next times at which each entry is due, and of its next negative sample: float64[n_entries]."""

    sample: NDArray[np.float64]
    negative: NDArray[np.float64]


def schedule(graph: Graph, descent: Descent) -> Schedule:
    """The schedule of a pruned graph: every entry is due each max(mu) / mu epochs (product in float32)."""
    n_epochs = descent.epochs_for(graph.n_vertices)
    if graph.n_entries == 0 or n_epochs == 0:
        per_sample = np.full(graph.n_entries, np.inf)
    else:
        per_sample = float(n_epochs) / (n_epochs * (graph.weight / graph.weight.max())).astype(np.float64)
    with np.errstate(divide="ignore"):
        per_negative = per_sample / float(descent.negative_sample_rate)
    return Schedule(graph.heads, graph.indices, per_sample, per_negative)


def due_times(plan: Schedule, epoch: int) -> Due:
    """Due times after `epoch` epochs, rebuilt by the additions that a run makes."""
    due = Due(plan.per_sample.copy(), plan.per_negative.copy())
    advance_due(plan, due, epoch)
    return due


@jit
def n_negatives(time: float, next_negative: float, per_negative: float) -> int:
    """How many negative samples an entry drawn at umap-learn's epoch `time` draws; none at rate 0."""
    if per_negative == np.inf:
        return 0
    return int((time - next_negative) / per_negative)


@jit
def advance_due(plan: Schedule, due: Due, epoch: int) -> None:
    """Move due times from the start to the end of epoch `epoch`, whose number in umap-learn is epoch - 1."""
    for e in range(plan.per_sample.shape[0]):
        time = -1.0
        while max(np.ceil(due.sample[e]), time + 1.0) <= epoch - 1:
            time = max(np.ceil(due.sample[e]), time + 1.0)
            drawn = n_negatives(time, due.negative[e], plan.per_negative[e])
            due.sample[e] += plan.per_sample[e]
            if drawn > 0:
                due.negative[e] += drawn * plan.per_negative[e]


@jit
def list_block(
    plan: Schedule,
    due: Due,
    epoch: int,
    first: int,
    room: int,
    counter: bool,
    seed: np.uint64,
    streams: NDArray[np.int64],
    n: int,
    updates: NDArray[np.void],
) -> tuple[int, int]:
    """List the updates of an epoch from entry `first` on, until fewer than `room` places are left in `updates`.

    The schedule and the streams move on; no geometry is read.  Each due entry gives its attraction, then its
    negative samples.  Returns the number listed and the entry to go on from.
    """
    time, key, listed, entry = epoch - 1, epoch_key(seed, epoch), 0, first
    while entry < plan.heads.shape[0] and listed + room <= updates.shape[0]:
        if due.sample[entry] <= time:
            head = plan.heads[entry]
            set_update(updates, listed, head, plan.tails[entry], entry, ATTRACTION)
            listed += 1
            due.sample[entry] += plan.per_sample[entry]
            drawn = n_negatives(time, due.negative[entry], plan.per_negative[entry])
            for i in range(drawn):
                tail = counter_draw(key, entry, i, n) if counter else tausworthe_draw(streams[head], n)
                set_update(updates, listed, head, tail, entry, i)
                listed += 1
            if drawn > 0:
                due.negative[entry] += drawn * plan.per_negative[entry]
        entry += 1
    return listed, entry


@jit
def set_update(updates: NDArray[np.void], t: int, head: int, tail: int, entry: int, draw: int) -> None:
    """Write update t."""
    updates[t]["head"] = head
    updates[t]["tail"] = tail
    updates[t]["entry"] = entry
    updates[t]["draw"] = draw


def list_updates(
    plan: Schedule,
    due: Due,
    epoch: int,
    descent: Descent,
    streams: NDArray[np.int64],
    n: int,
    buffer: NDArray[np.void],
) -> Iterator[NDArray[np.void]]:
    """The updates of an epoch in order of application, a block at a time: live views of `buffer`.

    Chance without geometry: which vertices move in epoch `epoch` follows from schedule and streams alone.
    """
    first, room = 0, most_updates(descent)
    while first < len(plan.heads):
        listed, first = list_block(
            plan,
            due,
            epoch,
            first,
            room,
            descent.streams == "counter",
            np.uint64(descent.seed),
            streams,
            n,
            buffer,
        )
        yield buffer[:listed]


def count_updates(graph: Graph, descent: Descent, epoch: int) -> int:
    """How many updates epoch `epoch` of a run on a pruned graph lists: known before the run, as chance has no part."""
    if epoch == 0:
        return 0
    plan, n = schedule(graph, descent), graph.n_vertices
    due, streams = due_times(plan, epoch - 1), np.zeros((n, 3), np.int64)
    return sum(len(block) for block in list_updates(plan, due, epoch, descent, streams, n, update_buffer(descent)))


def most_updates(descent: Descent) -> int:
    """The most updates that one entry lists in an epoch: its attraction and at most 2 m_neg + 2 negative samples."""
    return 3 + math.ceil(2 * descent.negative_sample_rate)


def update_buffer(descent: Descent) -> NDArray[np.void]:
    """A buffer for `list_updates`: a block that stays in the cache, with room for at least two entries."""
    return np.zeros(max(BLOCK, 2 * most_updates(descent)), UPDATE)
