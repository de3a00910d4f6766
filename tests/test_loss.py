"""The losses: their formulas against many digits, totals against dense sums, the published ring numbers."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import reference as ref
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from strategies import curves, embedded_graphs, logits, probabilities, spread_layouts

from umapinfo import datasets
from umapinfo.core.curve import Curve, fit_curve
from umapinfo.core.descent import epochs, initial_state
from umapinfo.core.graph import graph_from_csr, prune
from umapinfo.core.lists import UPDATE
from umapinfo.core.membership import fuzzy_graph
from umapinfo.core.neighbors import neighbors
from umapinfo.core.settings import Descent
from umapinfo.measures import loss_sums
from umapinfo.measures.bernoulli import Terms, entropy, logs_of, pair_terms
from umapinfo.measures.loss import (
    CONVENTIONS,
    LossObserver,
    article_cross_entropy,
    effective_loss,
    i_divergence,
    purported_loss,
    reference_losses,
    sampled_loss,
)
from umapinfo.measures.loss_weights import effective_weights, purported_weights
from umapinfo.pairs import sums

UMAP = fit_curve()
TOTALS = Terms._fields


def weighted_graph(n, edges):
    """The graph of {(i, j): weight}."""
    W = np.zeros((n, n))
    for (i, j), weight in edges.items():
        W[i, j] = W[j, i] = weight
    return graph_from_csr(csr_matrix(W))


def random_case(n=60, n_edges=200, seed=0):
    """A graph with a hub (0) and isolated vertices, some weights 1, and a layout of it."""
    rng = np.random.default_rng(seed)
    W = np.zeros((n, n))
    W[rng.integers(0, n - 5, n_edges), rng.integers(0, n - 5, n_edges)] = rng.random(n_edges).astype(np.float32)
    W[0, 1 : n - 5] = 1.0
    W = np.triu(W, 1)
    return graph_from_csr(csr_matrix(W + W.T)), (rng.normal(size=(n, 2)) * 4).astype(np.float32)


def dense(graph):
    return graph.to_csr().toarray()


def descent(m_neg=5.0, gamma=1.0):
    return Descent(negative_sample_rate=m_neg, repulsion_strength=gamma)


# ---- one pair ------------------------------------------------------------------------------------


@given(p=probabilities(), theta=logits())
@example(p=1 - 2**-53, theta=700.0)
@example(p=2.0**-1074, theta=-700.0)
@example(p=0.5, theta=1e-300)
def test_kl_bce_and_h_of_a_pair__are_exact_relative_to_the_largest_and_obey_the_identity(p, theta):
    terms = pair_terms(np.array([p]), np.array([1 - p]), np.array([theta]))
    values = terms.bce[0], terms.kl[0], terms.entropy[0]
    # 1 - p is rounded for p < 1/2, by half an ulp of 1 at most; every formula adds some ulp.
    allowed = 1e-12 * max(values)
    for value, exact in zip(values, ref.bernoulli_exact(p, theta), strict=True):
        assert abs(value - exact) <= allowed
    assert abs(values[1] - values[0] + values[2]) <= allowed
    assert min(values) >= -allowed


@given(A=st.floats(1e-6, 1), B=st.floats(1e-9, 10), theta=logits(), scale=st.sampled_from([1.0, 1e-3, 1e6]))
def test_pair_terms__of_any_weights_obey_the_identity_and_scale(A, B, theta, scale):
    A, B, theta = np.array([A]), np.array([B]), np.array([theta])
    terms = pair_terms(A, B, theta)
    # Some ulp of the largest.
    assert abs(terms.kl - terms.bce + terms.entropy) <= 1e-13 * max(terms.bce, terms.entropy)
    assert terms.bce == terms.attraction + terms.repulsion
    scaled = pair_terms(A * scale, B * scale, theta)
    np.testing.assert_allclose(scaled, scale * np.array(terms), rtol=1e-12, atol=1e-12 * scale * terms.bce[0])


def test_pair_terms__have_their_limits_at_the_ends():
    infinity = np.inf
    # (A, B, theta): kl, bce, entropy, attraction, repulsion
    limits = {
        (1.0, 0.0, infinity): (0, 0, 0, 0, 0),
        (0.0, 1.0, infinity): (infinity, infinity, 0, 0, infinity),
        (0.5, 0.5, infinity): (infinity, infinity, math.log(2), 0, infinity),
        (0.9, 0.1, infinity): (infinity, infinity, entropy(0.1, logs_of(0.1)), 0, infinity),
        (0.0, 1.0, -infinity): (0, 0, 0, 0, 0),
        (1.0, 0.0, -infinity): (infinity, infinity, 0, infinity, 0),
        (0.0, 0.0, infinity): (0, 0, 0, 0, 0),
        (2.0, 0.0, 0.0): (2 * math.log(2), 2 * math.log(2), 0, 2 * math.log(2), 0),
        (1.0, 1.0, 0.0): (0, 2 * math.log(2), 2 * math.log(2), math.log(2), math.log(2)),
    }
    A, B, theta = np.array(list(limits)).T.copy()
    # Equality up to one ulp of ln 2.
    np.testing.assert_allclose(np.array(pair_terms(A, B, theta)).T, list(limits.values()), rtol=0, atol=1e-15)


def test_pair_terms__clipped__are_the_logarithms_of_damrich_and_hamprecht():
    A, B, theta = (
        np.array([0.3, 1.0, 0.0, 0.2]),
        np.array([0.7, 0.0, 2.0, 0.8]),
        np.array([0.5, -9.0, 3.0, np.inf]),
    )
    terms = pair_terms(A, B, theta, clipped=True)
    q, p = 1 / (1 + np.exp(-theta)), A / (A + B)
    # One ulp of 1 - q inside logarithms of at least 1e-4.
    close = {"rtol": 1e-11, "atol": 1e-14}
    np.testing.assert_allclose(terms.attraction, -A * ref.clipped_log(q), **close)
    np.testing.assert_allclose(terms.repulsion, -B * ref.clipped_log(1 - q), **close)
    np.testing.assert_allclose(terms.entropy, -A * ref.clipped_log(p) - B * ref.clipped_log(1 - p), **close)
    np.testing.assert_allclose(terms.kl, terms.bce - terms.entropy, **close)


# ---- totals --------------------------------------------------------------------------------------


def assert_equals_twin(values, twin, scale):
    """Totals, per-vertex values and coincident pairs are the twin's, infinite in the same places."""
    # All pairs are summed and the edges taken off again: rounding is relative to what was summed.
    allowed = 1e-12 * scale
    for name in TOTALS:
        np.testing.assert_allclose(getattr(values, name), twin[name], rtol=1e-11, atol=allowed, err_msg=name)
        per_vertex = getattr(values.per_vertex, name)
        np.testing.assert_allclose(per_vertex, twin[f"{name}_vertex"], rtol=1e-11, atol=allowed, err_msg=name)
        np.testing.assert_allclose(per_vertex.sum(), getattr(values, name), rtol=1e-14)
    assert values.n_coincident == twin["n_coincident"]
    largest = max(abs(values.kl_apart), values.bce_apart, values.entropy_apart)
    assert abs(values.identity_residual) <= 1e-10 * largest


