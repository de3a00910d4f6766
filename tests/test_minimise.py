"""Minima of the losses: known ones, what holds at every one, twins, and traces that are cut off and gone on with."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import reference as ref
import store_runs as runs
from scipy.optimize import minimize
from scipy.sparse import block_diag, csr_matrix

import umapinfo
from umapinfo import (
    Curve,
    Descent,
    Recording,
    epochs,
    fit_curve,
    fuzzy_graph,
    initial_layout,
    initial_state,
    neighbors,
    open_trace,
    prune,
    replay,
    summary,
)
from umapinfo.core.graph import graph_from_csr
from umapinfo.datasets import load
from umapinfo.measures import BinarisationObserver, effective_laplacian, purported_laplacian, purported_loss
from umapinfo.measures.objective import dilated, effective, purported
from umapinfo.minimise import history, minimise, minimiser_layout, resume_minimisation
from umapinfo.minimise import iterations as module
from umapinfo.trace import descent_of

UMAP, T = fit_curve(), 500
QUIET = {"progress": False}
EXACT = {"rtol": None, "tolerance": 0.0, "n_steps": 3000, "progress": False}


class Digits:
    """A connected graph of 150 digits, UMAP's layout, and the losses' minima that are found from there."""

    def __init__(self, n=150):
        self.mu = prune(fuzzy_graph(neighbors(load("digits", n=n, seed=0).X, 15)), T)
        descent = Descent(n_epochs=T, order="blocked")
        state = initial_state(self.mu, descent, initial_layout(self.mu))
        for _ in epochs(self.mu, UMAP, descent, state):
            pass
        self.umap, self.descent = state.Y.astype(np.float64), descent
        self.losses = {"purported": purported(self.mu), "effective": effective(self.mu, descent)}
        self.starts = {name: dilated(loss, UMAP, self.umap) for name, loss in self.losses.items()}
        self.found = {name: minimise(loss, UMAP, self.starts[name], **EXACT) for name, loss in self.losses.items()}
        self.minima = {name: minimiser_layout(trace) for name, trace in self.found.items()}
        self.p = self.mu.to_csr().toarray().astype(np.float64)

    def B(self, name):
        """Weights of repulsion, dense."""
        push = 5.0 * self.p.sum(axis=1) / (2 * len(self.p))
        return ref.off_diagonal(len(self.p)) * (1 - self.p if name == "purported" else np.add.outer(push, push))


@pytest.fixture(scope="module")
def digits():
    return Digits()


def twin(p, B, curve):
    """The loss and its gradient as a function of a flat layout, dense: sum p softplus(-theta) + B softplus(theta)."""

    def both(x):
        Y = x.reshape(len(p), -1)
        d2 = ref.squared_distances(Y)
        np.fill_diagonal(d2, 1.0)
        odds = curve.a * d2**curve.b  # e^-theta
        value = (p * np.log1p(odds) + B * np.log1p(1 / odds)).sum() / 2
        w = 2 * curve.b * (p * odds - B) / (1 + odds) / d2
        np.fill_diagonal(w, 0.0)
        return value, (w.sum(axis=1)[:, None] * Y - w @ Y).ravel()

    return both


# ---- known minima --------------------------------------------------------------------------------


def triangle(p):
    W = np.zeros((3, 3))
    W[np.triu_indices(3, 1)] = p
    return graph_from_csr(csr_matrix(W + W.T))


def test_three_points_that_can__take_the_distances_at_which_q_is_p():
    p = np.float32([0.6, 0.5, 0.4]).astype(np.float64)
    trace = minimise(purported(triangle(p)), UMAP, [[0, 0], [1, 0], [0, 1]], rtol=None, tolerance=1e-15, **QUIET)
    Y = minimiser_layout(trace)
    d = np.sqrt(ref.squared_distances(Y)[np.triu_indices(3, 1)])
    # The loss is flat to rounding within the root of 1e-16.
    np.testing.assert_allclose(d, ((1 / p - 1) / UMAP.a) ** (1 / (2 * UMAP.b)), rtol=1e-6)
    np.testing.assert_allclose(trace["epochs"]["minimised_loss"][-1], ref.h(p).sum(), rtol=1e-13)


def test_three_points_that_cannot__find_what_a_search_of_all_triangles_finds():
    p = np.float32([0.95, 0.95, 0.01]).astype(np.float64)  # the ends of a path are pushed apart further than it reaches
    trace = minimise(purported(triangle(p)), UMAP, [[0, 0], [1, 0.3], [0, 1]], rtol=None, tolerance=1e-15, **QUIET)

    def loss(d):
        theta = -np.log(UMAP.a) - 2 * UMAP.b * np.log(d)
        return (p[:, None] * np.logaddexp(0, -theta) + (1 - p[:, None]) * np.logaddexp(0, theta)).sum(axis=0)

    short = np.linspace(0.01, 3, 600)
    one, other = (grid.ravel() for grid in np.meshgrid(short, short))
    longest = np.minimum(((1 / p[2] - 1) / UMAP.a) ** (1 / (2 * UMAP.b)), one + other)  # or q = p, if it reaches
    sought = loss(np.stack([one, other, longest])).min()
    found = float(trace["epochs"]["minimised_loss"][-1])
    # The grid's step of 0.005 in a loss of curvature of about 10.
    assert found <= sought <= found + 1e-3


# ---- what holds at every minimum -----------------------------------------------------------------


def test_at_the_minimum__similarities_sum_to_the_edge_probabilities(digits):
    q = ref.similarity(digits.minima["purported"], UMAP)[np.triu_indices(150, 1)].sum()
    assert abs(q / (digits.p.sum() / 2) - 1) <= 1e-5
    # By its own name, for both losses: sum A (1 - q) = sum B q.
    for name, Y in digits.minima.items():
        q = ref.similarity(Y, UMAP)
        pull, push = (digits.p * (1 - q)).sum(), (digits.B(name) * q).sum()
        assert abs(pull / push - 1) <= 1e-5


@pytest.mark.parametrize("name", ["purported", "effective"])
def test_at_the_minimum__the_signed_laplacian_takes_the_layout_to_nothing(name, digits):
    Y, p, B = digits.minima[name], digits.p, digits.B(name)
    d2, q = ref.squared_distances(Y), ref.similarity(Y, UMAP)
    np.fill_diagonal(d2, 1.0)
    w = 2 * UMAP.b * (p * (1 - q) - B * q) / d2
    np.fill_diagonal(w, 0.0)
    laplacian = np.diag(w.sum(axis=1)) - w
    size = abs(w) @ abs(Y) + abs(w).sum(axis=1)[:, None] * abs(Y)
    # Values are known to 1e-15 of themselves, gradients at a minimum to the root of that and the condition.
    assert (abs(laplacian @ Y) <= 1e-5 * size).all()
    assert (abs(laplacian.sum(axis=1)) <= 1e-12 * abs(w).sum(axis=1)).all()
    more = () if name == "purported" else (digits.descent,)
    measured = (effective_laplacian if more else purported_laplacian)(digits.mu, *more, Y, UMAP)
    assert (abs(measured @ Y) <= 1e-5 * size).all()
    np.testing.assert_array_equal(measured @ np.ones(len(Y)), 0.0)


def test_the_minimum__is_wider_than_the_bound_and_lower_than_umap(digits):
    Y, n, degree = digits.minima["purported"], 150, digits.p.sum() / 150
    bound = (((n - 1) / degree - 1) / UMAP.a) ** (1 / (2 * UMAP.b))
    assert np.sqrt(ref.squared_distances(Y).max()) >= bound
    least, start = (purported_loss(digits.mu, layout, UMAP).bce for layout in (Y, digits.umap))
    assert least < 0.9 * start


def test_the_minimum_from_umap__is_lower_than_the_median_of_those_from_random_starts(digits):
    loss, random, found = digits.losses["purported"], np.random.default_rng(0), []
    for _ in range(5):
        start = dilated(loss, UMAP, random.normal(size=(150, 2)))
        trace = minimise(loss, UMAP, start, rtol=None, tolerance=1e-5, n_steps=3000, progress=False)
        found.append(float(trace["epochs"]["minimised_loss"][-1]))
    assert float(digits.found["purported"]["epochs"]["minimised_loss"][-1]) <= np.median(found)


@pytest.mark.parametrize("name", ["purported", "effective"])
def test_the_minimum__is_that_of_the_twin_by_another_minimiser_and_of_natural_steps(name, digits):
    random, Y = np.random.default_rng(1), digits.minima[name]
    both = twin(digits.p, digits.B(name), UMAP)
    near = Y + 1e-2 * random.normal(size=Y.shape)
    other = minimize(
        both, near.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 5000, "ftol": 0, "gtol": 1e-9}
    )
    least = float(digits.found[name]["epochs"]["minimised_loss"][-1])
    np.testing.assert_allclose(both(Y.ravel())[0], least, rtol=1e-12)
    # Flat to rounding: values agree to much more than layouts.
    np.testing.assert_allclose(other.fun, least, rtol=1e-9)
    # Natural steps near a minimum are as many times shorter from one to the next: many are needed.
    natural = minimise(digits.losses[name], UMAP, near, method="natural", **EXACT | {"n_steps": 500})
    np.testing.assert_allclose(natural["epochs"]["minimised_loss"][-1], least, rtol=1e-9)


def test_a_minimum_by_a_plan__is_the_exact_one_within_its_error(digits, monkeypatch):
    monkeypatch.setattr("umapinfo.pairs.energy.DIRECT", 1.0)
    loss, random = digits.losses["purported"], np.random.default_rng(1)
    near = digits.minima["purported"] + 1e-2 * random.normal(size=(150, 2))
    trace = minimise(loss, UMAP, near, tolerance=1e-10, n_steps=1000, rtol=1e-6, progress=False)
    assert not np.isnan(trace["checkpoints"]["minimiser_plan"].values).any()
    exact = purported_loss(digits.mu, minimiser_layout(trace), UMAP)
    least = float(digits.found["purported"]["epochs"]["minimised_loss"][-1])
    np.testing.assert_allclose(exact.bce, least, rtol=1e-6)
    np.testing.assert_allclose(trace["epochs"]["minimised_loss"][-1], exact.bce, rtol=1e-7)


# ---- iterations ----------------------------------------------------------------------------------


def test_history__falls_at_every_iteration_and_tells_of_each(digits):
    trace = digits.found["purported"]
    told, n = history(trace), int(trace["epochs"]["n_iterations"][-1])
    assert told.sizes == {"iteration": n + 1}
    value = told["value"].values
    assert (np.diff(value) <= 1e-14 * value[:-1]).all()
    assert (told["step"].values[1:-2] > 0).all()
    assert (np.diff(told["evaluation"].values) >= 1).all()
    assert told["gradient_norm"].values[-1] < 1e-4 * told["gradient_norm"].values[0]
    recorded = trace["epochs"].to_dataset()
    for number, loss, step in zip(
        *(recorded[name].values for name in ("epoch", "minimised_loss", "alpha")), strict=True
    ):
        assert (loss, step) == (value[min(number, n)], told["step"].values[min(number, n)])
    np.testing.assert_array_equal(trace["layouts"]["Y"][-1], digits.minima["purported"].astype(np.float32))


def test_a_run_that_is_over__rests(digits):
    loss, Y = digits.losses["purported"], digits.starts["purported"]
    trace = minimise(loss, UMAP, Y, tolerance=1e-3, n_steps=200, recording=Recording(epochs=201), **QUIET)
    n = int(trace["epochs"]["n_iterations"][-1])
    assert 20 <= n < 200
    layouts = trace["layouts"]["Y"].values
    assert (layouts[n] != layouts[n - 1]).any()
    assert (layouts[n:] == layouts[n]).all()
    value = history(trace)["value"].values
    fallen = 1 - value[20:] / value[:-20]
    assert (fallen[:-1] > 0.9e-3).all()
    assert fallen[-1] <= 1e-3


def test_two_vertices__have_their_minimum_where_q_is_p():
    pair = graph_from_csr(csr_matrix([[0, 0.25], [0.25, 0]]))
    found = minimiser_layout(minimise(purported(pair), UMAP, [[0.0, 0.0], [9.0, 0.0]], rtol=None, tolerance=0, **QUIET))
    np.testing.assert_allclose(np.ptp(found[:, 0]), (3 / UMAP.a) ** (1 / (2 * UMAP.b)), rtol=1e-6)


def test_a_layout_that_outgrows_the_box_of_its_plan__goes_on_by_a_new_one(digits, monkeypatch):
    monkeypatch.setattr("umapinfo.pairs.energy.DIRECT", 1.0)
    monkeypatch.setattr(module, "RENEWED", 10**6)  # for no other reason
    monkeypatch.setattr(module, "LEFT", 0)
    narrow = 0.2 * digits.starts["purported"]
    trace = minimise(digits.losses["purported"], UMAP, narrow, tolerance=0.0, n_steps=300, **QUIET)
    found, least = (float(run["epochs"]["minimised_loss"][-1]) for run in (trace, digits.found["purported"]))
    # To other minima, of which those from random starts are within some tenths of a percent, on a way of 300 steps.
    assert found <= 1.02 * least
    assert (
        int(trace["epochs"]["n_plans"][-1]) >= 5
    )  # a box is a tenth wider than the layout, of which five times as much


@pytest.mark.parametrize("d", [1, 3])
def test_layouts_of_other_dimensions__are_minimised_too(d, digits):
    loss, random = digits.losses["purported"], np.random.default_rng(0)
    start = dilated(loss, UMAP, np.column_stack([digits.umap, random.normal(size=150)])[:, -d:])
    trace = minimise(loss, UMAP, start, tolerance=1e-6, **QUIET)
    q = ref.similarity(minimiser_layout(trace), UMAP)[np.triu_indices(150, 1)].sum()
    np.testing.assert_allclose(q, digits.p.sum() / 2, rtol=1e-3)


# ---- traces --------------------------------------------------------------------------------------

SMALL = {"tolerance": 0.0, "n_steps": 30, "memory": 3, "recording": Recording(epochs=8, checkpoints=[7, 19])}


class StoppedError(Exception):
    pass


def cut(path, at, digits, name="purported", **told):
    """A run that is stopped in iteration `at`."""
    step, done = module.Minimiser.step, []

    def stopped(self, arrays):
        done.append(None)
        if len(done) == at:
            raise StoppedError
        step(self, arrays)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.Minimiser, "step", stopped)
        with pytest.raises(StoppedError):
            minimise(digits.losses[name], UMAP, digits.starts[name], path=path, **SMALL | told, **QUIET)
    return path


@pytest.mark.parametrize(
    ("name", "method", "at"),
    [
        *((name, "lbfgs", at) for name in ("purported", "effective") for at in (1, 8, 20, 30)),
        ("purported", "natural", 20),
    ],
)
def test_a_run_that_was_cut_off__resumes_to_the_bits_of_an_unbroken_one(name, method, at, digits, tmp_path):
    told = {"method": method, "labels": np.arange(150)}
    whole = minimise(digits.losses[name], UMAP, digits.starts[name], path=tmp_path / "a", **SMALL | told, **QUIET)
    in_memory = minimise(digits.losses[name], UMAP, digits.starts[name], **SMALL | told, **QUIET)
    path = cut(tmp_path / "b", at, digits, name, **told)
    trace = open_trace(path, verify=True)
    assert int(trace["epochs"]["epoch"][-1]) < at
    assert runs.same(resume_minimisation(path, **QUIET), in_memory)
    assert runs.same(whole, in_memory)
    assert runs.files(tmp_path / "b") == runs.files(tmp_path / "a")
    assert runs.same(resume_minimisation(path, **QUIET), in_memory)


def test_a_run_by_plans__resumes_to_the_same_bits(digits, tmp_path, monkeypatch):
    monkeypatch.setattr("umapinfo.pairs.energy.DIRECT", 1.0)
    monkeypatch.setattr(module, "RENEWED", 9)
    start = digits.starts["purported"]
    minimise(digits.losses["purported"], UMAP, start, path=tmp_path / "a", **SMALL, **QUIET)
    path = cut(tmp_path / "b", 27, digits)
    trace = resume_minimisation(path, **QUIET)
    assert runs.files(tmp_path / "b") == runs.files(tmp_path / "a")
    assert int(trace["epochs"]["n_plans"][-1]) >= 4


def test_a_run_of_other_iterations__is_not_gone_on_with(digits, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["umapinfo.minimise"], "MINIMISER_LAW", 1)  # the function has the package's name
        path = cut(tmp_path / "a", 20, digits)
    with pytest.raises(ValueError, match="got 1, whose iterations were others; minimise again"):
        resume_minimisation(path, **QUIET)


def test_a_run_that_was_killed__leaves_a_trace_that_opens_and_resumes(tmp_path):
    code = """
