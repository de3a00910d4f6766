"""Do the surfaces of KL and cross-entropy over two distances say what t-SNE and UMAP keep of far pairs?

Oskolkov ("How Exactly UMAP Works", 2019) plots, with p = exp(-x^2) and q = 1 / (1 + y^2), the cost of a pair over its
distances x in the data and y in the layout: KL(x, y) = p ln(p/q) for t-SNE, CE(x, y) = p ln(p/q) + (1 - p)
ln((1 - p)/(1 - q)) for UMAP, and reads off that t-SNE does not mind far pairs placed near, UMAP does, hence global
structure.  (Formulas as that text is commonly quoted, without its constants.)

What holds.  As functions of two numbers the surfaces are right: at p = 0 the first is 0 for every y, the second
-ln(1 - q), which grows without bound as y -> 0.  A loss of the first kind alone, which is the article's (7), has its
minimum at total collapse (C33).

What is refuted.
1. The first surface is not t-SNE's loss.  Its p and q are shares, and ln sum q is common to all pairs: one more pair
   with p = 0 at y costs Z_p ln(1 + q(y) / Z_q), in nats of the unnormalised p, Z_p = sum p, Z_q = sum q.  At small q
   that is q Z_p / Z_q, and Z_p / Z_q = 1 / (m_neg mean q) times UMAP's effective weight m_neg mean d / n at the same
   layout (n - 1 for n): more than UMAP charges, wherever mean q < 1/m_neg.
   For q near 1 the logarithm -ln(1 - q) overtakes it: the JSON says from which q on.
2. The second is not the loss that UMAP descends: its samples put B = m_neg (d_i + d_j)/(2n) in place of 1 - p (C1, F2),
   the same surface at p = 0 but 30 to 60 times lower on these data, and the lower the more points.
3. A surface is not a sum.  Weighed by the pairs that runs have at each (x, y): pairs that are no edges and yet placed
   near, y <= 1, are the largest part of CE as plotted on digits and a third of CE as run, so the charge for them is no
   negligible one, and the run ends without having removed them.  But they are second neighbours, just outside the
   lists: those in the far half of the data (x over the median of all pairs), which a statement on global structure is
   about, are under a thousandth of either loss at the end.
4. "Far" has one value: off the neighbour lists p = 0 exactly, whatever x.  Both losses are the same functions of the
   layout for all data with the same graph, and ask of far pairs only that they be further apart, not how far.
What is not refuted: that UMAP moves far pairs apart that lie near.  On digits the far half's pairs with y <= 1 are 12%
of all pairs at the spectral start and 0.004% at the end (on the ring none, ever), at the weight B; nor that its layouts
keep more of global structure than t-SNE's on some data.  These surfaces do not show why; start and t-SNE's own run
were not varied here.

Data: default runs with 3 seeds.  x = d_X(i, j) / sqrt(r_i r_j), r the distance of a point's last listed neighbour.
Regions are by edge of the pruned graph, and by y <= 1.  Unordered pairs, nats.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from scipy.spatial.distance import pdist
from scipy.special import lambertw

from umapinfo import Descent, Recording, curve_of, descent_of, embed, graph_of, prune
from umapinfo.core.graph import Graph
from umapinfo.datasets import load
from umapinfo.measures import effective_loss, purported_loss
from umapinfo.pairs import edge_d2, edge_potentials
from umapinfo.plot import PALETTE

SEEDS = (0, 1, 2)
X_BINS, Y_BINS = 2.0 ** np.arange(-3, 3.1, 0.5), 2.0 ** np.arange(-5, 5.6, 0.5)  # what lies outside is put at the ends
FAR_PLACED_NEAR = "not an edge, y <= 1"


def numbers(options: Options) -> Mapping[str, Any]:
    """The surfaces on four places, and the runs by region."""
    n = {"ring": 200 if options.quick else 1000, "digits": 250 if options.quick else 1797}
    seeds, epochs = (SEEDS[:1], 50) if options.quick else (SEEDS, None)
    runs = {name: [of_run(name, size, seed, epochs) for seed in seeds] for name, size in n.items()}
    return {
        "surface": {str(x): surface(x) for x in (0.0, 1.0, 3.0)},
        "runs": {name: summary(found) for name, found in runs.items()},
        "map": {"x": X_BINS, "y": Y_BINS, **runs["digits"][0]["map"]},
        "slice": runs["digits"][0]["slice"],
    }


def surface(x: float) -> dict[str, float]:
    """Both of Oskolkov's costs of a pair at distance x in the data, near (y = 0.1) and far (y = 3) in the layout."""
    return {f"{name}, y = {y}": float(cost[0]) for y in (0.1, 3.0) for name, cost in costs(x, np.array([y])).items()}


