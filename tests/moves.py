"""Small runs, and updates one at a time through the descent's own kernels, for tests."""

import numpy as np
from scipy.sparse import csr_matrix

from umapinfo.core.calendar import PART
from umapinfo.core.counts import count_list, zero_counts
from umapinfo.core.curve import Curve, checked_curve
from umapinfo.core.descent import epochs, initial_state
from umapinfo.core.forces import EVERY_TAIL, PULLED_TAIL, at_rate, motion_of
from umapinfo.core.graph import graph_from_csr, prune
from umapinfo.core.lanes import empty_lanes, several_axes, walk
from umapinfo.core.lists import SPARE, UPDATE, Lists
from umapinfo.core.settings import Descent
from umapinfo.core.timetable import timetable

CURVE = Curve(1.5, 0.875)  # near UMAP's own, exact


def small_case(n_epochs=30, n=60, **settings):
    """A graph, settings and a start, all multiples of 1/64: the same bits on any machine."""
    i, j = np.indices((n, n))
    W = np.triu(((i * j + 3 * (i + j)) % 65) * ((i * i + j * j) % 7 == 1), 1) / 64
    v = np.arange(n)
    start = np.column_stack([(37 * v * v + 11 * v) % 640, (v**3 + 53 * v) % 640]) / 64
    return prune(graph_from_csr(W + W.T), n_epochs), Descent(n_epochs=n_epochs, **settings), start


def wide_case(n_epochs=14, n=2 * PART + 300, **settings):
    """A ring with chords over some parts, three hubs; from places on a grid, some close, some the same."""
    i, hubs = np.arange(n), np.array([5, PART + 7, 2 * PART + 9])
    steps = [csr_matrix((np.full(n, w), (i, (i + k) % n)), shape=(n, n)) for k, w in [(1, 1.0), (17, 0.5), (450, 0.25)]]
    spokes = csr_matrix((np.full(300, 0.75), (np.repeat(hubs, 100), np.arange(300) * 4 % n)), shape=(n, n))
    W = sum(steps) + spokes
    W.setdiag(0)
    start = np.column_stack([(37 * i * i + 11 * i) % 640, (i**3 + 53 * i) % 640]) / 64
    mu = prune(graph_from_csr(W.maximum(W.T).minimum(1)), n_epochs)
    return mu, Descent(n_epochs=n_epochs, **settings), start


def run_through(mu, descent, start, **options):
    """The state after the last epoch."""
    state = initial_state(mu, descent, start)
    for _ in epochs(mu, CURVE, descent, state, **options):
        pass
    return state


def same_bits(state, other):
    return (
        state.epoch == other.epoch
        and state.Y.tobytes() == other.Y.tobytes()
        and state.streams.tobytes() == other.streams.tobytes()
    )


def updates_of(*rows):
    """Updates from tuples (head, tail, entry, draw)."""
    return np.array(list(rows), dtype=UPDATE)


def list_of(head, tail, draw):
    """A list of one vertex that has one update."""
    vertices, starts = np.zeros((1, PART), np.int32), np.zeros((1, PART + 1), np.int64)
    vertices[0, 0], starts[0, 1] = head, 1
    pulls, flat = np.zeros((1, PART + 1), np.int32), np.zeros(1 + SPARE, np.int32)
    pulls[0, 1], flat[0] = draw < 0, ~tail if draw < 0 else tail
    return Lists(np.ones(1, np.int32), vertices, pulls, starts, flat)


def applied(updates, Y, curve, alpha=1.0, gamma=1.0, push_tail=False):
    """A moved copy of Y, the counts, and the differences before each update, as the sequential order applies them.

    Counts of an attraction are those of its head's list: twice at the head, which stand for the other entry's too.
    """
    moved, counts = np.array(Y, dtype=np.float32, order="C"), zero_counts(len(Y))
    delta, none = np.full((len(updates), moved.shape[1]), np.nan, np.float32), np.empty((0, moved.shape[1]), np.int32)
    still = motion_of(checked_curve(Curve(*curve)), float(gamma), EVERY_TAIL if push_tail else PULLED_TAIL)
    motion = at_rate(still, alpha)
    for t, (head, tail, _, draw) in enumerate(updates.tolist()):
        lists, lanes = list_of(head, tail, draw), empty_lanes(1, moved.shape[1], motion)
        before = np.empty((len(lists.flat), moved.shape[1]), np.float32)
        count_list(lists, 0, push_tail, counts)
        table = timetable(lists, 0, 1, np.zeros((1, PART), np.int32))
        walk(lanes, table, moved, several_axes(moved), motion, counts, before, moved, none, np.empty(0, np.int64))
        delta[t] = before[0]
    return moved, counts, delta
