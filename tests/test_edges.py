"""Costs of listed pairs and their slopes in one go, and the Laplacian of weighted edges."""

import numba
import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from strategies import curves

from umapinfo import Curve
from umapinfo.pairs import edge_costs, edge_d2, edge_potentials, laplacian_product
from umapinfo.pairs.edges import ROWS
from umapinfo.threads import PART

scales = st.integers(-140, 140).map(lambda k: 10.0**k)


def pairs_of(seed, dim, scale, n_pairs=40):
    """Points of which some coincide, pairs of them, and weights A and B of both signs, and 0."""
    random = np.random.default_rng(seed)
    Y = random.normal(size=(12, dim)) * scale
    Y[:3] = Y[3]
    ends = random.integers(12, size=(2, n_pairs)).astype(np.int32)
    A, B = random.uniform(-1, 1, (2, n_pairs)) * random.choice([0.0, 1.0, 1e6], (2, n_pairs))
    return Y, *ends, A, B


@given(seed=st.integers(0, 99), dim=st.integers(1, 3), scale=scales, curve=curves())
def test_costs_of_pairs__are_what_their_potentials_add_up_to_and_nothing_where_they_are_infinite(
    seed, dim, scale, curve
):
    Y, heads, tails, A, B = pairs_of(seed, dim, scale)
    with np.errstate(over="ignore"):
        cost, slope = edge_costs(Y, heads, tails, Curve(*curve), A, B)
    d2 = edge_d2(Y, heads, tails)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        sizes = np.abs(np.log(d2)), np.abs(np.log(curve[0] * d2 ** curve[1]))
        each = {
            name: np.array([ref.pair_potential(name, x, curve) for x in d2])
            for name in ("attraction", "repulsion", "attraction_slope", "repulsion_slope")
        }
    for values in each.values():
        values[~np.isfinite(values)] = 0.0
    # An exponential of x has |x| ulp of its own for one of x: |theta| < 300 in each term, |b - 1| |ln s| in a slope.
    # 1e-290: nothing for a term that underflows.
    ulp = 2.0**-52
    for found, f, g, allowed in (
        (cost, "attraction", "repulsion", 1e3 * ulp),
        (slope, "attraction_slope", "repulsion_slope", 1e3 * (1 + abs(curve[1] - 1)) * ulp),
    ):
        terms = A * each[f], B * each[g]
        # Next to the ends of float64 one side may be infinite or 0 where the other is not yet.
        inner = (d2 == 0) | (np.maximum(*sizes) < 300)  # of which the reference multiplies two
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            gap = np.abs(found - terms[0] - terms[1])
        assert (gap <= allowed * (np.abs(terms[0]) + np.abs(terms[1])) + 1e-290)[inner].all()
        assert np.isfinite(found).all()


def test_costs_of_pairs__are_those_of_the_potentials_that_sums_over_all_pairs_take():
    Y, heads, tails, A, B = pairs_of(0, 2, 1.0)
    curve = Curve(1.577, 0.895)
    pull, push, pull_slope, push_slope = edge_potentials(
        Y, heads, tails, curve, ("attraction", "repulsion", "attraction_slope", "repulsion_slope")
    )
    cost, slope = edge_costs(Y, heads, tails, curve, A, B)
    # Ulp of either term: the same formulas, but for the power.
    assert (np.abs(cost - A * pull - B * push) <= 1e-14 * (np.abs(A) * pull + np.abs(B) * push)).all()
    sizes = np.abs(A * pull_slope) + np.abs(B * push_slope)
    assert (np.abs(slope - A * pull_slope - B * push_slope) <= 1e-14 * sizes).all()


@given(n=st.integers(1, 30), dim=st.integers(1, 4), seed=st.integers(0, 99), away=st.sampled_from([0.0, 1e9]))
def test_laplacian_of_edges__multiplies_differences_and_so_nothing_where_all_is_alike(n, dim, seed, away):
    random = np.random.default_rng(seed)
    w = np.triu(random.random((n, n)) * (random.random((n, n)) < 0.4), 1)
    w += w.T
    x = random.normal(size=(n, dim))
    found = laplacian_product(csr_array(w), x + away)
    exact = ((x + away)[:, np.newaxis] - (x + away)) * w[:, :, np.newaxis]
    # An ulp of each term of a sum of n: of differences, which are exact to an ulp wherever the points are.
    assert (np.abs(found - exact.sum(axis=1)) <= n * 2.0**-52 * np.abs(exact).sum(axis=1)).all()
    np.testing.assert_array_equal(laplacian_product(csr_array(w), np.full((n, dim), away)), 0.0)


def test_laplacian_of_edges__takes_a_row_for_each_vertex():
    with pytest.raises(ValueError, match=r"expected 3 rows.* got 4"):
        laplacian_product(csr_array(np.ones((3, 3))), np.zeros((4, 2)))


def test_bits__do_not_depend_on_the_number_of_threads():
    Y, heads, tails, A, B = pairs_of(1, 2, 1.0, 2 * PART + 7)
    n = 2 * ROWS + 7
    random = np.random.default_rng(0)
    ends = random.integers(n, size=(2, 5 * n))
    w, x = csr_array((random.random(5 * n), tuple(ends)), shape=(n, n)), random.normal(size=(n, 2))
    found, most = [], numba.get_num_threads()
    try:
        for n_threads in sorted({1, most}):
            numba.set_num_threads(n_threads)
            values = *edge_costs(Y, heads, tails, Curve(1.577, 0.895), A, B), laplacian_product(w, x)
            found.append(b"".join(value.tobytes() for value in values))
    finally:
        numba.set_num_threads(most)
    assert len(set(found)) == 1
    # All places were written, the last ones too: another way to the same sums, within ulp of their terms.
    by_scipy = w.sum(axis=1)[:, np.newaxis] * x - w @ x
    np.testing.assert_allclose(values[2], by_scipy, rtol=0, atol=1e-12)
    apart = edge_costs(Y, heads[-9:], tails[-9:], Curve(1.577, 0.895), A[-9:], B[-9:])
    np.testing.assert_array_equal([values[0][-9:], values[1][-9:]], apart)
