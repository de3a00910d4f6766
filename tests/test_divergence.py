"""Divergences: single pairs by decimals, inequalities, totals and gradients by dense twins, curvature."""

import itertools
import math

import numpy as np
import pytest
import reference as ref
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array
from strategies import curves, embedded_graphs, logits, probabilities
from test_gradient import along, apart

from umapinfo.core.curve import Curve, fit_curve
from umapinfo.core.graph import graph_from_csr
from umapinfo.measures.divergence import (
    Divergence,
    divergence,
    divergence_and_gradient,
    divergence_gradient,
    pair_divergence,
)
from umapinfo.measures.divergence_family import CLIPPED, NAMES, WITH_ORDER
from umapinfo.measures.loss import purported_loss
from umapinfo.pairs import pair_sums

UMAP = fit_curve()
P_MIN = 1e-3
ORDERS = (0.1, 0.5, 0.9, 1.0, 1.5, 2.0, 3.0)
OF_NAME = [Divergence(name) for name in ("kl", "hellinger", "jensen_shannon", "fisher_rao")]
OF_P_MIN = [Divergence(name, p_min=P_MIN) for name in ("reverse_kl", "jeffreys")]
OF_ORDER = [Divergence(name, order=x) for name in ("alpha", "renyi") for x in (0.5, 2.0)]
members = pytest.mark.parametrize("which", [*OF_NAME, *OF_P_MIN, *OF_ORDER], ids=str)
names = pytest.mark.parametrize("name", NAMES)
some_orders = st.sampled_from(ORDERS)
cases = st.integers(1, 3).flatmap(lambda dim: embedded_graphs(dim=dim))
orders = st.floats(0.01, 4)


def member(name, order):
    """The divergence of a name; those that have an order get this one."""
    return Divergence(name, order if name in WITH_ORDER else None, P_MIN if name in CLIPPED else None)


def of(p, theta, name, order=None):
    """D(p || q) of a name; nothing of what is given here is clipped."""
    p_min = 1e-300 if name in ("reverse_kl", "jeffreys") else None
    return float(pair_divergence(p, theta, Divergence(name, order, p_min)).value)


def finite_at_ends(which):
    """Whether it is finite for p = 0 at distance 0."""
    return which.name in ("hellinger", "jensen_shannon", "fisher_rao", "reverse_kl") or (
        which.name == "alpha" and which.order < 1
    )


# ---- one pair ------------------------------------------------------------------------------------


@names
@given(order=some_orders, p=probabilities(), theta=logits(300.0))
@example(order=0.5, p=1 - 2**-53, theta=300.0)
@example(order=0.5, p=2.0**-1074, theta=-300.0)
@example(order=0.5, p=0.5, theta=1e-300)
@example(order=0.5, p=0.0, theta=300.0)
@example(order=0.5, p=1.0, theta=-300.0)
def test_a_divergence_and_its_slope__are_those_of_exact_arithmetic(name, order, p, theta):
    which = member(name, order)
    if which.p_min is not None:
        p = min(max(p, P_MIN), 1 - P_MIN)
    found = pair_divergence(p, theta, which)
    value, slope = ref.divergence_exact(which.name, p, theta, which.order)
    assume(value < 1e300)
    q, spare = np.exp(-ref.softplus(-theta)), np.exp(-ref.softplus(theta))
    log_p, log_rest = (math.log(x) if x > 0 else 0.0 for x in (p, 1 - p))
    logs, order = 1 + abs(log_p) + abs(log_rest) + abs(theta), which.order or 1.0
    # Logarithms are known to an ulp of their size, which an order multiplies; what cancels near p = q is of this size.
    # The twin has 300 digits, of which differences take 25.
    smaller = min(p + q, 1 - p + spare)
    eps = 2.0**-50 * logs * (1 + order)
    assert abs(found.value - value) <= eps * (value + smaller / min(order, 1.0)) + 1e-250
    gap = abs(log_p - log_rest - theta) if 0 < p < 1 else 1.0
    assert abs(found.slope - slope) <= eps * abs(slope) * (1 + logs / max(gap, 1e-300)) + 1e-250