def summed(B, Y, curve):
    """Sum of B (1 + |theta|) over the pairs apart: at least what goes through the sums."""
    theta = ref.logit(ref.squared_distances(Y), curve)
    return ((1 + B) * (1 + abs(np.where(np.isinf(theta), 0, theta)))).sum()


@given(case=embedded_graphs(max_n=10), curve=curves())
def test_purported_loss__is_the_dense_sum_for_any_graph_and_layout(case, curve):
    p, Y = case
    A, B = ref.purported(p.toarray().astype(float))
    values = purported_loss(graph_from_csr(p), Y, Curve(*curve))
    assert_equals_twin(values, ref.loss(A, B, Y, curve), summed(B, Y, curve))


@given(
    case=embedded_graphs(max_n=10),
    curve=curves(),
    m_neg=st.sampled_from([5.0, 0.0, 1.0]),
    gamma=st.sampled_from([1.0, 0.0, 0.5]),
)
def test_effective_loss__is_the_dense_sum_for_any_graph_and_layout(case, curve, m_neg, gamma):
    p, Y = case
    A, B = ref.effective(p.toarray().astype(float), m_neg, gamma)
    values = effective_loss(graph_from_csr(p), descent(m_neg, gamma), Y, Curve(*curve))
    assert_equals_twin(values, ref.loss(A, B, Y, curve), summed(B, Y, curve))


