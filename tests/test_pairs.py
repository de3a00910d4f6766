"""Sums over all pairs: against plain loops, their bits, their limits at distance 0 and what they refuse."""

import math

import numba
import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st
from strategies import curves, layouts

from umapinfo.core.curve import Curve, fit_curve
from umapinfo.pairs import POTENTIALS, edge_d2, edge_theta, pair_sums
from umapinfo.pairs.direct import BLOCK
from umapinfo.pairs.potentials import CLIP

UMAP = fit_curve()
WITH_ORDER = tuple(f"{name}({order})" for name in ("alpha", "alpha_slope") for order in (0.1, 0.5, 2.0, 2.5))
ALL = (*POTENTIALS, *WITH_ORDER)


def points(n, dim=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim)) * 3


def dense_terms(Y, name, curve, moment):
    """f(d_ij) Delta_ij^(moment) as an array [n, n, ...], 0 for i = j and where f is infinite."""
    Y = np.asarray(Y, dtype=np.float64)
    delta = Y[:, None] - Y[None, :]
    d2 = (delta**2).sum(axis=2)
    f = np.array([[ref.pair_potential(name, x, curve) for x in row] for row in d2])
    f[np.isinf(f)] = 0
    np.fill_diagonal(f, 0)
    factor = [np.ones(d2.shape), delta, delta[..., :, None] * delta[..., None, :]][moment]
    return f.reshape(f.shape + (1,) * (factor.ndim - 2)) * factor, factor


@given(
    Y=st.integers(1, 5).flatmap(lambda dim: layouts(dim=dim)),
    curve=curves(),
    moment=st.integers(0, 2),
    seed=st.integers(0, 99),
)
def test_pair_sums__equal_dense_sums_for_any_layout_curve_and_moment(Y, curve, moment, seed):
    weights = np.random.default_rng(seed).normal(size=(len(Y), 2))
    sums = pair_sums(Y, ALL, weights, Curve(*curve), moment=moment)
    assert sums.values.shape == (len(Y), len(ALL), 2) + (Y.shape[1],) * moment
    for a, name in enumerate(ALL):
        terms, factor = dense_terms(Y, name, curve, moment)
        expected = np.einsum("ij...,jr->ir...", terms, weights)
        # Rounding of the terms (a logarithm, an exponential: some ulp each, |theta| < 100) and of their sum;
        # the clipped potential is known to one ulp of 1 - q only.
        size = 1e-13 * abs(terms) + 1e-15 * abs(factor)
        if name in ("attraction_tensor", "repulsion_tensor"):  # two terms, of either sign for b > 1
            slopes, s = abs(dense_terms(Y, name.replace("tensor", "slope"), curve, 0)[0]), ref.squared_distances(Y)
            both = np.divide(2 * slopes * (3 * curve[1] + 1), s, out=np.zeros_like(s), where=s > 0)
            size += 1e-13 * both.reshape(both.shape + (1,) * moment) * abs(factor)
        allowed = np.einsum("ij...,jr->ir...", size, abs(weights))
        assert np.all(abs(sums.values[:, a] - expected) <= allowed)


@given(Y=layouts(), curve=curves(), moment=st.integers(0, 2))
def test_pair_sums__equal_the_loops_of_the_twin(Y, curve, moment):
    weights = 1.0 + np.arange(len(Y))
    sums = pair_sums(Y, ("attraction", "repulsion", "similarity"), weights, Curve(*curve), moment=moment)
    values, n_coincident = ref.pair_sums(Y, ("attraction", "repulsion", "similarity"), weights, curve, moment)
    # First moments cancel; their largest partial sum is below 16 points * 100 nats * 16 * 2^16 units.
    np.testing.assert_allclose(sums.values, values, rtol=1e-10, atol=1e-12 * max(1.0, abs(values).max()))
    np.testing.assert_array_equal(sums.n_coincident, n_coincident)


def test_pair_sums__agree_with_a_dense_sum_over_several_blocks():
    Y, weights = points(2 * BLOCK + 3), np.random.default_rng(1).random((2 * BLOCK + 3, 2))
    sums = pair_sums(Y, ("repulsion", "similarity"), weights, UMAP)
    d2 = ref.squared_distances(Y)
    with np.errstate(divide="ignore"):
        repulsion = np.log1p(1 / (UMAP.a * d2**UMAP.b))
    similarity = 1 / (1 + UMAP.a * d2**UMAP.b)
    np.fill_diagonal(repulsion, 0)
    np.fill_diagonal(similarity, 0)
    # 515 positive terms, each to some ulp.
    np.testing.assert_allclose(sums.values[:, 0], repulsion @ weights, rtol=1e-13)
    np.testing.assert_allclose(sums.values[:, 1], similarity @ weights, rtol=1e-13)
    assert (sums.method, sums.error, sums.plan) == ("direct", 0.0, None)


