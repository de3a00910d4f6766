"""Gradients: against a dense twin, differences of the losses, what symmetry demands, and the moves of a run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array
from strategies import curves, embedded_graphs

from umapinfo.core.curve import Curve, fit_curve
from umapinfo.core.descent import State, epochs, initial_state
from umapinfo.core.forces import CLIP, SOFTENING, attraction_factor, repulsion_factor
from umapinfo.core.graph import graph_from_csr
from umapinfo.core.settings import Descent
from umapinfo.measures.gradient import effective_gradient, purported_gradient
from umapinfo.measures.loss import effective_loss, purported_loss
from umapinfo.pairs import pair_sums

UMAP = fit_curve()
LOSSES = ("purported", "effective", "head")
cases = st.integers(1, 3).flatmap(lambda dim: embedded_graphs(dim=dim))
rates = st.sampled_from([(5.0, 1.0), (2.0, 0.3), (0.0, 1.0)])  # m_neg, gamma


def settings_of(rate, **more):
    return Descent(negative_sample_rate=rate[0], repulsion_strength=rate[1], **more)


def gradient_of(loss, graph, settings, Y, curve, **more):
    """Of the purported or the effective loss, or that of the heads alone."""
    if loss == "purported":
        return purported_gradient(graph, Y, curve, **more)
    return effective_gradient(graph, settings, Y, curve, push="head" if loss == "head" else "both", **more)


def value_of(loss, graph, settings, Y, curve):
    return purported_loss(graph, Y, curve) if loss == "purported" else effective_loss(graph, settings, Y, curve)


# ---- the twin ------------------------------------------------------------------------------------


def repulsion_weights(loss, mu, m_neg, gamma):
    """B_ij as a dense matrix; of "head" that of the row's vertex alone."""
    if loss == "purported":
        return 1 - mu
    push = gamma * m_neg * mu.sum(axis=1) / (2 * len(mu))
    return np.repeat(push[:, None], len(mu), axis=1) if loss == "head" else np.add.outer(push, push)


