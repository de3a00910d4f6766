"""The descent: a move and whole epochs against umap-learn and the float64 twin, counts, runs cut off and resumed."""

import hashlib
from itertools import islice

import numba
import numpy as np
import pytest
import reference as ref
from hypothesis import assume, given
from hypothesis import strategies as st
from moves import CURVE, applied, run_through, same_bits, small_case, updates_of, wide_case
from scipy.sparse import csr_matrix
from strategies import curves, embedded_graphs, layouts

from umapinfo.core import LAW, sequential
from umapinfo.core.calendar import PART, Due, Schedule, new_calendar, part_starts, turned
from umapinfo.core.counts import Counts, zero_counts
from umapinfo.core.curve import Curve, fit_curve
from umapinfo.core.descent import State, epochs, initial_state
from umapinfo.core.graph import graph_from_csr, prune
from umapinfo.core.lists import list_part, records
from umapinfo.core.settings import Descent
from umapinfo.core.streams import tausworthe_states

UMAP = fit_curve()
STREAMS = ["counter", "umap"]


# ---- one move ------------------------------------------------------------------------------------


@given(
    Y=st.integers(1, 3).flatmap(lambda dim: layouts(dim=dim)),
    curve=curves(),
    alpha=st.floats(1e-3, 1),
    gamma=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    draw=st.sampled_from([-1, 0, 4]),
    push_tail=st.booleans(),
    ends=st.data(),
)
def test_a_move__equals_the_twins_to_float32(Y, curve, alpha, gamma, draw, push_tail, ends):
    head, tail = (ends.draw(st.integers(0, len(Y) - 1)) for _ in range(2))
    assume(draw >= 0 or head != tail)  # the graph has no diagonal
    moved, _, delta = applied(updates_of((head, tail, 0, draw)), Y, curve, alpha, gamma, push_tail)
    twin = Y.astype(np.float64)
    delta_of_twin = ref.apply(twin, (head, tail, 0, draw), curve, alpha, gamma, push_tail)
    # A position is rounded to float32, half an ulp.  A force is at most 4 a coordinate, and in units of 2^-24 it has
    # the relative error 1.8 b + 1.4 of u, with c > 0 twice (see forces); that of s, 2 from its differences and 3 from
    # products and sums in up to three axes, which a factor feels at most b + 1 times over; and one of the difference.
    _, b, c = curve
    rounding = 0.5 * np.spacing(np.abs(twin).max(axis=1, keepdims=True).astype(np.float32))
    relative = ((1.8 * b + 1.4) * (1 + (c > 0)) + 5 * (b + 1) + 1) * 2.0**-24
    assert (np.abs(moved - twin) <= 1.01 * (rounding + 4 * alpha * relative)).all()
    np.testing.assert_allclose(delta[0], delta_of_twin, rtol=2.0**-23, atol=0)
    untouched = np.delete(np.arange(len(Y)), [head, tail])
    np.testing.assert_array_equal(moved[untouched], Y[untouched])


def golden_entries(golden):
    """For each case of entries.npz: the case, and the five updates that its entry lists."""
    cases = golden("entries")
    n = cases["before"].shape[1]
    for case, Y in enumerate(cases["before"]):
        head, tail = cases["head"][case : case + 1], cases["tail"][case : case + 1]
        plan = Schedule(head, tail, np.ones(1), np.full(1, 0.2))
        streams, bounds = tausworthe_states(Y, cases["rng_state"][case]), np.array([0, 1])
        book = turned(new_calendar(plan, bounds, 1), plan, Due(np.ones(1), np.full(1, 0.2)), bounds)
        listed = list_part(plan, book, 0, 2, np.uint64(0), streams, n)
        ((updates, _),) = records(plan, book, 0, 2, listed, np.zeros((len(listed.flat), 2), np.float32))
        yield case, updates


