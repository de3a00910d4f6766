"""Binarisation of the rows, the graph, the target and the layout (C1, C25)."""

from types import SimpleNamespace

import numpy as np
import pytest
import reference as ref
import scipy.sparse
import strategies
from hypothesis import given
from hypothesis import strategies as st

from umapinfo.core.curve import Curve, fit_curve
from umapinfo.core.graph import graph_from_csr, prune
from umapinfo.core.membership import fuzzy_graph
from umapinfo.core.neighbors import neighbors
from umapinfo.core.settings import Descent
from umapinfo.datasets import load
from umapinfo.measures.binarisation import (
    BinarisationObserver,
    binarisation,
    graph_binarisation,
    layout_binarisation,
    row_binarisation,
    target_binarisation,
    target_similarity,
)

# Sums of float64 terms in another order, and two formulas for h: a few ulps a term.
ROUNDING = 1e-12

thresholds = st.sampled_from([0.0, 1.0, 0.01, 0.05, 0.95, 0.99, 0.5])
probability = st.one_of(thresholds, st.floats(0, 1), st.floats(0, 1, width=32))
probabilities = st.lists(probability, max_size=40).map(np.array)


def dense_q(graph, Y, curve):
    return ref.similarity(np.asarray(Y, dtype=np.float64), curve)[graph.heads, graph.indices]


@pytest.fixture(scope="module")
def cloud_graph():
    return fuzzy_graph(neighbors(np.random.default_rng(0).normal(size=(80, 4)), 10))


@given(probabilities.filter(len))
def test_binarisation__matches_the_twin(v):
    measured, twin = binarisation(v), ref.binarisation(v)
    np.testing.assert_array_equal(measured.histogram, twin["histogram"])
    for name in ("near_zero_01", "near_zero_05", "near_one_01", "near_one_05"):
        assert getattr(measured, name) == pytest.approx(twin[name], abs=ROUNDING), name
    assert measured.variance == pytest.approx(twin["variance"], abs=ROUNDING)
    assert measured.entropy_mean == pytest.approx(twin["entropy"], abs=ROUNDING)
    assert measured.entropy == pytest.approx(len(v) * twin["entropy"], abs=len(v) * ROUNDING)
    assert measured.n_values == measured.histogram.sum() == len(v)


@given(probabilities, st.lists(st.integers(0, 40), max_size=5))
def test_entropy__never_exceeds_the_maximum_given_the_sums(v, cuts):
    indptr = np.sort([0, *(min(cut, len(v)) for cut in cuts), len(v)])
    grouped, whole = binarisation(v, indptr), binarisation(v)
    # Jensen within each group, and again over the groups: less freedom, a smaller maximum
    # (under the smallest normal number the means of groups have no digits left)
    assert grouped.entropy <= grouped.entropy_maximum * (1 + ROUNDING) + np.finfo(float).tiny
    assert grouped.entropy_maximum <= whole.entropy_maximum * (1 + ROUNDING) + np.finfo(float).tiny
    assert 0.0 <= grouped.entropy_ratio <= 1 + ROUNDING
    assert grouped.entropy == whole.entropy


@given(probability, st.integers(1, 30))
def test_entropy_ratio__is_one_for_equal_values(v, n):
    assert binarisation(np.full(n, v)).entropy_ratio == pytest.approx(1.0, abs=ROUNDING)


def test_entropy_ratio__is_zero_for_a_binary_mixture():
    measured = binarisation([0.0, 1.0, 1.0])
    assert (measured.entropy, measured.entropy_ratio, measured.variance) == (0.0, 0.0, 0.0)
    assert measured.near_zero_01 + measured.near_one_01 == 1.0


def test_no_values__give_zeros_and_a_ratio_of_one():
    measured = binarisation([])
    assert measured.histogram.tolist() == [0] * 20
    assert measured.near_zero_01 == measured.near_one_05 == measured.variance == measured.entropy_mean == 0.0
    assert measured.entropy_ratio == 1.0


@pytest.mark.parametrize(
    "values, message",
    [
        ([0.5, 1.5, -1.0], r"in \[0, 1\], got 1.5 at place 1"),
        ([0.5, 0.2, np.nan], "got nan at place 2"),
        ([[0.5]], r"1-d array of probabilities, got shape \(1, 1\)"),
    ],
)
def test_wrong_values__are_refused_with_their_first_place(values, message):
    with pytest.raises(ValueError, match=message):
        binarisation(values)


def test_values_that_are_no_numbers__are_refused():
    with pytest.raises(TypeError, match="expected real numbers as probabilities, got dtype"):
        binarisation(["a"])


