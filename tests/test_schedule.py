"""The schedule: what is due when, how many negative samples it draws, and lists however far ahead they are made."""

import math
from itertools import islice

import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from strategies import symmetric_graphs

from umapinfo import datasets
from umapinfo.core import calendar
from umapinfo.core.calendar import (
    PART,
    block_starts,
    due_times,
    new_calendar,
    part_starts,
    parts_of,
    schedule,
    turned,
)
from umapinfo.core.graph import graph_from_csr, prune
from umapinfo.core.lists import ATTRACTION, count_updates, run_updates
from umapinfo.core.membership import fuzzy_graph
from umapinfo.core.neighbors import neighbors
from umapinfo.core.settings import Descent
from umapinfo.core.streams import counter_draw, epoch_key, initial_streams

RATES = st.sampled_from([0.0, 0.3, 1.0, 5.0, 7.5])
N_EPOCHS = st.sampled_from([1, 2, 10, 11, 40])


def start_of(n):
    """A start that gives each vertex a stream of its own."""
    return np.random.default_rng(n).uniform(0, 10, (n, 2)).astype(np.float32)


def lists(mu, descent, *, after=0):
    """The updates of each epoch after `after`: what the descent applies."""
    return run_updates(mu, descent, initial_streams(descent.streams, descent.seed, start_of(mu.n_vertices)), after)


def few_epochs_at_a_time(patched, n_listed):
    """Have the calendar list so many attractions at a time, which is an epoch or a few."""
    patched.setattr(calendar, "AT_A_TIME", n_listed)


def twin_draw(descent, n):
    """The draws of `reference.updates` for the same streams."""
    if descent.streams == "umap":
        info = np.iinfo(np.int32)
        integers = np.random.RandomState(descent.seed).randint(info.min + 1, info.max - 1, 3)
        return ref.tausworthe_draw(ref.tausworthe_states(start_of(n), integers))
    keys = {}

    def draw(number, entry, i, head):
        key = keys.setdefault(number, np.uint64(epoch_key(np.uint64(descent.seed), number)))
        return counter_draw(key, entry, i, n)

    return draw


# ---- against the twin ----------------------------------------------------------------------------