def test_an_entry_with_its_negatives__moves_as_in_umap_learn_at_full_rate(golden):
    cases = golden("entries")
    curve = float(cases["a"]), float(cases["b"]), 0.0
    off, off_twin = [], []
    for case, updates in golden_entries(golden):
        gamma, before, after = float(cases["gamma"][case]), cases["before"][case], cases["after"][case]
        assert len(updates) == 5
        moved, _, _ = applied(updates, before, curve, gamma=gamma)
        off.append(np.abs(moved - after).max())
        twin = before.astype(np.float64)
        ref.apply_epoch(twin, updates.tolist(), curve, 1.0, gamma)
        off_twin.append(np.abs(moved - twin).max())
    # The criterion. A chain of five moves in float32; umap-learn's is compiled with fastmath.
    assert np.mean(np.array(off) <= 1e-6) >= 0.99
    assert np.mean(np.array(off_twin) <= 1e-6) >= 0.99
    assert max(off + off_twin) < 1e-5


def test_a_clipped_force__moves_by_four_times_the_learning_rate_along_each_axis():
    Y = np.array([[0, 0], [0.0625, -0.0625]], np.float32)
    moved, _, _ = applied(updates_of((0, 1, 0, 0)), Y, (1.0, 1.0, 0.0), alpha=0.25)
    np.testing.assert_array_equal(moved, [[-1, 1], [0.0625, -0.0625]])


def test_attraction__moves_both_ends_and_repulsion_the_head_unless_the_tail_is_pushed():
    Y = np.array([[0, 0], [1, 2], [5, 5]], np.float32)

    def who_moves(draw, **settings):
        return (applied(updates_of((0, 1, 0, draw)), Y, UMAP, **settings)[0] != Y).any(axis=1).tolist()

    assert who_moves(-1) == who_moves(0, push_tail=True) == [True, True, False]
    assert who_moves(0) == [True, False, False]
    assert who_moves(0, gamma=0.0) == [False, False, False]


# ---- whole epochs --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run_case(golden):
    """run.npz as a graph, a curve, settings and the arrays."""
    run = golden("run")
    n_epochs = int(run["n_epochs"])
    p = csr_matrix((run["p_weight"], run["p_indices"], run["p_indptr"]))
    settings = {
        "learning_rate": float(run["learning_rate"]),
        "negative_sample_rate": float(run["negative_sample_rate"]),
    }
    descent = Descent(n_epochs=n_epochs, streams="umap", seed=3, **settings)
    return prune(graph_from_csr(p), n_epochs), Curve(float(run["a"]), float(run["b"])), descent, run


def test_whole_epochs__at_a_small_learning_rate_are_umap_learns(run_case):
    mu, curve, descent, run = run_case
    np.testing.assert_array_equal(mu.heads, run["head"])
    np.testing.assert_array_equal(mu.indices, run["tail"])
    off = []
    for epoch in epochs(mu, curve, descent, initial_state(mu, descent, run["start"])):
        assert epoch.counts.attractions_scheduled.sum() == 2 * run["attractions"][epoch.number - 1]
        assert epoch.counts.repulsions_scheduled.sum() == run["repulsions"][epoch.number - 1]
        if epoch.number < len(run["layouts"]):
            off.append(np.abs(epoch.Y - run["layouts"][epoch.number]).max())
    assert len(off) == 20
    assert max(off) < 1e-5  # ten ulp of a coordinate near 10; the criterion
    assert np.abs(epoch.Y - run["last"]).max() < 1e-3  # after all 200 epochs; 3e-5 where it was measured


