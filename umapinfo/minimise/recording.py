"""The trace of a minimisation: that of a run, whose epochs are iterations.

At recorded iterations the layout, the loss and the counts stand; at checkpoints all arrays of the minimiser, in
float64, as /checkpoints/minimiser_<array>.  Once the run is over, the layout rests: what is recorded later is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from umapinfo.minimise.iterations import HISTORY, Arrays, Minimiser
from umapinfo.progress import Progress
from umapinfo.trace.recording import Plan
from umapinfo.trace.store import Store, size_on_disk
from umapinfo.trace.table import RUN, Found, Memory

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

MINIMISER = "minimiser"
SAID = {
    "values": ("loss after the iteration", "nats"),
    "gradient_norms": ("norm of its gradient", "nats / layout unit"),
    "steps": ("step of the line search, 1: the method's own", "1"),
    "evaluations": ("values and gradients taken so far", "evaluations"),
    "plans": ("plans of the sums over all pairs so far", "plans"),
}


def found_at(number: int, arrays: Arrays, plan: Plan) -> list[Found]:
    """All that is to be kept of an iteration, `done` last."""
    found, Y = [], arrays["Y"].astype(np.float32)
    if number in plan.checkpoints:
        found.append(Found("checkpoint", RUN, {"checkpoint_Y": Y, "streams": np.zeros((0, 3), np.int64)}))
        found.append(Found("checkpoint", MINIMISER, {f"{MINIMISER}_{name}": array for name, array in arrays.items()}))
    if number in plan.epochs:
        k = int(arrays["n_iterations"])
        of_minimiser = {
            "minimised_loss": arrays["values"][k],
            "gradient_norm": arrays["gradient_norms"][k],
            **{name: arrays[name] for name in ("n_iterations", "n_evaluations", "n_plans")},
        }
        found.append(Found("epoch", MINIMISER, of_minimiser))
        found.append(Found("epoch", RUN, {"Y": Y, "alpha": arrays["steps"][k], "done": True}))
    return found


def go_on(minimiser: Minimiser, arrays: Arrays, plan: Plan, first: int, table: Memory | Store, progress: bool) -> None:
    """The iterations from `first` on, and what is recorded of them."""
    last = int(plan.epochs[-1])
    size = f", {size_on_disk(table.columns) / 1e6:,.0f} MB on disk" if isinstance(table, Store) else ""
    with Progress(progress) as report:
        for number in range(first, last + 1):
            minimiser.step(arrays)
            plan.write(found_at(number, arrays, plan), number, table)
            report(f"minimise{size}", last if arrays["over"] else number, last)


def history(trace: xr.DataTree) -> xr.Dataset:
    """Every iteration of a minimisation, up to its last checkpoint: loss, gradient, step, evaluations, plans.

    Parameters
    ----------
    trace : DataTree
        Of `minimise`.

    Returns
    -------
    Dataset
        Along `iteration`, from the start 0 to the last that moved the layout; each variable says its meaning and units.

    Raises
    ------
    ValueError
        The trace is none of a minimisation.
    """
    import xarray as xr

    check_minimisation(trace)
    saved = trace["checkpoints"].to_dataset().isel(checkpoint=-1)
    n = int(saved[f"{MINIMISER}_n_iterations"]) + 1
    return xr.Dataset(
        {
            name.removesuffix("s"): ("iteration", saved[f"{MINIMISER}_{name}"].values[:n], _said(name))
            for name in HISTORY
        }
    )


def _said(name: str) -> dict[str, str]:
    return dict(zip(("long_name", "units"), SAID[name], strict=True))


def minimiser_layout(trace: xr.DataTree) -> NDArray[np.float64]:
    """The last layout of a minimisation as it was found, in float64; in /layouts it is rounded to float32."""
    check_minimisation(trace)
    return np.asarray(trace["checkpoints"].to_dataset()[f"{MINIMISER}_Y"].values[-1])


def check_minimisation(trace: xr.DataTree) -> None:
    """ValueError unless a trace is that of a minimisation."""
    if "minimised" not in trace.attrs:
        raise ValueError("trace: expected one of minimise, got that of a descent (run, embed)")
