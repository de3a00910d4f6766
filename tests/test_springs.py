"""Springs along the edges, by which a minimiser divides forces, and conjugate gradients, which solve for them."""

import numpy as np
import pytest
import reference as ref
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from strategies import curves, embedded_graphs

from umapinfo import Curve, Descent
from umapinfo.core.graph import graph_from_csr
from umapinfo.measures.objective import effective, purported
from umapinfo.minimise.conjugate_gradients import conjugate_gradients
from umapinfo.minimise.springs import LEAST, SOFT, SOLVED, STIFFEST, springs_of

cases = st.integers(1, 3).flatmap(lambda dim: embedded_graphs(dim=dim))


def made(case, curve, name):
    """The springs of a case, and what they are made of."""
    graph, Y = graph_from_csr(case[0]), case[1].astype(np.float64)
    loss = purported(graph) if name == "purported" else effective(graph, Descent())
    everywhere = loss.curvature_everywhere(Y, Curve(*curve))
    return springs_of(loss, Y, Curve(*curve), everywhere), case[0].toarray().astype(np.float64), Y, everywhere


def dense(mu, Y, curve, everywhere):
    """M, entry by entry."""
    with np.errstate(divide="ignore", invalid="ignore"):
        w = mu * [[ref.pair_potential("attraction_slope", x, curve) for x in row] for row in ref.squared_distances(Y)]
    w[~np.isfinite(w)] = 0
    np.fill_diagonal(w, 0)
    if (w > 0).any():
        w = np.minimum(w, STIFFEST * np.median(w[w > 0]))
    diagonal = w.sum(axis=1) + SOFT * everywhere[:, 0]
    return np.diag(diagonal + (LEAST * diagonal.max() if diagonal.max() > 0 else 1.0)) - w


@given(case=cases, curve=curves(), name=st.sampled_from(["purported", "effective"]), seed=st.integers(0, 99))
def test_springs__are_the_laplacian_of_parabolas_along_the_edges_and_some_stiffness_of_each_vertex(
    case, curve, name, seed
):
    springs, mu, Y, everywhere = made(case, curve, name)
    M, x = dense(mu, Y, curve, everywhere), np.random.default_rng(seed).normal(size=Y.shape)
    # A few ulp of the terms, of which a vertex has n, for powers of the distance and the sum.
    allowed = 1e-12 * (abs(M) @ abs(x))
    assert (abs(springs.product(x) - M @ x) <= allowed).all()
    assert (springs.diagonal > 0).all()


@given(case=cases, curve=curves(), name=st.sampled_from(["purported", "effective"]), seed=st.integers(0, 99))
def test_dividing_a_force__goes_along_with_it_and_nearly_solves(case, curve, name, seed):
    springs, mu, Y, everywhere = made(case, curve, name)
    force = np.random.default_rng(seed).normal(size=Y.shape)
    found = springs.divide(force)
    assert (found * force).sum() > 0
    np.testing.assert_array_equal(springs.divide(np.zeros_like(force)), 0.0)
    # Fewer unknowns than products: solved to SOLVED in the norm of the diagonal, unless rounding ends it first.
    M = dense(mu, Y, curve, everywhere)
    scaled = M / np.sqrt(np.outer(np.diag(M), np.diag(M)))
    if np.linalg.cond(scaled) < 1e8:  # of what rounding leaves, 1e-16 of that is far below SOLVED
        rest = (force - M @ found) / np.sqrt(springs.diagonal)
        # The residual that is carried along and that of the solution differ by rounding.
        assert np.linalg.norm(rest) <= 1.001 * SOLVED * np.linalg.norm(force / np.sqrt(springs.diagonal))


@given(curve=curves(), d=st.floats(1e-3, 1e3), other=st.floats(1e-3, 1e3), p=st.floats(0.01, 1))
def test_the_parabola_of_a_spring__touches_the_attraction_and_lies_above_it_where_b_is_at_most_1(curve, d, other, p):
    assume(curve[1] <= 1)
    pair = graph_from_csr(csr_matrix(np.array([[0, p], [p, 0]], np.float32)))
    [spring] = purported(pair).stiffness(np.array([[0.0], [d]]), Curve(*curve))
    f, f_other = (float(pair.weight[0]) * ref.pair_potential("attraction", x * x, curve) for x in (d, other))
    # f is concave in d^2 for b <= 1; a few ulp of the three terms.
    allowed = 1e-13 * (abs(f) + spring * (other**2 + d**2))
    assert f_other <= f + spring / 2 * (other**2 - d**2) + allowed


@pytest.mark.parametrize("d", [1, 2, 3])
def test_conjugate_gradients__solve_and_stop_where_they_are_told_to(d):
    random = np.random.default_rng(d)
    root = random.normal(size=(30, 30))
    M, b = root @ root.T + np.eye(30), random.normal(size=(30, d))
    products = []

    def product(x):
        products.append(None)
        return M @ x

    found = conjugate_gradients(product, lambda x: x / np.diag(M)[:, np.newaxis], b, 1e-10, 1000)
    solution = np.linalg.solve(M, b)
    # The residual is 1e-10 of b, and M's condition is some 100.
    np.testing.assert_allclose(found, solution, rtol=0, atol=1e-7 * abs(solution).max())
    errors = []
    for n_products in (1, 7):
        products.clear()
        gap = conjugate_gradients(product, lambda x: x, b, 0.0, n_products) - solution
        assert len(products) == n_products
        errors.append((gap * (M @ gap)).sum())
    # In the norm of M the error falls at every step.
    assert errors[1] < errors[0] < (solution * b).sum()