@pytest.mark.parametrize(
    ("curve", "gamma", "push_tail"),
    [(None, 1.0, False), (None, 0.5, True), (Curve(1.0, 1.0, 1.0), 1.0, False), (Curve(0.7, 1.3, 0.5), 2.0, True)],
    ids=["umap", "tails pushed", "neg-t-sne", "any curve"],
)
def test_whole_epochs__at_a_small_learning_rate_are_the_float64_twins(run_case, curve, gamma, push_tail):
    mu, umap_curve, descent, run = run_case
    curve = curve or umap_curve
    settings = {"n_epochs": descent.n_epochs, "learning_rate": 0.01, "push_tail": push_tail}
    descent = Descent(streams="umap", seed=3, repulsion_strength=gamma, **settings)
    draw = ref.tausworthe_draw(ref.tausworthe_states(run["start"], run["rng_state"]))
    twin = ref.descend(mu.to_csr(), curve, run["start"], draw, gamma=gamma, **settings)
    state = initial_state(mu, descent, run["start"])
    ours = islice(epochs(mu, curve, descent, state, keep_updates=range(21)), 20)
    for epoch, (number, Y, listed, _) in zip(ours, islice(twin, 20), strict=True):
        assert epoch.number == number
        assert epoch.updates.tolist() == listed
        assert np.abs(epoch.Y - Y).max() < 1e-4  # float32 roundings of 20 epochs; the criterion


# ---- counts and differences ----------------------------------------------------------------------


@given(
    case=embedded_graphs(),
    curve=curves(),
    streams=st.sampled_from(STREAMS),
    push_tail=st.booleans(),
    rate=st.sampled_from([0.0, 1.0, 5.0]),
)
def test_an_epochs_record__is_what_happened_update_by_update(case, curve, streams, push_tail, rate):
    p, Y0 = case
    descent = Descent(n_epochs=12, streams=streams, push_tail=push_tail, negative_sample_rate=rate)
    mu, before = prune(graph_from_csr(p), 12), Y0
    state = initial_state(mu, descent, Y0)
    for epoch in epochs(mu, Curve(*curve), descent, state, keep_updates=range(1, 13)):
        assert epoch.Y_before.tobytes() == before.tobytes()
        expected, Y = np.zeros((4, len(Y0)), np.int64), before.copy()
        for t, (head, tail, _, draw) in enumerate(epoch.updates.tolist()):
            difference = Y[head] - Y[tail]
            np.testing.assert_array_equal(epoch.delta[t], difference)
            kind = 0 if draw < 0 else 2
            for vertex in [head, tail] if draw < 0 or push_tail else [head]:
                expected[kind, vertex] += 1
                expected[kind + 1, vertex] += bool(np.any(difference != 0))  # strategies part points by 2^-12
            Y, _, _ = applied(epoch.updates[t : t + 1], Y, curve, epoch.alpha, push_tail=push_tail)
        assert epoch.Y.tobytes() == Y.tobytes()
        np.testing.assert_array_equal(epoch.counts, expected)
        if not push_tail:
            twins = ref.counts(epoch.updates.tolist(), epoch.delta, len(Y0))
            np.testing.assert_array_equal(epoch.counts, twins)
        before = epoch.Y.copy()


def test_coincident_points_and_self_draws__are_scheduled_and_move_nothing():
    mu, descent, _ = small_case(push_tail=True)
    start = np.full((mu.n_vertices, 2), 3.0, np.float32)
    state = initial_state(mu, descent, start)
    totals = np.zeros(4, np.int64)
    for epoch in epochs(mu, CURVE, descent, state):
        totals += np.sum(epoch.counts, axis=1)
    np.testing.assert_array_equal(state.Y, start)
    assert totals[0] > 0
    assert totals[2] > 0
    assert totals[1] == totals[3] == 0


def test_self_draws__are_the_only_repulsions_not_realised_where_all_points_are_apart():
    mu, descent, start = small_case()
    n_own = 0
    for epoch in epochs(mu, CURVE, descent, initial_state(mu, descent, start), keep_updates=range(31)):
        own = epoch.updates["head"][epoch.updates["head"] == epoch.updates["tail"]]
        unrealised = epoch.counts.repulsions_scheduled - epoch.counts.repulsions_realised
        np.testing.assert_array_equal(unrealised, np.bincount(own, minlength=mu.n_vertices))
        n_own += len(own)
    assert n_own > 0


