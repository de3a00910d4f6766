"""Nearest neighbours: against brute force, scipy's distances, all kinds of input, and PyNNDescent's approximation."""

import inspect
import warnings

import numpy as np
import pynndescent
import pytest
import reference as ref
import scipy.sparse
import strategies
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits

import umapinfo.core.distances
from umapinfo.core.distances import metrics
from umapinfo.core.neighbors import neighbors, neighbors_from_lists

# Distances are stored as float32: half a unit in the last of its 24 bits.
FLOAT32 = 6e-8


def cloud(n=60, dim=5, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim))


def sparse_cloud(n=60, dim=12, seed=0):
    """Small non-negative integers, two thirds of them 0."""
    return np.maximum(np.random.default_rng(seed).integers(-6, 4, size=(n, dim)), 0).astype(np.float64)


def brute_force(D, k):
    """k - 1 nearest by a matrix of distances, itself left out, ties by index."""
    D = np.array(D, dtype=np.float64)
    np.fill_diagonal(D, np.inf)
    indices = np.argsort(D, axis=1, kind="stable")[:, : k - 1]
    return indices, np.take_along_axis(D, indices, axis=1)


def assert_lists(found, indices, distances):
    """The same lists to the bit."""
    assert (found.indices.dtype, found.distances.dtype) == (np.int32, np.float32)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_array_equal(found.distances, np.asarray(distances).astype(np.float32))


def assert_nearest(found, D, k, rtol):
    """Nearest neighbours by the distances D, when D and the search's own distances differ by rtol."""
    _, distances = brute_force(D, k)
    np.testing.assert_allclose(found.distances, distances, rtol=rtol, atol=rtol)
    # where two distances differ by less than that, either point may be listed
    np.testing.assert_allclose(np.take_along_axis(D, found.indices.astype(int), 1), distances, rtol=rtol, atol=rtol)
    assert all(len(set(row)) == k - 1 for row in found.indices.tolist())


def recall(found, exact):
    shared = [len(set(a) & set(b)) for a, b in zip(found.indices.tolist(), exact.indices.tolist(), strict=True)]
    return sum(shared) / exact.indices.size


# ---- exact search --------------------------------------------------------------------------------


@given(strategies.clouds(), st.data())
def test_lists__are_the_twins_ties_by_index(X, data):
    k = data.draw(st.integers(2, len(X) - 1))
    # coordinates are small multiples of a power of two, so that both take the root of the same exact number
    assert_lists(neighbors(X, k), *ref.knn(X, k))


@given(strategies.clouds(), st.sampled_from(["manhattan", "chebyshev"]))
def test_lists__hold_for_other_norms(X, metric):
    name = {"manhattan": "cityblock"}.get(metric, metric)
    assert_lists(neighbors(X, 2, metric=metric), *brute_force(cdist(X, X, name), 2))


def test_a_point__is_never_its_own_neighbor_though_copies_of_it_are():
    X = np.repeat(cloud(4), 10, axis=0)
    found = neighbors(X, 8)
    assert not (found.indices == np.arange(40)[:, None]).any()
    np.testing.assert_array_equal(found.distances, 0.0)
    np.testing.assert_array_equal(found.indices[[0, 3, 9]], [[1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 4, 5, 6, 7], range(7)])
    np.testing.assert_array_equal(neighbors(np.ones((5, 2)), 4).indices, ref.knn(np.ones((5, 2)), 4)[0])


def test_blocks__make_no_difference(monkeypatch):
    X, reports = cloud(), []
    whole = neighbors(X, 9)
    monkeypatch.setattr(umapinfo.core.distances, "BLOCK_BYTES", 7 * 8 * len(X))  # 7 rows at a time
    blocked = neighbors(X, 9, report=lambda *told: reports.append(told))
    assert_lists(blocked, *whole)
    assert reports == [("neighbors", done, 60) for done in (*range(7, 60, 7), 60)]


@pytest.mark.parametrize(
    ("metric", "kwds", "name"),
    [
        ("cosine", {}, "cosine"),
        ("correlation", {}, "correlation"),
        ("canberra", {}, "canberra"),
        ("minkowski", {"p": 3}, "minkowski"),
        ("sqeuclidean", {}, "sqeuclidean"),
    ],
)
def test_pynndescents_metrics__are_scipys_distances(metric, kwds, name):
    X = cloud()
    # PyNNDescent works on float32 data with fastmath; cosines lose a digit in 1 - cos
    assert_nearest(neighbors(X, 9, metric=metric, metric_kwds=kwds), cdist(X, X, name, **kwds), 9, rtol=2e-6)