@pytest.fixture
def any_number_of_threads():
    before = numba.get_num_threads()
    yield numba.set_num_threads
    numba.set_num_threads(before)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba was started with one thread")
@pytest.mark.parametrize("moment", [0, 1, 2])
def test_pair_sums__have_the_same_bits_for_any_number_of_threads(any_number_of_threads, moment):
    Y = points(2 * BLOCK + 50)
    Y[100] = Y[7]
    results = []
    for n_threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
        any_number_of_threads(n_threads)
        results.append(pair_sums(Y, POTENTIALS, np.ones(len(Y)), UMAP, moment=moment).values.tobytes())
    assert len(set(results)) == 1


def test_pair_sums__take_differences_in_float64():
    Y = (points(20) * 1e-3 + 1e4).astype(np.float32)  # in float32 the squares of these differences lose digits
    single = pair_sums(Y, "repulsion", np.ones(20), UMAP)
    double = pair_sums(Y.astype(np.float64), "repulsion", np.ones(20), UMAP)
    np.testing.assert_array_equal(single.values, double.values)


def test_pair_sums__take_any_layout_of_memory_and_leave_it_as_it_was():
    Y = np.round(points(30, dim=3))
    kept = Y.copy()
    expected = pair_sums(Y, POTENTIALS, np.ones(30), UMAP).values
    read_only = Y.copy()
    read_only.flags.writeable = False
    for same in (
        np.asfortranarray(Y),
        np.repeat(Y, 2, axis=0)[::2],
        read_only,
        Y.astype(int),
        Y.astype(np.float16),
        Y.tolist(),
    ):
        np.testing.assert_array_equal(pair_sums(same, POTENTIALS, np.ones(30), UMAP).values, expected)
    np.testing.assert_array_equal(Y, kept)


def test_pair_sums__take_one_name_or_several_and_one_column_or_several():
    Y, weights = points(12), np.random.default_rng(2).random((12, 3))
    both = pair_sums(Y, ["similarity", "attraction"], weights, UMAP).values
    for a, name in enumerate(["similarity", "attraction"]):
        for r in range(3):
            alone = pair_sums(Y, name, weights[:, r], UMAP).values
            np.testing.assert_array_equal(alone[:, 0, 0], both[:, a, r])


def test_pair_sums__of_first_moments_with_equal_weights_add_up_to_nothing():
    values = pair_sums(points(40), POTENTIALS, np.ones(40), UMAP, moment=1).values
    # Delta_ij = -Delta_ji to the bit; what remains is the rounding of 40 sums of 40 terms.
    assert abs(values.sum(axis=0)).max() < 1e-13 * abs(values).sum()


def test_pair_sums__of_coincident_points_take_finite_limits_and_leave_out_infinite_ones():
    Y = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [4.0, 6.0]])
    far = {name: float(ref.pair_potential(name, 25.0, UMAP)) for name in POTENTIALS}
    sums = pair_sums(Y, POTENTIALS, np.ones(4), UMAP)
    expected = [far["attraction"], far["repulsion"], 2 + far["similarity"]]
    # Equal up to the rounding of one logarithm and one exponential.
    np.testing.assert_allclose(sums.values[0, :3, 0], expected, rtol=1e-14)
    np.testing.assert_allclose(sums.values[0, 3, 0], -2 * math.log(CLIP) + far["repulsion_clipped"], rtol=1e-14)
    np.testing.assert_array_equal(sums.n_coincident, [2, 2, 2, 0])


def test_pair_sums__of_a_curve_with_c_keep_coincident_points():
    sums = pair_sums(np.zeros((3, 2)), POTENTIALS, np.ones(3), Curve(1.0, 1.0, 1.0))
    # q = 1/2 at d = 0; one ulp of each logarithm.
    expected = [2 * math.log(2), 2 * math.log(2), 1.0, -2 * math.log(0.5 + CLIP)]
    np.testing.assert_allclose(sums.values[0, :4, 0], expected, rtol=1e-15)
    # variance, slopes and Fisher weight: 2 q (1 - q), 2 * 2 q, 2 * -2 q (e^theta = 1), 0; logarithms are left out
    np.testing.assert_allclose(sums.values[0, 4:11, 0], [0.5, 2.0, -2.0, 0.0, 0.0, 0.0, 0.0], rtol=1e-15)
    # similarity_slope 2 * -2 q^2, h(1/2) twice, theta = 0, what p = 0 costs at q = 1/2, and its slopes (ln 3, pi/2),
    # and 2 (2 q)^2; tensors: 2 * 4 q^2, 2 * -4 q^2, 2 * 4 q (2 - q)
    others = [-1.0, 2 * math.log(2), 0.0, 12 * math.log(2) - 6 * math.log(3), -2 * math.log(3)]
    tensors = [2.0, -2.0, 6.0]
    np.testing.assert_allclose(sums.values[0, 11:, 0], [*others, math.pi**2 / 4, -math.pi, 2.0, *tensors], rtol=1e-14)
    np.testing.assert_array_equal(sums.n_coincident, [2, 2, 2])


