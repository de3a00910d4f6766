"""A trace as an xarray DataTree: written from what a run recorded, and read back as graph, curve and settings."""

import platform
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from umapinfo.core import LAW
from umapinfo.core.curve import Curve
from umapinfo.core.descent import Epoch
from umapinfo.core.graph import Graph, Rows
from umapinfo.core.schedule import Descent
from umapinfo.trace.schema import SCHEMA, VARIABLES, Variable, variable

GROUPS = ("rows", "graph", "layouts", "epochs", "vertices", "updates", "checkpoints", "observed", "labels")
RESERVED = {"epoch", "vertex", "axis", "bin", "checkpoint", "update", "entry", "kept_entry", "listed", "stream", "word"}
PACKAGES = ("umapinfo", "numpy", "scipy", "numba", "pynndescent", "xarray")


class Table:
    """The recorded arrays of a run, allocated when their shapes are first seen, at the start of the run."""

    def __init__(
        self, n_vertices: int, n_kept: int, epoch_numbers: NDArray[np.int64], checkpoints: NDArray[np.int64]
    ) -> None:
        self._sizes = (n_vertices, n_kept)
        self.numbers = {"epoch": epoch_numbers, "checkpoint": checkpoints}
        self.arrays: dict[str, tuple[Variable, NDArray[Any]]] = {}
        self._names: dict[tuple[str, str], set[str]] = {}
        self.updates: list[dict[str, NDArray[Any]]] = []

    def put(self, dim: str, number: int, source: str, values: dict[str, Any]) -> None:
        """Keep what `source` gives at the place of epoch `number` along `dim` ("epoch" or "checkpoint")."""
        place = int(np.searchsorted(self.numbers[dim], number))
        if place == 0:
            self._names[dim, source] = set(values)
            self._allocate(dim, source, values)
        if set(values) != self._names[dim, source]:
            raise ValueError(
                f"{source}: expected the names of epoch 0 at every recorded epoch, {sorted(self._names[dim, source])}, "
                f"got {sorted(values)} at epoch {number}"
            )
        for name, value in values.items():
            array, given = self.arrays[name][1], np.asarray(value)
            # "same_kind" lets float64 into float32 and whole numbers into either, and no text be cut short.
            fits = np.can_cast(given.dtype, array.dtype, "safe" if given.dtype.kind == "U" else "same_kind")
            if given.shape != array.shape[1:] or not fits:
                raise ValueError(
                    f"{source}: expected {name!r} with shape {array.shape[1:]} and dtype {array.dtype} as at epoch 0, "
                    f"got {given.shape} and {given.dtype} at epoch {number}; return the same kind from the start"
                )
            array[place] = given

    def _allocate(self, dim: str, source: str, values: dict[str, Any]) -> None:
        for name, value in values.items():
            given = np.asarray(value)
            row = variable(name, given.shape, *self._sizes)
            if dim == "checkpoint" and name not in VARIABLES:
                row = Variable("checkpoints", ("checkpoint", *row.dims[1:]), "", row.long_name, "")
            if name in self.arrays or name in RESERVED or "/" in name or row.dims[0] != dim:
                raise ValueError(f"{source}: expected a new name for a variable, got {name!r}; rename it")
            sizes = [
                self._sizes[0] if axis == "vertex" else size
                for axis, size in zip(row.dims[1:], given.shape, strict=False)
            ]
            if len(row.dims) != given.ndim + 1 or tuple(sizes) != given.shape or given.dtype.kind not in "biufU":
                raise ValueError(
                    f"{source}: expected {name!r} with numbers and the dims {row.dims[1:]}, got shape {given.shape} "
                    f"and dtype {given.dtype}"
                )
            dtype = row.dtype or (np.float64 if given.dtype.kind in "iu" and dim == "epoch" else given.dtype)
            self.arrays[name] = (row, np.zeros((len(self.numbers[dim]), *given.shape), dtype))

    def add_updates(self, epoch: Epoch) -> None:
        """Keep an epoch's updates and differences."""
        assert epoch.updates is not None
        assert epoch.delta is not None
        number = np.full(len(epoch.updates), epoch.number, np.int32)
        self.updates.append(
            {"update_epoch": number, "delta": epoch.delta, "update_entry": epoch.updates["entry"]}
            | {name: epoch.updates[name] for name in ("head", "tail", "draw")}
        )


