"""Lists of updates: who moves towards or away from whom in an epoch.  Chance, no geometry.

What is due in a part of the vertices (a slice of the calendar) becomes a flat list: for each entry that is due its
tail, as ~tail, for the attraction, then the vertices that its negative samples draw.  `UPDATE` records say the same in
full.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from umapinfo.core.calendar import (
    PART,
    Calendar,
    Schedule,
    draw_counts,
    due_times,
    new_calendar,
    parts_of,
    schedule,
    turned,
)
from umapinfo.core.graph import Graph
from umapinfo.core.settings import Descent
from umapinfo.core.streams import (
    GOLDEN,
    HALF_BITS,
    LOW_HALF,
    epoch_key,
    first_counter,
    mix,
    tausworthe_draw,
    vertices_of,
)
from umapinfo.jit import jit

UPDATE = np.dtype([("head", np.int32), ("tail", np.int32), ("entry", np.int32), ("draw", np.int32)])
PAIRS = 4  # words that are written for any entry: the draws of most
SPARE = 16  # places of `flat` after each part, which hold nothing: at least 2 PAIRS may be written, all of them read
ATTRACTION = -1  # the value of "draw" that marks an attraction; 0, 1, ... number an entry's negative samples


Kept = tuple[NDArray[np.void], NDArray[np.float32]]  # records, and differences float32[n_updates, d] before each


class Lists(NamedTuple):
    """Lists of some parts, a row r each: its vertex vertices[r, v] does flat[starts[r, v]:starts[r, v + 1]].

    Attributes
    ----------
    n_vertices : int32[n_parts]
        Vertices of the part that have something to do; only so many places of a row count.
    vertices : int32[n_parts, PART]
    pulls : int32[n_parts, PART + 1]
        How many attractions the lists of the vertices before have.
    starts : int64[n_parts, PART + 1]
    flat : int32
        ~tail of an attraction, or the vertex that a negative sample draws.
    """

    n_vertices: NDArray[np.int32]
    vertices: NDArray[np.int32]
    pulls: NDArray[np.int32]
    starts: NDArray[np.int64]
    flat: NDArray[np.int32]


@jit
def tail_of(listed: int) -> np.uintp:
    """The tail of an update from its place in a flat list."""
    return np.uintp(listed ^ (listed >> 31))


@jit
def empty_lists(book: Calendar, first: int, end: int, epoch: int) -> Lists:
    """Lists of the parts `first` to `end` in an epoch of a calendar, with their places and not yet filled."""
    n_parts, starts = end - first, np.empty((end - first, PART + 1), np.int64)
    size = 0
    for r in range(n_parts):
        starts[r, 0] = size
        size += book.n_updates[first + r, epoch - book.epoch - 1] + SPARE
    names = np.empty((n_parts, PART), np.int32), np.empty((n_parts, PART + 1), np.int32)
    return Lists(np.empty(n_parts, np.int32), names[0], names[1], starts, np.empty(size, np.int32))


@jit
def fill_list(
    plan: Schedule,
    book: Calendar,
    part: int,
    epoch: int,
    seed: np.uint64,
    streams: NDArray[np.int64] | None,
    n: int,
    r: int,
    lists: Lists,
) -> None:
    """Fill row r with a part's list in an epoch; streams None or int64[0, 3]: counter streams, else umap-learn's.

    With None, what umap-learn's streams take is not compiled.
    """
    first, end = book.starts[part, epoch - book.epoch - 1], book.starts[part, epoch - book.epoch]
    entries, drawn = book.entries[first:end], book.drawn[first:end]
    vertices, starts, pulls = lists.vertices[r], lists.starts[r], lists.pulls[r]
    at, here, v, n_due = np.uintp(starts[0]), np.int32(-1), np.uintp(0), np.uintp(end - first)
    pulls[0] = 0
    for k in range(n_due):  # without a branch: where the next vertex begins, a processor cannot foretell
        head = plan.heads[np.uintp(entries[k])]
        v += np.uintp(head != here)  # so many have begun
        here = head
        at += np.uintp(1 + drawn[k])
        vertices[v - np.uintp(1)], starts[v], pulls[v] = head, at, k + np.uintp(1)
    lists.n_vertices[r] = v
    flat = lists.flat[starts[0] : at + np.uintp(SPARE)]
    if streams is None or len(streams) == 0:
        fill_counter_draws(entries, drawn, epoch_key(seed, epoch), n, flat)
    else:
        fill_tausworthe_draws(plan.heads, entries, drawn, streams, n, flat)
    at = np.uintp(0)
    for k in range(n_due):
        flat[at] = ~plan.tails[np.uintp(entries[k])]
        at += np.uintp(1 + drawn[k])


@jit
def fill_counter_draws(
    entries: NDArray[np.int32], drawn: NDArray[np.int32], key: np.uint64, n: int, flat: NDArray[np.int32]
) -> None:
    """Fill the draws of counter streams, two to a word.

    Words are mixed in a loop of their own, which LLVM writes in vectors, and PAIRS of them are written and read for
    each entry, needed or not: how many are needed, a processor cannot foretell.
    """
    words, w = np.empty((len(flat) + len(entries)) // 2 + PAIRS, np.uint64), np.uintp(0)
    for k in range(np.uintp(len(entries))):
        counter, n_words = first_counter(key, entries[k]), np.uintp((drawn[k] + 1) >> 1)
        for i in range(PAIRS):
            words[w + np.uintp(i)] = counter + np.uint64(i) * GOLDEN
        for i in range(PAIRS, n_words):
            words[w + np.uintp(i)] = counter + np.uint64(i) * GOLDEN
        w += n_words
    for i in range(w):
        words[i] = vertices_of(mix(words[i]), n)
    at, w = np.uintp(1), np.uintp(0)
    for k in range(np.uintp(len(entries))):
        n_words = np.uintp((drawn[k] + 1) >> 1)
        for i in range(PAIRS):
            put_pair(flat, at + np.uintp(2 * i), words[w + np.uintp(i)])
        for i in range(PAIRS, n_words):
            put_pair(flat, at + np.uintp(2 * i), words[w + np.uintp(i)])
        at += np.uintp(1 + drawn[k])
        w += n_words


@jit
def put_pair(flat: NDArray[np.int32], at: np.uintp, pair: np.uint64) -> None:
    """Write the two vertices of a word."""
    flat[at], flat[at + np.uintp(1)] = np.int32(pair & LOW_HALF), np.int32(pair >> HALF_BITS)


@jit
def fill_tausworthe_draws(
    heads: NDArray[np.int32],
    entries: NDArray[np.int32],
    drawn: NDArray[np.int32],
    streams: NDArray[np.int64],
    n: int,
    flat: NDArray[np.int32],
) -> None:
    """Fill the draws of umap-learn's streams, which move on."""
    at = 0
    for k in range(len(entries)):
        state = streams[heads[entries[k]]]
        for i in range(drawn[k]):
            flat[at + 1 + i] = tausworthe_draw(state, n)
        at += 1 + drawn[k]


