"""Run a descent and record it, in memory or on disk.

`run` goes through `core.descent.epochs` and keeps, at the recorded epochs, the layout and what its observers return.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from umapinfo.core.counts import zero_counts
from umapinfo.core.curve import Curve, checked_curve
from umapinfo.core.descent import Epoch, State, epochs, initial_state
from umapinfo.core.forecast import sizes_of
from umapinfo.core.graph import Graph, kept, prune
from umapinfo.core.lists import UPDATE, count_updates
from umapinfo.core.settings import Descent
from umapinfo.memory import check_memory, in_mb, peak
from umapinfo.progress import Progress
from umapinfo.trace.forecast import run_stages
from umapinfo.trace.opening import open_trace
from umapinfo.trace.recording import Recorder, Recording, plan_of
from umapinfo.trace.store import Store, checked_path, size_on_disk
from umapinfo.trace.table import Memory, columns_found
from umapinfo.trace.tree import (
    check_labels,
    checked_attrs,
    epoch_columns,
    known_before,
    run_attributes,
    update_columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import xarray as xr
    from numpy.typing import NDArray

    from umapinfo.trace.recording import Plan
    from umapinfo.trace.table import Columns, Found


def run(
    graph: Graph,
    curve: Curve,
    descent: Descent,
    Y0: Any,
    recording: Recording | None = None,
    *,
    path: Any = None,
    labels: Any = None,
    attrs: dict[str, Any] | None = None,
    progress: bool = True,
) -> xr.DataTree:
    """Run the descent and return its trace.

    Parameters
    ----------
    graph : Graph
        The graph p as built; `run` prunes it.
    curve : Curve
    descent : Descent
    Y0 : array [n_vertices, d], layout units
        The start, taken as it stands (`initial_layout` rescales).
    recording : Recording, optional
        By default 21 epochs, 11 checkpoints and no observers.
    path : str or os.PathLike, optional
        A new folder to which the trace is written as the run goes (Zarr 3; see `umapinfo.trace.store`).  It can be
        opened by `open_trace` meanwhile, and a run that was cut off goes on by `resume`.  By default the trace is held
        in memory.
    labels : array [n_vertices], optional
        Numbers or text; kept beside the trace, for figures.
    attrs : dict, optional
        More attributes of the trace (name and origin of the data, say): numbers and strings, under new names.
    progress : bool
        Show the progress of a run that takes over two seconds, and how much memory and disk it is forecast to take.

    Returns
    -------
    xarray.DataTree
        Groups and variables as in `umapinfo.trace.schema`.

    Raises
    ------
    TypeError, ValueError
        Before anything is run: for a wrong graph, descent, start, curve, recording, labels or attribute.  In the run:
        for an observer that breaks its promises, and for a layout that is not finite.
    MemoryError
        Before anything is run or written: the run is forecast to take more memory than is free.
    OSError
        Before anything is run: something exists at the path (FileExistsError), its folder does not or may not be
        written to, or the disk has no room for the trace.  In the run: the disk is full.

    Notes
    -----
    An interrupt (Ctrl-C) leaves a trace on disk, to be resumed, and none in memory; `epochs` is the loop that can be
    left and gone on with.
    """
    recording, curve = recording or Recording(), checked_curve(curve)
    _check_kinds(graph, descent, recording)
    target = None if path is None else checked_path(path)
    if labels is not None:
        check_labels(labels, graph.n_vertices)
    attributes = run_attributes(graph, curve, descent, [observer.name for observer in recording.observers])
    attributes |= checked_attrs(attrs, attributes)
    n_epochs = attributes["n_epochs"]
    mu = prune(graph, n_epochs)
    state = initial_state(mu, descent, Y0)
    plan, d = plan_of(recording, n_epochs), state.Y.shape[1]
    copied = sizes_of(graph, d) if target is None else None
    stages = run_stages(sizes_of(mu, d), descent, recording.observers, plan, copied)
    check_memory(stages)
    counts = [count_updates(mu, descent, epoch) for epoch in plan.update_epochs.tolist()]
    plan = plan._replace(update_epochs=np.repeat(plan.update_epochs, counts))
    arrays = {observer.name: observer.start(mu, curve, descent) for observer in recording.observers}
    recorder = Recorder(recording.observers, arrays, plan, descent)
    found = list(recorder.found(start_epoch(state, descent.learning_rate), state))

    known = known_before(graph, kept(graph, n_epochs), labels, plan.checkpoints, plan.update_epochs)
    updates = update_columns(len(plan.update_epochs), state.Y.shape[1])
    with started(target, attributes, plan, known, found, updates) as table:
        descend(mu, curve, descent, state, recorder, table, Progress(progress), peak(stages))
    return table.tree(attributes) if isinstance(table, Memory) else open_trace(table.folder)


@contextmanager
def started(
    target: Path | None,
    attributes: Mapping[str, Any],
    plan: Plan,
    known: tuple[Columns, dict[str, NDArray[Any]]],
    found: Sequence[Found],
    more: Columns | None = None,
) -> Iterator[Memory | Store]:
    """A table with all that is known before the first epoch, and epoch 0 in it: on disk, at its place and locked.

    known: of `known_before`.  found: all that is kept of epoch 0.  more: columns that are filled by other ways.
    """
    columns, arrays = known
    lengths = {"epoch": len(plan.epochs), "checkpoint": len(plan.checkpoints)}
    n_kept = int(arrays["graph/kept"].sum())
    columns = columns | columns_found(found, lengths, attributes["n_vertices"], n_kept) | (more or {})
    coordinates = epoch_columns(columns, len(plan.epochs))
    columns |= coordinates
    table = Memory(columns) if target is None else Store.create(target, columns, attributes)
    with nullcontext(table) if isinstance(table, Memory) else table:
        for name, values in (arrays | dict.fromkeys(coordinates, plan.epochs)).items():
            table.write(name, values)
        plan.write(found, 0, table)
        if isinstance(table, Store):
            table.publish()
        yield table


def descend(
    mu: Graph,
    curve: Curve,
    descent: Descent,
    state: State,
    recorder: Recorder,
    table: Memory | Store,
    progress: Progress,
    n_bytes: float,
) -> None:
    """Go through the epochs that are left, and record them; n_bytes of memory is what is shown as the forecast."""
    n_epochs = descent.epochs_for(mu.n_vertices)
    size = f", {size_on_disk(table.columns) / 1e6:,.0f} MB on disk" if isinstance(table, Store) else ""
    wanted = recorder.plan.needs_updates(recorder.observers)
    with progress as report:
        for epoch in epochs(mu, curve, descent, state, keep_updates=wanted):
            recorder.take(epoch, state, table)
            report(f"descent{size}, {in_mb(n_bytes)} MB of memory", epoch.number, n_epochs)


def _check_kinds(graph: Any, descent: Any, recording: Any) -> None:
    """TypeError unless the arguments of `run` are what their names say."""
    kinds = {"graph": (graph, Graph), "descent": (descent, Descent), "recording": (recording, Recording)}
    for name, (given, kind) in kinds.items():
        if not isinstance(given, kind):
            raise TypeError(
                f"{name}: expected a {kind.__name__}, got {type(given).__name__}; see umapinfo.{kind.__name__}"
            )


def start_epoch(state: State, learning_rate: float) -> Epoch:
    """Epoch number 0: the start, in which nothing was updated."""
    nothing = np.zeros(0, UPDATE), np.zeros((0, state.Y.shape[1]), np.float32)
    Y = state.Y.copy()  # nobody who watches can change the run
    return Epoch(0, learning_rate, Y, Y, zero_counts(len(Y)), *nothing)
