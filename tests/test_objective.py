"""Losses as functions to be minimised: values and gradients, curvatures, and the scale at which they are least."""

import numpy as np
import pytest
import reference as ref
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.sparse import block_diag, csr_matrix
from strategies import curves, embedded_graphs

from umapinfo import Curve, Descent, fit_curve, fuzzy_graph, neighbors, prune
from umapinfo.core.graph import graph_from_csr
from umapinfo.datasets import load
from umapinfo.measures import effective_gradient, effective_loss, purported_gradient, purported_loss
from umapinfo.measures.objective import WIDEST, check_connected, dilated, effective, purported

UMAP = fit_curve()
cases = st.integers(1, 3).flatmap(lambda dim: embedded_graphs(dim=dim))
rates = st.sampled_from([(5.0, 1.0), (2.0, 0.3), (0.0, 1.0)])  # m_neg, gamma
umaps = st.tuples(st.floats(0.05, 20), st.floats(0.3, 2)).map(lambda ab: Curve(*ab))  # c = 0
NAMES = ("purported", "effective")


def made(name, graph, rate=(5.0, 1.0)):
    """A loss, its value and its gradient by the measures."""
    if name == "purported":
        return purported(graph), lambda Y, c: (purported_loss(graph, Y, c), purported_gradient(graph, Y, c))
    descent = Descent(negative_sample_rate=rate[0], repulsion_strength=rate[1])
    return effective(graph, descent), lambda Y, c: (
        effective_loss(graph, descent, Y, c),
        effective_gradient(graph, descent, Y, c),
    )


@pytest.fixture(scope="module")
def digits():
    """The pruned graph of 1,797 digits and a layout of theirs."""
    X = load("digits").X
    mu = prune(fuzzy_graph(neighbors(X, 15)), 500)
    Y = np.asarray(X @ np.random.default_rng(0).normal(size=(64, 2)), dtype=np.float64) / 8
    return mu, Y


# ---- values and gradients ------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@given(case=cases, curve=curves(), rate=rates)
def test_losses__have_the_values_and_gradients_of_the_measures(name, case, curve, rate):
    graph, Y, curve = graph_from_csr(case[0]), case[1].astype(np.float64), Curve(*curve)
    loss, measured = made(name, graph, rate)
    found, (expected, gradient) = loss.value_and_gradient(Y, curve), measured(Y, curve)
    if np.isinf(expected.bce):
        assert found.value == np.inf
    else:
        # What all pairs are charged is taken off the edges again: some ulp of the largest terms, |theta| < 100.
        charged = 200.0 * len(Y) ** 2 * max(1.0, loss.weights.B.max(initial=0.0), loss.weights.charged.max(initial=0.0))
        np.testing.assert_allclose(found.value, expected.bce, rtol=1e-12, atol=1e-15 * charged)
    size = abs(gradient).max() + 1e-3
    d2 = ref.squared_distances(Y)
    nearest = np.sqrt(d2[d2 > 0].min(initial=np.inf))
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-11, atol=1e-12 * (size + len(Y) / nearest))


@pytest.mark.parametrize("name", NAMES)
def test_losses_by_a_plan__are_those_of_the_measures_within_its_error(name, digits):
    mu, Y = digits
    loss, measured = made(name, mu)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("umapinfo.pairs.energy.DIRECT", 1.0)
        plan = loss.plan(Y, UMAP, 1e-6)
    found, (expected, gradient) = loss.value_and_gradient(Y, UMAP, plan), measured(Y, UMAP)
    assert plan is not None
    assert 0 < abs(found.value - expected.bce) <= 1e-6 * expected.repulsion
    d = np.sqrt(ref.squared_distances(Y))
    np.fill_diagonal(d, np.inf)
    pushed = (2 * UMAP.b / (d * (1 + UMAP.a * d ** (2 * UMAP.b)))).sum(axis=1)  # the absolute forces that rtol is of
    assert 0 < abs(found.gradient - gradient).max() <= 1e-6 * pushed.max() * max(1.0, loss.weights.v.max() ** 2)


@given(case=embedded_graphs(), curve=curves(), rate=rates)
def test_coincident_vertices__cost_what_the_measures_say(case, curve, rate):
    graph, Y, curve = graph_from_csr(case[0]), case[1].astype(np.float64), Curve(*curve)
    Y[-2:] = Y[0]
    for name in NAMES:
        loss, measured = made(name, graph, rate)
        assert np.isinf(loss.value_and_gradient(Y, curve).value) == np.isinf(measured(Y, curve)[0].bce)


