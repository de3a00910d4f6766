"""Balance: against dense sums, derivatives under dilation, layouts whose balance is known; diameters."""

import math

import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st
from refusals import PAIR, check_refusals
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from strategies import curves, embedded_graphs, spread_layouts

from umapinfo.core.curve import Curve, fit_curve
from umapinfo.core.graph import Graph, graph_from_csr
from umapinfo.core.settings import Descent
from umapinfo.measures import balance as balance_module
from umapinfo.measures.balance import effective_balance, layout_diameter, least_diameter, purported_balance
from umapinfo.measures.gradient import effective_gradient, purported_gradient
from umapinfo.measures.loss import effective_loss, purported_loss
from umapinfo.pairs import pair_sums

UMAP = fit_curve()
LOSSES = ("purported", "effective")
cases = st.integers(1, 3).flatmap(lambda dim: embedded_graphs(dim=dim, min_edges=0))
rates = st.sampled_from([(5.0, 1.0), (2.0, 0.3), (0.0, 1.0)])  # m_neg, gamma


def of(loss, graph, rate, Y, curve):
    """Balance, gradient and value of a loss."""
    if loss == "purported":
        return (measure(graph, Y, curve) for measure in (purported_balance, purported_gradient, purported_loss))
    settings = Descent(negative_sample_rate=rate[0], repulsion_strength=rate[1])
    return (measure(graph, settings, Y, curve) for measure in (effective_balance, effective_gradient, effective_loss))


def twin(loss, p, rate, Y, curve):
    """Attraction, repulsion, mass, layout mass and all terms' size, dense."""
    a, b, c = curve
    A, B = ref.purported(p) if loss == "purported" else ref.effective(p, *rate)
    d2 = ref.squared_distances(Y)
    apart = d2 > 0
    u = a * np.where(apart, d2, 1.0) ** b
    rho, q = np.where(apart, u / (c + u), 0.0), 1 / (1 + c + u)
    sums = [(rho * x).sum() / 2 for x in (A * (1 - q), B * q, p, q)]
    return sums, (rho * (A + B + 1)).sum()


@pytest.mark.parametrize("loss", LOSSES)
@given(case=cases, curve=curves(), rate=rates)
def test_balance__is_the_dense_sums_for_any_graph_layout_and_curve(loss, case, curve, rate):
    found, _, _ = of(loss, graph_from_csr(case[0]), rate, case[1], Curve(*curve))
    p = case[0].toarray().astype(np.float64)
    expected, size = twin(loss, p, rate, case[1], curve)
    # Powers and exponentials to some ulp, |theta| < 100.
    np.testing.assert_allclose(
        [found.attraction, found.repulsion, found.mass, found.layout_mass], expected, rtol=0, atol=1e-13 * size
    )
    assert found.n_coincident == (ref.squared_distances(case[1])[np.triu_indices(len(p), 1)] == 0).sum()
    for ratio, one, other in (
        (found.virial_ratio, found.attraction, found.repulsion),
        (found.mass_ratio, found.layout_mass, found.mass),
        (found.gamma_eff, found.attraction, found.layout_mass),
    ):
        assert ratio == (one / other if other > 0 else None)


@pytest.mark.parametrize("loss", LOSSES)
@given(case=cases, curve=curves(), rate=rates, shift=st.sampled_from([0.0, 100.0]))
def test_dilation__is_the_gradient_along_the_layout_wherever_that_lies(loss, case, curve, rate, shift):
    Y = case[1].astype(np.float64) + shift
    found, gradient, _ = of(loss, graph_from_csr(case[0]), rate, Y, Curve(*curve))
    _, size = twin(loss, case[0].toarray().astype(np.float64), rate, Y, curve)
    # A pair's force times its ends' places: at most 2b / d times |y|, d at least 2^-12 of a step.
    reach = 1 + abs(Y).max() / min(1.0, np.sqrt(ref.squared_distances(Y)[ref.squared_distances(Y) > 0].min(initial=1)))
    assert abs(found.dilation - (gradient * Y).sum()) <= 1e-12 * curve[1] * size * reach


@pytest.mark.parametrize("loss", LOSSES)
@given(case=cases, curve=curves(), rate=rates)
def test_dilation__is_the_derivative_of_the_loss_when_the_layout_is_scaled(loss, case, curve, rate):
    graph, Y, curve = graph_from_csr(case[0]), np.unique(case[1].astype(np.float64), axis=0), Curve(*curve)
    if len(Y) < graph.n_vertices:  # coincident points have no loss
        Y = np.arange(graph.n_vertices)[:, np.newaxis] + np.zeros(case[1].shape)
    found, _, _ = of(loss, graph, rate, Y, curve)
    step = 1e-3
    values = [list(of(loss, graph, rate, Y * math.exp(k * step), curve))[2].bce for k in (-2, -1, 1, 2)]
    slope = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)
    _, size = twin(loss, case[0].toarray().astype(np.float64), rate, Y, curve)
    # Values are known to 1e-12 of their size, over the step; the fifth derivative is under (2b)^5 of it, step^4 / 30.
    theta = abs(ref.logit(ref.squared_distances(Y) + np.eye(len(Y)), curve)).max()
    assert abs(found.dilation - slope) <= (1e-9 * (1 + theta) + (2 * curve.b) ** 5 * step**4) * size


