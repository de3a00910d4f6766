"""Degrees: the row law (C10), the bounds of C14, and the degree that a run realises."""

from types import SimpleNamespace

import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st

from umapinfo.core.curve import fit_curve
from umapinfo.core.descent import epochs, initial_state
from umapinfo.core.graph import Rows, csr_graph, graph_from_csr, prune
from umapinfo.core.membership import fuzzy_graph
from umapinfo.core.neighbors import neighbors, neighbors_from_lists
from umapinfo.core.settings import Descent
from umapinfo.datasets import load
from umapinfo.measures.degree import DegreeObserver, degree

# Sums of at most a few dozen float64 terms of size at most 1, in another order than the twin's: a few 1e-15.
ROUNDING = 1e-12
# The search for sigma stops within 1e-5 of log2 k, in float32, and memberships are stored in float32.
ROW_TOLERANCE = 1e-4


def graph_of(P, n_neighbors=None):
    """The union of dense directed memberships P, with rows that list what is not NaN (0 may be listed)."""
    n = len(P)
    listed = [np.flatnonzero(~np.isnan(row)) for row in P]
    indptr = np.concatenate(([0], np.cumsum([len(row) for row in listed]))).astype(np.int64)
    neighbor = np.concatenate(listed).astype(np.int32)
    membership = np.concatenate([row[js] for row, js in zip(P, listed, strict=True)]).astype(np.float32)
    ones, no = np.ones(n, np.float32), np.zeros(n, bool)
    rows = Rows(indptr, neighbor, np.ones_like(membership), membership, ones, ones, no, no)
    dense = np.nan_to_num(P).astype(np.float32)
    return csr_graph(dense + dense.T - dense * dense.T, n_neighbors=n_neighbors, rows=rows)


@st.composite
def directed_memberships(draw):
    """Dense P of float32 values: NaN where not listed, a 1 in every row, ties and zeros among the rest."""
    n = draw(st.integers(2, 8))
    value = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1, width=32))
    P = np.full((n, n), np.nan)
    for i in range(n):
        others = [j for j in range(n) if j != i]
        js = draw(st.lists(st.sampled_from(others), min_size=1, unique=True))
        P[i, js] = draw(st.lists(value, min_size=len(js), max_size=len(js)))
        P[i, js[0]] = 1.0
    return P


@st.composite
def neighbor_lists(draw):
    """Lists of k - 1 neighbours of n > k points, distances sorted: ties, zeros, from 1e-20 to 1e25."""
    n = draw(st.integers(3, 9))
    k = draw(st.integers(2, n - 1))
    near, far, tied = st.floats(0.5, 2, width=32), st.floats(2.0**-66, 2.0**83, width=32), st.integers(0, 3)
    one = draw(st.sampled_from([near, far, tied, st.one_of(near, far, tied)]))
    rows = [sorted(draw(st.lists(one, min_size=k - 1, max_size=k - 1))) for _ in range(n)]
    indices = [draw(st.permutations([j for j in range(n) if j != i]))[: k - 1] for i in range(n)]
    return np.array(indices, dtype=np.int32), np.array(rows, dtype=np.float32), k


@pytest.fixture(scope="module")
def ring_graph():
    return fuzzy_graph(neighbors(load("ring", seed=3).X, 15))


@given(neighbor_lists())
def test_row_mass__is_never_under_log2_k_and_equals_it_unless_floored_or_tied(lists):
    indices, distances, k = lists
    measured = degree(fuzzy_graph(neighbors_from_lists(indices, distances, n_neighbors=k)))
    assert np.all(measured.row_excess >= -ROW_TOLERANCE)
    assert np.all(np.abs(measured.row_excess[measured.pinned]) <= ROW_TOLERANCE)
    np.testing.assert_array_equal(measured.row_excess, measured.row_mass - np.log2(k))


@given(directed_memberships())
def test_bounds__hold_for_every_directed_graph_and_match_the_twin(P):
    # Why: max(x, y) <= x + y - xy <= min(1, x + y) on [0, 1]^2, summed over j; the mean from below by
    # Cauchy-Schwarz (sum P_ij P_ji <= sum P_ij^2), from above by keeping the mutual mass of one pair only.
    measured, dense = degree(graph_of(P)), np.nan_to_num(P)
    twin = ref.degree_bounds(dense)
    assert np.all(measured.lower <= measured.union_degree + ROUNDING)
    assert np.all(measured.union_degree <= measured.upper + ROUNDING)
    mean = measured.union_degree.mean()
    assert measured.mean_lower - ROUNDING <= mean <= measured.mean_upper + ROUNDING
    assert measured.is_union
    names = {"S": "row_mass", "c": "column_sum", "d": "union_degree", "lower": "lower", "upper": "upper"}
    for of_twin, name in names.items():
        np.testing.assert_allclose(getattr(measured, name), twin[of_twin], atol=ROUNDING, err_msg=name)
    assert measured.mean_lower == pytest.approx(twin["mean_lower"], abs=ROUNDING)
    # What Cauchy-Schwarz gives away: sum P_ij^2 - sum P_ij P_ji = sum (P_ij - P_ji)^2 / 2.
    assert mean - measured.mean_lower == pytest.approx(((dense - dense.T) ** 2).sum() / (2 * len(P)), abs=ROUNDING)
    if measured.has_mutual_one:
        assert measured.mean_upper == pytest.approx(twin["mean_upper"], abs=ROUNDING)
    overlap = measured.weighted_reciprocity * np.sum(dense**2) / len(P)
    assert mean == pytest.approx(2 * measured.row_mass.mean() - overlap, abs=ROUNDING)


