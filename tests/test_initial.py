"""Starts: eigenvectors of the graph, components that lie apart, principal components, arrays, the box of side 10."""

import itertools

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.csgraph
import scipy.sparse.linalg
import strategies
from hypothesis import given
from hypothesis import strategies as st

from umapinfo.core.graph import graph_from_csr
from umapinfo.core.initial import STARTS, initial_layout
from umapinfo.core.membership import fuzzy_graph
from umapinfo.core.neighbors import neighbors


def cloud(n=300, dim=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim)) * np.arange(1, dim + 1)


def connected(n=300):
    """A connected graph of a cloud whose axes differ, so that its first eigenvalues lie apart."""
    return fuzzy_graph(neighbors(cloud(n), 10))


def parts(*sizes):
    """A graph of complete components of the sizes given; those of size 1 are isolated vertices."""
    blocks = [np.ones((size, size)) - np.eye(size) for size in sizes]
    return graph_from_csr(scipy.sparse.block_diag(blocks))


def normalised(graph):
    W = graph.to_csr().toarray()
    root = np.sqrt(W.sum(axis=1))
    return W / root[:, None] / root


def alignment(Y, vectors):
    """|correlation| of each axis of a layout with the vector of its number."""
    return [abs(np.corrcoef(y, v)[0, 1]) for y, v in zip(Y.T, vectors.T, strict=True)]


def in_box(Y, n, d=2):
    """A start as promised: float32, contiguous, finite, each axis from 0 to 10."""
    assert (Y.shape, Y.dtype, Y.flags.c_contiguous) == ((n, d), np.float32, True)
    np.testing.assert_array_equal(Y.min(axis=0), 0)
    # 10 (y - min)/(max - min) rounds to float32 once
    np.testing.assert_allclose(Y.max(axis=0), 10, rtol=1e-7)


# ---- spectral ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [150, 300])  # a dense and a sparse eigensolver
@pytest.mark.parametrize("d", [1, 2, 3])
def test_spectral__is_the_eigenvectors_of_the_normalised_laplacian(n, d):
    graph = connected(n)
    values, vectors = np.linalg.eigh(np.eye(n) - normalised(graph))
    assert np.diff(values[: d + 2]).min() > 5e-3  # connected, and no axes that are free to turn
    Y = initial_layout(graph, n_components=d)
    in_box(Y, n, d)
    # noise of 1e-4 on vectors of extent 10; Lanczos stops at 1e-6 of an eigenvalue, which gaps of 1e-2 enlarge to 1e-4
    # of a vector: the cosine is off by its square
    assert min(alignment(Y, vectors[:, 1 : d + 1])) > 1 - 1e-7


def plane_shared(Y, vectors):
    """Smallest cosine between the plane of a layout and that of two vectors, which alone may be free to turn."""
    one, other = (np.linalg.qr(axes - axes.mean(axis=0))[0] for axes in (Y.astype(np.float64), vectors))
    return np.linalg.svd(one.T @ other)[1].min()


@pytest.mark.parametrize("weight", [1e-2, 2e-3])  # the latter is what pruning at 500 epochs leaves
def test_spectral__tells_weakly_joined_clusters_apart(weight):
    # eigenvalues 2 and 3 are nearly 1, and closer to one another than Lanczos tells apart in one Krylov space
    W = scipy.sparse.block_diag([fuzzy_graph(neighbors(cloud(200, seed=s), 10)).to_csr() for s in (1, 2, 3)]).tolil()
    for i, j in [(0, 200), (201, 400)]:
        W[i, j] = W[j, i] = weight
    graph = graph_from_csr(W)
    assert plane_shared(initial_layout(graph), np.linalg.eigh(normalised(graph))[1][:, -3:-1]) > 1 - 1e-6  # as above


def test_spectral__shows_the_toy_ring_as_a_ring(ring):
    graph = graph_from_csr(ring[2])
    Y = initial_layout(graph)
    assert plane_shared(Y, np.linalg.eigh(normalised(graph))[1][:, -3:-1]) > 1 - 1e-6  # as above
    radius = np.hypot(*(Y - 5).T)
    assert radius.min() > 3  # a ring of radius about 5 with nothing inside


