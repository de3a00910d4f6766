"""The forecast of memory beside the arrays that there are, and beside what stages and runs were seen to hold."""

import gc
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from umapinfo import Descent, Recording, epochs, fit_curve, fuzzy_graph, initial_layout, initial_state, run
from umapinfo.core import calendar, forecast
from umapinfo.core.graph import csr_graph
from umapinfo.core.neighbors import neighbors
from umapinfo.measures import BinarisationObserver, DegreeObserver, LossObserver
from umapinfo.trace.forecast import known_bytes, n_updates, recorded_bytes, run_stages
from umapinfo.trace.record import start_epoch
from umapinfo.trace.recording import plan_of

ROOT = Path(__file__).parents[1]
ORDERS = ["sequential", "blocked"]
INSTRUMENTS = [DegreeObserver, BinarisationObserver, LossObserver]
N, HALF, N_AXES = 20_000, 10, 2
CURVE = fit_curve()


def lattice(n, half):
    """Each vertex and the `half` after it, with random weights: a graph of 2 n half entries without a search."""
    heads = np.repeat(np.arange(n), half)
    tails = (heads + np.tile(np.arange(1, half + 1), n)) % n
    weights = np.random.default_rng(0).uniform(0.01, 1, len(heads)).astype(np.float32)
    weights[0] = 1
    directed = scipy.sparse.csr_matrix((weights, (heads, tails)), shape=(n, n))
    return csr_graph(directed + directed.T)


def layout(n):
    return np.random.default_rng(1).normal(0, 5, (n, N_AXES)).astype(np.float32)


@pytest.fixture(scope="module")
def graph():
    found = lattice(N, HALF)
    assert len(found.heads) == len(found.weight)  # made and kept: they are part of what is given
    return found


@pytest.fixture(scope="module")
def fuzzy():
    """Neighbour lists of a few points, and their fuzzy graph."""
    found = neighbors(np.random.default_rng(0).normal(size=(500, 3)), 8)
    return found, fuzzy_graph(found)


class Traced:
    """What numpy, not a kernel, holds beside what was there at the start, in bytes: now, and at most."""

    def __enter__(self):
        gc.collect()
        tracemalloc.start()
        return self

    def __exit__(self, *error):
        tracemalloc.stop()

    @property
    def now(self):
        return tracemalloc.get_traced_memory()[0]

    @property
    def most(self):
        return tracemalloc.get_traced_memory()[1]


def n_bytes(*arrays):
    return sum(np.asarray(array).nbytes for array in arrays)


# ---- the arithmetic ----------------------------------------------------------------------------------


def test_lists_rows_and_graph__take_the_bytes_of_their_arrays(fuzzy):
    found, p = fuzzy
    sizes = forecast.sizes_of(p, N_AXES)
    assert forecast.lists_bytes(sizes) == n_bytes(*found)
    # The last place of indptr, 8 bytes, is left out; and that of the rows is the graph's in number
    assert forecast.csr_bytes(sizes) == n_bytes(p.indptr, p.indices, p.weight) - 8
    assert forecast.rows_bytes(sizes) == n_bytes(*vars(p.rows).values()) - 8


def test_expected_sizes__are_those_of_a_graph_within_what_a_union_can_be(fuzzy):
    p = fuzzy[1]
    expected, found = forecast.expected_sizes(p.n_vertices, 8, N_AXES), forecast.sizes_of(p, N_AXES)
    assert expected[:3] == found[:3]
    # A union has one to two times the entries and the mass of the rows, and of rows without ties the mass is log2 k
    for of_rows, name in [(found.n_listed, "n_entries"), (p.n_vertices * 3, "n_due")]:
        assert of_rows * (1 - 1e-5) <= getattr(found, name) <= 2 * of_rows
        assert of_rows <= getattr(expected, name) <= 2 * of_rows