def test_mahalanobis__takes_a_matrix_with_a_row_per_feature():
    X = cloud()
    inverse = np.linalg.inv(np.cov(X.T))
    found = neighbors(X, 9, metric="mahalanobis", metric_kwds={"vinv": inverse.tolist()})
    assert_nearest(found, cdist(X, X, "mahalanobis", VI=inverse), 9, rtol=2e-6)  # float32, as above
    for kwds in (None, {"vinv": np.eye(2)}):  # PyNNDescent would read past the end of its default
        with pytest.raises(ValueError, match="expected 'vinv' of 'mahalanobis' with 5 rows, one a feature, got shape"):
            neighbors(X, 9, metric="mahalanobis", metric_kwds=kwds)


def test_arguments_that_a_metric_does_not_take__are_refused():
    for metric, kwds in [("minkowski", {"q": 3}), ("euclidean", {"p": 3})]:
        with pytest.raises(TypeError, match=f"expected arguments of '{metric}'.* got"):
            neighbors(cloud(), 9, metric=metric, metric_kwds=kwds)


def test_haversine__is_for_two_features():
    with pytest.raises(ValueError, match=r"expected 2 features .* for 'haversine', got 5"):
        neighbors(cloud(), 9, metric="haversine")


def test_values_that_are_no_distances__are_refused():
    with pytest.raises(ValueError, match=r"expected distances >= 0, got -.* from 'inner_product' in row 0"):
        neighbors(cloud(), 9, metric="inner_product")
    with pytest.raises(ValueError, match="expected a distance, got NaN from 'hellinger' between points 0 and"):
        neighbors(cloud(), 9, metric="hellinger")  # of negative numbers


def test_equal_points__are_at_distance_0_by_a_metric_that_rounds_to_nan_there():
    X = np.abs(np.repeat(cloud(), 2, axis=0))
    found = neighbors(X, 3, metric="hellinger")
    np.testing.assert_array_equal(found.indices[:, 0], np.arange(len(X)) ^ 1)
    # sqrt(1 - x) for an x that is 1 but for its last float32 bits
    np.testing.assert_allclose(found.distances[:, 0], 0.0, atol=1e-3)
    assert np.all(found.distances[:, 1] > 1e-2)


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "hamming"])
def test_sparse_data__give_the_lists_of_dense_data(metric):
    X = sparse_cloud()
    dense, sparse = neighbors(X, 9, metric=metric), neighbors(scipy.sparse.csr_matrix(X), 9, metric=metric)
    # float32 against float64 (euclidean) or in another order: small integers leave only the last bits
    np.testing.assert_allclose(sparse.distances, dense.distances, rtol=4 * FLOAT32, atol=4 * FLOAT32)
    if metric != "cosine":  # no rounding, so that ties fall alike
        np.testing.assert_array_equal(sparse.indices, dense.indices)


@pytest.mark.parametrize("kind", [scipy.sparse.csc_matrix, scipy.sparse.coo_matrix, scipy.sparse.csr_array])
def test_sparse_formats__are_all_one(kind):
    X = sparse_cloud()
    given_as = kind(X)
    before = given_as.copy()
    assert_lists(neighbors(given_as, 9), *neighbors(scipy.sparse.csr_matrix(X), 9))
    assert (given_as != before).nnz == 0


@pytest.mark.parametrize(
    ("metric", "degree", "scale"),
    [
        *[("euclidean", 1, scale) for scale in (2.0**83, 2.0**-66, 1e25, 1e-20)],
        *[("cosine", 0, scale) for scale in (2.0**83, 2.0**-66, 1e25, 1e-20)],
        ("sqeuclidean", 2, 1e-18),
    ],
)
def test_data_of_extreme_scale__have_the_neighbors_of_ordinary_data(metric, degree, scale):
    X = cloud()
    ordinary, extreme = neighbors(X, 9, metric=metric), neighbors(X * scale, 9, metric=metric)
    np.testing.assert_array_equal(extreme.indices, ordinary.indices)
    # float32 data, float32 distances; a power of two changes no bit
    rtol = 0 if np.log2(scale) % 1 == 0 else 2e-6
    np.testing.assert_allclose(extreme.distances, ordinary.distances.astype(float) * scale**degree, rtol=rtol)


def test_distances_too_large_for_float32_sums__are_refused():
    with pytest.raises(ValueError, match=r"expected finite values up to 1e\+30, got .* in row 0; rescale the data"):
        neighbors(cloud() * 1e40, 9)