def circulant(n):
    """Each of n points on a circle joined to its two neighbours on either side."""
    i = np.arange(n)
    rows, columns = np.tile(i, 4), np.concatenate([(i + step) % n for step in (-2, -1, 1, 2)])
    return graph_from_csr(scipy.sparse.coo_matrix((np.full(4 * n, 0.5), (rows, columns))))


def test_spectral__shows_a_regular_circle_as_a_circle():
    Y = initial_layout(circulant(400))  # both eigenvalues are one to the last bit
    # Lanczos at 1e-6 of an eigenvalue against a gap of 1e-3, and noise of 1e-4
    np.testing.assert_allclose(np.hypot(*(Y - 5).T), 5, atol=0.02)


@pytest.mark.parametrize("graph", [circulant(400), parts(250)], ids=["circle", "complete"])
def test_spectral__is_determined_where_eigenvalues_coincide(graph):
    np.testing.assert_array_equal(initial_layout(graph), initial_layout(graph))


def test_spectral__is_determined_where_the_krylov_space_is_exhausted():
    star = np.zeros((300, 300))
    star[0, 1:] = star[1:, 0] = 1  # eigenvalues 1, 0 and -1 only
    in_box(initial_layout(graph_from_csr(star)), 300)
    np.testing.assert_array_equal(initial_layout(graph_from_csr(star)), initial_layout(graph_from_csr(star)))


def no_convergence(*_, **__):
    raise scipy.sparse.linalg.ArpackNoConvergence("no", np.zeros(0), np.zeros((0, 0)))


def test_spectral__goes_on_with_lobpcg_where_lanczos_does_not_converge(monkeypatch):
    graph = connected()
    lanczos = initial_layout(graph)
    monkeypatch.setattr(scipy.sparse.linalg, "eigsh", no_convergence)
    fallback = initial_layout(graph)
    in_box(fallback, 300)
    # LOBPCG stops at 1e-4 of an eigenvalue, gaps are 1e-2: 1e-2 of a vector, its square of a cosine
    assert min(alignment(fallback, lanczos)) > 1 - 1e-4
    np.testing.assert_array_equal(fallback, initial_layout(graph))


def test_spectral__warns_of_nothing_where_lobpcg_falls_short_of_its_tolerance(monkeypatch):
    monkeypatch.setattr(scipy.sparse.linalg, "eigsh", no_convergence)
    chain = scipy.sparse.diags_array([1.0, 1.0], offsets=[-1, 1], shape=(3000, 3000))
    in_box(initial_layout(graph_from_csr(chain)), 3000)  # a warning would be an error here


@pytest.mark.parametrize(
    "sizes",
    [(30, 20), (1, 1), (9, 7, 40, 3, 1), (5,) * 5, (3,) * 60, (1,) * 60, (12,) * 60, (250, 230), (40, 1, 1), (2, 2)],
    ids=lambda sizes: "+".join(f"{len(list(same))}x{size}" for size, same in itertools.groupby(sizes)),
)
@pytest.mark.parametrize("data", ["none", "dense", "sparse", "constant"])
@pytest.mark.parametrize("d", [2, 3])
def test_components__lie_apart_with_and_without_data(sizes, data, d):
    n, graph = sum(sizes), parts(*sizes)
    X = {"none": None, "dense": cloud(n), "constant": np.ones((n, 2))}.get(data)
    X = scipy.sparse.csr_matrix(np.maximum(cloud(n), 0)) if data == "sparse" else X
    Y = initial_layout(graph, X=X, n_components=d)
    in_box(Y, n, d)
    assert len(np.unique(Y, axis=0)) == n
    labels = np.repeat(np.arange(len(sizes)), sizes)
    boxes = [(Y[labels == part].min(axis=0), Y[labels == part].max(axis=0)) for part in range(len(sizes))]
    # A component keeps within half the distance to the nearest other centre along each axis, before noise of 1e-4:
    # in some direction two centres are further apart than that, so no box lies inside another
    for (low, high), (other_low, other_high) in itertools.permutations(boxes, 2):
        assert not (np.all(low >= other_low + 1e-2) and np.all(high <= other_high - 1e-2))


