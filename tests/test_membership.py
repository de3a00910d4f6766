"""Memberships and their union: umap-learn's values, the law of the row sum (C10), closed forms, C6 and C21."""

import numba
import numpy as np
import pytest
import reference as ref
import strategies
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import brentq

from umapinfo.core.membership import MEMBERSHIPS, fuzzy_graph, membership_at
from umapinfo.core.neighbors import Neighbors, neighbors, neighbors_from_lists
from umapinfo.threads import PART

CASES = ["generic", "two_apart", "far", "hub", "duplicates", "heaps", "all_equal", "lattice", "near_ties"]
CASES += ["tiny", "k2", "k3", "connected_2_5", "connected_half", "connected_5"]
# What the issue promises of every row. The search for sigma stops within 1e-5 of log2 k; the rest is its float32
# sum (20 terms up to 4.4: 5e-6 at most) and the rounding of the stored memberships.
ROW_TOLERANCE = 1e-4
# Two searches stop within 1e-5 of the same sum each, and all memberships of a row rise with sigma: between them lie
# at most 2e-5, and 5e-6 for the float32 sums of one of them.
SEARCH_TOLERANCE = 2.5e-5
# One float32 rounding of a number up to 2 is 1.2e-7; p + p' - p p' takes three of smaller numbers.
UNION_TOLERANCE = 2.4e-7


def graph_of(distances, **settings):
    """The graph of distance rows [n, k - 1] among at least k + 1 points (further points repeat the last row)."""
    rows = np.asarray(distances, dtype=np.float32)
    listed = rows.shape[1]
    rows = np.concatenate([rows, np.repeat(rows[-1:], max(0, listed + 2 - len(rows)), axis=0)])
    indices = (np.arange(len(rows))[:, None] + np.arange(1, listed + 1)) % len(rows)
    return fuzzy_graph(neighbors_from_lists(indices, rows, n_neighbors=listed + 1), **settings)


def memberships(graph):
    """P as float32[n, k - 1], in the order of the lists."""
    return graph.rows.membership.reshape(graph.n_vertices, -1)


def dense_rows(graph):
    """P as float64[n, n]."""
    rows, n = graph.rows, graph.n_vertices
    P = np.zeros((n, n))
    P[np.repeat(np.arange(n), np.diff(rows.indptr)), rows.neighbor] = rows.membership
    return P


def golden_case(golden, case):
    found = {
        key.removeprefix(f"{case}_"): value for key, value in golden("graph").items() if key.startswith(f"{case}_")
    }
    lists = neighbors_from_lists(found["indices"], found["distances"], n_neighbors=int(found["k"]))
    return found, lists, {"local_connectivity": float(found["local_connectivity"])}


# ---- umap-learn ----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_rows__are_umap_learns(golden, case):
    found, lists, settings = golden_case(golden, case)
    graph = fuzzy_graph(lists, **settings)
    np.testing.assert_array_equal(graph.rows.rho, found["rho"])  # to the bit: no sum is involved
    # umap-learn sums a row with fastmath, in an order that depends on the machine: where its sum comes out on the
    # other side of the tolerance it takes a bisection more or less
    np.testing.assert_allclose(memberships(graph), found["membership"], atol=SEARCH_TOLERANCE)
    same = graph.rows.sigma == found["sigma"]
    # the same sigma gives the same membership but for the last bits of two float32 exponentials
    np.testing.assert_allclose(memberships(graph)[same], found["membership"][same], rtol=5e-7)


def test_sigma__has_umap_learns_bits_in_almost_all_rows(golden):
    same = []
    for case in CASES:
        found, lists, settings = golden_case(golden, case)
        same.append(fuzzy_graph(lists, **settings).rows.sigma == found["sigma"])
    same = np.concatenate(same)
    assert len(same) == 604
    assert same.sum() >= 595  # 601 found; see above for the others