@pytest.mark.parametrize("indptr", [[0, 1], [1, 2], [0, 2, 1, 2], [0.0, 2.0], [], [[0, 2]]])
def test_wrong_groups__are_refused(indptr):
    with pytest.raises(ValueError, match="indptr as integers that rise from 0 to the number of values, 2"):
        binarisation([0.1, 0.2], indptr)


def test_rows__have_the_maximum_with_one_entry_fixed_at_one(cloud_graph):
    measured = row_binarisation(cloud_graph)
    P = cloud_graph.rows.membership.astype(np.float64).reshape(80, 9)
    maximum = sum(ref.row_entropy_max(S, 10) for S in P.sum(axis=1))
    assert measured.entropy_maximum == pytest.approx(maximum, rel=ROUNDING)
    assert measured.entropy == pytest.approx(80 * 9 * ref.binarisation(P.ravel())["entropy"], rel=ROUNDING)
    # C25: rows are far from binary; about 86 % of the maximum was measured on other clouds
    assert 0.75 < measured.entropy_ratio < 0.95


def test_rows_of_k_2__are_all_one_and_as_entropic_as_their_sums_allow():
    measured = row_binarisation(fuzzy_graph(neighbors(np.random.default_rng(1).normal(size=(20, 2)), 2)))
    assert (measured.near_one_01, measured.entropy, measured.entropy_maximum) == (1.0, 0.0, 0.0)
    assert measured.entropy_ratio == 1.0


def test_rows_without_an_entry_of_one__have_all_entries_free():
    lists = neighbors(np.random.default_rng(2).normal(size=(30, 3)), 5)
    graph = fuzzy_graph(lists, local_connectivity=0.5)
    P = graph.rows.membership.astype(np.float64).reshape(30, 4)
    assert np.all(P.max(axis=1) < 1)
    maximum = sum(ref.symmetric_entropy_max(4, S) for S in P.sum(axis=1))
    assert row_binarisation(graph).entropy_maximum == pytest.approx(maximum, rel=ROUNDING)


def test_rows_of_somebody_elses_graph__are_refused():
    with pytest.raises(ValueError, match="expected a graph with directed rows, got one without"):
        row_binarisation(graph_from_csr(np.zeros((2, 2))))


def test_graph__counts_each_edge_once_and_bounds_the_entropy_by_the_vertices_sums(cloud_graph):
    measured = graph_binarisation(cloud_graph)
    p = cloud_graph.to_csr().toarray()
    twin = ref.binarisation(p[np.triu(p) > 0])
    np.testing.assert_array_equal(measured.histogram, twin["histogram"])
    assert measured.n_values == cloud_graph.n_entries / 2
    assert measured.entropy_mean == pytest.approx(twin["entropy"], rel=ROUNDING)
    n_i, s_i = (p > 0).sum(axis=1), p.sum(axis=1)
    maximum = sum(ref.symmetric_entropy_max(n, s) for n, s in zip(n_i, s_i, strict=True)) / 2
    assert measured.entropy_maximum == pytest.approx(maximum, rel=ROUNDING)
    assert 0 < measured.entropy_ratio < 1


def test_graph__attains_the_maximum_where_all_weights_are_equal():
    complete = graph_from_csr(0.25 * (1 - np.eye(5)))
    assert graph_binarisation(complete).entropy_ratio == pytest.approx(1, abs=ROUNDING)


def test_target__matches_the_twin_and_minimises_the_effective_loss(cloud_graph):
    descent = Descent(n_epochs=200, negative_sample_rate=4.0, repulsion_strength=1.5)
    mu = prune(cloud_graph, 200)
    nu = target_similarity(mu, descent)
    A, B = ref.effective(mu.to_csr().toarray(), 4.0, 1.5)
    np.testing.assert_allclose(nu, ref.target(A, B)[mu.heads, mu.indices], rtol=ROUNDING)
    theta, A, B = np.log(nu / (1 - nu)), A[mu.heads, mu.indices], B[mu.heads, mu.indices]

    def effective_loss(t):
        return A * ref.softplus(-t) + B * ref.softplus(t)

    for step in (-0.1, 0.1):  # convex in theta: two sides suffice
        assert np.all(effective_loss(theta) < effective_loss(theta + step))
    assert target_binarisation(mu, descent).entropy_mean == pytest.approx(ref.h(nu).mean(), rel=ROUNDING)


