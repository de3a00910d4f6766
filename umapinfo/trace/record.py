"""Record a run: what to keep is said before, so that recording cannot change what happens.

`run` goes through `core.descent.epochs` and keeps, at the recorded epochs, the layout and what its observers return;
`replay` goes from the nearest checkpoint to any epoch, with the same bits and the same updates.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from umapinfo.core import LAW
from umapinfo.core.curve import Curve, checked_curve
from umapinfo.core.descent import Epoch, State, epochs, initial_state, zero_counts
from umapinfo.core.graph import Graph, kept, prune
from umapinfo.core.schedule import UPDATE, Descent
from umapinfo.progress import Progress
from umapinfo.trace.observers import Observer
from umapinfo.trace.tree import Table, curve_of, descent_of, graph_of, run_attributes, trace_tree

OBSERVER_PARTS = ("name", "needs_updates", "start", "step", "values")


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
        Instruments: DegreeObserver(), BinarisationObserver(), LossObserver() of umapinfo.measures, or your own.
    """

    epochs: int | Sequence[int] = 21
    checkpoints: int | Sequence[int] = 3
    updates: Sequence[int] = ()
    observers: Sequence[Observer] = ()

    def __post_init__(self) -> None:
        """Refuse what is no observer, and two observers of one name."""
        for observer in self.observers:
            if isinstance(observer, type) or not all(hasattr(observer, part) for part in OBSERVER_PARTS):
                raise TypeError(
                    f"recording: expected observers with {', '.join(OBSERVER_PARTS)}, got {observer!r}; "
                    "pass instances, umapinfo.measures.LossObserver() say"
                )
        if not isinstance(self.updates, Iterable):
            raise TypeError(f"recording: expected a list of epochs for updates, got {self.updates!r}")
        names = [observer.name for observer in self.observers]
        if len(set(names)) < len(names):
            raise ValueError(f"recording: expected observers of different names, got {', '.join(names)}")


