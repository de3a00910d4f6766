"""The calendar: which entries are due in which epoch, and how many negative samples each then draws.

An entry of weight mu is due every per_sample = max(mu) / mu epochs, first at that time; whenever it is drawn it also
draws int((epoch - next_negative) / per_negative) negative samples, per_negative = per_sample / negative_sample_rate
(umap-learn 0.5.12, layouts.py).  In T epochs an entry is drawn about (T - 1) mu / max(mu) times.  Due times are float64
sums as there, and can be rebuilt for any epoch.

Epoch n of this package, 1 <= n <= T, is umap-learn's number n - 1: epoch 1 draws nothing.

What is due is listed some epochs ahead: part by part (a *part* is a range of vertices, whose due times stay in the
cache), within a part epoch by epoch, in order of entries.
"""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from umapinfo.core.graph import Graph
from umapinfo.core.settings import Descent
from umapinfo.jit import jit, parallel_jit

PART = 256  # vertices: the lists of a part stay in the cache
FEW = 50_000  # entries, for which no threads are started: safe after a fork, and from threads of the caller
AT_A_TIME = 4_000_000  # attractions listed ahead, 8 bytes each


class Schedule(NamedTuple):
    """What the lists of an epoch follow from: entries (int32) by heads, and periods (float64[n_entries], in epochs)."""

    heads: NDArray[np.int32]
    tails: NDArray[np.int32]
    per_sample: NDArray[np.float64]
    per_negative: NDArray[np.float64]


class Due(NamedTuple):
    """Next times at which each entry is due, and of its next negative sample: float64[n_entries]."""

    sample: NDArray[np.float64]
    negative: NDArray[np.float64]


class Calendar(NamedTuple):
    """What is due in some epochs: of part r in epoch `epoch` + 1 + t the places starts[r, t] to starts[r, t + 1].

    Attributes
    ----------
    epoch : int
    starts : int64[n_parts, n_epochs + 1]
    n_updates : int64[n_parts, n_epochs]
        Attractions and negative samples of the part in the epoch.
    entries, drawn : int32[at least as many as there are places]
        An entry that is due, and its number of negative samples.
    """

    epoch: int
    starts: NDArray[np.int64]
    n_updates: NDArray[np.int64]
    entries: NDArray[np.int32]
    drawn: NDArray[np.int32]

    @property
    def last(self) -> int:
        """The last epoch of the calendar."""
        return self.epoch + self.starts.shape[1] - 1


def schedule(graph: Graph, descent: Descent) -> Schedule:
    """The schedule of a pruned graph: every entry is due each max(mu) / mu epochs (product in float32)."""
    n_epochs = descent.epochs_for(graph.n_vertices)
    if graph.n_entries == 0 or n_epochs == 0:
        per_sample = np.full(graph.n_entries, np.inf)
    else:
        per_sample = float(n_epochs) / (n_epochs * (graph.weight / graph.weight.max())).astype(np.float64)
    with np.errstate(divide="ignore", over="ignore"):
        per_negative = per_sample / float(descent.negative_sample_rate)
    return Schedule(graph.heads, graph.indices, per_sample, per_negative)


def block_starts(n: int, n_blocks: int) -> NDArray[np.int64]:
    """Where the vertices of each block begin, and the end."""
    return np.arange(n_blocks + 1) * n // n_blocks