@jit
def write_updates(plan: Schedule, book: Calendar, part: int, epoch: int, flat: NDArray[np.int32]) -> NDArray[np.void]:
    """The records of a part's list."""
    updates, at = np.empty(len(flat), UPDATE), 0
    for place in range(book.starts[part, epoch - book.epoch - 1], book.starts[part, epoch - book.epoch]):
        entry = book.entries[place]
        for draw in range(-1, book.drawn[place]):
            updates[at]["head"] = plan.heads[entry]
            updates[at]["tail"] = tail_of(flat[at])
            updates[at]["entry"] = entry
            updates[at]["draw"] = draw
            at += 1
    return updates


@jit
def list_part(
    plan: Schedule, book: Calendar, part: int, epoch: int, seed: np.uint64, streams: NDArray[np.int64] | None, n: int
) -> Lists:
    """The list of one part in an epoch of a calendar, as row 0."""
    lists = empty_lists(book, part, part + 1, epoch)
    fill_list(plan, book, part, epoch, seed, streams, n, 0, lists)
    return lists


def records(
    plan: Schedule, book: Calendar, first: int, epoch: int, lists: Lists, delta: NDArray[np.float32]
) -> Iterator[Kept]:
    """The records of lists of the parts from `first` on, part by part, and the differences that stand with them."""
    for r, n in enumerate(lists.n_vertices):
        span = slice(lists.starts[r, 0], lists.starts[r, n])
        yield write_updates(plan, book, first + r, epoch, lists.flat[span]), delta[span]


def run_updates(
    graph: Graph, descent: Descent, streams: NDArray[np.int64], after: int = 0
) -> Iterator[NDArray[np.void]]:
    """The records of each epoch after `after` of a run on a pruned graph, in order of application; streams move on.

    Which vertices move in an epoch follows from schedule and streams alone: no layout is needed.
    """
    n, plan = graph.n_vertices, schedule(graph, descent)
    due, bounds = due_times(plan, after), parts_of(plan, n, descent.n_blocks_for(n))
    book = new_calendar(plan, bounds, after)
    for epoch in range(after + 1, descent.epochs_for(n) + 1):
        if epoch > book.last:
            book = turned(book, plan, due, bounds)
        listed = [np.zeros(0, UPDATE)]
        for part in range(len(book.starts)):
            lists = list_part(plan, book, part, epoch, np.uint64(descent.seed), streams if len(streams) else None, n)
            listed += [updates for updates, _ in records(plan, book, part, epoch, lists, np.empty(0, np.float32))]
        yield np.concatenate(listed)


def count_updates(graph: Graph, descent: Descent, epoch: int) -> int:
    """How many updates epoch `epoch` of a run on a pruned graph lists: known before the run, as chance has no part."""
    if epoch == 0:
        return 0
    plan, draws = schedule(graph, descent), np.empty(graph.n_entries, np.int32)
    draw_counts(plan, due_times(plan, epoch - 1), np.uintp(0), float(epoch - 1), draws)
    return int((draws + 1).sum())
