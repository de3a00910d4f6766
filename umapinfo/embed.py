"""From data to trace in one call."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse

from umapinfo.core.approximate import COMPILED
from umapinfo.core.checks import checked_data
from umapinfo.core.curve import fit_curve
from umapinfo.core.forecast import (
    csr_bytes,
    expected_sizes,
    fuzzy_graph_bytes,
    lists_bytes,
    rows_bytes,
    start_bytes,
)
from umapinfo.core.graph import prune
from umapinfo.core.initial import initial_layout, n_axes_of
from umapinfo.core.membership import fuzzy_graph
from umapinfo.core.neighbors import check_n_neighbors, neighbors, search_stage
from umapinfo.core.settings import Descent
from umapinfo.measures.binarisation import BinarisationObserver
from umapinfo.measures.degree import DegreeObserver
from umapinfo.measures.loss import LossObserver
from umapinfo.memory import Stage, check_memory
from umapinfo.progress import Progress
from umapinfo.trace import again
from umapinfo.trace.forecast import run_stages
from umapinfo.trace.observers import Observer
from umapinfo.trace.opening import open_trace
from umapinfo.trace.record import run
from umapinfo.trace.recording import Recording, checked_observers, plan_of
from umapinfo.trace.store import checked_path
from umapinfo.trace.tree import check_labels, checked_attrs

if TYPE_CHECKING:
    import xarray as xr

INSTRUMENTS = (DegreeObserver, BinarisationObserver, LossObserver)
LOSSES_UP_TO = 100_000  # vertices, outside two and three dimensions: one sum over all pairs then takes over 2 s


def embed(
    X: Any,
    n_neighbors: int = 15,
    *,
    metric: str = "euclidean",
    metric_kwds: dict[str, Any] | None = None,
    exact: bool | None = None,
    local_connectivity: float = 1.0,
    set_op_mix_ratio: float = 1.0,
    min_dist: float = 0.1,
    spread: float = 1.0,
    init: Any = "spectral",
    n_components: int = 2,
    recording: Recording | None = None,
    path: Any = None,
    labels: Any = None,
    attrs: dict[str, Any] | None = None,
    progress: bool = True,
    **settings: Any,
) -> xr.DataTree:
    """Embed data by UMAP and return the trace of the run.

    Parameters
    ----------
    X, n_neighbors, metric, metric_kwds, exact
        As for `neighbors`.
    local_connectivity, set_op_mix_ratio
        As for `fuzzy_graph`.
    min_dist, spread
        As for `fit_curve`.
    init, n_components
        As for `initial_layout`.
    recording : Recording, optional
        By default 21 epochs with the three instruments degree, binarisation and loss (outside two and three
        dimensions the loss, which then sums over all pairs one by one, up to 100,000 points).
    path, labels, attrs, progress
        As for `run`.
    **settings
        Of `Descent`: n_epochs, learning_rate, negative_sample_rate, repulsion_strength, order, n_blocks, streams,
        push_tail, seed (which also seeds neighbours and start).

    Returns
    -------
    xarray.DataTree
        The layout after the last epoch is trace["layouts"]["Y"][-1].

    Raises
    ------
    TypeError, ValueError, OSError
        As the functions named.
    MemoryError
        Before the search: a stage is forecast to take more memory than is free.
    """
    if path is not None:  # run checks it too, but after minutes of search
        checked_path(path)
    known = [field.name for field in fields(Descent)]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise TypeError(
            f"embed: expected its own arguments or one of {', '.join(known)}, got {', '.join(unknown)}; "
            "umap-learn's random_state is seed here"
        )
    descent, curve = Descent(**settings), fit_curve(min_dist, spread)
    data = checked_data(X)
    origin = {
        "metric": metric,
        "min_dist": min_dist,
        "spread": spread,
        "init": init if isinstance(init, str) else "array",
        "local_connectivity": local_connectivity,
        "set_op_mix_ratio": set_op_mix_ratio,
        "data_sha256": data_sha256(data),
    }
    attrs = checked_attrs(attrs, origin)
    if labels is not None:  # run checks them too, but after minutes of search
        check_labels(labels, data.shape[0])
    n_axes = n_axes_of(init, n_components)
    recording = recording or Recording(observers=default_observers(data.shape[0], n_axes))
    check_n_neighbors(n_neighbors, data.shape[0])
    check_memory(
        {
            "neighbors": search_stage(data, n_neighbors, metric, exact),
            **later_stages(data, n_neighbors, n_axes, init, descent, recording, in_memory=path is None),
        }
    )
    with Progress(progress) as report:
        found = neighbors(
            data,
            n_neighbors,
            metric=metric,
            metric_kwds=metric_kwds,
            exact=exact,
            seed=descent.seed,
            report=report,
        )
    graph = fuzzy_graph(found, local_connectivity=local_connectivity, set_op_mix_ratio=set_op_mix_ratio)
    del found  # the graph has copies
    coordinates = None if metric == "precomputed" else data
    start = initial_layout(
        prune(graph, descent.epochs_for(graph.n_vertices)),
        init,
        X=coordinates,
        n_components=n_components,
        seed=descent.seed,
    )
    told = {"path": path, "labels": labels, "attrs": origin | attrs, "progress": progress}
    return run(graph, curve, descent, start, recording, **told)


def later_stages(
    data: Any, n_neighbors: int, n_axes: int, init: Any, descent: Descent, recording: Recording, *, in_memory: bool
) -> dict[str, Stage]:
    """Memory of what follows the search in checked data, beside these."""
    n, fewer = data.shape[0], "lower n_neighbors"
    sizes, plan = expected_sizes(n, n_neighbors, n_axes), plan_of(recording, descent.epochs_for(n))
    built, pruned = rows_bytes(sizes) + csr_bytes(sizes), csr_bytes(sizes)
    run = run_stages(sizes, descent, recording.observers, plan, sizes if in_memory else None)
    return {
        "graph": Stage(COMPILED + lists_bytes(sizes) + fuzzy_graph_bytes(sizes), fewer),
        "start": Stage(COMPILED + built + pruned + start_bytes(sizes, init, data), fewer),
        **{name: Stage(COMPILED + built + pruned + n_bytes, remedy) for name, (n_bytes, remedy) in run.items()},
    }


def default_observers(n_vertices: int, n_axes: int) -> list[Observer]:
    """The three instruments of the mission; without the loss where it would take longer than the run."""
    slow = n_axes not in (2, 3) and n_vertices > LOSSES_UP_TO
    return [kind() for kind in INSTRUMENTS if kind is not LossObserver or not slow]


def resume(path: Any, *, observers: Sequence[Observer] = (), progress: bool = True) -> xr.DataTree:
    """Go on with a run whose trace on disk was cut off, to the bits of an unbroken run.

    It starts from the last checkpoint that is not after the last recorded epoch done.

    Parameters
    ----------
    path : str or os.PathLike
        Of `run` or `embed`; nothing is run if the trace is whole.
    observers : sequence of Observer
        Your own ones of the run, made anew; the three instruments of this package are made as they are needed.
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
        An observer of the run is missing (the error names it), or was not in it; no trace, or a damaged one (every
        chunk is held against its checksum), or one of another schema or law.
    RuntimeError
        Another process writes to the trace.
    MemoryError
        Before anything is run or written: the rest is forecast to take more memory than is free.
    """
    given = [observer.name for observer in checked_observers(observers)]
    wanted = open_trace(path).attrs["observers"]
    own = [kind() for kind in INSTRUMENTS if kind.name in wanted and kind.name not in given]
    return again.resume(path, observers=[*own, *observers], progress=progress)


def data_sha256(data: Any) -> str:
    """SHA-256 of checked data: of its float64 values, row after row (of a sparse matrix: indptr, indices, values)."""
    digest = hashlib.sha256()
    parts = (data.indptr, data.indices, data.data) if scipy.sparse.issparse(data) else (data,)
    for part in parts:
        digest.update(np.ascontiguousarray(part).ravel().data)
    return digest.hexdigest()
