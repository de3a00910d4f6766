"""Fisher metric and Hessian: against the twin and differences of loss and gradient, and what holds for every layout."""

import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.sparse import csr_matrix, random_array, triu
from strategies import curves, embedded_graphs, layouts

from umapinfo.core.curve import Curve, fit_curve
from umapinfo.core.graph import graph_from_csr
from umapinfo.core.settings import Descent
from umapinfo.measures import effective_gradient, fisher_blocks, fisher_metric, hessian, purported_gradient
from umapinfo.measures import layout_operator as operators
from umapinfo.measures.eigenpairs import rigid_motions
from umapinfo.measures.loss_weights import LossWeights, effective_weights, purported_weights
from umapinfo.measures.objective import Loss
from umapinfo.pairs import pair_sums

UMAP = fit_curve()
LOSSES = ("purported", "effective")
cases = st.integers(1, 4).flatmap(lambda dim: embedded_graphs(dim=dim, max_n=9))
planar = embedded_graphs(dim=2, max_n=9)
rates = st.sampled_from([(5.0, 1.0), (2.0, 0.3), (0.0, 1.0)])  # m_neg, gamma
umaps = st.tuples(st.floats(0.05, 20), st.floats(0.3, 2)).map(lambda ab: Curve(*ab))  # c = 0
# Powers, logarithms and exponentials of a pair: some ulp each, times |theta| < 100 in exp(theta).
ROUNDING = 1e-13


def settings_of(rate):
    return Descent(negative_sample_rate=rate[0], repulsion_strength=rate[1])


def weights_of(loss, graph, rate):
    return purported_weights(graph) if loss == "purported" else effective_weights(graph, settings_of(rate))


def dense_weights(loss, p, rate):
    """A and B of the twin."""
    mu = p.toarray().astype(np.float64)
    return ref.purported(mu) if loss == "purported" else ref.effective(mu, *rate)


def twin(loss, case, rate, curve):
    """G and H of the twin, and per coordinate the absolute terms of its vertex.

    The library charges edges for repulsion by all pairs and takes that off again: weights of B + 1 bound both.
    """
    A, B = dense_weights(loss, case[0], rate)
    G, H, _ = ref.second_derivatives(A, B, case[1], tuple(curve))
    sizes = ref.second_derivatives(A, B + (loss == "purported"), case[1], tuple(curve))[2]
    return G, H, np.repeat(sizes, case[1].shape[1])


def matrix_of(operator):
    return operator @ np.eye(operator.shape[0])


def scattered(n, dim, seed, scale=1.0):
    """A layout no two points of which are nearer than half of the scale: a moved lattice."""
    side = int(np.ceil(n ** (1 / dim) - 1e-9))
    lattice = np.stack(np.unravel_index(np.arange(n), (side,) * dim), axis=1)
    return scale * (lattice + np.random.default_rng(seed).uniform(-0.25, 0.25, (n, dim)))


# ---- the twin ------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@given(case=cases, curve=curves(), rate=rates)
def test_metric_and_hessian__equal_the_twin_for_any_graph_layout_and_curve(loss, case, curve, rate):
    weights = weights_of(loss, graph_from_csr(case[0]), rate)
    expected_G, expected_H, sizes = twin(loss, case, rate, curve)
    G = fisher_metric(case[1], Curve(*curve), weights=weights)
    H = hessian(weights, case[1], Curve(*curve))
    allowed = ROUNDING * np.maximum(sizes[:, None], sizes)
    assert (abs(matrix_of(G) - expected_G) <= allowed).all()
    if not curve[2]:  # with c > 0 the Hessian of coincident pairs is finite for b >= 1, and counted
        assert (abs(matrix_of(H) - expected_H) <= allowed).all()
    n, dim = case[1].shape
    for operator in (G, H):
        own = matrix_of(operator).reshape(n, dim, n, dim)[np.arange(n), :, np.arange(n)]
        np.testing.assert_array_equal(own, operator.own.blocks)
        assert operator.own.n_coincident == (ref.squared_distances(case[1])[np.triu_indices(n, 1)] == 0).sum()