@names
@given(
    order=some_orders,
    p=st.sampled_from([0.0, 1e-300, 0.3, 1.0]),
    theta=st.sampled_from([-np.inf, -1e4, -700.0, 0.0, 700.0, 1e4, np.inf]),
)
def test_a_divergence__is_infinite_only_where_it_should_be_and_never_nan_nor_negative(name, order, p, theta):
    which = member(name, order)
    found = pair_divergence(p, theta, which)
    assert found.value >= 0
    assert not np.isnan(found.slope)
    inside = 0 < p < 1 or which.p_min is not None
    at_an_end = (theta == np.inf and (p < 1 or inside)) or (theta == -np.inf and (p > 0 or inside))
    if finite_at_ends(which) or (which.name == "renyi" and which.order < 1 and inside):
        assert np.isfinite(found.value)
    elif at_an_end:
        assert found.value == np.inf
    elif not (which.name == "alpha" and which.order > 1):  # its values pass 1e308
        assert np.isfinite(found.value)


@names
@given(order=some_orders, p=st.floats(P_MIN, 1 - P_MIN))
def test_a_divergence__vanishes_at_p_equal_q_with_the_fisher_information_as_curvature(name, order, p):
    which = member(name, order)
    theta = math.log(p) - math.log1p(-p)
    found = pair_divergence(p, theta, which)
    # The logit is known to an ulp of itself, under 7.
    assert found.value <= 1e-15 / min(which.order or 1.0, 1.0)
    assert abs(found.slope) <= 1e-14
    step = 1e-3  # of fourth order: 1e-12, times fifth derivatives, of up to order^4 times the curvature
    at = theta + step * np.array([-2, -1, 1, 2])
    slopes = pair_divergence(np.full(4, p), at, which).slope
    curvature = (8 * (slopes[2] - slopes[1]) - (slopes[3] - slopes[0])) / (12 * step)
    assert curvature == pytest.approx(p * (1 - p), rel=1e-8)


@names
@given(order=some_orders, p=probabilities(), theta=logits(30.0))
def test_a_divergence__is_that_of_the_complements(name, order, p, theta):
    which = member(name, order)
    one, other = (pair_divergence(x, t, which) for x, t in ((1 - p, -theta), (1 - (1 - p), theta)))
    np.testing.assert_array_equal([one.value, one.slope], [other.value, -other.slope])


@given(p=st.floats(1e-9, 1 - 1e-9), q=st.floats(1e-9, 1 - 1e-9), order=st.floats(0.02, 0.98))
def test_exchanging_p_and_q__turns_an_order_into_one_minus_it(p, q, order):
    to_p, to_q = (math.log(x) - math.log1p(-x) for x in (p, q))
    # Logits and logarithms are known to an ulp of their size, up to 21; small orders divide by themselves.
    close = {"rel": 1e-13, "abs": 1e-12 * min(p + q, 2 - p - q)}
    for name in ("hellinger", "jeffreys", "jensen_shannon", "fisher_rao"):
        assert of(p, to_q, name) == pytest.approx(of(q, to_p, name), **close)
    for name in ("alpha", "renyi"):
        assert of(p, to_q, name, order) == pytest.approx(of(q, to_p, name, 1 - order), **close)
    assert of(p, to_q, "kl") == pytest.approx(of(q, to_p, "reverse_kl"), **close)


# Rounding of values near p = q is absolute; elsewhere some ulp, times logits of 30.
def below(one, other, p, theta):
    q, spare = np.exp(-ref.softplus(-theta)), np.exp(-ref.softplus(theta))
    return one <= other * (1 + 1e-12) + 1e-12 * min(p + q, 1 - p + spare)


