"""Layouts that a minimiser starts from: repulsion raised from that with which a layout rests."""

import numpy as np
import pytest
import reference as ref
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from strategies import embedded_graphs

from umapinfo import Curve, Descent, fit_curve, minimise, unfolded
from umapinfo.core.graph import graph_from_csr
from umapinfo.measures.objective import Loss, dilated, effective, purported
from umapinfo.minimise.starts import RAISED, resting_repulsion, rises, with_repulsion
from umapinfo.pairs.sums import EXACT_UP_TO
from umapinfo.progress import Progress

UMAP = fit_curve()
umaps = st.tuples(st.floats(0.05, 20), st.floats(0.3, 2)).map(lambda ab: Curve(*ab))  # c = 0
cases = st.integers(1, 3).flatmap(lambda dim: embedded_graphs(dim=dim))
LOSSES = {"purported": purported, "effective": lambda graph: effective(graph, Descent())}


def repelled(name, p):
    """Weights of repulsion, dense."""
    push = 5.0 * p.sum(axis=1) / (2 * len(p))
    return ref.off_diagonal(len(p)) * (1 - p if name == "purported" else np.add.outer(push, push))


@pytest.mark.parametrize("name", LOSSES)
@given(case=cases, curve=umaps, factor=st.floats(1e-6, 1e3))
def test_with_repulsion__charges_repulsion_alone_by_the_factor(name, case, curve, factor):
    graph, Y = graph_from_csr(case[0]), case[1].astype(np.float64)
    p = graph.to_csr().toarray().astype(np.float64)
    B, other = repelled(name, p), ref.off_diagonal(len(p)) > 0
    with np.errstate(divide="ignore"):
        theta = -np.log(curve.a) - curve.b * np.log(ref.squared_distances(Y))  # +inf of points in one place
    push = np.where(other & (B > 0), np.logaddexp(0, theta), 0.0)
    expected = (np.where(p > 0, p * np.logaddexp(0, -theta), 0.0) + factor * np.where(B > 0, B * push, 0.0)).sum() / 2
    found = with_repulsion(LOSSES[name](graph), factor).value_and_gradient(Y, curve).value
    if np.isinf(expected):
        assert found == np.inf
    else:
        # What all pairs are charged is taken off the edges again: some ulp of the sum of all.
        charged = factor * ((1 + B) * np.where(other & np.isfinite(theta), np.logaddexp(0, theta), 0.0)).sum()
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14 * charged)


@pytest.mark.parametrize("name", LOSSES)
@given(case=cases, curve=umaps)
def test_with_its_resting_repulsion__a_layout_rests_at_its_own_scale(name, case, curve):
    graph, Y = graph_from_csr(case[0]), case[1].astype(np.float64)
    p = graph.to_csr().toarray().astype(np.float64)
    loss, q, B = LOSSES[name](graph), ref.similarity(Y, curve), repelled(name, p)
    if np.isinf(loss.value_and_gradient(Y, curve).value):
        with pytest.raises(ValueError, match="expected points apart"):
            resting_repulsion(loss, curve, Y)
        return
    pull, push = (p * (1 - q)).sum(), (B * q).sum()
    charged = ((1 + B) * q * ref.off_diagonal(len(Y))).sum()
    assume(push > 1e-6 * charged)  # the purported loss of a whole graph of edges of weight 1 repels nobody
    found = resting_repulsion(loss, curve, Y)
    # As many ulp as the pull, and what edges are charged and given back, are larger than the push.
    np.testing.assert_allclose(found, pull / push, rtol=1e-11, atol=1e-12 * (1 + (pull + charged) / push) ** 2)


def test_rises__go_from_the_resting_repulsion_to_all_of_it_by_one_factor():
    graph = graph_from_csr(ring(300))
    Y = 0.05 * circle(300)
    loss = purported(graph)
    first, factors = resting_repulsion(loss, UMAP, Y), rises(loss, UMAP, Y)
    assert first < 0.01
    ratios = np.append(factors, 1.0)[1:] / factors
    assert factors[0] == pytest.approx(first, rel=1e-12)
    assert (ratios > 1).all()
    assert (ratios <= RAISED * (1 + 1e-12)).all()
    assert np.ptp(ratios) <= 1e-12 * RAISED
    assert len(rises(loss, UMAP, 1e4 * circle(300))) == 0  # it repels too little already


def circle(n):
    angle = 2 * np.pi * np.arange(n) / n
    return n / (2 * np.pi) * np.column_stack([np.cos(angle), np.sin(angle)])


def ring(n, reach=3, p=0.9):
    """Each vertex with the next ones along a ring."""
    i = np.repeat(np.arange(n), reach)
    j = (i + np.tile(np.arange(1, reach + 1), n)) % n
    W = csr_matrix((np.full(len(i), np.float32(p)), (i, j)), (n, n))
    return W + W.T