@given(case=cases, curve=curves(), rate=rates, seed=st.integers(0, 99))
def test_hessian__of_a_curve_with_c_equals_the_twin_where_points_are_apart(case, curve, rate, seed):
    case, curve = (case[0], scattered(*case[1].shape, seed)), Curve(*curve[:2], 1.0)
    weights = weights_of("effective", graph_from_csr(case[0]), rate)
    _, expected, sizes = twin("effective", case, rate, curve)
    found = matrix_of(hessian(weights, case[1], curve))
    assert (abs(found - expected) <= ROUNDING * np.maximum(sizes[:, None], sizes)).all()


@given(Y=st.integers(1, 4).flatmap(lambda dim: layouts(dim=dim)), curve=curves(), seed=st.integers(0, 99))
def test_products__are_those_of_the_matrix_where_there_is_none(Y, curve, seed):
    X = np.random.default_rng(seed).normal(size=(Y.size, 3))
    p = csr_matrix(np.triu(np.random.default_rng(seed).random((len(Y), len(Y))) < 0.4, 1).astype(np.float32))
    weights = effective_weights(graph_from_csr(p + p.T), Descent())
    for make in (
        lambda: fisher_metric(Y, Curve(*curve)),
        lambda: hessian(weights, Y, Curve(*curve)),
    ):
        matrix = matrix_of(make())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(operators, "DENSE_UP_TO", 0)
            operator = make()
        assert operator.method == "direct"
        # Sums in another order, of rows whose absolute sum is no less than twice the block on the diagonal
        sizes = np.abs(matrix) @ np.abs(X) + np.abs(np.diag(matrix))[:, None] * np.abs(X).max()
        scale = np.abs(operator.own.blocks).sum(axis=(1, 2)).repeat(Y.shape[1])[:, None] * np.abs(X).max()
        assert (abs(operator @ X - matrix @ X) <= 1e-11 * (sizes + scale)).all()


# ---- derivatives of gradient and loss ------------------------------------------------------------


def gradient_of(loss, graph, rate, Y, curve):
    if loss == "purported":
        return purported_gradient(graph, Y, curve)
    return effective_gradient(graph, settings_of(rate), Y, curve)


@pytest.mark.parametrize("loss", LOSSES)
@given(case=cases, curve=curves(), rate=rates, scale=st.sampled_from([0.02, 1.0, 30.0]), seed=st.integers(0, 99))
def test_hessian__is_the_derivative_of_the_gradient(loss, case, curve, rate, scale, seed):
    graph, Y, curve = graph_from_csr(case[0]), scattered(*case[1].shape, seed, scale), Curve(*curve)
    v = np.random.default_rng(seed).normal(size=Y.shape)
    found = (hessian(weights_of(loss, graph, rate), Y, curve) @ v.ravel()).reshape(Y.shape)
    # Distances change by a thousandth: the error of differences at one and two steps is of fourth order.
    step = 1e-3 * scale / (4 * abs(v).max())
    one, two = (
        gradient_of(loss, graph, rate, Y + k * step * v, curve)
        - gradient_of(loss, graph, rate, Y - k * step * v, curve)
        for k in (1, 2)
    )
    expected = (8 * one - two) / (12 * step)
    sizes = twin(loss, (case[0], Y), rate, curve)[2].reshape(Y.shape)
    # Rounding of the gradient, of the size of (H's terms) (distance), is divided by a thousandth of the distance.
    assert (abs(found - expected) <= 1e-8 * sizes * abs(v).max()).all()


@pytest.mark.parametrize("loss", LOSSES)
@given(case=cases, curve=curves(), rate=rates, seed=st.integers(0, 99))
def test_hessian__is_the_second_derivative_of_the_twins_loss(loss, case, curve, rate, seed):
    graph, Y, curve = graph_from_csr(case[0]), scattered(*case[1].shape, seed), Curve(*curve)
    A, B = dense_weights(loss, case[0], rate)
    v = np.random.default_rng(seed).normal(size=Y.shape)
    found = v.ravel() @ (hessian(weights_of(loss, graph, rate), Y, curve) @ v.ravel())
    step = 5e-3 / (4 * abs(v).max())
    value = [ref.loss(A, B, Y + k * step * v, tuple(curve))["bce"] for k in (-2, -1, 0, 1, 2)]
    expected = np.dot([-1, 16, -30, 16, -1], value) / (12 * step**2)
    sizes = twin(loss, (case[0], Y), rate, curve)[2]
    # Fourth order in steps of 1/200 of the distances; rounding 1e-15 of the loss over their squares.
    rounding = 1e-14 * (abs(value[2]) + ref.softplus(ref.logit(0.25, tuple(curve))) * len(Y) ** 2) / step**2
    assert abs(found - expected) <= 1e-6 * (sizes.sum() * abs(v).max() ** 2) + rounding


