"""Classes of distance: that they hold every pair once, what they make of sums, their bits."""

import numba
import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st
from strategies import layouts, spread_layouts

from umapinfo.core.curve import fit_curve
from umapinfo.pairs import classes, distance_classes, pair_sums

UMAP = fit_curve()
NONE = np.zeros(0, dtype=np.int64)


def tabled(Y, heads=NONE, tails=NONE):
    """The classes of a layout of any size, counted in a table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classes, "EXACT_UP_TO", 0)
        return distance_classes(Y, heads, tails)


def pairs_of(n, share, seed):
    """All pairs of n points, and which of them are listed."""
    heads, tails = np.triu_indices(n, 1)
    return heads, tails, np.random.default_rng(seed).random(len(heads)) < share


@given(Y=st.integers(1, 4).flatmap(lambda dim: layouts(dim=dim)), share=st.sampled_from([0.0, 0.3, 1.0]))
def test_classes_of_few_points__are_their_distances_with_the_number_of_pairs(Y, share):
    heads, tails, listed = pairs_of(len(Y), share, 0)
    found = distance_classes(Y, heads[listed], tails[listed])
    d2 = ref.squared_distances(Y)[heads, tails][~listed]
    expected, number = np.unique(d2[d2 > 0], return_counts=True)
    np.testing.assert_array_equal(found.d2, expected)
    np.testing.assert_array_equal(found.n_pairs, number)
    assert (found.n_coincident, found.width) == ((d2 == 0).sum(), 0.0)


@given(Y=spread_layouts(), share=st.sampled_from([0.0, 0.3, 1.0]), seed=st.integers(0, 99))
def test_classes__hold_every_pair_once_near_its_distance(Y, share, seed):
    heads, tails, listed = pairs_of(len(Y), share, seed)
    found = tabled(Y, heads[listed], tails[listed])
    d2 = np.sort(ref.squared_distances(Y)[heads, tails][~listed])
    n_coincident = int((d2 == 0).sum())
    assert found.n_coincident == n_coincident
    assert (found.n_pairs > 0).all()
    assert (np.diff(found.d2) > 0).all()
    sorted_into = np.repeat(found.d2, found.n_pairs)
    assert len(sorted_into) == len(d2) - n_coincident
    # Classes are in order, so that the k-th distance is in the class that the k-th place is: within its width.
    assert (abs(sorted_into - d2[n_coincident:]) <= found.width * d2[n_coincident:]).all()


@given(
    Y=spread_layouts(),
    a=st.floats(0.05, 20),
    b=st.floats(0.1, 3),
    share=st.sampled_from([0.0, 0.5]),
)
def test_sums_over_classes__are_within_the_bound_of_sums_over_pairs(Y, a, b, share):
    heads, tails, listed = pairs_of(len(Y), share, 1)
    found = tabled(Y, heads[listed], tails[listed])
    d2 = ref.squared_distances(Y)[heads, tails][~listed]
    d2 = d2[d2 > 0]
    of_pairs, of_classes = (np.log1p(1 / (a * s**b)) for s in (d2, found.d2))
    bound = found.width**2 / 8 * (b**2 + b)
    # The bound is of leading order: half a percent for the rest; and rounding.
    assert abs(of_pairs.sum() - (found.n_pairs * of_classes).sum()) <= (1.005 * bound + 1e-13) * of_pairs.sum()


def test_sums_over_classes__are_those_of_pair_sums():
    Y = np.random.default_rng(0).normal(size=(2500, 2)) * 6
    found, (a, b, _) = distance_classes(Y, NONE, NONE), UMAP
    assert found.width > 0
    exact = pair_sums(Y, ("repulsion", "similarity"), np.ones(len(Y)), UMAP).values.sum(axis=0)[:, 0] / 2
    x = a * found.d2**b
    sums = (found.n_pairs * np.log1p(1 / x)).sum(), (found.n_pairs / (1 + x)).sum()
    np.testing.assert_allclose(sums, exact, rtol=2e-7)  # the bound; q has one alike
    assert tuple(sums) != tuple(exact)


@pytest.mark.parametrize("gap", [1e-12, 1e-100, 1e-150])
def test_classes__hold_pairs_of_any_nearness(gap):
    Y = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, gap], [0.0, 3 * gap], [0.0, 3 * gap]])
    found = tabled(Y)
    np.testing.assert_allclose(found.d2, np.square([gap, 2 * gap, 3 * gap, 1.0]), rtol=1e-3)
    np.testing.assert_array_equal(found.n_pairs, [1, 2, 2, 4])
    assert found.n_coincident == 1


def test_classes__of_coincident_points_or_of_one_are_none():
    for Y, n_coincident in ((np.ones((6, 2)), 15), (np.ones((1, 3)), 0)):
        found = tabled(Y)
        assert (len(found.d2), found.n_coincident) == (0, n_coincident)
    some = np.array([0, 0]), np.array([1, 2])
    assert tabled(np.ones((6, 2)), *some).n_coincident == 13


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba was started with one thread")
def test_classes__have_the_same_bits_for_any_number_of_threads(n_threads):
    Y, bits = np.random.default_rng(0).normal(size=(1500, 3)), set()
    for number in range(1, numba.config.NUMBA_NUM_THREADS + 1):
        n_threads(number)
        bits.add(tabled(Y).d2.tobytes())
    assert len(bits) == 1


def test_classes__refuse_what_pair_sums_refuse():
    with pytest.raises(ValueError, match="vertex 1"):
        distance_classes([[0.0, 0.0], [np.nan, 0.0]], NONE, NONE)
    with pytest.raises(ValueError, match="layout Y: expected shape"):
        distance_classes(np.zeros(3), NONE, NONE)
    with pytest.raises(TypeError, match="object"):
        distance_classes(np.zeros((2, 2)).astype(object), NONE, NONE)