def costs(x: float, y: np.ndarray) -> dict[str, np.ndarray]:
    """KL without complement and CE at p = exp(-x^2), q = 1/(1 + y^2); p ln p = 0 at p = 0 and at p = 1."""
    p, log_q, log_rest = np.exp(-(x**2)), -np.log1p(y**2), -np.log1p(y**-2.0)
    kl = p * (-(x**2) - log_q)
    complement = 0.0 if p == 1 else (1 - p) * (np.log1p(-p) - log_rest)
    return {"KL": kl, "CE": kl + complement}


def of_run(name: str, n: int, seed: int, epochs: int | None) -> dict[str, Any]:
    """One default run: every pair with its distances and its terms in each loss."""
    X = load(name, seed=3, n=n).X
    trace = embed(X, seed=seed, n_epochs=epochs, recording=Recording(epochs=2, checkpoints=2), progress=False)
    graph, curve, descent = graph_of(trace), curve_of(trace), descent_of(trace)
    mu, Y = prune(graph, descent.epochs_for(n)), trace["layouts"]["Y"].values[-1]
    heads, tails = np.triu_indices(n, 1)
    attraction, repulsion, q = edge_potentials(Y, heads, tails, curve, ["attraction", "repulsion", "similarity"])
    p = mu.to_csr().toarray()[heads, tails]
    terms = {"pairs": np.ones_like(p), **loss_terms(mu, descent, p, attraction, repulsion, q, heads, tails)}
    radius = np.sqrt(graph.rows.distance.reshape(n, -1)[:, -1].astype(float))
    x, y = pdist(X) / (radius[heads] * radius[tails]), np.sqrt(edge_d2(Y, heads, tails))
    totals = {"purported": purported_loss(mu, Y, curve).bce, "effective": effective_loss(mu, descent, Y, curve).bce}
    far = x > np.median(x)
    far_half = far & (y <= 1)
    at_start = np.sqrt(edge_d2(trace["layouts"]["Y"].values[0], heads, tails)) <= 1
    return {
        "regions": {key: by_region(p > 0, y, term) for key, term in terms.items()},
        "check": max(abs(terms[key].sum() / total - 1) for key, total in totals.items()),
        "totals": {key: float(term.sum()) for key, term in terms.items()},
        "far_placed_near_by_distance": {
            key: float(term[(x > 1) & (y <= 1)].sum() / term.sum()) for key, term in terms.items()
        },
        "far_half_placed_near": {key: float(term[far_half].sum() / term.sum()) for key, term in terms.items()},
        "far_half_placed_near_at_start": float(np.mean(far & at_start)),
        "median_x": {"pairs": float(np.median(x)), FAR_PLACED_NEAR: float(np.median(x[(p == 0) & (y <= 1)]))},
        "edges_by_distance": float(np.mean(x[p > 0] <= 1)),
        "weights": weights_of_q(mu, descent, p, q),
        "map": {key: on_map(x, y, terms[key]) for key in ("pairs", "purported", "effective")},
        "slice": slice_at_zero(mu, descent, p, q, curve),
    }


def loss_terms(
    mu: Graph,
    descent: Descent,
    p: np.ndarray,
    attraction: np.ndarray,
    repulsion: np.ndarray,
    q: np.ndarray,
    heads: np.ndarray,
    tails: np.ndarray,
) -> dict[str, np.ndarray]:
    """Terms of pairs: -p ln q alone, purported and effective BCE, t-SNE's slope in q (attraction's left out)."""
    d = mu.degree
    B = descent.repulsion_strength * descent.negative_sample_rate * (d[heads] + d[tails]) / (2 * mu.n_vertices)
    return {
        "without_complement": p * attraction,
        "purported": p * attraction + (1 - p) * repulsion,
        "effective": p * attraction + B * repulsion,
        "tsne_repulsion": p.sum() * q / q.sum(),
    }


