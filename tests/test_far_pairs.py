"""What losses charge for pairs with p = 0: t-SNE's shape term through its normaliser, UMAP's by B softplus(theta)."""

import numpy as np
import pytest
import reference as ref
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from strategies import symmetric_graphs

from umapinfo.core.curve import Curve
from umapinfo.core.graph import csr_graph
from umapinfo.core.settings import Descent
from umapinfo.measures import effective_loss, i_divergence, purported_loss

CURVE = Curve(1.577, 0.895)


@st.composite
def with_a_stranger(draw):
    """A graph whose last vertex has no edge, its layout, and the layout with that vertex elsewhere; no coincidence."""
    p = draw(symmetric_graphs(min_n=3))
    n = p.shape[0]
    p = p.tolil()
    p[n - 1, :] = 0
    p[:, n - 1] = 0
    assume(p.count_nonzero() > 0)
    grid = arrays(np.int16, (n + 1, 2), elements=st.integers(-40, 40), unique=False)
    places = draw(grid.filter(lambda Y: len(np.unique(Y, axis=0)) == len(Y))) / 8.0
    before, after = places[:n], np.vstack([places[: n - 1], places[n:]])
    return p.tocsr().astype(np.float64), before, after


@given(with_a_stranger())
def test_shape_term__charges_a_vertex_without_edges_by_the_logarithm_of_the_sum_of_q(case):
    # Z_p KL(p/Z_p || q/Z_q) = sum p ln(p/q) - Z_p ln Z_p + Z_p ln Z_q, of which only Z_q knows the vertex.
    p, before, after = case
    graph, Z_p = csr_graph(p), p.sum() / 2
    curve = (CURVE.a, CURVE.b, 0.0)
    one, two = (ref.similarity(Y, curve)[np.triu_indices(len(Y), 1)].sum() for Y in (before, after))
    shapes = [i_divergence(graph, Y, CURVE).shape for Y in (before, after)]
    # rounding of two sums of some dozen terms, relative to what is summed
    assert shapes[1] - shapes[0] == pytest.approx(Z_p * np.log(two / one), abs=1e-11 * (1 + max(map(abs, shapes))))


@given(with_a_stranger(), st.floats(0.5, 20))
def test_losses__charge_a_vertex_without_edges_by_their_own_weights_of_repulsion(case, m_neg):
    # Off the edges purported B = 1 and effective B = m_neg d_j / (2n): the stranger's own degree is 0.
    p, before, after = case
    graph, n = csr_graph(p), p.shape[0]
    d, costs = np.asarray(p.sum(axis=1)).ravel()[:-1], []
    for Y in (before, after):
        theta = ref.logit(ref.squared_distances(Y)[-1, :-1], (CURVE.a, CURVE.b, 0.0))
        costs.append((ref.softplus(theta).sum(), (m_neg * d / (2 * n) * ref.softplus(theta)).sum()))
    descent = Descent(n_epochs=10, negative_sample_rate=m_neg)
    purported = [purported_loss(graph, Y, CURVE).bce for Y in (before, after)]
    effective = [effective_loss(graph, descent, Y, CURVE).bce for Y in (before, after)]
    for found, place in ((purported, 0), (effective, 1)):
        # rounding of sums of some dozen terms, relative to what is summed
        expected = costs[1][place] - costs[0][place]
        assert found[1] - found[0] == pytest.approx(expected, abs=1e-11 * (1 + max(found)))