@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("keep", [(2,), (7, 30), range(31)])
def test_keeping_updates__leaves_every_bit_as_it_was(streams, keep):
    mu, descent, start = small_case(streams=streams)
    assert same_bits(run_through(mu, descent, start, keep_updates=keep), run_through(mu, descent, start))


def test_epochs_not_kept__have_neither_updates_nor_differences():
    mu, descent, start = small_case(n_epochs=11)
    for epoch in epochs(mu, CURVE, descent, initial_state(mu, descent, start), keep_updates=[1, 5]):
        assert (epoch.updates is None) == (epoch.delta is None) == (epoch.number not in (1, 5))
        if epoch.number == 1:  # the first epoch draws nothing
            assert epoch.updates.shape == (0,)
            assert epoch.delta.shape == (0, 2)


# ---- cut off and resumed -------------------------------------------------------------------------


@pytest.fixture
def one_part_at_a_time(monkeypatch):
    """Lists of a part at a time, in another thread if there is one, so that an epoch of a wide case has several."""
    monkeypatch.setattr(sequential, "AT_A_TIME", 1)
    monkeypatch.setattr(sequential, "FEW", 0)


@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("push_tail", [False, True])
@pytest.mark.parametrize("dim", [2, 3])
def test_parts__are_applied_update_by_update(streams, push_tail, dim):
    n = sequential.TOGETHER * PART + 300  # two timetables
    mu, descent, start = wide_case(n_epochs=4, n=n, streams=streams, push_tail=push_tail)
    start = np.column_stack([start, start[:, 0] ** 2 % 5])[:, :dim]
    Y = start.astype(np.float32)
    for epoch in epochs(mu, CURVE, descent, initial_state(mu, descent, start), keep_updates=range(5)):
        Y, counts, delta = applied(epoch.updates, Y, CURVE, epoch.alpha, push_tail=push_tail)
        assert epoch.Y.tobytes() == Y.tobytes()
        np.testing.assert_array_equal(epoch.delta, delta)
        np.testing.assert_array_equal(epoch.counts.repulsions_realised, counts.repulsions_realised)


@pytest.mark.parametrize("threads", [1, numba.config.NUMBA_NUM_THREADS])
@pytest.mark.parametrize("at_a_time", [1, 2, 16])
@pytest.mark.parametrize("streams", STREAMS)
def test_parts_at_a_time_and_threads__change_no_bit_of_the_layout_nor_of_what_is_kept(
    streams, at_a_time, threads, n_threads, monkeypatch
):
    mu, descent, start = wide_case(streams=streams)
    n_threads(1)
    whole, in_parts = initial_state(mu, descent, start), initial_state(mu, descent, start)
    expected = [(e.updates, e.delta) for e in epochs(mu, CURVE, descent, whole, keep_updates=range(15))]
    n_threads(threads)
    monkeypatch.setattr(sequential, "AT_A_TIME", at_a_time)
    monkeypatch.setattr(sequential, "FEW", 0)  # lists come from another thread, if there is one
    kept = epochs(mu, CURVE, descent, in_parts, keep_updates=range(15))
    for epoch, (updates, delta) in zip(kept, expected, strict=True):
        np.testing.assert_array_equal(epoch.updates, updates)
        np.testing.assert_array_equal(epoch.delta, delta)
    assert same_bits(in_parts, whole)
    assert same_bits(run_through(mu, descent, start), whole)


def test_steps__are_counted_anew_before_they_leave_int32(one_part_at_a_time, monkeypatch):
    mu, descent, start = wide_case()
    expected, listing, counted = run_through(mu, descent, start), sequential.list_parts, []

    def late(*given):
        marks, mark = given[-2:]
        if not mark[0]:  # a new epoch, as if many steps had been taken before
            marks[:] = mark[:] = sequential.MOST_STEPS - 20
        done = listing(*given)
        counted.append(mark[0])
        return done

    monkeypatch.setattr(sequential, "list_parts", late)
    assert same_bits(run_through(mu, descent, start), expected)
    assert max(counted) > sequential.MOST_STEPS
    assert min(counted) < 10_000


