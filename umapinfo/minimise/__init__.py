"""Full-gradient descent on a loss of layouts, to its minimum: what UMAP would draw if it minimised its paper's loss.

`minimise` takes any `umapinfo.measures.objective.Loss` down by limited-memory BFGS, or by natural gradient steps, and
records it as `run` does a descent: the trace opens while the run goes on, and a run that was cut off is gone on with.

Every minimum of the purported loss has sum q = sum mu, forces that cancel at each vertex, and, as sum q is at least
n(n - 1)/2 times the similarity across its diameter, a diameter of at least [((n - 1) / mean degree - 1) / a]^(1/2b):
138 layout units for MNIST, where UMAP's layouts are some 20 wide.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from umapinfo.core.curve import Curve, checked_curve
from umapinfo.core.settings import Descent
from umapinfo.measures.objective import RATES, Loss, effective, purported
from umapinfo.minimise.iterations import Minimiser, Settings
from umapinfo.minimise.recording import MINIMISER, check_minimisation, found_at, go_on, history, minimiser_layout
from umapinfo.minimise.starts import check_apart, checked_start, unfolded
from umapinfo.trace.again import check_law, note_environment, reopened, restore, stored_plan
from umapinfo.trace.opening import open_trace
from umapinfo.trace.record import started
from umapinfo.trace.recording import Plan, Recording, plan_of
from umapinfo.trace.store import checked_path
from umapinfo.trace.table import Memory
from umapinfo.trace.tree import (
    check_labels,
    checked_attrs,
    curve_of,
    graph_of,
    known_attributes,
    known_before,
    last_epoch,
)

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike

__all__ = ["history", "minimise", "minimiser_layout", "resume_minimisation", "unfolded"]

N_RECORDED, N_CHECKPOINTS = 21, 6  # by default
MINIMISER_LAW = 4  # raised where iterations get other bits


def minimise(
    loss: Loss,
    curve: Curve,
    Y0: ArrayLike,
    *,
    method: str = "lbfgs",
    n_steps: int = 1000,
    tolerance: float = 1e-6,
    rtol: float | None = 1e-5,
    memory: int = 20,
    trust: float = 1.0,
    recording: Recording | None = None,
    path: Any = None,
    labels: Any = None,
    attrs: dict[str, Any] | None = None,
    progress: bool = True,
) -> xr.DataTree:
    """Minimise a loss of layouts and return the trace, an epoch an iteration.

    Parameters
    ----------
    loss : Loss
        `purported(graph)` or `effective(graph, descent)` of `umapinfo.measures`, of the pruned graph, which has to be
        connected.
    curve : Curve
    Y0 : float[n, d], layout units
        The start.  From a layout of UMAP's, `dilated` first: most of the purported loss goes by that; of many points,
        `unfolded`.
    method : {"lbfgs", "natural"}
        Limited-memory BFGS; or steps along the natural gradient, each of which moves the similarities by up to `trust`
        nats: more is done in an iteration, and many more sums over all pairs are taken.
    n_steps : int
        Most iterations.
    tolerance : float in [0, 1]
        The run is over when the loss has fallen by less than this part of itself in 20 iterations, or when no value
        along the direction is seen to be less.  The layout then rests.
    rtol : float in (0, 1) or None
        Allowed error of the gradient, relative to the absolute forces on a vertex, where sums over all pairs are not
        exact.  None: they are, in time n^2.
    memory : int
        Moves that "lbfgs" remembers.  Each takes 16 n d bytes, at every checkpoint too.
    trust : float > 0, nats
        How far the first natural step may go, 1/2 delta^T G delta; then as far as the loss is seen to follow it.
    recording : Recording, optional
        Iterations and checkpoints to keep.  By default 21 iterations, closer to each other at the start, and 6
        checkpoints.  No observers, no updates.
    path, labels, attrs, progress
        As for `umapinfo.run`.

    Returns
    -------
    xarray.DataTree
        As `run` gives it: layouts, epochs (minimised_loss, gradient_norm, n_iterations, n_evaluations, n_plans; alpha
        is the step of the line search), checkpoints.  `history` has every iteration, `minimiser_layout` the last
        layout in float64.

    Raises
    ------
    TypeError, ValueError
        Before anything is done: for a start that is not finite, of the wrong shape, or of which points coincide at a
        cost of +inf; a graph in several components, whose loss has no least; settings outside their ranges.
    OSError
        As for `umapinfo.run`.
    """
    settings = Settings(method=method, n_steps=n_steps, tolerance=tolerance, rtol=rtol, memory=memory, trust=trust)
    curve, target = checked_curve(curve), None if path is None else checked_path(path)
    start = checked_start(loss, Y0)
    plan = checked_plan(recording, settings.n_steps)
    if labels is not None:
        check_labels(labels, loss.graph.n_vertices)
    told = {
        "minimised": loss.name,
        "minimiser_law": MINIMISER_LAW,
        **asdict(settings),
        "rtol": settings.rtol or 0.0,
        **loss.settings,
    }
    told["n_epochs"] = told.pop("n_steps")
    attributes = known_attributes(loss.graph, curve, told)
    attributes |= checked_attrs(attrs, attributes)
    minimiser = Minimiser(loss, curve, settings)
    arrays = minimiser.start(start)
    check_apart(float(arrays["value"]), start)
    keep = np.ones(loss.graph.n_entries, dtype=bool)
    known = known_before(loss.graph, keep, labels, plan.checkpoints, plan.update_epochs)
    with started(target, attributes, plan, known, found_at(0, arrays, plan)) as table:
        go_on(minimiser, arrays, plan, 1, table, progress)
    return table.tree(attributes) if isinstance(table, Memory) else open_trace(table.folder)


def resume_minimisation(path: Any, *, loss: Loss | None = None, progress: bool = True) -> xr.DataTree:
    """Go on with a minimisation whose trace on disk was cut off, to the bits of an unbroken one.

    It starts from the last checkpoint.

    Parameters
    ----------
    path : str or os.PathLike
        Of `minimise`; nothing is done if the trace is whole.
    loss : Loss, optional
        One of your own; UMAP's two are made from the trace.
    progress : bool
        As for `umapinfo.run`.

    Returns
    -------
    xarray.DataTree
        The whole trace.

    Raises
    ------
    OSError, TypeError, ValueError, RuntimeError
        As for `umapinfo.resume`; a trace of a descent; a loss of another name or graph than the trace's.
    """
    with reopened(path) as (trace, store):
        check_minimisation(trace)
        known = checked_loss(trace, loss)
        if last_epoch(trace) < trace.attrs["n_epochs"]:
            check_law(trace)
            check_minimiser_law(trace)
            saved = trace["checkpoints"].to_dataset().isel(checkpoint=-1).load()
            minimiser = Minimiser(known, curve_of(trace), settings_of(trace))
            arrays = minimiser.blank((trace.attrs["n_vertices"], saved.sizes["axis"]))
            restore(MINIMISER, arrays, saved)
            note_environment(trace, store.folder)
            go_on(minimiser, arrays, stored_plan(store), int(saved["checkpoint_epoch"]) + 1, store, progress)
    return open_trace(path)


def check_minimiser_law(trace: xr.DataTree) -> None:
    """ValueError unless the trace's iterations had the bits that this package gives."""
    if trace.attrs.get("minimiser_law") != MINIMISER_LAW:
        raise ValueError(
            f"trace: expected one of minimiser_law {MINIMISER_LAW}, got {trace.attrs.get('minimiser_law')}, whose "
            "iterations were others; minimise again, from minimiser_layout(trace)"
        )


