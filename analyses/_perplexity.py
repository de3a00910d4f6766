"""What the analysis of perplexities compares UMAP's rows with: t-SNE's rows, the law of a row, and unusual data."""

from collections.abc import Mapping

import numpy as np
from scipy.optimize import brentq
from scipy.spatial.distance import cdist

from umapinfo.measures import hill_numbers

INFINITE = 10**6  # dimensions: G^(1/D) - G_1^(1/D) is ln(G / G_1) / D to six digits


def gaussian(n: int, dimension: int, seed: int) -> np.ndarray:
    """Standard normal points, float64[n, dimension]."""
    return np.random.default_rng([seed, dimension]).normal(size=(n, dimension))


def tsne_rows(X: np.ndarray, perplexity: float) -> np.ndarray:
    """Gaussian weights exp(-beta_i d_ij^2), 0 for the point itself, beta_i so that D_1 is the perplexity: [n, n]."""
    d2 = cdist(X, X, "sqeuclidean")
    np.fill_diagonal(d2, np.inf)
    d2 -= d2.min(axis=1, keepdims=True)
    low, high = np.full(len(X), -60.0), np.full(len(X), 60.0)  # of ln beta: D_1 falls with it
    for _ in range(60):
        middle = (low + high) / 2
        weights = np.exp(-np.exp(middle)[:, None] * d2)
        shares = weights / weights.sum(axis=1, keepdims=True)
        entropy = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1)
        above = entropy > np.log(perplexity)
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return weights


def row_perplexity(gaps: np.ndarray, k: int) -> float:
    """D_1 of e^(-s x) with s such that the sum is log2 k, x the gaps."""
    s = brentq(lambda s: np.exp(-s * gaps).sum() - np.log2(k), 0.0, 1e4 / gaps.max(), xtol=1e-12)
    return float(hill_numbers(np.exp(-s * gaps), (1,))[0, 0])


def law(dimension: int, k: int, rows: int) -> dict[str, float]:
    """Row of points of constant density in so many dimensions: mean D_1, its standard deviation, standard error."""
    random = np.random.default_rng([dimension, k])
    G = np.cumsum(random.exponential(size=(rows, k - 1)), axis=1)
    gaps = np.expm1(np.log(G / G[:, :1]) / dimension)  # over G_1^(1/D), which s takes up
    D = np.array([row_perplexity(row, k) for row in gaps])
    return {"mean": float(D.mean()), "sd_rows": float(D.std()), "standard_error": float(D.std() / np.sqrt(rows))}


def zipf(k: int) -> dict[str, float]:
    """Infinitely many dimensions, G_j = j: p_j = j^-s with sum log2 k; s, its asymptote 1 - 1/log2 k, and D_1."""
    ranks = np.arange(1.0, k)
    s = brentq(lambda s: (ranks**-s).sum() - np.log2(k), 0.0, 2.0)
    return {"s": float(s), "asymptote": float(1 - 1 / np.log2(k)), "perplexity": row_perplexity(np.log(ranks), k)}


def unusual(n: int, points: Mapping[str, np.ndarray]) -> list[tuple[str, np.ndarray, int]]:
    """Data on which the search meets its target, and data on which it cannot."""
    side = round(np.sqrt(n))
    lattice = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2).astype(float)
    half = gaussian(n, 3, 0)
    half[: n // 2] = half[n // 2 : n // 2 + n // 2]  # every point of a half twice
    copies = gaussian(n, 3, 1)
    copies[: n // 2] = copies[0]
    return [
        *((name, X, 15) for name, X in points.items()),
        ("gaussian 3, k = 3", gaussian(n, 3, 0), 3),
        ("each point twice", half, 15),
        ("half of the points one point", copies, 15),
        ("integer lattice", lattice, 15),
    ]