def any_weights(graph, seed):
    """Weights that no graph gives, some of them 0; dense A and B; and what all pairs are charged, edges too."""
    edge, random = graph.heads < graph.indices, np.random.default_rng(seed)
    heads, tails, n = graph.heads[edge], graph.indices[edge], graph.n_vertices
    A, B = random.uniform(-0.5, 3, (2, len(heads))).clip(0)
    s, ones = random.uniform(-0.5, 2, n).clip(0), np.ones(n)
    charged = np.add.outer(s, s) * ref.off_diagonal(n)
    pull, push = np.zeros((n, n)), charged.copy()
    for matrix, values in ((pull, A), (push, B)):
        matrix[heads, tails] = matrix[tails, heads] = values
    return LossWeights(heads, tails, A, B, np.column_stack([s, ones]), np.column_stack([ones, s])), pull, push, charged


@given(case=cases, curve=curves(), scale=st.sampled_from([0.02, 1.0, 30.0]), seed=st.integers(0, 99))
def test_gradient_and_hessian__of_any_weights_are_the_derivatives_of_the_loss(case, curve, scale, seed):
    graph, Y, curve = graph_from_csr(case[0]), scattered(*case[1].shape, seed, scale), Curve(*curve)
    weights, A, B, charged = any_weights(graph, seed)
    loss, v = Loss("own", graph, weights), np.random.default_rng(seed + 1).normal(size=Y.shape)
    step = 1e-3 * scale / (4 * abs(v).max())
    at = {k: loss.value_and_gradient(Y + k * step * v, curve) for k in (-2, -1, 0, 1, 2)}
    slope, turn = ((8 * (at[1][part] - at[-1][part]) - (at[2][part] - at[-2][part])) / (12 * step) for part in (0, 1))
    # As for UMAP's losses: values are known to 1e-12 of what is summed, edges twice, gradients of the size of (H's
    # terms) (distance); distances change by a thousandth.
    size = ref.loss(A, B + charged, Y, tuple(curve))["bce"]
    assert abs((at[0].gradient * v).sum() - slope) <= 3e-9 * size / scale * abs(v).max()
    sizes = ref.second_derivatives(A, B + charged, Y, tuple(curve))[2][:, np.newaxis]
    found = (hessian(weights, Y, curve) @ v.ravel()).reshape(Y.shape)
    assert (abs(found - turn) <= 1e-8 * sizes * abs(v).max()).all()


@given(Y=st.integers(1, 4).flatmap(lambda dim: layouts(dim=dim)), curve=curves())
def test_metric__is_the_hessian_where_p_is_q(Y, curve):
    heads, tails = np.triu_indices(len(Y), 1)
    q = ref.similarity(Y, curve)[heads, tails]
    ends, ones = (heads.astype(np.int32), tails.astype(np.int32)), np.ones((len(Y), 1))
    rest = 1 - q
    weights = LossWeights(*ends, q, rest, ones, ones)
    G, H = fisher_metric(Y, Curve(*curve)), hessian(weights, Y, Curve(*curve))
    P = np.zeros((len(Y), len(Y)))
    P[heads, tails] = P[tails, heads] = 1.0
    # 1 - q is known to 1e-16, and so is the residual w (A (1 - q) - B q) in terms of both weights 1
    sizes = ref.second_derivatives(P, P, Y, curve)[2].repeat(Y.shape[1])
    assert (abs(matrix_of(H) - matrix_of(G)) <= ROUNDING * np.maximum(sizes[:, None], sizes)).all()