import json, os, signal, sys
import numpy as np
from scipy.sparse import csr_matrix
from umapinfo import fit_curve
from umapinfo.core.graph import graph_from_csr
from umapinfo.measures.objective import purported
from umapinfo.minimise import minimise
from umapinfo.minimise.iterations import Minimiser
path, at = json.loads(sys.argv[1])
step, done = Minimiser.step, []
def killed(self, arrays):
    done.append(None)
    if len(done) == at:
        os.kill(os.getpid(), signal.SIGKILL)
    step(self, arrays)
Minimiser.step = killed
W = np.roll(np.eye(12), 1, axis=1) * np.linspace(0.2, 1, 12)
Y = np.random.default_rng(0).normal(size=(12, 2))
loss = purported(graph_from_csr(csr_matrix((W + W.T))))
minimise(loss, fit_curve(), Y, path=path, n_steps=40, tolerance=0, progress=False)
"""
    for path, at, status in (("a", 33, -signal.SIGKILL), ("b", 1000, 0)):
        arguments = [sys.executable, "-c", code, json.dumps([str(tmp_path / path), at])]
        done = subprocess.run(arguments, cwd=Path(__file__).parents[1], capture_output=True, text=True)
        assert done.returncode == status, done.stderr
    trace = open_trace(tmp_path / "a", verify=True)
    assert 0 < int(trace["epochs"]["epoch"][-1]) < 33
    assert len(history(trace)["value"]) == 25  # up to the checkpoint at 24
    resume_minimisation(tmp_path / "a", **QUIET)
    assert runs.files(tmp_path / "a") == runs.files(tmp_path / "b")


def test_what_belongs_to_a_descent__says_so_of_a_minimisation_and_the_other_way_round(digits, tmp_path):
    path = tmp_path / "a"
    trace = minimise(digits.losses["purported"], UMAP, digits.starts["purported"], path=path, n_steps=2, **QUIET)
    for ask in (descent_of, summary, lambda trace: replay(trace, 1), lambda trace: umapinfo.resume(path)):
        with pytest.raises(ValueError, match="got a minimisation of the purported loss; resume_minimisation"):
            ask(trace)
    other = runs.record(path=tmp_path / "b")
    for ask in (history, minimiser_layout, lambda trace: resume_minimisation(tmp_path / "b")):
        with pytest.raises(ValueError, match="expected one of minimise, got that of a descent"):
            ask(other)


def test_resume_minimisation__takes_a_loss_of_ones_own_and_no_other(digits, tmp_path):
    own = umapinfo.measures.objective.Loss("own", digits.mu, digits.losses["effective"].weights)
    start = digits.starts["effective"]
    minimise(own, UMAP, start, path=tmp_path / "a", **SMALL, **QUIET)
    path = tmp_path / "b"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(digits.losses, "own", own)
        patch.setitem(digits.starts, "own", start)
        cut(path, 10, digits, "own")
    for loss, got in ((None, "none"), (digits.losses["effective"], "the effective loss of 150 vertices")):
        with pytest.raises(ValueError, match=f"expected the own loss of the trace's graph, got {got}"):
            resume_minimisation(path, loss=loss)
    resume_minimisation(path, loss=own, **QUIET)
    assert runs.files(tmp_path / "b") == runs.files(tmp_path / "a")


# ---- errors --------------------------------------------------------------------------------------


def test_minimise__refuses_starts_graphs_and_settings_that_are_none(digits, tmp_path):
    loss, Y = digits.losses["purported"], digits.starts["purported"]
    path = tmp_path / "never"

    def refused(match, error=ValueError, loss=loss, Y=Y, curve=UMAP, **told):
        with pytest.raises(error, match=match):
            minimise(loss, curve, Y, path=path, **told)
        assert not path.exists()

    bad = Y.copy()
    bad[7, 1] = np.nan
    refused("vertex 7", Y=bad)
    refused(r"expected shape \(150, d\)", Y=Y[:-1])
    refused("layout Y", Y=Y.astype(object), error=TypeError)
    together = Y.copy()
    together[90] = together[3]
    refused("vertices 3 and 90 both at .* add a little noise", Y=together)
    near = Y.copy()
    near[[3, 90]] = [[0.0, 0.0], [1e-200, 0.0]]
    refused("so near that their squared distance is 0", Y=near)
    refused("loss: expected a Loss, got Graph", loss=digits.mu, error=TypeError)
    one = csr_matrix([[0, 0.5], [0.5, 0]])
    refused("2 components", loss=purported(graph_from_csr(block_diag([one, one], "csr"))), Y=np.eye(4))
    refused("curve", curve=(1.0, 1.0), error=TypeError)
    refused("method: expected one of 'lbfgs', 'natural', got 'adam'", method="adam")
    for name, value in (
        ("n_steps", -1),
        ("n_steps", 1.5),
        ("memory", 0),
        ("tolerance", 2.0),
        ("trust", 0),
        ("rtol", 1),
    ):
        refused(f"{name}: expected", **{name: value})
    refused("tolerance: expected", tolerance=True)
    refused("expected neither observers nor updates", recording=Recording(observers=[BinarisationObserver()]))
    refused("expected neither observers nor updates", recording=Recording(updates=[1]))
    refused("labels: expected shape", labels=[1, 2])
    refused("names that the trace does not use", attrs={"method": "x"})
    path.mkdir()
    with pytest.raises(FileExistsError):
        minimise(loss, UMAP, Y, path=path)


def test_coincident_points__that_cost_nothing_may_stand_in_a_start(digits):
    softer = Curve(1.0, 1.0, 1.0)  # Neg-t-SNE's: finite at distance 0
    Y = digits.starts["purported"].copy()
    Y[90] = Y[3]
    trace = minimise(digits.losses["purported"], softer, Y, n_steps=30, **QUIET)
    assert (minimiser_layout(trace)[90] != minimiser_layout(trace)[3]).any()


def test_the_start__is_left_as_it_was_and_may_be_any_real_array(digits):
    start = digits.starts["purported"]
    for Y in (start.astype(np.float32), np.asfortranarray(start), np.rint(100 * start).astype(int)):
        before = Y.tobytes()
        minimise(digits.losses["purported"], UMAP, Y, n_steps=3, **QUIET)
        assert Y.tobytes() == before
