"""Perplexities of every order (C24): Hill numbers of weights, and what the search for sigma fixes of a row's."""

import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st
from strategies import distance_rows, weights

from umapinfo.core.graph import graph_from_csr
from umapinfo.core.membership import fuzzy_graph
from umapinfo.core.neighbors import Neighbors, neighbors
from umapinfo.measures.perplexity import hill_numbers, row_hill_numbers

# Sums of a few dozen float64 terms, a logarithm and an exponential: a few 1e-15; the twin's power 1/(1 - alpha) with
# |1 - alpha| >= 0.01 enlarges its own rounding a hundredfold.
ROUNDING = 1e-12
# The search for sigma stops within 1e-5 of log2 k, in float32, and memberships are stored in float32.
ROW_TOLERANCE = 1e-4


def weight_lists():
    """At least one positive weight, of any size, some of them 0."""
    wide = st.floats(1e-6, 1e6)
    return st.lists(weights() | wide | st.just(0.0), min_size=1, max_size=20).filter(any)


def orders_apart_from_one():
    """Orders of [0, 20] at which the definition itself has digits, and 1, 2 and inf."""
    return st.floats(0, 0.99) | st.floats(1.01, 20) | st.sampled_from([1.0, 2.0, np.inf])


def rows_of(distances):
    """The graph of sorted distances: each row lists points that exist, the point itself left out."""
    listed = distances.shape[1]
    n = max(len(distances), listed + 2)
    padded = np.vstack([distances, np.repeat(distances[-1:], n - len(distances), axis=0)])
    lists = np.array([[j for j in range(listed + 1) if j != i][:listed] for i in range(n)], dtype=np.int32)
    return fuzzy_graph(Neighbors(lists, padded))


@given(weight_lists(), orders_apart_from_one())
def test_hill_number__is_the_twins_at_every_order(w, alpha):
    assert hill_numbers(w, (alpha,))[0, 0] == pytest.approx(ref.hill_number(w, alpha), rel=ROUNDING)


@given(weight_lists(), st.floats(-0.5, 0.5))
def test_hill_number__keeps_its_digits_next_to_order_one(w, beyond):
    # ln D_alpha is monotone, and its slope at 1 is -Var(ln r) / 2; with r >= 5e-14 the logarithms span under 31, so
    # that |slope| < 31^2 / 2 (Popoviciu: a quarter of the square, for any order) bounds the change.
    at_one, beside = hill_numbers(w, (1.0, 1.0 + beyond * 1e-9))[0]
    assert abs(np.log(beside / at_one)) <= 31**2 / 2 * abs(beyond) * 1e-9 + ROUNDING


@given(weight_lists(), st.lists(st.floats(0, 50), min_size=2, max_size=5))
def test_hill_numbers__fall_with_the_order_between_the_count_and_one(w, alphas):
    given_orders = [0.0, *sorted(alphas), np.inf]
    numbers = hill_numbers(w, given_orders)[0]
    assert np.all(np.diff(numbers) <= ROUNDING * numbers[:-1])
    assert numbers[0] == pytest.approx(np.count_nonzero(w), rel=ROUNDING)
    assert numbers[-1] >= 1 - ROUNDING


@given(st.integers(1, 20), st.floats(1e-300, 1e300), st.floats(0, 50) | st.just(np.inf))
def test_hill_number__of_equal_weights_is_their_number(n, w, alpha):
    assert hill_numbers(np.full(n, w), (alpha,))[0, 0] == pytest.approx(n, rel=ROUNDING)


def test_hill_numbers__neither_overflow_nor_underflow():
    # 1 beside weights without weight: D is 1 at every order above 0, however high
    numbers = hill_numbers([1e300, 1e-300, 5e-324], (0, 1e-3, 1, 2, 1e6, np.inf))[0]
    assert numbers[0] == pytest.approx(3, rel=ROUNDING)
    np.testing.assert_allclose(numbers[2:], 1.0, rtol=ROUNDING)
    assert 1 < numbers[1] < 3


