"""Graphs: somebody else's probabilities, their canonical form, pruning as umap-learn does it, degrees and heads."""

import numpy as np
import pytest
import reference as ref
import scipy.sparse
import strategies
from hypothesis import given
from hypothesis import strategies as st

from umapinfo.core.graph import csr_graph, default_epochs, graph_from_csr, kept, prune
from umapinfo.core.membership import fuzzy_graph
from umapinfo.core.neighbors import neighbors


def assert_canonical(graph):
    """CSR with the dtypes promised, sorted columns, no diagonal, no zeros, both directions."""
    assert (graph.indptr.dtype, graph.indices.dtype, graph.weight.dtype) == (np.int64, np.int32, np.float32)
    assert graph.indptr[0] == 0
    assert graph.indptr[-1] == graph.n_entries == len(graph.indices)
    for i in range(graph.n_vertices):
        columns = graph.indices[graph.indptr[i] : graph.indptr[i + 1]]
        assert np.all(np.diff(columns) > 0)
        assert i not in columns
    assert np.all((graph.weight > 0) & (graph.weight <= 1))
    dense = graph.to_csr().toarray()
    np.testing.assert_array_equal(dense, dense.T)


# ---- graph_from_csr ------------------------------------------------------------------------------


@given(
    strategies.symmetric_graphs(min_edges=0), st.sampled_from(["csr", "csc", "coo", "lil", "dense", "list", "array"])
)
def test_graph_from_csr__keeps_the_probabilities_of_any_kind_of_matrix(p, kind):
    given_as = {
        "dense": p.toarray,
        "list": lambda: p.toarray().tolist(),
        "array": lambda: scipy.sparse.csr_array(p),
    }.get(kind, lambda: p.asformat(kind))()
    graph = graph_from_csr(given_as)
    assert_canonical(graph)
    np.testing.assert_array_equal(graph.to_csr().toarray(), p.toarray())  # float32 numbers stay what they are
    assert graph.n_neighbors is None
    assert graph.rows is None


def test_graph_from_csr__makes_entries_canonical_and_leaves_the_input_alone():
    # 0-1 in two parts and out of order, an explicit zero at 1-2
    rows, columns = [2, 1, 0, 1, 0, 2, 1], [1, 2, 1, 0, 1, 2, 0]
    values = [0.0, 0.0, 0.25, 0.25, 0.5, 0.0, 0.5]
    given_as = scipy.sparse.coo_matrix((values, (rows, columns)), shape=(4, 4))
    graph = graph_from_csr(given_as)
    assert_canonical(graph)
    assert (graph.indptr.tolist(), graph.indices.tolist(), graph.weight.tolist()) == (
        [0, 1, 2, 2, 2],
        [1, 0],
        [0.75] * 2,
    )
    assert given_as.data.tolist() == values
    csr = scipy.sparse.csr_matrix((np.array([0.5, 0.0, 0.5]), [1, 2, 0], [0, 2, 3, 3]), shape=(3, 3))
    before = csr.copy()
    graph_from_csr(csr)
    assert csr.nnz == before.nnz == 3


def test_graph_from_csr__takes_the_mean_of_both_directions_and_drops_what_float32_has_not():
    graph = graph_from_csr([[0, 0.5, 1e-60], [0.5 + 4e-7, 0, 0], [1e-60, 0, 0]])
    assert graph.weight.tolist() == [np.float32(0.5 + 2e-7)] * 2


@pytest.mark.parametrize(
    ("matrix", "error", "words"),
    [
        (None, TypeError, "expected a numeric matrix of edge probabilities, got NoneType"),
        ([["a", "b"], ["c", "d"]], TypeError, "expected a numeric matrix"),
        (np.array([[0, 1j], [-1j, 0]]), TypeError, "expected a numeric matrix"),
        (np.zeros((2, 2, 2)), TypeError, "expected a numeric matrix"),
        ([[0, 1, 0], [1, 0, 0]], ValueError, r"expected a square matrix of at least 2 rows, got shape \(2, 3\)"),
        ([[0]], ValueError, r"at least 2 rows, got shape \(1, 1\)"),
        (np.zeros((0, 0)), ValueError, r"at least 2 rows, got shape \(0, 0\)"),
        ([[0, 0, 0], [0, 0, 1.5], [0, 1.5, 0]], ValueError, r"in \[0, 1\], got 1.5 in row 1; divide"),
        ([[0, -0.5], [-0.5, 0]], ValueError, r"in \[0, 1\], got -0.5 in row 0"),
        ([[0, np.nan], [np.nan, 0]], ValueError, r"in \[0, 1\], got nan in row 0"),
        ([[0.5, 1], [1, 0]], ValueError, "expected a zero diagonal, got self-loops; remove them"),
        ([[0, 1], [0.99, 0]], ValueError, "expected a symmetric matrix .* got an asymmetric one; symmetrise it"),
    ],
)
def test_graph_from_csr__refuses_what_are_no_edge_probabilities(matrix, error, words):
    with pytest.raises(error, match=words):
        graph_from_csr(matrix)


# ---- what a graph knows --------------------------------------------------------------------------