@pytest.mark.parametrize("case", CASES)
def test_union__is_umap_learns(golden, case):
    found, lists, settings = golden_case(golden, case)
    pairs = [("union", 1.0)] + [("mixed", 0.5)] * ("mixed_weight" in found)
    for name, ratio in pairs:
        graph = fuzzy_graph(lists, set_op_mix_ratio=ratio, **settings)
        np.testing.assert_array_equal(graph.indptr, found[f"{name}_indptr"])
        np.testing.assert_array_equal(graph.indices, found[f"{name}_indices"])
        # both memberships may be off by a search's tolerance
        np.testing.assert_allclose(graph.weight, found[f"{name}_weight"], atol=2 * SEARCH_TOLERANCE)
        if np.array_equal(graph.rows.sigma, found["sigma"]):
            np.testing.assert_allclose(graph.weight, found[f"{name}_weight"], rtol=1e-6)  # last bits, as above
    assert graph.n_neighbors == int(found["k"])


# ---- the law of the row sum ----------------------------------------------------------------------


@given(strategies.distance_rows())
def test_row_sum__is_never_under_log2_k_and_equals_it_unless_floored_or_tied(distances):
    graph = graph_of(distances)
    excess = memberships(graph).sum(axis=1, dtype=np.float64) - np.log2(graph.n_neighbors)
    bound = graph.rows.floored | graph.rows.tied
    assert np.all(excess >= -ROW_TOLERANCE)
    assert np.all(np.abs(excess)[~bound] <= ROW_TOLERANCE)


@given(strategies.distance_rows())
def test_row_sum__is_the_larger_of_log2_k_and_the_sum_at_the_floor(distances):
    # The other half of "if and only if": a row whose sum at the floor exceeds log2 k is raised to it, none else.
    graph = graph_of(distances)
    rows, k = graph.rows, graph.n_neighbors
    D = rows.distance.reshape(graph.n_vertices, -1).astype(np.float64)
    mean = np.where(rows.rho > 0, D.sum(axis=1), D.sum() / len(D)) / k
    at_floor = [ref.row_sum(d, rho, 1e-3 * m) for d, rho, m in zip(D, rows.rho.astype(float), mean, strict=True)]
    sums = memberships(graph).sum(axis=1, dtype=np.float64)
    np.testing.assert_allclose(sums, np.maximum(np.log2(k), at_floor), atol=ROW_TOLERANCE)


@given(strategies.distance_rows())
def test_rows__are_the_twins(distances):
    graph = graph_of(distances)
    rows = graph.rows
    D = rows.distance.reshape(graph.n_vertices, -1).astype(np.float64)
    rho, sigma, _, tied = ref.smooth(D, graph.n_neighbors)
    np.testing.assert_array_equal(rows.rho, rho)  # a distance of the list
    np.testing.assert_array_equal(rows.tied, tied)
    P = ref.directed(rows.neighbor.reshape(D.shape), D, rho, sigma)
    np.testing.assert_allclose(dense_rows(graph), P, atol=SEARCH_TOLERANCE)


def test_floored_rows__have_a_thousandth_of_their_mean_as_sigma(golden):
    found, lists, _ = golden_case(golden, "near_ties")
    rows = fuzzy_graph(lists).rows
    mean = found["distances"].sum(axis=1, dtype=np.float64) / found["k"]
    assert rows.floored.any()
    assert not rows.tied.any()
    # the mean is a float32 sum of 9 distances: 9 roundings of 6e-8
    np.testing.assert_allclose(rows.sigma[rows.floored], 1e-3 * mean[rows.floored], rtol=6e-7)
    assert np.all(rows.sigma[~rows.floored] >= (1 - 6e-7) * 1e-3 * mean[~rows.floored])


