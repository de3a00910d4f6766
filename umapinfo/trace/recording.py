"""What to keep of a run: said before it starts, so that recording cannot change what happens."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from umapinfo.core.descent import Epoch, State
from umapinfo.core.settings import Descent
from umapinfo.trace.observers import Arrays, Observer
from umapinfo.trace.table import GIVEN, RUN, Found, Table, put

OBSERVER_PARTS = ("name", "needs_updates", "start", "step", "values")


@dataclass(frozen=True)
class Recording:
    """What to keep of a run; given before it starts.

    Attributes
    ----------
    epochs : int or sequence of int
        Recorded epochs: so many, evenly spaced, or just these; the start 0 and the end are always among them.
    checkpoints : int or sequence of int
        Epochs whose whole state is kept, likewise: where `replay` and `resume` start from.  More of them make both
        faster; each costs the layout and the observers' arrays.
    updates : sequence of int
        Epochs whose updates are kept; costs 20 + 4 d bytes an update.
    observers : sequence of Observer
        Instruments: DegreeObserver(), BinarisationObserver(), LossObserver() of umapinfo.measures, or your own.
    """

    epochs: int | Sequence[int] = 21
    checkpoints: int | Sequence[int] = 11
    updates: Sequence[int] = ()
    observers: Sequence[Observer] = ()

    def __post_init__(self) -> None:
        """Refuse what is no observer, and two observers of one name."""
        checked_observers(self.observers)
        if not isinstance(self.updates, Iterable):
            raise TypeError(f"recording: expected a list of epochs for updates, got {self.updates!r}")


def checked_observers(observers: Sequence[Observer]) -> Sequence[Observer]:
    """The observers; TypeError for what is no observer, ValueError for two of one name."""
    for observer in observers:
        if isinstance(observer, type) or not all(hasattr(observer, part) for part in OBSERVER_PARTS):
            raise TypeError(
                f"recording: expected observers with {', '.join(OBSERVER_PARTS)}, got {observer!r}; "
                "pass instances, umapinfo.measures.LossObserver() say"
            )
    names = [observer.name for observer in observers]
    if len(set(names)) < len(names) or {GIVEN, RUN} & set(names):
        raise ValueError(f"recording: expected observers of different names, none {GIVEN!r} or {RUN!r}, got {names}")
    return observers


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


class Plan(NamedTuple):
    """The epochs at which something is kept, sorted: recorded ones, checkpoints, and those of each kept update."""

    epochs: NDArray[np.int64]
    checkpoints: NDArray[np.int64]
    update_epochs: NDArray[np.int32]

    def write(self, found: Iterable[Found], number: int, table: Table) -> None:
        """Write what was found at epoch `number` to its place."""
        for part in found:
            numbers = self.epochs if part.dim == "epoch" else self.checkpoints
            put(table, int(np.searchsorted(numbers, number)), part, number)

    def needs_updates(self, observers: Iterable[Observer]) -> set[int]:
        """Epochs whose updates have to be listed."""
        recorded = set(self.epochs.tolist()) if any(o.needs_updates for o in observers) else set()
        return recorded | set(self.update_epochs.tolist())


def plan_of(recording: Recording, n_epochs: int) -> Plan:
    """What a recording asks for in a run of n_epochs; of kept updates the epochs, each once."""
    numbers = epoch_numbers(recording.epochs, n_epochs, "epochs")
    checkpoints = epoch_numbers(recording.checkpoints, n_epochs, "checkpoints")
    wanted = sorted({*recording.updates} & {*epoch_numbers([*recording.updates], n_epochs, "updates").tolist()})
    return Plan(numbers, checkpoints, np.array(wanted, np.int32))


class Recorder:
    """Takes epoch after epoch, and puts what the plan asks for into a table: the data first, `done` last."""

    def __init__(self, observers: Sequence[Observer], arrays: dict[str, Arrays], plan: Plan, descent: Descent) -> None:
        self.observers, self.arrays, self.plan = observers, arrays, plan
        # Ends that an update counts for
        self._ends = {"attractions": 2, "repulsions": 2 if descent.push_tail else 1}

    def take(self, epoch: Epoch, state: State, table: Table) -> None:
        """Let the observers see the epoch, and write what is asked for."""
        for observer in self.observers:
            observer.step(self.arrays[observer.name], epoch)
        first, end = np.searchsorted(self.plan.update_epochs, [epoch.number, epoch.number + 1])
        if end > first:
            self._write_updates(epoch, int(first), table)
        self.plan.write(self.found(epoch, state), epoch.number, table)

    def found(self, epoch: Epoch, state: State) -> Iterator[Found]:
        """All that is to be kept of an epoch, `done` last."""
        if epoch.number in self.plan.checkpoints:
            yield Found("checkpoint", RUN, {"checkpoint_Y": state.Y, "streams": state.streams})
            for name, arrays in self.arrays.items():
                yield Found("checkpoint", name, {f"{name}_{key}": array for key, array in arrays.items()})
        if epoch.number in self.plan.epochs:
            self._check_finite(epoch)
            for observer in self.observers:
                yield Found("epoch", observer.name, observer.values(self.arrays[observer.name], epoch))
            yield Found("epoch", RUN, {"Y": epoch.Y, "alpha": epoch.alpha, **self._totals(epoch), "done": True})

    def _write_updates(self, epoch: Epoch, first: int, table: Table) -> None:
        """Write an epoch's updates and differences."""
        assert epoch.updates is not None
        assert epoch.delta is not None
        table.write("updates/delta", epoch.delta, first)
        for name, field in (("head", "head"), ("tail", "tail"), ("update_entry", "entry"), ("draw", "draw")):
            table.write(f"updates/{name}", np.ascontiguousarray(epoch.updates[field]), first)

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
            totals[f"n_{name}"] = int(count.sum()) // self._ends[name.split("_")[0]]
        return totals
