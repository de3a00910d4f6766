"""What does the founding article say that is wrong, and what is the counterexample?

Each erratum is computed, on five points, on the toy ring (n = 1000, k = 15) or on the integer lattice, where a number
contradicts the article's equation or sentence (its (1) to (8); claims C10 to C34).  Losses over unordered pairs in
nats; row sums without the point itself.  The same mistakes measured at size stand in the analyses that the ledger
names.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from _study import Options, Study, panels, study
from matplotlib.figure import Figure

from umapinfo import Curve, Graph, fit_curve, fuzzy_graph, graph_from_csr, initial_layout, neighbors, prune
from umapinfo.datasets import load
from umapinfo.measures import article_cross_entropy, purported_loss
from umapinfo.measures.bernoulli import pair_terms
from umapinfo.plot import PALETTE

SCALES = np.logspace(0, -4, 33)


def numbers(options: Options) -> Mapping[str, Any]:
    """Every counterexample."""
    n, k = (200 if options.quick else 1000), 15
    X = load("ring", seed=3, n=n).X
    graph, curve = fuzzy_graph(neighbors(X, k)), fit_curve()
    return {
        "k": k,
        "sums": sums(graph, k),
        "ties": ties(k),
        "duplicates": duplicates(k),
        "one_bit": bits(graph),
        "norm": norm(Curve(1.929, 0.7915)),
        "collapse": collapse(prune(graph, 500), X, curve),
        "sign": sign(),
        "normalisation": {"terms_of_rows": n * (k - 1), "terms_of_all_pairs": n * (n - 1) // 2},
    }


def rows_and_columns(graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the directed memberships over each row and each column, float64[n]."""
    rows = graph.rows
    heads = np.repeat(np.arange(graph.n_vertices), np.diff(rows.indptr))
    weights = rows.membership.astype(np.float64)
    return np.bincount(heads, weights, graph.n_vertices), np.bincount(rows.neighbor, weights, graph.n_vertices)


def sums(graph: Graph, k: int) -> Mapping[str, Any]:
    """(1) and (4): 2 to the sum of p_ij over a row, over a column, and of the symmetric p."""
    row, column = rows_and_columns(graph)
    counted = {"row": 2**row, "column": 2**column, "symmetric": 2**graph.degree}
    quantiles = {name: np.quantile(values, [0, 0.05, 0.5, 0.95, 1]) for name, values in counted.items()}
    return {
        "log2_k": math.log2(k),
        "mean_degree": float(graph.degree.mean()),
        "quantiles": quantiles,
        "with_self": 2 ** float(row.mean() - 1),  # if the sum had the point itself, whose p is 1, in it
        "histograms": {
            name: np.histogram(np.log2(values), bins=30, range=(1, 9))[0] for name, values in counted.items()
        },
    }


def ties(k: int) -> Mapping[str, float]:
    """(1) on the integer lattice: four nearest neighbours at one distance leave no solution but more than log2 k."""
    side = np.arange(20.0)
    lattice = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    row, _ = rows_and_columns(fuzzy_graph(neighbors(lattice, k)))
    inner = ((lattice > 3) & (lattice < 16)).all(axis=1)
    return {"row_least": float(row.min()), "row_largest": float(row.max()), "row_inner": float(row[inner].mean())}


def duplicates(k: int) -> Mapping[str, float]:
    """(2) without max(0, .): a copy of a point, at distance 0 < rho, would have a probability above 1."""
    X = load("ring", seed=3, n=200).X
    graph = fuzzy_graph(neighbors(np.r_[X, X[:1]], k))
    rows = graph.rows
    copy = rows.indptr[0] + int(np.argmin(rows.distance[rows.indptr[0] : rows.indptr[1]]))
    return {
        "distance": float(rows.distance[copy]),
        "article": math.exp(-(float(rows.distance[copy]) - float(rows.rho[0])) / float(rows.sigma[0])),
        "umap": float(rows.membership[copy]),
    }


def bits(graph: Graph) -> Mapping[str, float]:
    """(4) has one bit an edge: the entropy of the edges, and the share that is 0 or 1."""
    p = graph.weight.astype(np.float64)[graph.heads < graph.indices]
    entropy = pair_terms(p, 1 - p, np.zeros_like(p)).entropy / math.log(2)
    return {"mean_bits": float(entropy.mean()), "share_certain": float((p == 1).mean()), "n_edges": len(p)}


def norm(curve: Curve) -> Mapping[str, float]:
    """(5): without a norm a difference of -1 has no real power 2 b; and q is no step at min_dist."""
    power = complex(-1.0) ** (2 * curve.b)
    q = {f"q_at_{d:g}": 1 / (1 + curve.a * d ** (2 * curve.b)) for d in (0.001, 0.5, 1.0, 3.0)}
    return {"power_imaginary": power.imag, "half_at": curve.a ** (-1 / (2 * curve.b)), **q}


