"""Which entropy of a row does n_neighbors fix, and how many neighbours does a row have by t-SNE's count?

The rows r = p_{j|i} / S_i are probabilities; D_alpha = exp(Renyi entropy of order alpha) is their effective number of
neighbours.  The search for sigma sets S_i = log2 k, and since the nearest neighbour has p = 1 that is D_inf: UMAP fixes
the perplexity of order inf (min-entropy) to log2 k, t-SNE that of order 1 (Shannon) to its parameter.  So sum p = log2 k
is an entropy statement of order inf, k = 2^(2^H_inf), not of Shannon's order (C24); D_1 = log2(k) e^<x>.  Both graphs are
built on the same points, t-SNE's (Gaussians in d^2 over all other points, precision by bisection) at the mean D_1 of
UMAP's rows.

Also: the law of a row (C9), sum of e^(-s x_j) = log2 k with x_j = G_j^(1/D) - G_1^(1/D), G_j sums of Exp(1), which has
no parameter but D and k; where S_i = log2 k fails, ties and floors (C10); k = 2^(sum) for the wrong sums, columns and
degrees (C22); what an edge carries in bits (C23) and how far p is from Boolean (C25).

All sums are over directed rows, the point itself not counted, unless `degree` is said.  Seeds: 3 draws of Gaussian
data; "5%" and "95%" are quantiles over rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import brentq
from scipy.spatial.distance import cdist
from scipy.special import comb

from umapinfo import Graph, fuzzy_graph, neighbors
from umapinfo.datasets import load
from umapinfo.measures import graph_binarisation, hill_numbers, row_binarisation, row_hill_numbers
from umapinfo.measures.degree import degree
from umapinfo.plot import PALETTE

ALPHAS = (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4, 6, 10, 20, np.inf)
KS = (5, 10, 15, 30, 50, 100)
DIMENSIONS = (1, 2, 3, 5, 10, 100, 1000)
INFINITE = 10**6  # dimensions: G^(1/D) - G_1^(1/D) is ln(G / G_1) / D to six digits
SEEDS = (0, 1, 2)
BITS = np.log(2)  # nats a bit


def numbers(options: Options) -> Mapping[str, Any]:
    """Profiles, maps from k to perplexity, the law, the exceptions, and what an edge carries."""
    n, rows = (150, 200) if options.quick else (1000, 4000)
    ks = [k for k in KS if k < n / 4]
    seeds = SEEDS[:1] if options.quick else SEEDS
    points = {"ring": load("ring", seed=3, n=n).X, "digits": load("digits", n=n if options.quick else None).X}
    gauss = {D: [gaussian(n, D, seed) for seed in seeds] for D in DIMENSIONS}
    clouds = {**{name: [X] for name, X in points.items()}, **{f"gaussian {D}": gauss[D] for D in (1, 2, 10, 100)}}
    return {
        "n": n,
        "profile": profile(gauss[10][0], 15),
        "k": ks,
        "of_k": {name: {str(k): of_rows(drawn, k) for k in ks} for name, drawn in clouds.items()},
        "law_of_k": {str(D): [law(D, k, rows) for k in ks] for D in (1, 2, 10)} | {"inf": [law(INFINITE, k, rows) for k in ks]},
        "zipf": {str(k): zipf(k) for k in (15, 30, 100)},
        "dimension": list(DIMENSIONS),
        "of_dimension": [of_rows(gauss[D], 15) for D in DIMENSIONS],
        "law_of_dimension": [law(D, 15, rows) for D in DIMENSIONS],
        "exceptions": {name: exceptions(X, k) for name, X, k in unusual(n, points)},
        "counts": {name: counts(X, ks) for name, X in (("digits", points["digits"]), ("gaussian 100", gauss[100][0]))},
        "bits": {name: bits(drawn[0], 15) for name, drawn in clouds.items()},
    }


def gaussian(n: int, dimension: int, seed: int) -> np.ndarray:
    """Standard normal points, float64[n, dimension]."""
    return np.random.default_rng([seed, dimension]).normal(size=(n, dimension))


def graph_of(X: np.ndarray, k: int) -> Graph:
    """UMAP's graph on exact neighbours."""
    return fuzzy_graph(neighbors(X, k, exact=True))


