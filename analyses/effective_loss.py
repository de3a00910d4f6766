"""Which loss does a run of UMAP go down, the one of its paper or the effective one?

Sampled, effective and purported loss along default runs, in nats over unordered pairs.  The sampled loss is measured at
the updates that really happened, so it knows nothing of the theory; it estimates the effective loss (C1, C35).  The
purported loss falls at first and then rises while the effective one goes on falling.

The sampled loss does not lie exactly on the effective loss of the layout after the epoch, as the layout moves while it
is sampled.  One epoch, replayed, shows by how much and why; its gap is the sum of

    due      same updates at the layout before the epoch, less the effective loss there: chance, and that an entry which
             is due has not been pulled for a whole period, so that its ends are further apart than they mostly are
    inside   updates at the differences they had, less the same at the layout before the epoch: until a pair's turn
             comes, other updates jostle its ends, which drives near ones apart
    epoch    effective loss before less after the epoch: what the epoch gained

So the sampled loss lies above the effective one, by attraction, and the sum of the parts says how far.  A pair just
pulled is near, which lowers what is sampled of it later in the same epoch: that is part of `inside`, outweighed there.

Replayed are the epochs that follow checkpoints.  Ring and digits have five seeds; the first is drawn.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from _script import trace_of
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from umapinfo import Curve, Descent, Epoch, Graph, Recording, curve_of, descent_of, embed, graph_of, prune, replay
from umapinfo.datasets import load
from umapinfo.measures import LossObserver, effective_loss, reference_losses, sampled_loss
from umapinfo.plot import PALETTE

SETTLED = 0.05  # of the run: before, light entries were not due once, and the sampled loss starts low
PARTS = ("due", "inside", "epoch")


def numbers(options: Options) -> dict[str, Any]:
    """Losses along training of each data set, and the parts of the gap between sampled and effective loss."""
    if options.quick:
        options = options._replace(n=200, epochs=60)
    names = ("ring", "digits", "mnist") if options.full else ("ring", "digits")
    return {name: of_data(name, options) for name in names}


def of_data(name: str, options: Options) -> dict[str, Any]:
    """One data set: the trace drawn, and further seeds where they are cheap."""
    trace = trace_of(name, options)
    seeds = () if name == "mnist" else range(1, 3 if options.quick else 5)
    X = load(name, seed=3, n=options.n).X
    told = {"recording": Recording(observers=[LossObserver()]), "n_epochs": options.epochs, "progress": False}
    summaries = [summary(trace), *(summary(embed(X, seed=seed, **told)) for seed in seeds)]
    mu = prune(graph_of(trace), trace.attrs["n_epochs"])
    levels, losses = reference_losses(mu, descent_of(trace)), trace["epochs"].to_dataset()
    kept = ("epoch", "sampled_loss", "effective_bce", "bce", "sampled_attraction", "effective_attraction")
    return {
        "n_vertices": trace.attrs["n_vertices"],
        "n_epochs": trace.attrs["n_epochs"],
        "along": {name: losses[name].values for name in kept},
        "levels": {"effective_target": levels.effective_target, "purported_constant": levels.purported_constant},
        "by_seed": {key: [one[key] for one in summaries] for key in summaries[0]},
        "gap": gap_parts(trace),
    }


def summary(trace: xr.DataTree) -> dict[str, float]:
    """The claims as numbers: the fall, the rise, and how far the sampled loss is from the effective one."""
    losses = trace["epochs"].to_dataset()
    epoch, bce, effective = (losses[name].values for name in ("epoch", "bce", "effective_bce"))
    settled = epoch >= SETTLED * epoch[-1]
    gap = losses["sampled_loss"].values[settled] / effective[settled] - 1
    return {
        "effective_end_over_settled": effective[-1] / effective[settled][0],
        "effective_largest_step_up": float(np.diff(effective[settled]).max() / effective[settled][0]),
        "purported_rise_from_least": bce[-1] / bce.min() - 1,
        "purported_least_epoch": int(epoch[bce.argmin()]),
        "purported_least_over_start": bce.min() / bce[0],
        "sampled_over_effective_least": 1 + float(gap.min()),
        "sampled_over_effective_mean": 1 + float(gap.mean()),
        "sampled_over_effective_largest": 1 + float(gap.max()),
        "sampled_correlation": float(np.corrcoef(losses["sampled_loss"].values[settled], effective[settled])[0, 1]),
    }


def gap_parts(trace: xr.DataTree) -> dict[str, Any]:
    """Sampled less effective loss at replayed epochs, by part, attraction and repulsion; over the effective loss."""
    checkpoints = trace["checkpoints"].to_dataset()["checkpoint_epoch"].values
    settled = checkpoints[(checkpoints >= SETTLED * checkpoints[-1]) & (checkpoints < checkpoints[-1])]
    mu = prune(graph_of(trace), trace.attrs["n_epochs"])
    passed = (replay(trace, int(checkpoint) + 1) for checkpoint in settled)
    return averaged([parts(epoch, curve_of(trace), descent_of(trace), mu) for epoch in passed], settled + 1)


def averaged(found: Iterable[Mapping[str, Any]], epochs: np.ndarray) -> dict[str, Any]:
    """By part, the values at the epochs, their mean and standard deviation."""
    rows = list(found)
    values = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {
        "epoch": epochs,
        "by_epoch": {name: values[name] for name in ("gap", *PARTS)},
        "mean": {name: float(v.mean()) for name, v in values.items()},
        "std": {name: float(v.std()) for name, v in values.items()},
    }


def parts(epoch: Epoch, curve: Curve, descent: Descent, mu: Graph) -> dict[str, float]:
    """The gap of one epoch and what it consists of, each over the effective loss after the epoch."""
    standing = sampled_loss(at_layout(epoch, epoch.Y_before), curve, descent, mu)
    moving = sampled_loss(epoch, curve, descent, mu)
    before, after = (effective_loss(mu, descent, Y, curve) for Y in (epoch.Y_before, epoch.Y))
    found: dict[str, float] = {}
    for kind, suffix in (("attraction", "_attraction"), ("repulsion", "_repulsion")):
        stood, moved, was, end = (getattr(values, kind) for values in (standing, moving, before, after))
        values = {"due": stood - was, "inside": moved - stood, "epoch": was - end, "gap": moved - end}
        found |= {f"{name}{suffix}": value / after.bce for name, value in values.items()}
    totals = {name: found[f"{name}_attraction"] + found[f"{name}_repulsion"] for name in (*PARTS, "gap")}
    return found | totals


def at_layout(epoch: Epoch, Y: np.ndarray) -> Epoch:
    """The epoch with its updates taken all at one layout."""
    assert epoch.updates is not None
    delta = Y[epoch.updates["head"]] - Y[epoch.updates["tail"]]
    return Epoch(epoch.number, epoch.alpha, epoch.Y, epoch.Y_before, epoch.counts, epoch.updates, delta)


def draw(found: Mapping[str, Any]) -> Figure:
    """A column a data set: the losses, and the parts of the gap."""
    figure, axes = panels(2, len(found), height=2.7)
    for column, name in enumerate(name for name in ("ring", "digits", "mnist") if name in found):
        draw_losses(name, found[name], axes[0, column])
        draw_gap(name, found[name], axes[1, column])
    return figure


def draw_losses(name: str, of_data: Mapping[str, Any], ax: Axes) -> None:
    """Effective and sampled loss over that of the first settled epoch; the purported one over its least."""
    along = {key: np.array(values) for key, values in of_data["along"].items()}
    drew, first = along["sampled_loss"] > 0, along["effective_bce"][1]
    ax.plot(along["epoch"], along["bce"] / along["bce"].min(), color=PALETTE[1], ls="--", label="purported / its least")
    ax.plot(along["epoch"][1:], along["effective_bce"][1:] / first, color=PALETTE[0], label="effective / its first")
    ax.plot(
        along["epoch"][drew],
        along["sampled_loss"][drew] / first,
        "o",
        color="black",
        ms=2.5,
        label="sampled, same unit",
    )
    one = {key: values[0] for key, values in of_data["by_seed"].items()}
    top = 1 + one["purported_rise_from_least"]
    ax.set(xlabel="epoch", ylabel="loss over the value named", ylim=(0, 1.75 * max(top, 1.1)))
    ax.set_title(
        f"{name}: effective loss falls by {1 - one['effective_end_over_settled']:.0%}, purported one\n"
        f"is least at epoch {one['purported_least_epoch']} and then rises by {one['purported_rise_from_least']:.0%}",
        loc="left",
    )
    ax.legend(loc="upper right")


def draw_gap(name: str, of_data: Mapping[str, Any], ax: Axes) -> None:
    """Sampled over effective loss and its parts at the replayed epochs."""
    gap = of_data["gap"]
    labels = {
        "gap": "sampled less effective after",
        "due": "due: unpulled for a period, and chance",
        "inside": "inside: moves while sampled",
        "epoch": "epoch: effective before less after",
    }
    styles = {
        "gap": ("black", "o-"),
        "due": (PALETTE[2], "^:"),
        "inside": (PALETTE[3], "s--"),
        "epoch": (PALETTE[0], "d-."),
    }
    for part, label in labels.items():
        color, line = styles[part]
        ax.plot(gap["epoch"], 100 * np.array(gap["by_epoch"][part]), line, color=color, label=label)
    low, high = (100 * np.array(gap["by_epoch"][part]) for part in ("inside", "gap"))
    ax.axhline(0, color="0.6", lw=0.6)
    least = min(low.min(), *(100 * np.min(gap["by_epoch"][part]) for part in PARTS), 0)
    most = max(high.max(), *(100 * np.max(gap["by_epoch"][part]) for part in PARTS))
    ax.set(xlabel="epoch", ylabel="% of the effective loss", ylim=(least - 0.5, most + 0.75 * (most - least)))
    ratios = [
        value - 1 for end in ("least", "largest") for value in of_data["by_seed"][f"sampled_over_effective_{end}"]
    ]
    bound = np.abs([*ratios, *gap["by_epoch"]["gap"]]).max()  # over recorded epochs of all seeds, and those replayed
    ax.set_title(
        f"{name}: sampled within {bound:.1%} of effective loss;\n"
        f"mean gap {gap['mean']['gap']:+.1%}, {gap['mean']['gap_attraction']:+.1%} from attraction",
        loc="left",
    )
    ax.legend(loc="upper right")


if __name__ == "__main__":
    study(Study("effective_loss", (__doc__ or "").splitlines()[0], numbers, draw, full=True))
