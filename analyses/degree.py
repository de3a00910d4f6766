"""Is the degree of a vertex log2 k, as the article says?

No: log2 k is what the directed rows sum to, and the lower bound of the degree.  With row masses S = log2 k the mean
degree lies between S + mean sum_j P_ij (1 - P_ij) and 2 S - 2/n (C14), usually at 1.4 to 1.85 log2 k.  Along training,
each vertex is moved as often as its degree says, not as often as log2 k would.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from _script import Script, main
from matplotlib.axes import Axes

from umapinfo import graph_of
from umapinfo.measures.degree import degree
from umapinfo.plot import PALETTE


def quantity(trace: xr.DataTree) -> xr.Dataset:
    """Row mass, column sum and degree of each vertex, and the degree realised along training."""
    found = degree(graph_of(trace))
    realised = trace["vertices"].to_dataset()["realised_degree"].isel(epoch=slice(1, None))
    offset = (found.log2_k - 1e-4) % 0.5  # log2 k, the lower bound, is an edge of the bins but for rounding
    bins = np.arange(offset - 0.5, max(found.degree.max(), found.column_sum.max()) + 0.5, 0.5)
    counts = {
        name: ("bin", np.histogram(np.maximum(values, bins[0] + 1e-9), bins)[0] / len(values))
        for name, values in (("degree", found.degree), ("column_sum", found.column_sum))
    }
    quantiles = realised.quantile([0.05, 0.5, 0.95], dim="vertex")
    numbers = {
        "data": trace.attrs["data"],
        "n_vertices": trace.attrs["n_vertices"],
        "n_neighbors": trace.attrs["n_neighbors"],
        "log2_k": found.log2_k,
        "row_mass_min": found.row_mass.min(),
        "row_mass_max_pinned": found.row_mass[found.pinned].max(initial=0.0),
        "rows_floored": int(found.floored.sum()),
        "rows_tied": int(found.tied.sum()),
        "column_sum_mean": found.column_sum.mean(),
        "column_sum_max": found.column_sum.max(),
        "degree_mean": found.mean_degree,
        "degree_median": float(np.median(found.degree)),
        "degree_min": found.degree.min(),
        "degree_max": found.degree.max(),
        "degree_mean_lower_bound": found.mean_lower,
        "degree_mean_upper_bound": found.mean_upper,
        "degree_over_log2_k": found.mean_degree / found.log2_k,
        "reciprocity": found.reciprocity,
        "neighbours_mean": found.n_adjacent.mean(),
        "neighbours_max": int(found.n_adjacent.max()),
        "vertices_outside_bounds": int(
            ((found.degree < found.lower - 1e-4) | (found.degree > found.upper + 1e-4)).sum()
        ),
        "realised_degree_mean": float(realised.isel(epoch=-1).mean()),
    }
    return xr.Dataset(
        {**counts, "realised": (("quantile", "epoch"), quantiles.values)},
        coords={"left": ("bin", bins[:-1]), "epoch": realised["epoch"].values, "quantile": [0.05, 0.5, 0.95]},
        attrs=numbers,
    )


def draw(found: xr.Dataset, ax: Axes) -> Axes:
    """Distribution of degree and column sum, beside log2 k and the bounds of the mean degree."""
    known = found.attrs
    left = found["left"].values
    edges = np.append(left, left[-1] + 0.5)
    ax.axvspan(
        known["degree_mean_lower_bound"], known["degree_mean_upper_bound"], color=PALETTE[0], alpha=0.15, lw=0,
        label="bounds of the mean degree",
    )  # fmt: skip
    ax.stairs(found["degree"].values, edges, color=PALETTE[0], label="degree $d_i$")
    ax.stairs(found["column_sum"].values, edges, color=PALETTE[1], ls="--", label="column sum $c_i$ (what others give)")
    ax.axvline(known["degree_mean"], color=PALETTE[0], ls="-.", lw=1, label="mean degree")
    ax.axvline(known["log2_k"], color="black", ls=":", label="row mass = $\\log_2 k$")
    ax.set(xlabel="sum of probabilities", ylabel="share of vertices", xlim=(0, None), ylim=(0, None))
    ax.set_title(f"{known['data']}: the mean degree is {known['degree_over_log2_k']:.2f} $\\log_2 k$", loc="left")
    ax.legend(loc="upper center", bbox_to_anchor=(0.45, -0.22), ncols=2, columnspacing=1.0, handlelength=1.6)
    return ax


def draw_training(found: xr.Dataset, ax: Axes) -> Axes:
    """The degree that the updates realise along training."""
    known, epoch = found.attrs, found["epoch"].values
    low, middle, high = found["realised"].values
    ax.fill_between(epoch, low, high, color=PALETTE[0], alpha=0.25, lw=0, label="5 to 95 % of vertices")
    ax.plot(epoch, middle, color=PALETTE[0], label="median")
    ax.axhline(known["degree_median"], color=PALETTE[3], ls="--", label="median of $d_i$")
    ax.axhline(known["log2_k"], color="black", ls=":", label="$\\log_2 k$")
    ax.set(xlabel="epoch", ylabel="degree realised by updates", ylim=(0, None))
    ax.set_title(f"{known['data']}: the updates realise $d_i$, not $\\log_2 k$", loc="left")
    ax.legend(loc="lower right", ncols=2)
    return ax


def results(found: xr.Dataset) -> Mapping[str, Any]:
    """The numbers of the figure."""
    return dict(found.attrs)


if __name__ == "__main__":
    main(Script("degree", (__doc__ or "").splitlines()[0], quantity, (draw, draw_training), results))
