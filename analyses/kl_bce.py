"""Do KL divergence and binary cross-entropy differ by a constant along training, and by which?

KL = BCE - H: the difference is the entropy H of the edge probabilities, which no training moves (C31, C32).  The
article's (8) adds H instead, so that its KL would be off by 2 H (C34).  UMAP as run descends neither: what falls, but
for the first epochs, is the effective loss, while the loss of its paper rises (C35).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from _script import Script, main
from matplotlib.axes import Axes

from umapinfo import descent_of, graph_of, prune
from umapinfo.measures.loss import reference_losses
from umapinfo.plot import PALETTE

PARTS = ("kl", "bce", "entropy", "identity_residual")
RECORDED = (*PARTS, *(f"effective_{part}" for part in PARTS), "article_cross_entropy", "sampled_loss")


def quantity(trace: xr.DataTree) -> xr.Dataset:
    """KL, BCE and H of both losses along training, in nats over unordered pairs."""
    found = trace["epochs"].to_dataset()[list(RECORDED)]
    mu = prune(graph_of(trace), trace.attrs["n_epochs"])
    levels = reference_losses(mu, descent_of(trace))
    bce, effective = found["bce"].values, found["effective_bce"].values
    numbers = {
        "data": trace.attrs["data"],
        "n_vertices": trace.attrs["n_vertices"],
        "entropy": float(found["entropy"].values[-1]),
        "entropy_spread": float(np.ptp(found["entropy"].values)),
        "bce_start": bce[0],
        "bce_least": bce.min(),
        "bce_least_epoch": int(found["epoch"].values[bce.argmin()]),
        "bce_end": bce[-1],
        "kl_end": float(found["kl"].values[-1]),
        "bce_minus_kl_end": float(bce[-1] - found["kl"].values[-1]),
        "article_8_kl_end": float(bce[-1] + found["entropy"].values[-1]),
        "article_7_end": float(found["article_cross_entropy"].values[-1]),
        "constant_q": levels.purported_constant,
        "effective_bce_start": effective[0],
        "effective_bce_largest": effective.max(),
        "effective_bce_end": effective[-1],
        "effective_entropy": levels.effective_target,
        "sampled_loss_end": float(found["sampled_loss"].values[-1]),
        "identity_residual_largest": relative_residual(found, ""),
        "effective_identity_residual_largest": relative_residual(found, "effective_"),
    }
    article_8 = found["bce"] + found["entropy"]
    tops = {
        "top": headroom(article_8.values),
        "effective_top": headroom(np.maximum(effective, found["sampled_loss"].values)),
    }
    return found.assign(article_8=article_8).assign_attrs(numbers | tops)


def headroom(values: np.ndarray) -> float:
    """The top of an axis that leaves room for a legend above all but the start, which is shown if it nearly fits."""
    top, start = 1.75 * float(values[1:].max(initial=0.0)), 1.03 * float(values[0])
    return start if top < start < 1.3 * top else top


def relative_residual(found: xr.Dataset, prefix: str) -> float:
    """Largest |KL - BCE + H| over the epochs, relative to the largest of the three."""
    largest = np.max([found[f"{prefix}{name}"].values for name in ("kl", "bce", "entropy")], axis=0)
    return float(np.max(np.abs(found[f"{prefix}identity_residual"].values) / largest))


def with_start(label: str, start: float, top: float) -> str:
    """The label of a curve, with what the start costs where that lies above the axis."""
    return f"{label} (at start {start:,.0f})" if start > top else label


def draw(found: xr.Dataset, ax: Axes) -> Axes:
    """KL, BCE and their difference along training, and the article's wrong sum."""
    epoch, known = found["epoch"].values, found.attrs
    ax.plot(epoch, found["article_8"].values, color=PALETTE[7], ls=":", label="BCE + H, the article's (8)")
    ax.plot(epoch, found["bce"].values, color=PALETTE[0], label=with_start("BCE", found["bce"].values[0], known["top"]))
    ax.plot(epoch, found["kl"].values, color=PALETTE[1], ls="--", label="KL = BCE $-$ H")
    ax.plot(
        epoch, found["entropy"].values, color=PALETTE[2], ls="-.", label=f"BCE $-$ KL = H = {known['entropy']:,.0f}"
    )
    ax.set(xlabel="epoch", ylabel="loss of UMAP's paper (nats)", ylim=(0, known["top"]))
    off = 2 * known["entropy"]
    ax.set_title(
        f"{known['data']}: the difference is H and does not move;\nthe article's + H is off by 2 H = {off:,.0f} nats",
        loc="left",
    )
    ax.legend(loc="upper right")
    return ax


def draw_effective(found: xr.Dataset, ax: Axes) -> Axes:
    """The effective loss, the loss of the updates drawn, and the constant H of its own."""
    epoch, known = found["epoch"].values, found.attrs
    drew = found["sampled_loss"].values > 0
    label = with_start("effective BCE", found["effective_bce"].values[0], known["effective_top"])
    ax.plot(epoch, found["effective_bce"].values, color=PALETTE[0], label=label)
    ax.plot(epoch, found["effective_kl"].values, color=PALETTE[1], ls="--", label="effective KL")
    ax.plot(
        epoch,
        found["effective_entropy"].values,
        color=PALETTE[2],
        ls="-.",
        label=f"effective H = {known['effective_entropy']:,.0f}",
    )
    ax.plot(
        epoch[drew], found["sampled_loss"].values[drew], "o", color="black", ms=2.5, label="loss of the updates drawn"
    )
    ax.set(xlabel="epoch", ylabel="effective loss (nats)", ylim=(0, known["effective_top"]))
    change = known["effective_bce_end"] / known["effective_bce_largest"] - 1
    rise = known["bce_end"] / known["bce_least"] - 1
    ax.set_title(
        f"{known['data']}: effective loss ends {-change:.0%} below its largest;\n"
        f"the paper's loss ends {rise:.0%} above its least",
        loc="left",
    )
    ax.legend(loc="upper right")
    return ax


def results(found: xr.Dataset) -> Mapping[str, Any]:
    """The numbers of the figure."""
    along = {
        name: found[name].values for name in ("epoch", "kl", "bce", "effective_kl", "effective_bce", "sampled_loss")
    }
    numbers = {name: value for name, value in found.attrs.items() if not name.endswith("top")}
    return {**numbers, "along_training": along}


if __name__ == "__main__":
    main(Script("kl_bce", (__doc__ or "").splitlines()[0], quantity, (draw, draw_effective), results))
