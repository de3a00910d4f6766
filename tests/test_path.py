"""Fisher-Rao distances and paths: against dense angles, as a metric, by Cauchy and Schwarz, in runs, from samples."""

import itertools

import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array
from strategies import curves, layouts, symmetric_graphs

from umapinfo.core.curve import Curve, fit_curve
from umapinfo.core.descent import epochs, initial_state
from umapinfo.core.graph import graph_from_csr, prune
from umapinfo.core.settings import Descent
from umapinfo.measures.divergence import divergence
from umapinfo.measures.fisher_rao import fisher_rao_distance, turns_of
from umapinfo.measures.pair_sets import PairSet, interval, pair_set, total
from umapinfo.measures.path import PathObserver, path_length, speeds_of

UMAP = fit_curve()


def empty(n):
    return graph_from_csr(csr_matrix((n, n)))


def everything(n):
    return pair_set(empty(n), None)


@st.composite
def paths(draw, least=2, most=5, dim=2):
    """Some layouts of the same vertices, and times."""
    n = draw(st.integers(2, 9))
    some = [draw(layouts(n, dim)).astype(np.float64) for _ in range(draw(st.integers(least, most)))]
    steps = draw(st.lists(st.floats(0.1, 10), min_size=len(some) - 1, max_size=len(some) - 1))
    return some, np.concatenate([[0], np.cumsum(steps)])


def random_graph(n, density, seed=0):
    W = csr_matrix(random_array((n, n), density=density, rng=np.random.default_rng(seed), dtype=np.float32))
    W = W.maximum(W.T)
    W.setdiag(0)
    W.eliminate_zeros()
    return graph_from_csr(W)


# ---- the distance --------------------------------------------------------------------------------