# ---- what holds for every layout -----------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@given(case=planar, curve=umaps, rate=rates)
def test_traces__of_metric_and_hessian_are_equal_in_the_plane_at_every_vertex(loss, case, curve, rate):
    weights = weights_of(loss, graph_from_csr(case[0]), rate)
    G, H = fisher_metric(case[1], curve, weights=weights), hessian(weights, case[1], curve)
    sizes = twin(loss, case, rate, curve)[2][::2]
    assert (abs(H.own.trace - G.own.trace) <= 4 * ROUNDING * sizes).all()


@pytest.mark.parametrize("loss", LOSSES)
@given(case=cases, curve=curves(), rate=rates, seed=st.integers(0, 99))
def test_traces__differ_by_the_forces_over_distances_elsewhere(loss, case, curve, rate, seed):
    """Of points apart: tr H_ii - tr G_ii = sum_j w_ij (m - 2 + 2 b (1 - r_ij)), w = (2 b r / d^2) (A (1 - q) - B q)."""
    (a, b, c), Y = curve, case[1].astype(np.float64)
    if c > 0 or len(np.unique(Y, axis=0)) < len(Y):
        Y = scattered(*Y.shape, seed)
    A, B = dense_weights(loss, case[0], rate)
    weights = weights_of(loss, graph_from_csr(case[0]), rate)
    G, H = fisher_metric(Y, Curve(*curve), weights=weights), hessian(weights, Y, Curve(*curve))
    d2 = ref.squared_distances(Y)
    apart = d2 > 0
    d2 = np.where(apart, d2, 1.0)
    u = a * d2**b
    q, r = 1 / (1 + c + u), u / (c + u)
    w = np.where(apart, 2 * b * r / d2 * (A * (c + u) * q - B * q), 0.0)
    expected = (w * (Y.shape[1] - 2 + 2 * b * (1 - r))).sum(axis=1)
    sizes = twin(loss, (case[0], Y), rate, curve)[2][:: Y.shape[1]]
    assert (abs(H.own.trace - G.own.trace - expected) <= 4 * Y.shape[1] * ROUNDING * sizes).all()


@given(case=cases, curve=curves(), rate=rates)
def test_metric__is_symmetric_and_positive_semi_definite_and_the_hessian_symmetric(case, curve, rate):
    weights = weights_of("effective", graph_from_csr(case[0]), rate)
    for known in (None, weights):
        G = matrix_of(fisher_metric(case[1], Curve(*curve), weights=known))
        np.testing.assert_array_equal(G, G.T)
        values = np.linalg.eigvalsh(G)
        assert values[0] >= -1e-13 * values[-1]  # rounding of the eigenvalues
    H = hessian(weights, case[1], Curve(*curve))
    np.testing.assert_array_equal(matrix_of(H), matrix_of(H).T)
    assert H.adjoint() is H


@given(case=cases, curve=curves(), rate=rates)
def test_rigid_motions__are_felt_by_no_metric(case, curve, rate):
    Y = case[1]
    motions, weights = rigid_motions(Y), weights_of("effective", graph_from_csr(case[0]), rate)
    np.testing.assert_allclose(motions.T @ motions, np.eye(motions.shape[1]), atol=1e-12)
    for known in (None, weights):
        G = fisher_metric(Y, Curve(*curve), weights=known)
        # Where close points lie far from the centre, their difference is what cancels: lengths of up to 1e5 of it.
        assert abs(G @ motions).max() <= 1e-12 * max(G.own.trace.max(), 1e-300)


@pytest.mark.parametrize(("dim", "n_motions"), [(1, 1), (2, 3), (3, 6), (4, 10)])
@given(n=st.integers(5, 12), curve=curves(), seed=st.integers(0, 99), weighted=st.booleans())
def test_null_space__is_translations_and_rotations_alone(dim, n_motions, n, curve, seed, weighted):
    Y, weights = scattered(n, dim, seed), None
    if weighted:  # each pair by the product of two positive numbers
        s, none = np.random.default_rng(seed).uniform(0.5, 2, (n, 1)), np.zeros(0, np.int32)
        weights = LossWeights(none, none, none.astype(float), none.astype(float), s, s)
    values = np.linalg.eigvalsh(matrix_of(fisher_metric(Y, Curve(*curve), weights=weights)))
    # Rounding is some 1e-15 of the largest; the framework's softest mode is far from it.
    assert (values < 1e-13 * values[-1]).sum() == n_motions == rigid_motions(Y).shape[1]