@given(p=probabilities(), theta=logits(30.0))
@example(p=0.0, theta=np.inf)
@example(p=0.0, theta=-30.0)
def test_divergences__are_ordered(p, theta):
    kl, hellinger, fisher_rao = (of(p, theta, name) for name in ("kl", "hellinger", "fisher_rao"))
    renyi, jensen_shannon = of(p, theta, "renyi", 0.5), of(p, theta, "jensen_shannon")
    chain = [jensen_shannon, hellinger, fisher_rao, renyi, 2 * kl]
    assert all(below(one, other, p, theta) for one, other in itertools.pairwise(chain))
    assert below(hellinger, jensen_shannon / math.log(2), p, theta)
    assert below(fisher_rao, math.pi**2 / 8 * hellinger, p, theta)
    q = np.exp(-ref.softplus(-theta))
    assert below(jensen_shannon, 4 * math.log(2) * abs(p - q), p, theta)
    assert below(hellinger, 4.0, p, theta)
    if 0 < p < 1:
        assert below(fisher_rao, of(p, theta, "jeffreys"), p, theta)


@given(theta=st.floats(-40, -25))
def test_the_constants_of_the_chains__are_the_least(theta):
    # At p = 0 and small q, to q: 2 q against q, and 2 q against 2 ln 2 q; at disjoint laws pi^2 / 2 against 4.
    assert of(0.0, theta, "fisher_rao") == pytest.approx(2 * of(0.0, theta, "kl"), rel=1e-9)
    assert of(0.0, theta, "hellinger") == pytest.approx(of(0.0, theta, "jensen_shannon") / math.log(2), rel=1e-9)
    ends = [of(0.0, np.inf, name) for name in ("jensen_shannon", "hellinger", "fisher_rao")]
    assert ends == pytest.approx([4 * math.log(2), 4, math.pi**2 / 2], rel=1e-15)


@given(p=probabilities(), theta=logits(30.0), one=orders, other=orders)
def test_alpha_and_renyi__grow_with_the_order_times_it_and_fall_times_one_minus_it(p, theta, one, other):
    low, high = sorted((one, other))
    for name in ("alpha", "renyi"):
        at_low, at_high = of(p, theta, name, low), of(p, theta, name, high)
        assert below(low * at_low, high * at_high, p, theta)
        if high < 1:
            assert below((1 - high) * at_high, (1 - low) * at_low, p, theta)
        elif low > 1:
            assert below((low - 1) * at_low, (high - 1) * at_high, p, theta)


@given(p=probabilities(), theta=logits(30.0), off=st.sampled_from([1e-9, -1e-9, 1e-6]))
def test_alpha_and_renyi__of_orders_next_to_one_are_next_to_kl(p, theta, off):
    kl = of(p, theta, "kl")
    for name in ("alpha", "renyi"):
        # Third cumulants of ln(p/q), of up to 30^2 kl.
        assert of(p, theta, name, 1 + off) == pytest.approx(kl, rel=1e3 * abs(off), abs=1e-14)
        assert of(p, theta, name, 1.0) == kl


@given(
    p=st.tuples(probabilities(), probabilities()),
    theta=st.tuples(logits(20.0), logits(20.0)),
    share=st.floats(0, 1),
    order=st.floats(0.05, 4),
)
def test_all_but_renyi_and_fisher_rao__are_convex_in_both_laws(p, theta, share, order):
    q, spare = (np.exp(-ref.softplus(sign * np.array(theta))) for sign in (-1, 1))
    weights = np.array([share, 1 - share])
    mixed = np.log(weights @ q) - np.log(weights @ spare)
    for name in ("kl", "alpha", "hellinger", "jensen_shannon", "reverse_kl", "jeffreys"):
        x = order if name == "alpha" else None
        ends = [of(*pair, name, x) for pair in zip(p, theta, strict=True)]
        if np.isfinite(ends).all():
            most = sum(w * end for w, end in zip(weights, ends, strict=True))
            assert of(float(weights @ p), mixed, name, x) <= most * (1 + 1e-12) + 1e-13