# ---- known balances ------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@given(
    case=cases,
    curve=st.builds(Curve, st.floats(0.05, 20), st.floats(0.3, 2), st.just(0.0)),
    rate=rates,
    times=st.floats(1.001, 50),
)
def test_dilation__grows_with_the_scale_of_the_layout(loss, case, curve, rate, times):
    # The loss is convex along dilations: the slope 2b sum [A (1 - q) - B q] grows as every q falls.
    graph, Y = graph_from_csr(case[0]), case[1].astype(np.float64)
    small, large = (next(of(loss, graph, rate, scale * Y, curve)).dilation for scale in (1.0, times))
    p = case[0].toarray().astype(np.float64)
    A, B = ref.purported(p) if loss == "purported" else ref.effective(p, *rate)
    fall = ref.similarity(Y, tuple(curve)) - ref.similarity(times * Y, tuple(curve))
    apart = ref.squared_distances(Y) > 0
    grown, size = curve.b * ((A + B) * fall)[apart].sum(), curve.b * (A + B + 1)[apart].sum()
    assert grown >= 0
    assert abs(large - small - grown) <= 1e-12 * size  # rounding, of all pairs and of the edges taken off again


@given(curve=st.builds(Curve, st.floats(0.05, 20), st.floats(0.3, 2), st.just(0.0)), seed=st.integers(0, 99))
def test_a_graph_of_the_layouts_own_similarities__is_in_balance(curve, seed):
    Y = np.random.default_rng(seed).normal(size=(9, 2))
    graph = graph_from_csr(csr_matrix(ref.similarity(Y, curve) * (1 - np.eye(9))))
    found = purported_balance(graph, Y, curve)
    # Weights are float32 numbers.
    np.testing.assert_allclose([found.mass_ratio, found.virial_ratio], 1, rtol=1e-6)
    assert abs(found.dilation) <= 1e-6 * found.attraction


def test_two_points__balance_where_q_is_p_which_is_at_their_least_diameter():
    graph = graph_from_csr(csr_matrix(np.array([[0, 0.25], [0.25, 0]])))
    distance = (3 / UMAP.a) ** (1 / (2 * UMAP.b))
    np.testing.assert_allclose(least_diameter(graph, UMAP), distance, rtol=1e-14)
    found = purported_balance(graph, [[0.0], [distance]], UMAP)
    np.testing.assert_allclose([found.virial_ratio, found.mass_ratio, found.gamma_eff], [1, 1, 0.75], rtol=1e-14)
    descent = Descent(negative_sample_rate=3.0, repulsion_strength=2.0)  # B = 6 (1/4 + 1/4) / 4
    assert effective_balance(graph, descent, [[0.0], [distance]], UMAP).virial_ratio == pytest.approx(1, rel=1e-14)
    assert (
        purported_balance(graph, [[0.0], [2 * distance]], UMAP).dilation
        > 0
        > purported_balance(graph, [[0.0], [distance / 2]], UMAP).dilation
    )


def test_without_edges_or_repulsion__ratios_are_none():
    empty = graph_from_csr(csr_matrix((3, 3)))
    found = purported_balance(empty, np.eye(3), UMAP)
    assert (found.attraction, found.mass, found.mass_ratio, found.virial_ratio) == (0.0, 0.0, None, 0.0)
    edge = graph_from_csr(csr_matrix(np.array([[0, 1.0], [1, 0]])))
    assert purported_balance(edge, [[0.0], [1.0]], UMAP).virial_ratio is None
    assert purported_balance(edge, [[1.0], [1.0]], UMAP).gamma_eff is None
    one = Graph(np.zeros(2, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))
    assert purported_balance(one, [[1.0, 2.0]], UMAP).layout_mass == 0.0


@pytest.mark.parametrize("loss", LOSSES)
def test_balance_of_many_points__is_within_rtol(loss):
    n, random = 5000, np.random.default_rng(0)
    Y = random.integers(0, 12, (n, 2)) + 0.05 * random.normal(size=(n, 2))
    heads, tails = random.integers(0, n, (2, 20000))
    kept = heads < tails
    p = csr_matrix((random.random(kept.sum()), (heads[kept], tails[kept])), shape=(n, n)).minimum(1)
    graph = graph_from_csr(p + p.T)
    found, exact = (
        measure(graph, *([Descent()] if loss == "effective" else []), Y, UMAP, rtol=rtol)
        for measure in (purported_balance if loss == "purported" else effective_balance,)
        for rtol in (1e-6, None)
    )
    assert pair_sums(Y, "repulsion_slope", np.ones(n), UMAP, moment=2, rtol=1e-6).method == "fourier"
    assert 0 < found.pair_sum_error <= 1e-6
    for name in ("attraction", "repulsion", "mass", "layout_mass"):
        np.testing.assert_allclose(getattr(found, name), getattr(exact, name), rtol=1e-6)
    assert found.layout_mass != exact.layout_mass