@pytest.mark.parametrize("scale", [1e-43, 1e-38, 1e-20, 2.0**-21, 2.0**21, 1e18, 1e25, 0.99e30])
def test_row_sum__is_log2_k_at_any_scale(scale):
    distances = np.sort(np.random.default_rng(0).uniform(0.5, 1, size=(40, 14)), axis=1) * scale
    graph = graph_of(distances)
    sums = memberships(graph).sum(axis=1, dtype=np.float64)
    # under 1e-38 float32 has few digits, so that distances tie: the law is one-sided there
    bound = graph.rows.floored | graph.rows.tied
    assert np.all(sums >= np.log2(15) - ROW_TOLERANCE)
    assert np.all(np.abs(sums - np.log2(15))[~bound] <= ROW_TOLERANCE)
    assert scale < 1e-38 or not bound.any()
    assert np.isfinite(graph.rows.rho).all()
    assert np.isfinite(graph.rows.sigma).all()


def test_row_sum__is_log2_k_where_one_graph_has_every_scale():
    row = np.array([1.0, 1.5, 2.0, 2.2, 3.0])
    graph = graph_of([row * scale for scale in (1e-20, 1e-6, 1.0, 1e6, 1e18, 1e25, 1.0)])
    sums = memberships(graph).sum(axis=1, dtype=np.float64)
    np.testing.assert_allclose(sums, np.log2(6), atol=ROW_TOLERANCE)


def test_extreme_rows__have_the_same_memberships_whatever_their_power_of_two():
    distances = np.sort(np.random.default_rng(1).uniform(1, 2, size=(20, 9)).astype(np.float32), axis=1)
    one, other = graph_of(distances * np.float32(2.0**40)), graph_of(distances * np.float32(2.0**-80))
    np.testing.assert_array_equal(memberships(one), memberships(other))
    np.testing.assert_array_equal(one.rows.sigma, other.rows.sigma * np.float32(2.0**120))


# ---- closed forms --------------------------------------------------------------------------------


@given(strategies.distance_rows(max_length=1))
def test_k_2__gives_memberships_of_exactly_one(distances):
    graph = graph_of(distances)
    np.testing.assert_array_equal(graph.rows.membership, 1.0)
    np.testing.assert_array_equal(graph.weight, 1.0)


@given(rho=st.integers(1, 1000), exponent=st.integers(-6, 8))
def test_k_3__gives_one_and_log2_3_minus_1(rho, exponent):
    # sigma = 16 unit is a power of two, which the search meets, so that 1e-6 is left for float32
    unit = 2.0**exponent
    second = unit * (rho - 16 * np.log(np.log2(3) - 1))
    graph = graph_of([[unit * rho, second]])
    np.testing.assert_array_equal(graph.rows.sigma, 16 * unit)
    # the gap loses what float32 rounds off `second`, which matters where rho is far larger
    lost = np.spacing(np.float32(second)) / (16 * unit)
    np.testing.assert_allclose(memberships(graph), [[1.0, 0.5849625]] * 4, atol=max(1e-6, lost))


@given(strategies.distance_rows())
def test_k_3__is_within_the_searchs_tolerance_at_any_distances(distances):
    assume(distances.shape[1] >= 2)
    graph = graph_of(distances[:, :2])
    free = ~(graph.rows.floored | graph.rows.tied)
    # 1e-5 of the search, and float32
    np.testing.assert_allclose(memberships(graph)[free] - [1.0, np.log2(3) - 1], 0.0, atol=1.1e-5)


def test_k_3__unites_mutual_second_neighbors_to_0_8277():
    # 0-1 and 2-3 are nearest, 0-2 and 1-3 second to each other; sigma is 1 to the bit, so that float32 is all there is
    second = 1.0 - np.log(np.log2(3) - 1)
    graph = fuzzy_graph(neighbors_from_lists([[1, 2], [0, 3], [3, 0], [2, 1]], [[1.0, second]] * 4, n_neighbors=3))
    both = 1 - (2 - np.log2(3)) ** 2
    expected = [[0, 1, both, 0], [1, 0, 0, both], [both, 0, 0, 1], [0, both, 1, 0]]
    np.testing.assert_allclose(graph.to_csr().toarray(), expected, atol=1e-6)
    assert both == pytest.approx(0.8277439, abs=5e-8)


