"""What users hand in: every row of the table of inputs, refused with a message that helps or taken as it is."""

import hashlib
import os
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import strategies
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from umapinfo import (
    Curve,
    Descent,
    Neighbors,
    Recording,
    embed,
    epochs,
    fit_curve,
    fuzzy_graph,
    graph_from_csr,
    initial_layout,
    initial_state,
    neighbors,
    neighbors_from_lists,
    pair_sums,
    prune,
    run,
)
from umapinfo.measures.degree import degree

# What the issue promises of every row: the search's 1e-5 and the rounding of float32.
ROW_TOLERANCE = 1e-4
N = 40


def cloud(n=N, dim=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim))


def whole(n=N, dim=4, seed=0):
    """Whole numbers that float16 and int8 hold, without copies."""
    return np.random.default_rng(seed).integers(-100, 100, size=(n, dim)).astype(np.float64)


def spoilt(values, place, value):
    """A copy with one value replaced."""
    copy = np.array(values, dtype=np.float64)
    copy[place] = value
    return copy


def layout(X, **settings):
    """The last layout of a short run, checked: finite, of the right shape, its trace without a NaN."""
    trace = embed(X, **({"n_neighbors": 5, "n_epochs": 15, "progress": False} | settings))
    Y = trace["layouts"]["Y"].values[-1]
    assert (Y.shape, Y.dtype) == ((X.shape[0], settings.get("n_components", 2)), np.float32)
    assert np.isfinite(Y).all()
    for group in trace.children.values():
        for name, values in group.data_vars.items():
            assert values.dtype.kind != "f" or not np.isnan(values.values).any(), name
    return Y


def digest(data):
    """Digest of everything that a user's X consists of: values, dtype, and a sparse matrix's structure."""
    if scipy.sparse.issparse(data):
        coo = data.tocoo()
        parts = (coo.row, coo.col, coo.data)
    elif isinstance(data, pd.DataFrame):
        parts = (data.to_numpy(), data.index.to_numpy(), np.array([str(name) for name in data.columns]))
    else:
        parts = (data,)
    return [(part.dtype, hashlib.sha256(np.ascontiguousarray(part).tobytes()).hexdigest()) for part in parts]


def path(n=5):
    """The path 0 - 1 - ... - n - 1 as a graph."""
    return graph_from_csr(scipy.sparse.diags_array([0.5, 0.5], offsets=[-1, 1], shape=(n, n)))


# ---- what is refused -----------------------------------------------------------------------------

X, D, Y = cloud(), cdist(cloud(), cloud()), cloud(5, 2)
I5 = [[1, 2], [2, 3], [3, 4], [4, 0], [0, 1]]
D5 = [[1.0, 2.0]] * 5
UMAP = Curve(1.6, 0.9)
NAN, INF = float("nan"), float("inf")