def test_unfolded__finds_an_order_that_dilation_loses():
    """A grid drawn so small that neighbours are out of order: they are sorted before they are spread."""
    loss, drawn = purported(graph_from_csr(grid(30))), places(30)
    start = 0.02 * (drawn + 5 * np.random.default_rng(0).normal(size=drawn.shape))
    told = {"n_steps": 100, "tolerance": 0.0, "progress": False}
    found = unfolded(loss, UMAP, start, n_steps=10, progress=False)
    in_order, by_rises, by_dilation = (
        float(minimise(loss, UMAP, Y, **told)["epochs"]["minimised_loss"][-1])
        for Y in (drawn, found, dilated(loss, UMAP, start))
    )
    # Seen: 3,980, 3,975 and 5,858 nats.
    assert by_rises <= in_order
    assert by_dilation >= 1.2 * in_order  # some hundred vertices are out of place
    # At the scale where similarities sum to the edge probabilities, found to 3.5e-6; q goes with its power -2b, -1.6.
    q = ref.similarity(found, UMAP)[np.triu_indices(len(found), 1)].sum()
    assert abs(q / loss.weights.A.sum() - 1) <= 1e-5


def places(side):
    return np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2).astype(np.float64)


def grid(side, p=0.9):
    """Each vertex of a square with the nearest four."""
    d2 = ref.squared_distances(places(side))
    return csr_matrix(np.where(d2 == 1, np.float32(p), 0))


def test_unfolded__is_the_dilated_layout_where_repulsion_has_not_to_rise():
    loss, Y = purported(graph_from_csr(ring(100))), 100 * circle(100)
    Y += 1e3
    kept = Y.copy()
    expected = dilated(loss, UMAP, Y - Y.mean(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(unfolded(loss, UMAP, Y, progress=False), expected)
    np.testing.assert_array_equal(Y, kept)
    small = 1e-4 * (Y - Y.mean(axis=0))
    expected = dilated(loss, UMAP, small - small.mean(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(unfolded(loss, UMAP, small, n_steps=0), expected)


def test_unfolded__orders_more_points_than_are_summed_exactly():
    n = EXACT_UP_TO + 500
    loss = purported(graph_from_csr(ring(n)))
    start = 0.02 * circle(n) + 0.3 * np.random.default_rng(0).normal(size=(n, 2))
    found = unfolded(loss, UMAP, start, n_steps=3, progress=False)
    by_rises, by_dilation = (loss.value_and_gradient(Y, UMAP) for Y in (found, dilated(loss, UMAP, start)))
    assert by_rises.value <= 0.5 * by_dilation.value  # seen: 18,134 and 53,361 nats
    # The scale is found to the 1e-5 to which sums are split, and its derivative changes by about sum A. Seen: 1e-6.
    assert abs((found * by_rises.gradient).sum()) <= 1e-5 * loss.weights.A.sum()


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_unfolded__ends_after_a_few_rises_of_any_layout(dim):
    loss, random = purported(graph_from_csr(ring(30))), np.random.default_rng(0)
    for scale in (1e-15, 1e-5, 1.0, 1e10):
        Y = scale * random.normal(size=(30, dim)).astype(np.float64)
        assert len(rises(loss, UMAP, Y)) <= 24
        found = unfolded(loss, UMAP, Y, n_steps=2, progress=False)
        assert found.shape == Y.shape
        pull = (found * loss.value_and_gradient(found, UMAP).gradient).sum()
        # The scale is found to 1e-6, where the derivative in ln s changes by about the weight of the edges.
        assert abs(pull) <= 1e-4 * loss.weights.A.sum()
    with pytest.raises(ValueError, match="give a layout nearer to the size of the curve"):
        unfolded(loss, UMAP, 1e-110 * Y, progress=False)


def test_unfolded__has_the_same_bits_again_and_tells_how_far_it_is(monkeypatch):
    loss, told = purported(graph_from_csr(ring(100))), []
    monkeypatch.setattr(Progress, "__call__", lambda self, *step: told.append(step))
    layouts = [unfolded(loss, UMAP, 0.1 * circle(100), n_steps=3) for _ in range(2)]
    np.testing.assert_array_equal(*layouts)
    n = 3 * len(rises(loss, UMAP, 0.1 * circle(100)))
    assert told == 2 * [("unfold", step, n) for step in range(1, n + 1)]


def test_unfolded__refuses_what_it_cannot_raise():
    graph = graph_from_csr(ring(20))
    Y = circle(20)

    class Own(Loss):
        pass

    loss = purported(graph)
    own = Own(loss.name, loss.graph, loss.weights)
    for wrong, message in ((own, "got Own; start from dilated"), ("purported", "expected a Loss, got str")):
        with pytest.raises(TypeError, match=message):
            unfolded(wrong, UMAP, Y)
    with pytest.raises(ValueError, match="expected points apart, got vertices 3 and 4"):
        unfolded(loss, UMAP, np.concatenate([Y[:4], Y[3:4], Y[5:]]))
    with pytest.raises(ValueError, match="n_steps: expected a whole number"):
        unfolded(loss, UMAP, Y, n_steps=-1)
    with pytest.raises(ValueError, match="2 components"):
        unfolded(
            purported(graph_from_csr(csr_matrix(np.kron(np.eye(2), ring(20).toarray())))), UMAP, np.vstack([Y, Y + 1])
        )