def test_losses__are_the_dense_sums_of_a_graph_with_hub_isolated_and_coincident_points():
    graph, Y = random_case()
    Y[1] = Y[0]  # an edge of weight 1
    Y[59] = Y[58]  # both isolated
    for Z in (Y, np.delete(Y, 58, axis=0)[np.r_[:58, 58, 58]], np.vstack([Y[:58], Y[:2] + 1])):
        A, B = ref.purported(dense(graph))
        assert_equals_twin(purported_loss(graph, Z, UMAP), ref.loss(A, B, Z, UMAP), summed(B, Z, UMAP))
        A, B = ref.effective(dense(graph), 5.0, 0.7)
        values = effective_loss(graph, descent(5.0, 0.7), Z, UMAP)
        assert_equals_twin(values, ref.loss(A, B, Z, UMAP), summed(B, Z, UMAP))


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_identity__holds_to_1e_10_of_the_largest_at_random_layouts(convention):
    for seed in range(5):
        graph, Y = random_case(seed=seed)
        Y[3] = Y[2]
        for values in (
            purported_loss(graph, Y * 10.0 ** (seed - 2), UMAP, convention=convention),
            effective_loss(graph, descent(), Y * 10.0 ** (seed - 2), UMAP, convention=convention),
        ):
            assert values.n_coincident == 1
            assert values.entropy_apart > 0
            assert abs(values.identity_residual) <= 1e-10 * max(values.kl_apart, values.bce_apart)


def test_losses__have_the_value_of_two_points_by_hand():
    graph, curve = weighted_graph(2, {(0, 1): 0.25}), Curve(1.0, 1.0)
    Y = [[0.0, 0.0], [1.0, 0.0]]  # q = 1/2
    purported = purported_loss(graph, Y, curve)
    h = 0.25 * math.log(4) + 0.75 * math.log(4 / 3)
    # Some ulp.
    np.testing.assert_allclose(purported.bce, math.log(2), rtol=1e-15)
    np.testing.assert_allclose(purported.entropy, h, rtol=1e-15)
    np.testing.assert_allclose(purported.kl, math.log(2) - h, rtol=1e-14)
    np.testing.assert_allclose(purported.attraction, 0.25 * math.log(2), rtol=1e-15)
    effective = effective_loss(graph, descent(m_neg=3.0, gamma=2.0), Y, curve)  # B = 6 (1/4 + 1/4) / 4
    np.testing.assert_allclose(effective.repulsion, 0.75 * math.log(2), rtol=1e-15)
    np.testing.assert_allclose(effective.entropy, h, rtol=1e-15)  # nu* = (1/4) / (1/4 + 3/4)


# ---- coincident points ---------------------------------------------------------------------------


def test_a_coincident_edge_of_weight_1__costs_nothing_in_the_purported_loss():
    values = purported_loss(weighted_graph(2, {(0, 1): 1.0}), np.zeros((2, 2)), UMAP)
    assert [getattr(values, name) for name in TOTALS] == [0.0] * 5
    assert (values.n_coincident, values.identity_residual) == (1, 0.0)


@pytest.mark.parametrize("edges", [{(0, 1): 0.5, (0, 2): 1.0}, {(0, 2): 1.0}])
def test_a_coincident_pair_that_is_repelled__makes_the_loss_infinite_at_its_ends_alone(edges):
    Y = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 2.0]])
    for values in (
        purported_loss(weighted_graph(3, edges), Y, UMAP),
        effective_loss(weighted_graph(3, edges), descent(), Y, UMAP),
    ):
        assert values.kl == values.bce == values.repulsion == np.inf
        assert np.isfinite([values.kl_apart, values.bce_apart, values.entropy, values.attraction]).all()
        assert values.n_coincident == 1
        np.testing.assert_array_equal(np.isinf(values.per_vertex.bce), [True, True, False])
        np.testing.assert_array_equal(np.isinf(values.per_vertex.kl), [True, True, False])
        # Some ulp of values of order 1.
        assert abs(values.identity_residual) < 1e-14


def test_coincident_isolated_points__are_repelled_by_the_purported_loss_alone():
    graph = weighted_graph(4, {(0, 1): 1.0})
    Y = np.array([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0], [3.0, 0.0]])
    assert purported_loss(graph, Y, UMAP).bce == np.inf
    values = effective_loss(graph, descent(), Y, UMAP)
    assert np.isfinite(values.bce)
    assert values.n_coincident == 1


def test_an_isolated_point_on_one_with_edges__is_infinite_in_the_effective_loss_too():
    graph = weighted_graph(3, {(0, 1): 1.0})
    values = effective_loss(graph, descent(), [[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]], UMAP)
    np.testing.assert_array_equal(np.isinf(values.per_vertex.bce), [False, True, True])


def test_without_repulsion__the_effective_loss_is_finite_wherever_the_points_are():
    graph = weighted_graph(3, {(0, 1): 1.0})
    values = effective_loss(graph, descent(gamma=0.0), np.zeros((3, 2)), UMAP)
    assert [getattr(values, name) for name in TOTALS] == [0.0] * 5
    assert values.n_coincident == 3


