"""Live comparison with umap-learn 0.5.12, from the same state each time; `pytest -s` shows the numbers.

At learning rate 1 the descent is chaotic: a start moved by one ulp ends elsewhere within an epoch, umap-learn's own as
well as ours, so that two correct programs with the law of umap-learn agree in no layout. What can be compared is
compared: one entry with its negatives, whole epochs at a small learning rate or late in a run, everything that is
drawn, and what layouts are worth.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from inspect import signature
from itertools import islice
from unittest import mock

import numba
import numpy as np
import pytest
import reference as ref
from numpy.typing import NDArray
from sklearn.manifold import trustworthiness

from umapinfo import datasets
from umapinfo.core.curve import Curve, fit_curve
from umapinfo.core.descent import State, apply_updates, epochs, initial_state, zero_counts
from umapinfo.core.graph import Graph, prune
from umapinfo.core.initial import initial_layout
from umapinfo.core.membership import fuzzy_graph
from umapinfo.core.neighbors import neighbors
from umapinfo.core.schedule import Descent, Due, Schedule, due_times, list_updates, schedule, update_buffer
from umapinfo.core.streams import tausworthe_draw

pytest.importorskip("umap", reason="umap-learn is not installed")
if version("umap-learn") != "0.5.12":
    pytest.skip("umap-learn is not 0.5.12, which this package states equality with", allow_module_level=True)

from umap.layouts import _nb_optimize_layout_euclidean_single_epoch as shipped
from umap.layouts import _optimize_layout_euclidean_single_epoch as source
from umap.layouts import optimize_layout_euclidean
from umap.umap_ import fuzzy_simplicial_set, simplicial_set_embedding
from umap.utils import tau_rand_int

pytestmark = pytest.mark.peer

SEEDS = range(5)
N_EPOCHS = 500
exact = numba.njit(source)  # umap-learn's own function, compiled without fastmath


def say(text):
    """A line for `pytest -s`."""
    sys.stdout.write(f"\n    {text}")


@dataclass(frozen=True)
class Case:
    """A data set on its way into the descent."""

    X: NDArray[np.float64]
    p: Graph
    mu: Graph
    curve: Curve
    start: NDArray[np.float32]


def case_of(name):
    X = datasets.load(name).X
    p = fuzzy_graph(neighbors(X, 15))
    mu = prune(p, N_EPOCHS)
    return Case(X, p, mu, fit_curve(), initial_layout(mu))


@pytest.fixture(scope="module")
def digits():
    return case_of("digits")


@pytest.fixture(scope="module")
def iris():
    return case_of("iris")


def umap_epoch(function, case, Y, plan, due, streams, number, alpha):
    """Epoch `number` by umap-learn, in place; what only densMAP reads is left empty."""
    none = np.zeros(1, np.float32)
    time, periods = number - 1, (plan.per_negative, due.negative, due.sample)
    drawing = (plan.per_sample, case.curve.a, case.curve.b, streams, 1.0, Y.shape[1], True, alpha)
    dens = (False, none, none, 0, 0, 0, 0, none, none, 0)
    function(Y, Y, plan.heads, plan.tails, len(Y), *drawing, *periods, time, *dens)


def numbers_drawn(before, due, plan):
    """Attractions and negatives that moved the due times of an epoch."""
    n_negatives = np.rint((due.negative - before.negative) / plan.per_negative)
    return int(np.sum(due.sample != before.sample)), int(n_negatives.sum())


def copies(due):
    return Due(*(times.copy() for times in due))


def largest(Y, other):
    return float(np.abs(Y.astype(np.float64) - other).max())


def one_ulp_on(Y):
    return np.nextafter(Y, np.float32(np.inf))


# ---- before the descent --------------------------------------------------------------------------


def test_streams__draw_what_umap_learn_draws():
    states = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, (100, 3))
    ours, theirs = states.copy(), states.copy()
    for mine, its in zip(ours, theirs, strict=True):
        for _ in range(20):
            assert tausworthe_draw(mine, 2**32) == tau_rand_int(its) % 2**32
    np.testing.assert_array_equal(ours, theirs)


def test_preparation__hands_the_descent_the_bits_that_umap_learns_does(digits):
    # From the same p, start and seed: entries in the same order, periods, start and random streams.
    case, graph = digits, digits.p.to_csr().astype(np.float32)
    with mock.patch("umap.umap_.optimize_layout_euclidean", side_effect=lambda Y, *_, **__: Y) as layout:
        settings = (2, 1.0, case.curve.a, case.curve.b, 1.0, 5.0, N_EPOCHS, case.X[:, 2:4], np.random.RandomState(11))
        simplicial_set_embedding(case.X, graph, *settings, "euclidean", {}, False, {}, False)
    call = signature(optimize_layout_euclidean).bind(*layout.call_args.args, **layout.call_args.kwargs).arguments
    descent = Descent(n_epochs=N_EPOCHS, streams="umap", seed=11)
    plan, n = schedule(case.mu, descent), case.mu.n_vertices
    np.testing.assert_array_equal(plan.heads, call["head"])
    np.testing.assert_array_equal(plan.tails, call["tail"])
    np.testing.assert_array_equal(plan.per_sample, call["epochs_per_sample"])
    # columns 2 and 3 have many equal rows, which either program parts by noise of its own: the start is theirs
    state = initial_state(case.mu, descent, call["head_embedding"])
    bits = call["head_embedding"][:, 0].astype(np.float64).view(np.int64)
    np.testing.assert_array_equal(state.streams, np.full((n, 3), call["rng_state"]) + bits[:, None])
