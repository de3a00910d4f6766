"""The signed Laplacian: against a dense twin, the loss in one more dimension, its kernel, its negative directions."""

import numpy as np
import pytest
import reference as ref
from hypothesis import event, given
from hypothesis import strategies as st
from refusals import PAIR, check_refusals
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from strategies import curves, embedded_graphs

from umapinfo.core.curve import Curve, fit_curve
from umapinfo.core.graph import graph_from_csr
from umapinfo.core.settings import Descent
from umapinfo.measures import inertia
from umapinfo.measures.gradient import effective_gradient, purported_gradient
from umapinfo.measures.inertia import negative_directions
from umapinfo.measures.laplacian import effective_laplacian, purported_laplacian
from umapinfo.measures.loss import effective_loss, purported_loss

UMAP = fit_curve()
LOSSES = ("purported", "effective")
cases = st.integers(1, 3).flatmap(lambda dim: embedded_graphs(dim=dim, min_edges=0))
rates = st.sampled_from([(5.0, 1.0), (2.0, 0.3), (0.0, 1.0)])  # m_neg, gamma


def measures_of(loss, graph, rate, curve):
    """Laplacian, gradient and value of a loss, as functions of the layout."""
    if loss == "purported":
        return (lambda Y, f=f: f(graph, Y, curve) for f in (purported_laplacian, purported_gradient, purported_loss))
    settings = Descent(negative_sample_rate=rate[0], repulsion_strength=rate[1])
    return (
        lambda Y, f=f: f(graph, settings, Y, curve) for f in (effective_laplacian, effective_gradient, effective_loss)
    )


def twin(loss, p, rate, Y, curve):
    """The weights w_ij and what is summed for them, dense; 0 at distance 0."""
    a, b, c = curve
    A, B = ref.purported(p) if loss == "purported" else ref.effective(p, *rate)
    d2 = ref.squared_distances(Y)
    apart = d2 > 0
    d2 = np.where(apart, d2, 1.0)
    u = a * d2**b
    q, factor = 1 / (1 + c + u), np.where(apart, 2 * b * u / (c + u) / d2, 0.0)
    return factor * (A * (1 - q) - B * q), factor * (A * (1 - q) + (B + np.where(p > 0, B.max(), 0)) * q)


@pytest.mark.parametrize("loss", LOSSES)
@given(case=cases, curve=curves(), rate=rates, seed=st.integers(0, 99))
def test_laplacian__is_the_dense_twin_for_any_graph_layout_and_curve(loss, case, curve, rate, seed):
    p, Y, random = case[0].toarray().astype(np.float64), case[1], np.random.default_rng(seed)
    laplacian, _, _ = measures_of(loss, graph_from_csr(case[0]), rate, Curve(*curve))
    found, (w, size) = laplacian(Y), twin(loss, p, rate, Y, curve)
    expected, total = np.diag(w.sum(axis=1)) - w, size + np.diag(size.sum(axis=1))
    # Powers and exponentials to some ulp, |theta| < 100; what is taken off the edges again counts.
    assert (abs(found.dense() - expected) <= 1e-13 * total).all()
    assert (abs(found.pressure - w.sum(axis=1)) <= 1e-13 * size.sum(axis=1)).all()
    assert (abs(found.size - abs(w).sum(axis=1)) <= 1e-13 * size.sum(axis=1)).all()
    Z = random.normal(size=(len(Y), 3)) + 10
    assert (abs(found @ Z - expected @ Z) <= 1e-13 * total @ (abs(Z) + 10)).all()
    np.testing.assert_array_equal(found @ Z[:, 0], (found @ Z[:, :1])[:, 0])
    np.testing.assert_array_equal(found.T @ Z, found @ Z)
    some = random.permutation(len(Y))[:2]
    np.testing.assert_array_equal(found.dense(some), found.dense()[np.ix_(some, some)])
    assert found.n_coincident == (ref.squared_distances(Y)[np.triu_indices(len(Y), 1)] == 0).sum()


@pytest.mark.parametrize("loss", LOSSES)
@given(case=cases, curve=curves(), rate=rates)
def test_laplacian__takes_1_to_0_and_the_coordinates_to_the_gradient(loss, case, curve, rate):
    Y = case[1].astype(np.float64)
    laplacian, gradient, _ = measures_of(loss, graph_from_csr(case[0]), rate, Curve(*curve))
    found, (_, size) = laplacian(Y), twin(loss, case[0].toarray().astype(np.float64), rate, Y, curve)
    np.testing.assert_array_equal(found @ np.full(len(Y), 3.0), 0.0)
    assert (abs(found.dense().sum(axis=1)) <= 1e-13 * size.sum(axis=1)).all()
    reach = abs(Y - Y.mean(axis=0)).max(axis=0)
    assert (abs(found @ Y - gradient(Y)) <= 2e-13 * size.sum(axis=1)[:, None] * (1 + len(Y) * reach)).all()


