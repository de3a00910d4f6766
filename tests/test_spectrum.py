"""Spectra: quadrature rules against all eigenvalues, effective numbers, eigenvalues at the ends."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import ArpackNoConvergence, aslinearoperator

from umapinfo.core.curve import fit_curve
from umapinfo.core.graph import graph_from_csr
from umapinfo.measures import eigenpairs, fisher_metric, hessian, spectrum
from umapinfo.measures.eigenpairs import largest_eigenvalues, rigid_motions, smallest_eigenvalues
from umapinfo.measures.loss_weights import purported_weights
from umapinfo.measures.perplexity import hill_numbers
from umapinfo.measures.spectrum import Spectrum, alignment, dense, lanczos, spectral_density

UMAP = fit_curve()
N = 60  # vertices; 120 coordinates


@pytest.fixture(scope="module")
def metric():
    return fisher_metric(np.random.default_rng(0).normal(size=(N, 2)) * 2, UMAP)


@pytest.fixture(scope="module")
def eigenvalues(metric):
    return np.linalg.eigvalsh(metric @ np.eye(2 * N))


def symmetric(order, seed, low=-1.0):
    """A symmetric matrix of eigenvalues in [low, 1]."""
    random = np.random.default_rng(seed)
    basis = np.linalg.qr(random.normal(size=(order, order)))[0]
    return (basis * random.uniform(low, 1, order)) @ basis.T


# ---- quadrature rules ----------------------------------------------------------------------------


@given(order=st.integers(1, 30), n_steps=st.integers(1, 12), seed=st.integers(0, 99))
def test_a_rule__is_exact_for_polynomials_of_degree_twice_its_nodes_less_one(order, n_steps, seed):
    matrix = symmetric(order, seed)
    rule = spectral_density(matrix, n_steps=n_steps, exact=False, seed=seed)
    z = np.random.default_rng(seed).choice([-1.0, 1.0], order)
    assert rule.weights.sum() == pytest.approx(1, abs=1e-12)
    moved = z
    for degree in range(2 * n_steps):
        # Eigenvalues of at most 1: rounding of as many products.
        assert rule.trace(rule.nodes**degree) == pytest.approx(z @ moved, abs=1e-11 * order)
        moved = matrix @ moved


@given(seed=st.integers(0, 99))
def test_a_rule__of_as_many_steps_as_coordinates_has_the_eigenvalues_as_nodes(metric, eigenvalues, seed):
    rule = spectral_density(metric, n_steps=2 * N, exact=False, seed=seed)
    # Three eigenvalues of 0 are one node, to rounding of the largest; lanczos stops there or goes on with rounding.
    allowed = 1e-10 * eigenvalues[-1]
    assert all(np.abs(rule.nodes - value).min() <= allowed for value in eigenvalues)
    heavy = rule.weights > 1e-12
    assert all(np.abs(eigenvalues - node).min() <= allowed for node in rule.nodes[heavy])


def test_rules__of_many_probes_have_the_moments_of_all_eigenvalues(metric, eigenvalues):
    matrix = metric @ np.eye(2 * N)
    for f, n_probes in ((lambda x: x, 200), (lambda x: x**2, 200), (lambda x: x / (x + 1), 200)):
        rule = spectral_density(metric, n_steps=40, n_probes=n_probes, exact=False)
        values, vectors = np.linalg.eigh(matrix)
        of_matrix = (vectors * f(values)) @ vectors.T
        # Var z^T A z = 2 (|A|^2 - sum A_ii^2) for signs; five standard errors
        spread = np.sqrt(2 * ((of_matrix**2).sum() - (np.diag(of_matrix) ** 2).sum()) / n_probes)
        assert abs(rule.trace(f(rule.nodes)) - f(eigenvalues).sum()) <= 5 * spread


def test_a_spectrum__of_few_coordinates_is_all_eigenvalues(metric, eigenvalues):
    found = spectral_density(metric)
    assert found.exact
    assert found.order == 2 * N
    np.testing.assert_allclose(found.nodes, eigenvalues, atol=1e-12 * eigenvalues[-1])
    assert found.trace(found.nodes) == pytest.approx(metric.own.trace.sum(), rel=1e-12)
    assert found.count_below(1e-9) == pytest.approx(3)


def test_a_rule__depends_on_its_seed_alone(metric):
    one, same, other = (spectral_density(metric, n_steps=20, exact=False, seed=seed) for seed in (3, 3, 4))
    assert one.nodes.tobytes() == same.nodes.tobytes()
    assert one.weights.tobytes() == same.weights.tobytes()
    assert one.nodes.tobytes() != other.nodes.tobytes()


def test_lanczos__keeps_its_vectors_orthogonal_and_stops_where_they_span_all_that_is_reached():
    diagonal, beside = lanczos(np.eye(50), np.ones(50), 10)
    assert (diagonal.tolist(), len(beside)) == ([pytest.approx(1)], 0)
    two = np.diag(np.repeat([1.0, 3.0], 25))
    diagonal, beside = lanczos(two, np.ones(50), 10)
    assert len(diagonal) == 2
    # An eigenvalue far from the others converges first, and would come again and again without orthogonality.
    alone = np.diag(np.append(np.linspace(0, 1, 199), 1e6))
    rule = spectral_density(alone, n_steps=60, exact=False)
    assert (rule.nodes > 2).sum() == 1
    assert rule.weights[-1] == pytest.approx(1 / 200, rel=1e-9)


def test_a_rule__reports_its_products(metric):
    said = []
    spectral_density(metric, n_steps=5, n_probes=2, exact=False, report=lambda *given: said.append(given))
    assert said == [("spectrum", done, 10) for done in range(1, 11)]


# ---- effective numbers ---------------------------------------------------------------------------


@given(seed=st.integers(0, 99), ridge=st.floats(1e-3, 1e3))
def test_effective_numbers__are_those_of_the_eigenvalues(seed, ridge):
    matrix = symmetric(20, seed, low=0.0)
    found, values = spectral_density(matrix), np.linalg.eigvalsh(matrix)
    inverse = np.linalg.inv(matrix + ridge * np.eye(20))
    assert found.effective_dof(ridge) == pytest.approx(np.trace(matrix @ inverse), rel=1e-9)
    rank, ratio = hill_numbers(values, (1, 2))[0]
    assert found.effective_rank == pytest.approx(rank, rel=1e-9)
    assert found.participation_ratio == pytest.approx(ratio, rel=1e-9)


def test_effective_numbers__of_a_rule_are_near_those_of_all_eigenvalues(metric, eigenvalues):
    rule, all_of_them = (spectral_density(metric, n_probes=50, exact=exact) for exact in (False, True))
    # 50 probes of 120 coordinates: sqrt(2 / 6000) is 2 %, and less where diagonals dominate.
    for ridge in (0.1, 1.0, 10.0):
        assert rule.effective_dof(ridge) == pytest.approx(all_of_them.effective_dof(ridge), rel=0.05)
    assert rule.effective_rank == pytest.approx(all_of_them.effective_rank, rel=0.05)
    assert rule.participation_ratio == pytest.approx(all_of_them.participation_ratio, rel=0.05)


def test_effective_numbers__of_nothing_are_zero_and_of_an_indefinite_matrix_refused():
    nothing = spectral_density(np.zeros((3, 3)))
    assert (nothing.effective_rank, nothing.participation_ratio, nothing.effective_dof(1.0)) == (0.0, 0.0, 0.0)
    indefinite = spectral_density(np.diag([-1.0, 2.0]))
    for measure in (lambda: indefinite.effective_rank, lambda: indefinite.effective_dof(1.0)):
        with pytest.raises(ValueError, match="positive semi-definite"):
            measure()
    with pytest.raises(ValueError, match="ridge"):
        nothing.effective_dof(0.0)
    rounded = Spectrum(np.array([-1e-9, 1.0]), np.array([0.5, 0.5]), 2, True)
    assert rounded.effective_rank == pytest.approx(1)


def test_spectral_density__refuses_no_steps_and_no_probes(metric):
    for settings in ({"n_steps": 0}, {"n_probes": 0}):
        with pytest.raises(ValueError, match="n_steps and n_probes >= 1"):
            spectral_density(metric, **settings)


# ---- ends of the spectrum ------------------------------------------------------------------------


@pytest.fixture
def iterated(monkeypatch):
    """The iterations, also of small matrices."""
    monkeypatch.setattr(eigenpairs, "EXACT_UP_TO", 0)


def test_eigenvalues__of_small_matrices_are_exact(metric, eigenvalues):
    top, bottom = largest_eigenvalues(metric, 5), smallest_eigenvalues(metric, 5)
    np.testing.assert_allclose(top.values, eigenvalues[-5:], rtol=1e-12)
    np.testing.assert_allclose(bottom.values, eigenvalues[:5], atol=1e-12 * eigenvalues[-1])
    for found in (top, bottom):
        assert (found.residuals <= 1e-12 * eigenvalues[-1]).all()


@pytest.mark.usefixtures("iterated")
def test_eigenvalues__by_iteration_are_those_of_the_matrix(metric, eigenvalues):
    top = largest_eigenvalues(metric, 4)
    np.testing.assert_allclose(top.values, eigenvalues[-4:], rtol=1e-6)
    bottom = smallest_eigenvalues(metric, 4, blocks=metric.own.blocks, max_steps=200, tolerance=1e-8)
    # Each within its residual of an eigenvalue.
    gaps = np.abs(bottom.values[:, None] - eigenvalues).min(axis=1)
    assert (gaps <= bottom.residuals + 1e-12 * eigenvalues[-1]).all()
    assert (bottom.residuals <= 1e-5 * eigenvalues[-1]).all()


@pytest.mark.usefixtures("iterated")
@pytest.mark.parametrize("exact", [True, False])
def test_soft_modes__begin_after_the_rigid_motions(metric, eigenvalues, exact, monkeypatch):
    if exact:
        monkeypatch.setattr(eigenpairs, "EXACT_UP_TO", 1000)
    Y = np.random.default_rng(0).normal(size=(N, 2)) * 2
    motions = rigid_motions(Y)
    found = smallest_eigenvalues(metric, 3, apart_from=motions, blocks=metric.own.blocks, max_steps=200, tolerance=1e-8)
    np.testing.assert_allclose(found.values, eigenvalues[3:6], rtol=1e-4)
    np.testing.assert_allclose(motions.T @ found.vectors, 0, atol=1e-8)
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(3), atol=1e-8)


@pytest.mark.usefixtures("iterated")
def test_eigenvalues__report_their_products_and_the_end(metric):
    for measure in (largest_eigenvalues, smallest_eigenvalues):
        said = []
        measure(metric, 2, report=lambda *given, said=said: said.append(given))
        assert all(stage == "eigenvalues" and done <= total for stage, done, total in said)
        assert said[-1][1] == said[-1][2]


@pytest.mark.usefixtures("iterated")
@pytest.mark.parametrize("k", [1, 6, 15])
def test_the_largest_eigenvalues__take_no_more_products_than_allowed(metric, k):
    least, said = 2 * max(2 * k + 1, 20), []
    with pytest.raises(ValueError, match=f"expected at least {least} for {k} eigenvalues, got {least - 1}"):
        largest_eigenvalues(metric, k, max_products=least - 1)
    with pytest.raises(ArpackNoConvergence):
        largest_eigenvalues(metric, k, tolerance=1e-15, max_products=least, report=lambda *given: said.append(given))
    assert max(done for _, done, _ in said) <= least


def test_eigenvalues__refuse_more_than_there_are(metric):
    for k in (0, 2 * N + 1):
        for measure in (largest_eigenvalues, smallest_eigenvalues):
            with pytest.raises(ValueError, match="k: expected 1 to 120"):
                measure(metric, k)
    with pytest.raises(ValueError, match="k: expected 1 to 117"):
        smallest_eigenvalues(metric, 118, apart_from=np.eye(2 * N)[:, :3])


@given(n=st.integers(1, 6), dim=st.integers(1, 4), place=st.floats(-1e3, 1e3))
def test_rigid_motions__of_coincident_points_are_translations_alone(n, dim, place):
    assert rigid_motions(np.full((n, dim), place)).shape == (n * dim, dim)


# ---- alignment -----------------------------------------------------------------------------------


def test_alignment__is_that_of_the_matrices(metric):
    random = np.random.default_rng(0)
    p = np.triu(random.random((N, N)) < 0.2, 1).astype(np.float32)
    operator = hessian(purported_weights(graph_from_csr(p + p.T)), random.normal(size=(N, 2)) * 2, UMAP)
    H, G = dense(operator), dense(metric)
    found = alignment(operator, metric)
    assert found.residual == pytest.approx(np.linalg.norm(H - G) / np.linalg.norm(G), rel=1e-12)
    assert found.cosine == pytest.approx((H * G).sum() / np.linalg.norm(H) / np.linalg.norm(G), rel=1e-12)
    assert alignment(metric, metric) == pytest.approx((0, 1))
    assert alignment(np.eye(3), np.zeros((3, 3))) == (np.inf, 0.0)
    assert alignment(np.zeros((3, 3)), np.zeros((3, 3))) == (0.0, 0.0)
    with pytest.raises(ValueError, match="one order"):
        alignment(np.eye(3), metric)


def test_alignment__by_random_vectors_is_near_the_exact_one(metric, monkeypatch):
    exact = alignment(metric + 0.3 * symmetric_operator(), metric)
    monkeypatch.setattr(spectrum, "EXACT_UP_TO", 0)
    found = alignment(metric + 0.3 * symmetric_operator(), metric, n_probes=400)
    # Of 400 vectors with 120 coordinates: squares to sqrt(2 / 48,000 shares), a few per cent of few large ones.
    assert found.residual == pytest.approx(exact.residual, rel=0.1)
    assert found.cosine == pytest.approx(exact.cosine, abs=0.05)


def symmetric_operator():
    return aslinearoperator(symmetric(2 * N, 1))
