"""What a run follows: KL and BCE have one gradient, and a visited edge is moved without regard to its weight."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from strategies import curves, symmetric_graphs

from umapinfo.core.curve import Curve
from umapinfo.core.descent import epochs, initial_state
from umapinfo.core.graph import graph_from_csr
from umapinfo.core.settings import Descent
from umapinfo.measures.gradient import purported_gradient

H = 1e-30  # complex step: its square is nothing beside 1


def similarity(d2, curve):
    """q and 1 - q of complex squared distances; u / (1 + u) would lose log10 u digits of its derivative."""
    a, b, c = curve
    u = c + a * d2**b
    return 1 / (1 + u), 1 / (1 + 1 / u)


def kl(p, q, rest):
    """p ln(p / q) + (1 - p) ln((1 - p) / (1 - q)), 0 ln 0 = 0."""
    return p * np.log(np.where(p > 0, p, 1) / q) + (1 - p) * np.log(np.where(p < 1, 1 - p, 1) / rest)


def bce(p, q, rest):
    """-p ln q - (1 - p) ln(1 - q)."""
    return -p * np.log(q) - (1 - p) * np.log(rest)


def by_complex_steps(loss, p, Y, curve):
    """The gradient of sum_(i<j) loss(p_ij, q_ij), each coordinate moved along the imaginary axis; and its terms."""
    found, size = np.zeros((2, *Y.shape))
    for i in range(len(Y)):
        others = np.arange(len(Y)) != i
        for axis in range(Y.shape[1]):
            delta = (Y[i] - Y[others]).astype(complex)
            delta[:, axis] += 1j * H
            terms = loss(p[i, others], *similarity((delta**2).sum(axis=1), curve)).imag / H
            found[i, axis], size[i, axis] = terms.sum(), abs(terms).sum()
    return found, size


@st.composite
def graphs_with_layouts_apart(draw):
    """Dense weights p and a float64 layout: a square lattice, each point moved by a quarter of its step at most."""
    p = draw(symmetric_graphs(max_n=10)).toarray().astype(np.float64)
    n, scale = len(p), draw(st.floats(0.1, 10))
    shift = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).uniform(-0.25, 0.25, (n, 2))
    return p, scale * (np.stack(np.divmod(np.arange(n), 4), axis=1) + shift)


@given(case=graphs_with_layouts_apart(), curve=curves())
def test_kl_and_bce__differentiated_as_written_have_the_gradient_of_the_purported_loss(case, curve):
    p, Y = case
    graph = graph_from_csr(csr_matrix(p))
    expected = purported_gradient(graph, Y, Curve(*curve))
    for loss in (kl, bce):
        found, size = by_complex_steps(loss, p, Y, curve)
        # Some ulp of powers, logarithms and divisions, times exponents and logits of 100 at most; the library takes
        # the edges' repulsion off a sum over all pairs, whose terms are of the size of those of p = 0.
        _, everywhere = by_complex_steps(loss, np.zeros_like(p), Y, curve)
        assert (abs(found - expected) <= 1e-12 * (size + everywhere)).all()


@given(case=graphs_with_layouts_apart(), curve=curves())
def test_descents_of_kl_and_bce__go_one_way(case, curve):
    p, start = case
    layouts = [start.copy(), start.copy()]
    for _ in range(5):
        for Y, loss in zip(layouts, (kl, bce), strict=True):
            gradient, size = by_complex_steps(loss, p, Y, curve)
            Y -= 0.01 * np.ptp(start) / max(size.max(), 1e-300) * gradient  # no point moves by over a hundredth
    # Rounding (1e-14 of the terms) times what five steps make of it.  A step of 0.01 extents times the slope of the
    # terms, under 10 over a distance of at least 0.13 extents, both ends: a factor of 2.5 a step at most, 100 in all.
    assert abs(layouts[0] - layouts[1]).max() <= 1e-11 * np.ptp(start)


@pytest.mark.parametrize("weight", [0.5, 0.25, 2.0**-5])
@given(delta=st.tuples(st.floats(0.125, 5, width=32), st.floats(-5, 5, width=32)))
def test_an_edge_that_is_due__moves_by_the_layout_alone_whatever_its_weight(weight, delta):
    # Importance sampling would divide by the rate of visits; the weaker edge is visited less often, and moves alike.
    W = np.zeros((4, 4))
    W[0, 1], W[1, 0], W[2, 3], W[3, 2] = 1.0, 1.0, weight, weight
    graph = graph_from_csr(csr_matrix(W))
    Y = np.array([(0, 0), delta, (0, 0), delta], dtype=np.float32)
    descent = Descent(n_epochs=100, negative_sample_rate=0.0)
    state, visits = initial_state(graph, descent, Y), 0
    for epoch in epochs(graph, Curve(1.5, 0.9), descent, state):
        strong, weak = (epoch.Y - epoch.Y_before).reshape(2, 2, 2)
        if epoch.counts.attractions_scheduled[2]:
            visits += 1
            np.testing.assert_array_equal(weak, strong)
        else:
            assert not weak.any()
        state.Y[:] = Y
    assert visits == int(99 * weight)