@pytest.mark.parametrize("loss", LOSSES)
@given(curve=curves(), rate=rates, seed=st.integers(0, 999), dim=st.integers(1, 3))
def test_the_loss__changes_by_half_of_z_l_z_when_points_leave_by_z_into_another_dimension(loss, curve, rate, seed, dim):
    random = np.random.default_rng(seed)
    n = 8
    p = np.triu(random.random((n, n)) * (random.random((n, n)) < 0.5), 1)
    Y = np.stack(np.unravel_index(np.arange(n), (2,) * 3), axis=1) @ random.normal(size=(3, dim)) * 2
    laplacian, _, value = measures_of(loss, graph_from_csr(csr_matrix(p + p.T)), rate, Curve(*curve))
    z = random.normal(size=n)
    d2 = ref.squared_distances(Y)[np.triu_indices(n, 1)]
    # z^2 over d^2 up to 1e-4: the next order is under (2 + 2b)^2 of that; values are known to 1e-12 of their size.
    step = 1e-2 * np.sqrt(d2.min()) / (2 * abs(z).max())
    flat = np.column_stack([Y, np.zeros(n)])
    one, two = (value(flat + k * step * np.append(np.zeros(dim), 1.0) * z[:, None]).bce - value(Y).bce for k in (1, 2))
    curvature = (16 * one - two) / (6 * step**2)  # the fourth order is taken off
    _, size = twin(loss, p + p.T, rate, Y, curve)
    allowed = 1e-7 * (size * (z[:, None] - z) ** 2).sum() + 1e-11 * (1 + abs(value(Y).bce)) / step**2
    assert abs(curvature - z @ (laplacian(Y) @ z)) <= allowed


# ---- directions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@given(case=cases, curve=curves(), rate=rates)
def test_directions__are_the_negative_eigenvalues_of_l_but_for_one_a_dimension(loss, case, curve, rate):
    laplacian, _, _ = measures_of(loss, graph_from_csr(case[0]), rate, Curve(*curve))
    found = laplacian(case[1])
    scale = 1 / np.sqrt(np.where(found.size > 0, found.size, 1))
    values = np.linalg.eigvalsh(found.dense() * scale[:, None] * scale)
    count = negative_directions(found)
    event(f"{count.number}")
    assert count.complete
    certain, possible = (values < -1e-8).sum(), (values < 1e-8).sum()
    assert certain - case[1].shape[1] <= count.number <= possible
    assert -2 - 1e-12 <= count.lowest <= max(values.min(), 0) + 1e-12 or count.lowest >= values.min() - 1e-12


def minimum(graph, dim=2, seed=0):
    """A layout at which the gradient of the purported loss vanishes to rounding."""
    n = graph.n_vertices
    value = lambda y: purported_loss(graph, y.reshape(n, dim), UMAP).bce  # noqa: E731
    slope = lambda y: purported_gradient(graph, y.reshape(n, dim), UMAP).ravel()  # noqa: E731
    start = np.random.default_rng(seed).normal(size=n * dim) * 2
    best = minimize(value, start, jac=slope, method="BFGS", options={"gtol": 1e-9, "maxiter": 5000})
    return best.x.reshape(n, dim)


def cube_graph():
    """Edges of a 3 x 3 x 3 grid: it does not fit into a plane."""
    places = np.stack(np.unravel_index(np.arange(27), (3, 3, 3)), axis=1)
    return graph_from_csr(csr_matrix(0.9 * (ref.squared_distances(places) == 1)))


def test_at_a_minimum__the_kernel_holds_1_and_the_coordinates_and_a_third_dimension_helps_a_cube():
    graph = cube_graph()
    Y = minimum(graph)
    laplacian = purported_laplacian(graph, Y, UMAP)
    gradient = purported_gradient(graph, Y, UMAP)
    np.testing.assert_allclose(laplacian @ Y, gradient, atol=1e-12)
    values, vectors = np.linalg.eigh(laplacian.dense())
    # The layout's coordinates have eigenvalue 0 up to the gradient over their length.
    kernel = abs(values) <= 10 * np.linalg.norm(gradient) / np.linalg.norm(Y - Y.mean(axis=0)) + 1e-12
    assert kernel.sum() == 3
    count = negative_directions(laplacian)
    assert count.number == (values[~kernel] < 0).sum() > 0
    lifted = np.column_stack([Y, 0.05 * vectors[:, 0]])
    assert purported_loss(graph, lifted, UMAP).bce < purported_loss(graph, Y, UMAP).bce
    in_space = minimum(graph, dim=3)
    assert purported_loss(graph, in_space, UMAP).bce < purported_loss(graph, Y, UMAP).bce
    assert negative_directions(purported_laplacian(graph, in_space, UMAP)).number == 0