@given(n=st.integers(2, 16), dims=st.tuples(st.integers(1, 3), st.integers(1, 3)), curve=curves(), data=st.data())
def test_fisher_rao_distance__is_the_euclidean_one_of_the_angles(n, dims, curve, data):
    Y, Z = (data.draw(layouts(n, dim)) for dim in dims)
    found = fisher_rao_distance(Y, Z, Curve(*curve))
    turns = ref.angles(Y, curve) - ref.angles(Z, curve)
    expected = np.sqrt((turns**2).sum() / 2)
    # The twin's angles are rounded to an ulp of pi.
    assert found.distance == pytest.approx(expected, rel=1e-12, abs=1e-15 * n)
    assert found == (found.distance, found.distance, found.distance, n * (n - 1) // 2)
    listed = fisher_rao_distance(Y, Z, Curve(*curve), everything(n))
    assert listed.distance == pytest.approx(found.distance, rel=1e-14)
    assert listed.low == listed.distance == listed.high


@given(path=paths(least=3, most=3), curve=curves())
def test_fisher_rao_distance__is_a_metric_of_similarities(path, curve):
    X, Y, Z = path[0]
    curve = Curve(*curve)
    xy, yx, yz, xz = (fisher_rao_distance(*two, curve).distance for two in ((X, Y), (Y, X), (Y, Z), (X, Z)))
    assert xy == yx
    assert fisher_rao_distance(X, X, curve).distance == 0
    assert xz <= (xy + yz) * (1 + 1e-14)
    assert xy <= np.pi * np.sqrt(len(X) * (len(X) - 1) / 2) * (1 + 1e-15)
    # It is 0 only where all distances are the same.
    same = np.array_equal(ref.squared_distances(X), ref.squared_distances(Y))
    assert (xy == 0) == same


def test_fisher_rao_distance__knows_small_moves_of_near_and_of_far_points_to_rounding():
    for d in (1e-6, 1.0, 1e6):
        Y, Z = np.array([[0.0], [d]]), np.array([[0.0], [d * (1 + 1e-9)]])
        a, b, _ = UMAP
        x = a * d ** (2 * b)
        # dphi = -2 b q (1 - q) / (q (1 - q))^(1/2) dd/d; the next term is 1e-9 of it, the shift rounded to 1e-7.
        assert fisher_rao_distance(Y, Z, UMAP).distance == pytest.approx(2e-9 * b * np.sqrt(x) / (1 + x), rel=1e-6)


@given(graph=symmetric_graphs(max_n=9), curve=curves(), data=st.data())
def test_twice_the_divergence_fisher_rao__is_a_squared_distance_to_which_triangles_apply(graph, curve, data):
    Y, Z = (data.draw(layouts(graph.shape[0])) for _ in range(2))
    p, curve = graph_from_csr(graph), Curve(*curve)
    to_Y, to_Z = (np.sqrt(2 * divergence(p, layout, curve, "fisher_rao").value) for layout in (Y, Z))
    # All pairs less the edges: rounding is relative to all pairs.
    assert abs(to_Y - to_Z) <= fisher_rao_distance(Y, Z, curve).distance * (1 + 1e-12) + 1e-6


# ---- paths ---------------------------------------------------------------------------------------


@given(path=paths(), curve=curves())
def test_path_length__adds_the_steps_and_is_no_shorter_than_the_chord(path, curve):
    some, curve = path[0], Curve(*curve)
    pairs = everything(len(some[0]))
    found = path_length(some, curve, pairs)
    steps = [fisher_rao_distance(*two, curve).distance for two in itertools.pairwise(some)]
    np.testing.assert_allclose(found.steps, steps, rtol=1e-14)
    assert found.length == pytest.approx(sum(steps), rel=1e-13)
    # Turns add up to the whole, of which rounding is an ulp of pi.
    chord = fisher_rao_distance(some[0], some[-1], curve).distance
    assert found.chord == pytest.approx(chord, rel=1e-12, abs=1e-14 * len(some[0]) * len(some))
    assert found.chord <= found.length * (1 + 1e-13)
    assert 0 <= found.straightness <= 1 + 1e-13
    assert found.length_error == found.chord_error == 0


@given(path=paths(), curve=curves(), n_nodes=st.integers(1, 5))
def test_the_thermodynamic_divergence__is_at_least_the_squared_length_whatever_the_times(path, curve, n_nodes):
    some, times = path
    pairs, curve = everything(len(some[0])), Curve(*curve)
    found = path_length(some, curve, pairs, times=times, n_nodes=n_nodes)
    other = path_length(some, curve, pairs, n_nodes=n_nodes)
    slower = path_length(some, curve, pairs, times=3 * times + 5, n_nodes=n_nodes)
    assert found.thermodynamic_divergence >= found.thermodynamic_length**2 * (1 - 1e-13)
    # The length knows no time; the divergence no unit of time.
    assert found.thermodynamic_length == other.thermodynamic_length
    np.testing.assert_allclose(slower.thermodynamic_divergence, found.thermodynamic_divergence, rtol=1e-12)


@given(path=paths(least=3), curve=curves())
def test_the_thermodynamic_divergence__is_the_squared_length_at_constant_speed(path, curve):
    some, pairs, curve = path[0], everything(len(path[0][0])), Curve(*curve)
    steps = np.array(
        [path_length(two, curve, pairs, n_nodes=1).thermodynamic_length for two in itertools.pairwise(some)]
    )
    if (steps > 1e-3 * steps.sum()).all():
        times = np.concatenate([[0], np.cumsum(steps)])
        found = path_length(some, curve, pairs, times=times, n_nodes=1)
        np.testing.assert_allclose(found.thermodynamic_divergence, found.thermodynamic_length**2, rtol=1e-10)


@given(path=paths(most=2, least=2, dim=3), curve=curves(), share=st.floats(0, 1))
def test_the_squared_speed__is_that_of_the_fisher_matrix(path, curve, share):
    Y, Z = path[0]
    pairs = everything(len(Y))
    found = total(pairs, speeds_of(pairs, Y, Z, Curve(*curve), share)).value
    move = (Z - Y).ravel()
    expected = move @ ref.fisher_matrix(Y + share * (Z - Y), curve) @ move
    # Points between are rounded, in another order: relative where no pair is much nearer than that.
    d2 = ref.squared_distances(Y + share * (Z - Y))[np.triu_indices(len(Y), 1)]
    if (d2 > 1e-12 * max(abs(Y).max(), abs(Z).max()) ** 2).all():
        assert found == pytest.approx(expected, rel=1e-8)


@given(seed=st.integers(0, 99), curve=curves())
def test_the_thermodynamic_length__of_many_nodes_is_no_shorter_and_of_small_steps_the_same(seed, curve):
    random = np.random.default_rng(seed)
    Y, v = random.normal(size=(2, 8, 2))
    pairs, curve = everything(8), Curve(*curve)
    far = path_length([Y, Y + v], curve, pairs, n_nodes=64)
    # Where two points pass each other closely, nodes miss some of the turn.
    assert far.thermodynamic_length >= 0.99 * far.length
    small = path_length([Y + 1e-4 * k * v for k in range(4)], curve, pairs, n_nodes=2)
    assert small.thermodynamic_length == pytest.approx(small.length, rel=1e-3)
    assert small.straightness == pytest.approx(1, rel=1e-3)


def test_path_length__of_what_stands_still_or_only_moves_as_a_whole_is_nothing():
    Y = np.round(np.random.default_rng(0).normal(size=(7, 2)) * 64) / 64
    still = path_length([Y, Y, Y], UMAP, everything(7))
    assert still[:7] == (0, 0, 0, 0, 1, 0, 0)
    alone = path_length([Y], UMAP, everything(7))
    assert alone[:7] == (0, 0, 0, 0, 1, 0, 0)
    assert len(alone.steps) == 0
    moved = path_length([Y, Y + np.array([2.0, -0.5])], UMAP, everything(7))
    assert moved.length == 0
    assert moved.thermodynamic_length == 0


def test_paths__go_through_coincident_points():
    Y = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    Z = Y.copy()
    Z[1] = 0  # onto vertex 0: its angle goes to pi
    found = path_length([Y, Z, -Y], UMAP, everything(3), n_nodes=1)
    assert np.isfinite(found[:7]).all()
    assert found.steps[0] > np.pi - 2 * np.arctan(UMAP.a**-0.5)


@given(dimension=st.integers(1, 4))
def test_paths__refuse_what_is_none(dimension):
    Y, pairs = np.zeros((4, dimension)), everything(4)
    with pytest.raises(ValueError, match=r"expected 4 vertices, .* got 5"):
        fisher_rao_distance(Y, np.zeros((5, dimension)), UMAP)
    with pytest.raises(ValueError, match=r"expected 4 vertices, .* got 5"):
        path_length([Y, np.zeros((5, dimension))], UMAP, pairs)
    with pytest.raises(ValueError, match="vertex 2"):
        path_length([Y, np.where(np.arange(4) == 2, np.nan, 0.0)[:, None] + Y], UMAP, pairs)
    with pytest.raises(ValueError, match="one or more"):
        path_length([], UMAP, pairs)
    with pytest.raises(ValueError, match=f"layouts: expected {dimension} dimensions as before, got {dimension + 1}"):
        path_length([Y, np.column_stack([Y, Y[:, :1]])], UMAP, pairs)
    with pytest.raises(ValueError, match="times: expected one a layout, got 3 of 2 layouts"):
        path_length([Y, Y], UMAP, pairs, times=[0, 1, 2])
    with pytest.raises(ValueError, match="times: expected increasing"):
        path_length([Y], UMAP, pairs, times=[np.nan])
    with pytest.raises(ValueError, match="times: expected increasing"):
        path_length([Y, Y], UMAP, pairs, times=[[0, 1]])
    for times in ([0, 0], [1, 0], [0], [0, np.inf], [0, np.nan]):
        with pytest.raises(ValueError, match="times"):
            path_length([Y, Y], UMAP, pairs, times=times)
    for n_nodes in (0, 65, 1.5):
        with pytest.raises(ValueError, match="n_nodes"):
            path_length([Y, Y], UMAP, pairs, n_nodes=n_nodes)
    for wrong in (0, 99, 1.5, "all"):
        with pytest.raises(ValueError, match="n_pairs"):
            pair_set(empty(4), wrong)
    with pytest.raises(ValueError, match="seed"):
        pair_set(empty(4), 100, seed=-1)
    with pytest.raises(TypeError, match="curve"):
        fisher_rao_distance(Y, Y, (1.0, 1.0))


# ---- listed pairs --------------------------------------------------------------------------------


@given(graph=symmetric_graphs(max_n=14, min_edges=0), seed=st.integers(0, 2**64 - 1))
def test_pair_set__lists_all_pairs_once_where_they_are_few(graph, seed):
    for n_pairs in (None, 100):
        found = pair_set(graph_from_csr(graph), n_pairs, seed)
        n, n_edges = graph.shape[0], graph.nnz // 2
        assert sorted(zip(found.heads, found.tails, strict=True)) == [(i, j) for i in range(n) for j in range(i + 1, n)]
        assert (graph.toarray()[found.heads, found.tails] > 0).sum() == n_edges
        assert [stratum.stop - stratum.start for stratum in found.strata] == [n_edges, n * (n - 1) // 2 - n_edges]
        assert not any(stratum.drawn for stratum in found.strata)


@pytest.mark.parametrize(("density", "n_pairs"), [(0.0005, 400), (0.02, 400), (0.9, 400), (0.9, 4000), (0.02, 19_000)])
def test_pair_set__draws_edges_and_other_pairs_apart(density, n_pairs):
    graph = random_graph(200, density)
    found, dense = pair_set(graph, n_pairs), graph.to_csr().toarray()
    n_edges = graph.n_entries // 2
    edges, others = found.strata
    assert len(found.heads) == n_pairs
    assert (found.heads < found.tails).all()
    assert (dense[found.heads, found.tails] > 0).tolist() == [place < edges.stop for place in range(n_pairs)]
    assert (edges.size, others.size) == (n_edges, 200 * 199 // 2 - n_edges)
    for stratum in (edges, others):
        listed = stratum.stop - stratum.start
        assert stratum.drawn == (listed < stratum.size)
        assert listed == stratum.size or listed >= n_pairs // 2
    again = pair_set(graph, n_pairs)
    np.testing.assert_array_equal(found.heads, again.heads)
    assert (found.heads != pair_set(graph, n_pairs, seed=1).heads).any()


def test_estimates_of_a_pair_set__are_unbiased_and_their_intervals_hold_the_truth():
    graph, random = random_graph(300, 0.02), np.random.default_rng(1)
    Y = random.normal(size=(300, 2)) * 3
    Z = Y + 0.3 * random.normal(size=Y.shape)
    exact = fisher_rao_distance(Y, Z, UMAP).distance
    # The squares of some hundred pairs are most of the sum: of 4,000 listed pairs under 100 would be effective.
    found = [fisher_rao_distance(Y, Z, UMAP, pair_set(graph, 12_000, seed)) for seed in range(400)]
    squares = np.array([one.distance for one in found]) ** 2
    assert np.isfinite([one.high for one in found]).all()
    # Five standard errors of the mean; 95 % of 400 is held with a standard deviation of 1.1 %.
    assert abs(squares.mean() - exact**2) <= 5 * squares.std() / 20
    assert 0.9 <= np.mean([one.low <= exact <= one.high for one in found]) <= 0.99
    few = PairSet(
        *(ends[:120] for ends in (pair_set(graph, 200).heads, pair_set(graph, 200).tails)),
        tuple(s._replace(stop=min(s.stop, 120)) for s in pair_set(graph, 200).strata),
        300,
    )
    assert interval(total(few, turns_of(few, Y, Z, UMAP) ** 2)) == (0.0, np.inf)


def test_path_lengths__of_samples_are_those_of_all_pairs_within_their_errors():
    graph, random = random_graph(300, 0.02), np.random.default_rng(2)
    some = np.cumsum(0.3 * random.normal(size=(6, 300, 2)), axis=0) + random.normal(size=(300, 2)) * 3
    exact = path_length(some, UMAP, pair_set(graph, None))
    scores = []
    for seed in range(200):
        found = path_length(some, UMAP, pair_set(graph, 4000, seed))
        scores.append(
            [(found.length - exact.length) / found.length_error, (found.chord - exact.chord) / found.chord_error]
        )
        assert found.chord <= found.length
        assert found.thermodynamic_divergence >= found.thermodynamic_length**2
    # Standardised errors have a mean and a standard deviation of about 0 and 1; 200 of them know these to 0.07, 0.05.
    assert (abs(np.mean(scores, axis=0)) <= 0.35).all()
    assert (abs(np.std(scores, axis=0) - 1) <= 0.25).all()


# ---- runs ----------------------------------------------------------------------------------------


def run_of(n=60, n_epochs=12):
    graph = prune(random_graph(n, 0.1), n_epochs)
    descent = Descent(n_epochs=n_epochs, seed=2)
    start = np.random.default_rng(3).uniform(0, 10, (n, 2)).astype(np.float32)
    return graph, descent, start, epochs(graph, UMAP, descent, initial_state(graph, descent, start))


def test_the_observer__goes_the_way_of_all_epochs():
    graph, descent, start, loop = run_of()
    observer = PathObserver(n_pairs=500, seed=7)
    arrays, some = observer.start(graph, UMAP, descent), [start]
    for epoch in loop:
        observer.step(arrays, epoch)
        some.append(epoch.Y.copy())
    values = observer.values(arrays, epoch)
    found = path_length(some, UMAP, pair_set(graph, 500, 7), n_nodes=1)
    assert values == {
        "fisher_rao_length": found.length,
        "fisher_rao_length_error": found.length_error,
        "fisher_rao_chord": found.chord,
        "straightness": found.straightness,
        "thermodynamic_length": found.thermodynamic_length,
        "thermodynamic_divergence": found.thermodynamic_divergence,
    }
    assert 0 < found.straightness < 1
    assert found.length_error > 0


def test_the_observer__goes_on_from_its_arrays_with_their_seed():
    values = []
    for resumed in (False, True):
        graph, descent, _, loop = run_of()
        observer = PathObserver(n_pairs=500, seed=7)
        arrays = observer.start(graph, UMAP, descent)
        for epoch in loop:
            if resumed and epoch.number == 6:
                observer = PathObserver(n_pairs=500)
                saved, arrays = arrays, observer.start(graph, UMAP, descent)
                for name, array in saved.items():
                    arrays[name][...] = array
            observer.step(arrays, epoch)
        values.append(observer.values(arrays, epoch))
    assert values[0] == values[1]