def checked_plan(recording: Recording | None, n_steps: int) -> Plan:
    """The iterations that are recorded."""
    if recording is None:
        numbers = np.rint(np.geomspace(1, max(n_steps, 1), N_RECORDED - 1)).astype(int)
        recording = Recording(epochs=np.unique(np.minimum(numbers, n_steps)).tolist(), checkpoints=N_CHECKPOINTS)
    if len(recording.observers) or len(recording.updates):
        raise ValueError(
            "recording: expected neither observers nor updates, which belong to a descent, got some; take measures of "
            "the recorded layouts"
        )
    return plan_of(recording, n_steps)


def settings_of(trace: xr.DataTree) -> Settings:
    """How a trace's loss was minimised."""
    known = {field.name: trace.attrs[field.name] for field in fields(Settings) if field.name != "n_steps"}
    return Settings(**known | {"n_steps": trace.attrs["n_epochs"], "rtol": known["rtol"] or None})


def checked_loss(trace: xr.DataTree, loss: Loss | None) -> Loss:
    """The loss of a trace: the given one, or UMAP's two by name."""
    graph, name = graph_of(trace), trace.attrs["minimised"]
    if loss is None and name in ("purported", "effective"):
        rates = {key: trace.attrs[key] for key in RATES if key in trace.attrs}
        return purported(graph) if name == "purported" else effective(graph, Descent(**rates))
    if (
        loss is None
        or loss.name != name
        or any(
            not np.array_equal(getattr(loss.graph, part), getattr(graph, part))
            for part in ("indptr", "indices", "weight")
        )
    ):
        got = "none" if loss is None else f"the {loss.name} loss of {loss.graph.n_vertices} vertices"
        raise ValueError(f"loss: expected the {name} loss of the trace's graph, got {got}; make it as for minimise")
    return loss