def on_map(x: np.ndarray, y: np.ndarray, term: np.ndarray) -> np.ndarray:
    """Share of the sum of a term in each cell of the map."""
    inside = (np.clip(v, edges[0], edges[-1]) for v, edges in ((x, X_BINS), (y, Y_BINS)))
    return np.histogram2d(*inside, (X_BINS, Y_BINS), weights=term)[0] / term.sum()


def by_region(edge: np.ndarray, y: np.ndarray, term: np.ndarray) -> dict[str, float]:
    """Share of the sum of a term over four regions."""
    near, total = y <= 1, term.sum()
    regions = {
        "edge, y <= 1": edge & near,
        "edge, y > 1": edge & ~near,
        FAR_PLACED_NEAR: ~edge & near,
        "not an edge, y > 1": ~edge & ~near,
    }
    return {name: float(term[where].sum() / total) for name, where in regions.items()}


def weights_of_q(mu: Graph, descent: Descent, p: np.ndarray, q: np.ndarray) -> dict[str, float]:
    """What a pair with p = 0 and small q pays per q: in the purported loss 1, in the effective one B, in t-SNE's."""
    effective = descent.repulsion_strength * descent.negative_sample_rate * mu.degree.mean() / mu.n_vertices
    tsne = p.sum() / q.sum()
    return {
        "purported": 1.0,
        "effective": float(effective),
        "tsne": float(tsne),
        "tsne_over_effective": float(tsne / effective),
        "mean_q": float(q.mean()),
        "equal_at_q": equal_at(tsne / effective),
    }


def equal_at(ratio: float) -> float:
    """The q > 0 at which -ln(1 - q) = ratio q, above which the effective loss charges more than t-SNE's; 0 if none.

    With z = -ln(1 - q): z = ratio (1 - e^-z), so that z = ratio + W(-ratio e^-ratio) by Lambert's function.
    """
    return float(-np.expm1(-ratio - lambertw(-ratio * np.exp(-ratio)).real)) if ratio > 1 else 0.0


def slice_at_zero(mu: Graph, descent: Descent, p: np.ndarray, q: np.ndarray, curve: Any) -> dict[str, Any]:
    """Cost of one pair with p = 0 over y in each loss, nats: the surfaces' edge at large x, and t-SNE's true one."""
    y = np.geomspace(0.01, 30, 40)
    line = np.append(0.0, y)[:, None]
    tails = np.arange(1, len(line))
    repulsion, similarity = edge_potentials(line, np.zeros_like(tails), tails, curve, ["repulsion", "similarity"])
    weight = weights_of_q(mu, descent, p, q)["effective"]
    tsne = p.sum() * np.log1p(similarity / q.sum())
    return {"y": y, "purported": repulsion, "effective": weight * repulsion, "tsne": tsne}


def summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds, with the standard deviation of the shares of the far pairs placed near."""

    def mean(parts: list[Any]) -> Any:
        if isinstance(parts[0], dict):
            return {key: mean([part[key] for part in parts]) for key in parts[0]}
        return float(np.mean(parts))

    kept = (
        "regions",
        "check",
        "totals",
        "far_placed_near_by_distance",
        "far_half_placed_near",
        "far_half_placed_near_at_start",
        "median_x",
        "edges_by_distance",
        "weights",
    )
    of_seeds = {
        key: [run["regions"][key][FAR_PLACED_NEAR] for run in found] for key in ("pairs", "purported", "effective")
    }
    return {**mean([{key: run[key] for key in kept} for run in found]), "far_placed_near_of_seeds": of_seeds}


def draw(found: Mapping[str, Any]) -> Figure:
    """The cost at p = 0; where pairs are; what regions contribute to each loss; the effective loss's map."""
    figure, axes = panels(2, 2)
    draw_slice(found, axes[0, 0])
    draw_regions(found, axes[0, 1])
    draw_map(found, "pairs", "pairs of digits", axes[1, 0])
    draw_map(found, "effective", "CE as run", axes[1, 1])
    return figure