@pytest.mark.parametrize("at_a_time", [1, 200_000, 4_000_000])
@pytest.mark.parametrize("settings", [{}, {"order": "blocked"}, {"order": "blocked", "n_blocks": N}], ids=str)
def test_calendar__takes_what_is_forecast(graph, settings, at_a_time, monkeypatch):
    for module in (calendar, forecast):
        monkeypatch.setattr(module, "AT_A_TIME", at_a_time)
    descent = Descent(n_epochs=100, **settings)
    plan = calendar.schedule(graph, descent)
    book = calendar.new_calendar(plan, calendar.parts_of(plan, N, descent.n_blocks_for(N)), 0)
    # A place an entry is forecast beside those for what is due; half a place is left over, on average
    expected = forecast.calendar_bytes(forecast.sizes_of(graph, N_AXES), descent.n_blocks_for(N))
    assert 0.99 <= expected / n_bytes(book.entries, book.drawn, book.starts, book.n_updates) <= 1.25


@pytest.mark.parametrize("order", ORDERS)
def test_updates__are_as_many_as_forecast(graph, order):
    descent = Descent(n_epochs=40, order=order)
    run_through = epochs(graph, CURVE, descent, initial_state(graph, descent, layout(N)), keep_updates=[40])
    (counts,) = [len(epoch.updates) for epoch in run_through if epoch.updates is not None]
    # The forecast is the mean over epochs: of hundreds of thousands of entries, one epoch has about as many
    assert counts == pytest.approx(n_updates(forecast.sizes_of(graph, N_AXES), descent), rel=0.05)


@pytest.mark.parametrize("streams", ["counter", "umap"])
def test_trace_in_memory__takes_what_is_forecast(fuzzy, streams):
    p, descent = fuzzy[1], Descent(n_epochs=20, streams=streams)
    observers, start = [kind() for kind in INSTRUMENTS], layout(p.n_vertices)
    recording = Recording(epochs=[0, 3, 9, 20], checkpoints=[7], updates=[10, 20], observers=observers)
    trace = run(p, CURVE, descent, start, recording, progress=False)
    arrays = [values for group in trace.subtree for values in group.to_dataset().variables.values()]
    scalars = [values for values in arrays if "vertex" not in values.dims and "epoch" in values.dims]
    sizes, plan = forecast.sizes_of(p, N_AXES), plan_of(recording, 20)
    takes = [observer.memory(p.n_vertices, p.n_entries) for observer in observers]
    expected = known_bytes(sizes) + recorded_bytes(sizes, descent, takes, plan)
    found = n_bytes(*(values.values for values in arrays)) - n_bytes(*(values.values for values in scalars))
    # Two epochs' updates, a tenth of the trace, are the mean's within a tenth
    assert expected == pytest.approx(found, rel=0.02)


@pytest.mark.parametrize("kind", INSTRUMENTS)
def test_observers__return_what_they_say(graph, kind):
    observer, descent = kind(), Descent(n_epochs=10)
    arrays = observer.start(graph, CURVE, descent)
    values = observer.values(arrays, start_epoch(initial_state(graph, descent, layout(N)), 1.0))
    takes = observer.memory(N, graph.n_entries)
    assert takes.checkpointed == sum(array.nbytes for array in arrays.values() if array.ndim)
    assert takes.recorded == sum(value.nbytes for value in map(np.asarray, values.values()) if value.shape == (N,))


# ---- beside what was held ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", INSTRUMENTS)
def test_observers__hold_and_work_in_what_they_say(graph, kind):
    observer, descent = kind(), Descent(n_epochs=10)
    epoch, takes = start_epoch(initial_state(graph, descent, layout(N)), 1.0), observer.memory(N, graph.n_entries)
    if kind is not LossObserver:  # imports
        other = kind()
        other.values(other.start(graph, CURVE, descent), epoch)
    with Traced() as traced:
        arrays = observer.start(graph, CURVE, descent)
        observer.values(arrays, epoch)
        held, most = traced.now, traced.most
        assert arrays is not None
    assert held <= 1.1 * takes.held + 2**22  # and what is imported and kept for the next sums
    assert most <= 1.1 * (takes.held + takes.work) + 2**22
    assert most >= (takes.held + takes.work) / 1.5


