"""Memory of a run and its recording, from sizes that are known before it starts."""

from collections.abc import Sequence

import numpy as np

from umapinfo.core.forecast import Sizes, csr_bytes, descent_bytes, rows_bytes
from umapinfo.core.lists import UPDATE
from umapinfo.core.settings import Descent
from umapinfo.memory import Stage
from umapinfo.trace.observers import Observer, Takes
from umapinfo.trace.recording import Plan

WRITTEN = 3  # copies of a vertex's value on its way into the trace: of its type, as bytes, with their checksum


def run_stages(
    sizes: Sizes, descent: Descent, observers: Sequence[Observer], plan: Plan, copied: Sizes | None = None
) -> dict[str, Stage]:
    """The descent, and its recorded epochs, on a graph that is there.

    Beside the descent there are heads and degrees of the graph as built, what was found at epoch 0, and what observers
    hold.  A recorded epoch's updates are collected and joined, and then observers work; those of the epoch before are
    still there if it kept them.

    Parameters
    ----------
    sizes : Sizes
    descent : Descent
    observers : sequence of Observer
        Counted as far as they have `memory`.
    plan : Plan
        Of update_epochs, which epochs there are counts, not how often.
    copied : Sizes or None
        Of the graph as built, for a trace in memory, which copies it; None: the trace is on disk.
    """
    setup, running = descent_bytes(sizes, descent)
    takes = [
        observer.memory(sizes.n_vertices, sizes.n_entries) for observer in observers if hasattr(observer, "memory")
    ]
    of_epoch = 4 * sizes.n_axes * sizes.n_vertices + sum(one.recorded for one in takes)
    held = 4 * sizes.n_entries + 8 * sizes.n_vertices + of_epoch + sum(one.held for one in takes)
    known = 0.0 if copied is None else known_bytes(copied)
    trace = 0.0 if copied is None else known + recorded_bytes(sizes, descent, takes, plan)
    listed = plan.needs_updates(observers)
    updates = (UPDATE.itemsize + 4 * sizes.n_axes) * n_updates(sizes, descent) if listed else 0.0
    before = updates if any(number + 1 in listed for number in listed) else 0.0
    work = max((one.work for one in takes), default=0.0) + WRITTEN * 8 * sizes.n_vertices
    fewer = "record fewer epochs and checkpoints, no updates, or without observers"
    fewer += "" if copied is None else ", or name a path for the trace"
    return {
        "descent": Stage(max(setup, running) + held + known, "lower n_neighbors"),
        "recorded epochs": Stage(running + held + trace + before + updates + max(updates, work), fewer),
    }


def n_updates(sizes: Sizes, descent: Descent) -> float:
    """Updates of an epoch, on average."""
    return sizes.n_due * (1 + descent.negative_sample_rate)


def known_bytes(sizes: Sizes) -> float:
    """What a trace in memory copies before the run: the rows, the graph, which entries are kept, and degrees."""
    return rows_bytes(sizes) + csr_bytes(sizes) + sizes.n_entries + 8 * sizes.n_vertices


def recorded_bytes(sizes: Sizes, descent: Descent, takes: Sequence[Takes], plan: Plan) -> float:
    """What a run adds to a trace in memory: layouts and values of observers, states and their arrays, updates."""
    n, layout = sizes.n_vertices, 4 * sizes.n_axes * sizes.n_vertices
    streams = 24 * n if descent.streams == "umap" else 0
    of_epoch = layout + sum(one.recorded for one in takes)
    of_checkpoint = layout + streams + sum(one.checkpointed for one in takes)
    of_update = 4 + UPDATE.itemsize + 4 * sizes.n_axes
    n_kept = len(np.unique(plan.update_epochs)) * n_updates(sizes, descent)
    return len(plan.epochs) * of_epoch + len(plan.checkpoints) * of_checkpoint + n_kept * of_update
