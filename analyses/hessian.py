"""Is the Fisher metric the second derivative of UMAP's loss, and is that nearly diagonal?

Of a small run (a subset of the digits), with dense matrices in float64.  With Delta = y_i - y_j, d its length, u =
Delta / d, theta the logit of q, the Fisher metric of the product of Bernoulli variables q_e, pulled back to the layout,
and the Hessian of the purported loss are sums over all pairs of

    G: g u u'               g = 4 b^2 q (1 - q) / d^2
    H: g u u' + w (I - 2 u u')      w = 2 b (p - q) / d^2

each with -1, +1 blocks (positive at both ends).  H is also taken from differences of `purported_gradient`.  C37: G = H
where p = q, and only there.  C36: pairs with p = 1 have force 0 at distance 0, those with p < 1 an infinite one.  C38,
C39: a Hessian is symmetric, so always diagonalisable; whether it is nearly *diagonal* is another question, and whether
the squared gradients that Adagrad would add up estimate it: UMAP uses no Adagrad, and Adagrad no momentum.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _study import Options, Study, panels, study
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from umapinfo import (
    Curve,
    Descent,
    Graph,
    epochs,
    fit_curve,
    fuzzy_graph,
    graph_from_csr,
    initial_layout,
    initial_state,
    neighbors,
    prune,
)
from umapinfo.core.forces import CLIP, attraction_factor, repulsion_factor
from umapinfo.datasets import load
from umapinfo.measures import purported_gradient, purported_loss
from umapinfo.plot import PALETTE

STEP = 1e-5  # layout units: central differences are then right to some 1e-9 of the largest entry


def numbers(options: Options) -> Mapping[str, Any]:
    """Fisher metric and Hessian at UMAP's layout and at p = q; Adagrad's accumulator; forces at the ends."""
    n, n_epochs = (60, 50) if options.quick else (200, 500)
    X, curve, descent = load("digits", n=n, seed=0).X, fit_curve(), Descent(n_epochs=n_epochs, seed=0)
    mu = prune(fuzzy_graph(neighbors(X, 15)), n_epochs)
    Y, squares = accumulated(mu, curve, descent, initial_layout(mu))
    G, H = metric(mu, Y, curve)
    differences = hessian_by_differences(mu, Y, curve)
    at_q = graph_from_csr(similarities(Y, curve))  # a graph whose probabilities are the layout's own q
    H_q, G_q = hessian_by_differences(at_q, Y, curve), metric(at_q, Y, curve)[0]
    own_G, own_H = own_blocks(G), own_blocks(H)
    eigenvalues = np.linalg.eigvalsh(H)
    return {
        "n": n,
        "formula_against_differences": gap(H, differences),
        "asymmetry": gap(differences, differences.T),
        "fisher_against_hessian": {
            "umap": gap(H, G),
            "median_block": float(np.median([gap(one, other) for one, other in zip(own_H, own_G, strict=True)])),
            "p_equals_q": gap(H_q, G_q),
        },
        "five_pairs": share_of_five(mu, Y, curve),
        "negative_eigenvalues": int((eigenvalues < -1e-9 * eigenvalues.max()).sum()),
        "trace": {
            "fisher": float(np.trace(G)),
            "hessian": float(np.trace(H)),
            "largest_gap": float(np.abs(1 - np.trace(own_H.T) / np.trace(own_G.T)).max()),
        },
        "off_diagonal": {"fisher": off_diagonal(G), "hessian": off_diagonal(H)},
        "blocks_off_diagonal": float(np.median(block_off_diagonal(G))),
        "accumulator": accumulator(squares, G, H),
        "diagonals": {"squares": squares.ravel(), "fisher": np.diag(G), "hessian": np.diag(H)},
        "ends": ends(curve),
    }


def similarities(Y: np.ndarray, curve: Curve) -> np.ndarray:
    """The q of all pairs, float64[n, n], 0 on the diagonal, as float32 numbers, which graphs hold."""
    s = ((Y[:, np.newaxis] - Y) ** 2).sum(axis=2)
    q = np.asarray(1 / (1 + curve.a * s**curve.b), dtype=np.float32).astype(np.float64)
    np.fill_diagonal(q, 0)
    return q


def metric(graph: Graph, Y: np.ndarray, curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """G and H by the formulas, float64[2n, 2n]: coordinate c of vertex i at 2 i + c."""
    n, p = len(Y), graph.to_csr().toarray().astype(np.float64)
    delta = Y[:, np.newaxis] - Y
    s = (delta**2).sum(axis=2)
    np.fill_diagonal(s, 1.0)
    q = 1 / (1 + curve.a * s**curve.b)
    g, w = 4 * curve.b**2 * q * (1 - q) / s, 2 * curve.b * (p - q) / s
    uu = delta[:, :, :, np.newaxis] * delta[:, :, np.newaxis] / s[:, :, np.newaxis, np.newaxis]
    blocks_g = g[:, :, np.newaxis, np.newaxis] * uu
    blocks_h = blocks_g + w[:, :, np.newaxis, np.newaxis] * (np.eye(2) - 2 * uu)
    return assembled(blocks_g, n), assembled(blocks_h, n)


def own_blocks(matrix: np.ndarray) -> np.ndarray:
    """The 2 x 2 block of each vertex with itself, float64[n, 2, 2]."""
    i = np.arange(len(matrix) // 2)
    return np.asarray(matrix.reshape(len(i), 2, len(i), 2)[i, :, i, :])


def share_of_five(graph: Graph, Y: np.ndarray, curve: Curve) -> float:
    """Share of the five largest w^2 in the sum over all pairs."""
    p, q = graph.to_csr().toarray().astype(np.float64), similarities(Y, curve)
    s = ((Y[:, np.newaxis] - Y) ** 2).sum(axis=2)
    above = np.triu_indices(len(Y), 1)
    w2 = np.sort((2 * curve.b * (p - q)[above] / s[above]) ** 2)
    return float(w2[-5:].sum() / w2.sum())


def assembled(blocks: np.ndarray, n: int) -> np.ndarray:
    """The matrix with minus the pairs' blocks off the diagonal and their sums on it."""
    blocks = blocks.copy()
    blocks[np.arange(n), np.arange(n)] = 0
    matrix = -blocks.transpose(0, 2, 1, 3).reshape(2 * n, 2 * n)
    for i, own in enumerate(blocks.sum(axis=1)):
        matrix[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = own
    return matrix


def hessian_by_differences(graph: Graph, Y: np.ndarray, curve: Curve) -> np.ndarray:
    """The Hessian of the purported loss from central differences of its gradient, float64[2n, 2n]."""
    columns = []
    for place in range(Y.size):
        moved = np.zeros(Y.size)
        moved[place] = STEP
        ahead, behind = (purported_gradient(graph, Y + sign * moved.reshape(Y.shape), curve) for sign in (1, -1))
        columns.append((ahead - behind).ravel() / (2 * STEP))
    return np.array(columns).T


def gap(one: np.ndarray, other: np.ndarray) -> float:
    """Norm (Frobenius) of the difference over that of the first."""
    return float(np.linalg.norm(one - other) / np.linalg.norm(one))


def off_diagonal(matrix: np.ndarray) -> float:
    """Share of the squared entries that is off the diagonal."""
    return float(1 - (np.diag(matrix) ** 2).sum() / (matrix**2).sum())


def block_off_diagonal(matrix: np.ndarray) -> np.ndarray:
    """|G_xy| / sqrt(G_xx G_yy) of each vertex."""
    x, y = np.arange(0, len(matrix), 2), np.arange(1, len(matrix), 2)
    return np.asarray(np.abs(matrix[x, y]) / np.sqrt(matrix[x, x] * matrix[y, y]))


def accumulated(mu: Graph, curve: Curve, descent: Descent, Y0: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The layout of a run, float64[n, 2], and what Adagrad would have added up: squared forces on each vertex."""
    squares, Y = np.zeros(np.shape(Y0)), np.asarray(Y0, dtype=np.float64)
    state = initial_state(mu, descent, Y0)
    for epoch in epochs(mu, curve, descent, state, keep_updates=range(descent.n_epochs + 1)):
        if epoch.number > 0.8 * descent.n_epochs:  # the last fifth, where the layout stands nearly still
            for update, delta in zip(epoch.updates, epoch.delta, strict=True):
                force = np.clip(force_of(update, delta, curve, descent), -CLIP, CLIP) ** 2
                squares[update["head"]] += force
                if update["draw"] < 0:
                    squares[update["tail"]] += force
        Y = epoch.Y.astype(np.float64)
    return Y, squares


def force_of(update: Any, delta: np.ndarray, curve: Curve, descent: Descent) -> np.ndarray:
    """The force of one update on its head, before the clip; 0 where the points coincide."""
    s = float((delta.astype(np.float64) ** 2).sum())
    if s == 0:
        return np.zeros_like(delta)
    attraction = update["draw"] < 0
    factor = attraction_factor(s, curve) if attraction else repulsion_factor(s, curve, descent.repulsion_strength)
    return factor * delta


def accumulator(squares: np.ndarray, G: np.ndarray, H: np.ndarray) -> Mapping[str, float]:
    """Rank correlations of the accumulator with the diagonals of G and of H."""
    flat = squares.ravel()
    return {
        "spearman_fisher": float(spearmanr(flat, np.diag(G)).statistic),
        "spearman_hessian": float(spearmanr(flat, np.maximum(np.diag(H), 0)).statistic),
    }


def ends(curve: Curve) -> Mapping[str, Any]:
    """C36: the force between two points at small distances, p = 1 and p = 1/2, and the loss where they coincide."""
    distance = np.logspace(-4, 1, 101)
    found: dict[str, Any] = {"distance": distance}
    for name, p in (("certain", 1.0), ("half", 0.5)):
        graph = graph_from_csr(np.array([[0, p], [p, 0]]))
        pairs = [np.array([[0.0, 0.0], [d, 0.0]]) for d in distance]
        found[name] = [abs(purported_gradient(graph, pair, curve)[0, 0]) for pair in pairs]
        found[f"{name}_infinite_at_0"] = bool(np.isinf(purported_loss(graph, np.zeros((2, 2)), curve).bce))
    return found


def draw(found: Mapping[str, Any]) -> Figure:
    """Accumulator against both diagonals, and the forces at the ends."""
    figure, axes = panels(1, 2)
    squares, known = np.array(found["diagonals"]["squares"]), found["accumulator"]
    ax = axes[0, 0]
    for name, label, color, marker in (("fisher", "Fisher", 0, "o"), ("hessian", "Hessian", 1, "x")):
        values, r = np.array(found["diagonals"][name]), known[f"spearman_{name}"]
        shown = (values > 0) & (squares > 0)
        label = f"{label}, rank correlation {r:.2f}"
        ax.plot(values[shown], squares[shown], marker, color=PALETTE[color], ms=2, lw=0, label=label)
    ax.set(xscale="log", yscale="log", xlabel="diagonal entry (nats / unit$^2$)", ylabel="sum of squared forces")
    ax.set_ylim(top=3 * squares.max())
    ax.legend(loc="upper left")
    at_q, at_umap = found["fisher_against_hessian"]["p_equals_q"], found["fisher_against_hessian"]["umap"]
    ax.set_title(f"Fisher $-$ Hessian: {at_q:.0e} of it at p = q,\n{at_umap:.0%} at UMAP's layout", loc="left")
    ax = axes[0, 1]
    ax.plot(found["ends"]["distance"], found["ends"]["half"], color=PALETTE[0], label="p = 1/2")
    ax.plot(found["ends"]["distance"], found["ends"]["certain"], color=PALETTE[1], ls="--", label="p = 1")
    ax.set(xscale="log", yscale="log", xlabel="distance (layout units)", ylabel="|force| (nats / unit)")
    ax.legend()
    ax.set_title("Pairs with p < 1 repel without bound as they meet;\nthose with p = 1 never repel", loc="left")
    return figure


if __name__ == "__main__":
    study(Study("hessian", (__doc__ or "").splitlines()[0], numbers, draw))