@given(seed=st.integers(0, 99), order=st.sampled_from([0.3, 0.5, 2.0]))
def test_renyi_and_kl__of_two_laws_on_graphs_are_the_sums_over_pairs(seed, order):
    random = np.random.default_rng(seed)
    p, theta = random.random(3), random.normal(size=3) * 2
    q = 1 / (1 + np.exp(-theta))
    graphs = np.array(list(itertools.product((0, 1), repeat=3)))
    P, Q = (np.where(graphs, x, 1 - x).prod(axis=1) for x in (p, q))
    renyi = np.log((P**order * Q ** (1 - order)).sum()) / (order * (order - 1))
    # Rounding of eight terms.
    assert pair_divergence(p, theta, Divergence("renyi", order=order)).value.sum() == pytest.approx(renyi, rel=1e-12)
    assert pair_divergence(p, theta, "kl").value.sum() == pytest.approx((P * np.log(P / Q)).sum(), rel=1e-12)
    alpha = ((P**order * Q ** (1 - order)).sum() - 1) / (order * (order - 1))
    assert pair_divergence(p, theta, Divergence("alpha", order=order)).value.sum() != pytest.approx(alpha, rel=1e-6)


# ---- totals --------------------------------------------------------------------------------------


def dense(case, curve):
    """Graph, dense p, layout, and the logits of all pairs with 0 on the diagonal."""
    p, Y = case[0].toarray().astype(np.float64), case[1]
    theta = ref.logit(ref.squared_distances(Y), curve)
    np.fill_diagonal(theta, 0)
    return graph_from_csr(case[0]), p, Y, theta


def clipped(p, which):
    return p if which.p_min is None else np.clip(p, which.p_min, 1 - which.p_min)


def dense_terms(p, theta, which):
    """D(p || q) of all pairs by the twin, 0 on the diagonal."""
    terms = ref.divergence(clipped(p, which), theta, which.name, which.order)
    np.fill_diagonal(terms, 0)
    return terms


@names
@given(order=some_orders, case=cases, curve=curves())
def test_divergence__is_the_dense_sum_for_any_graph_layout_and_curve(name, order, case, curve):
    which = member(name, order)
    graph, p, Y, theta = dense(case, curve)
    terms = dense_terms(p, theta, which)
    found = divergence(graph, Y, Curve(*curve), which)
    apart = np.isfinite(terms)
    coincident = ref.squared_distances(Y) == 0
    # All pairs are summed and the edges taken off again: rounding is relative to what was summed (with its parts that
    # cancel, logits under 100, where p is clipped), of the twin near p = q to 1 over a small order.
    everywhere = np.where(apart, dense_terms(np.zeros_like(p), theta, which), 0)
    everywhere[~np.isfinite(everywhere)] = 0
    size = (np.where(apart, terms, 0) + everywhere).sum() + 100 * len(Y) ** 2
    np.testing.assert_allclose(found.per_vertex, terms.sum(axis=1) / 2, rtol=1e-11, atol=1e-13 * size)
    np.testing.assert_allclose(found.value, terms.sum() / 2, rtol=1e-11, atol=1e-13 * size)
    assert np.isfinite(found.value) or found.n_coincident > 0
    assert found.n_coincident == np.triu(coincident, 1).sum()
    assert found.per_vertex.sum() == found.value


@given(case=cases, curve=curves())
def test_divergence__named_kl_is_the_purported_kl(case, curve):
    graph, _, Y, theta = dense(case, curve)
    found, loss = divergence(graph, Y, Curve(*curve), "kl"), purported_loss(graph, Y, Curve(*curve))
    # Two formulas, of which the terms are known to some ulp.
    size = 1e-13 * (1 + abs(np.where(np.isinf(theta), 0, theta))).sum()
    np.testing.assert_allclose(found.per_vertex, loss.per_vertex.kl, rtol=1e-12, atol=size)
    assert found.n_coincident == loss.n_coincident


