"""Which entropy of a row does n_neighbors fix, and how many neighbours does a row have by t-SNE's count?

The rows r = p_{j|i} / S_i are probabilities; D_alpha = exp(Renyi entropy of order alpha) is their effective number
of neighbours.  The search for sigma sets S_i = log2 k, and since the nearest neighbour has p = 1 that is D_inf: UMAP
fixes the perplexity of order inf (min-entropy) to log2 k, t-SNE that of order 1 (Shannon) to its parameter.  So
sum p = log2 k is an entropy statement of order inf, k = 2^(2^H_inf), not of Shannon's order (C24); D_1 = log2(k) e^<x>.
Both graphs are built on the same points, t-SNE's (Gaussians in d^2 over all other points, precision by bisection) at
the mean D_1 of UMAP's rows.

Also: the law of a row (C9), sum of e^(-s x_j) = log2 k with x_j = G_j^(1/D) - G_1^(1/D), G_j sums of Exp(1), which
has no parameter but D and k; where S_i = log2 k fails, ties and floors (C10); k = 2^(sum) for the wrong sums, columns
and degrees (C22); what an edge carries in bits (C23) and how far p is from Boolean (C25).

Three numbers of the claims depend on the data more than they say.  Rows have 70% (one dimension) to 87% (a hundred) of
the Bernoulli entropy that their sums allow, not 86% everywhere (C25).  The row without chance at D = inf, G_j = j and
p_j = j^-s, has 4% more perplexity at k = 15 than the law's mean (C9).  On the plane's integer lattice the row sums at
k = 15 are at most 4 = log2 16: the four nearest tie, and the floor takes the rest (C10).

All sums are over directed rows, the point itself not counted, unless `degree` is said.  Seeds: 3 draws of Gaussian
data; "5%" and "95%" are quantiles over rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from _perplexity import INFINITE, gaussian, law, tsne_rows, unusual, zipf
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import comb

from umapinfo import Graph, fuzzy_graph, neighbors
from umapinfo.datasets import load
from umapinfo.measures import graph_binarisation, hill_numbers, row_binarisation, row_hill_numbers
from umapinfo.measures.degree import degree
from umapinfo.plot import PALETTE

ALPHAS = (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4, 6, 10, 20, np.inf)
KS = (5, 10, 15, 30, 50, 100)
DIMENSIONS = (1, 2, 3, 5, 10, 100, 1000)
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
        "law_of_k": {str(D): [law(D, k, rows) for k in ks] for D in (1, 2, 10)}
        | {"inf": [law(INFINITE, k, rows) for k in ks]},
        "zipf": {str(k): zipf(k) for k in (15, 30, 100)},
        "dimension": list(DIMENSIONS),
        "of_dimension": [of_rows(gauss[D], 15) for D in DIMENSIONS],
        "law_of_dimension": [law(D, 15, rows) for D in DIMENSIONS],
        "exceptions": {name: exceptions(X, k) for name, X, k in unusual(n, points)},
        "counts": {name: counts(X, ks) for name, X in (("digits", points["digits"]), ("gaussian 100", gauss[100][0]))},
        "bits": {name: bits(drawn[0], 15) for name, drawn in clouds.items()},
    }


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


def of_rows(drawn: Sequence[np.ndarray], k: int) -> dict[str, float]:
    """Mean D_1 over rows, its standard deviation over rows, and the spread of the mean over draws of the data."""
    found = [row_hill_numbers(graph_of(X, k), (1,))[:, 0] for X in drawn]
    means = [float(D.mean()) for D in found]
    between = float(np.std(means, ddof=1)) if len(means) > 1 else 0.0
    return {"mean": float(np.mean(means)), "sd_rows": float(np.mean([D.std() for D in found])), "sd_draws": between}


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
        "row_min_entropy": float(np.log2(numbers[:, 3]).mean()),
        "row_sum_p": float(numbers[:, 3].mean()),
        "row_shannon": float(np.log2(numbers[:, 1]).mean()),
        "row_bernoulli": rows.entropy / BITS / n,
        "row_bernoulli_maximum": rows.entropy_maximum / BITS / n,
        "row_ratio": rows.entropy_ratio,
        "edge_bernoulli": edges.entropy_mean / BITS,
        "edge_ratio": edges.entropy_ratio,
        "edge_self_information": float(-np.log2(share)),
        "list_of_k": float(np.log2(comb(n - 1, k - 1))),
        "listed_with_one": float(np.mean(graph.rows.membership == 1)),
        "edges_with_one": float(np.mean(graph.weight == 1)),
        "edges_near_ends_05": edges.near_zero_05 + edges.near_one_05,
    }


def draw(found: Mapping[str, Any]) -> Figure:
    """Profiles of both methods; from k and from the dimension to perplexity; what (4) counts."""
    figure, axes = panels(2, 2)
    draw_profile(found["profile"], axes[0, 0])
    draw_of_k(found, axes[0, 1])
    draw_dimension(found, axes[1, 0])
    draw_counts(found, axes[1, 1])
    return figure


def draw_profile(found: Mapping[str, Any], ax: Axes) -> None:
    """D_alpha over alpha, with the span of nine rows in ten: each method's span closes at the order that it fixes."""
    alphas = np.array([float(a) for a in found["order"]])
    place = np.where(np.isinf(alphas), 1.0, alphas / (1 + np.where(np.isinf(alphas), 0, alphas)))
    for name, label, colour, line in (("umap", "UMAP", PALETTE[0], "-"), ("tsne", "t-SNE", PALETTE[1], "--")):
        mean, low, high = (np.array([D[part] for D in found[name]]) for part in ("mean", "5%", "95%"))
        ax.fill_between(place, low, high, color=colour, alpha=0.25, lw=0)
        ax.plot(place, mean, line, color=colour, label=label)
    ax.plot(1, found["log2_k"], "o", color=PALETTE[0], ms=5, clip_on=False, zorder=5)
    ax.plot(0.5, found["perplexity"], "s", color=PALETTE[1], ms=5, zorder=5)
    ticks = (0, 1, 2, 4, np.inf)
    ax.set_xticks([1.0 if np.isinf(t) else t / (1 + t) for t in ticks], ["0", "1", "2", "4", "$\\infty$"])
    ax.set(yscale="log", ylim=(1.8, 60), xlabel=r"order $\alpha$", ylabel=r"effective neighbours $D_\alpha$")
    ax.set_yticks([2, 4, 10, 20, 50], ["2", "4", "10", "20", "50"])
    ax.minorticks_off()
    ax.set_title(
        f"UMAP fixes order $\\infty$ at log$_2$ {found['k']} = {found['log2_k']:.2f};\n"
        f"t-SNE fixes order 1, here at {found['perplexity']:.1f}",
        loc="left",
    )
    ax.legend(loc="upper right")