@pytest.mark.parametrize("streams", STREAMS)
def test_leaving_the_loop_and_going_on__gives_the_bits_of_an_unbroken_run(streams):
    mu, descent, start = small_case(streams=streams)
    state = initial_state(mu, descent, start)
    while state.epoch < 30:
        left_at = state.epoch + 4
        for epoch in epochs(mu, CURVE, descent, state):
            if epoch.number == left_at:
                break
        state = state.copy()  # a checkpoint is all that going on needs
    assert same_bits(state, run_through(mu, descent, start))


def unbroken(mu, descent, start):
    """The state after each epoch."""
    state = initial_state(mu, descent, start)
    return [state.copy()] + [state.copy() for _ in epochs(mu, CURVE, descent, state)]


@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("threads", [1, numba.config.NUMBA_NUM_THREADS])
@pytest.mark.parametrize("where", ["list_parts", "apply_parts"])
def test_an_interrupt__leaves_a_whole_epoch_to_go_on_from(
    streams, threads, where, n_threads, one_part_at_a_time, monkeypatch
):
    n_threads(threads)
    mu, descent, start = wide_case(streams=streams)
    states, state = unbroken(mu, descent, start), initial_state(mu, descent, start)
    kernel, calls, n_parts = getattr(sequential, where), [], len(part_starts(mu.n_vertices, 1)) - 1

    def interrupted(*arguments):
        calls.append(arguments)
        done = kernel(*arguments)
        if len(calls) == 6 * n_parts + 2:  # in epoch 7, between other parts: its streams and its first part have moved
            raise KeyboardInterrupt
        return done

    with monkeypatch.context() as patched:
        patched.setattr(sequential, where, interrupted)
        with pytest.raises(KeyboardInterrupt):
            for _ in epochs(mu, CURVE, descent, state):
                pass
    assert state.epoch == 6
    assert same_bits(state, states[6])
    for _ in epochs(mu, CURVE, descent, state):
        pass
    assert same_bits(state, states[-1])


@pytest.mark.parametrize("streams", STREAMS)
def test_an_error_of_the_caller__leaves_the_epoch_that_was_yielded(streams):
    mu, descent, start = small_case(streams=streams)
    states, state = unbroken(mu, descent, start), initial_state(mu, descent, start)
    loop = epochs(mu, CURVE, descent, state)
    for _ in range(9):
        next(loop)
    with pytest.raises(KeyboardInterrupt):
        loop.throw(KeyboardInterrupt())  # into the yield, as where the caller's own code is interrupted
    assert state.epoch == 9
    assert same_bits(state, states[9])


def test_a_finished_state__yields_nothing_more():
    mu, descent, start = small_case(n_epochs=11)
    state = run_through(mu, descent, start)
    assert list(epochs(mu, CURVE, descent, state)) == []
    none = Descent(n_epochs=0)
    assert list(epochs(mu, CURVE, none, initial_state(mu, none, start))) == []


# ---- symmetries ----------------------------------------------------------------------------------


# lanes.walk and lanes.look sum a square as fma(y, y, x x), in which x and y are not alike
@pytest.mark.parametrize("push_tail", [False, True])
@pytest.mark.parametrize(
    "transform",
    [
        pytest.param(lambda Y: Y * [-1, 1], id="reflected in x"),
        pytest.param(lambda Y: Y * [1, -1], id="reflected in y"),
        pytest.param(lambda Y: Y[:, ::-1], id="axes swapped"),
        pytest.param(lambda Y: Y[:, ::-1] * [-1, 1], id="turned by 90 degrees"),
    ],
)
def test_reflections_and_axis_swaps__commute_with_a_run_bit_for_bit(transform, push_tail):
    # With counter streams; umap-learn's are seeded from the first coordinate of the start.
    mu, descent, start = small_case(push_tail=push_tail)
    moved, moved_transformed = (run_through(mu, descent, Y0).Y for Y0 in (start, transform(start)))
    np.testing.assert_array_equal(moved_transformed, transform(moved))