@given(n=st.integers(2, 12), curve=curves(), seed=st.integers(0, 99), slope=st.integers(-3, 3))
def test_null_space__of_points_on_a_line_of_the_plane_has_n_plus_one_dimensions(n, curve, seed, slope):
    t = scattered(n, 1, seed)
    values = np.linalg.eigvalsh(matrix_of(fisher_metric(np.hstack([t, slope * t]), Curve(*curve))))
    assert (values < 1e-13 * values[-1]).sum() == n + 1


@given(case=cases, curve=umaps, rate=rates)
def test_dilation__costs_what_the_variances_of_the_edges_add_up_to(case, curve, rate):
    """Y^T G Y = 4 b^2 sum (A + B) q (1 - q), for c = 0."""
    p, Y = case[0], case[1].astype(np.float64)
    A, B = dense_weights("effective", p, rate)
    weights = weights_of("effective", graph_from_csr(p), rate)
    upper = np.triu_indices(len(Y), 1)
    q = ref.similarity(Y, tuple(curve))
    u = curve.a * ref.squared_distances(Y) ** curve.b
    for known, counted in ((None, np.ones_like(A)), (weights, A + B)):
        found = Y.ravel() @ (fisher_metric(Y, curve, weights=known) @ Y.ravel())
        expected = 4 * curve.b**2 * (counted * q * u * q)[upper].sum()
        # The products of coordinates that cancel in differences.
        G = fisher_metric(Y, curve, weights=known).own
        assert abs(found - expected) <= 1e-13 * (expected + (G.trace * (Y**2).sum(axis=1)).sum() * len(Y))


@given(Y=layouts(), curve=curves(), seed=st.integers(0, 99))
def test_blocks__turn_with_the_layout_and_go_with_the_vertices(Y, curve, seed):
    order, quarter = np.random.default_rng(seed).permutation(len(Y)), np.array([[0.0, 1.0], [-1.0, 0.0]])
    found = fisher_blocks(Y, Curve(*curve))
    turned = fisher_blocks(Y.astype(np.float64) @ quarter, Curve(*curve))
    moved = fisher_blocks(Y[order], Curve(*curve))
    # Sums in another order.
    allowed = 1e-13 * found.trace[:, None, None]
    assert (abs(turned.blocks - quarter.T @ found.blocks @ quarter) <= allowed).all()
    assert (abs(moved.blocks - found.blocks[order]) <= allowed[order]).all()
    assert found.n_coincident == turned.n_coincident == moved.n_coincident


# ---- information of a vertex ---------------------------------------------------------------------


def test_information__of_a_vertex_is_the_density_of_the_layout_around_it():
    """tr G_ii = 4 pi b rho and det^(1/2) = 2 pi b rho in the mean over vertices, on a disc away from its edge.

    Of points that are placed at random, sums over them scatter with the variance rho int g^2 2 pi d dd.
    """
    n, density, random = 20_000, 10.0, np.random.default_rng(0)
    radius = np.sqrt(n / (np.pi * density))
    angle, length = random.uniform(0, 2 * np.pi, n), radius * np.sqrt(random.random(n))
    Y = np.column_stack([length * np.cos(angle), length * np.sin(angle)])
    found = fisher_blocks(Y, UMAP)
    inner = length < radius - 5
    expected = 4 * np.pi * UMAP.b * density
    assert abs(found.trace[inner].mean() / expected - 1) < 0.03

    def weight(d):  # g
        q = 1 / (1 + UMAP.a * d ** (2 * UMAP.b))
        return 4 * UMAP.b**2 * q * (1 - q) / d**2

    square = quad(lambda d: weight(d) ** 2 * 2 * np.pi * d, 0, 30, limit=200)[0]
    scatter = np.sqrt(density * square) / expected
    assert scatter * np.sqrt(density) == pytest.approx(0.44, abs=0.01)
    # 13,000 vertices, of which a hundred share their neighbours: the scatter is known to some 5 %.
    assert found.trace[inner].std() / expected == pytest.approx(scatter, rel=0.15)
    volume = np.exp(-found.log_det_inverse[inner] / 2)
    # E det = (E tr^2 - E |...|^2)/4 is below (E tr / 2)^2 by the scatter of the block's anisotropy: half of scatter^2.
    assert volume.mean() / (expected / 2) == pytest.approx(1, abs=0.03)