def test_pair_sums__count_distances_whose_square_underflows_as_coincident():
    Y = np.array([[0.0], [1e-170], [1e-150]])
    sums = pair_sums(Y, "repulsion", np.ones(3), UMAP)
    np.testing.assert_array_equal(sums.n_coincident, [1, 1, 0])
    assert np.isfinite(sums.values).all()


def test_pair_sums__of_one_point_are_zero():
    for moment in (0, 1, 2):
        sums = pair_sums([[3.0, 4.0]], POTENTIALS, [1.0], UMAP, moment=moment)
        assert sums.values.shape == (1, len(POTENTIALS), 1) + (2,) * moment
        assert not sums.values.any()
        assert sums.n_coincident.tolist() == [0]


def test_pair_sums__meet_any_rtol_by_being_exact():
    exact, allowed = (pair_sums(points(9), "repulsion", np.ones(9), UMAP, rtol=rtol) for rtol in (None, 0.1))
    np.testing.assert_array_equal(exact.values, allowed.values)
    assert allowed.error == 0.0


def with_bad(value):
    Y = points(6)
    Y[4, 1] = Y[5, 0] = value
    return Y


@pytest.mark.parametrize(
    "changed, error, message",
    [
        ({"Y": with_bad(np.nan)}, ValueError, "vertex 4"),
        ({"Y": with_bad(np.inf)}, ValueError, "vertex 4"),
        ({"Y": np.ones(6)}, ValueError, r"shape \(n, d\).*\(6,\)"),
        ({"Y": np.ones((6, 2, 1))}, ValueError, r"\(6, 2, 1\)"),
        ({"Y": np.ones((0, 2))}, ValueError, r"\(0, 2\)"),
        ({"Y": np.ones((6, 0))}, ValueError, r"\(6, 0\)"),
        ({"Y": points(6).astype(object)}, TypeError, "dtype object"),
        ({"Y": points(6).astype(complex)}, TypeError, "dtype complex"),
        ({"Y": points(6) * 1e200}, ValueError, "rescale"),
        ({"Y": np.array([[1.7e308, 0], [-1.7e308, 0]] * 3)}, ValueError, "rescale"),
        ({"weights": np.ones(5)}, ValueError, r"\(6,\).*\(5,\)"),
        ({"weights": np.ones((6, 0))}, ValueError, r"\(6, 0\)"),
        ({"weights": np.ones((6, 1, 1))}, ValueError, r"\(6, 1, 1\)"),
        ({"weights": np.array([1, 1, np.nan, 1, 1, 1])}, ValueError, "vertex 2"),
        ({"weights": ["a"] * 6}, TypeError, "weights"),
        ({"potentials": "gravity"}, ValueError, "attraction, repulsion, similarity, .*'gravity'"),
        ({"potentials": ["similarity", "gravity"]}, ValueError, "'gravity'"),
        ({"potentials": []}, ValueError, "none"),
        ({"curve": Curve(0.0, 1.0)}, ValueError, "a > 0"),
        ({"curve": Curve(1.0, -1.0)}, ValueError, "b > 0"),
        ({"curve": (1.0, 1.0)}, TypeError, "Curve"),
        ({"moment": 3}, ValueError, "0, 1 or 2, got 3"),
        ({"moment": -1}, ValueError, "0, 1 or 2, got -1"),
        ({"rtol": 0.0}, ValueError, "rtol"),
        ({"rtol": 1.0}, ValueError, "rtol"),
        ({"rtol": float("nan")}, ValueError, "rtol"),
        ({"plan": object()}, TypeError, "plan"),
    ],
)
def test_pair_sums__refuse_what_they_cannot_sum(changed, error, message):
    given_values = {"Y": points(6), "potentials": "repulsion", "weights": np.ones(6), "curve": UMAP} | changed
    with pytest.raises(error, match=message):
        pair_sums(**given_values)


@given(Y=layouts(), curve=curves())
def test_edge_theta__is_the_logit_of_every_listed_pair(Y, curve):
    heads, tails = np.triu_indices(len(Y), 1)
    np.testing.assert_array_equal(edge_d2(Y, heads, tails), ref.squared_distances(Y)[heads, tails])
    expected = ref.logit(ref.squared_distances(Y), curve)[heads, tails]
    # +inf in the same places; else a logarithm of a power against a multiple of a logarithm.
    np.testing.assert_allclose(edge_theta(Y, heads, tails, Curve(*curve)), expected, rtol=1e-12, atol=1e-12)


def test_edges__are_checked_like_layouts():
    with pytest.raises(ValueError, match="vertex 4"):
        edge_theta(with_bad(np.nan), np.array([0]), np.array([1]), UMAP)