def test_exact_lists__do_not_depend_on_how_threads_share_the_rows(monkeypatch):
    found = neighbors(cloud(), 9)
    monkeypatch.setattr(umapinfo.core.distances, "SEARCHED", 7 * 60)  # 7 rows a thread at a time
    in_threads = neighbors(cloud(), 9)
    np.testing.assert_array_equal(in_threads.indices, found.indices)
    np.testing.assert_array_equal(in_threads.distances, found.distances)


def test_metrics_that_scipy_computes__are_pynndescents_and_take_no_arguments():
    known = metrics(sparse=False)
    for name in umapinfo.core.distances.SCIPY_NAMES:
        assert len(inspect.signature(known[name].py_func).parameters) == 2


def test_known_metrics__are_pynndescents_for_numbers():
    assert {"euclidean", "cosine", "jaccard", "wasserstein_1d"} <= set(metrics(sparse=False)) & set(
        metrics(sparse=True)
    )
    assert not {"bit_hamming", "bit_jaccard"} & set(metrics(sparse=False))  # of packed bits, not of numbers


# ---- precomputed ---------------------------------------------------------------------------------


@given(strategies.clouds(), st.data())
def test_precomputed__dense_or_sparse_gives_the_lists_of_the_points(X, data):
    k = data.draw(st.integers(2, len(X) - 1))
    D = cdist(X, X)
    i, j = np.nonzero(~np.eye(len(X), dtype=bool))  # a stored 0 is a distance, the diagonal is left out
    stored = scipy.sparse.coo_matrix((D[i, j], (i, j)), shape=D.shape)
    exact = neighbors(X, k)
    assert_lists(neighbors(D, k, metric="precomputed"), *exact)
    assert_lists(neighbors(stored, k, metric="precomputed"), *exact)


def test_precomputed_sparse__takes_the_stored_distances_for_the_known_ones():
    ring = scipy.sparse.diags_array([2.0, 1.0, 1.0, 2.0], offsets=[-4, -1, 1, 4], shape=(5, 5))
    found = neighbors(ring, 3, metric="precomputed")
    assert_lists(found, [[1, 4], [0, 2], [1, 3], [2, 4], [3, 0]], [[1, 2], [1, 1], [1, 1], [1, 1], [1, 2]])
    with pytest.raises(ValueError, match="expected at least 3 stored neighbours a row, got 2 in row 0; lower"):
        neighbors(ring, 4, metric="precomputed")


def test_precomputed__ignores_the_diagonal():
    D = cdist(cloud(), cloud())
    for given_as in (D + 7 * np.eye(60), scipy.sparse.csr_matrix(D + 1e-3 * np.eye(60))):
        assert_lists(neighbors(given_as, 9, metric="precomputed"), *neighbors(D, 9, metric="precomputed"))


# ---- lists ---------------------------------------------------------------------------------------


@given(strategies.clouds(min_n=5), st.data())
def test_lists__may_hold_the_point_itself_anywhere_or_not_at_all(X, data):
    n, k = len(X), data.draw(st.integers(2, 4))
    exact = neighbors(X, k)
    assert_lists(neighbors_from_lists(*exact, n_neighbors=k), *exact)
    # the point itself, distance 0, at a place of its own in each row
    place = np.array(data.draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n)))
    with_self = np.empty((n, k), np.int64), np.empty((n, k))
    for i in range(n):
        with_self[0][i] = np.insert(exact.indices[i].astype(np.int64), place[i], i)
        with_self[1][i] = np.insert(exact.distances[i].astype(np.float64), place[i], 0.0)
    assert_lists(neighbors_from_lists(*with_self), *exact)


def test_a_list_that_lacks_its_point__loses_its_farthest_neighbor():
    # point 0 lists three copies of itself; the others list themselves last, first and in between
    indices = [[1, 2, 3], [0, 2, 1], [2, 0, 1], [4, 3, 0], [3, 0, 4]]
    distances = [[0, 0, 0], [0, 0, 0], [0, 0, 0], [5, 0, 6], [5, 6, 0]]
    found = neighbors_from_lists(indices, distances)
    assert_lists(found, [[1, 2], [0, 2], [0, 1], [4, 0], [3, 0]], [[0, 0], [0, 0], [0, 0], [5, 6], [5, 6]])