@given(case=cases, curve=curves(), order=orders)
def test_divergences_of_a_layout__are_ordered_as_those_of_a_pair(case, curve, order):
    graph, _, Y, theta = dense(case, curve)
    names = [*OF_NAME, Divergence("renyi", order=0.5), Divergence("alpha", order=order)]
    kl, hellinger, jensen_shannon, fisher_rao, renyi, alpha = (
        divergence(graph, Y, Curve(*curve), which).value for which in names
    )
    # As above.
    slack = 1e-12 * (len(Y) ** 2 + abs(np.where(np.isinf(theta), 0, theta)).sum())
    chain = [jensen_shannon, hellinger, fisher_rao, renyi, 2 * kl]
    assert all(one <= other * (1 + 1e-12) + slack for one, other in itertools.pairwise(chain))
    n_pairs = len(Y) * (len(Y) - 1) / 2
    assert jensen_shannon <= 4 * math.log(2) * n_pairs + slack
    assert fisher_rao <= math.pi**2 / 2 * n_pairs + slack
    if order < 0.99:
        assert alpha <= n_pairs / (order * (1 - order)) + slack / order


@members
@pytest.mark.parametrize("weight", [None, 0.5, 1.0])
def test_divergence__of_a_coincident_pair_is_its_limit(which, weight):
    W = np.zeros((3, 3))
    if weight:
        W[0, 1] = W[1, 0] = weight
    W[1, 2] = W[2, 1] = 0.25
    graph, Y = graph_from_csr(csr_matrix(W)), np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.5]])
    value, slopes = divergence_and_gradient(graph, Y, UMAP, which)
    expected = pair_divergence(W[0, 1], np.inf, which).value
    others = pair_divergence(W[[0, 1], 2], ref.logit(np.array([1.25, 1.25]), UMAP), which).value.sum()
    assert value.value == pytest.approx(expected + others, rel=1e-13)
    assert value.n_coincident == 1
    # It adds nothing to the gradient, which is that of the two pairs apart.
    assert np.isfinite(slopes).all()
    pair = pair_divergence(W[[0, 1], 2], ref.logit(np.array([1.25, 1.25]), UMAP), which).slope
    np.testing.assert_allclose(slopes[:2], (pair * -2 * UMAP.b / 1.25)[:, None] * (Y[:2] - Y[2]), rtol=1e-12)


@members
def test_divergence__of_graphs_without_edges_and_of_one_point(which):
    empty = graph_from_csr(csr_matrix((4, 4)))
    Y = np.random.default_rng(0).normal(size=(4, 2))
    value, slopes = divergence_and_gradient(empty, Y, UMAP, which)
    theta = ref.logit(ref.squared_distances(Y)[np.triu_indices(4, 1)], UMAP)
    assert value.value == pytest.approx(pair_divergence(0.0, theta, which).value.sum(), rel=1e-12)
    assert (slopes != 0).all()


# ---- gradients -----------------------------------------------------------------------------------


def dense_gradient(p, Y, theta, curve, which):
    """The gradient by dense matrices, and the size of its terms, with those that are charged on the edges."""
    a, b, c = curve
    Y = np.asarray(Y, dtype=np.float64)
    d2, delta = ref.squared_distances(Y), Y[:, None] - Y[None]
    off = d2 > 0
    s = np.where(off, d2, 1.0)
    along = -2 * a * b * s ** (b - 1) / (c + a * s**b)
    slopes, charged = (pair_divergence(x, theta, which).slope for x in (p, np.zeros_like(p)))
    forces, charges = (np.where(off, x * along, 0)[..., None] for x in (slopes, charged))
    return (forces * delta).sum(axis=1), ((abs(forces) + abs(charges)) * abs(delta)).sum(axis=1)


@names
@given(order=some_orders, case=cases, curve=curves())
def test_divergence_gradient__equals_the_dense_twin_for_any_graph_layout_and_curve(name, order, case, curve):
    which = member(name, order)
    graph, p, Y, theta = dense(case, curve)
    value, found = divergence_and_gradient(graph, Y, Curve(*curve), which)
    expected, size = dense_gradient(p, Y, theta, curve, which)
    assert (found.shape, found.dtype) == (Y.shape, np.float64)
    # Powers, logarithms and exponentials: some ulp each, times |theta| < 100; clipped ones cancel by their logit, 7.
    assert (abs(found - expected) <= 3e-13 * (10 if which.p_min else 1) * size).all()
    np.testing.assert_array_equal(found, divergence_gradient(graph, Y, Curve(*curve), which))
    assert value.value == divergence(graph, Y, Curve(*curve), which).value