# name: (call, error, what was expected | what was given, with its first place | what to do)
REFUSED = {
    # NaN or inf in X
    "NaN in X": (
        lambda: embed(spoilt(X, (3, 1), NAN)),
        ValueError,
        "finite values | nan in row 3, column 1 | drop or impute",
    ),
    "inf in X": (
        lambda: embed(spoilt(X, (0, 2), INF)),
        ValueError,
        "finite values | inf in row 0, column 2 | drop or impute",
    ),
    "first of several": (
        lambda: neighbors(spoilt(X, (slice(7, 20), 3), -INF)),
        ValueError,
        "finite | -inf in row 7, column 3 | drop",
    ),
    "NaN in a DataFrame": (
        lambda: embed(pd.DataFrame(spoilt(X, (3, 1), NAN))),
        ValueError,
        "finite values | nan in row 3, column 1 | drop",
    ),
    "NaN in a sparse X": (
        lambda: embed(scipy.sparse.csr_matrix(spoilt(np.eye(N), (3, 1), NAN))),
        ValueError,
        "finite values | nan in row 3, column 1 | drop",
    ),
    "NaN in X of a start": (
        lambda: initial_layout(path(), "pca", X=spoilt(Y, (4, 0), NAN)),
        ValueError,
        "finite | nan in row 4, column 0 | drop",
    ),
    # NaN or inf in a layout
    "NaN in a start": (
        lambda: initial_layout(path(), spoilt(Y, (2, 1), NAN)),
        ValueError,
        "finite values | nan in row 2, column 1 | drop",
    ),
    "inf in embed's start": (
        lambda: embed(X, init=spoilt(cloud(N, 2), (2, 1), INF)),
        ValueError,
        "finite | inf in row 2, column 1 | drop",
    ),
    "NaN in a state": (
        lambda: initial_state(path(), Descent(), spoilt(Y, (2, 1), NAN)),
        ValueError,
        "finite values | nan in row 2, column 1 | drop",
    ),
    "inf in a run's start": (
        lambda: run(path(), UMAP, Descent(), spoilt(Y, (2, 1), INF), progress=False),
        ValueError,
        "finite values | inf in row 2, column 1 | drop",
    ),
    "NaN in a pair sum": (
        lambda: pair_sums(spoilt(Y, (2, 1), NAN), "attraction", np.ones(5), UMAP),
        ValueError,
        "finite | at vertex 2 | repair",
    ),
    # 0 or 1 rows, 1-d or 3-d, no numbers
    "no row": (lambda: embed(np.zeros((0, 4))), ValueError, "at least 2 rows | shape (0, 4) | a row per point"),
    "one row": (lambda: embed(np.zeros((1, 4))), ValueError, "at least 2 rows | shape (1, 4) | a row per point"),
    "no column": (lambda: neighbors(np.zeros((9, 0)), 3), ValueError, "1 column | shape (9, 0) | a row per point"),
    "1-d": (lambda: embed(np.zeros(40)), ValueError, "[n, n_features] | 1 dimension(s) of shape (40,) | reshape"),
    "3-d": (
        lambda: embed(np.zeros((4, 3, 2))),
        ValueError,
        "[n, n_features] | 3 dimension(s) of shape (4, 3, 2) | reshape",
    ),
    "a number": (lambda: embed(3.0), ValueError, "[n, n_features] | 0 dimension(s) | reshape"),
    "object dtype": (lambda: embed(X.astype(object)), TypeError, "real numbers | dtype object | astype(float)"),
    "text": (lambda: embed(np.array([["a", "b"]] * 9)), TypeError, "real numbers | dtype <U1 | astype(float)"),
    "complex": (lambda: embed(X.astype(complex)), TypeError, "real numbers | dtype complex128 | astype(float)"),
    "a masked array": (
        lambda: embed(np.ma.masked_greater(X, 2.0)),
        ValueError,
        "values everywhere | a masked array | drop or impute",
    ),
    "a DataFrame with text": (
        lambda: embed(pd.DataFrame({"x": range(9), "name": list("abcdefghi")})),
        TypeError,
        "real numbers | dtype object | astype(float)",
    ),
    # n_neighbors
    "n_neighbors 1": (lambda: embed(X, 1), ValueError, "2 <= n_neighbors < n = 40 | got 1 | in that range"),
    "n_neighbors -1": (lambda: neighbors(X, -1), ValueError, "2 <= n_neighbors | got -1 | in that range"),
    "n_neighbors n": (lambda: embed(X, N), ValueError, "n_neighbors < n = 40 | got 40 | in that range"),
    "n_neighbors over n": (lambda: neighbors(X, 41), ValueError, "n_neighbors < n = 40 | got 41 | in that range"),
    "n_neighbors 2.5": (lambda: neighbors(X, 2.5), TypeError, "an integer | got 2.5 | round it"),
    "n_neighbors True": (lambda: neighbors(X, True), TypeError, "an integer | got True | round it"),
    "default n_neighbors": (lambda: embed(X[:15]), ValueError, "n_neighbors < n = 15 | got 15 | in that range"),
    # unknown names
    "metric": (
        lambda: embed(X, metric="euclid"),
        ValueError,
        "a name that PyNNDescent knows | got 'euclid' | choose one of braycurtis, canberra, ",
    ),
    "metric of sparse data": (
        lambda: neighbors(scipy.sparse.eye_array(9), 3, metric="mahalanobis"),
        ValueError,
        "a name that PyNNDescent knows | 'mahalanobis' | choose one of",
    ),
    "init": (
        lambda: embed(X, init="spectre"),
        ValueError,
        "a known name or an array | got 'spectre' | choose one of spectral, pca, random",
    ),
    "order": (lambda: embed(X, order="blockwise"), ValueError, "order: expected one of 'sequential' | got 'blockwise'"),
    "streams": (lambda: Descent(streams="numpy"), ValueError, "one of 'counter', 'umap' | got 'numpy'"),
    "potential": (
        lambda: pair_sums(Y, "gravity", np.ones(5), UMAP),
        ValueError,
        "one or more of attraction, repulsion | got 'gravity'",
    ),
    "setting": (lambda: embed(X, n_epoch=3), TypeError, "n_epoch"),
    # precomputed distances
    "not square": (
        lambda: embed(D[:, :9], metric="precomputed"),
        ValueError,
        "a square matrix | shape (40, 9) | neighbors_from_lists",
    ),
    "not symmetric": (
        lambda: embed(np.triu(D), metric="precomputed"),
        ValueError,
        "a symmetric matrix | differ by | neighbors_from_lists",
    ),
    "sparse, not symmetric": (
        lambda: neighbors(scipy.sparse.csr_matrix(np.triu(D)), metric="precomputed"),
        ValueError,
        "a symmetric | differ by | neighbors_from_lists",
    ),
    "negative": (lambda: embed(-D, metric="precomputed"), ValueError, "values >= 0 | got - | not similarities"),
    "NaN in distances": (
        lambda: embed(spoilt(D, (1, 2), NAN), metric="precomputed"),
        ValueError,
        "finite | nan in row 1, column 2 | drop",
    ),
    "too few stored": (
        lambda: neighbors(scipy.sparse.diags_array([1.0, 1.0], offsets=[-1, 1], shape=(9, 9)), 4, metric="precomputed"),
        ValueError,
        "at least 3 stored neighbours a row | got 1 in row 0 | lower n_neighbors",
    ),
    # neighbour lists
    "-1 in lists": (
        lambda: neighbors_from_lists(spoilt(I5, (2, 1), -1).astype(int), D5, 3),
        ValueError,
        "indices in [0, 5) | -1 in row 2 | search again",
    ),
    "-1 at inf": (
        lambda: neighbors_from_lists(spoilt(I5, (2, 1), -1).astype(int), spoilt(D5, (2, 1), INF), 3),
        ValueError,
        "[0, 5) | -1 in row 2 | search again",
    ),
    "out of range": (
        lambda: neighbors_from_lists(spoilt(I5, (2, 1), 5).astype(int), D5, 3),
        ValueError,
        "indices in [0, 5) | got 5 in row 2 | search again",
    ),
    "made by hand": (
        lambda: fuzzy_graph(Neighbors(np.array(I5) + 1, np.array(D5))),
        ValueError,
        "indices in [0, 5) | got 5 in row 2 | search again",
    ),
    "itself in a short list": (
        lambda: neighbors_from_lists(spoilt(I5, (2, 1), 2).astype(int), D5, 3),
        ValueError,
        "without the point itself | row 2 | give n_neighbors=2",
    ),
    "twice the same": (
        lambda: neighbors_from_lists([[1, 1]] * 5, D5, 3),
        ValueError,
        "each neighbour once a row | twice in row 0 | remove repeated",
    ),
    "indices that are no integers": (
        lambda: neighbors_from_lists(np.array(I5, float), D5, 3),
        TypeError,
        "integer indices | float64 | astype(int)",
    ),
    "lists of two shapes": (
        lambda: neighbors_from_lists(I5, D5[:4], 3),
        ValueError,
        "two arrays [n, k] | (5, 2) and (4, 2) | of one search",
    ),
    "1-d lists": (
        lambda: neighbors_from_lists([1, 2], [1.0, 2.0]),
        ValueError,
        "two arrays [n, k] | (2,) and (2,) | of one search",
    ),
    "columns": (
        lambda: neighbors_from_lists(I5, D5, 4),
        ValueError,
        "4 or 3 columns for n_neighbors=4 | got 2 | counts the point itself",
    ),
    "negative in lists": (
        lambda: neighbors_from_lists(I5, spoilt(D5, (1, 0), -2), 3),
        ValueError,
        "distances >= 0 | -2.0 in row 1 | not similarities",
    ),
    "NaN in lists": (
        lambda: neighbors_from_lists(I5, spoilt(D5, (1, 0), NAN), 3),
        ValueError,
        "finite values | nan in row 1 | rescale",
    ),
    "inf in lists": (
        lambda: neighbors_from_lists(I5, spoilt(D5, (1, 0), INF), 3),
        ValueError,
        "finite values | inf in row 1 | rescale",
    ),
    # starts
    "start's rows": (
        lambda: initial_layout(path(), Y[:4]),
        ValueError,
        "[5, n_components] | shape (4, 2) | a row per vertex",
    ),
    "embed's start": (lambda: embed(X, init=Y), ValueError, "[40, n_components] | shape (5, 2) | a row per vertex"),
    "run's start": (
        lambda: run(path(), UMAP, Descent(), Y[:4], progress=False),
        ValueError,
        "shape [5, d] | got (4, 2)",
    ),
    "1-d state": (lambda: initial_state(path(), Descent(), np.zeros(5)), ValueError, "shape [5, d] | got (5,)"),
    "pca without X": (lambda: initial_layout(path(), "pca"), ValueError, "the data for 'pca' | X=None | pass X="),
    "labels": (lambda: embed(X, labels=["a", "b"]), ValueError, "labels: expected shape [40] | got (2,)"),
    "n_components 0": (lambda: embed(X, n_components=0), ValueError, "a whole number >= 1 | got 0 | 2 is usual"),
    # numbers out of range
    "n_epochs -1": (lambda: embed(X, n_epochs=-1), ValueError, "n_epochs: expected | got -1"),
    "n_epochs 2.5": (lambda: Descent(n_epochs=2.5), ValueError, "a whole number | got 2.5"),
    "pruned for -1": (lambda: prune(path(), -1), ValueError, "n_epochs >= 0 | got -1 | that of the run"),
    "min_dist over spread": (
        lambda: embed(X, min_dist=2.0),
        ValueError,
        "min_dist <= spread | min_dist=2.0, spread=1.0 | raise spread",
    ),
    "min_dist -1": (lambda: fit_curve(-1.0), ValueError, "0 <= min_dist | min_dist=-1.0 | lower min_dist"),
    "spread 0": (lambda: fit_curve(0.0, 0.0), ValueError, "spread > 0 | spread=0.0 | raise spread"),
    "a 0": (
        lambda: run(path(), Curve(0.0, 1.0), Descent(), Y, progress=False),
        ValueError,
        "a > 0 | a=0.0 | fit_curve",
    ),
    "b -1": (
        lambda: pair_sums(Y, "attraction", np.ones(5), Curve(1.0, -1.0)),
        ValueError,
        "b > 0 | b=-1.0 | fit_curve",
    ),
    "a NaN": (
        lambda: run(path(), Curve(NAN, 1.0), Descent(), Y, progress=False),
        ValueError,
        "finite a > 0 | a=nan | fit_curve",
    ),
    "rtol 0": (
        lambda: pair_sums(Y, "attraction", np.ones(5), UMAP, rtol=0),
        ValueError,
        "(0, 1) | got 0 | None is the exact sum",
    ),
    "rtol 1": (
        lambda: pair_sums(Y, "attraction", np.ones(5), UMAP, rtol=1),
        ValueError,
        "(0, 1) | got 1 | None is the exact sum",
    ),
    "rtol NaN": (
        lambda: pair_sums(Y, "attraction", np.ones(5), UMAP, rtol=NAN),
        ValueError,
        "(0, 1) | got nan | None is the exact sum",
    ),
    "learning_rate": (lambda: embed(X, learning_rate=-1.0), ValueError, "learning_rate: expected | got -1.0"),
    "negative_sample_rate": (
        lambda: embed(X, negative_sample_rate=INF),
        ValueError,
        "negative_sample_rate: expected | got inf",
    ),
    "local_connectivity": (
        lambda: embed(X, local_connectivity=-1),
        ValueError,
        "local_connectivity >= 0 | got -1 | 1 is usual",
    ),
    "set_op_mix_ratio": (
        lambda: embed(X, set_op_mix_ratio=1.5),
        ValueError,
        "set_op_mix_ratio in [0, 1] | got 1.5 | 1 is usual",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_input__is_refused_with_what_was_expected_what_was_given_and_what_to_do(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call, error, words = REFUSED[name]
    before = [array.copy() for array in (X, D, Y)]
    with pytest.raises(error) as raised:
        call()
    assert raised.type is error  # and no kernel's, nor one of numpy's own
    message = str(raised.value)
    for part in words.split(" | "):
        assert part in message
    assert name == "setting" or ("expected" in message and "got" in message)
    # nothing written, nothing changed
    assert os.listdir(tmp_path) == []
    for array, copy in zip((X, D, Y), before, strict=True):
        np.testing.assert_array_equal(array, copy)


class Spy:
    """An observer that tells whether a run has begun."""

    name, needs_updates = "spy", True

    def __init__(self):
        self.begun = False

    def start(self, graph, curve, descent):
        self.begun = True
        return {}

    def step(self, arrays, epoch):
        raise AssertionError("an epoch was run")

    def values(self, arrays, epoch):
        raise AssertionError("an epoch was recorded")


@pytest.mark.parametrize(
    "wrong",
    [
        {"curve": Curve(1.0, -1.0)},
        {"Y0": spoilt(Y, (2, 1), NAN)},
        {"Y0": Y[:4]},
        {"labels": ["a", "b"]},
        {"recording": {"epochs": [0, 16]}},
        {"recording": {"epochs": 1}},
        {"recording": {"checkpoints": [2.5]}},
        {"recording": {"updates": [99]}},
    ],
    ids=str,
)
def test_a_refused_run__has_not_begun(wrong):
    spy = Spy()
    recording = Recording(**({"observers": [spy]} | wrong.get("recording", {})))
    arguments = {"curve": UMAP, "Y0": Y, "labels": None} | wrong | {"recording": recording}
    curve, start = arguments.pop("curve"), arguments.pop("Y0").copy()
    before = start.copy()
    with pytest.raises(ValueError, match="expected"):
        run(path(), curve, Descent(n_epochs=15), start, progress=False, **arguments)
    assert not spy.begun
    np.testing.assert_array_equal(start, before)


def test_a_refused_descent__leaves_the_state_at_its_start():
    state = initial_state(path(), Descent(n_epochs=15), Y)
    before = state.copy()
    with pytest.raises(ValueError, match="expected finite a > 0"):
        next(epochs(path(), Curve(-1.0, 1.0), Descent(n_epochs=15), state))
    assert state.epoch == 0
    np.testing.assert_array_equal(state.Y, before.Y)


# ---- what works ----------------------------------------------------------------------------------


def separate(*shifts):
    """Clouds so far from one another that no list reaches over."""
    return np.concatenate([cloud(12, seed=i) + 1e3 * shift for i, shift in enumerate(shifts)])


WORKS = {
    "duplicates": (np.repeat(cloud(20), 2, axis=0), {}),
    "more duplicates than neighbours": (np.repeat(cloud(4), 10, axis=0), {}),
    "all points equal": (np.full((N, 3), 0.1), {}),
    "all points at 0": (np.zeros((N, 3)), {}),
    "all points equal, pca": (np.full((N, 3), 0.1), {"init": "pca"}),
    "all points equal, random": (np.full((N, 3), 0.1), {"init": "random"}),
    "constant columns": (np.hstack([cloud(), np.ones((N, 2)), np.zeros((N, 1))]), {}),
    "constant columns, pca": (np.hstack([cloud(), np.ones((N, 2))]), {"init": "pca"}),
    "one column": (cloud(N, 1), {}),
    "a lattice": (np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3), {}),
    "booleans": (cloud() > 0, {}),
    "two components": (separate(0, 1), {}),
    "five components": (separate(0, 1, 3, 7, 12), {}),
    "sixty components": (np.repeat(1e3 * np.arange(60.0), 4)[:, None] + cloud(240, 2), {"n_neighbors": 3}),
    "components of precomputed distances": (
        cdist(separate(0, 1, 3, 7, 12), separate(0, 1, 3, 7, 12)),
        {"metric": "precomputed"},
    ),
    "precomputed": (cdist(cloud(), cloud()), {"metric": "precomputed"}),
    "precomputed, sparse": (scipy.sparse.csr_matrix(cdist(cloud(), cloud())), {"metric": "precomputed"}),
    "precomputed, all 0": (np.zeros((N, N)), {"metric": "precomputed"}),
    "sparse": (scipy.sparse.csr_matrix(np.maximum(whole(), 0)), {}),
    "sparse, csc": (scipy.sparse.csc_matrix(np.maximum(whole(), 0)), {"init": "pca"}),
    "sparse with empty rows": (scipy.sparse.csr_matrix(np.maximum(whole() - 90, 0)), {"metric": "cosine"}),
    "n is k + 1": (cloud(6), {}),
    "n is 3 and k 2": (cloud(3), {"n_neighbors": 2}),
    "n is 16 by default": (cloud(16), {"n_neighbors": 15}),
    "a copy of every point": (np.repeat(cloud(3), 2, axis=0), {}),
    "distances of 1e25": (cloud() * 1e25, {}),
    "distances of 1e-20": (cloud() * 1e-20, {}),
    "distances of 1e25, pca": (cloud() * 1e25, {"init": "pca"}),
    "distances of 1e-20, pca": (cloud() * 1e-20, {"init": "pca"}),
    "distances of every scale": (np.sign(cloud()) * 10.0 ** (6 * cloud(seed=1)), {}),
    "one dimension": (cloud(), {"n_components": 1}),
    "five dimensions": (cloud(), {"n_components": 5}),
    "start with equal rows": (cloud(), {"init": np.zeros((N, 2))}),
    "start of whole numbers": (cloud(), {"init": np.arange(2 * N).reshape(N, 2)}),
    "no epoch": (cloud(), {"n_epochs": 0}),
    "one epoch": (cloud(), {"n_epochs": 1}),
    "no negatives": (cloud(), {"negative_sample_rate": 0.0}),
    "no repulsion": (cloud(), {"repulsion_strength": 0.0}),
    "intersection without edges": (
        np.cumsum(1.5 ** np.arange(8.0))[:, None],
        {"n_neighbors": 2, "set_op_mix_ratio": 0.0},
    ),
}


@pytest.mark.parametrize("name", WORKS)
def test_unusual_input__is_embedded_and_left_as_it_was(name):
    data, settings = WORKS[name]
    before = digest(data)
    layout(data, **settings)
    assert digest(data) == before


@given(strategies.clouds(min_n=5), st.data())
def test_any_cloud__is_embedded(points, data):
    layout(points, n_neighbors=data.draw(st.integers(2, len(points) - 1)), n_epochs=3)


FORMS = {
    "int8": lambda X: X.astype(np.int8),
    "int64": lambda X: X.astype(np.int64),
    "float16": lambda X: X.astype(np.float16),
    "float32": lambda X: X.astype(np.float32),
    "big-endian": lambda X: X.astype(">f8"),
    "Fortran order": np.asfortranarray,
    "a view": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "a reversed view": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "list": lambda X: X.tolist(),
    "DataFrame": lambda X: pd.DataFrame(X, columns=list("abcd"), index=range(100, 100 + N)),
    "DataFrame of several dtypes": lambda X: pd.DataFrame(
        {"a": X[:, 0].astype(np.int16), "b": X[:, 1].astype(np.float32), "c": X[:, 2], "d": X[:, 3]}
    ),
    "sparse array": scipy.sparse.csr_array,
    "sparse, coo": scipy.sparse.coo_matrix,
    "sparse of integers": lambda X: scipy.sparse.csr_matrix(X.astype(np.int32)),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_numbers_in_any_form__give_the_same_bits(form):
    # Whole numbers, whose distances are roots of whole numbers: dense and sparse round them alike.
    data = whole()
    given_as = FORMS[form](data)
    before = digest(np.array(given_as) if isinstance(given_as, list) else given_as)
    trace = embed(given_as, 5, n_epochs=15, progress=False)
    expected = embed(data, 5, n_epochs=15, progress=False)
    np.testing.assert_array_equal(trace["layouts"]["Y"].values, expected["layouts"]["Y"].values)
    assert digest(np.array(given_as) if isinstance(given_as, list) else given_as) == before


def test_read_only_arrays__are_read_only():
    data, start, distances = cloud(), cloud(N, 2), cdist(cloud(), cloud())
    for array in (data, start, distances):
        array.setflags(write=False)
    np.testing.assert_array_equal(layout(data, init=start), layout(data.copy(), init=start.copy()))
    layout(distances, metric="precomputed")
    lists = neighbors(data, 5)
    for array in lists:
        array.setflags(write=False)
    graph = fuzzy_graph(lists)
    for array in (graph.indptr, graph.indices, graph.weight):
        array.setflags(write=False)
    trace = run(graph, UMAP, Descent(n_epochs=15), start, progress=False)
    assert np.isfinite(trace["layouts"]["Y"].values).all()
    assert np.isfinite(pair_sums(start, "attraction", np.ones(N), UMAP).values).all()


@pytest.mark.parametrize("scale", [1e25, 1e-20, 2.0**80, 2.0**-66])
def test_row_masses_of_extreme_distances__are_log2_k(scale):
    measured = degree(fuzzy_graph(neighbors(cloud(200) * scale, 15)))
    np.testing.assert_allclose(measured.row_mass, np.log2(15), atol=ROW_TOLERANCE)
    ordinary = degree(fuzzy_graph(neighbors(cloud(200), 15)))
    # two searches within 1e-5 of a row sum: 2e-5 for each of at most 40 neighbours' entries
    np.testing.assert_allclose(measured.degree, ordinary.degree, atol=40 * 2e-5)


def test_row_masses__of_mixed_scales_in_one_graph_are_log2_k():
    groups = [cloud(20, seed=i) * scale for i, scale in enumerate((1e-20, 1.0, 1e25))]
    distances = np.vstack([neighbors(group, 6).distances for group in groups])
    indices = np.vstack([neighbors(group, 6).indices + 20 * i for i, group in enumerate(groups)])
    measured = degree(fuzzy_graph(neighbors_from_lists(indices, distances, n_neighbors=6)))
    np.testing.assert_allclose(measured.row_mass, np.log2(6), atol=ROW_TOLERANCE)


def test_ordinary_input__raises_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layout(cloud())
