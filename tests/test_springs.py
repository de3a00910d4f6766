"""Springs along the edges, by which a minimiser divides forces, and conjugate gradients, which solve for them."""

import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st
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
    if np.linalg.cond(scaled) < 1e8:
        rest = (force - M @ found) / np.sqrt(springs.diagonal)
        assert np.linalg.norm(rest) <= 1.001 * SOLVED * np.linalg.norm(force / np.sqrt(springs.diagonal))


@given(curve=curves(), d=st.floats(1e-3, 1e3), other=st.floats(1e-3, 1e3))
def test_the_parabola_of_a_spring__touches_the_attraction_and_lies_above_it_where_b_is_at_most_1(curve, d, other):
    if curve[1] > 1:
        return
    f, f_other, slope = (
        ref.pair_potential(name, x * x, curve)
        for name, x in (("attraction", d), ("attraction", other), ("attraction_slope", d))
    )
    above = f + slope / 2 * (other**2 - d**2)
    # f is concave in d^2 for b <= 1; a few ulp of the three terms.
    assert f_other <= above + 1e-13 * (abs(f) + slope * (other**2 + d**2))


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
    np.testing.assert_allclose(found, np.linalg.solve(M, b), rtol=1e-6, atol=1e-8)
    products.clear()
    roughly = conjugate_gradients(product, lambda x: x, b, 0.0, 7)
    assert len(products) == 7
    assert np.linalg.norm(b - M @ roughly) < np.linalg.norm(b)