def draw_of_k(found: Mapping[str, Any], ax: Axes) -> None:
    """Mean Shannon perplexity over k."""
    ks, last = found["k"], str(found["k"][-1])
    for i, (name, of_k) in enumerate(found["of_k"].items()):
        means = [of_k[str(k)]["mean"] for k in ks]
        ax.plot(ks, means, "osv^D*"[i], color=PALETTE[i], label=name)
    for D, line in (("1", ":"), ("2", "-."), ("10", "--"), ("inf", "-")):
        ax.plot(ks, [law["mean"] for law in found["law_of_k"][D]], line, color="0.4", lw=0.8)
        label = "law, D = $\\infty$" if D == "inf" else f"D = {D}"
        ax.annotate(
            label,
            (ks[-1], found["law_of_k"][D][-1]["mean"]),
            xytext=(3, 0),
            va="center",
            textcoords="offset points",
            fontsize=7,
            color="0.3",
        )
    ax.plot(ks, np.log2(ks), color="black", lw=0.8)
    ax.annotate(
        "$\\log_2 k$", (ks[-1], np.log2(ks[-1])), xytext=(3, 0), va="center", textcoords="offset points", fontsize=7
    )
    ax.set(
        xscale="log", xlim=(ks[0] * 0.9, ks[-1] * 2.1), xlabel="n_neighbors k", ylabel="mean perplexity $D_1$ of rows"
    )
    ax.set_xticks(ks, [str(k) for k in ks])
    ax.minorticks_off()
    means = [of_k[last]["mean"] for of_k in found["of_k"].values()]
    ax.set_title(
        f"k = {last} is a perplexity of {min(means):.0f} to {max(means):.0f},\nmore in higher dimensions",
        loc="left",
    )
    ax.legend(loc="upper left")