def test_all_points_equal__gives_memberships_of_one():
    graph = graph_of(np.zeros((6, 3)))
    np.testing.assert_array_equal(graph.rows.membership, 1.0)
    np.testing.assert_array_equal(graph.rows.rho, 0.0)
    assert graph.rows.tied.all()


# ---- local connectivity --------------------------------------------------------------------------


@given(strategies.distance_rows(), st.integers(0, 12).map(lambda quarters: quarters / 4))
def test_rho__interpolates_between_the_nearest_distances(distances, local_connectivity):
    graph = graph_of(distances, local_connectivity=local_connectivity)
    expected = [ref.row_rho(d, local_connectivity) for d in distances.astype(np.float64)]
    # one interpolation, rounded to float32
    np.testing.assert_allclose(graph.rows.rho[: len(distances)], expected, rtol=2e-7)


def test_local_connectivity__of_log2_k_or_more_ties_every_row():
    distances = [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]] * 9  # log2 8 = 3
    three, four = (graph_of(distances, local_connectivity=value) for value in (3, 4))
    assert three.rows.tied.all()
    assert not three.rows.floored.any()
    # the search comes within 1e-5 of 3 from above
    np.testing.assert_allclose(memberships(three), [[1, 1, 1, 0, 0, 0, 0]] * 9, atol=1e-5)
    assert four.rows.tied.all()
    assert four.rows.floored.all()
    # the floor leaves exp(-1 / (1e-3 * 3.5)) = 1e-124 to the next, which float32 has not
    np.testing.assert_array_equal(memberships(four), [[1, 1, 1, 1, 0, 0, 0]] * 9)


# ---- C6: positive affine maps of a row -----------------------------------------------------------


@given(
    rows=arrays(np.int64, (3, 9), elements=st.integers(1, 2000)),
    factor=st.integers(-8, 8).map(lambda exponent: 2.0**exponent),
    shift=st.integers(0, 2000),
)
def test_memberships__do_not_feel_an_affine_map_of_their_row(rows, factor, shift):
    rows = np.sort(rows, axis=1)
    before, after = graph_of(rows), graph_of(factor * (rows + shift))  # no rounding: small integers, a power of two
    free = ~(before.rows.floored | after.rows.floored)
    np.testing.assert_array_equal(before.rows.tied, after.rows.tied)
    np.testing.assert_allclose(memberships(before)[free], memberships(after)[free], atol=SEARCH_TOLERANCE)


@given(
    rows=arrays(np.int64, (3, 9), elements=st.integers(1, 2000)),
    factor=st.integers(-8, 8).map(lambda exponent: 2.0**exponent),
    shift=st.integers(0, 2000),
)
def test_rho_and_sigma__follow_an_affine_map_of_their_row(rows, factor, shift):
    rows = np.sort(rows, axis=1)
    found = graph_of(factor * (rows + shift)).rows  # no rounding: small integers, a power of two
    n = len(rows)
    np.testing.assert_array_equal(found.rho[:n], factor * (rows[:, 0] + shift))
    gaps = rows - rows[:, :1]  # of the rows before the map, which sigma / factor has to bring to the same sum
    sums = np.exp(-gaps / (found.sigma[:n, None].astype(np.float64) / factor)).sum(axis=1)
    free = ~(found.floored | found.tied)[:n]
    np.testing.assert_allclose(sums[free], np.log2(10), atol=SEARCH_TOLERANCE)


# ---- other kernels -------------------------------------------------------------------------------

TWINS = {
    "exponential": lambda x: np.exp(-x),
    "gaussian": lambda x: np.exp(-np.square(x)),
    "power": lambda x: np.reciprocal(1.0 + x),
}


