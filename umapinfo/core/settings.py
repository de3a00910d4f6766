"""The settings of a run of the descent."""

import math
from dataclasses import dataclass

import numpy as np

from umapinfo.core.graph import default_epochs

ORDERS = ("sequential", "blocked")
STREAMS = ("counter", "umap")
N_BLOCKS = 16


@dataclass(frozen=True, kw_only=True)
class Descent:
    """The settings of a run of the descent.

    Attributes
    ----------
    n_epochs : int >= 0, optional
        T; by default 500 up to 10,000 vertices and 200 above.
    learning_rate : float in [0, 1e30]
        Step size at the start; falls linearly to 0.  Small: hardly moves; large: points jump about.
    negative_sample_rate : float in [0, 100,000]
        m_neg, repulsions drawn per attraction.
    repulsion_strength : float >= 0
        gamma, factor of every repulsion.
    order : "sequential" or "blocked"
        "sequential": updates are applied one after another, as umap-learn's seeded descent does.  "blocked": the
        vertices of a block move in parallel, seen by each other where they were before it (`umapinfo.core.blocked`);
        the same bits for any number of threads.
    n_blocks : int in [1, 2^31)
        Blocks of the blocked order.  One: all vertices move at once; as many as vertices (or more): one after another,
        nearly as in the sequential order.  Few: the layout differs from that order's; many: slow, as each block goes
        through the whole layout, and an epoch is done before an interrupt is seen.
    streams : "counter" or "umap"
        Where negative samples come from (see umapinfo.core.streams).
    push_tail : bool
        A negative sample's tail is pushed too, as in the effective loss; umap-learn moves the head alone.
    seed : int in [0, 2^32)
    """

    n_epochs: int | None = None
    learning_rate: float = 1.0
    negative_sample_rate: float = 5.0
    repulsion_strength: float = 1.0
    order: str = "sequential"
    n_blocks: int = N_BLOCKS
    streams: str = "counter"
    push_tail: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings outside their ranges; keep plain numbers (numpy's would take float32 steps in float64)."""
        for name, kind, low, high in (
            ("n_epochs", int, 0, 2**31),
            ("learning_rate", float, 0.0, 1e30),  # moves are float32
            ("negative_sample_rate", float, 0.0, 1e5),
            ("repulsion_strength", float, 0.0, math.inf),
            ("n_blocks", int, 1, 2**31 - 1),
            ("seed", int, 0, 2**32 - 1),
        ):
            value = getattr(self, name)
            if name == "n_epochs" and value is None:
                continue
            real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
            if not (real and low <= value <= high and math.isfinite(value) and kind(value) == value):
                wanted = "whole" if kind is int else "finite"
                raise ValueError(f"{name}: expected a {wanted} number in [{low}, {high}], got {value!r}")
            object.__setattr__(self, name, kind(value))
        for name, word, words in (("order", self.order, ORDERS), ("streams", self.streams, STREAMS)):
            if word not in words:
                raise ValueError(f"{name}: expected one of {', '.join(map(repr, words))}, got {word!r}")
        if not isinstance(self.push_tail, bool):
            raise TypeError(f"push_tail: expected True or False, got {self.push_tail!r}")
        if self.order == "blocked" and self.push_tail:
            raise ValueError(
                "push_tail: expected False with order='blocked', which pushes the head alone, got True; "
                "take order='sequential'"
            )
        if self.order == "blocked" and self.streams == "umap":
            raise ValueError(
                "streams: expected 'counter' with order='blocked', got 'umap', whose random state belongs to one order "
                "of updates; take order='sequential'"
            )

    def epochs_for(self, n_vertices: int) -> int:
        """T for a graph of that many vertices."""
        return default_epochs(n_vertices) if self.n_epochs is None else self.n_epochs

    def n_blocks_for(self, n_vertices: int) -> int:
        """Blocks of an epoch of that many vertices: one in the sequential order."""
        return max(min(self.n_blocks, n_vertices), 1) if self.order == "blocked" else 1

    def alpha(self, number: int, n_epochs: int) -> float:
        """Learning rate of epoch `number` (1 ... T): full in epochs 1 and 2, then 1 - (number - 2) / T of it."""
        return self.learning_rate * (1.0 - max(number - 2, 0) / n_epochs)
