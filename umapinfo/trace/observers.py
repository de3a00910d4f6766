"""What an instrument of a run looks like; the measures bring their own, and users may write more."""

from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from umapinfo.core.curve import Curve
from umapinfo.core.descent import Epoch
from umapinfo.core.graph import Graph
from umapinfo.core.settings import Descent

Arrays = dict[str, NDArray[Any]]


class Takes(NamedTuple):
    """Bytes of memory that an observer takes, at most.

    Attributes
    ----------
    held : float
        Between epochs, on itself and in the arrays that `start` returns.
    work : float
        More of them while `values` runs.
    recorded, checkpointed : float
        What `values` and `start` return.
    """

    held: float
    work: float
    recorded: float
    checkpointed: float


class Observer(Protocol):
    """Watches a run without touching it: reads what the kernels did, never takes part in it.

    It may have ``memory(n_vertices, n_entries) -> Takes``, for the forecast of a run's memory, too.

    Attributes
    ----------
    name : str
        Unique among the observers of a run.
    needs_updates : bool
        Whether `values` reads epoch.updates and epoch.delta; they are then kept at recorded epochs.
    """

    name: str
    needs_updates: bool

    def start(self, graph: Graph, curve: Curve, descent: Descent) -> Arrays:
        """Arrays that accumulate along the run (checkpointed with it); graph is the pruned one."""
        ...

    def step(self, arrays: Arrays, epoch: Epoch) -> None:
        """Called after every epoch: add to the arrays."""
        ...

    def values(self, arrays: Arrays, epoch: Epoch) -> dict[str, Any]:
        """What to record at a recorded epoch, the start (number 0) included: each time the same names and shapes.

        Whole numbers are kept as float64, so that fractions may follow.
        """
        ...
