"""Record a run: what to keep is said before, so that recording cannot change what happens.

`run` goes through `core.descent.epochs` and keeps, at the recorded epochs, the layout and what its observers return;
`replay` goes from the nearest checkpoint to any epoch, with the same bits and the same updates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from umapinfo.core.curve import Curve, checked_curve
from umapinfo.core.descent import Epoch, State, epochs, initial_state, zero_counts
from umapinfo.core.graph import Graph, kept, prune
from umapinfo.core.schedule import UPDATE, Descent
from umapinfo.progress import Progress
from umapinfo.trace.observers import Observer
from umapinfo.trace.tree import Table, curve_of, descent_of, graph_of, trace_tree


@dataclass(frozen=True)
class Recording:
    """What to keep of a run; given before it starts.

    Attributes
    ----------
    epochs : int or sequence of int
        Recorded epochs: so many, evenly spaced, or just these; the start 0 and the end are always among them.
    checkpoints : int or sequence of int
        Epochs whose whole state is kept, likewise; more checkpoints make `replay` faster.
    updates : sequence of int
        Epochs whose updates are kept; costs 20 + 4 d bytes an update.
    observers : sequence of Observer
        Instruments; see umapinfo.measures.
    """

    epochs: int | Sequence[int] = 21
    checkpoints: int | Sequence[int] = 3
    updates: Sequence[int] = ()
    observers: Sequence[Observer] = ()

    def __post_init__(self) -> None:
        """Refuse two observers of one name."""
        names = [observer.name for observer in self.observers]
        if len(set(names)) < len(names):
            raise ValueError(f"recording: expected observers of different names, got {', '.join(names)}")


def epoch_numbers(wanted: int | Sequence[int], n_epochs: int, what: str) -> NDArray[np.int64]:
    """Epochs as sorted numbers in 0 ... n_epochs, both ends included: `wanted` evenly spaced ones, or these."""
    if isinstance(wanted, int | np.integer):
        if wanted < 2:
            raise ValueError(f"recording: expected at least 2 {what} (start and end), got {wanted}")
        numbers = np.rint(np.linspace(0, n_epochs, int(wanted)))
    else:
        numbers = np.asarray(wanted, dtype=np.float64).ravel()
    if ((numbers < 0) | (numbers > n_epochs) | (numbers != np.rint(numbers))).any():
        raise ValueError(f"recording: expected {what} to be whole numbers in 0 ... {n_epochs}, got {list(wanted)}")  # type: ignore[arg-type]
    return np.union1d(numbers, [0, n_epochs]).astype(np.int64)


def run(
    graph: Graph,
    curve: Curve,
    descent: Descent,
    Y0: Any,
    recording: Recording | None = None,
    *,
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
        By default 21 epochs and no observers.
    labels : array [n_vertices], optional
        Kept beside the trace, for figures.
    attrs : dict, optional
        More attributes of the trace (name and origin of the data, say): numbers and strings.
    progress : bool
        Show the progress of a run that takes over two seconds.

    Returns
    -------
    xarray.DataTree
        Groups and variables as in `umapinfo.trace.schema`.

    Raises
    ------
    TypeError, ValueError
        Before anything is run: for a wrong start, curve, recording or labels.
    """
    recording, curve = recording or Recording(), checked_curve(curve)
    n_epochs = descent.epochs_for(graph.n_vertices)
    mu = prune(graph, n_epochs)
    if labels is not None and np.shape(labels) != (graph.n_vertices,):
        raise ValueError(f"labels: expected shape [{graph.n_vertices}], got {np.shape(labels)}")
    state = initial_state(mu, descent, Y0)
    recorder = _Recorder(mu, curve, descent, recording, n_epochs)
    recorder.take(_start(state, descent.learning_rate), state)
    with Progress(progress) as report:
        for epoch in epochs(mu, curve, descent, state, keep_updates=recorder.keep_updates):
            recorder.take(epoch, state)
            report("descent", epoch.number, n_epochs)
    settings = {field.name: getattr(descent, field.name) for field in fields(descent)} | {"n_epochs": n_epochs}
    return trace_tree(graph, kept(graph, n_epochs), curve, settings, recorder.table, labels, attrs or {})