def test_all_points_coincident__leave_the_articles_form_at_its_minimum_and_the_loss_infinite():
    graph, Y = random_case()
    assert article_cross_entropy(graph, np.zeros_like(Y), UMAP) == 0.0
    assert purported_loss(graph, np.zeros_like(Y), UMAP).bce == np.inf
    assert purported_loss(graph, np.zeros_like(Y), Curve(1.0, 1.0, 1.0)).bce < np.inf


# ---- split and the article's form ----------------------------------------------------------------


@given(case=embedded_graphs(max_n=10), curve=curves())
def test_i_divergence__is_the_twins_and_adds_up_to_kl(case, curve):
    p, Y = case
    graph, mu = graph_from_csr(p), p.toarray().astype(float)
    split = i_divergence(graph, Y, Curve(*curve))
    twin = ref.i_divergence(mu, Y, curve)
    # Differences of sums: relative to what was summed.
    allowed = 1e-12 * summed(1 - mu, Y, curve)
    for name, value in split._asdict().items():
        key = "i_divergence" if name == "divergence" else f"i_divergence_{name}"
        np.testing.assert_allclose(value, twin[key], rtol=1e-11, atol=allowed, err_msg=name)
    assert abs(split.shape + split.mass - split.divergence) <= allowed
    assert split.divergence >= -allowed
    assert split.complement >= -allowed
    kl = purported_loss(graph, Y, Curve(*curve)).kl
    np.testing.assert_allclose(split.divergence + split.complement, kl, rtol=1e-11, atol=allowed)


def test_shape_and_mass__are_a_kl_of_normalised_similarities_and_a_function_of_the_two_sums():
    graph, Y = random_case()
    upper = np.triu_indices(60, 1)
    p, q = dense(graph)[upper], ref.similarity(Y, UMAP)[upper]
    on = p > 0
    kl = (p[on] / p.sum() * np.log((p[on] / p.sum()) / (q[on] / q.sum()))).sum()
    split = i_divergence(graph, Y, UMAP)
    # Sums of some thousand terms.
    np.testing.assert_allclose(split.shape, p.sum() * kl, rtol=1e-12)
    np.testing.assert_allclose(split.mass, p.sum() * np.log(p.sum() / q.sum()) - p.sum() + q.sum(), rtol=1e-12)


def test_article_cross_entropy__is_the_attraction_of_the_purported_loss():
    graph, Y = random_case()
    value = article_cross_entropy(graph, Y, UMAP)
    # Sums of some hundred terms.
    np.testing.assert_allclose(value, purported_loss(graph, Y, UMAP).attraction, rtol=1e-13)
    np.testing.assert_allclose(value, ref.article_cross_entropy(dense(graph), Y, UMAP), rtol=1e-13)


# ---- conventions and reference levels ------------------------------------------------------------


def test_ordered_losses__are_twice_the_unordered_ones_to_the_bit():
    graph, Y = random_case()
    for once, twice in (
        [purported_loss(graph, Y, UMAP, convention=c) for c in ("unordered", "ordered")],
        [effective_loss(graph, descent(), Y, UMAP, convention=c) for c in ("unordered", "ordered")],
    ):
        for name in (*TOTALS, "kl_apart", "bce_apart", "entropy_apart"):
            assert 2 * getattr(once, name) == getattr(twice, name)
        assert once.n_coincident == twice.n_coincident


@given(case=embedded_graphs(max_n=10), curve=curves())
def test_damrich_hamprecht__is_their_dense_sum_with_diagonal_and_clip(case, curve):
    p, Y = case
    graph, mu = graph_from_csr(p), p.toarray().astype(float)
    nu = ref.similarity(Y, curve)
    np.fill_diagonal(nu, 1)
    rule = {"convention": "damrich-hamprecht"}
    purported = purported_loss(graph, Y, Curve(*curve), **rule)
    effective = effective_loss(graph, descent(), Y, Curve(*curve), **rule)
    # One ulp of 1 - nu for each of the pairs, inside logarithms of at least 1e-4, times weights up to 25.
    close = {"rtol": 1e-10, "atol": 1e-9}
    np.testing.assert_allclose(purported.bce, ref.dh_purported(mu, nu), **close)
    np.testing.assert_allclose(effective.bce, ref.dh_effective(mu, nu, 5.0), **close)
    np.testing.assert_allclose(purported.entropy, ref.dh_purported(mu, mu), **close)
    target = ref.target(*ref.effective(mu, 5.0))
    np.testing.assert_allclose(effective.entropy, ref.dh_effective(mu, target, 5.0), **close)
    for values in (purported, effective):
        assert np.isfinite(values.per_vertex.kl).all()
        np.testing.assert_allclose(values.kl, values.bce - values.entropy, **close)
        np.testing.assert_allclose(values.per_vertex.bce.sum(), values.bce, rtol=1e-14)