def test_components__stand_where_their_centroids_do():
    # 60 far clusters on a line: their order along the first axis is that of the data
    n_parts, size = 60, 8
    X = np.repeat(np.linspace(-1, 1, n_parts), size)[:, None] * [[1.0, 2.0, -1.0]]
    Y = initial_layout(parts(*(size,) * n_parts), X=X)
    centres = Y.reshape(n_parts, size, 2).mean(axis=1)
    # the clusters' own extent is half a gap of 10/59, and centres get noise of a thousandth
    assert alignment(centres[:, :1], np.linspace(-1, 1, n_parts)[:, None])[0] > 0.999


def test_components__of_a_pruned_graph_may_be_isolated_vertices():
    W = scipy.sparse.block_diag([connected(250).to_csr(), scipy.sparse.csr_matrix((2, 2))])
    Y = initial_layout(graph_from_csr(W))
    in_box(Y, 252)
    assert scipy.sparse.csgraph.connected_components(W)[0] == 3


def test_spectral__starts_a_graph_without_edges():
    in_box(initial_layout(graph_from_csr(np.zeros((7, 7)))), 7)


@given(strategies.symmetric_graphs(min_edges=0), st.integers(1, 4), st.sampled_from(["spectral", "random"]))
def test_any_graph__has_a_start_in_any_dimension(p, d, how):
    in_box(initial_layout(graph_from_csr(p), how, n_components=d), p.shape[0], d)


# ---- pca, random ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "X",
    [
        cloud(120, 5),  # tall
        cloud(20, 60),  # wide
        scipy.sparse.csr_matrix(np.maximum(cloud(120, 5), 0)),
        scipy.sparse.random(500, 260, 0.05, random_state=0, format="csr"),  # too large to be made dense
        scipy.sparse.random(260, 500, 0.05, random_state=0, format="csc"),
    ],
    ids=["tall", "wide", "sparse", "sparse tall", "sparse wide"],
)
def test_pca__is_the_first_principal_components(X):
    n = X.shape[0]
    dense = X.toarray() if scipy.sparse.issparse(X) else X
    U, S, _ = np.linalg.svd(dense - dense.mean(axis=0), full_matrices=False)
    assert S[0] > 1.001 * S[1] > 1.001 * S[2]  # else the axes would be free to turn
    Y = initial_layout(parts(n), "pca", X=X)
    in_box(Y, n)
    # noise of 1e-4 on an extent of 10
    assert min(alignment(Y, U[:, :2] * S[:2])) > 1 - 1e-8


def test_pca__fills_axes_beyond_the_rank_of_the_data_with_noise():
    X = cloud(40, 1)
    Y = initial_layout(parts(40), "pca", X=X, n_components=3)
    in_box(Y, 40, 3)
    assert alignment(Y[:, :1], X)[0] > 1 - 1e-8  # as above


@pytest.mark.parametrize("X", [np.full((250, 3), 0.1), scipy.sparse.csr_matrix((250, 240)), np.zeros((250, 300))])
def test_pca__starts_points_that_are_all_equal(X):
    Y = initial_layout(parts(250), "pca", X=X)
    in_box(Y, 250)
    assert len(np.unique(Y, axis=0)) == 250


@pytest.mark.parametrize("scale", [1e25, 1e-20])
def test_pca__does_not_feel_the_scale_of_the_data(scale):
    one, other = (initial_layout(parts(60), "pca", X=cloud(60) * factor) for factor in (1.0, scale))
    np.testing.assert_allclose(one, other, atol=1e-5)  # rounding of the float32 layout of extent 10, times ten


def test_random__is_uniform_in_the_box():
    Y = initial_layout(parts(2000), "random", n_components=3)
    in_box(Y, 2000, 3)
    np.testing.assert_allclose(np.quantile(Y, [0.25, 0.5, 0.75], axis=0), np.outer([2.5, 5, 7.5], np.ones(3)), atol=0.5)
    # 0.5 is over four standard errors of a quartile: 10 * sqrt(3/16/2000) = 0.1


# ---- arrays --------------------------------------------------------------------------------------