def test_certain_edges_alone__fall_in_no_direction_and_no_edges_in_all():
    Y = np.random.default_rng(0).normal(size=(12, 2))
    complete, empty = graph_from_csr(csr_matrix(1 - np.eye(12))), graph_from_csr(csr_matrix((12, 12)))
    assert negative_directions(purported_laplacian(complete, Y, UMAP)).number == 0
    count = negative_directions(purported_laplacian(empty, Y, UMAP))
    assert (count.number, count.complete) == (9, True)  # 12 but for 1 and two tilts
    assert -2 <= count.lowest < 0
    assert (purported_laplacian(empty, Y, UMAP).pressure < 0).all()


def test_pressure__is_negative_for_a_point_among_strangers():
    Y = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    p = np.zeros((5, 5))
    p[1:, 1:] = 1 - np.eye(4)
    found = purported_laplacian(graph_from_csr(csr_matrix(p)), Y, UMAP).pressure
    assert found[0] < 0 < found[1:].min()
    q = 1 / (1 + UMAP.a)
    np.testing.assert_allclose(found[0], -4 * 2 * UMAP.b * q, rtol=1e-13)


def test_of_many_vertices__some_give_a_lower_bound(monkeypatch):
    random = np.random.default_rng(0)
    near = np.triu(random.random((200, 200)) < 0.05, 1)
    graph, Y = graph_from_csr(csr_matrix((near + near.T).astype(float))), random.normal(size=(200, 2))
    laplacian = purported_laplacian(graph, Y, UMAP)
    whole = negative_directions(laplacian)
    monkeypatch.setattr(inertia, "DENSE", 120)
    part = negative_directions(laplacian)
    assert (whole.complete, part.complete) == (True, False)
    assert inertia.MOST <= part.number <= whole.number
    assert whole.lowest <= part.lowest + 1e-12


def test_of_many_vertices__few_directions_are_counted_by_lanczos(monkeypatch):
    Y = np.random.default_rng(1).uniform(0, 12, (300, 2))
    p = np.minimum(ref.similarity(Y, UMAP) * 1.3, 1) * (1 - np.eye(300))
    near = np.unravel_index(np.argsort(-np.triu(p, 1), axis=None)[:12], p.shape)
    p[near] = p[near[::-1]] = 0
    laplacian = purported_laplacian(graph_from_csr(csr_matrix(p)), Y, UMAP)
    whole = negative_directions(laplacian)
    assert 8 < whole.number < inertia.MOST  # so that eight are not enough
    monkeypatch.setattr(inertia, "DENSE", 20)
    reports = []
    found = negative_directions(laplacian, report=lambda *given: reports.append(given))
    assert (found.number, found.complete) == (whole.number, True)
    # Residuals of 1e-6.
    assert abs(found.lowest - whole.lowest) <= 1e-6
    assert reports[0] == ("eigenvalues", 1, inertia.PRODUCTS)
    monkeypatch.setattr(inertia, "PRODUCTS", 1)
    stopped = negative_directions(laplacian)
    assert not stopped.complete
    assert stopped.number <= whole.number


def test_laplacian_of_many_points__is_within_rtol_of_the_absolute_weights():
    n, random = 5000, np.random.default_rng(0)
    Y = random.integers(0, 12, (n, 2)) + 0.05 * random.normal(size=(n, 2))
    p = csr_matrix((np.full(n - 1, 0.5), (np.arange(n - 1), np.arange(1, n))), shape=(n, n))
    graph, z = graph_from_csr(p + p.T), random.normal(size=(n, 2))
    found, exact = (purported_laplacian(graph, Y, UMAP, rtol=rtol) for rtol in (1e-6, None))
    assert 0 < found.pair_sum_error <= 1e-6
    assert (abs(found.pressure - exact.pressure) <= 1e-6 * exact.size).all()
    assert (abs(found @ z - exact @ z) <= 1e-6 * exact.size[:, None] * 2 * abs(z).max()).all()
    assert (found @ z != exact @ z).any()


def test_laplacians__refuse_what_the_losses_refuse():
    check_refusals(lambda Y, curve=UMAP, **more: purported_laplacian(PAIR, Y, curve, **more))
    check_refusals(lambda Y, curve=UMAP, **more: effective_laplacian(PAIR, Descent(), Y, curve, **more))