def test_damrich_hamprecht__differs_by_the_diagonal_alone_where_no_clip_bites():
    n, curve = 5, Curve(1.0, 1.0)
    graph = weighted_graph(n, {(0, 1): 0.5})
    Y = np.arange(n)[:, np.newaxis] * np.array([[1e3, 0.0]])
    theirs = purported_loss(graph, Y, curve, convention="damrich-hamprecht")
    # Far points: q = 1e-6 at most, so that 1 - q + 1e-4 is cut at 1 and q + 1e-4 is 1.01e-4 on the edge.
    expected = 2 * 0.5 * -math.log(1e-4 + 1e-6) + n * -math.log(1e-4)
    np.testing.assert_allclose(theirs.bce, expected, rtol=1e-6)


def test_an_unknown_convention__is_refused_with_the_names_there_are():
    graph, Y = random_case()
    with pytest.raises(ValueError, match="unordered, ordered, damrich-hamprecht, got 'both'"):
        purported_loss(graph, Y, UMAP, convention="both")


@pytest.mark.parametrize(
    "Y, error, message",
    [
        (np.zeros((59, 2)), ValueError, r"\(60, d\).*\(59, 2\)"),
        (np.zeros(60), ValueError, r"\(60,\)"),
        (np.full((60, 2), np.nan), ValueError, "vertex 0"),
        (np.zeros((60, 2), dtype=object), TypeError, "object"),
    ],
)
def test_a_layout_that_does_not_fit__is_refused(Y, error, message):
    graph, _ = random_case()
    for measure in (
        lambda: purported_loss(graph, Y, UMAP),
        lambda: effective_loss(graph, descent(), Y, UMAP),
        lambda: i_divergence(graph, Y, UMAP),
        lambda: article_cross_entropy(graph, Y, UMAP),
    ):
        with pytest.raises(error, match=message):
            measure()


def test_reference_losses__are_the_dense_sums_at_target_empty_and_constant_similarity():
    graph, _ = random_case()
    mu, n = dense(graph), graph.n_vertices
    purported, effective = ref.purported(mu), ref.effective(mu, 5.0)
    levels = reference_losses(graph, descent())
    mean = mu.sum() / (n * (n - 1))
    # Sums of some hundred terms.
    for level, expected in {
        levels.purported_target: ref.h(mu).sum() / 2,
        levels.purported_constant: n * (n - 1) / 2 * float(ref.h(mean)),
        levels.effective_target: (sum(effective) * ref.h(ref.target(*effective))).sum() / 2,
    }.items():
        np.testing.assert_allclose(level, expected, rtol=1e-12)
    assert levels.purported_empty == levels.effective_empty == np.inf
    assert sum(purported)[0, 1] == 1

    theirs = reference_losses(graph, descent(), convention="damrich-hamprecht")
    constant = np.full((n, n), mean)
    np.fill_diagonal(constant, 1)
    for level, expected in {
        theirs.purported_target: ref.dh_purported(mu, mu),
        theirs.purported_empty: ref.dh_purported(mu, np.eye(n)),
        theirs.purported_constant: ref.dh_purported(mu, constant),
        theirs.effective_target: ref.dh_effective(mu, ref.target(*effective), 5.0),
        theirs.effective_empty: ref.dh_effective(mu, np.eye(n), 5.0),
    }.items():
        np.testing.assert_allclose(level, expected, rtol=1e-12)
    ordered = reference_losses(graph, descent(), convention="ordered")
    assert ordered.purported_constant == 2 * levels.purported_constant


def test_reference_losses__of_graphs_without_edges_or_with_all_of_them():
    empty = weighted_graph(3, {})
    assert reference_losses(empty, descent()) == (0.0, 0.0, 0.0, 0.0, 0.0)
    full = weighted_graph(3, {(0, 1): 1.0, (0, 2): 1.0, (1, 2): 1.0})
    assert reference_losses(full, descent())[:3] == (0.0, np.inf, 0.0)


def test_the_target__is_the_least_loss_a_similarity_can_have():
    graph, Y = random_case()
    levels = reference_losses(graph, descent())
    assert levels.purported_target < levels.purported_constant
    assert levels.purported_target < purported_loss(graph, Y, UMAP).bce
    assert levels.effective_target < effective_loss(graph, descent(), Y, UMAP).bce