def test_an_array__is_rescaled_and_nothing_else():
    given_as = cloud(50, 3)
    before = given_as.copy()
    Y = initial_layout(parts(50), given_as, n_components=2)  # the array brings its own dimension
    in_box(Y, 50, 3)
    span = np.ptp(given_as, axis=0)
    # one float32 rounding of numbers up to 10
    np.testing.assert_allclose(Y, 10 * (given_as - given_as.min(axis=0)) / span, atol=1e-6)
    np.testing.assert_array_equal(given_as, before)
    np.testing.assert_array_equal(Y, initial_layout(parts(50), given_as.tolist(), seed=7))


def test_an_array_with_equal_rows__gets_noise_that_parts_them():
    given_as = np.repeat(cloud(25, 2), 2, axis=0)
    given_as[::5] += 1  # nine in ten rows have a copy, so that the mean nearest distance is not 0
    Y = initial_layout(parts(50), given_as)
    in_box(Y, 50)
    assert len(np.unique(Y, axis=0)) == 50
    # noise of a thousandth of the mean distance to the nearest row: far less than the extent
    assert min(alignment(Y, given_as)) > 1 - 1e-6
    collapsed = initial_layout(parts(50), np.full((50, 2), 3.0))
    in_box(collapsed, 50)
    assert len(np.unique(collapsed, axis=0)) == 50


def test_a_constant_axis__becomes_0():
    given_as = np.column_stack([np.arange(5.0), np.full(5, 7.0)])
    Y = initial_layout(parts(5), given_as)
    np.testing.assert_array_equal(Y, [[0, 0], [2.5, 0], [5, 0], [7.5, 0], [10, 0]])


@pytest.mark.parametrize("kind", [np.float16, np.int32, np.float32])
def test_an_array_of_any_dtype_and_order__is_taken(kind):
    given_as = np.array([[0, 4], [1, 2], [3, 1], [2, 3]], dtype=kind, order="F")
    given_as.setflags(write=False)
    np.testing.assert_array_equal(initial_layout(parts(4), given_as), initial_layout(parts(4), given_as.tolist()))


# ---- seeds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", STARTS)
@pytest.mark.parametrize("sizes", [(300,), (40, 40), (5,) * 12])
def test_a_seed__gives_one_start_and_another_seed_another(how, sizes):
    n, graph = sum(sizes), connected() if sizes == (300,) else parts(*sizes)
    starts = [initial_layout(graph, how, X=cloud(n), seed=seed) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(starts[0], starts[1])
    assert not np.array_equal(starts[0], starts[2])


def test_the_global_random_state__is_neither_read_nor_changed():
    graph, before = connected(), np.random.get_state()[1].copy()  # noqa: NPY002  others use it
    first = initial_layout(graph)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.random.seed(99)  # noqa: NPY002
    np.testing.assert_array_equal(initial_layout(graph), first)


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "settings", "error", "words"),
    [
        (
            "spectrum",
            {},
            ValueError,
            "expected a known name or an array, got 'spectrum'; choose one of spectral, pca, random",
        ),
        ("pca", {}, ValueError, "expected the data for 'pca', got X=None; pass X="),
        ("pca", {"X": np.ones((4, 2))}, ValueError, "expected 5 rows, one a vertex, got 4"),
        (np.zeros((4, 2)), {}, ValueError, r"expected an array \[5, n_components\], got shape \(4, 2\)"),
        (np.zeros(5), {}, ValueError, r"got shape \(5,\)"),
        (np.zeros((5, 0)), {}, ValueError, r"got shape \(5, 0\)"),
        (np.array([[0, 0]] * 3 + [[0, np.nan]] * 2), {}, ValueError, "got nan in row 3, column 1"),
        (np.array([["a", "b"]] * 5), {}, TypeError, "expected real numbers, got dtype <U1"),
        (None, {}, TypeError, "expected real numbers, got dtype object"),
        (np.zeros((5, 2), complex), {}, TypeError, "got dtype complex128"),
        ("random", {"n_components": 0}, ValueError, "n_components: expected a whole number >= 1, got 0"),
        ("random", {"n_components": 2.0}, ValueError, "n_components: expected a whole number >= 1, got 2.0"),
    ],
)
def test_wrong_starts__are_refused(how, settings, error, words):
    with pytest.raises(error, match=words):
        initial_layout(parts(5), how, **settings)