def test_rotations__do_not_commute_with_the_descent_because_each_axis_is_clipped():
    turn = np.array([[1, -1], [1, 1]]) / np.sqrt(2)

    def commutator(distance):
        """How far a repulsion of two points that distance apart and then turning is from turning first."""
        Y, update = np.array([[0, 0], [distance, 0]], np.float32), updates_of((0, 1, 0, 0))
        first_moved, first_turned = applied(update, Y, UMAP)[0] @ turn.T, applied(update, Y @ turn.T, UMAP)[0]
        return np.abs(first_moved - first_turned).max()

    assert commutator(2.0) < 1e-6  # no clip: to float32
    # Clipped: turned by 45 degrees the head moves by (4, 4) and not by 4, sqrt(2) times as far.
    assert commutator(0.01) == pytest.approx(4 - 4 / np.sqrt(2), abs=1e-6)


# ---- the law, and the surface ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("streams", "digest"),
    [("counter", "040cbd6c8f2227d0"), ("umap", "a3489d6de096ab9e")],
)
def test_a_small_run__has_these_bits(streams, digest):
    # Everything that goes in is a multiple of 1/64, so that only the descent's own arithmetic counts: float32 sums and
    # products in a fixed order, but for the few squares that are powers of the C library.
    mu, descent, start = small_case(streams=streams)
    found = hashlib.sha256(run_through(mu, descent, start).Y.tobytes()).hexdigest()[:16]
    assert (found, LAW) == (digest, 4), "bits changed: raise LAW"


def test_initial_state__copies_the_start_as_it_stands():
    mu, descent, start = small_case()
    kept = start.copy()
    for given_start in (start, np.asfortranarray(start), start.tolist(), start.astype(np.float32)):
        state = initial_state(mu, descent, given_start)
        assert state.Y.dtype == np.float32
        assert state.Y.flags.c_contiguous
        np.testing.assert_array_equal(state.Y, kept)
        state.Y[:] = 0
    np.testing.assert_array_equal(start, kept)


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (np.zeros((59, 2)), r"expected shape \[60, d\], got \(59, 2\)"),
        (np.zeros(60), r"expected shape \[60, d\], got \(60,\)"),
        (np.zeros((60, 0)), r"expected shape \[60, d\], got \(60, 0\)"),
        (np.where(np.arange(120).reshape(60, 2) == 7, np.nan, 1.0), "row 3, column 1"),
        (np.full((60, 2), np.inf), "row 0, column 0"),
    ],
)
def test_initial_state__refuses_a_wrong_start(start, said):
    mu, descent, _ = small_case()
    with pytest.raises(ValueError, match=said):
        initial_state(mu, descent, start)


def test_epochs__refuse_a_state_of_another_graph_or_other_streams():
    mu, descent, start = small_case()
    of_others = [
        State(np.zeros((9, 2), np.float32), 0, np.zeros((0, 3), np.int64)),
        initial_state(mu, Descent(n_epochs=30, streams="umap"), start),
    ]
    for state in of_others:
        with pytest.raises(ValueError, match="state: expected 60 vertices and 0 streams, got"):
            next(epochs(mu, CURVE, descent, state))
    counter = initial_state(mu, descent, start)
    with pytest.raises(ValueError, match="state: expected 60 vertices and 60 streams, got 60 and 0"):
        next(epochs(mu, CURVE, Descent(n_epochs=30, streams="umap"), counter))


def test_counts__of_a_start_are_zero():
    assert isinstance(zero_counts(3), Counts)
    np.testing.assert_array_equal(zero_counts(3), np.zeros((4, 3)))