@given(
    p=symmetric_graphs(),
    n_epochs=N_EPOCHS,
    rate=RATES,
    streams=st.sampled_from(["counter", "umap"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_lists__equal_the_twins_update_by_update_in_every_epoch(p, n_epochs, rate, streams, seed):
    descent = Descent(n_epochs=n_epochs, negative_sample_rate=rate, streams=streams, seed=seed)
    mu = prune(graph_from_csr(p), n_epochs)
    expected = ref.updates(mu.to_csr(), n_epochs, twin_draw(descent, mu.n_vertices), rate)
    for updates, listed in zip(lists(mu, descent), expected, strict=True):
        assert updates.tolist() == listed


def test_periods__take_umap_learns_float32_step_to_the_bit(golden):
    run = golden("run")
    n_epochs, rate = int(run["n_epochs"]), float(run["negative_sample_rate"])
    mu = prune(graph_from_csr(csr_matrix((run["p_weight"], run["p_indices"], run["p_indptr"]))), n_epochs)
    plan = schedule(mu, Descent(n_epochs=n_epochs, negative_sample_rate=rate))
    assert plan.per_sample.tobytes() == run["epochs_per_sample"].tobytes()
    assert plan.per_sample.tobytes() == ref.epochs_per_sample(mu.weight, n_epochs).tobytes()
    assert plan.per_negative.tobytes() == (run["epochs_per_sample"] / rate).tobytes()


@given(
    p=symmetric_graphs(),
    rate=RATES,
    streams=st.sampled_from(["counter", "umap"]),
    n_listed=st.sampled_from([1, 5, 40, 300]),
)
def test_lists__are_the_same_for_any_number_of_epochs_listed_ahead(p, rate, streams, n_listed):
    descent = Descent(n_epochs=40, negative_sample_rate=rate, streams=streams)
    mu = prune(graph_from_csr(p), 40)
    expected = list(lists(mu, descent))
    with pytest.MonkeyPatch.context() as patched:
        few_epochs_at_a_time(patched, n_listed)
        for updates, others in zip(lists(mu, descent), expected, strict=True):
            np.testing.assert_array_equal(updates, others)


@given(p=symmetric_graphs(), n_epochs=N_EPOCHS, rate=RATES, n_listed=st.sampled_from([1, 5, 40, 10**6]))
def test_due_times__rebuilt_for_an_epoch_have_the_bits_of_those_that_ran_up_to_it(p, n_epochs, rate, n_listed):
    descent = Descent(n_epochs=n_epochs, negative_sample_rate=rate)
    mu = prune(graph_from_csr(p), n_epochs)
    plan = schedule(mu, descent)
    with pytest.MonkeyPatch.context() as patched:
        few_epochs_at_a_time(patched, n_listed)
        due, bounds = due_times(plan, 0), parts_of(plan, mu.n_vertices, 1)
        book = new_calendar(plan, bounds, 0)
    while book.last < n_epochs:
        book = turned(book, plan, due, bounds)
        rebuilt = due_times(plan, book.last)
        assert rebuilt.sample.tobytes() == due.sample.tobytes()
        assert rebuilt.negative.tobytes() == due.negative.tobytes()


@given(p=symmetric_graphs(), rate=RATES, seed=st.integers(0, 9))
def test_counter_lists__of_an_epoch_need_none_of_the_epochs_before(p, rate, seed):
    descent = Descent(n_epochs=20, negative_sample_rate=rate, seed=seed)
    mu = prune(graph_from_csr(p), 20)
    *_, last = lists(mu, descent)
    (alone,) = lists(mu, descent, after=19)
    np.testing.assert_array_equal(alone, last)


@given(p=symmetric_graphs(), rate=st.floats(0, 50), n_blocks=st.sampled_from([1, 3]), n_listed=st.integers(1, 10**4))
def test_a_calendar__has_room_for_what_is_due_and_a_place_after_it(p, rate, n_blocks, n_listed):
    descent = Descent(n_epochs=80, negative_sample_rate=rate)
    mu = prune(graph_from_csr(p), 80)
    plan = schedule(mu, descent)
    with pytest.MonkeyPatch.context() as patched:
        few_epochs_at_a_time(patched, n_listed)
        due, bounds = due_times(plan, 0), parts_of(plan, mu.n_vertices, min(n_blocks, mu.n_vertices))
        book = new_calendar(plan, bounds, 0)
    while book.last < 80:
        book = turned(book, plan, due, bounds)
        ends = np.append(book.starts[1:, 0], len(book.entries))
        assert (book.starts[:, -1] < ends).all()
        assert (np.diff(book.starts, axis=1) >= 0).all()


@given(n=st.integers(1, 5 * PART), n_blocks=st.integers(1, 5 * PART))
def test_parts__cut_blocks_that_are_alike_into_parts_that_are_alike(n, n_blocks):
    n_blocks = min(n, n_blocks)
    blocks, parts = block_starts(n, n_blocks), part_starts(n, n_blocks)
    assert (blocks[0], blocks[-1], parts[0], parts[-1]) == (0, n, 0, n)
    assert set(blocks) <= set(parts)
    for starts in (blocks, *np.split(parts, np.searchsorted(parts, blocks[1:-1]))):
        sizes = np.diff(starts)
        assert len(sizes) == 0 or 0 < sizes.max() <= sizes.min() + 1
    assert np.diff(parts).max() <= PART
    assert len(parts) - 1 == sum(-(-size // PART) for size in np.diff(blocks))


@given(p=symmetric_graphs(), rate=st.floats(0, 50))
def test_count_updates__is_the_length_of_an_epochs_list(p, rate):
    descent = Descent(n_epochs=40, negative_sample_rate=rate)
    mu = prune(graph_from_csr(p), 40)
    found = [len(updates) for updates in lists(mu, descent)]
    assert [count_updates(mu, descent, number) for number in range(41)] == [0, *found]


def test_lists__of_a_graph_of_several_parts_equal_the_twins():
    n = 2 * PART + 60
    i = np.arange(n)
    weight = np.where(i % 3 == 0, 1.0, 0.4)
    ring = csr_matrix((weight, (i, (i + 7) % n)), shape=(n, n))
    mu = prune(graph_from_csr(ring + ring.T), 12)
    for streams in ("counter", "umap"):
        descent = Descent(n_epochs=12, streams=streams)
        assert len(parts_of(schedule(mu, descent), n, 1)) == 4
        expected = ref.updates(mu.to_csr(), 12, twin_draw(descent, n))
        for updates, listed in zip(lists(mu, descent), expected, strict=True):
            assert updates.tolist() == listed


@pytest.mark.parametrize("rate", [1.0, 2.5])
def test_alpha__is_the_twins_in_every_epoch(rate):
    descent = Descent(n_epochs=50, learning_rate=rate)
    for number in range(1, 51):
        assert descent.alpha(number, 50) == ref.alpha(number, 50, rate)


# ---- how often ----------------------------------------------------------------------------------


@given(
    weights=st.lists(st.floats(2.0**-12, 1.0, width=32), min_size=1, max_size=8),
    n_epochs=st.integers(11, 300),
)
def test_entries__are_drawn_as_often_as_their_weight_says(weights, n_epochs):
    n = len(weights) + 1
    star = np.zeros((n, n))
    star[0, 1:] = star[1:, 0] = weights
    mu = prune(graph_from_csr(star), n_epochs)
    drawn = np.zeros(mu.n_entries, np.int64)
    for updates in lists(mu, Descent(n_epochs=n_epochs)):
        drawn += np.bincount(updates["entry"][updates["draw"] == ATTRACTION], minlength=mu.n_entries)
    often = (n_epochs - 1) * mu.weight.astype(np.float64) / mu.weight.max()
    # A period is rounded to float32 (6e-8 relative): within that of a whole number either neighbour will do.
    slack = 2e-7 * n_epochs
    assert (np.floor(often - slack) <= drawn).all()
    assert (drawn <= np.floor(often + slack)).all()


@pytest.fixture(scope="module")
def ring_lists():
    """The ring of seed 3 as it is scheduled for 500 epochs: mu, and numbers of attractions and negatives."""
    mu = prune(fuzzy_graph(neighbors(datasets.load("ring", seed=3).X, 15)), 500)
    found = []
    for updates in lists(mu, Descent(n_epochs=500)):
        n_attractions = int(np.sum(updates["draw"] == ATTRACTION))
        found.append((n_attractions, len(updates) - n_attractions))
    return mu, found


def test_ring__has_the_published_numbers_of_attractions_and_negatives(ring_lists):
    mu, found = ring_lists
    assert found[0] == (0, 0)
    # Epochs 2 and 3 turn on which unions at 1 a float32 sum rounds to 1 - 6e-8; those of 4 and 5 do not.
    assert found[3:5] == [(5162, 23776), (5506, 26520)]
    totals = np.sum(found, axis=0)
    # An entry gives or takes one draw where T - 1 epochs are within rounding of a whole number of its periods:
    # again mostly the unions at 1 (first or second float32 below it), which are drawn 499 or 498 times.
    often = 499 * mu.weight.astype(np.float64) / mu.weight.max()
    n_undecided = np.sum(np.abs(often - np.rint(often)) < 2e-4)
    assert abs(totals[0] - 2_900_136) <= n_undecided
    assert abs(totals[1] - 14_489_750) <= 5 * n_undecided
    assert n_undecided < 1e-3 * totals[0]


@pytest.mark.parametrize(("rate", "n_epochs"), [(5.0, 500), (0.3, 500), (2.5, 60)])
def test_negatives__number_the_rate_times_the_attractions(rate, n_epochs):
    X = np.random.default_rng(0).normal(size=(60, 3))
    mu = prune(fuzzy_graph(neighbors(X, 10)), n_epochs)
    drawn = np.zeros((2, mu.n_entries))
    for updates in lists(mu, Descent(n_epochs=n_epochs, negative_sample_rate=rate)):
        for kind, those in enumerate([updates["draw"] == ATTRACTION, updates["draw"] != ATTRACTION]):
            drawn[kind] += np.bincount(updates["entry"][those], minlength=mu.n_entries)
    # The k-th draw is at a time t in [k eps, k eps + 1), and N = int(t rate/eps) - 1 negatives are drawn by then.
    excess = drawn[1] - rate * drawn[0]
    assert (excess > -2 - 1e-9).all()
    assert (excess < max(0, rate - 1) + 1e-9).all()


def test_updates__of_an_entry_are_its_attraction_and_then_its_negatives_in_the_order_of_entries():
    X = np.random.default_rng(0).normal(size=(60, 3))
    mu = prune(fuzzy_graph(neighbors(X, 10)), 50)
    for updates in islice(lists(mu, Descent(n_epochs=50)), 10):
        entry, draw = updates["entry"].astype(np.int64), updates["draw"]
        place = np.lexsort((draw, entry))
        np.testing.assert_array_equal(place, np.arange(len(updates)))
        np.testing.assert_array_equal(updates["head"], mu.heads[entry])
        attraction = draw == ATTRACTION
        np.testing.assert_array_equal(updates["tail"][attraction], mu.indices[entry[attraction]])
        assert len(np.unique(entry)) == attraction.sum()


# ---- edge cases ----------------------------------------------------------------------------------


def path_graph(*weights):
    """A path whose successive edges have these weights."""
    n = len(weights) + 1
    i = np.arange(n - 1)
    upper = csr_matrix((weights, (i, i + 1)), shape=(n, n))
    return graph_from_csr(upper + upper.T)


def test_no_epochs__list_nothing():
    assert list(lists(prune(path_graph(1.0, 0.5), 0), Descent(n_epochs=0))) == []


def test_one_epoch__draws_nothing():
    (updates,) = lists(prune(path_graph(1.0, 0.5), 1), Descent(n_epochs=1))
    assert len(updates) == 0


def test_ten_epochs__prune_by_the_default_number_and_never_draw_what_is_due_later():
    # umap-learn's exception: up to 10 epochs weights over max/500 stay in the graph.
    mu = prune(path_graph(1.0, 0.5, 0.05, 0.001), 10)
    assert sorted(set(mu.weight.tolist())) == pytest.approx([0.05, 0.5, 1.0])
    drawn = sum(np.bincount(updates["entry"], minlength=6) for updates in lists(mu, Descent(n_epochs=10)))
    n_attractions = dict(zip(mu.weight.tolist(), drawn, strict=True))
    assert n_attractions[np.float32(0.05)] == 0  # due in epoch 21
    assert n_attractions[np.float32(0.5)] > 0


def test_rate_zero__draws_no_negatives():
    mu = prune(path_graph(1.0, 0.5), 30)
    descent = Descent(n_epochs=30, negative_sample_rate=0)
    for number, updates in enumerate(lists(mu, descent), start=1):
        assert (updates["draw"] == ATTRACTION).all()
        assert np.isinf(due_times(schedule(mu, descent), number).negative).all()


def test_graph_without_edges__lists_nothing_in_every_epoch():
    mu = prune(graph_from_csr(csr_matrix((5, 5))), 20)
    assert [len(updates) for updates in lists(mu, Descent(n_epochs=20))] == [0] * 20


def test_settings__of_numpys_types_give_the_bits_of_plain_numbers():
    mu = prune(path_graph(1.0, 0.3, 0.7, 0.9), 100)
    plain = schedule(mu, Descent(n_epochs=100, negative_sample_rate=3))
    for n_epochs, rate in [(np.int64(100), np.float32(3)), (100.0, np.int32(3)), (np.float64(100), 3.0)]:
        descent = Descent(n_epochs=n_epochs, negative_sample_rate=rate)
        assert descent == Descent(n_epochs=100, negative_sample_rate=3)
        for mine, expected in zip(schedule(mu, descent), plain, strict=True):
            assert mine.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("n_epochs", -1, "whole number in"),
        ("n_epochs", 2.5, "whole number in"),
        ("n_epochs", "many", "whole number in"),
        ("seed", -1, "whole number in"),
        ("seed", 2**32, "whole number in"),
        ("seed", 0.5, "whole number in"),
        ("learning_rate", -0.1, "finite number in"),
        ("learning_rate", math.nan, "finite number in"),
        ("learning_rate", math.inf, "finite number in"),
        ("negative_sample_rate", -1, "finite number in"),
        ("negative_sample_rate", 1e6, "finite number in"),
        ("repulsion_strength", -1, "finite number in"),
        ("repulsion_strength", None, "finite number in"),
        ("n_blocks", 0, "whole number in"),
        ("n_blocks", 2**31, "whole number in"),
        ("n_blocks", 1.5, "whole number in"),
        ("n_blocks", None, "whole number in"),
        ("order", "parallel", "'sequential', 'blocked'"),
        ("streams", "mersenne", "'counter', 'umap'"),
    ],
)
def test_settings__outside_their_range_are_refused_with_the_range_and_the_value(name, value, said):
    with pytest.raises(ValueError, match=f"{name}: expected .*{said}.*, got {value!r}"):
        Descent(**{name: value})


@pytest.mark.parametrize(("n", "n_epochs"), [(10_000, 500), (10_001, 200)])
def test_default_number_of_epochs__is_umap_learns(n, n_epochs):
    assert Descent().epochs_for(n) == n_epochs == ref.epochs_for(n)
    assert Descent(n_epochs=7).epochs_for(n) == 7
