"""Are UMAP's edge probabilities Boolean, and does it find a binarised graph?

The probabilities p are not Boolean: they carry most of the entropy that their sums allow (C25).  Negative sampling aims
at nu* = mu / (mu + gamma m (d_i + d_j) / 2n), which is binary only for large n (C1); where the head alone is pushed, as
umap-learn does, half of that repulsion acts, and the target is more binary.  The layout's q is another thing again.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import xarray as xr
from _script import Script, main
from matplotlib.axes import Axes

from umapinfo import curve_of, descent_of, graph_of, prune
from umapinfo.measures.binarisation import (
    Binarisation,
    graph_binarisation,
    layout_binarisation,
    row_binarisation,
    target_binarisation,
)
from umapinfo.plot import PALETTE

LABELS = {
    "p": "probabilities $p$",
    "target": "target $\\nu^*$",
    "target_head_only": "target as run, head alone pushed",
    "q": "layout $q$",
}
LINES = {"p": "--", "target": "-.", "target_head_only": ":", "q": "-"}
COLOURS = dict(zip(LABELS, (PALETTE[0], PALETTE[1], PALETTE[3], PALETTE[2]), strict=True))


def quantity(trace: xr.DataTree) -> xr.Dataset:
    """Histograms of p, the target and q over the edges, and the binarisation of q along training."""
    graph, descent, epochs = graph_of(trace), descent_of(trace), trace["epochs"].to_dataset()
    mu = prune(graph, trace.attrs["n_epochs"])
    halved = replace(descent, repulsion_strength=descent.repulsion_strength / 2)
    measured = {
        "rows": row_binarisation(graph),
        "p": graph_binarisation(graph),
        "target": target_binarisation(mu, descent),
        "target_head_only": target_binarisation(mu, halved),
        "q": layout_binarisation(mu, trace["layouts"].to_dataset()["Y"][-1].values, curve_of(trace)),
    }
    shares = {name: ("bin", found.histogram / max(found.n_values, 1)) for name, found in measured.items()}
    near = {f"near_{name}": near_ends(found) for name, found in measured.items()}
    along = {
        "near_q": ("epoch", (epochs["q_near_zero_05"] + epochs["q_near_one_05"]).values),
        "q_entropy_ratio": ("epoch", epochs["q_entropy_ratio"].values),
    }
    numbers = {name: {k: v for k, v in asdict(found).items() if k != "histogram"} for name, found in measured.items()}
    attrs = {"data": trace.attrs["data"], "n_vertices": trace.attrs["n_vertices"], "numbers": numbers, **near}
    edges = np.linspace(0, 1, 21)
    return xr.Dataset(
        {**shares, **along}, coords={"left": ("bin", edges[:-1]), "epoch": epochs["epoch"].values}, attrs=attrs
    )


def near_ends(found: Binarisation) -> float:
    """Share of values within 0.05 of 0 or of 1."""
    return found.near_zero_05 + found.near_one_05


def draw(found: xr.Dataset, ax: Axes) -> Axes:
    """Histograms of p, nu* and q over the edges."""
    edges = np.append(found["left"].values, 1.0)
    for name, label in LABELS.items():
        ax.stairs(found[name].values, edges, color=COLOURS[name], ls=LINES[name], label=label, lw=1.2)
    ax.set(xlabel="value on an edge", ylabel="share of edges", xlim=(0, 1), ylim=(0, None))
    ratio = found.attrs["numbers"]["rows"]["entropy_ratio"]
    ax.set_title(
        f"{found.attrs['data']}: $p$ is not Boolean;\nits rows keep {ratio:.0%} of their largest entropy", loc="left"
    )
    return ax


def draw_training(found: xr.Dataset, ax: Axes) -> Axes:
    """Share of q near 0 or 1 along training, beside those of p and of the targets; the legend is that of both rows."""
    for name in ("p", "target", "target_head_only"):
        ax.axhline(found.attrs[f"near_{name}"], color=COLOURS[name], ls=LINES[name], label=LABELS[name])
    ax.plot(found["epoch"].values, found["near_q"].values, color=COLOURS["q"], label=LABELS["q"])
    ax.set(xlabel="epoch", ylabel="share within 0.05 of 0 or 1", ylim=(0, 1.03))
    share, target = found["near_q"].values[-1], found.attrs["near_target_head_only"]
    ax.set_title(
        f"{found.attrs['data']}: $q$ ends nearly 0 or 1 on {share:.0%} of the edges,\n"
        f"its target, as run, is so on {target:.0%}",
        loc="left",
    )
    ax.legend(loc="upper center", bbox_to_anchor=(0.45, -0.22), ncols=2, columnspacing=1.0, handlelength=2.2)
    return ax


def results(found: xr.Dataset) -> Mapping[str, Any]:
    """The numbers of the figure."""
    along = {"epoch": found["epoch"].values, "q_near_05": found["near_q"].values}
    return {"n_vertices": found.attrs["n_vertices"], **found.attrs["numbers"], "along_training": along}


if __name__ == "__main__":
    main(Script("binarisation", (__doc__ or "").splitlines()[0], quantity, (draw, draw_training), results))