def twin(mu, B, Y, curve, rows=None):
    """Rows of the gradient of sum_(i<j) mu_ij softplus(-theta) + B_ij softplus(theta), and of its absolute terms.

    With u = a d^(2b), q = 1 / (1 + c + u) and theta = -ln(c + u): d theta / dd = -2 b u / (c + u) / d,
    d softplus(-theta) / dd = -(1 - q) d theta / dd and d softplus(theta) / dd = q d theta / dd.  Coincident pairs are
    left out.
    """
    a, b, c = curve
    Y = np.asarray(Y, dtype=np.float64)
    rows = range(len(Y)) if rows is None else rows
    total, size = np.zeros((2, len(rows), Y.shape[1]))
    for place, i in enumerate(rows):
        for part in np.array_split(np.arange(len(Y)), 1 + len(Y) // 1000):
            delta = Y[i] - Y[part]
            d2 = (delta**2).sum(axis=1)
            apart = d2 > 0
            d2 = np.where(apart, d2, 1.0)
            u = a * d2**b
            q = 1 / (1 + c + u)
            slope = np.where(apart, 2 * b * u / (c + u) / d2, 0.0)  # of -theta, over d
            pull, push = mu[i, part] * (1 - q) * slope, B[i, part] * q * slope
            total[place] += (pull - push) @ delta
            # The sum over all pairs charges the edges what is taken off them again, with weights of 1 at most or B.
            size[place] += (pull + push + np.where(mu[i, part] > 0, q * slope, 0.0)) @ abs(delta)
    return total, size


def dense(p):
    """A graph and its weights as a dense float64 matrix."""
    return graph_from_csr(p), p.toarray().astype(np.float64)


@pytest.mark.parametrize("loss", LOSSES)
@given(case=cases, curve=curves(), rate=rates)
def test_gradients__equal_the_dense_twin_for_any_graph_layout_and_curve(loss, case, curve, rate):
    (graph, mu), Y = dense(case[0]), case[1]
    found = gradient_of(loss, graph, settings_of(rate), Y, Curve(*curve))
    expected, size = twin(mu, repulsion_weights(loss, mu, *rate), Y, curve)
    assert (found.shape, found.dtype) == (Y.shape, np.float64)
    # Powers, logarithms and exponentials: some ulp each, times |theta| < 100 in exp(theta).
    assert (abs(found - expected) <= 1e-13 * size).all()


# ---- derivatives of the losses -------------------------------------------------------------------


def apart(Y, scale):
    """A float64 layout from a drawn one: a square lattice, moved by a quarter of its step at most."""
    n, dim = Y.shape
    side = int(np.ceil(n ** (1 / dim) - 1e-9))
    lattice = np.stack(np.unravel_index(np.arange(n), (side,) * dim), axis=1)
    return scale * (lattice + Y.astype(np.float64) / (4 * max(abs(Y).max(), 1.0)))


def along(value, Y, direction, step):
    """The derivative by central differences at one and two steps: the error is of fourth order."""
    one, two = (value(Y + k * step * direction) - value(Y - k * step * direction) for k in (1, 2))
    return (8 * one - two) / (12 * step)


@pytest.mark.parametrize("part", ["bce", "kl"])
@pytest.mark.parametrize("loss", ["purported", "effective"])
@given(case=cases, curve=curves(), rate=rates, scale=st.sampled_from([0.02, 1.0, 30.0]), seed=st.integers(0, 99))
def test_gradients__are_the_derivatives_of_the_losses_bce_and_kl_alike(loss, part, case, curve, rate, scale, seed):
    (graph, mu), Y, random = dense(case[0]), apart(case[1], scale), np.random.default_rng(seed)
    settings, curve = settings_of(rate), Curve(*curve)
    found = gradient_of(loss, graph, settings, Y, curve)
    axis = np.zeros_like(Y)
    axis[random.integers(len(Y)), random.integers(Y.shape[1])] = 1.0
    d2 = ((Y[:, None] - Y[None]) ** 2).sum(axis=2)[np.triu_indices(len(Y), 1)]
    everywhere = np.log1p(1 / (curve.c + curve.a * d2**curve.b)).sum()
    largest = repulsion_weights(loss, mu, *rate).max()
    values = value_of(loss, graph, settings, Y, curve)
    size = values.bce + values.entropy + max(1.0, largest) * everywhere
    for direction in (axis, random.normal(size=Y.shape)):
        # Values are known to 1e-12 of their size (tests/test_loss.py), and divided by a step of 1e-3 of the least
        # distance, scale / 2; in x such a f(d (1 + x)) is its polynomial to 1e-12 f.
        step = 1e-3 * scale / (2 * abs(direction).max())
        slope = along(lambda Z: getattr(value_of(loss, graph, settings, Z, curve), part), Y, direction, step)
        assert abs((found * direction).sum() - slope) <= 3e-9 * size / scale * abs(direction).max()


@pytest.mark.parametrize("loss", ["purported", "effective"])
@given(case=cases, curve=curves(), rate=rates)
def test_gradients__neither_move_nor_turn_the_layout_as_a_whole(loss, case, curve, rate):
    (graph, mu), Y = dense(case[0]), case[1].astype(np.float64)
    found = gradient_of(loss, graph, settings_of(rate), Y, Curve(*curve))
    _, size = twin(mu, repulsion_weights(loss, mu, *rate), Y, curve)
    # Rounding of the terms, which cancel in pairs.
    assert (abs(found.sum(axis=0)) <= 1e-13 * size.sum(axis=0)).all()
    for one in range(Y.shape[1]):
        for other in range(one):
            torque = Y[:, one] * found[:, other] - Y[:, other] * found[:, one]
            arms = abs(Y[:, one]) * size[:, other] + abs(Y[:, other]) * size[:, one]
            assert abs(torque.sum()) <= 1e-13 * arms.sum()


def test_the_push_of_the_heads_alone__does_move_the_layout_as_a_whole():
    p = csr_matrix(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=np.float32))
    found = effective_gradient(graph_from_csr(p), Descent(), [[0, 0], [1, 0], [3, 0.5]], UMAP, push="head")
    assert abs(found.sum(axis=0)).min() > 1e-3


@pytest.mark.parametrize("loss", LOSSES)
@given(case=embedded_graphs(), curve=curves(), seed=st.integers(0, 99))
def test_gradients__go_with_the_vertices_and_turn_with_the_layout(loss, case, curve, seed):
    (graph, mu), Y = dense(case[0]), case[1].astype(np.float64)
    order = np.random.default_rng(seed).permutation(len(Y))
    found = gradient_of(loss, graph, Descent(), Y, Curve(*curve))
    _, size = twin(mu, repulsion_weights(loss, mu, 5.0, 1.0), Y, curve)
    relabelled = graph_from_csr(csr_matrix(case[0].toarray()[np.ix_(order, order)]))
    # Sums in another order.
    moved = gradient_of(loss, relabelled, Descent(), Y[order], Curve(*curve))
    assert (abs(moved - found[order]) <= 1e-13 * size[order]).all()
    quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])  # exact
    turned = gradient_of(loss, graph, Descent(), Y @ quarter, Curve(*curve))
    assert (abs(turned - found @ quarter) <= 1e-13 * (size @ abs(quarter))).all()


