"""Products with the matrix of a sum over pairs: split against direct, bits, points outside the box."""

import numba
import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st
from strategies import curves, layouts

from umapinfo.core.curve import Curve, fit_curve
from umapinfo.pairs import products
from umapinfo.pairs.products import PairProducts

UMAP = fit_curve()
MATRICES = {"fisher": ("fisher_tensor", None), "repulsion": ("repulsion_tensor", "repulsion_slope")}


def columns(n, rank, seed=1):
    """u and v of B_ij = 1, or of s_i + s_j."""
    s, ones = np.random.default_rng(seed).uniform(0, 2, (n, 1)), np.ones((n, 1))
    return (ones, ones) if rank == 1 else (np.hstack([s, ones]), np.hstack([ones, s]))


@pytest.fixture
def split_always(monkeypatch):
    """Splits are taken whatever they cost."""
    monkeypatch.setattr("umapinfo.pairs.products.DIRECT", 1.0)


def cloud(n, dim, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim)) * 3


@given(
    Y=st.integers(1, 4).flatmap(lambda dim: layouts(dim=dim)),
    curve=curves(),
    rank=st.sampled_from([1, 2]),
    name=st.sampled_from(sorted(MATRICES)),
)
def test_direct_products__are_those_of_the_loops(Y, curve, rank, name):
    Y, (tensor, slope), (u, v) = Y.astype(np.float64), MATRICES[name], columns(len(Y), rank)
    x = np.random.default_rng(0).normal(size=Y.shape)
    found = PairProducts(Y, tensor, slope, u, v, Curve(*curve), None)
    expected, sizes = np.zeros_like(x), np.zeros(len(Y))
    for i in range(len(Y)):
        for j in range(len(Y)):
            delta, d2 = Y[i] - Y[j], ((Y[i] - Y[j]) ** 2).sum()
            if i == j:
                continue
            g, f = (ref.pair_potential(part, d2, curve) if part else 0.0 for part in (tensor, slope))
            g, f = (part if np.isfinite(part) else 0.0 for part in (g, f))
            expected[i] += u[i] @ v[j] * (f * x[j] + g * delta * (delta @ x[j]))
            sizes[i] += u[i] @ v[j] * (abs(f) + abs(g) * d2) * np.linalg.norm(x[j])
    # Rounding of powers and exponentials, times |theta| < 100, where (b - 1) and its partner may cancel.
    assert (abs(found(x) - expected) <= 1e-12 * sizes[:, None]).all()
    assert (found.plan, found.error) == (None, 0.0)


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("dim", [2, 3])
def test_split_products__are_within_rtol_of_direct_ones(dim, rank, name, split_always):
    n = 2500
    Y, (tensor, slope), (u, v) = cloud(n, dim), MATRICES[name], columns(n, rank)
    Y[:3] *= 40  # outside the box, or in a wide one
    Y[5] = Y[6]
    split, direct = (PairProducts(Y, tensor, slope, u, v, UMAP, rtol) for rtol in (1e-6, None))
    assert split.plan is not None
    assert 0 < split.error <= 1e-6
    x = np.random.default_rng(4).normal(size=Y.shape)
    _, sizes = direct._direct(x, np.arange(n), np.arange(n))
    assert (abs(split(x) - direct(x)).max(axis=1) <= 1e-6 * sizes).all()


def test_split_products__are_symmetric_and_linear_up_to_the_transforms_tolerance(split_always):
    n = 2000
    Y, (u, v) = cloud(n, 2), columns(n, 2)
    split = PairProducts(Y, *MATRICES["repulsion"], u, v, UMAP, 1e-6)
    x, y = np.random.default_rng(4).normal(size=(2, n, 2))
    _, sizes = split._direct(x, np.arange(n), np.arange(n))
    assert abs((split(x) * y).sum() - (split(y) * x).sum()) <= 1e-6 * np.sqrt((sizes**2).sum())
    np.testing.assert_allclose(split(2 * x - y), 2 * split(x) - split(y), atol=1e-7 * sizes.max())


def test_split_products__leave_far_vertices_to_direct_sums(split_always):
    n = 2000
    Y, (u, v) = cloud(n, 2), columns(n, 1)
    Y[7] = [1e6, 0.0]
    split, direct = (PairProducts(Y, "fisher_tensor", None, u, v, UMAP, rtol) for rtol in (1e-6, None))
    assert split.plan is not None
    assert not split.plan.inside(Y)[7]
    x = np.random.default_rng(4).normal(size=Y.shape)
    _, sizes = direct._direct(x, np.arange(n), np.arange(n))
    assert (abs(split(x) - direct(x)).max(axis=1) <= 1e-6 * sizes).all()


def test_products__have_the_same_bits_for_any_number_of_threads(n_threads, split_always):
    n = 2000
    Y, (u, v) = cloud(n, 2), columns(n, 1)
    x, found = np.random.default_rng(4).normal(size=Y.shape), set()
    for threads in {1, numba.config.NUMBA_NUM_THREADS}:
        n_threads(threads)
        both = [PairProducts(Y, *MATRICES["repulsion"], u, v, UMAP, rtol)(x) for rtol in (1e-6, None)]
        found.add(b"".join(one.tobytes() for one in both))
    assert len(found) == 1


def test_products__are_direct_where_no_split_serves(monkeypatch):
    Y, (u, v) = cloud(300, 4), columns(300, 1)
    assert PairProducts(Y, "fisher_tensor", None, u, v, UMAP, 1e-6).plan is None
    Y, kept = cloud(2000, 2), columns(2000, 1)
    monkeypatch.setattr(products, "DIRECT", 1.0)
    monkeypatch.setattr(products, "SAFETY", 1e9)  # an error that is seen to be too large
    refused = PairProducts(Y, "fisher_tensor", None, *kept, UMAP, 1e-6)
    assert (refused.plan, refused.error) == (None, 0.0)