def epoch_numbers(wanted: int | Sequence[int], n_epochs: int, what: str) -> NDArray[np.int64]:
    """Epochs as sorted numbers in 0 ... n_epochs, both ends included: `wanted` evenly spaced ones, or these."""
    if isinstance(wanted, str | float | bool) or (np.ndim(wanted) == 0 and not isinstance(wanted, int | np.integer)):
        raise TypeError(f"recording: expected a number of {what} or a list of them, got {wanted!r}")
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
        More attributes of the trace (name and origin of the data, say): numbers and strings, under new names.
    progress : bool
        Show the progress of a run that takes over two seconds.

    Returns
    -------
    xarray.DataTree
        Groups and variables as in `umapinfo.trace.schema`.

    Raises
    ------
    TypeError, ValueError
        Before anything is run: for a wrong graph, descent, start, curve, recording, labels or attribute.  In the run:
        for an observer that breaks its promises, and for a layout that is not finite.

    Notes
    -----
    An interrupt (Ctrl-C) leaves no trace; `epochs` is the loop that can be left and gone on with.
    """
    recording, curve = recording or Recording(), checked_curve(curve)
    _check_kinds(graph, descent, recording)
    n_epochs = descent.epochs_for(graph.n_vertices)
    mu = prune(graph, n_epochs)
    if labels is not None:
        check_labels(labels, graph.n_vertices)
    settings = {field.name: getattr(descent, field.name) for field in fields(descent)} | {"n_epochs": n_epochs}
    check_attrs(attrs or {}, run_attributes(graph, curve, settings))
    state = initial_state(mu, descent, Y0)
    recorder = _Recorder(mu, curve, descent, recording, n_epochs)
    recorder.take(_start(state, descent.learning_rate), state)
    with Progress(progress) as report:
        for epoch in epochs(mu, curve, descent, state, keep_updates=recorder.keep_updates):
            recorder.take(epoch, state)
            report("descent", epoch.number, n_epochs)
    return trace_tree(graph, kept(graph, n_epochs), curve, settings, recorder.table, labels, attrs or {})


def check_labels(labels: Any, n_vertices: int) -> None:
    """ValueError unless there is one label a vertex."""
    if np.shape(labels) != (n_vertices,):
        raise ValueError(f"labels: expected shape [{n_vertices}], got {np.shape(labels)}; give one a vertex")


def check_attrs(attrs: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """ValueError if a user's attribute has the name of one of the trace's own."""
    if set(attrs) & set(own):
        taken = ", ".join(sorted(set(attrs) & set(own)))
        raise ValueError(f"attrs: expected names that the trace does not use itself, got {taken}; rename them")


def _check_kinds(graph: Any, descent: Any, recording: Any) -> None:
    """TypeError unless the arguments of `run` are what their names say."""
    kinds = {"graph": (graph, Graph), "descent": (descent, Descent), "recording": (recording, Recording)}
    for name, (given, kind) in kinds.items():
        if not isinstance(given, kind):
            raise TypeError(
                f"{name}: expected a {kind.__name__}, got {type(given).__name__}; see umapinfo.{kind.__name__}"
            )


class _Recorder:
    """Takes epoch after epoch, and writes what the Recording asks for into a Table."""

    def __init__(self, mu: Graph, curve: Curve, descent: Descent, recording: Recording, n_epochs: int) -> None:
        self.observers = list(recording.observers)
        self.numbers = epoch_numbers(recording.epochs, n_epochs, "epochs")
        self.checkpoints = epoch_numbers(recording.checkpoints, n_epochs, "checkpoints")
        self.updates = set(recording.updates) & set(epoch_numbers([*recording.updates], n_epochs, "updates").tolist())
        # Ends that an update counts for
        self.ends = {"attractions": 2, "repulsions": 2 if descent.push_tail else 1}
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
            put = partial(self.table.put, "checkpoint", epoch.number)
            put("run", {"checkpoint_Y": state.Y, "streams": state.streams})
            for name, arrays in self.arrays.items():
                put(f"observer {name!r}", {f"{name}_{key}": array for key, array in arrays.items()})
        if epoch.number in self.numbers:
            self._check_finite(epoch)
            put = partial(self.table.put, "epoch", epoch.number)
            put("run", {"Y": epoch.Y, "alpha": epoch.alpha, "done": True} | self._totals(epoch))
            for observer in self.observers:
                put(f"observer {observer.name!r}", observer.values(self.arrays[observer.name], epoch))

    def _check_finite(self, epoch: Epoch) -> None:
        if not np.isfinite(epoch.Y).all():
            raise ValueError(
                f"layout: expected finite positions, got NaN or inf by epoch {epoch.number}; lower learning_rate or "
                "repulsion_strength"
            )

    def _totals(self, epoch: Epoch) -> dict[str, int]:
        """Updates of the epoch by kind, scheduled and realised."""
        totals = {}
        for name, count in epoch.counts._asdict().items():
            totals[f"n_{name}"] = int(count.sum()) // self.ends[name.split("_")[0]]
        return totals


def _start(state: State, learning_rate: float) -> Epoch:
    """Epoch number 0: the start, in which nothing was updated."""
    nothing = np.zeros(0, UPDATE), np.zeros((0, state.Y.shape[1]), np.float32)
    Y = state.Y.copy()  # nobody who watches can change the run
    return Epoch(0, learning_rate, Y, Y, zero_counts(len(Y)), *nothing)


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
    if trace.attrs["law"] != LAW:
        raise ValueError(
            f"replay: expected a trace of law {LAW}, got law {trace.attrs['law']}, whose bits were others; "
            f"run it again, or replay with umapinfo {trace.attrs['version_umapinfo']}"
        )
    if isinstance(epoch, bool) or not isinstance(epoch, int | np.integer):
        raise TypeError(f"replay: expected a whole number, got {epoch!r}")
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