@given(strategies.symmetric_graphs(), st.sampled_from([0.5, 5.0, 20.0]), st.sampled_from([0.5, 1.0]), st.floats(-9, 9))
def test_target__is_where_the_effective_loss_of_each_edge_is_least(p, rate, gamma, step):
    mu = graph_from_csr(p)
    nu = target_similarity(mu, Descent(negative_sample_rate=rate, repulsion_strength=gamma))
    A, B = (w[mu.heads, mu.indices] for w in ref.effective(mu.to_csr().toarray(), rate, gamma))
    theta = np.log(A) - np.log(B)
    np.testing.assert_allclose(nu, 1 / (1 + np.exp(-theta)), rtol=ROUNDING)
    at, off = (A * ref.softplus(-t) + B * ref.softplus(t) for t in (theta, theta + step))
    assert np.all(at <= off + 1e-14 * (A + B) * (1 + abs(theta) + abs(step)))  # rounding of the two terms
    if abs(step) > 0.01:  # the second derivative is over w q (1 - q) / 3 within steps of 1
        assert np.all(off - at > 1e-5 * (A + B) * nu * (1 - nu))


@given(strategies.symmetric_graphs(), st.sampled_from([0.5, 5.0, 20.0]), st.sampled_from([0.5, 1.0]))
def test_target__is_over_95_percent_just_where_a_weight_exceeds_19_repulsions(p, rate, gamma):
    mu = graph_from_csr(p)
    _, B = ref.effective(mu.to_csr().toarray(), rate, gamma)
    odds = mu.weight / (19 * B[mu.heads, mu.indices])
    clear = np.abs(odds - 1) > 1e-9  # rounding of a few float64 operations decides the others
    nu = target_similarity(mu, Descent(negative_sample_rate=rate, repulsion_strength=gamma))
    np.testing.assert_array_equal(nu[clear] > 0.95, odds[clear] > 1)


@given(strategies.symmetric_graphs(), st.integers(0, 1000))
def test_target__has_odds_in_proportion_to_the_number_of_points(p, n_more):
    n = p.shape[0]
    few, many = graph_from_csr(p), graph_from_csr(scipy.sparse.block_diag([p, scipy.sparse.csr_matrix((n_more,) * 2)]))
    odds = [nu / (1 - nu) for nu in (target_similarity(mu, Descent()) for mu in (few, many))]
    # 1 - nu of a rounded nu is off by 1e-16 absolutely: relative to itself by that times the odds
    np.testing.assert_allclose(odds[1], odds[0] * (n + n_more) / n, rtol=ROUNDING * (1 + odds[1].max()))


@given(st.integers(0, 2**32 - 1), st.integers(8, 60), st.integers(2, 7), st.sampled_from([0.5, 5.0]))
def test_target__of_a_fuzzy_graph_is_at_most_what_a_degree_of_log2_k_allows(seed, n, k, rate):
    X = np.random.default_rng(seed).normal(size=(n, 3))
    nu = target_similarity(fuzzy_graph(neighbors(X, k)), Descent(negative_sample_rate=rate))
    # log2 k is the lower bound of a degree, to the 1e-5 of the search for sigma and float32 weights
    assert nu.max() <= (1 + 2e-5) / (1 + rate * np.log2(k) / n)


def test_target__is_one_without_repulsion(cloud_graph):
    measured = target_binarisation(cloud_graph, Descent(repulsion_strength=0.0))
    assert (measured.near_one_01, measured.entropy) == (1.0, 0.0)


@pytest.mark.parametrize(
    "n, mean_degree, mean, above_9, above_99",
    [
        (100, 5.5917, 0.4687, 0.0, 0.0),
        (500, 5.8178, 0.7621, 0.2450, 0.0),
        (1000, 5.8273, 0.8445, 0.4680, 0.0),
        (2000, 5.8465, 0.9125, 0.7231, 0.0001),
    ],
)
def test_target_of_the_ring__sharpens_with_size_as_in_the_reference(n, mean_degree, mean, above_9, above_99):
    graph = fuzzy_graph(neighbors(load("ring", seed=3, n=n).X, 15, exact=True))
    descent = Descent(n_epochs=10_000)
    mu = prune(graph, 10_000)
    nu = target_similarity(mu, descent)
    # the table is printed to four digits
    assert graph.degree.mean() == pytest.approx(mean_degree, abs=6e-5)
    assert nu.mean() == pytest.approx(mean, abs=6e-5)
    assert np.mean(nu >= 0.9) == pytest.approx(above_9, abs=6e-5)
    assert target_binarisation(mu, descent).near_one_01 == pytest.approx(above_99, abs=6e-5)