def test_lists__come_out_sorted_and_the_input_stays():
    indices, distances = np.array([[2, 1], [0, 2], [1, 0], [0, 1]]), np.array([[3.0, 1.0], [1, 1], [2, 3], [9, 8]])
    before = indices.copy(), distances.copy()
    found = neighbors_from_lists(indices, distances, n_neighbors=3)
    assert_lists(found, [[1, 2], [0, 2], [1, 0], [1, 0]], [[1, 3], [1, 1], [2, 3], [8, 9]])
    np.testing.assert_array_equal(indices, before[0])
    np.testing.assert_array_equal(distances, before[1])
    found.distances[:] = 0  # an array of its own
    assert distances[0, 0] == 3


# ---- PyNNDescent ---------------------------------------------------------------------------------


@pytest.mark.slow  # numba compiles PyNNDescent's search anew in every process: 20 s
def test_pynndescent__finds_nearly_all_neighbors_of_digits_and_the_same_ones_twice():
    X, reports = load_digits().data, []
    exact, first = neighbors(X, 15), neighbors(X, 15, exact=False, seed=1, report=lambda *told: reports.append(told))
    assert_lists(neighbors(X, 15, exact=False, seed=1), *first)
    assert reports == [("neighbors", 0, 1797), ("neighbors", 1797, 1797)]
    assert recall(first, exact) > 0.95  # 0.998 found
    assert recall(neighbors(X, 15, exact=False, seed=2), exact) > 0.95
    assert not (first.indices == np.arange(1797)[:, None]).any()
    assert np.all(np.diff(first.distances, axis=1) >= 0)
    # what is found is at its distance; PyNNDescent's are float32 throughout, of data up to 16
    np.testing.assert_allclose(
        first.distances, np.take_along_axis(cdist(X, X), first.indices.astype(int), 1), rtol=1e-6
    )
    # Here, compiled already: of extreme scale, where squares are no float32 numbers, and of many copies
    for scale in (1e25, 1e-25):
        assert recall(neighbors(X * scale, 15, exact=False), exact) > 0.95
    copies = neighbors(np.repeat(X[:50], 20, axis=0), 15, exact=False)
    np.testing.assert_array_equal(copies.distances, 0.0)
    assert not (copies.indices == np.arange(1000)[:, None]).any()


class Search:
    """A stand-in for PyNNDescent: exact lists with the point itself, of which some rows are spoilt."""

    def __init__(self, data, n_neighbors, **settings):
        Search.asked = {"data": data, "n_neighbors": n_neighbors, **settings}
        dense = data.toarray() if scipy.sparse.issparse(data) else data
        indices, distances = brute_force(cdist(dense, dense), n_neighbors + 1)
        own = np.arange(len(dense))[:, None]
        self.indices, self.distances = np.hstack([own, indices[:, :-1]]), np.hstack([0.0 * own, distances[:, :-1]])
        self.indices[3, 5:], self.distances[3, 5:] = -1, np.inf  # not found
        self.indices[8], self.distances[8] = indices[8], distances[8]  # without itself
        settings["metric_kwds"]["n_features"] = 7  # as it does
        warnings.warn("Failed to correctly find n_neighbors for some samples.", stacklevel=2)

    @property
    def neighbor_graph(self):
        return self.indices, self.distances.astype(np.float32)


@pytest.mark.parametrize("kind", [np.array, scipy.sparse.csr_matrix])
def test_rows_that_pynndescent_leaves_open__are_searched_exactly_without_a_warning(monkeypatch, kind):
    monkeypatch.setattr(pynndescent, "NNDescent", Search)
    X, kwds = kind(sparse_cloud()), {}
    found, exact = neighbors(X, 9, exact=False, metric_kwds=kwds, seed=5), neighbors(X, 9)
    # small integers: in float32 their distances are the same to the last bits
    np.testing.assert_allclose(found.distances, exact.distances, rtol=4 * FLOAT32)
    np.testing.assert_array_equal(found.indices, exact.indices)
    assert (Search.asked["n_neighbors"], Search.asked["random_state"], Search.asked["metric"]) == (9, 5, "euclidean")
    assert Search.asked["data"].dtype == np.float32
    assert kwds == {}


def test_search__is_exact_below_4096_points_unless_asked(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("approximate search")

    monkeypatch.setattr(pynndescent, "NNDescent", refuse)
    X = cloud(4095, 1)
    neighbors(X, 3)
    with pytest.raises(AssertionError, match="approximate"):
        neighbors(np.append(X, [[0.0]], axis=0), 3)
    with pytest.raises(AssertionError, match="approximate"):
        neighbors(X, 3, exact=False)
    neighbors(np.append(X, [[0.0]], axis=0), 3, exact=True)