def test_blocks__without_information_are_singular_and_counted():
    alone = fisher_blocks([[1.0, 2.0]], UMAP)
    assert alone.trace.tolist() == [0.0]
    assert alone.log_det_inverse.tolist() == [np.inf]
    line = fisher_blocks([[0.0, 0.0], [1.0, 1.0], [3.0, 3.0], [3.0, 3.0]], UMAP)
    assert line.singular.all()
    assert np.isposinf(line.log_det_inverse).all()
    assert line.n_coincident == 1
    corner = fisher_blocks([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], UMAP)
    assert not corner.singular.any()
    np.testing.assert_allclose(corner.log_det_inverse, -np.log(np.linalg.det(corner.blocks)), rtol=1e-13)


# ---- many vertices, errors -----------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_hessian__of_many_vertices_is_the_derivative_of_the_gradient_within_rtol(loss):
    n, random = 5000, np.random.default_rng(0)
    p = triu(random_array((n, n), density=5e-4, rng=random, dtype=np.float32), 1)
    graph, Y = graph_from_csr(csr_matrix(p + p.T)), scattered(n, 2, 0, 0.4)
    operator = hessian(weights_of(loss, graph, (5.0, 1.0)), Y, UMAP)
    assert operator.method == "fourier"
    assert operator.error <= 1e-6
    v = random.normal(size=Y.shape)
    found = (operator @ v.ravel()).reshape(Y.shape)
    plan = pair_sums(Y, "repulsion_slope", np.ones(n), UMAP, moment=1, rtol=1e-9).plan
    step = 1e-5
    ahead, behind = (
        purported_gradient(graph, Y + sign * step * v, UMAP, plan=plan, rtol=1e-9)
        if loss == "purported"
        else effective_gradient(graph, Descent(), Y + sign * step * v, UMAP, plan=plan, rtol=1e-9)
        for sign in (1, -1)
    )
    expected = (ahead - behind) / (2 * step)
    sizes = abs(operator.own.blocks).sum(axis=(1, 2))[:, None]
    # Of one plan differences are smooth; the smooth part's own derivative is right to some 1e-6 of the terms.
    assert abs(found - expected).max() <= 1e-5 * sizes.max()
    assert (abs(found - expected) <= 1e-4 * sizes).mean() > 0.99


def test_metric__of_many_vertices_feels_no_rigid_motion_within_rtol():
    Y = np.random.default_rng(0).normal(size=(6000, 2)) * 4
    operator = fisher_metric(Y, UMAP)
    assert operator.method == "fourier"
    motions = rigid_motions(Y)
    assert (np.linalg.norm(operator @ motions, axis=0) <= 2e-6 * operator.own.trace.max()).all()
    v, w = np.random.default_rng(1).normal(size=(2, Y.size))
    assert abs(v @ (operator @ w) - w @ (operator @ v)) <= 1e-6 * operator.own.trace.sum()
    kept = fisher_metric(Y * 0.99, UMAP, plan=operator.own.plan)
    assert kept.own.plan is operator.own.plan


def test_metric_and_hessian__refuse_what_the_losses_refuse():
    graph = graph_from_csr(csr_matrix(np.array([[0, 1], [1, 0]], dtype=np.float32)))
    weights, Y = purported_weights(graph), np.array([[0.0, 0.0], [1.0, 2.0]])
    for measure in (
        lambda Y, curve=UMAP, **more: fisher_blocks(Y, curve, weights=weights, **more),
        lambda Y, curve=UMAP, **more: fisher_metric(Y, curve, weights=weights, **more),
        lambda Y, curve=UMAP, **more: hessian(weights, Y, curve, **more),
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
        with pytest.raises(TypeError, match="plan"):
            measure(Y, plan=object())


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_metric__takes_any_real_numbers_and_leaves_them_as_they_were(dtype):
    Y = np.array([[0, 0], [1, 2], [-3, 1]], dtype=dtype)
    before = Y.tobytes()
    np.testing.assert_array_equal(
        matrix_of(fisher_metric(Y, UMAP)), matrix_of(fisher_metric(Y.astype(np.float64), UMAP))
    )
    assert Y.tobytes() == before