def twin_row(distances, floor_mean, kernel):
    """P of one row in float64: sigma by scipy's root finder, at least a thousandth of floor_mean."""
    gaps = np.maximum(0.0, distances - ref.row_rho(distances))
    target = np.log2(len(distances) + 1)

    def row_at(log_sigma):
        with np.errstate(over="ignore"):  # a gap of 1e6 at a sigma of 1e-300: inf, whose kernel is 0
            return np.where(gaps > 0, TWINS[kernel](gaps / np.exp(log_sigma)), 1.0)

    least = np.log(1e-3 * floor_mean) if floor_mean > 0 else -50.0
    if row_at(least).sum() >= target or not gaps.any():
        return row_at(least)
    return row_at(brentq(lambda log_sigma: row_at(log_sigma).sum() - target, least, 60.0, xtol=1e-12))


@pytest.mark.parametrize("kernel", MEMBERSHIPS)
@given(distances=strategies.distance_rows())
def test_row_sum__of_every_kernel_is_never_under_log2_k_and_equals_it_unless_floored_or_tied(kernel, distances):
    graph = graph_of(distances, membership=kernel)
    excess = memberships(graph).sum(axis=1, dtype=np.float64) - np.log2(graph.n_neighbors)
    bound = graph.rows.floored | graph.rows.tied
    assert np.all(excess >= -ROW_TOLERANCE)
    assert np.all(np.abs(excess)[~bound] <= ROW_TOLERANCE)


@pytest.mark.parametrize("kernel", MEMBERSHIPS)
@given(distances=strategies.distance_rows())
def test_rows__of_every_kernel_are_the_twins(kernel, distances):
    graph = graph_of(distances, membership=kernel)
    D = graph.rows.distance.reshape(graph.n_vertices, -1).astype(np.float64)
    mean = np.where(D.any(axis=1), D.sum(axis=1), D.sum() / len(D)) / graph.n_neighbors
    twins = [twin_row(row, m, kernel) for row, m in zip(D, mean, strict=True)]
    # one search of tolerance 1e-5, float32 sums, and the float32 mean in the floor, at which x f'(x) < 0.74
    np.testing.assert_allclose(memberships(graph), twins, atol=SEARCH_TOLERANCE)


@pytest.mark.parametrize("kernel", MEMBERSHIPS)
@given(distances=strategies.distance_rows())
def test_memberships__of_every_kernel_fall_with_the_distance_from_one(kernel, distances):
    graph = graph_of(distances, membership=kernel)
    P, D = memberships(graph), graph.rows.distance.reshape(graph.n_vertices, -1)
    assert np.all((P >= 0) & (P <= 1))
    assert np.all(np.diff(P, axis=1) <= 0)
    np.testing.assert_array_equal(P[graph.rows.rho[:, None] >= D], 1.0)


@pytest.mark.parametrize("kernel", MEMBERSHIPS)
@given(
    rows=arrays(np.int64, (3, 9), elements=st.integers(1, 2000)),
    factor=st.integers(-8, 8).map(lambda exponent: 2.0**exponent),
    shift=st.integers(0, 2000),
)
def test_memberships__of_no_kernel_feel_an_affine_map_of_their_row(kernel, rows, factor, shift):
    rows = np.sort(rows, axis=1)
    before, after = (graph_of(x, membership=kernel) for x in (rows, factor * (rows + shift)))  # exact, as in C6
    free = ~(before.rows.floored | after.rows.floored)
    np.testing.assert_allclose(memberships(before)[free], memberships(after)[free], atol=SEARCH_TOLERANCE)


@pytest.mark.parametrize("place, kernel", list(enumerate(MEMBERSHIPS)))
@given(x=strategies.float32s(0, 1e30), y=strategies.float32s(0, 1e30))
def test_kernels__fall_from_one_to_nought_so_that_sums_rise_with_sigma(place, kernel, x, y):
    one, other = (membership_at(np.float32(value), place) for value in sorted((x, y)))
    assert 0 <= other <= one <= 1
    with np.errstate(over="ignore"):
        # one rounding of each step; exp and the square turn a relative 6e-8 of x into 2 x^2 f(x) 6e-8 < 1e-7
        assert one == pytest.approx(TWINS[kernel](min(x, y)), abs=3e-7)
    assert membership_at(np.float32(0), place) == 1
    assert membership_at(np.float32(1e30), place) <= 1.1e-30