# ---- diameters -----------------------------------------------------------------------------------


@given(Y=spread_layouts(min_n=1, max_n=80))
def test_layout_diameter__is_the_largest_of_all_distances(Y):
    # Squares of up to five coordinates, added in another order.
    np.testing.assert_allclose(layout_diameter(Y), np.sqrt(ref.squared_distances(Y).max()), rtol=4e-16)


@pytest.mark.parametrize("dim", [2, 3])
def test_layout_diameter__is_exact_where_all_points_are_as_far_out(dim, monkeypatch):
    monkeypatch.setattr(balance_module, "BLOCK", 1000)
    Y = np.random.default_rng(0).normal(size=(700, dim))
    Y /= np.linalg.norm(Y, axis=1, keepdims=True)
    np.testing.assert_allclose(layout_diameter(Y), np.sqrt(ref.squared_distances(Y).max()), rtol=4e-16)


def test_layout_diameter__of_degenerate_layouts():
    assert layout_diameter([[3.0, 4.0]]) == layout_diameter(np.ones((5, 2))) == 0.0
    assert layout_diameter([[0], [7], [2]]) == 7.0
    assert layout_diameter(np.outer(np.arange(5), [3.0, 4.0])) == 20.0
    with pytest.raises(ValueError, match="vertex 1"):
        layout_diameter([[0.0], [np.inf]])


@given(
    case=cases,
    curve=st.builds(Curve, st.floats(0.05, 20), st.floats(0.3, 2), st.just(0.0)),
    size=st.floats(0.01, 2),
)
def test_a_layout_under_the_least_diameter__has_more_edges_than_its_graph(case, curve, size):
    graph, Y = graph_from_csr(case[0]), case[1].astype(np.float64)
    least = least_diameter(graph, curve)
    if math.isfinite(least) and layout_diameter(Y) > 0:
        Y *= size * least / layout_diameter(Y)
    found = purported_balance(graph, Y, curve)
    if layout_diameter(Y) < least * (1 - 1e-9):
        assert found.layout_mass + found.n_coincident >= found.mass + purported_balance_at_zero(graph, Y)


def purported_balance_at_zero(graph, Y):
    """The mass of the edges at distance 0, which the balance leaves out."""
    return graph.to_csr().toarray()[ref.squared_distances(Y) == 0].sum() / 2


def test_at_a_minimum__the_balance_is_1_and_the_diameter_above_the_least():
    # A ring of eight, each joined to four: connected, as parts without edges between them have no minimum.
    W = 0.5 * sum(np.roll(np.eye(8), k, axis=1) for k in (-2, -1, 1, 2))
    graph, start = graph_from_csr(csr_matrix(W)), np.random.default_rng(0).normal(size=16) * 2
    best = minimize(
        lambda y: purported_loss(graph, y.reshape(8, 2), UMAP).bce,
        start,
        jac=lambda y: purported_gradient(graph, y.reshape(8, 2), UMAP).ravel(),
        options={"gtol": 1e-8},
    )
    found = purported_balance(graph, best.x.reshape(8, 2), UMAP)
    # What is left of the gradient, 1e-8, times the places.
    np.testing.assert_allclose([found.virial_ratio, found.mass_ratio], 1, rtol=1e-7)
    assert abs(purported_balance(graph, start.reshape(8, 2), UMAP).mass_ratio - 1) > 0.1
    assert layout_diameter(best.x.reshape(8, 2)) >= least_diameter(graph, UMAP) > 0


def test_least_diameter__has_the_numbers_of_the_docstring_and_limits():
    n = 1000
    ring = csr_matrix((np.ones(n), (np.arange(n), (np.arange(n) + 1) % n)), shape=(n, n))
    cycles = sum(0.5 * csr_matrix(np.linalg.matrix_power(ring.toarray(), k)) for k in range(1, 7))
    graph = graph_from_csr(cycles + cycles.T)  # twelve edges of 1/2: degree 6
    np.testing.assert_allclose(least_diameter(graph, UMAP), ((999 / 6 - 1) / UMAP.a) ** (1 / (2 * UMAP.b)), rtol=1e-14)
    assert round(least_diameter(graph, UMAP), 1) == 13.5
    assert least_diameter(graph_from_csr(csr_matrix((3, 3))), UMAP) == math.inf
    assert least_diameter(graph_from_csr(csr_matrix(1 - np.eye(3))), UMAP) == 0.0
    with pytest.raises(ValueError, match=r"c = 0, got c=1\.0"):
        least_diameter(graph, Curve(1.0, 1.0, 1.0))


def test_balances__refuse_what_the_losses_refuse():
    check_refusals(lambda Y, curve=UMAP, **more: purported_balance(PAIR, Y, curve, **more))
    check_refusals(lambda Y, curve=UMAP, **more: effective_balance(PAIR, Descent(), Y, curve, **more))
