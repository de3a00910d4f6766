"""What does the kernel of the memberships change, if every row keeps the sum log2 k?

Rows exp(-x^2), exp(-x) and 1/(1 + x) of the same distances and the same sum are ordered by majorisation, whatever the
data (the kernels cross once): perplexities and Bernoulli entropies of a row rise from gaussian to exponential to power.
Measured beside it: how far, and what is left of it in degrees, in the graph's binarisation and in the layout.  The
min-entropy of a row is log2 log2 k with each (C24), and log2 k < mean degree < 2 log2 k (C14) holds for each: neither
speaks of exp(-x), nor of a Gaussian (C11, C18).  Losses are in nats over unordered pairs without the diagonal; pseudo
R^2 = 1 - loss / loss of the constant q = mean mu, so that 0 is a graph without structure (C35).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.manifold import trustworthiness

from umapinfo import Descent, Graph, Recording, fit_curve, fuzzy_graph, initial_layout, neighbors, prune, run
from umapinfo.core.membership import MEMBERSHIPS
from umapinfo.datasets import load
from umapinfo.measures import graph_binarisation, reference_losses, row_binarisation
from umapinfo.measures.degree import degree
from umapinfo.measures.loss import effective_loss, purported_loss
from umapinfo.plot import PALETTE

K = 15
ORDER = ("gaussian", "exponential", "power")
LABELS = {"gaussian": "$e^{-x^2}$", "exponential": "$e^{-x}$", "power": "$1/(1+x)$"}
SEEDS = 5
NAMES = ("iris", "digits", "mnist")
UNLAID = ("mnist",)  # their graphs alone: a layout a kernel and seed would take hours

assert sorted(ORDER) == sorted(MEMBERSHIPS)


def numbers(options: Options) -> Mapping[str, Any]:
    """Rows, degrees, binarisation and layouts of each kernel on each data set."""
    names = ("iris",) if options.quick else ("iris", "digits", *(UNLAID if options.full else ()))
    return {"n_neighbors": K, "log2_k": np.log2(K), "data": {name: of_data(name, options) for name in names}}


def of_data(name: str, options: Options) -> Mapping[str, Any]:
    """All numbers of one data set."""
    X = load(name).X
    lists = neighbors(X, K)
    graphs = {kernel: fuzzy_graph(lists, membership=kernel) for kernel in ORDER}
    found: dict[str, Any] = {kernel: of_graph(graph) for kernel, graph in graphs.items()}
    if name not in UNLAID:
        for kernel, graph in graphs.items():
            found[kernel] |= of_layouts(graph, X, options)
    return {"n_vertices": len(X), "kernels": found, **orders(graphs)}


def row_matrix(graph: Graph) -> np.ndarray:
    """P as float64[n, k - 1], nearest neighbour first."""
    assert graph.rows is not None
    return graph.rows.membership.reshape(graph.n_vertices, -1).astype(np.float64)


def shannon_bits(P: np.ndarray) -> np.ndarray:
    """Entropy of each row divided by its sum, in bits."""
    r = P / P.sum(axis=1, keepdims=True)
    return -np.sum(r * np.log2(np.where(r > 0, r, 1.0)), axis=1)


def of_graph(graph: Graph) -> dict[str, Any]:
    """Rows (perplexities in neighbours), degrees over log2 k and their bounds, binarisation; bound: tied or floored."""
    P, degrees, rows, edges = row_matrix(graph), degree(graph), row_binarisation(graph), graph_binarisation(graph)
    assert graph.rows is not None
    log2_k = np.log2(K)
    return {
        "row_sum_mean": P.sum(axis=1).mean(),
        "bound_share": np.mean(graph.rows.tied | graph.rows.floored),
        "perplexity_mean": np.mean(2 ** shannon_bits(P)),
        "perplexity_sd": np.std(2 ** shannon_bits(P)),
        "hill_2_mean": np.mean(P.sum(axis=1) ** 2 / np.square(P).sum(axis=1)),
        "berger_parker_mean": np.mean(P.sum(axis=1) / P.max(axis=1)),
        "last_membership_median": np.median(P[:, -1]),
        "membership_by_rank": P.mean(axis=0),
        "row_entropy_ratio": rows.entropy_ratio,
        "degree_over_log2_k": degrees.mean_degree / log2_k,
        "degree_lower_over_log2_k": degrees.mean_lower / log2_k,
        "degree_upper_over_log2_k": degrees.mean_upper / log2_k,
        "degree_max": degrees.degree.max(),
        "weighted_reciprocity": degrees.weighted_reciprocity,
        "edges": edges.n_values,
        "near_zero_05": edges.near_zero_05,
        "near_one_05": edges.near_one_05,
        "entropy": edges.entropy,
        "entropy_per_edge": edges.entropy_mean,
        "entropy_ratio": edges.entropy_ratio,
    }


def orders(graphs: Mapping[str, Graph]) -> dict[str, Any]:
    """Shares of the rows with one sum for all kernels in which perplexity rises, and each row majorises the next."""
    free = ~np.any([graph.rows.tied | graph.rows.floored for graph in graphs.values() if graph.rows], axis=0)
    rows = [row_matrix(graphs[kernel])[free] for kernel in ORDER]
    rises = np.all(np.diff([shannon_bits(P) for P in rows], axis=0) > 0, axis=0)
    partial = np.diff([np.cumsum(P, axis=1) for P in rows], axis=0).max(axis=(0, 2))
    return {"rows_compared": int(free.sum()), "perplexity_rises": rises.mean(), "majorises": np.mean(partial < 1e-4)}


def of_layouts(graph: Graph, X: np.ndarray, options: Options) -> dict[str, Any]:
    """Losses and trustworthiness (15 neighbours) of the layouts of some seeds: means, and standard deviations."""
    descent = Descent(n_epochs=20 if options.quick else None)
    mu, curve = prune(graph, descent.epochs_for(graph.n_vertices)), fit_curve()
    levels, found = reference_losses(mu, descent), []
    for seed in range(2 if options.quick else SEEDS):
        start = initial_layout(mu, X=X, seed=seed)
        settings = Descent(n_epochs=descent.n_epochs, seed=seed)
        trace = run(graph, curve, settings, start, Recording(observers=()), progress=False)
        Y = trace["layouts"]["Y"][-1].values
        bce, effective = purported_loss(mu, Y, curve).bce, effective_loss(mu, descent, Y, curve)
        found.append(
            {
                "bce": bce,
                "kl": bce - levels.purported_target,
                "pseudo_r2": 1 - bce / levels.purported_constant,
                "effective_bce": effective.bce,
                "effective_kl": effective.kl,
                "effective_kl_per_degree": effective.kl / mu.degree.sum(),
                "trustworthiness": trustworthiness(X, Y, n_neighbors=K),
            }
        )
    table = {key: [row[key] for row in found] for key in found[0]}
    spread = {f"{key}_sd": np.std(values, ddof=1) for key, values in table.items()}
    return {key: np.mean(values) for key, values in table.items()} | spread | {"n_layouts": len(found)}


def draw(found: Mapping[str, Any]) -> Figure:
    """Memberships by rank, perplexity, binarisation and degree; loss and trustworthiness where there are layouts."""
    data = {name: found["data"][name]["kernels"] for name in NAMES if name in found["data"]}
    laid = {name: kernels for name, kernels in data.items() if "trustworthiness" in kernels[ORDER[0]]}
    figure, axes = panels(3, 2)
    draw_rows(data, found["log2_k"], axes[0, 0])
    draw_perplexity(data, axes[0, 1])
    draw_binarisation(data, axes[1, 0])
    draw_degrees(data, axes[1, 1])
    draw_losses(laid, axes[2, 0])
    draw_trust(laid, axes[2, 1])
    return figure


STYLES = {"gaussian": ("-.", "s"), "exponential": ("-", "o"), "power": ("--", "^")}
COLOURS = dict(zip(ORDER, (PALETTE[2], PALETTE[0], PALETTE[1]), strict=True))


def draw_rows(data: Mapping[str, Any], log2_k: float, ax: Axes) -> None:
    """Mean membership of the neighbours by rank, of the last data set."""
    name, kernels = list(data.items())[-1]
    for kernel in ORDER:
        means = kernels[kernel]["membership_by_rank"]
        line, marker = STYLES[kernel]
        ax.plot(range(1, len(means) + 1), means, ls=line, marker=marker, color=COLOURS[kernel], label=LABELS[kernel])
    ends = [kernels[kernel]["membership_by_rank"][-1] for kernel in ORDER]
    ax.set(xlabel="rank of the neighbour", ylabel="mean membership $p_{j|i}$", ylim=(0, 1.05))
    title = f"{name}: one sum, {log2_k:.2f}; the {len(means)}th neighbour\ngets {listed(ends, 3)}"
    ax.set_title(title, loc="left")
    ax.legend(loc="upper right")


def listed(values: list[float], digits: int) -> str:
    """Numbers for a title, in the order of ORDER."""
    return ", ".join(f"{value:.{digits}f}" for value in values)


def dots(data: Mapping[str, Any], key: str, ax: Axes) -> list[list[float]]:
    """A group of dots for each data set, a dot a kernel, with its spread over seeds if there is one; the values."""
    for place, kernels in enumerate(data.values()):
        for column, kernel in enumerate(ORDER):
            at, spread = place + 0.22 * (column - 1), kernels[kernel].get(f"{key}_sd", 0.0)
            ax.errorbar(at, kernels[kernel][key], spread, fmt=STYLES[kernel][1], color=COLOURS[kernel], capsize=2)
    ax.set_xticks(range(len(data)), list(data))
    ax.set_xlim(-0.5, len(data) - 0.5)
    return [[kernels[kernel][key] for kernel in ORDER] for kernels in data.values()]


def draw_perplexity(data: Mapping[str, Any], ax: Axes) -> None:
    """Shannon perplexity of the rows, mean and standard deviation over rows."""
    for place, kernels in enumerate(data.values()):
        for column, kernel in enumerate(ORDER):
            mean, sd = kernels[kernel]["perplexity_mean"], kernels[kernel]["perplexity_sd"]
            ax.vlines(place + 0.22 * (column - 1), mean - sd, mean + sd, color=COLOURS[kernel], lw=0.8)
    values = dots(data, "perplexity_mean", ax)
    ax.set(ylabel="perplexity of a row (neighbours)", ylim=(0, K - 1))
    means = listed(values[-1], 1)
    title = f"Perplexity rises with the tail, in every row\n({list(data)[-1]}: {means}; lines: s.d. of rows)"
    ax.set_title(title, loc="left")


def draw_binarisation(data: Mapping[str, Any], ax: Axes) -> None:
    """Entropy of the edges over the largest that the degrees allow."""
    values = dots(data, "entropy_ratio", ax)
    kernels = list(data.values())[-1]
    near = [100 * (kernels[kernel]["near_zero_05"] + kernels[kernel]["near_one_05"]) for kernel in ORDER]
    ax.set(ylabel="entropy of edges / maximum", ylim=(0, 1))
    name, ratios = list(data)[-1], listed(values[-1], 2)
    title = f"{name}: within 0.05 of 0 or 1 are {listed(near, 0)} % of\nedges; entropies are {ratios} of the most"
    ax.set_title(title, loc="left")


def draw_degrees(data: Mapping[str, Any], ax: Axes) -> None:
    """Mean degree over log2 k, between its bounds."""
    values = dots(data, "degree_over_log2_k", ax)
    for place, kernels in enumerate(data.values()):
        for column, kernel in enumerate(ORDER):
            low, high = (kernels[kernel][f"degree_{end}_over_log2_k"] for end in ("lower", "upper"))
            ax.vlines(place + 0.22 * (column - 1), low, high, color=COLOURS[kernel], lw=0.8)
    spread = max(max(row) - min(row) for row in values)
    ax.set(ylabel="mean degree / log$_2$ k", ylim=(1, 2.1))
    title = f"Mean degrees differ by at most {spread:.2f} log$_2$ k\nand lie between their bounds (lines)"
    ax.set_title(title, loc="left")


def draw_losses(data: Mapping[str, Any], ax: Axes) -> None:
    """Effective KL over the mass of the graph."""
    values = dots(data, "effective_kl_per_degree", ax)
    ax.set(ylabel="effective KL / sum of degrees (nats)", ylim=(0, 1.2 * max(map(max, values))))
    title = f"What layouts leave of the effective loss, per unit\nof weight ({list(data)[-1]}: {listed(values[-1], 3)})"
    ax.set_title(title, loc="left")


def draw_trust(data: Mapping[str, Any], ax: Axes) -> None:
    """Trustworthiness of the layouts."""
    values = dots(data, "trustworthiness", ax)
    spread = max(max(row) - min(row) for row in values)
    seeds = max(kernels[kernel]["trustworthiness_sd"] for kernels in data.values() for kernel in ORDER)
    ax.set(ylabel="trustworthiness (15 neighbours)", ylim=(min(map(min, values)) - 0.01, 1))
    title = f"Trustworthiness differs by at most {spread:.4f}\n(s.d. over seeds up to {seeds:.4f})"
    ax.set_title(title, loc="left")


if __name__ == "__main__":
    study(Study("kernels", (__doc__ or "").splitlines()[0], numbers, draw, full=True))