def draw_dimension(found: Mapping[str, Any], ax: Axes) -> None:
    """D_1 at k = 15 over the dimension, measured and by the law."""
    D = found["dimension"]
    law, rows = found["law_of_dimension"], found["of_dimension"]
    mean, sd = (np.array([part[key] for part in law]) for key in ("mean", "sd_rows"))
    ax.fill_between(D, mean - sd, mean + sd, color="0.85", label="law, $\\pm$ s.d. of rows")
    ax.plot(D, mean, color="0.3", label="law without parameters")
    ax.errorbar(
        D,
        [r["mean"] for r in rows],
        [r["sd_rows"] for r in rows],
        fmt="o",
        color=PALETTE[0],
        lw=0.8,
        capsize=2,
        label="Gaussian data, $\\pm$ s.d. of rows",
    )
    gap = max(abs(r["mean"] - m["mean"]) for r, m in zip(rows, law, strict=True))
    ax.set(xscale="log", xlabel="dimension D of the data", ylabel="perplexity $D_1$ of rows, k = 15")
    ax.set_title(f"Means are within {gap:.2f} of the law of D and k", loc="left")
    ax.legend(loc="lower right")


def draw_counts(found: Mapping[str, Any], ax: Axes) -> None:
    """2^sum of rows, columns and degrees over k."""
    of_k, ks = found["counts"]["digits"], found["k"]
    ax.plot(ks, ks, color="0.7", lw=3, label="k")
    looks = (
        ("row", "rows", "-", "o"),
        ("column", "columns (5%, 95%)", ":", "v"),
        ("degree", "mean degree (band: 5% to 95%)", "--", "s"),
    )
    for i, (name, label, line, mark) in enumerate(looks):
        low, high = ([of_k[str(k)][name][part] for k in ks] for part in ("5%", "95%"))
        ax.fill_between(ks, low, high, color=PALETTE[i], alpha=0.2, lw=0)
        middle = [of_k[str(k)]["of_mean_degree"] for k in ks] if name == "degree" else low
        if name != "column":
            ax.plot(ks, middle, line + mark, color=PALETTE[i], label=label)
        else:
            ax.plot(ks, high, line + mark, color=PALETTE[i], label=label)
            ax.plot(ks, low, line + mark, color=PALETTE[i])
    top = 100 * max(of_k[str(k)]["degree"]["95%"] for k in ks)
    ax.set(
        xscale="log",
        yscale="log",
        ylim=(0.8, top),
        xlabel="n_neighbors k",
        ylabel="count $2^{\\,\\mathrm{sum\\ of\\ }p}$",
    )
    ax.set_xticks(ks, [str(k) for k in ks])
    ax.minorticks_off()
    k = "15"
    ax.set_title(f"digits: with degrees (4) counts {of_k[k]['of_mean_degree']:.0f} neighbours\nfor k = {k}", loc="left")
    ax.legend(loc="upper left")


if __name__ == "__main__":
    study(Study("perplexity", (__doc__ or "").splitlines()[0], numbers, draw))