def collapse(mu: Graph, X: np.ndarray, curve: Curve) -> Mapping[str, Any]:
    """(7) is the attraction alone: shrinking the layout lowers it to 0, where the cross-entropy is infinite."""
    Y = initial_layout(mu, X).astype(np.float64)
    article = [article_cross_entropy(mu, scale * Y, curve) for scale in SCALES]
    cross_entropy = [purported_loss(mu, scale * Y, curve).bce for scale in SCALES]
    at_a_point = purported_loss(mu, np.zeros_like(Y), curve)
    return {
        "scale": SCALES,
        "article": article,
        "bce": cross_entropy,
        "article_at_a_point": article_cross_entropy(mu, np.zeros_like(Y), curve),
        "bce_is_infinite_at_a_point": bool(np.isinf(at_a_point.bce)),
        "n_coincident": at_a_point.n_coincident,
    }


def sign() -> Mapping[str, Any]:
    """(8): for X = Y = Bernoulli(p) the divergence is 0 = H(X, Y) - H(X), and not H(X, Y) + H(X)."""
    p = np.linspace(0, 1, 41)
    with np.errstate(divide="ignore"):
        terms = pair_terms(p, 1 - p, np.log(p) - np.log1p(-p))
    graph = graph_from_csr(np.array([[0, 1, 0.5], [1, 0, 0.5], [0.5, 0.5, 0]]))
    loss = purported_loss(graph, np.array([[0.0, 0], [1, 0], [0, 1]]), fit_curve())
    return {
        "p": p,
        "difference": terms.bce - terms.entropy,
        "article": terms.bce + terms.entropy,
        "divergence_largest": float(np.abs(terms.kl).max()),
        "half": float(terms.bce[20] + terms.entropy[20]),
        "triangle": {"kl": loss.kl, "bce": loss.bce, "entropy": loss.entropy},
    }


def draw(found: Mapping[str, Any]) -> Figure:
    """The exponent of (4), the collapse of (7) and the sign of (8)."""
    figure, axes = panels(1, 3)
    draw_sums(found, axes[0, 0])
    draw_collapse(found["collapse"], axes[0, 1])
    draw_sign(found["sign"], axes[0, 2])
    return figure


def draw_sums(found: Mapping[str, Any], ax: Any) -> None:
    """Histograms of the three sums that (4) may mean."""
    centres = 1 + (np.arange(30) + 0.5) * 8 / 30
    for name, color, style in (("row", 0, "-"), ("column", 1, "--"), ("symmetric", 2, "-.")):
        ax.step(centres, found["sums"]["histograms"][name], color=PALETTE[color], ls=style, where="mid", label=name)
    ax.axvline(found["sums"]["log2_k"], color="black", lw=0.6, ls=":")
    ax.set(xlabel="sum of p", ylabel="vertices", yscale="log")
    ax.legend(title="sum over")
    median = found["sums"]["quantiles"]["symmetric"][2]
    ax.set_title(
        f"(4) $k = 2^{{\\Sigma p}}$ = {found['k']} holds for rows;\nthe symmetric p gives {median:.0f} (median)",
        loc="left",
    )


def draw_collapse(found: Mapping[str, Any], ax: Any) -> None:
    """The article's (7) and the cross-entropy of a layout that shrinks to a point."""
    ax.plot(found["scale"], found["bce"], color=PALETTE[0], label="binary cross-entropy")
    ax.plot(found["scale"], found["article"], color=PALETTE[1], ls="--", label="the article's (7)")
    ax.set(xscale="log", yscale="log", xlabel="size of the layout (of its start)", ylabel="nats")
    ax.invert_xaxis()
    ax.legend()
    ax.set_title(f"(7) drops a term: least ({found['article_at_a_point']:.0f})\nwhere all points coincide", loc="left")


def draw_sign(found: Mapping[str, Any], ax: Any) -> None:
    """H(X, Y) - H(X) and H(X, Y) + H(X) of two equal Bernoulli variables."""
    ax.plot(found["p"], found["difference"], color=PALETTE[0], label="H(X, Y) $-$ H(X) = D(X || X)")
    ax.plot(found["p"], found["article"], color=PALETTE[1], ls="--", label="H(X, Y) + H(X), the article's (8)")
    ax.set(xlabel="p of X = Y = Bernoulli(p)", ylabel="nats", ylim=(-0.1, 2.1))
    ax.legend(loc="upper right")
    ax.set_title(f"(8) has the wrong sign: {found['half']:.3f} nats\nbetween a coin and itself, not 0", loc="left")


if __name__ == "__main__":
    study(Study("errata", (__doc__ or "").splitlines()[0], numbers, draw))