@given(strategies.distance_rows())
def test_rows__of_a_lighter_tail_majorise_those_of_a_heavier_one(distances):
    graphs = [graph_of(distances, membership=kernel) for kernel in ("gaussian", "exponential", "power")]
    free = ~np.any([graph.rows.floored | graph.rows.tied for graph in graphs], axis=0)
    light, middle, heavy = (memberships(graph)[free].astype(np.float64) for graph in graphs)
    for one, other in ((light, middle), (middle, heavy)):
        # rows fall, so that these are the sums of the largest; the search leaves 1e-5, its float32 sums 5e-6, to each
        assert np.all(np.cumsum(one, axis=1) >= np.cumsum(other, axis=1) - 2 * ROW_TOLERANCE)
        assert np.all(np.square(one).sum(axis=1) >= np.square(other).sum(axis=1) - 4 * ROW_TOLERANCE)


@pytest.mark.parametrize("kernel, x", [("exponential", 0.5362127), ("gaussian", 0.7322655), ("power", 0.7095088)])
def test_k_3__has_the_same_row_and_another_sigma_with_every_kernel(kernel, x):
    graph = graph_of([[1.0, 2.0]], membership=kernel)
    # f(x) = log2 3 - 1 at x = -ln, sqrt(-ln) and 1/. - 1 of it; the search's 1e-5 moves x by 3e-5 at most
    np.testing.assert_allclose(memberships(graph), [[1.0, np.log2(3) - 1]] * 4, atol=1.1e-5)
    np.testing.assert_allclose(1 / graph.rows.sigma, x, atol=4e-5)


def test_membership__is_exponential_unless_asked_for_another():
    lists = neighbors(np.random.default_rng(0).normal(size=(60, 3)), 8)
    default = fuzzy_graph(lists)
    named, other = (fuzzy_graph(lists, membership=kernel) for kernel in ("exponential", "power"))
    np.testing.assert_array_equal(default.weight, named.weight)
    assert np.abs(default.weight - other.weight).max() > 0.01


@pytest.mark.parametrize("value", ["cauchy", "Gaussian", "", None, 1, ["power"]])
def test_membership__is_one_of_three_names(value):
    with pytest.raises(ValueError, match="expected membership to be one of 'exponential', 'gaussian', 'power', got"):
        graph_of([[1.0, 2.0]], membership=value)


# ---- C21: the union ------------------------------------------------------------------------------


@given(strategies.clouds(min_n=5), st.integers(2, 4))
def test_union__is_the_probability_of_at_least_one_of_two_independent_edges(X, k):
    graph = fuzzy_graph(neighbors(X, k))
    P, p = dense_rows(graph), graph.to_csr().toarray()
    np.testing.assert_array_equal(p, p.T)  # float32 sums and products commute
    np.testing.assert_array_equal(p > 0, (P + P.T) > 0)
    np.testing.assert_array_equal(np.diag(p), 0.0)
    assert graph.weight.max() <= 1
    assert np.all(p >= np.maximum(P, P.T) - UNION_TOLERANCE)
    assert np.all(p <= P + P.T + UNION_TOLERANCE)
    np.testing.assert_allclose(p, 1 - (1 - P) * (1 - P.T), atol=UNION_TOLERANCE)
    equal = P == P.T  # not idempotent: p or p = 2p - p^2
    np.testing.assert_allclose(p[equal], (2 * P - P**2)[equal], atol=UNION_TOLERANCE)