@given(directed_memberships())
def test_reciprocity__counts_listed_arcs_whose_reverse_is_listed(P):
    arcs = ~np.isnan(P)
    assert degree(graph_of(P)).reciprocity == pytest.approx((arcs & arcs.T).sum() / arcs.sum(), abs=ROUNDING)


@given(directed_memberships())
def test_mean_lower__is_attained_by_symmetric_rows(P):
    upper = np.triu(np.nan_to_num(P), 1)
    measured = degree(graph_of(upper + upper.T))
    assert measured.union_degree.mean() == pytest.approx(measured.mean_lower, abs=ROUNDING)
    assert measured.weighted_reciprocity == pytest.approx(1.0 if upper.any() else 0.0, abs=ROUNDING)


def test_mean_upper__is_two_s_where_no_pair_is_mutual():
    # The directed triangle: S = 1, d = 2 = 2 S, which 2 S - 2/n would forbid.
    measured = degree(graph_of(np.array([[np.nan, 1, np.nan], [np.nan, np.nan, 1], [1, np.nan, np.nan]])))
    assert not measured.has_mutual_one
    assert measured.mean_degree == measured.mean_upper == 2.0
    assert measured.reciprocity == 0.0


def test_mean_upper__is_attained_by_a_mutual_pair_that_is_the_only_one():
    P = np.full((4, 4), np.nan)
    P[0, 1] = P[1, 0] = P[2, 0] = P[3, 0] = 1.0
    measured = degree(graph_of(P))
    assert measured.has_mutual_one
    assert measured.mean_degree == measured.mean_upper == 2 - 2 / 4
    assert measured.degree[0] == measured.upper[0] == 3.0  # the hub reaches n - 1


def test_k_2__gives_every_membership_one():
    X = np.random.default_rng(0).normal(size=(40, 3))
    measured = degree(fuzzy_graph(neighbors(X, 2)))
    np.testing.assert_array_equal(measured.row_mass, 1.0)
    np.testing.assert_array_equal(measured.row_excess, 0.0)


@pytest.mark.parametrize("sigma", [0.125, 1.0, 64.0])
def test_k_3__has_the_closed_forms_whatever_the_scale(sigma):
    # Pairs 01 and 23 nearest, 02 and 13 second: P = 1 and log2 3 - 1, their unions 1 and 1 - (2 - log2 3)^2.
    # A power of two is met by the search exactly, so that float32 is all there is: 1e-6.
    second = 1.0 - sigma * np.log(np.log2(3) - 1)
    lists = neighbors_from_lists([[1, 2], [0, 3], [3, 0], [2, 1]], [[1.0, second]] * 4, n_neighbors=3)
    graph = fuzzy_graph(lists)
    np.testing.assert_allclose(graph.rows.membership.reshape(4, 2), [[1.0, 0.5849625]] * 4, atol=1e-6)
    measured = degree(graph)
    np.testing.assert_allclose(measured.row_excess, 0.0, atol=1e-6)
    np.testing.assert_allclose(measured.degree, 1.8277439, atol=1e-6)


def test_k_3__is_within_the_search_s_tolerance_at_any_distances():
    measured = degree(fuzzy_graph(neighbors(np.random.default_rng(0).normal(size=(200, 3)), 3)))
    # 1e-5 of the search, and its float32 sums
    np.testing.assert_allclose(measured.row_excess[measured.pinned], 0.0, atol=1.2e-5)
    assert measured.pinned.sum() > 190


def test_ring__has_the_degrees_of_damrich_and_hamprecht(ring_graph):
    measured = degree(ring_graph)
    assert ring_graph.n_entries == measured.n_adjacent.sum() == 16524
    # the reference prints four digits; 1e-4 is the issue's own tolerance
    assert measured.mean_degree == pytest.approx(5.8273, abs=1e-4)
    assert measured.degree.min() == pytest.approx(3.9644, abs=1e-4)
    assert measured.degree.max() == pytest.approx(7.9251, abs=1e-4)
    n_adjacent = measured.n_adjacent
    assert (n_adjacent.min(), n_adjacent.max(), n_adjacent.mean()) == (14, 26, 16.524)
    assert measured.pinned.all()
    assert np.abs(measured.row_excess).max() < 1.2e-5  # the search's 1e-5, its float32 sum of 14 terms
    assert measured.is_union
    assert measured.has_mutual_one
    assert measured.mean_lower < measured.mean_degree < measured.mean_upper < 2 * measured.log2_k