def trace_tree(
    graph: Graph,
    kept: NDArray[np.bool_],
    curve: Curve,
    settings: dict[str, Any],
    table: Table,
    labels: Any,
    attrs: dict[str, Any],
) -> xr.DataTree:
    """The DataTree of a run: variables as in `umapinfo.trace.schema`, settings and versions as attributes."""
    groups: dict[str, dict[str, xr.Variable]] = {name: {} for name in GROUPS}

    def add(name: str, values: Any, row: Variable | None = None) -> None:
        row = row or VARIABLES[name]
        described = {"long_name": row.long_name, "units": row.units}
        data = np.asarray(values, dtype=row.dtype or None)
        groups[row.group][name] = xr.Variable(row.dims, data, described)

    for name in ("indptr", "indices", "weight", "degree"):
        add(name, getattr(graph, name))
    add("kept", kept)
    if graph.rows is not None:
        add("row_indptr", graph.rows.indptr)
        for name in ("neighbor", "distance", "membership", "rho", "sigma", "floored", "tied"):
            add(name, getattr(graph.rows, name))
    if labels is not None:
        add("label", labels)
    for name, (row, values) in table.arrays.items():
        add(name, values, row)
    add("checkpoint_epoch", table.numbers["checkpoint"])
    for name in table.updates[0] if table.updates else ():
        add(name, np.concatenate([part[name] for part in table.updates]))
    datasets = {
        f"/{name}": _dataset(variables, table.numbers["epoch"]) for name, variables in groups.items() if variables
    }
    root = xr.Dataset(attrs=run_attributes(graph, curve, settings) | attrs)
    return xr.DataTree.from_dict({"/": root} | datasets)


def _dataset(variables: dict[str, xr.Variable], numbers: NDArray[np.int64]) -> xr.Dataset:
    """A group's Dataset, with the epoch as coordinate where it is a dimension."""
    by_epoch = any("epoch" in variable.dims for variable in variables.values())
    epoch = xr.Variable("epoch", numbers, {"long_name": "epoch", "units": "epochs applied"})
    return xr.Dataset(variables, coords={"epoch": epoch} if by_epoch else {})


def run_attributes(graph: Graph, curve: Curve, settings: dict[str, Any]) -> dict[str, Any]:
    """What a trace says of its run: schema, law, settings, versions and the machine."""
    versions = {f"version_{name}": _version(name) for name in PACKAGES}
    known = {} if graph.n_neighbors is None else {"n_neighbors": int(graph.n_neighbors)}
    return {
        "schema": SCHEMA,
        "law": LAW,
        "n_vertices": graph.n_vertices,
        **known,
        **curve._asdict(),
        **settings,
        **versions,
        "python": platform.python_version(),
        "cpu": platform.processor() or platform.machine(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"


def graph_of(trace: xr.DataTree) -> Graph:
    """The graph p of a trace, with its rows if it has them; `prune(graph, trace.attrs["n_epochs"])` is mu."""
    stored, rows = trace["graph"].to_dataset(), None
    if "rows" in trace:
        directed = trace["rows"].to_dataset()
        parts = {name: directed[name].values for name in Rows.__dataclass_fields__ if name != "indptr"}
        rows = Rows(indptr=directed["row_indptr"].values, **parts)
    arrays = {name: stored[name].values for name in ("indptr", "indices", "weight")}
    return Graph(**arrays, n_neighbors=trace.attrs.get("n_neighbors"), rows=rows)


def curve_of(trace: xr.DataTree) -> Curve:
    """The curve of a trace."""
    return Curve(*(float(trace.attrs[name]) for name in Curve._fields))


def descent_of(trace: xr.DataTree) -> Descent:
    """The settings of a trace's run, n_epochs resolved."""
    return Descent(**{field.name: trace.attrs[field.name] for field in fields(Descent)})
