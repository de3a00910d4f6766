"""Squared forces: against dense sums, the Fisher metric where p = q, the forces of a run one by one, their mean."""

import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from strategies import curves, embedded_graphs

from umapinfo.core.curve import Curve, fit_curve
from umapinfo.core.descent import epochs, initial_state
from umapinfo.core.graph import graph_from_csr, prune
from umapinfo.core.settings import Descent
from umapinfo.measures.squared_forces import (
    SquaredForcesObserver,
    effective_squared_forces,
    purported_squared_forces,
)
from umapinfo.trace.record import run
from umapinfo.trace.recording import Recording

UMAP = fit_curve()
cases = st.integers(1, 3).flatmap(lambda dim: embedded_graphs(dim=dim, min_edges=0))
rates = st.sampled_from([(5.0, 1.0), (2.0, 0.3), (0.0, 1.0)])  # m_neg, gamma


def twin(A, B, Y, curve):
    """Sum over j of [A (1 - q)^2 + B q^2] grad theta grad theta^T, dense: float64[n, d, d], and that of its terms."""
    a, b, c = curve
    d2, delta = ref.squared_distances(Y), np.asarray(Y, dtype=np.float64)[:, None] - np.asarray(Y, dtype=np.float64)
    apart = d2 > 0
    s = np.where(apart, d2, 1.0)
    u = a * s**b
    q, along = 1 / (1 + c + u), np.where(apart, 2 * b * u / (c + u) / s, 0.0)  # -theta'(d) / d
    outer = delta[..., :, None] * delta[..., None, :]
    terms, size = ((A * (1 - q) ** 2 + x * q**2) * along**2 for x in (B, B + (A > 0)))
    return (terms[..., None, None] * outer).sum(axis=1), (size[..., None, None] * abs(outer)).sum(axis=1)


@given(case=cases, curve=curves())
def test_purported_squared_forces__are_the_dense_sums_for_any_graph_layout_and_curve(case, curve):
    p = case[0].toarray().astype(np.float64)
    found = purported_squared_forces(graph_from_csr(case[0]), case[1], Curve(*curve))
    expected, size = twin(*ref.purported(p), case[1], curve)
    assert (found.shape, found.dtype) == ((*case[1].shape, case[1].shape[1]), np.float64)
    # Powers and exponentials to some ulp, squared; what edges are charged is taken off again.
    assert (abs(found - expected) <= 3e-13 * size).all()


@given(case=cases, curve=curves(), rate=rates, push=st.sampled_from(["head", "both"]))
def test_effective_squared_forces__are_the_dense_sums_for_any_graph_layout_and_curve(case, curve, rate, push):
    p, (m_neg, gamma) = case[0].toarray().astype(np.float64), rate
    settings = Descent(negative_sample_rate=m_neg, repulsion_strength=gamma)
    found = effective_squared_forces(graph_from_csr(case[0]), settings, case[1], Curve(*curve), push=push)
    own = gamma**2 * m_neg * p.sum(axis=1) / (2 * len(p))
    B = np.repeat(own[:, None], len(p), axis=1) if push == "head" else np.add.outer(own, own)
    expected, size = twin(p, B, case[1], curve)
    # As above.
    assert (abs(found - expected) <= 3e-13 * size).all()


@given(case=cases, curve=curves())
def test_squared_forces__exceed_the_fisher_metric_by_p_minus_q(case, curve):
    p, Y = case[0].toarray().astype(np.float64), case[1]
    found, n, dim = purported_squared_forces(graph_from_csr(case[0]), Y, Curve(*curve)), len(p), Y.shape[1]
    G = ref.fisher_matrix(Y, curve).reshape(n, dim, n, dim)[np.arange(n), :, np.arange(n)]
    a, b, c = curve
    d2, delta = ref.squared_distances(Y), np.asarray(Y, dtype=np.float64)[:, None] - np.asarray(Y, dtype=np.float64)
    s = np.where(d2 > 0, d2, 1.0)
    u = a * s**b
    q, along = 1 / (1 + c + u), np.where(d2 > 0, 2 * b * u / (c + u) / s, 0.0)
    more = ((p - q) * (1 - 2 * q) * along**2)[..., None, None] * delta[..., :, None] * delta[..., None, :]
    _, size = twin(*ref.purported(p), Y, curve)
    assert (abs(found - G - more.sum(axis=1)) <= 1e-12 * (size + abs(G) + abs(more).sum(axis=1))).all()


@given(seed=st.integers(0, 99), curve=curves(), dim=st.integers(1, 3))
def test_squared_forces__are_the_fisher_metric_where_p_is_q(seed, curve, dim):
    Y = np.random.default_rng(seed).normal(size=(7, dim)) * 2
    q = ref.similarity(Y, curve)
    np.fill_diagonal(q, 0)
    found = purported_squared_forces(graph_from_csr(csr_matrix(q)), Y, Curve(*curve))
    G = ref.fisher_matrix(Y, curve).reshape(7, dim, 7, dim)[np.arange(7), :, np.arange(7)]
    # Weights are float32 numbers: 6e-8 of p, of which pairs with q << 1 have q (1 - q), and those with 1 - q << 1 more.
    largest = 1 / (1 - q.max())
    trace = np.trace(G, axis1=1, axis2=2)[:, None, None]
    assert (abs(found - G) <= 2e-7 * largest * trace).all()


# ---- runs ----------------------------------------------------------------------------------------