def test_start__holds_what_is_forecast(graph):
    initial_layout(graph)  # imports
    with Traced() as traced:
        initial_layout(graph)
        most = traced.most
    expected = forecast.start_bytes(forecast.sizes_of(graph, N_AXES), "spectral", np.empty(0))
    # scipy sets room aside for 20 eigenvectors, of which it writes one
    assert 0.85 <= expected / most <= 1.5


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("streams", ["counter", "umap"])
def test_descent__holds_what_is_forecast(graph, order, streams, monkeypatch):
    if order == "blocked" and streams == "umap":
        return
    for module in (calendar, forecast):
        monkeypatch.setattr(module, "AT_A_TIME", 1)  # the calendar of a large graph has one epoch
    descent = Descent(n_epochs=10, order=order, streams=streams)
    setup, running = forecast.descent_bytes(forecast.sizes_of(graph, N_AXES), descent)
    given = 4 * graph.n_entries  # its heads
    next(epochs(graph, CURVE, descent, initial_state(graph, descent, layout(N))))
    with Traced() as traced:
        for epoch in epochs(graph, CURVE, descent, initial_state(graph, descent, layout(N))):
            if epoch.number == 2:
                most, now = traced.most, traced.now
                break
    # Another array of 8 bytes an entry would be 8 % of the one and 13 % of the other
    assert 0.95 <= (max(setup, running) - given) / most <= 1.15
    assert 0.95 <= (running - given) / now <= 1.15


# ---- beside what a process was seen to take ----------------------------------------------------------

PROCESS = """
import gc, json, sys
sys.path.insert(0, "tests")
import numpy as np
import test_forecast as t

def status(name):
    line = next(line for line in open("/proc/self/status") if line.startswith(name))
    return int(line.split()[1]) * 1024

def most(computation):
    gc.collect()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = status("VmRSS")
    computation()
    return status("VmHWM") - before

print(json.dumps(t.{case}(most)))
"""


def measured(case):
    """What a case returns in a process of its own: [forecast, bytes seen at most]."""
    environment = {"MALLOC_MMAP_THRESHOLD_": "65536", "PYTHONPATH": str(ROOT)}  # arrays are given back when freed
    done = subprocess.run(
        [sys.executable, "-c", PROCESS.replace("{case}", case)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def a_run(most, order="sequential"):
    """A run with updates and the degree, in memory, after a small one that loads the kernels."""
    descent = Descent(n_epochs=12, order=order)
    recording = Recording(epochs=4, checkpoints=3, updates=[10], observers=[DegreeObserver()])

    def computation(p):
        return run(p, CURVE, descent, layout(p.n_vertices), recording, progress=False)

    computation(lattice(10_000, HALF))
    p = lattice(200_000, HALF)
    sizes = forecast.sizes_of(p, N_AXES)
    expected = run_stages(sizes, descent, recording.observers, plan_of(recording, 12), sizes)
    mu = forecast.csr_bytes(sizes)  # pruning stands before the forecast
    return mu + max(stage.n_bytes for stage in expected.values()), most(lambda: computation(p))


def a_blocked_run(most):
    """The same in the blocked order."""
    return a_run(most, "blocked")


def a_search(most):
    """A search by PyNNDescent, its kernels included."""
    from umapinfo.core.neighbors import search_stage

    X = np.random.default_rng(0).normal(size=(50_000, 8))
    return search_stage(X, 15, "euclidean", None).n_bytes, most(lambda: neighbors(X, 15))


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux says what a process has taken")
@pytest.mark.parametrize("case", ["a_run", "a_blocked_run", pytest.param("a_search", marks=pytest.mark.slow)])
def test_forecast__is_what_a_process_takes(case):
    expected, seen = measured(case)
    # What allocators keep depends on the machine and on what runs beside: 0.897 was seen of a search.
    assert 0.85 <= expected / seen <= 1.5