class _Recorder:
    """Takes epoch after epoch, and writes what the Recording asks for into a Table."""

    def __init__(self, mu: Graph, curve: Curve, descent: Descent, recording: Recording, n_epochs: int) -> None:
        self.observers = list(recording.observers)
        self.numbers = epoch_numbers(recording.epochs, n_epochs, "epochs")
        self.checkpoints = epoch_numbers(recording.checkpoints, n_epochs, "checkpoints")
        self.updates = set(recording.updates) & set(epoch_numbers([*recording.updates], n_epochs, "updates").tolist())
        self.ends = {
            "attractions": 2,
            "repulsions": 2 if descent.push_tail else 1,
        }  # vertices that an update counts for
        recorded = set(self.numbers.tolist()) if any(o.needs_updates for o in self.observers) else set()
        self.keep_updates = recorded | self.updates
        self.arrays = {o.name: o.start(mu, curve, descent) for o in self.observers}
        self.table = Table(mu.n_vertices, mu.n_entries, self.numbers, self.checkpoints)

    def take(self, epoch: Epoch, state: State) -> None:
        """Let the observers see the epoch, and keep what is asked for."""
        if epoch.number > 0:
            for observer in self.observers:
                observer.step(self.arrays[observer.name], epoch)
        if epoch.number in self.updates and epoch.updates is not None:
            self.table.add_updates(epoch)
        if epoch.number in self.checkpoints:
            parts = {f"{name}_{key}": a for name, arrays in self.arrays.items() for key, a in arrays.items()}
            self.table.put("checkpoint", epoch.number, {"checkpoint_Y": state.Y, "streams": state.streams} | parts)
        if epoch.number in self.numbers:
            self.table.put("epoch", epoch.number, {"Y": epoch.Y, "alpha": epoch.alpha} | self._totals(epoch))
            for observer in self.observers:
                self.table.put("epoch", epoch.number, observer.values(self.arrays[observer.name], epoch))
            self.table.put("epoch", epoch.number, {"done": True})

    def _totals(self, epoch: Epoch) -> dict[str, int]:
        """Updates of the epoch by kind, scheduled and realised."""
        totals = {}
        for name, count in epoch.counts._asdict().items():
            totals[f"n_{name}"] = int(count.sum()) // self.ends[name.split("_")[0]]
        return totals


def _start(state: State, learning_rate: float) -> Epoch:
    """Epoch number 0: the start, in which nothing was updated."""
    nothing = np.zeros(0, UPDATE), np.zeros((0, state.Y.shape[1]), np.float32)
    return Epoch(0, learning_rate, state.Y, state.Y, zero_counts(len(state.Y)), *nothing)


def replay(trace: xr.DataTree, epoch: int) -> Epoch:
    """Any epoch of a trace's run again, with its updates and differences, from the nearest checkpoint before it.

    Parameters
    ----------
    trace : DataTree
        Of `run` or `embed`.
    epoch : int
        0 ... n_epochs; 0 is the start, in which nothing was updated.

    Returns
    -------
    Epoch
        The same bits as in the run; updates and delta are there.
    """
    descent = descent_of(trace)
    n_epochs = int(trace.attrs["n_epochs"])
    if not 0 <= epoch <= n_epochs:
        raise ValueError(f"replay: expected an epoch in 0 ... {n_epochs}, got {epoch}")
    saved = trace["checkpoints"].to_dataset()
    place = int(np.searchsorted(saved["checkpoint_epoch"].values, max(epoch, 1))) - 1
    state = State(
        saved["checkpoint_Y"].values[place].copy(),
        int(saved["checkpoint_epoch"].values[place]),
        saved["streams"].values[place].copy(),
    )
    mu = prune(graph_of(trace), n_epochs)
    if epoch == 0:
        return _start(state, descent.learning_rate)
    passing = epochs(mu, curve_of(trace), descent, state, keep_updates=(epoch,))
    return next(past for past in passing if past.number == epoch)
