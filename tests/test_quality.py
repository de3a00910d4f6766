"""How well layouts keep neighbourhoods (analyses/_quality.py): beside the twin, and beside scikit-learn."""

import _quality
import numpy as np
import pytest
import reference as ref
from _quality import data_ranks, nearest, qualities
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.manifold import trustworthiness
from strategies import clouds, layouts

from umapinfo import neighbors
from umapinfo.datasets import load

# Ranks and their sum are whole numbers; the rest is a product and a mean of a few shares.
ROUNDING = 1e-12


@st.composite
def laid_out(draw):
    """Data, a layout of them and a number of neighbours under half the points; coordinates are multiples of a step."""
    X = draw(clouds())
    return X, draw(layouts(len(X))), draw(st.integers(1, (len(X) - 1) // 2))


def images():
    """Digits, 15 neighbours, and two layouts without ties: principal components, and one that knows nothing."""
    X = load("digits").X
    centred = X - X.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    return X, [centred @ axes[:2].T, np.random.default_rng(0).normal(size=(len(X), 2))]


@given(laid_out())
def test_qualities__are_the_twins_whichever_of_equally_far_points_a_layout_lists(drawn):
    X, Y, k = drawn
    found = qualities(X, [Y], k)[0]
    for value, (least, most) in zip(found, ref.layout_quality(X, Y, k), strict=True):
        assert least - ROUNDING <= value <= most + ROUNDING
        assert -ROUNDING <= value <= 1 + ROUNDING


@given(clouds())
def test_ranks__are_the_twins_with_ties_by_index(X):
    n = len(X)
    others = np.array([[j for j in range(n) if j != i] for i in range(n)], dtype=np.int32)
    assert np.array_equal(data_ranks(X, others), np.take_along_axis(ref.ranks(X), others, axis=1))


@given(st.integers(3, 30), st.data())
def test_a_layout_like_the_data__keeps_all(n, data):
    X = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=(n, 2))  # no ties
    assert qualities(X, [5 - 3 * X], data.draw(st.integers(1, (n - 1) // 2))) == [(1, 1)]


def test_trustworthiness__is_scikit_learns_where_no_points_are_equally_far():
    X, laid = images()
    X = X + np.random.default_rng(1).normal(scale=1e-3, size=X.shape)
    for Y, found in zip(laid, qualities(X, laid, 15), strict=True):
        assert found.trustworthiness == pytest.approx(trustworthiness(X, Y, n_neighbors=15), abs=ROUNDING)


def test_trustworthiness__differs_from_scikit_learns_by_the_order_of_ties_alone():
    X, laid = images()
    n, k = len(X), 15
    d2 = cdist(X, X, "sqeuclidean")  # whole numbers
    for Y, found in zip(laid, qualities(X, laid, k), strict=True):
        listed = np.take_along_axis(d2, nearest(Y, k), axis=1)
        ties = sum(int((d2[i, :, None] == listed[i]).sum()) - k for i in range(n))  # a tie moves a rank by one at most
        off = abs(found.trustworthiness - trustworthiness(X, Y, n_neighbors=k))
        assert off <= 2 / (n * k * (2 * n - 3 * k - 1)) * ties + ROUNDING


def test_recall__is_what_exact_neighbour_lists_share():
    X, laid = images()
    lists = neighbors(X, 16, exact=True).indices
    for Y, found in zip(laid, qualities(X, laid, 15), strict=True):
        both = [len(np.intersect1d(a, b)) for a, b in zip(lists, nearest(Y, 15), strict=True)]
        assert found.recall == pytest.approx(np.mean(both) / 15, abs=ROUNDING)


def test_qualities__do_not_depend_on_the_rows_taken_at_a_time(monkeypatch):
    X, laid = images()
    at_once, seen = qualities(X, laid, 15), []
    monkeypatch.setattr(_quality, "MEGABYTES", 5)
    assert qualities(X, laid, 15, lambda *told: seen.append(told)) == at_once
    done = [rows for _, rows, _ in seen]
    assert len(done) > 2
    assert done[-1] == len(X)


def test_qualities__refuse_as_many_neighbours_as_half_the_points():
    X = np.random.default_rng(0).normal(size=(10, 2))
    assert len(qualities(X, [X], 4)) == 1
    for k in (0, 5):
        with pytest.raises(ValueError, match="expected 1 <= n_listed < n / 2 = 5, got"):
            qualities(X, [X], k)