def test_bounds__are_of_the_union_when_the_graph_is_pruned_or_mixed(ring_graph):
    lists = neighbors(load("ring", seed=3, n=200).X, 15)
    whole, mixed = degree(fuzzy_graph(lists)), degree(fuzzy_graph(lists, set_op_mix_ratio=0.3))
    assert not mixed.is_union
    np.testing.assert_array_equal(mixed.union_degree, whole.union_degree)
    mutual = whole.row_mass + whole.column_sum - whole.union_degree
    # float32 weights, some 20 a vertex: each off by at most 2^-22
    np.testing.assert_allclose(mixed.degree, 0.3 * whole.union_degree + 0.7 * mutual, atol=30 * 2.0**-22)
    pruned = degree(prune(ring_graph, 50))
    assert not pruned.is_union
    lost = degree(ring_graph).degree - pruned.degree
    assert np.all(lost >= 0)
    # every dropped weight is under max p / n_epochs = 1/50
    assert np.all(lost <= (degree(ring_graph).n_adjacent - pruned.n_adjacent) / 50)


def test_somebody_elses_graph__has_degrees_and_no_row_quantities():
    measured = degree(graph_from_csr(np.array([[0, 0.5, 0], [0.5, 0, 0], [0, 0, 0]])))
    np.testing.assert_array_equal(measured.degree, [0.5, 0.5, 0.0])
    np.testing.assert_array_equal(measured.n_adjacent, [1, 1, 0])
    absent = set(vars(measured)) - {"degree", "n_adjacent"}
    assert all(getattr(measured, name) is None for name in absent)
    assert measured.pinned is None


def test_graph_without_edges__has_degree_zero_everywhere():
    measured = degree(graph_from_csr(np.zeros((3, 3))))
    assert measured.mean_degree == 0.0
    empty = degree(graph_of(np.full((3, 3), np.nan)))
    assert empty.reciprocity == empty.weighted_reciprocity == 0.0
    assert empty.mean_lower == empty.mean_degree == empty.mean_upper == 0.0


def fake_epoch(number, attractions, repulsions):
    counts = SimpleNamespace(attractions_realised=attractions, repulsions_realised=repulsions)
    return SimpleNamespace(number=number, counts=counts)


def test_realised_degree__of_the_schedule_is_the_degree_but_for_the_floor():
    X = np.random.default_rng(1).normal(size=(60, 3))
    halved = graph_from_csr(fuzzy_graph(neighbors(X, 10)).to_csr() / 2)  # so that max mu is not 1
    n_epochs, mu = 50, prune(halved, 50)
    observer, nothing = DegreeObserver(), np.zeros(60, dtype=np.int64)
    arrays = observer.start(mu, fit_curve(), Descent(n_epochs=n_epochs))
    for number, due in enumerate(ref.due(mu.weight, n_epochs), start=1):
        drawn = np.array([entry for entry, _ in due], dtype=np.int64)
        ends = np.concatenate([mu.heads[drawn], mu.indices[drawn]])
        epoch = fake_epoch(number, np.bincount(ends, minlength=60), nothing)
        observer.step(arrays, epoch)
        realised = observer.values(arrays, epoch)["realised_degree"]
        missing = mu.degree - realised
        if number == 1:
            np.testing.assert_array_equal(realised, 0.0)
            continue
        # Each neighbour's count is floored, by less than 1; umap-learn's float32 step can move a due time
        # by 1e-7 of itself, which costs at most 1e-6 here.
        assert np.all(missing >= -1e-6)
        assert np.all(missing < np.diff(mu.indptr) * mu.weight.max() / (number - 1) + 1e-6)


def test_degree_observer__adds_up_the_counts_of_a_run():
    X = np.random.default_rng(2).normal(size=(60, 3)).astype(np.float32)
    descent = Descent(n_epochs=20)
    mu, curve = prune(fuzzy_graph(neighbors(X, 10)), 20), fit_curve()
    observer = DegreeObserver()
    arrays = observer.start(mu, curve, descent)
    attractions = repulsions = np.zeros(60, dtype=np.int64)
    for epoch in epochs(mu, curve, descent, initial_state(mu, descent, X[:, :2])):
        observer.step(arrays, epoch)
        attractions = attractions + epoch.counts.attractions_realised
        repulsions = repulsions + epoch.counts.repulsions_realised
    values = observer.values(arrays, epoch)
    np.testing.assert_array_equal(values["attractions_realised"], attractions)
    np.testing.assert_array_equal(values["repulsions_realised"], repulsions)
    assert values["attractions_realised"].dtype == np.int64
    assert np.all(np.abs(values["realised_degree"] - mu.degree) <= np.diff(mu.indptr) / 19 + 1e-6)
    assert values["attractions_realised"] is not arrays["attractions_realised"]


def test_degree_observer__realises_nothing_before_the_first_draw_or_without_edges():
    for graph in (graph_of(np.array([[np.nan, 1.0], [1.0, np.nan]])), graph_from_csr(np.zeros((2, 2)))):
        observer = DegreeObserver()
        arrays = observer.start(graph, fit_curve(), Descent())
        for number in (0, 1, 2):
            values = observer.values(arrays, fake_epoch(number, 0, 0))
            np.testing.assert_array_equal(values["realised_degree"], 0.0)