def small_run(n_epochs=12, push_tail=False, dim=2, **settings):
    random = np.random.default_rng(0)
    W = np.triu(random.random((30, 30)) * (random.random((30, 30)) < 0.2), 1)
    graph = prune(graph_from_csr(csr_matrix(W + W.T)), n_epochs)
    return graph, Descent(n_epochs=n_epochs, push_tail=push_tail, **settings), random.normal(size=(30, dim)) * 3


@pytest.mark.parametrize("push_tail", [False, True])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_observer__adds_up_the_squares_of_all_forces_one_by_one(push_tail, dim):
    graph, descent, start = small_run(push_tail=push_tail, dim=dim, repulsion_strength=0.7)
    observer, squares, clipped = SquaredForcesObserver(dim), np.zeros((30, dim)), 0
    arrays = observer.start(graph, UMAP, descent)
    for epoch in epochs(graph, UMAP, descent, initial_state(graph, descent, start), keep_updates=range(13)):
        observer.step(arrays, epoch)
        for update, delta in zip(epoch.updates, epoch.delta.astype(np.float64), strict=True):
            pulls = update["draw"] < 0
            force = ref.attraction_force(delta, UMAP) if pulls else ref.repulsion_force(delta, UMAP, 0.7)
            clipped += (abs(force) == 4).any()
            squares[update["head"]] += force**2
            if pulls or push_tail:
                squares[update["tail"]] += force**2
    # Some ulp of each.
    np.testing.assert_allclose(observer.values(arrays, epoch)["squared_forces"], squares, rtol=1e-12)
    assert clipped > 0


def test_the_observer_of_a_run__has_the_recorded_epochs_and_leaves_the_run_as_it_is():
    graph, descent, start = small_run()
    some, every = (
        run(graph, UMAP, descent, start, Recording(epochs=e, observers=[SquaredForcesObserver()]), progress=False)
        for e in ([0, 5, 9, 12], range(13))
    )
    alone = run(graph, UMAP, descent, start, Recording(epochs=2), progress=False)
    np.testing.assert_array_equal(every["layouts"]["Y"][-1], alone["layouts"]["Y"][-1])
    sums = every["vertices"]["squared_forces"]
    assert sums.dims == ("epoch", "vertex", "axis")
    own = np.diff(sums.values, axis=0, prepend=sums.values[:1])
    assert not own[:2].any()  # the start, and epoch 1, which draws nothing
    # Sums in another order.
    np.testing.assert_allclose(
        some["vertices"]["squared_forces"].values, np.cumsum(own[[0, 5, 9, 12]], axis=0), rtol=1e-12
    )


@pytest.mark.parametrize("push_tail", [False, True])
def test_the_mean_of_a_run_that_stands_still__is_the_formula(push_tail):
    n_epochs, rates = 1000, {"negative_sample_rate": 30.0, "repulsion_strength": 1.5}
    graph, descent, _ = small_run(n_epochs, push_tail, learning_rate=0.0, **rates)
    places = np.stack(np.divmod(np.arange(30), 6), axis=1) * 1.5
    start = np.float32(places + np.random.default_rng(1).uniform(-0.2, 0.2, places.shape))
    observer = SquaredForcesObserver()
    arrays = observer.start(graph, UMAP, descent)
    for epoch in epochs(graph, UMAP, descent, initial_state(graph, descent, start), keep_updates=range(n_epochs + 1)):
        observer.step(arrays, epoch)
    found = graph.weight.max() / 2 * arrays["sum"] / (n_epochs - 1)
    push = "both" if push_tail else "head"
    expected = effective_squared_forces(graph, descent, start, UMAP, push=push)[:, [0, 1], [0, 1]]
    without = effective_squared_forces(graph, Descent(negative_sample_rate=0.0), start, UMAP)[:, [0, 1], [0, 1]]
    assert ((expected - without).sum(axis=1) > 0.1 * expected.sum(axis=1)).all()
    # At distances over 1 nothing is clipped, and the 0.001 takes off 0.2 %.  Attractions are due to within one of an
    # entry's hundreds; a pair's repulsions, of which a coordinate has some that matter, number hundreds too.
    assert (abs(found - expected).sum(axis=1) <= 0.05 * expected.sum(axis=1)).all()


def test_squared_forces__refuse_what_is_none():
    graph = graph_from_csr(csr_matrix(np.array([[0, 1], [1, 0]], dtype=np.float32)))
    Y = np.array([[0.0, 0.0], [1.0, 2.0]])
    for measure in (
        lambda Y, curve=UMAP, **more: purported_squared_forces(graph, Y, curve, **more),
        lambda Y, curve=UMAP, **more: effective_squared_forces(graph, Descent(), Y, curve, **more),
    ):
        with pytest.raises(ValueError, match="layout Y: expected shape"):
            measure(np.zeros((3, 2)))
        with pytest.raises(ValueError, match="vertex 1"):
            measure([[0.0, 0.0], [np.nan, 0.0]])
        with pytest.raises(TypeError, match="curve"):
            measure(Y, (1.0, 1.0))
    with pytest.raises(ValueError, match="push: expected one of"):
        effective_squared_forces(graph, Descent(), Y, UMAP, push="tail")
    with pytest.raises(ValueError, match="give n_components=2"):
        run(graph, UMAP, Descent(n_epochs=3), Y, Recording(observers=[SquaredForcesObserver(3)]), progress=False)