def draw_slice(found: Mapping[str, Any], ax: Axes) -> None:
    """Cost over y of a pair with p = 0."""
    part, weights = found["slice"], found["runs"]["digits"]["weights"]
    looks = (
        ("purported", "CE as plotted: $-\\ln(1-q)$", "-"),
        ("tsne", "t-SNE: $Z_p \\ln(1 + q/Z_q)$", "--"),
        ("effective", "CE as run: $-B \\ln(1-q)$", "-."),
    )
    for i, (name, label, line) in enumerate(looks):
        ax.plot(part["y"], part[name], line, color=PALETTE[i], label=label)
    ax.set(xscale="log", yscale="log", ylim=(1e-5, 1e3), xlabel="distance y in the layout (layout units)")
    ax.set_ylabel("cost of a pair with p = 0 (nats)")
    ax.set_title(
        "digits: at p = 0 and small q t-SNE's loss charges\n"
        f"{weights['tsne_over_effective']:.1f} times what UMAP's does; its surface shows 0",
        loc="left",
    )
    ax.legend(loc="upper right")


def draw_regions(found: Mapping[str, Any], ax: Axes) -> None:
    """Shares of four regions in the pairs and in three losses."""
    regions = found["runs"]["digits"]["regions"]
    rows = (
        ("pairs", "pairs"),
        ("purported", "CE as plotted"),
        ("effective", "CE as run"),
        ("without_complement", "$-p \\ln q$ alone"),
    )
    left = np.zeros(len(rows))
    for i, region in enumerate(regions["pairs"]):
        share = np.array([regions[key][region] for key, _ in rows])
        ax.barh(
            range(len(rows)),
            share,
            left=left,
            color=PALETTE[i],
            hatch=("", "//", "..", "xx")[i],
            edgecolor="white",
            lw=0.3,
            label=region,
        )
        left += share
    ax.set_yticks(range(len(rows)), [label for _, label in rows])
    ax.set(xlim=(0, 1), ylim=(len(rows) - 0.4, -1.9), xlabel="share of the sum over pairs")
    near = {key: regions[key][FAR_PLACED_NEAR] for key in ("pairs", "purported", "effective")}
    ax.set_title(
        f"digits: non-edges placed near: {near['pairs']:.1%} of pairs,\n"
        f"{near['purported']:.0%} of CE as plotted, {near['effective']:.0%} of CE as run",
        loc="left",
    )
    ax.legend(loc="upper left", ncols=2, columnspacing=1, handlelength=1.5)


def draw_map(found: Mapping[str, Any], key: str, label: str, ax: Axes) -> None:
    """Share of pairs or of a loss over (x, y)."""
    x, y, share = (np.array(found["map"][name]) for name in ("x", "y", key))
    drawn = ax.pcolormesh(
        x, y, np.ma.masked_equal(share, 0).T, norm=LogNorm(1e-5, 1), cmap="viridis_r", rasterized=True
    )
    inset = ax.inset_axes((0.74, 0.06, 0.04, 0.36))
    ax.figure.colorbar(drawn, cax=inset, label="share in a cell")
    ax.axvline(1, color="0.3", lw=0.6, ls=":")
    ax.axhline(1, color="0.3", lw=0.6, ls=":")
    ax.set(xscale="log", yscale="log", xlabel="distance x in the data (radius of the lists)")
    ax.set_ylabel("distance y in the layout")
    ax.set_xticks([0.25, 0.5, 1, 2, 4], ["0.25", "0.5", "1", "2", "4"])
    ax.minorticks_off()
    run = found["runs"]["digits"]
    ax.axvline(run["median_x"]["pairs"], color="black", lw=0.8, ls="--")
    corner, half = (run[name][key] for name in ("far_placed_near_by_distance", "far_half_placed_near"))
    ax.set_title(f"{label}: {corner:.1%} at x > 1, y < 1,\n{half:.3%} with x over its median (dashed)", loc="left")


if __name__ == "__main__":
    study(Study("oskolkov", (__doc__ or "").splitlines()[0], numbers, draw))