@given(strategies.clouds(min_n=5), st.floats(0, 1))
def test_set_op_mix_ratio__mixes_union_and_intersection(X, ratio):
    lists = neighbors(X, 4)
    mixed = fuzzy_graph(lists, set_op_mix_ratio=ratio)
    p = mixed.to_csr().toarray()
    np.testing.assert_array_equal(p, p.T)
    assert mixed.n_entries == 0 or mixed.weight.max() <= 1
    # the two float32 factors and their sum round once more each
    np.testing.assert_allclose(p, ref.union(dense_rows(mixed), ratio), atol=2 * UNION_TOLERANCE)
    both, any_ = (fuzzy_graph(lists, set_op_mix_ratio=end).to_csr().toarray() for end in (0.0, 1.0))
    assert np.all(p >= both - UNION_TOLERANCE)
    assert np.all(p <= any_ + UNION_TOLERANCE)


def test_intersection__keeps_mutual_neighbors_alone():
    X = np.array([[0.0], [1.0], [1.5], [10.0]])
    graph = fuzzy_graph(neighbors(X, 2), set_op_mix_ratio=0.0)  # nearest: 0 -> 1, 1 <-> 2, 3 -> 2
    np.testing.assert_array_equal(graph.to_csr().nonzero(), [[1, 2], [2, 1]])
    assert graph.rows.neighbor.tolist() == [1, 2, 1, 2]  # the rows are kept


@given(strategies.clouds(min_n=5), st.integers(2, 4))
def test_graph__is_the_twins(X, k):
    P, p = ref.graph(X, k)
    graph = fuzzy_graph(neighbors(X, k))
    # float32 distances move x = (d - rho)/sigma by 6e-8 d/sigma <= 6e-5, as sigma is at least d/1000 (k <= 4)
    np.testing.assert_allclose(dense_rows(graph), P, atol=1e-4)
    np.testing.assert_allclose(graph.to_csr().toarray(), p, atol=2e-4)


def test_graph__does_not_depend_on_the_number_of_threads():
    n = 2 * PART + 7
    distances = np.sort(np.random.default_rng(0).random((n, 3)), axis=1)
    lists = Neighbors((np.arange(n)[:, np.newaxis] + [1, 2, 3]) % n, distances)
    before, found = numba.get_num_threads(), []
    try:
        for n_threads in (1, before):
            numba.set_num_threads(n_threads)
            found.append(fuzzy_graph(lists))
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(found[0].weight, found[1].weight)
    np.testing.assert_array_equal(found[0].rows.sigma, found[1].rows.sigma)


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-0.5, np.nan, np.inf])
def test_local_connectivity__is_finite_and_not_negative(value):
    with pytest.raises(ValueError, match="expected local_connectivity >= 0, got"):
        graph_of([[1.0, 2.0]], local_connectivity=value)


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_set_op_mix_ratio__lies_in_0_to_1(value):
    with pytest.raises(ValueError, match=r"expected set_op_mix_ratio in \[0, 1\], got"):
        graph_of([[1.0, 2.0]], set_op_mix_ratio=value)


@pytest.mark.parametrize("wrong", [-1, 7])
def test_neighbors_made_by_hand__are_checked_before_a_kernel_reads_them(wrong):
    lists = Neighbors(np.full((5, 1), 0, np.int32), np.ones((5, 1), np.float32))
    lists.indices[0] = 1
    assert fuzzy_graph(lists).n_entries == 8
    lists.indices[3] = wrong  # scipy would write outside its arrays
    with pytest.raises(ValueError, match=rf"expected indices in \[0, 5\), got {wrong} in row 3"):
        fuzzy_graph(lists)


def test_lists_in_any_order_and_dtype__give_the_same_graph():
    lists = neighbors(np.random.default_rng(0).normal(size=(30, 3)), 6)
    backward = lists.indices[:, ::-1].astype(np.int64), lists.distances[:, ::-1].astype(np.float64)
    one, other = fuzzy_graph(lists), fuzzy_graph(Neighbors(*backward))
    np.testing.assert_array_equal(one.weight, other.weight)
    np.testing.assert_array_equal(one.indices, other.indices)