# Damrich and Hamprecht, seeds 0 to 3: purported at mu, identity, data; effective at nu*, identity, data.
RING = [
    (6906.084722, 62936.781575, 136272.985706, 1521.799083, 53995.073409, 4967.567253),
    (6891.431546, 62918.115517, 135486.179541, 1518.947392, 53976.314020, 4948.477544),
    (6974.384671, 63066.087696, 137347.455212, 1531.278685, 54125.026060, 5009.039670),
    (6907.654002, 62881.819646, 136392.292089, 1525.815948, 53939.836670, 4970.485006),
]


@pytest.mark.parametrize("seed", range(4))
def test_losses_of_the_ring__are_those_that_damrich_and_hamprecht_printed(seed):
    X = datasets.load("ring", seed=seed).X
    graph = prune(fuzzy_graph(neighbors(X, 15)), 10_000)
    rule = {"convention": "damrich-hamprecht"}
    levels = reference_losses(graph, descent(), **rule)
    values = (
        levels.purported_target,
        levels.purported_empty,
        purported_loss(graph, X, UMAP, **rule).bce,
        levels.effective_target,
        levels.effective_empty,
        effective_loss(graph, descent(), X, UMAP, **rule).bce,
    )
    # Printed to 1e-6; their graph is the float32 one of umap-learn 0.5.0, found with other float32 distances.
    np.testing.assert_allclose(values, RING[seed], rtol=1e-5)


# ---- sampled loss and observer -------------------------------------------------------------------


def drawn_epoch(graph, Y, m_neg, number, rng):
    """An epoch of independent draws: entry e is due with probability mu_e / max mu, with m_neg negatives."""
    due = np.flatnonzero(rng.random(graph.n_entries) < graph.weight / graph.weight.max())
    updates = np.zeros((len(due), 1 + m_neg), dtype=UPDATE)
    updates["head"] = graph.heads[due, np.newaxis]
    updates["entry"] = due[:, np.newaxis]
    updates["draw"] = np.arange(-1, m_neg)
    updates["tail"][:, 0] = graph.indices[due]
    updates["tail"][:, 1:] = rng.integers(0, graph.n_vertices, (len(due), m_neg))
    updates = updates.ravel()
    delta = (Y[updates["head"]] - Y[updates["tail"]]).astype(np.float32)
    return SimpleNamespace(number=number, Y=Y, updates=updates, delta=delta)


def test_sampled_loss__is_on_average_the_effective_loss():
    graph, Y = random_case(n=15, n_edges=20)
    Y *= 0.3  # near each other, so that repulsion is worth estimating
    rng, m_neg, settings = np.random.default_rng(5), 3, descent(m_neg=3.0, gamma=0.7)
    drawn = [
        sampled_loss(drawn_epoch(graph, Y, m_neg, number, rng), UMAP, settings, graph) for number in range(2, 2002)
    ]
    expected = effective_loss(graph, settings, Y, UMAP)
    for name, value in [
        ("loss", expected.bce),
        ("attraction", expected.attraction),
        ("repulsion", expected.repulsion),
    ]:
        of_epoch = np.array([getattr(sampled, name) for sampled in drawn])
        error = of_epoch.std(ddof=1) / math.sqrt(len(of_epoch))
        assert error < 0.01 * value  # else the test would say little
        # Four standard errors of 2000 independent epochs (seeded: it does not fail by chance).
        assert abs(of_epoch.mean() - value) < 4 * error


@pytest.mark.parametrize("push_tail", [False, True])
def test_sampled_loss_of_a_run_that_stands_still__is_on_average_the_effective_loss(push_tail):
    graph, Y = random_case(n=15, n_edges=20)
    Y *= 0.3
    n_epochs = 1500
    settings = Descent(n_epochs=n_epochs, learning_rate=0.0, repulsion_strength=0.7, push_tail=push_tail)
    graph = prune(graph, n_epochs)
    run = epochs(graph, UMAP, settings, initial_state(graph, settings, Y), keep_updates=range(n_epochs + 1))
    drawn = np.array([sampled_loss(epoch, UMAP, settings, graph)[:3] for epoch in run])
    expected = effective_loss(graph, settings, Y, UMAP)
    # The schedule draws an entry a fixed number of times, T mu / max mu less at most 2: the mean falls short
    # by 2 / T of what an entry costs a time at most.  Repulsions have the chance of their tails on top of it.
    heads, tails = graph.heads, graph.indices
    a_time = graph.weight.max() / 2 * np.logaddexp(0, -ref.logit(ref.squared_distances(Y), UMAP))[heads, tails]
    short = 2 / n_epochs * a_time.sum()
    assert short < 0.05 * expected.attraction  # else the test would say little
    assert 0 <= expected.attraction - drawn[:, 1].mean() <= short
    error = drawn[:, 2].std(ddof=1) / math.sqrt(n_epochs)
    missed = 2 * graph.n_entries / (n_epochs * (graph.weight / graph.weight.max()).sum())
    assert 4 * error + missed * expected.repulsion < 0.05 * expected.repulsion
    assert abs(drawn[:, 2].mean() - expected.repulsion) < 4 * error + missed * expected.repulsion