def part_starts(n: int, n_blocks: int) -> NDArray[np.int64]:
    """Where the vertices of each part begin, and the end: of each block so many alike that none has more than PART."""
    starts = block_starts(n, n_blocks)
    sizes = np.diff(starts)
    n_parts = -(-sizes // PART)
    number = np.arange(n_parts.sum()) - np.repeat(np.cumsum(n_parts) - n_parts, n_parts)  # of a part in its block
    within = number * np.repeat(sizes, n_parts) // np.repeat(n_parts, n_parts)
    return np.append(np.repeat(starts[:-1], n_parts) + within, n)


def parts_of(plan: Schedule, n: int, n_blocks: int) -> NDArray[np.int64]:
    """Where the entries of each part begin, and the end."""
    return np.searchsorted(plan.heads, part_starts(n, n_blocks)).astype(np.int64)


def due_times(plan: Schedule, epoch: int) -> Due:
    """Due times after `epoch` epochs, rebuilt by the additions that a run makes."""
    due = Due(plan.per_sample.copy(), plan.per_negative.copy())
    if epoch > 0:  # a run from its start needs no kernel for it
        advance_due(plan, due, epoch)
    return due


def new_calendar(plan: Schedule, bounds: NDArray[np.int64], epoch: int) -> Calendar:
    """A calendar with room for as many epochs as are listed at a time, and none listed.

    bounds int64[n_parts + 1]: where the entries of each part begin, and the end.
    """
    n_epochs = int(min(max(AT_A_TIME / max(float((1.0 / plan.per_sample).sum()), 1.0), 1.0), 32.0))
    # Times at least per_sample apart in n_epochs, a sum's rounding allowed for; and a place after each part's last
    most = np.minimum(np.floor(n_epochs / plan.per_sample * (1 + 1e-9)) + 1, n_epochs)
    ends = np.concatenate([[0], np.cumsum(most.astype(np.int64))])[bounds[1:]] + np.arange(1, len(bounds))
    starts = np.zeros((len(bounds) - 1, n_epochs + 1), np.int64)
    starts[1:, 0] = ends[:-1]
    room = int(ends[-1])
    n_updates = np.zeros((len(bounds) - 1, n_epochs), np.int64)
    return Calendar(epoch - n_epochs, starts, n_updates, np.empty(room, np.int32), np.empty(room, np.int32))


def turned(book: Calendar, plan: Schedule, due: Due, bounds: NDArray[np.int64]) -> Calendar:
    """The calendar of the epochs that follow, in the same memory; due times move on to its end."""
    book = book._replace(epoch=book.last)
    if len(plan.heads) <= FEW:
        for r in range(len(book.starts)):
            fill_part(plan, due, bounds[r], bounds[r + 1], book, r)
    else:
        fill_calendar(plan, due, bounds, book)
    return book


@jit
def n_negatives(time: float, next_negative: float, per_negative: float) -> int:
    """How many negative samples an entry drawn at umap-learn's epoch `time` draws; none at rate 0."""
    passed = (time - next_negative) / per_negative if per_negative < np.inf else 0.0
    return np.int32(max(passed, 0.0))  # type: ignore[return-value]


@jit
def advance_due(plan: Schedule, due: Due, epoch: int) -> None:
    """Move due times from the start to the end of epoch `epoch`, whose number in umap-learn is epoch - 1."""
    for e in range(plan.per_sample.shape[0]):
        time = np.ceil(due.sample[e])
        while time <= epoch - 1:
            draws = n_negatives(time, due.negative[e], plan.per_negative[e])
            due.sample[e] += plan.per_sample[e]
            due.negative[e] = due.negative[e] + draws * plan.per_negative[e] if draws > 0 else due.negative[e]
            time = max(np.ceil(due.sample[e]), time + 1.0)


@parallel_jit
def fill_calendar(plan: Schedule, due: Due, bounds: NDArray[np.int64], book: Calendar) -> None:
    """List what is due in the epochs of a calendar, and move due times on."""
    for r in numba.prange(book.starts.shape[0]):
        fill_part(plan, due, bounds[r], bounds[r + 1], book, r)


@jit
def fill_part(plan: Schedule, due: Due, first: int, end: int, book: Calendar, r: int) -> None:
    """List what is due of the entries `first` to `end`, those of part r, and where each epoch's end."""
    draws, at = np.empty(end - first, np.int32), np.uintp(book.starts[r, 0])
    for t in range(book.n_updates.shape[1]):
        draw_counts(plan, due, np.uintp(first), float(book.epoch + t), draws)
        n_updates = 0
        for k in range(len(draws)):  # without a branch: a third of the entries, anywhere, is due
            book.entries[at], book.drawn[at] = first + k, draws[k]
            at += np.uintp(draws[k] >= 0)
            n_updates += draws[k] + 1
        book.starts[r, t + 1], book.n_updates[r, t] = at, n_updates


@jit
def draw_counts(plan: Schedule, due: Due, first: np.uintp, time: float, draws: NDArray[np.int32]) -> None:
    """How many negatives entry first + k draws at umap-learn's epoch `time`, -1 if it is not due; due times move on."""
    for k in range(len(draws)):
        e = first + np.uintp(k)
        sample, negative, per_negative = due.sample[e], due.negative[e], plan.per_negative[e]
        is_due = sample <= time
        count = n_negatives(time, negative, per_negative)
        due.sample[e] = sample + plan.per_sample[e] if is_due else sample
        due.negative[e] = negative + count * per_negative if is_due and count > 0 else negative
        draws[k] = count if is_due else -1
