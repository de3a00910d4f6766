"""Through a run again, from a checkpoint: `resume` goes on where it was cut off, `replay` shows any epoch.

Both give the bits of the run, of the law (`umapinfo.core.LAW`) that it had.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from umapinfo.core import LAW
from umapinfo.core.descent import Epoch, State, epochs
from umapinfo.core.forecast import sizes_of
from umapinfo.core.graph import prune
from umapinfo.memory import check_memory, peak
from umapinfo.progress import Progress
from umapinfo.trace.forecast import run_stages
from umapinfo.trace.observers import Arrays, Observer
from umapinfo.trace.opening import check_chunks, existing_trace, open_trace, read_metadata, tree_of, whole
from umapinfo.trace.record import descend, start_epoch
from umapinfo.trace.recording import Plan, Recorder, checked_observers
from umapinfo.trace.store import Store, change_attributes
from umapinfo.trace.tree import curve_of, descent_of, environment, graph_of, last_epoch

if TYPE_CHECKING:
    import xarray as xr


def resume(path: Any, *, observers: Sequence[Observer] = (), progress: bool = True) -> xr.DataTree:
    """Go on with a run whose trace on disk was cut off, to the bits of an unbroken run.

    It starts from the last checkpoint that is not after the last recorded epoch done.

    Parameters
    ----------
    path : str or os.PathLike
        Of `run` or `embed`; nothing is run if the trace is whole.
    observers : sequence of Observer
        Those of the run, made anew: their arrays are read back from the trace.
    progress : bool
        As for `run`.

    Returns
    -------
    xarray.DataTree
        The whole trace.  Where versions or machine are not those of its start, attrs["resumed"] says so: another
        mathematical library may give other last bits.

    Raises
    ------
    OSError
        There is no such folder, or it cannot be written to.
    TypeError, ValueError
        Observers that are not those of the run; no trace, or a damaged one (every chunk is held against its checksum),
        or one of another schema or law.
    RuntimeError
        Another process writes to the trace.
    MemoryError
        Before anything is run or written: the rest is forecast to take more memory than is free.
    """
    checked_observers(observers)
    with reopened(path) as (trace, store):
        descent_of(trace)  # an error unless it is the trace of one
        _check_same(trace.attrs["observers"], [observer.name for observer in observers])
        if last_epoch(trace) < trace.attrs["n_epochs"]:
            check_law(trace)
            _go_on(trace, store, observers, progress)
    return open_trace(path)


@contextmanager
def reopened(path: Any) -> Iterator[tuple[xr.DataTree, Store]]:
    """A trace on disk as far as it is done, every chunk verified, and its store, locked."""
    folder = existing_trace(path)
    attributes, columns = read_metadata(folder)
    with Store(folder, columns) as store:
        store.lock()
        yield tree_of(folder, attributes, columns, check_chunks(folder, columns, verify=True)), store


def _check_same(wanted: Iterable[str], given: Iterable[str]) -> None:
    """ValueError unless the observers given are those of the trace."""
    missing, foreign = sorted(set(wanted) - set(given)), sorted(set(given) - set(wanted))
    if missing or foreign:
        lacks = f"{', '.join(missing)} missing" if missing else f"{', '.join(foreign)}, which the run did not have"
        raise ValueError(
            f"observers: expected those of the run, {', '.join(wanted) or 'none'}, got {lacks}; make them as for "
            "the run"
        )


def _go_on(trace: xr.DataTree, store: Store, observers: Sequence[Observer], progress: bool) -> None:
    """The rest of a run, from the last checkpoint that is done."""
    descent, curve = descent_of(trace), curve_of(trace)
    mu = prune(graph_of(trace), trace.attrs["n_epochs"])
    saved = trace["checkpoints"].to_dataset().isel(checkpoint=-1)
    plan = stored_plan(store)
    stages = run_stages(sizes_of(mu, saved.sizes["axis"]), descent, observers, plan)
    check_memory(stages)
    arrays = {observer.name: observer.start(mu, curve, descent) for observer in observers}
    for name, started in arrays.items():
        restore(name, started, saved)
    recorder = Recorder(observers, arrays, plan, descent)
    note_environment(trace, store.folder)  # before: the rest may be cut off, too
    descend(mu, curve, descent, _state(saved), recorder, store, Progress(progress), peak(stages))


def stored_plan(store: Store) -> Plan:
    """The epochs at which a store's run keeps something."""
    planned = ("epochs/epoch", "checkpoints/checkpoint_epoch", "updates/update_epoch")
    return Plan(*(whole(store.folder, path, store.columns) for path in planned))


