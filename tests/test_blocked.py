"""The blocked order: bits that no thread changes, its law against the float64 twin, what it schedules and counts."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st
from moves import CURVE, run_through, same_bits, small_case, wide_case
from scipy.sparse import csr_matrix
from strategies import curves, embedded_graphs

from umapinfo.core import LAW, blocked, calendar
from umapinfo.core.curve import Curve
from umapinfo.core.descent import State, epochs, initial_state
from umapinfo.core.forces import units_of
from umapinfo.core.graph import graph_from_csr, prune
from umapinfo.core.lists import run_updates
from umapinfo.core.settings import Descent
from umapinfo.core.streams import initial_streams

ROOT = Path(__file__).parents[1]
SCRIPT = """
import numba
from test_blocked import wide_digest
from umapinfo.core import blocked, calendar
blocked.FEW = calendar.FEW = 0
print(wide_digest(2), wide_digest(3), numba.get_num_threads(), numba.threading_layer())
"""


def wide_digest(n_blocks, **options):
    """Of the layout after a run over some parts."""
    mu, descent, start = wide_case(order="blocked", n_blocks=n_blocks)
    return hashlib.sha256(run_through(mu, descent, start, **options).Y.tobytes()).hexdigest()


def blocks_of_updates(updates, mu, n_blocks):
    """The block of each update: the ranges of vertices that are nearest to alike."""
    n = mu.n_vertices
    starts = [b * n // min(n_blocks, n) for b in range(min(n_blocks, n))]
    return (np.searchsorted(starts, updates["head"], side="right") - 1).tolist()


@pytest.fixture
def always_threads(monkeypatch):
    """Threads for a graph of any size; by default one with few entries has none."""
    monkeypatch.setattr(blocked, "FEW", 0)
    monkeypatch.setattr(calendar, "FEW", 0)


# ---- bits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_blocks", [1, 2, 7])
def test_bits__are_those_of_no_threads_for_any_number_of_threads(n_blocks, n_threads, request):
    expected = wide_digest(n_blocks)
    request.getfixturevalue("always_threads")
    for threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
        n_threads(threads)
        assert wide_digest(n_blocks) == expected


def test_bits__in_three_axes_are_those_of_no_threads_and_of_kept_updates(n_threads, request):
    mu, descent, start = wide_case(order="blocked", n_blocks=3)
    start = np.column_stack([start, start[:, 0] * 3 % 10])
    expected = run_through(mu, descent, start)
    request.getfixturevalue("always_threads")
    n_threads(numba.config.NUMBA_NUM_THREADS)
    assert same_bits(run_through(mu, descent, start), expected)
    assert same_bits(run_through(mu, descent, start, keep_updates=range(15)), expected)
    assert (np.ptp(expected.Y - start, axis=0) > 0).all()


@pytest.mark.parametrize("layer", ["workqueue", "omp"])
def test_bits__are_the_same_in_another_process_with_four_threads_of_either_layer(layer, tmp_path):
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    told = {"NUMBA_NUM_THREADS": "4", "NUMBA_THREADING_LAYER": layer, "PYTHONPATH": paths}
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT]
    done = subprocess.run(command, env=os.environ | told, cwd=tmp_path, capture_output=True, text=True)
    if "threading layer could not be initialized" in done.stderr or "No threading layer" in done.stderr:
        pytest.skip(f"numba has no {layer} here")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [wide_digest(2), wide_digest(3), "4", layer]


@pytest.mark.parametrize("keep", [(2,), (7, 14), range(15)])
@pytest.mark.parametrize("n_blocks", [1, 2, 5])
def test_keeping_updates__leaves_every_bit_as_it_was(n_blocks, keep, always_threads):
    assert wide_digest(n_blocks, keep_updates=keep) == wide_digest(n_blocks)


def test_keeping_updates__leaves_every_count_as_it_was(always_threads):
    mu, descent, start = wide_case(order="blocked", n_blocks=3)
    start[:300] = start[0]
    plain, kept = (
        epochs(mu, CURVE, descent, initial_state(mu, descent, start), keep_updates=k) for k in ((), range(15))
    )
    for epoch, other in zip(plain, kept, strict=True):
        assert epoch.updates is None
        np.testing.assert_array_equal(epoch.counts, other.counts)
        if epoch.number == 2:  # the first in which anything is due
            missed = epoch.counts.attractions_scheduled - epoch.counts.attractions_realised
            assert missed[:100].any()
            assert missed[200:300].any()


def test_bits__of_more_vertices_than_react_at_a_time_are_those_of_no_threads(monkeypatch):
    n = 2 * blocked.AT_A_TIME + 900
    i = np.arange(n)
    ring = csr_matrix((np.ones(n), (i, (i + 1) % n)), shape=(n, n))
    mu, descent = prune(graph_from_csr(ring + ring.T), 5), Descent(n_epochs=5, order="blocked", n_blocks=3)
    start = np.column_stack([(37 * i * i + 11 * i) % 640, (i**3 + 53 * i) % 640]) / 64
    alone = run_through(mu, descent, start)
    for module in (blocked, calendar):
        monkeypatch.setattr(module, "FEW", 0)
    assert same_bits(run_through(mu, descent, start), alone)
    assert np.abs(alone.Y - start).max(axis=1).all()


def test_going_on_from_a_checkpoint__gives_the_bits_of_an_unbroken_run():
    mu, descent, start = small_case(order="blocked")
    state = initial_state(mu, descent, start)
    while state.epoch < 30:
        left_at = state.epoch + 4
        for epoch in epochs(mu, CURVE, descent, state):
            if epoch.number == left_at:
                break
        state = state.copy()
    assert same_bits(state, run_through(mu, descent, start))


def test_an_interrupt__leaves_a_whole_epoch_to_go_on_from(monkeypatch, always_threads):
    mu, descent, start = wide_case(order="blocked", n_blocks=3)
    whole, state, calls = run_through(mu, descent, start), initial_state(mu, descent, start), []
    at_six = initial_state(mu, descent, start)
    for epoch in epochs(mu, CURVE, descent, at_six):
        if epoch.number == 6:
            break
    moving = blocked.move_together

    def interrupted(*arguments):
        calls.append(arguments)
        moving(*arguments)
        if len(calls) == 7:  # the layout has moved on, the epoch is not over
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(blocked, "move_together", interrupted)
        with pytest.raises(KeyboardInterrupt):
            for _ in epochs(mu, CURVE, descent, state):
                pass
    assert same_bits(state, at_six)
    for _ in epochs(mu, CURVE, descent, state):
        pass
    assert same_bits(state, whole)


@pytest.mark.parametrize(
    ("n_blocks", "digest"), [(1, "2b92dc0ec5b736d3"), (2, "a65b5e6441f579c4"), (16, "2c3e7d79e8eff777")]
)
def test_a_small_run__has_these_bits(n_blocks, digest):
    mu, descent, start = small_case(order="blocked", n_blocks=n_blocks)
    found = hashlib.sha256(run_through(mu, descent, start).Y.tobytes()).hexdigest()[:16]
    assert (found, LAW) == (digest, 4), "bits changed: raise LAW"


# ---- what is scheduled ---------------------------------------------------------------------------


@given(
    case=embedded_graphs(),
    n_blocks=st.integers(1, 9),
    rate=st.sampled_from([0.0, 1.0, 5.0, 12.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_each_epoch__has_the_updates_of_the_sequential_order(case, n_blocks, rate, seed):
    p, _ = case
    mu = prune(graph_from_csr(p), 12)
    settings = {"n_epochs": 12, "negative_sample_rate": rate, "seed": seed}
    one, other = Descent(**settings), Descent(**settings, order="blocked", n_blocks=n_blocks)
    streams = initial_streams("counter", seed, np.zeros((mu.n_vertices, 2), np.float32))
    for expected, updates in zip(run_updates(mu, one, streams), run_updates(mu, other, streams), strict=True):
        np.testing.assert_array_equal(updates, expected)


def test_each_epoch_of_several_parts__has_the_updates_of_the_sequential_order():
    mu, blocked_descent, _ = wide_case(order="blocked", n_blocks=5)
    descent, streams = Descent(n_epochs=14), np.zeros((0, 3), np.int64)
    pairs = zip(run_updates(mu, descent, streams), run_updates(mu, blocked_descent, streams), strict=True)
    for expected, updates in pairs:
        np.testing.assert_array_equal(updates, expected)


# ---- the law -------------------------------------------------------------------------------------


def roundings(curve):
    """Relative error of a force at a float32 difference, in up to three axes.

    In units of 2^-24: 1.8 b + 1.4 of u, with c > 0 twice (see forces); 3 of s, which a factor feels at most b + 1 times
    over.
    """
    _, b, c = curve
    return 1.01 * ((1.8 * b + 1.4) * (1 + (c > 0)) + 3 * (b + 1)) * 2.0**-24


def units(mu):
    """Into how many parts a force of 1 is divided, where as many are added up as a vertex has neighbours."""
    most = int(np.diff(mu.indptr).max(initial=0))
    return next(2.0**k for k in range(28, -1, -1) if max(most, 1) * 4 * 2.0**k <= 2.0**30)


@given(
    case=st.integers(1, 3).flatmap(lambda dim: embedded_graphs(dim=dim)),
    curve=curves(),
    gamma=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    rate=st.sampled_from([0.0, 1.0, 5.0]),
    learning_rate=st.sampled_from([2.0**-10, 0.1, 1.0]),
    n_blocks=st.integers(1, 5),
)
def test_an_epoch__is_the_twins_from_the_differences_that_were_kept(case, curve, gamma, rate, learning_rate, n_blocks):
    """At any rate: forces of the twin are taken at the kept differences, so that no rounding is enlarged.

    Then a vertex is off by a force's relative error, of at most 4, for each of its updates and reactions, by half an
    ulp for each of its updates and of its blocks' ends, by a unit for each of its reactions, and a difference by what
    its ends are off.
    """
    p, Y0 = case
    settings = {"learning_rate": learning_rate, "repulsion_strength": gamma, "negative_sample_rate": rate}
    descent = Descent(n_epochs=12, order="blocked", n_blocks=n_blocks, **settings)
    mu = prune(graph_from_csr(p), 12)
    state = initial_state(mu, descent, Y0)
    for epoch in epochs(mu, Curve(*curve), descent, state, keep_updates=range(13)):
        Y, listed = epoch.Y_before.astype(np.float64), epoch.updates.tolist()
        blocks = blocks_of_updates(epoch.updates, mu, n_blocks)
        deltas = ref.apply_blocked_epoch(Y, listed, blocks, curve, epoch.alpha, gamma, epoch.delta)
        often = np.bincount(epoch.updates["head"], minlength=len(Y))[:, None]
        reacts = np.bincount(epoch.updates["tail"][epoch.updates["draw"] < 0], minlength=len(Y))[:, None]
        reach = np.abs(epoch.Y_before).max(axis=1, keepdims=True) + 4 * epoch.alpha * (often + reacts)
        ulps = (often + min(n_blocks, len(Y))) * 0.5 * np.spacing(reach.astype(np.float32))
        off = ulps + epoch.alpha * (4 * (often + reacts) * roundings(curve) + reacts / units(mu))
        assert (np.abs(epoch.Y - Y) <= off).all()
        of_ends = off[epoch.updates["head"]] + off[epoch.updates["tail"]]
        assert (np.abs(epoch.delta - deltas) <= of_ends + 0.5 * np.spacing(np.abs(epoch.delta))).all()
        np.testing.assert_array_equal(epoch.counts, ref.counts(listed, epoch.delta, len(Y)))


def errors_of_an_epoch(epoch, deltas, blocks, gamma, own):
    """How far float32 may be from a twin that starts from the same places, per vertex; for the curve (1.5, 1, 0).

    An update, and a reaction, adds `own` and its rate times the steepness of its force times the errors at its ends.  A
    force's Jacobian is at most 2 a for an attraction and 1.5 * 2 gamma b / (0.001 + r^2) for a repulsion: across the
    difference the factor itself, along it from -1 - b / 2 times to once that.
    """
    errors = np.zeros(len(epoch.Y))
    for block in sorted(set(blocks)):
        before, reactions = errors.copy(), np.full_like(errors, own)
        for t, (head, tail, _, draw) in enumerate(epoch.updates.tolist()):
            if blocks[t] != block or head == tail:
                continue
            of_ends = errors[head] + before[tail]
            nearest = max(np.sqrt(deltas[t] @ deltas[t]) - of_ends, 0.0)
            steepness = 2 * 1.5 if draw < 0 else 1.5 * 2 * gamma / (0.001 + nearest**2)
            errors[head] += own + epoch.alpha * steepness * of_ends
            reactions[tail] += own + epoch.alpha * steepness * of_ends if draw < 0 else 0
        errors += reactions
    return errors


@pytest.mark.parametrize("gamma", [1.0, 0.5])
@pytest.mark.parametrize("n_blocks", [1, 2, 5])
def test_an_epoch_at_a_small_learning_rate__is_the_twins(n_blocks, gamma):
    curve, settings = (1.5, 1.0, 0.0), {"learning_rate": 2.0**-12, "repulsion_strength": gamma, "seed": 5}
    mu, descent, start = small_case(order="blocked", n_blocks=n_blocks, **settings)
    start = np.rint(start / 2) * 2  # places 2 apart, some of them twice
    start[1:9:2] = start[:8:2]
    state, n_own, n_together = State(start.astype(np.float32), 2, np.zeros((0, 3), np.int64)), 0, 0
    for epoch in epochs(mu, Curve(*curve), descent, state, keep_updates=range(7)):
        Y, listed = epoch.Y_before.astype(np.float64), epoch.updates.tolist()
        blocks = blocks_of_updates(epoch.updates, mu, n_blocks)
        deltas = ref.apply_blocked_epoch(Y, listed, blocks, curve, epoch.alpha, gamma)
        # Along both axes: half an ulp of a position under 16, the relative error of a force of at most 4, 2 (b + 1) + 1
        # more for the rounding of its difference, and a unit.
        of_force = 4 * (roundings(curve) + 5 * 2.0**-24) + 1 / units(mu)
        own = np.sqrt(2) * (0.5 * np.spacing(np.float32(15)) + epoch.alpha * of_force)
        errors = errors_of_an_epoch(epoch, deltas, blocks, gamma, float(own))
        assert np.median(errors) < epoch.alpha / 4  # steps are up to 4 alpha
        assert (np.abs(epoch.Y - Y) <= errors[:, None]).all()
        n_own += np.sum(epoch.updates["head"] == epoch.updates["tail"])
        n_together += np.sum((deltas == 0).all(axis=1))
        if epoch.number == 6:
            break
    assert n_own > 0
    assert n_own < n_together or n_blocks == 5  # by then those of one place have been moved apart


@pytest.mark.parametrize("n_blocks", [1, 2, 3])
@pytest.mark.parametrize("edges", [[(0, 1, 1.0)], [(0, 1, 1.0), (1, 2, 0.5), (0, 2, 0.75)]], ids=["edge", "triangle"])
def test_attractions__move_the_ends_of_an_edge_by_opposite_steps(edges, n_blocks):
    W = np.zeros((3, 3))
    for i, j, w in edges:
        W[i, j] = W[j, i] = w
    mu = prune(graph_from_csr(W), 40)
    descent = Descent(n_epochs=40, negative_sample_rate=0, order="blocked", n_blocks=n_blocks)
    start = np.array([[0.3, -2.1], [3.7, 1.9], [-1.2, 5.5]], np.float32)
    state = initial_state(mu, descent, start)
    for epoch in epochs(mu, CURVE, descent, state):
        before, after = (Y.astype(np.float64) for Y in (epoch.Y_before, epoch.Y))
        # Each step is added to a position within 8, rounded by half an ulp, its reaction cut off to a unit besides.
        often = epoch.counts.attractions_scheduled.sum()
        off = often * 0.5 * np.spacing(np.float32(7)) + 0.5 * often * epoch.alpha / units(mu)
        assert (np.abs(after.sum(axis=0) - before.sum(axis=0)) <= off).all()
    assert not np.array_equal(state.Y, start)


@pytest.mark.parametrize("most", [1, 2, 3, 1000, 2**20])
def test_units__are_the_largest_power_of_two_whose_sums_keep_a_bit_free(most):
    found = units_of(most)
    assert most * 4 * found <= 2.0**30 < most * 4 * 2 * found
    assert units_of(0) == 2.0**28


def test_blocks_of_one_vertex__without_negative_samples_are_the_sequential_order_but_for_rounding():
    settings = {"n_epochs": 4, "learning_rate": 2.0**-6, "negative_sample_rate": 0.0}
    mu, descent, start = small_case(**settings)
    one_by_one = Descent(**settings, order="blocked", n_blocks=10**6)
    pairs = [epochs(mu, CURVE, way, initial_state(mu, way, start)) for way in (descent, one_by_one)]
    for expected, found in zip(*pairs, strict=True):
        # Each update is rounded to a float32 under 16; forces of float32 are hardly less exact.
        np.testing.assert_allclose(found.Y, expected.Y, rtol=0, atol=epoch_rounding(expected))
    assert np.abs(expected.Y - start).max() > 100 * epoch_rounding(expected)


def epoch_rounding(epoch):
    """Half an ulp of a position under 16 for each update of the busiest vertex in four epochs, twice: a margin."""
    return 2 * 4 * (epoch.counts[0] + epoch.counts[2]).max() * 0.5 * np.spacing(np.float32(15))


@pytest.mark.parametrize("n_blocks", [1, 2])
def test_the_mean_step_over_draws__is_the_expected_force_of_pulled_tails_and_heads(n_blocks):
    n, n_seeds, number, rate, alpha = 24, 600, 5, 5.0, 2.0**-12
    random = np.random.default_rng(8)
    Y0 = random.uniform(-4, 4, (n, 2)).astype(np.float32)
    W = np.triu(random.uniform(0.3, 1, (n, n)) * (random.random((n, n)) < 0.3), 1)
    mu = prune(graph_from_csr(W + W.T), 10)
    settings = {"n_epochs": 10, "learning_rate": alpha, "negative_sample_rate": rate, "order": "blocked"}
    steps = []
    for seed in range(n_seeds):
        descent = Descent(seed=seed, n_blocks=n_blocks, **settings)
        epoch = next(epochs(mu, CURVE, descent, State(Y0.copy(), number - 1, np.zeros((0, 3), np.int64))))
        steps.append((epoch.Y.astype(np.float64) - Y0) / epoch.alpha)
    Y, expected, often = Y0.astype(np.float64), np.zeros((n, 2)), np.zeros((n, 1))
    pushes = [np.mean([ref.repulsion_force(Y[i] - Y[k], CURVE) for k in range(n)], axis=0) for i in range(n)]
    for entry, n_drawn in list(ref.due(mu.weight, 10, rate))[number - 1]:
        i, j = mu.heads[entry], mu.indices[entry]
        force = ref.attraction_force(Y[i] - Y[j], CURVE)
        expected[i] += force + n_drawn * pushes[i]
        expected[j] -= force
        often[i] += 1 + n_drawn
        often[j] += 1
    error = np.std(steps, axis=0, ddof=1) / np.sqrt(n_seeds)
    # A position is rounded by half an ulp of at most 8 an update, as often up as down: a fourth of that on average
    # would be much; and the forces of an epoch are not those of its start, by alpha times their number and size.
    rounding = 0.25 * often * 0.5 * np.spacing(np.float32(4)) / epoch.alpha
    drift = epoch.alpha * often * np.abs(expected).max()
    assert (often > 20).any()
    assert (np.abs(expected) > 10 * error).any()  # an attraction without its reaction would be seen
    assert (np.abs(np.mean(steps, axis=0) - expected) <= 4 * error + rounding + drift).all()


def test_coincident_points_and_self_draws__are_scheduled_and_move_nothing():
    mu, descent, _ = small_case(order="blocked")
    start = np.full((mu.n_vertices, 2), 3.0, np.float32)
    state, totals = initial_state(mu, descent, start), np.zeros(4, np.int64)
    for epoch in epochs(mu, CURVE, descent, state):
        totals += np.sum(epoch.counts, axis=1)
    np.testing.assert_array_equal(state.Y, start)
    assert totals[0] > 0
    assert totals[2] > 0
    assert totals[1] == totals[3] == 0


def test_counts__are_the_twins_where_some_points_coincide():
    mu, descent, start = small_case(order="blocked", n_blocks=3)
    start[:40] = start[0]
    n_nothing = np.zeros(2, np.int64)
    for epoch in epochs(mu, CURVE, descent, initial_state(mu, descent, start), keep_updates=range(31)):
        twins = ref.counts(epoch.updates.tolist(), epoch.delta, len(start))
        np.testing.assert_array_equal(epoch.counts, twins)
        n_nothing += np.sum(epoch.counts[0] - epoch.counts[1]), np.sum(epoch.counts[2] - epoch.counts[3])
    assert (n_nothing > 0).all()


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"push_tail": True}, "push_tail: expected False with order='blocked', which pushes the head alone, got True"),
        ({"streams": "umap"}, "streams: expected 'counter' with order='blocked', got 'umap', whose random state"),
        ({"n_blocks": 0}, r"n_blocks: expected a whole number in \[1, 2147483647\], got 0"),
        ({"n_blocks": 2**31}, r"n_blocks: expected a whole number in \[1, 2147483647\], got 2147483648"),
        ({"n_blocks": 2.5}, r"n_blocks: expected a whole number in \[1, 2147483647\], got 2.5"),
    ],
)
def test_settings__that_the_blocked_order_does_not_take_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        Descent(order="blocked", **settings)
    if "n_blocks" not in settings:
        Descent(order="sequential", **settings)