@names
@given(order=some_orders, case=cases, curve=curves(), scale=st.sampled_from([0.1, 1.0, 30.0]), seed=st.integers(0, 99))
def test_divergence_gradient__is_the_derivative(name, order, case, curve, scale, seed):
    which = member(name, order)
    graph, Y = graph_from_csr(case[0]), apart(case[1], scale)
    _, p, _, theta = dense((case[0], Y), curve)
    found = divergence_gradient(graph, Y, Curve(*curve), which)
    direction = np.random.default_rng(seed).normal(size=Y.shape)
    # As for the losses: values are known to 1e-12 of what is summed, and divided by a step of 1e-3 of the least
    # distance, scale / 2; clipped ones are sums of parts with logits.
    step = 1e-3 * scale / (2 * abs(direction).max())
    slope = along(lambda Z: divergence(graph, Z, Curve(*curve), which).value, Y, direction, step)
    size = dense_terms(p, theta, which).sum() + dense_terms(np.zeros_like(p), theta, which).sum()
    size += len(Y) ** 2 * (10 if which.p_min else 1e-3)
    assert abs((found * direction).sum() - slope) <= 1e-8 * size / scale * abs(direction).max()


@names
@given(order=some_orders, seed=st.integers(0, 99), dim=st.integers(1, 3), curve=curves())
def test_the_hessian__at_p_equal_q_is_the_fisher_metric_for_every_divergence(name, order, seed, dim, curve):
    which = member(name, order)
    random = np.random.default_rng(seed)
    Y = apart(random.integers(-500, 500, (6, dim)).astype(np.float64), 1.0)
    q = ref.similarity(Y, curve)
    np.fill_diagonal(q, 0)
    assume(which.p_min is None or (q[q > 0].min() > 2 * P_MIN and q.max() < 1 - 2 * P_MIN))
    graph, direction, step = graph_from_csr(csr_matrix(q)), random.normal(size=Y.shape), 3e-4
    assume(graph.n_entries == 30 and graph.weight.max() < 1)
    slopes = [divergence_gradient(graph, Y + k * step * direction, Curve(*curve), which) for k in (-2, -1, 1, 2)]
    found = (8 * (slopes[2] - slopes[1]) - (slopes[3] - slopes[0])) / (12 * step)
    expected = (ref.fisher_matrix(Y, curve) @ direction.ravel()).reshape(Y.shape)
    # Weights are float32 numbers, 6e-8 beside q relative; and their difference has the curvature of ln d beside it,
    # divided by 1 - q where that is small.  Differences are of fourth order, in steps of a thousandth.
    rounding = 1e-5 / (1 - q.max()) * abs(expected).max()
    assert (abs(found - expected) <= rounding + 1e-6).all()


# ---- many vertices -------------------------------------------------------------------------------


def large_case(n=4200, dim=2):
    random = np.random.default_rng(0)
    mu = random_array((n, n), density=2e-3, rng=random, dtype=np.float32)
    mu = csr_matrix(mu)
    mu = mu.maximum(mu.T)
    mu.setdiag(0)
    mu.eliminate_zeros()
    return graph_from_csr(mu), random.integers(0, 12, (n, dim)) + 0.05 * random.normal(size=(n, dim))


LARGE = large_case()


@pytest.mark.parametrize(
    "which",
    ["kl", "hellinger", "jensen_shannon", "fisher_rao", Divergence("alpha", order=1.5), *OF_P_MIN],
    ids=str,
)
def test_divergences__of_many_vertices_are_within_rtol_of_exact_ones_by_one_plan(which):
    graph, Y = LARGE
    value, slopes = divergence_and_gradient(graph, Y, UMAP, which)
    exact, exact_slopes = divergence_and_gradient(graph, Y, UMAP, which, rtol=None)
    assert value.plan is not None
    assert 0 < value.pair_sum_error <= 1e-6
    # rtol is of what each potential sums; those of p_min have parts of more than the whole.
    times = 10 if isinstance(which, Divergence) and which.p_min else 1
    empty = graph_from_csr(csr_matrix((len(Y), len(Y))))
    most = divergence(empty, Y, UMAP, which).per_vertex
    assert (abs(value.per_vertex - exact.per_vertex) <= times * 1e-6 * most).all()
    assert abs(slopes - exact_slopes).max() <= times * 1e-5 * abs(exact_slopes).max()
    again, again_slopes = divergence_and_gradient(graph, 1.001 * Y, UMAP, which, plan=value.plan)
    assert again.plan is value.plan
    assert (again_slopes != slopes).any()