def restore(name: str, started: Arrays, saved: xr.Dataset) -> None:
    """Set an observer's arrays, as `start` gave them, to those of a checkpoint; ValueError if they are others."""
    stored = {
        str(key).removeprefix(f"{name}_"): variable.values
        for key, variable in saved.data_vars.items()
        if variable.attrs["source"] == name
    }
    kinds = [
        {key: (array.shape, array.dtype.newbyteorder("=")) for key, array in arrays.items()}
        for arrays in (started, stored)
    ]
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"observers: expected {name!r} to start with the arrays that the trace holds, {kinds[1]}, got {kinds[0]}; "
            "make it as for the run"
        )
    for key, values in stored.items():
        started[key][...] = values


def _state(saved: xr.Dataset) -> State:
    """The state of a checkpoint."""
    Y, streams = saved["checkpoint_Y"].values, saved["streams"].values
    return State(Y.copy(), int(saved["checkpoint_epoch"]), streams.copy())


def note_environment(trace: xr.DataTree, folder: Path) -> None:
    """Say in a trace's attributes what has changed since its start."""
    now = {name: value for name, value in environment().items() if value != trace.attrs.get(name)}
    if now:
        last = int(trace["checkpoints"].to_dataset()["checkpoint_epoch"][-1])
        said = f"after epoch {last} with " + ", ".join(f"{name} {value}" for name, value in now.items())
        told = trace.attrs.get("resumed", [])
        if said not in told:
            change_attributes(folder, {"resumed": [*told, said]})


def check_law(trace: xr.DataTree) -> None:
    """ValueError unless the trace's run had the bits that this package gives."""
    if trace.attrs["law"] != LAW:
        raise ValueError(
            f"trace: expected one of law {LAW}, got law {trace.attrs['law']}, whose bits were others; "
            f"run it again, or use umapinfo {trace.attrs.get('version_umapinfo', 'unknown')}"
        )


def replay(trace: xr.DataTree, epoch: int) -> Epoch:
    """Any epoch of a trace's run again, with its updates and differences, from the nearest checkpoint before it.

    Parameters
    ----------
    trace : DataTree
        Of `run`, `embed` or `open_trace`.
    epoch : int
        0 ... n_epochs; 0 is the start, in which nothing was updated.

    Returns
    -------
    Epoch
        The same bits as in the run; updates and delta are there.

    Raises
    ------
    TypeError, ValueError
        No such epoch; a trace of another law, or a damaged one.
    """
    descent = descent_of(trace)
    n_epochs = int(trace.attrs["n_epochs"])
    check_law(trace)
    if isinstance(epoch, bool) or not isinstance(epoch, int | np.integer):
        raise TypeError(f"replay: expected a whole number, got {epoch!r}")
    if not 0 <= epoch <= n_epochs:
        raise ValueError(f"replay: expected an epoch in 0 ... {n_epochs}, got {epoch}")
    saved = trace["checkpoints"].to_dataset()
    place = int(np.searchsorted(saved["checkpoint_epoch"].values, max(epoch, 1))) - 1
    state = _state(saved.isel(checkpoint=place))
    mu = prune(graph_of(trace), n_epochs)
    if epoch == 0:
        return start_epoch(state, descent.learning_rate)
    passing = epochs(mu, curve_of(trace), descent, state, keep_updates=(epoch,))
    return next(past for past in passing if past.number == epoch)
