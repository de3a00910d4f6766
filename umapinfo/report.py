"""A trace on one screen: the numbers that matter, each beside the range it normally lies in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from umapinfo.core.graph import Graph, prune
from umapinfo.core.settings import Descent
from umapinfo.measures.binarisation import graph_binarisation, layout_binarisation, target_binarisation
from umapinfo.measures.degree import degree
from umapinfo.measures.loss import reference_losses
from umapinfo.trace import curve_of, descent_of, graph_of
from umapinfo.trace.tree import last_epoch

if TYPE_CHECKING:
    import xarray as xr

SETTLED = 0.02  # relative change of the effective loss over the last tenth of the run, below which it has settled


@dataclass(frozen=True)
class Line:
    """One line of the report: a quantity, its value, and what it is to be read against."""

    name: str
    value: str
    reading: str


def summary(trace: xr.DataTree) -> str:
    """The trace of a run in words and numbers, each with its normal range.

    Parameters
    ----------
    trace : DataTree
        Of `run`, `embed` or `open_trace`; of a run that is not over, as far as it is.

    Returns
    -------
    str
        Lines of at most 120 characters; losses in nats over unordered pairs (where they were recorded).
    """
    graph, descent = graph_of(trace), descent_of(trace)
    mu = prune(graph, trace.attrs["n_epochs"])
    parts = {
        "degree": _degree_lines(graph),
        "binarisation": _binarisation_lines(graph, mu, descent, trace),
        "loss": _loss_lines(mu, descent, trace),
    }
    text = [_title(trace, graph)]
    for part, lines in parts.items():
        text += ["", part, *(f"  {line.name:<34} {line.value:>14}   {line.reading}" for line in lines)]
    return "\n".join(text)


def _title(trace: xr.DataTree, graph: Graph) -> str:
    known, done = trace.attrs, last_epoch(trace)
    there = "" if done == known["n_epochs"] else f"{done} of "
    return (
        f"{known.get('data', 'run')}: {graph.n_vertices} vertices, {graph.n_entries // 2} edges, "
        f"n_neighbors {known.get('n_neighbors', 'unknown')}, {there}{known['n_epochs']} epochs, "
        f"{known['streams']} streams, seed {known['seed']}, law {known['law']}"
    )


def _degree_lines(graph: Graph) -> list[Line]:
    found = degree(graph)
    lines = [
        Line(
            "neighbours a vertex",
            f"{found.n_adjacent.mean():.2f}",
            f"{found.n_adjacent.min()} to {found.n_adjacent.max()}: lists made symmetric",
        )
    ]
    if found.row_mass is not None and found.row_excess is not None and found.pinned is not None:
        pinned = np.abs(found.row_excess[found.pinned]).max(initial=0.0)
        lines += [
            Line(
                "row mass sum_j p_{j|i}",
                f"{found.row_mass.mean():.4f}",
                f"log2 k = {found.log2_k:.4f}, the target of each row",
            ),
            Line(
                "largest gap of a row to log2 k",
                f"{pinned:.1e}",
                f"{(~found.pinned).sum()} rows, tied or with sigma at its floor, cannot reach it",
            ),
        ]
    if found.is_union and found.mean_lower is not None and found.mean_upper is not None and found.log2_k:
        ratio = found.mean_degree / found.log2_k
        lines += [
            Line(
                "mean degree",
                f"{found.mean_degree:.4f}",
                f"bounds {found.mean_lower:.4f} to {found.mean_upper:.4f}",
            ),
            Line(
                "mean degree / log2 k",
                f"{ratio:.3f}",
                "1.35 to 1.9 usually: log2 k is the lower bound, not the degree",
            ),
            Line("reciprocity of the lists", f"{found.reciprocity:.3f}", "1: mutual neighbours; low: hubs"),
        ]
    else:
        lines.append(Line("mean degree", f"{found.mean_degree:.4f}", "no bounds: directed rows unknown or not united"))
    return lines


def _binarisation_lines(graph: Graph, mu: Graph, descent: Descent, trace: xr.DataTree) -> list[Line]:
    measured = {
        "p": graph_binarisation(graph),
        "target nu*": target_binarisation(mu, descent),
        "q": layout_binarisation(mu, trace["layouts"].to_dataset()["Y"].isel(epoch=-1).values, curve_of(trace)),
    }
    lines = []
    for name, found in measured.items():
        near = found.near_zero_05 + found.near_one_05
        reading = f"entropy {found.entropy_ratio:.0%} of the most that the sums allow"
        lines.append(Line(f"{name} within 0.05 of 0 or 1", f"{near:.1%}", reading))
    return lines


def _loss_lines(mu: Graph, descent: Descent, trace: xr.DataTree) -> list[Line]:
    recorded = trace["epochs"].to_dataset()
    if "bce" not in recorded:
        return [Line("losses", "not recorded", "pass Recording(observers=[umapinfo.measures.LossObserver()])")]
    last = {str(name): values.values[-1] for name, values in recorded.data_vars.items()}
    levels = reference_losses(mu, descent)
    residual = np.abs(recorded["identity_residual"].values).max()
    effective = recorded["effective_bce"].values
    change = _late_change(recorded["epoch"].values, effective)
    settled = "settled" if abs(change) < SETTLED else "still falling, as usual: the learning rate ends first"
    lines = [
        Line(
            "purported BCE (UMAP's paper)",
            f"{last['bce']:.6g}",
            f"least possible {levels.purported_target:.6g}; one q for all pairs {levels.purported_constant:.6g}",
        ),
        Line(
            "purported KL = BCE - H",
            f"{last['kl']:.6g}",
            f"H = {last['entropy']:.6g} is constant; they agree to {residual:.1e}",
        ),
        Line(
            "effective BCE (negative sampling)",
            f"{last['effective_bce']:.6g}",
            f"least possible {levels.effective_target:.6g}; start {effective[0]:.6g}",
        ),
        Line("effective BCE, last tenth", f"{change:+.1%}", settled),
    ]
    if last["bce"] > levels.purported_constant:
        lines.append(Line("", "", "the paper's loss is worse than with one q for all pairs (usual)"))
    if last["n_coincident"]:
        lines.append(Line("coincident pairs", f"{last['n_coincident']}", "their loss is infinite unless p = 1"))
    return lines


def _late_change(numbers: np.ndarray, values: np.ndarray) -> float:
    """Relative change of a recorded quantity over the last tenth of the epochs; 0 for a run of none."""
    early = values[np.searchsorted(numbers, 0.9 * numbers[-1])]
    return float(values[-1] / early - 1) if np.isfinite(early) and early else 0.0