def spread(values: np.ndarray) -> dict[str, float]:
    """Mean and the quantiles over rows."""
    low, high = np.quantile(values, [0.05, 0.95])
    return {"mean": float(values.mean()), "5%": float(low), "95%": float(high)}


def profile(X: np.ndarray, k: int) -> dict[str, Any]:
    """D_alpha of the rows of both methods; t-SNE's perplexity is UMAP's mean D_1."""
    umap = row_hill_numbers(graph_of(X, k), ALPHAS)
    perplexity = float(umap[:, ALPHAS.index(1)].mean())
    weights = tsne_rows(X, perplexity)
    n = len(X)
    tsne = hill_numbers(weights.ravel(), ALPHAS, indptr=np.arange(n + 1) * n)
    found = {name: [spread(column) for column in D.T] for name, D in (("umap", umap), ("tsne", tsne))}
    return {"k": k, "log2_k": np.log2(k), "perplexity": perplexity, "order": [str(a) for a in ALPHAS], **found}


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


def of_rows(drawn: Sequence[np.ndarray], k: int) -> dict[str, float]:
    """Mean D_1 over rows, its standard deviation over rows, and the spread of the mean over draws of the data."""
    found = [row_hill_numbers(graph_of(X, k), (1,))[:, 0] for X in drawn]
    means = [float(D.mean()) for D in found]
    between = float(np.std(means, ddof=1)) if len(means) > 1 else 0.0
    return {"mean": float(np.mean(means)), "sd_rows": float(np.mean([D.std() for D in found])), "sd_draws": between}


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
    """Infinitely many dimensions with G_j = j: p_j = j^-s with sum log2 k, its s, D_1 and the asymptote 1 - 1/log2 k."""
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


def exceptions(X: np.ndarray, k: int) -> dict[str, float]:
    """Row sums against log2 k, shares of tied and floored rows, and whether D_inf is the realised sum."""
    graph = graph_of(X, k)
    found = degree(graph)
    pinned, D = found.pinned, row_hill_numbers(graph, (np.inf,))[:, 0]
    return {
        "log2_k": float(np.log2(k)),
        "least": float(found.row_mass.min()),
        "largest": float(found.row_mass.max()),
        "tied": float(found.tied.mean()),
        "floored": float(found.floored.mean()),
        "pinned_error": float(np.abs(found.row_excess[pinned]).max(initial=0.0)),
        "d_inf_minus_sum": float(np.abs(D - found.row_mass).max()),
    }


def counts(X: np.ndarray, ks: Sequence[int]) -> dict[str, Any]:
    """2^sum for the three sums that (4) may mean: of the row, of the column, of the symmetric weights."""
    found = {str(k): degree(graph_of(X, k)) for k in ks}
    return {
        k: {
            "row": spread(2**measured.row_mass),
            "column": spread(2**measured.column_sum),
            "degree": spread(2**measured.degree),
            "of_mean_degree": float(2**measured.mean_degree),
        }
        for k, measured in found.items()
    }


def bits(X: np.ndarray, k: int) -> dict[str, float]:
    """Bits of rows and edges: Shannon and Bernoulli entropies, self-information, shares of p = 1."""
    graph = graph_of(X, k)
    numbers, rows, edges = row_hill_numbers(graph), row_binarisation(graph), graph_binarisation(graph)
    n = graph.n_vertices
    share = float(graph.degree.mean()) / (n - 1)
    return {
        "sum": float(np.log2(numbers[:, 3]).mean()),
        "row_sum_p": float(numbers[:, 3].mean()),
        "row_shannon": float(np.log2(numbers[:, 1]).mean()),
        "row_bernoulli": rows.entropy / BITS / n,
        "row_bernoulli_maximum": rows.entropy_maximum / BITS / n,
        "row_ratio": rows.entropy_ratio,
        "edge_bernoulli": edges.entropy_mean / BITS,
        "edge_ratio": edges.entropy_ratio,
        "edge_self_information": float(-np.log2(share)),
        "list_of_k": float(np.log2(comb(n - 1, k - 1, exact=True))),
        "listed_with_one": float(np.mean(graph.rows.membership == 1)),
        "edges_with_one": float(np.mean(graph.weight == 1)),
        "edges_near_ends_05": edges.near_zero_05 + edges.near_one_05,
    }