def test_sampled_loss__counts_the_updates_that_the_descent_counts_as_realised():
    graph, Y = random_case()
    Y[3] = Y[2]
    Y[58], Y[59] = 1e-25, 0.0  # apart, but not for the squares of float32
    settings = Descent(n_epochs=50, negative_sample_rate=7.5)
    graph = prune(graph, 50)
    for epoch in epochs(graph, UMAP, settings, initial_state(graph, settings, Y), keep_updates=range(51)):
        sampled = sampled_loss(epoch, UMAP, settings, graph)
        assert 2 * sampled.n_attractions == epoch.counts.attractions_realised.sum()
        assert sampled.n_repulsions == epoch.counts.repulsions_realised.sum()
        assert (epoch.number > 1) == (sampled.n_attractions > 0)
        assert sampled.loss == sampled.attraction + sampled.repulsion


def test_sampled_loss__is_the_twins_sum_times_half_the_largest_weight():
    graph, Y = random_case(n=15, n_edges=20)
    Y[2] = Y[1]
    epoch = drawn_epoch(graph, Y, 5, 2, np.random.default_rng(1))
    settings = descent(gamma=0.7)
    attraction, repulsion, n_attractions, n_repulsions = ref.sampled_loss(
        epoch.updates.tolist(), epoch.delta.astype(np.float64), UMAP, 0.7
    )
    sampled = sampled_loss(epoch, UMAP, settings, graph)
    half = graph.weight.max() / 2
    # Sums of some hundred terms.
    np.testing.assert_allclose(
        sampled[:3], [half * (attraction + repulsion), half * attraction, half * repulsion], rtol=1e-13
    )
    assert sampled[3:] == (n_attractions, n_repulsions)
    assert n_repulsions < (epoch.updates["draw"] >= 0).sum()  # self-draws and the coincident pair are left out


def test_sampled_loss__of_an_epoch_without_updates_is_zero_and_of_one_not_kept_refused():
    graph, Y = random_case()
    start = SimpleNamespace(number=0, Y=Y, updates=None, delta=None)
    assert sampled_loss(start, UMAP, descent(), graph) == (0.0, 0.0, 0.0, 0, 0)
    first = SimpleNamespace(number=1, Y=Y, updates=np.zeros(0, UPDATE), delta=np.zeros((0, 2), np.float32))
    assert sampled_loss(first, UMAP, descent(), graph) == (0.0, 0.0, 0.0, 0, 0)
    with pytest.raises(ValueError, match="epoch 3 without"):
        sampled_loss(SimpleNamespace(number=3, Y=Y, updates=None, delta=None), UMAP, descent(), graph)


OF_EACH_LOSS = (*TOTALS, "identity_residual")
OF_THE_SPLIT = ("i_divergence", "i_divergence_shape", "i_divergence_mass", "i_divergence_complement")
OF_UPDATES = ("sampled_loss", "sampled_attraction", "sampled_repulsion")
OTHERS = ("loss", "effective_loss", "n_coincident", "pair_sum_error", "article_cross_entropy")