@pytest.mark.parametrize("curve", [fit_curve(), Curve(1.0, 1.0, 1.0)])
def test_layout__matches_the_twin_in_any_dimension(cloud_graph, curve):
    for dimension, dtype in ((1, np.float64), (2, np.float32), (3, np.float64)):
        Y = np.random.default_rng(3).normal(size=(80, dimension)).astype(dtype)
        measured = layout_binarisation(cloud_graph, Y, curve)
        q = dense_q(cloud_graph, Y, curve)
        twin = ref.binarisation(q[cloud_graph.heads < cloud_graph.indices])
        np.testing.assert_array_equal(measured.histogram, twin["histogram"])
        assert measured.entropy_mean == pytest.approx(twin["entropy"], rel=ROUNDING)
        assert measured.variance == pytest.approx(twin["variance"], rel=ROUNDING)
        s_i = np.bincount(cloud_graph.heads, q)
        n_i = np.diff(cloud_graph.indptr)
        maximum = sum(ref.symmetric_entropy_max(n, s) for n, s in zip(n_i, s_i, strict=True)) / 2
        assert measured.entropy_maximum == pytest.approx(maximum, rel=ROUNDING)


def test_layout__keeps_the_digits_of_one_minus_q_where_q_rounds_to_one():
    # a = b = 1, d = 1e-9: 1 - q = 1e-18 to 1e-18 relative, h = w (1 - ln w) to the order w^2
    graph = graph_from_csr(np.array([[0, 0.5], [0.5, 0]]))
    measured = layout_binarisation(graph, np.array([[0.0, 0.0], [1e-9, 0.0]]), Curve(1.0, 1.0))
    assert measured.entropy == pytest.approx(1e-18 * (1 - np.log(1e-18)), rel=1e-12, abs=0)
    assert measured.entropy_ratio == pytest.approx(1.0, abs=ROUNDING)
    assert measured.variance == pytest.approx(1e-18, rel=1e-12, abs=0)


@pytest.mark.parametrize("Y", [np.zeros((79, 2)), np.zeros((81, 2)), np.zeros(80)])
def test_layout_of_another_graph__is_refused(cloud_graph, Y):
    with pytest.raises(ValueError, match=r"expected a layout with one row per vertex, shape \(80, d\), got"):
        layout_binarisation(cloud_graph, Y, fit_curve())


def test_layout_that_is_not_finite__is_refused(cloud_graph):
    Y = np.zeros((80, 2))
    Y[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"expected finite .* at vertex 3"):
        layout_binarisation(cloud_graph, Y, fit_curve())


def test_layout__is_binary_and_finite_where_all_points_coincide(cloud_graph):
    Y = np.zeros((80, 2), np.float32)
    measured = layout_binarisation(cloud_graph, Y, fit_curve())
    assert measured.near_one_01 == measured.entropy_ratio == 1.0
    assert measured.entropy == measured.variance == 0.0
    flat = layout_binarisation(cloud_graph, Y, Curve(1.0, 1.0, 1.0))
    assert flat.entropy_mean == pytest.approx(np.log(2))  # q = 1/2 at distance 0 when c = 1


def test_graph_without_edges_and_isolated_vertices__stay_finite():
    empty = graph_from_csr(np.zeros((3, 3)))
    alone = graph_from_csr(np.array([[0, 0.5, 0], [0.5, 0, 0], [0, 0, 0]]))
    Y = np.arange(6.0).reshape(3, 2)
    for graph, n_edges in ((empty, 0), (alone, 1)):
        for measured in (
            graph_binarisation(graph),
            target_binarisation(graph, Descent()),
            layout_binarisation(graph, Y, fit_curve()),
        ):
            assert measured.n_values == n_edges
            assert np.all(np.isfinite([value for value in vars(measured).values() if np.ndim(value) == 0]))
            assert measured.entropy_ratio == pytest.approx(1.0, abs=ROUNDING)


def test_binarisation_observer__gives_the_measures_of_the_layout_it_sees(cloud_graph):
    curve, descent = fit_curve(), Descent(n_epochs=10)
    Y = np.random.default_rng(4).normal(size=(80, 2)).astype(np.float32)
    before = Y.copy()
    observer = BinarisationObserver()
    arrays = observer.start(cloud_graph, curve, descent)
    epoch = SimpleNamespace(number=3, Y=Y)
    observer.step(arrays, epoch)
    values, expected = observer.values(arrays, epoch), layout_binarisation(cloud_graph, Y, curve)
    assert arrays == {}
    np.testing.assert_array_equal(Y, before)
    np.testing.assert_array_equal(values.pop("q_histogram"), expected.histogram)
    assert values.pop("q_entropy") == expected.entropy_mean
    assert values == {name: getattr(expected, name.removeprefix("q_")) for name in values}
    assert set(values) == {
        *(f"q_near_{end}_{width}" for end in ("zero", "one") for width in ("01", "05")),
        "q_variance",
        "q_entropy_ratio",
    }