# ---- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@given(case=cases, curve=curves(), collapsed=st.booleans())
def test_gradients__are_finite_where_points_coincide_and_zero_where_all_do(loss, case, curve, collapsed):
    graph, Y = graph_from_csr(case[0]), case[1]
    Y[:2] = Y[0]
    if collapsed:
        Y[:] = Y[0]
    found = gradient_of(loss, graph, Descent(), Y, Curve(*curve))
    assert np.isfinite(found).all()
    if collapsed:
        np.testing.assert_array_equal(found, 0.0)


@given(case=embedded_graphs(min_n=5), curve=curves(), far=st.sampled_from([0.5, 30.0]))
def test_isolated_vertices__are_pushed_by_those_with_edges_never_by_each_other(case, curve, far):
    p = case[0].tolil()
    p[-2:], p[:, -2:], p[0, 1], p[1, 0] = 0, 0, 1, 1
    graph, curve = graph_from_csr(csr_matrix(p)), Curve(*curve)
    Y = apart(case[1], 1.0)
    moved = Y.copy()
    moved[-1] += far
    alone = len(Y) - 2
    both, both_moved = (effective_gradient(graph, Descent(), Z, curve) for Z in (Y, moved))
    heads, heads_moved = (effective_gradient(graph, Descent(), Z, curve, push="head") for Z in (Y, moved))
    none = effective_gradient(graph, Descent(negative_sample_rate=0), Y, curve)
    # B = gamma m (d_i + d_j) / (2n) is 0 between two vertices without edges.
    np.testing.assert_array_equal(both[alone], both_moved[alone])
    assert both[alone].any()
    # They draw no negative samples, but are drawn as such.
    np.testing.assert_array_equal(heads[alone:], 0.0)
    assert (heads[0] != heads_moved[0]).any()
    np.testing.assert_array_equal(none[alone:], 0.0)


def test_the_heads_alone__get_half_of_the_repulsion_where_degrees_are_equal():
    n, random = 12, np.random.default_rng(0)
    ring = np.roll(np.eye(n), 1, axis=1)
    graph, Y = graph_from_csr(csr_matrix(0.5 * (ring + ring.T))), random.normal(size=(n, 2))
    both, half = (effective_gradient(graph, Descent(), Y, UMAP, push=push) for push in ("both", "head"))
    pull = effective_gradient(graph, Descent(negative_sample_rate=0), Y, UMAP)
    np.testing.assert_allclose(half - pull, (both - pull) / 2, rtol=1e-12)


# ---- the moves of a run --------------------------------------------------------------------------


def expected_move(graph, settings, Y, curve):
    """The mean move of an epoch over alpha, to first order in alpha, without clip and softening.

    Entry (i, j) is due mu_ij / max(mu) times an epoch.  Then i and j are pulled together, and i is pushed off m_neg
    vertices k, each drawn with probability 1/n (k = i moves nothing); with push_tail k is pushed too.
    """
    move, n = np.zeros_like(Y), len(Y)
    for i, j, mu in zip(graph.heads, graph.indices, graph.weight.astype(np.float64), strict=True):
        rate = mu / graph.weight.max()
        if d2 := ((Y[i] - Y[j]) ** 2).sum():
            pull = rate * attraction_factor(d2, curve) * (Y[i] - Y[j])
            move[i], move[j] = move[i] + pull, move[j] - pull
        for k in range(n):
            if d2 := ((Y[i] - Y[k]) ** 2).sum():
                factor = repulsion_factor(d2, curve, settings.repulsion_strength) * (SOFTENING + d2) / d2
                push = rate * settings.negative_sample_rate / n * factor * (Y[i] - Y[k])
                move[i] += push
                if settings.push_tail:
                    move[k] -= push
    return move


@given(case=cases, curve=curves(), rate=rates, push_tail=st.booleans())
def test_the_effective_gradient__is_minus_half_of_the_mean_move_times_the_largest_weight(case, curve, rate, push_tail):
    (graph, mu), Y = dense(case[0]), case[1].astype(np.float64)
    settings, push = settings_of(rate, push_tail=push_tail), "both" if push_tail else "head"
    found = effective_gradient(graph, settings, Y, Curve(*curve), push=push)
    move = expected_move(graph, settings, Y, Curve(*curve))
    _, size = twin(mu, repulsion_weights("effective" if push_tail else "head", mu, *rate), Y, curve)
    # Rounding of the terms.
    assert (abs(-2 / mu.max() * found - move) <= 1e-12 * size / mu.max()).all()