def test_hill_numbers__are_of_each_group_and_zero_of_an_empty_one():
    w = np.array([1.0, 1.0, 0.5, 0.0, 3.0])
    numbers = hill_numbers(w, (0, 1, np.inf), indptr=[0, 2, 2, 4, 5])
    np.testing.assert_allclose(numbers, [[2, 2, 2], [0, 0, 0], [1, 1, 1], [1, 1, 1]], rtol=ROUNDING)


@given(distance_rows())
def test_row__has_the_order_inf_perplexity_of_its_sum(distances):
    # The nearest neighbour has p = 1, so that 1 / max share = sum: for tied, floored and ordinary rows alike.
    graph = rows_of(distances)
    P = graph.rows.membership.reshape(graph.n_vertices, -1).astype(np.float64)
    assert np.all(P.max(axis=1) == 1.0)
    numbers, k = row_hill_numbers(graph)[:, 3], graph.n_neighbors
    np.testing.assert_allclose(numbers, P.sum(axis=1), rtol=ROUNDING)
    pinned = ~(graph.rows.tied | graph.rows.floored)
    assert np.all(np.abs(numbers[pinned] - np.log2(k)) <= ROW_TOLERANCE)
    assert np.all(numbers >= np.log2(k) - ROW_TOLERANCE)


@given(distance_rows())
def test_row__has_the_shannon_perplexity_sum_times_exp_of_the_mean_gap(distances):
    # D_1 = S e^<x>, <x> the mean of x = -ln p with the shares as weights; p = 0 (underflow) has no share.
    graph = rows_of(distances)
    P = graph.rows.membership.reshape(graph.n_vertices, -1).astype(np.float64)
    S = P.sum(axis=1)
    gap = -(P * np.log(np.where(P > 0, P, 1))).sum(axis=1) / S
    zero, one, two, inf = row_hill_numbers(graph).T
    np.testing.assert_allclose(one, S * np.exp(gap), rtol=ROUNDING)
    np.testing.assert_allclose(two, S**2 / (P**2).sum(axis=1), rtol=ROUNDING)
    for lower, upper in ((inf, two), (two, one), (one, zero)):
        assert np.all(lower <= upper * (1 + ROUNDING))
    assert np.all(zero <= (graph.n_neighbors - 1) * (1 + ROUNDING))


@pytest.mark.parametrize("k", [5, 15, 40])
def test_k__is_two_to_the_two_to_the_min_entropy_of_an_ordinary_row(k):
    graph = fuzzy_graph(neighbors(np.random.default_rng(0).normal(size=(120, 3)), k))
    assert not (graph.rows.tied | graph.rows.floored).any()
    min_entropy = np.log2(row_hill_numbers(graph, (np.inf,))[:, 0])  # bits
    # an error of 1e-4 in the row sum, the exponent of 2
    np.testing.assert_allclose(2 ** (2**min_entropy), k, rtol=ROW_TOLERANCE)


@pytest.mark.parametrize(
    ("values", "orders", "indptr", "error", "message"),
    [
        (["a"], (1,), None, TypeError, "expected real numbers"),
        ([[1.0]], (1,), None, ValueError, "1-d array"),
        ([1.0, -0.1], (1,), None, ValueError, "got -0.1 at place 1"),
        ([np.nan], (1,), None, ValueError, "expected finite weights"),
        ([np.inf], (1,), None, ValueError, "expected finite weights"),
        ([1.0], (-1.0,), None, ValueError, "orders alpha >= 0"),
        ([1.0], (np.nan,), None, ValueError, "orders alpha >= 0"),
        ([1.0], 1.0, None, ValueError, "orders alpha >= 0"),
        ([1.0], (), None, ValueError, "orders alpha >= 0"),
        ([1.0], (1,), [0, 2], ValueError, "rise from 0 to the number of weights, 1"),
    ],
)
def test_hill_numbers__refuse_what_has_none(values, orders, indptr, error, message):
    with pytest.raises(error, match=message):
        hill_numbers(values, orders, indptr=indptr)


def test_row_hill_numbers__need_directed_rows():
    with pytest.raises(ValueError, match="expected a graph with directed rows"):
        row_hill_numbers(graph_from_csr(np.array([[0, 0.5], [0.5, 0]])))