# ---- curvatures ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@given(case=cases, curve=curves(), rate=rates)
def test_curvatures__are_those_of_the_fisher_metric_and_of_parabolas_above_the_attraction(name, case, curve, rate):
    mu, Y = case[0].toarray().astype(np.float64), case[1].astype(np.float64)
    loss, _ = made(name, graph_from_csr(case[0]), rate)
    found = loss.curvature(Y, Curve(*curve), loss.curvature_everywhere(Y, Curve(*curve)))
    d2 = ref.squared_distances(Y)
    push = rate[0] * rate[1] * mu.sum(axis=1) / (2 * len(mu))
    B = 1 - mu if name == "purported" else np.add.outer(push, push)
    with np.errstate(divide="ignore", invalid="ignore"):
        fisher, slope = (
            np.array([[ref.pair_potential(potential, x, curve) for x in row] for row in d2])
            for potential in ("fisher", "attraction_slope")
        )
    for values in (fisher, slope):
        values[~np.isfinite(values)] = 0
        np.fill_diagonal(values, 0)
    stiffness = ((mu + B) * fisher).sum(axis=1) / Y.shape[1] + (mu * slope).sum(axis=1)
    assert (found > 0).all()
    # Exact up to 4,000 points; where next to nothing is felt, a floor.
    floor = 1e-9 * stiffness.max() if stiffness.max() > 0 else 1.0
    np.testing.assert_allclose(found[:, 0], np.maximum(stiffness, floor), rtol=1e-9)


# ---- scale ---------------------------------------------------------------------------------------


@given(case=embedded_graphs(min_n=3), curve=umaps, far=st.sampled_from([1e-3, 1.0, 1e3]), seed=st.integers(0, 99))
def test_dilated__has_as_much_similarity_as_the_graph_whatever_the_scale(case, curve, far, seed):
    mu, n = 0.8 * case[0], case[1].shape[0]
    assume(mu.sum() > 0)
    Y = np.column_stack([np.arange(n), np.random.default_rng(seed).normal(size=n)])  # points that are apart
    loss = purported(graph_from_csr(mu))
    # Scales of up to 2^64 are tried: of next to no edges and a slow curve the best may be wider.
    widest = ((n * (n - 1) / 2 / loss.weights.A.sum() - 1) / curve.a) ** (1 / (2 * curve.b))
    assume(widest / far < WIDEST / 2)
    found = dilated(loss, curve, far * Y)
    q = ref.similarity(found, tuple(curve))[np.triu_indices(n, 1)].sum()
    # The scale's binary logarithm is found to 5e-7, so the scale to 3.5e-7, and q goes with its power -2 b >= -4.
    np.testing.assert_allclose(q, loss.weights.A.sum(), rtol=2e-6)
    np.testing.assert_allclose(found, dilated(loss, curve, Y), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_dilated__has_the_least_loss_of_all_scales(name, digits):
    mu, Y = digits
    loss, _ = made(name, mu)
    found = dilated(loss, UMAP, Y)
    values = [loss.value_and_gradient(scale * found, UMAP).value for scale in (0.5, 0.99, 1.0, 1.01, 2.0)]
    assert np.argmin(values) == 2
    np.testing.assert_allclose(found / found[0, 0], Y / Y[0, 0], rtol=1e-12)


def test_dilated__refuses_what_has_no_best_scale():
    Y = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    half = graph_from_csr(csr_matrix(0.5 - 0.5 * np.eye(3)))
    with pytest.raises(ValueError, match="expected points apart, got all 3 at"):
        dilated(purported(half), UMAP, 0 * Y)
    with pytest.raises(ValueError, match="within a factor of 2\\^64; give a layout nearer"):
        dilated(purported(half), UMAP, 1e-30 * Y)
    with pytest.raises(ValueError, match="better the wider Y is"):
        dilated(purported(graph_from_csr(csr_matrix((3, 3)))), UMAP, Y)
    whole = graph_from_csr(csr_matrix(1.0 - np.eye(3)))
    with pytest.raises(ValueError, match="better the narrower Y is"):
        dilated(purported(whole), UMAP, Y)
    with pytest.raises(ValueError, match="better the narrower Y is"):
        dilated(effective(whole, Descent(repulsion_strength=0)), UMAP, Y)
    with pytest.raises(ValueError, match="vertex 1"):
        dilated(purported(whole), UMAP, [[0, 0], [np.nan, 0], [1, 1]])
    with pytest.raises(ValueError, match="expected shape"):
        dilated(purported(whole), UMAP, Y[:2])
    with pytest.raises(TypeError, match="curve"):
        dilated(purported(whole), (1.0, 1.0), Y)


# ---- components ----------------------------------------------------------------------------------


def test_check_connected__refuses_graphs_whose_components_would_fly_apart():
    one = csr_matrix(np.array([[0, 1.0], [1.0, 0]]))
    check_connected(graph_from_csr(one))
    for blocks, sizes in (([one, one], "2 components of 2, 2"), ([one, csr_matrix((1, 1))], "2 components of 2, 1")):
        with pytest.raises(ValueError, match=f"expected a connected one, got {sizes} vertices"):
            check_connected(graph_from_csr(block_diag(blocks, "csr")))


def test_the_loss_of_two_components__falls_for_ever_as_they_fly_apart():
    one = csr_matrix(np.array([[0, 0.5], [0.5, 0]]))
    loss = purported(graph_from_csr(block_diag([one, one], "csr")))
    Y, values = np.array([[0.0, 0.0], [0.8, 0.0], [0.0, 0.0], [0.8, 0.0]]), []
    for distance in 10.0 ** np.arange(1, 8):
        moved = Y + np.outer([0, 0, 1, 1], [0, distance])
        values.append(loss.value_and_gradient(moved, UMAP).value)
    assert (np.diff(values) < 0).all()