@pytest.mark.parametrize("push_tail", [False, True])
def test_the_effective_gradient__is_minus_half_of_what_a_run_moves_on_average_times_the_largest_weight(push_tail):
    weights = {(0, 1): 0.5, (1, 2): 0.25, (0, 3): 0.5, (3, 4): 0.125, (2, 4): 0.25}  # due each 1, 2, 4 epochs
    W = np.zeros((6, 6))  # vertex 5 is isolated
    for (i, j), weight in weights.items():
        W[i, j] = W[j, i] = weight
    graph = graph_from_csr(csr_matrix(W))
    Y = np.array([[0, 0], [1.5, 0.25], [1, 2], [-1.5, 1], [-0.5, -1.75], [2.5, -1.5]])
    moves = []
    for seed in range(300):
        settings = Descent(n_epochs=12, learning_rate=1e-3, negative_sample_rate=4.0, push_tail=push_tail, seed=seed)
        state = State(Y.astype(np.float32), 8, initial_state(graph, settings, Y).streams)
        total = np.zeros_like(Y)
        for epoch in epochs(graph, UMAP, settings, state):  # 9 to 12: a whole number of periods of each entry
            total += (epoch.Y.astype(np.float64) - epoch.Y_before) / epoch.alpha / 4
            state.Y[:] = Y
        moves.append(total)
    mean, error = np.mean(moves, axis=0), np.std(moves, axis=0) / np.sqrt(len(moves))
    gradient = effective_gradient(graph, settings, Y, UMAP, push="both" if push_tail else "head")
    assert abs(gradient).max() < CLIP / 4
    # Five standard errors; the softening (0.001 of d^2 > 1), the moves within an epoch (steps of 1e-3) and rounding
    # to float32 (1e-7 of a coordinate over 1e-3) are some thousandths of forces of about 1.
    allowed = 5 * error + 5e-3
    assert (abs(mean + 2 / W.max() * gradient) <= allowed).all()
    assert (abs(mean + 2 * gradient) > allowed).any()


# ---- many vertices, errors -----------------------------------------------------------------------


def test_gradients__of_many_vertices_are_within_rtol_of_the_absolute_terms():
    n, rtol, random = 5000, 1e-6, np.random.default_rng(0)
    mu = random_array((n, n), density=2e-3, rng=random, dtype=np.float32).toarray()
    mu = np.triu(mu, 1) + np.triu(mu, 1).T
    graph, Y = graph_from_csr(csr_matrix(mu)), random.integers(0, 12, (n, 2)) + 0.05 * random.normal(size=(n, 2))
    assert pair_sums(Y, "repulsion_slope", np.ones(n), UMAP, moment=1, rtol=rtol).method == "fourier"
    rows = random.choice(n, 300, replace=False)
    for loss in LOSSES:
        found = gradient_of(loss, graph, Descent(), Y, UMAP, rtol=rtol)[rows]
        expected, size = twin(mu, repulsion_weights(loss, mu.astype(np.float64), 5.0, 1.0), Y, UMAP, rows)
        assert (abs(found - expected) <= rtol * size).all()
        assert (found != expected).any()


def test_gradients__refuse_an_unknown_push_and_what_the_losses_refuse():
    graph = graph_from_csr(csr_matrix(np.array([[0, 1], [1, 0]], dtype=np.float32)))
    Y = np.array([[0.0, 0.0], [1.0, 2.0]])
    with pytest.raises(ValueError, match="push: expected one of 'both', 'head', got 'tail'"):
        effective_gradient(graph, Descent(), Y, UMAP, push="tail")
    for measure in (
        lambda Y, curve=UMAP, **more: purported_gradient(graph, Y, curve, **more),
        lambda Y, curve=UMAP, **more: effective_gradient(graph, Descent(), Y, curve, **more),
    ):
        for shape in ((3, 2), (2,), (2, 2, 1), (2, 0)):
            with pytest.raises(ValueError, match="layout Y: expected shape"):
                measure(np.zeros(shape))
        with pytest.raises(ValueError, match="vertex 1"):
            measure([[0.0, 0.0], [np.nan, 0.0]])
        with pytest.raises(TypeError, match="object"):
            measure(Y.astype(object))
        with pytest.raises(ValueError, match="rtol"):
            measure(Y, rtol=2.0)
        with pytest.raises(ValueError, match="curve"):
            measure(Y, Curve(0.0, 1.0))
        with pytest.raises(TypeError, match="curve"):
            measure(Y, (1.0, 1.0))


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_gradients__take_any_real_numbers_and_leave_them_as_they_were(dtype):
    graph = graph_from_csr(csr_matrix(np.array([[0, 1, 0], [1, 0, 0.5], [0, 0.5, 0]], dtype=np.float32)))
    Y = np.array([[0, 0], [1, 2], [-3, 1]], dtype=dtype)
    before = Y.tobytes()
    for loss in LOSSES:
        found = gradient_of(loss, graph, Descent(), Y, UMAP)
        np.testing.assert_array_equal(found, gradient_of(loss, graph, Descent(), Y.astype(np.float64), UMAP))
    assert Y.tobytes() == before