@given(strategies.symmetric_graphs(min_edges=0))
def test_degree_heads_and_counts__are_those_of_the_matrix(p):
    graph, dense = graph_from_csr(p), p.toarray().astype(np.float64)
    assert (graph.n_vertices, graph.n_entries) == (len(dense), np.count_nonzero(dense))
    np.testing.assert_array_equal(graph.heads, np.nonzero(dense)[0])
    np.testing.assert_array_equal(graph.indices, np.nonzero(dense)[1])
    assert (graph.heads.dtype, graph.degree.dtype) == (np.int32, np.float64)
    # a dozen float32 numbers add up in float64 with roundings of 1e-16 each
    np.testing.assert_allclose(graph.degree, ref.degree(dense), rtol=1e-14)


def test_fuzzy_graphs__are_canonical_and_keep_their_rows():
    X = np.random.default_rng(0).normal(size=(40, 3))
    graph = fuzzy_graph(neighbors(X, 8))
    assert_canonical(graph)
    assert graph.n_neighbors == 8
    np.testing.assert_array_equal(graph.rows.indptr, np.arange(41) * 7)


def test_to_csr__gives_a_matrix_of_its_own():
    graph = graph_from_csr([[0, 0.5], [0.5, 0]])
    matrix = graph.to_csr()
    matrix.data[:] = 7
    matrix.indices[:] = 0
    assert graph.weight.tolist() == [0.5, 0.5]
    assert graph.indices.tolist() == [1, 0]


def test_csr_graph__drops_zeros_and_sorts():
    graph = csr_graph(scipy.sparse.csr_matrix(([0.5, 0.0, 0.5], [2, 1, 0], [0, 2, 2, 3]), shape=(3, 3)), n_neighbors=2)
    assert (graph.indptr.tolist(), graph.indices.tolist(), graph.n_neighbors) == ([0, 1, 1, 2], [2, 0], 2)


# ---- prune ---------------------------------------------------------------------------------------


@given(strategies.symmetric_graphs(min_edges=0), st.integers(0, 700))
def test_prune__is_the_twins(p, n_epochs):
    mu = prune(graph_from_csr(p), n_epochs)
    assert_canonical(mu)
    np.testing.assert_array_equal(mu.to_csr().toarray(), ref.prune(p.toarray(), n_epochs))


def test_prune__leaves_the_entries_that_umap_learn_schedules(golden):
    arrays = golden("run")
    parts = arrays["p_weight"], arrays["p_indices"], arrays["p_indptr"]
    p = scipy.sparse.csr_matrix(parts, shape=(60, 60))
    mu = prune(csr_graph(p), int(arrays["n_epochs"]))
    np.testing.assert_array_equal(mu.heads, arrays["head"])
    np.testing.assert_array_equal(mu.indices, arrays["tail"])
    # of a weight at the threshold umap-learn asks whether it is smaller, so that it stays
    edge = csr_graph(
        [[0, 1, 0.005], [1, 0, np.nextafter(np.float32(0.005), 0)], [0.005, np.nextafter(np.float32(0.005), 0), 0]]
    )
    assert prune(edge, 200).n_entries == 4


def test_prune__takes_the_default_number_of_epochs_for_ten_or_fewer():
    p = graph_from_csr([[0, 1, 0.004], [1, 0, 0.0019], [0.004, 0.0019, 0]])
    counts = {n_epochs: prune(p, n_epochs).n_entries for n_epochs in (0, 1, 10, 11, 200, 300, 500, 1000)}
    # 500 epochs for a small graph: 0.004 stays (0.002), 0.0019 goes
    assert counts == {0: 4, 1: 4, 10: 4, 11: 2, 200: 2, 300: 4, 500: 4, 1000: 6}
    assert (default_epochs(10_000), default_epochs(10_001)) == (500, 200)


def test_prune__divides_nothing_and_carries_rows_and_n_neighbors_over():
    graph = fuzzy_graph(neighbors(np.random.default_rng(0).normal(size=(60, 3)), 10))
    mu, keep = prune(graph, 11), kept(graph, 11)
    assert 0 < mu.n_entries < graph.n_entries
    np.testing.assert_array_equal(mu.weight, graph.weight[keep])
    np.testing.assert_array_equal(mu.indices, graph.indices[keep])
    np.testing.assert_array_equal(mu.heads, graph.heads[keep])
    assert mu.rows is graph.rows
    assert mu.n_neighbors == graph.n_neighbors
    # C14: at most (entries pruned) / n_epochs is lost of a degree
    assert np.all(graph.degree - mu.degree <= np.bincount(graph.heads[~keep], minlength=60) / 11)


def test_prune__leaves_a_graph_without_edges_alone():
    empty = graph_from_csr(np.zeros((3, 3)))
    assert prune(empty, 200).n_entries == 0
    assert empty.degree.tolist() == [0, 0, 0]
    assert empty.heads.dtype == np.int32


def test_prune__refuses_negative_epochs():
    with pytest.raises(ValueError, match="expected n_epochs >= 0, got -1"):
        prune(graph_from_csr([[0, 1], [1, 0]]), -1)
