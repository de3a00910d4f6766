"""Hypothesis strategies for what breaks embeddings: ties, copies, hubs, isolated and coincident points.

They give plain numpy arrays and scipy matrices. Coordinates, distances and weights are float32 numbers, so
that float32 code and the float64 twin start from the same values.
"""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix


def float32s(low, high):
    """Float32 numbers of [low, high] as Python floats, without subnormals."""
    low, high = float(np.float32(low)), float(np.float32(high))
    return st.floats(low, high, width=32, allow_subnormal=False)


def probabilities():
    """p in [0, 1]: both ends, numbers next to them, anything between."""
    ends = st.sampled_from([0.0, 1.0, 0.5, 1e-300, 1e-16, 1e-9, 1 - 1e-16, 1 - 1e-9])
    return ends | st.floats(0, 1)


def logits(limit=700.0):
    """theta in [-limit, limit]."""
    return st.floats(-limit, limit)


def weights():
    """Memberships of (0, 1]: often 1, often tiny."""
    return st.sampled_from([1.0, 0.5, 2.0**-10, 2.0**-30]) | float32s(2.0**-20, 1.0)


@st.composite
def coordinates(draw, n, dim):
    """float64[n, dim] of float32 numbers: multiples of one step (so ties are common), some rows copied."""
    step = 2.0 ** draw(st.integers(-12, 6))
    X = draw(arrays(np.int16, (n, dim), elements=st.integers(-500, 500))) * step
    source = draw(arrays(np.int16, n, elements=st.integers(0, n - 1)))
    copied = draw(arrays(np.bool_, n, elements=st.booleans(), fill=st.just(False)))
    X[copied] = X[source[copied]]
    return X


@st.composite
def clouds(draw, min_n=3, max_n=24, max_dim=4):
    """Points float64[n, dim] with ties and copies, at times all of them equal."""
    n = draw(st.integers(min_n, max_n))
    X = draw(coordinates(n, draw(st.integers(1, max_dim))))
    if draw(st.integers(0, 19)) == 0:
        X[:] = X[0]
    return X


@st.composite
def layouts(draw, n=None, dim=2):
    """Layout float32[n, dim]; points either coincide or are apart by at least 2^-12."""
    n = draw(st.integers(2, 16)) if n is None else n
    return draw(coordinates(n, dim)).astype(np.float32)


@st.composite
def distance_rows(draw, max_rows=6, max_length=19):
    """Neighbour distances float32[n, k - 1], each row sorted: zeros, ties and ratios up to 10^12."""
    shape = draw(st.integers(1, max_rows)), draw(st.integers(1, max_length))
    distance = st.sampled_from([0.0, 1.0, 1.0 + 2.0**-20]) | float32s(0.1, 10) | float32s(1e-6, 1e6)
    return np.sort(draw(arrays(np.float32, shape, elements=distance)), axis=1)


@st.composite
def directed_rows(draw, min_n=2, max_n=12):
    """Directed memberships float64[n, n]: no diagonal, each row in [0, 1] with at least one 1."""
    n = draw(st.integers(min_n, max_n))
    P = draw(arrays(np.float64, (n, n), elements=weights() | st.just(0.0), fill=st.just(0.0)))
    nearest = draw(arrays(np.int64, n, elements=st.integers(1, n - 1)))
    P[np.arange(n), (np.arange(n) + nearest) % n] = 1
    np.fill_diagonal(P, 0)
    return P


@st.composite
def symmetric_graphs(draw, min_n=2, max_n=14, min_edges=1):
    """Symmetric csr_matrix of float32 weights of (0, 1], no diagonal; often isolated vertices or a hub."""
    n = draw(st.integers(min_n, max_n))
    W = np.triu(draw(arrays(np.float32, (n, n), elements=weights() | st.just(0.0), fill=st.just(0.0))), 1)
    if draw(st.booleans()):
        W[0, 1:] = draw(weights())
    isolated = draw(st.integers(0, max(0, n - 2)))
    W[:, n - isolated :] = 0
    if min_edges and not W.any():
        W[0, 1] = draw(weights())
    return csr_matrix(W + W.T)


@st.composite
def embedded_graphs(draw, dim=2, **graph):
    """A symmetric graph and a layout of its vertices."""
    p = draw(symmetric_graphs(**graph))
    return p, draw(layouts(p.shape[0], dim))


def curves():
    """(a, b, c): a in [0.05, 20], b in [0.3, 2], c 0 (UMAP) or 1."""
    return st.tuples(st.floats(0.05, 20), st.floats(0.3, 2), st.sampled_from([0.0, 1.0]))


KINDS = ("cloud", "clumps", "line", "outliers", "coincident", "spread")


@st.composite
def spread_layouts(draw, min_n=40, max_n=300, dims=(1, 2, 3, 4, 5), kinds=KINDS):
    """Layouts as float32 numbers in float64[n, d], of every kind that a sum over pairs has to cope with.

    A cloud; clumps of a hundredth; a line in d dimensions; up to three outliers 1e2 to 1e5 away; points on at most
    n / 4 places; uniform in a wide box.  At any scale, anywhere.
    """
    n, d, kind = draw(st.integers(min_n, max_n)), draw(st.sampled_from(dims)), draw(st.sampled_from(kinds))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    Y = random.normal(size=(n, d)) * 4
    if kind == "clumps":
        Y = random.integers(0, 6, (n, d)) + 0.01 * Y
    elif kind == "line":
        Y = np.outer(np.sort(Y[:, 0]), random.normal(size=d)) + random.normal(size=d)
    elif kind == "outliers":
        Y[: draw(st.integers(1, 3))] *= 10.0 ** draw(st.integers(2, 5))
    elif kind == "coincident":
        Y = Y[random.integers(0, max(n // 4, 1), n)]
    elif kind == "spread":
        Y = random.uniform(0, 300, (n, d))
    Y = Y * 10.0 ** draw(st.integers(-2, 2)) + draw(st.sampled_from([0.0, 100.0]))
    return Y.astype(np.float32).astype(np.float64)