def test_loss_observer__gives_what_the_functions_give_from_one_sum_over_all_pairs(monkeypatch):
    graph, Y = random_case()
    Y[3] = Y[2]
    calls, service = [], loss_sums.pair_sums
    monkeypatch.setattr(loss_sums, "pair_sums", lambda *args, **named: calls.append(1) or service(*args, **named))
    observer, settings = LossObserver(), descent(gamma=0.7)
    assert (observer.name, observer.needs_updates) == ("loss", True)
    arrays = observer.start(graph, UMAP, settings)
    epoch = drawn_epoch(graph, Y, 5, 2, np.random.default_rng(1))
    observer.step(arrays, epoch)
    values = observer.values(arrays, epoch)
    assert len(calls) == 1
    assert set(values) == {
        *OF_EACH_LOSS,
        *(f"effective_{name}" for name in OF_EACH_LOSS),
        *OF_THE_SPLIT,
        *OF_UPDATES,
        *OTHERS,
    }

    purported = purported_loss(graph, Y, UMAP)
    effective = effective_loss(graph, settings, Y, UMAP)
    # The observer's sum has another column beside, which changes no sum of a column.
    for name in OF_EACH_LOSS:
        assert values[name] == getattr(purported, name)
        assert values[f"effective_{name}"] == getattr(effective, name)
    np.testing.assert_array_equal(values["loss"], purported.per_vertex.bce)
    np.testing.assert_array_equal(values["effective_loss"], effective.per_vertex.bce)
    assert values["n_coincident"] == 1
    # Edges in another order: of some hundred terms, all over 0, an ulp or two.
    assert values["article_cross_entropy"] == pytest.approx(article_cross_entropy(graph, Y, UMAP), rel=1e-14)
    split = i_divergence(graph, Y, UMAP)
    assert tuple(values[name] for name in OF_THE_SPLIT) == split
    assert tuple(values[name] for name in OF_UPDATES) == sampled_loss(epoch, UMAP, settings, graph)[:3]


def test_loss_observer__gives_the_same_variables_of_the_same_shapes_at_the_start():
    graph, Y = random_case()
    observer = LossObserver()
    arrays = observer.start(graph, UMAP, descent())
    start = observer.values(arrays, SimpleNamespace(number=0, Y=Y, updates=None, delta=None))
    later = observer.values(arrays, drawn_epoch(graph, Y, 5, 2, np.random.default_rng(1)))
    assert {name: np.shape(value) for name, value in start.items()} == {
        name: np.shape(value) for name, value in later.items()
    }


def by_method(method, patch):
    """Make `pair_sums` take one method, however few the points."""
    patch.setattr(sums, "EXACT_UP_TO", 0)
    split = sums.fourier_sums
    if method == "fourier":
        patch.setattr(sums, "fourier_sums", lambda *given, budget: split(*given, budget=np.inf))
    else:
        patch.setattr(sums, "fourier_sums", lambda *given, **named: (None, ""))
    if method == "direct":
        patch.setattr(sums, "tiles_error", lambda *given: np.inf)


@pytest.mark.parametrize("method", ["direct", "direct-single", "fourier"])
def test_by_method__has_a_cloud_in_the_plane_summed_by_that_method(monkeypatch, method):
    by_method(method, monkeypatch)
    Y = random_case(n=700)[1]
    assert sums.pair_sums(Y, ("repulsion", "similarity"), np.ones(len(Y)), UMAP, rtol=1e-6).method == method


@pytest.mark.parametrize("method", ["direct", "direct-single", "fourier"])
@settings(max_examples=25)
@given(Y=spread_layouts(min_n=520, max_n=700), seed=st.integers(0, 9))
def test_identity_and_totals__hold_with_any_way_to_sum_over_all_pairs(method, Y, seed):
    graph, n = random_case(n=len(Y), n_edges=4000, seed=seed)[0], len(Y)
    exact = purported_loss(graph, Y, UMAP, rtol=None), effective_loss(graph, descent(), Y, UMAP, rtol=None)
    with pytest.MonkeyPatch.context() as patch:
        by_method(method, patch)
        used = sums.pair_sums(Y, ("repulsion", "similarity"), np.ones(n), UMAP, rtol=1e-6)
        found = purported_loss(graph, Y, UMAP), effective_loss(graph, descent(), Y, UMAP)
    event(f"{method} was {used.method} in {Y.shape[1]} dimensions")
    for value, expected, weights in zip(
        found, exact, (purported_weights(graph), effective_weights(graph, descent())), strict=True
    ):
        # Terms are accurate relative to the largest of the three, which is the attraction where all are far apart
        assert abs(value.identity_residual) <= 1e-12 * (value.bce_apart + value.entropy_apart)
        assert value.n_coincident == expected.n_coincident
        # Sums within 1e-6 at every vertex are so in all, edges counted like the rest
        everywhere = (weights.u * sums.pair_sums(Y, "repulsion", weights.v, UMAP).values[:, 0]).sum() / 2
        allowed = 1.01e-6 * everywhere + 1e-12 * expected.bce_apart
        assert abs(value.bce_apart - expected.bce_apart) <= allowed
        assert abs(value.kl_apart - expected.kl_apart) <= allowed
        assert value.entropy == expected.entropy


@pytest.mark.parametrize("rtol", [0, 2, -1e-6, "a", float("nan")])
def test_loss_observer__refuses_a_tolerance_that_is_none(rtol):
    with pytest.raises(ValueError, match="rtol: expected None or a number in"):
        LossObserver(rtol=rtol)