def test_divergences__of_many_vertices_in_three_dimensions_share_a_plan_too():
    graph, Y = large_case(dim=3)
    value, _ = divergence_and_gradient(graph, Y, UMAP, "hellinger", rtol=1e-3)
    if value.plan is not None:
        assert value.plan.moment == 1
    exact = divergence(graph, Y, UMAP, "hellinger", rtol=None)
    assert value.value == pytest.approx(exact.value, rel=1e-3)


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "error", "message"),
    [
        ("gravity", ValueError, "divergence: expected one of kl, .*'gravity'"),
        ("alpha", ValueError, r"order: expected a number in \[0.01, 4\] for alpha, got None; .*order="),
        ("renyi", ValueError, "order: expected"),
        ("reverse_kl", ValueError, "p_min: expected a number .* got None"),
        ("jeffreys", ValueError, "p_min: expected"),
        (3.0, TypeError, "a name or a Divergence, got float"),
    ],
)
def test_divergences__refuse_what_is_none(which, error, message):
    graph, Y = graph_from_csr(csr_matrix(np.array([[0, 1], [1, 0]]))), np.array([[0.0, 0.0], [1.0, 2.0]])
    for call in (divergence, divergence_gradient, divergence_and_gradient):
        with pytest.raises(error, match=message):
            call(graph, Y, UMAP, which)
    with pytest.raises(error, match=message):
        pair_divergence(0.5, 0.0, which)


@pytest.mark.parametrize(
    "numbers",
    [
        {"name": "kl", "order": 1.0},
        {"name": "hellinger", "p_min": 0.1},
        {"name": "alpha", "order": 0.0},
        {"name": "alpha", "order": -1.0},
        {"name": "alpha", "order": 5.0},
        {"name": "renyi", "order": float("nan")},
        {"name": "renyi", "order": "2"},
        {"name": "reverse_kl", "p_min": 0.0},
        {"name": "reverse_kl", "p_min": 0.5},
    ],
)
def test_a_divergence__has_just_the_numbers_that_it_needs(numbers):
    with pytest.raises(ValueError, match="expected"):
        Divergence(**numbers)


def test_divergences__refuse_layouts_and_pairs_that_are_none():
    graph, Y = graph_from_csr(csr_matrix(np.array([[0, 1], [1, 0]]))), np.array([[0.0, 0.0], [1.0, 2.0]])
    for call in (divergence, divergence_gradient, divergence_and_gradient):
        with pytest.raises(ValueError, match="layout Y: expected shape"):
            call(graph, np.zeros((3, 2)), UMAP, "kl")
        with pytest.raises(ValueError, match="vertex 1"):
            call(graph, [[0.0, 0.0], [np.nan, 0.0]], UMAP, "kl")
        with pytest.raises(ValueError, match="rtol"):
            call(graph, Y, UMAP, "kl", rtol=2.0)
        with pytest.raises(TypeError, match="curve"):
            call(graph, Y, (1.0, 1.0), "kl")
    for p, theta in ((1.5, 0.0), (-0.1, 0.0), (np.nan, 0.0), (0.5, np.nan)):
        with pytest.raises(ValueError, match="pair_divergence: expected p in"):
            pair_divergence(p, theta, "kl")


@pytest.mark.parametrize("name", ["alpha", "alpha(1)", "alpha(5)", "alpha(0)", "alpha(nan)", "beta(2)", "alpha(2"])
def test_potentials_with_an_order__are_refused_without_a_good_one(name):
    with pytest.raises(ValueError, match="potentials: expected"):
        pair_sums(np.zeros((2, 2)), name, np.ones(2), UMAP)
