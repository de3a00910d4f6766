"""What a trace says of its run: attributes and the arrays that are known before it, and both read back."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite.binding import get_host_cpu_name
from numpy.typing import NDArray

from umapinfo.core import LAW
from umapinfo.core.curve import Curve, checked_curve
from umapinfo.core.graph import Graph, Rows
from umapinfo.core.settings import Descent
from umapinfo.trace.schema import EPOCH, SCHEMA, VARIABLES
from umapinfo.trace.table import RUN, Column, Columns, keepable

if TYPE_CHECKING:
    import xarray as xr

PACKAGES = ("umapinfo", "numpy", "scipy", "numba", "pynndescent", "xarray", "zarr", "finufft", "llvmlite")


def run_attributes(graph: Graph, curve: Curve, descent: Descent, observers: Sequence[str]) -> dict[str, Any]:
    """What a trace says of its run: schema, law, settings (n_epochs resolved), observers, versions and machine."""
    settings = {field.name: getattr(descent, field.name) for field in fields(descent)}
    settings["n_epochs"] = descent.epochs_for(graph.n_vertices)
    return known_attributes(graph, curve, settings, observers)


def known_attributes(
    graph: Graph, curve: Curve, settings: Mapping[str, Any], observers: Sequence[str] = ()
) -> dict[str, Any]:
    """What every trace says; among the settings is n_epochs."""
    known = {} if graph.n_neighbors is None else {"n_neighbors": int(graph.n_neighbors)}
    return {
        "schema": SCHEMA,
        "law": LAW,
        "n_vertices": graph.n_vertices,
        **known,
        **{name: float(value) for name, value in curve._asdict().items()},
        **settings,
        "observers": list(observers),
        **environment(),
    }


def environment() -> dict[str, str]:
    """Versions and machine: what may change bits beside the law."""
    versions = {f"version_{name}": _version(name) for name in PACKAGES}
    return {**versions, "python": platform.python_version(), "cpu": get_host_cpu_name()}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"


def checked_attrs(attrs: Mapping[str, Any] | None, own: Mapping[str, Any]) -> dict[str, Any]:
    """A user's attributes as plain numbers, strings and lists.

    Raises
    ------
    TypeError, ValueError
        Something else; or a name that the trace uses itself.
    """
    attrs = dict(attrs or {})
    taken = sorted(set(attrs) & {*own, "resumed", "sha256"})
    if taken:
        raise ValueError(
            f"attrs: expected names that the trace does not use itself, got {', '.join(taken)}; rename them"
        )
    try:
        plain: dict[str, Any] = json.loads(json.dumps(attrs, default=_plain, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"attrs: expected finite numbers, strings and lists of them, got {error}") from None
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__}")


def check_attributes(attributes: Mapping[str, Any]) -> None:
    """KeyError, TypeError or ValueError unless the attributes of a stored trace are those of a run."""
    whole = ("schema", "law", "n_vertices", "n_epochs")
    if not all(type(attributes[name]) is int and attributes[name] >= 0 for name in whole):
        raise ValueError(f"attributes {[attributes[name] for name in whole]!r:.100} of {', '.join(whole)}")
    for name, lines in (("observers", attributes["observers"]), ("resumed", attributes.get("resumed", []))):
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise ValueError(f"{name} that are no list of strings")
    if type(attributes.get("n_neighbors", 1)) is not int:
        raise ValueError(f"n_neighbors {attributes['n_neighbors']!r:.50}")
    checked_curve(Curve(*(attributes[name] for name in Curve._fields)))
    if "minimised" not in attributes:
        _descent(attributes)
    elif not all(isinstance(attributes[name], str) for name in ("minimised", "method")):
        raise ValueError(f"minimised {attributes['minimised']!r:.50} by method {attributes['method']!r:.50}")


def _descent(attributes: Mapping[Any, Any]) -> Descent:
    """The settings of a run; traces from before there was a blocked order have no n_blocks, and need none."""
    names = [field.name for field in fields(Descent) if field.name != "n_blocks" or "n_blocks" in attributes]
    return Descent(**{name: attributes[name] for name in names})


def check_labels(labels: Any, n_vertices: int) -> None:
    """ValueError unless there is one label a vertex; TypeError unless they are numbers or text."""
    if np.shape(labels) != (n_vertices,):
        raise ValueError(f"labels: expected shape [{n_vertices}], got {np.shape(labels)}; give one a vertex")
    given = np.asarray(labels)
    text = given.dtype.kind == "U" or (given.dtype.kind == "O" and all(isinstance(label, str) for label in given))
    if not (text or keepable(given.dtype)):
        raise TypeError(f"labels: expected numbers or strings, got dtype {given.dtype}; use astype(str)")


def known_before(
    graph: Graph, kept: NDArray[np.bool_], labels: Any, checkpoints: NDArray[np.int64], update_epochs: NDArray[np.int32]
) -> tuple[Columns, dict[str, NDArray[Any]]]:
    """Columns and arrays that are whole before the first epoch."""
    arrays: dict[str, Any] = {name: getattr(graph, name) for name in ("indptr", "indices", "weight", "degree")}
    arrays |= {"kept": kept, "checkpoint_epoch": checkpoints}
    if graph.rows is not None:
        parts = {field.name: getattr(graph.rows, field.name) for field in fields(Rows)}
        arrays |= {"row_indptr": parts.pop("indptr")} | parts
    if len(update_epochs):
        arrays["update_epoch"] = update_epochs
    paths = {f"{VARIABLES[name].group}/{name}": np.asarray(array) for name, array in arrays.items()}
    columns = {path: _column(path.split("/")[1], array) for path, array in paths.items()}
    if labels is not None:
        columns["labels/label"], paths["labels/label"] = _label_column(labels)
    return columns, {path: array.astype(columns[path].dtype, copy=False) for path, array in paths.items()}


def _column(name: str, array: NDArray[Any]) -> Column:
    row = VARIABLES[name]
    return Column(row, array.shape, np.dtype(row.dtype or array.dtype.newbyteorder("=")))


def _label_column(labels: Any) -> tuple[Column, NDArray[Any]]:
    """Labels as they are, or the places of text among its categories."""
    given = np.asarray(labels)
    if given.dtype.kind not in "UO":
        return _column("label", given), given
    categories, codes = np.unique(given.astype(str), return_inverse=True)
    codes = codes.astype(np.int32)
    return _column("label", codes)._replace(categories=tuple(categories.tolist())), codes


def update_columns(n_updates: int, n_axes: int) -> Columns:
    """Columns of the updates that are kept, but for their epoch."""
    shapes = {"head": (), "tail": (), "update_entry": (), "draw": (), "delta": (n_axes,)}
    rows = {name: VARIABLES[name] for name in shapes} if n_updates else {}
    return {
        f"updates/{name}": Column(row, (n_updates, *shapes[name]), np.dtype(row.dtype), RUN)
        for name, row in rows.items()
    }


def epoch_columns(columns: Columns, n_recorded: int) -> Columns:
    """The coordinate of each group that has recorded epochs."""
    groups = sorted({column.variable.group for column in columns.values() if "epoch" in column.variable.dims})
    return {
        f"{group}/epoch": Column(EPOCH._replace(group=group), (n_recorded,), np.dtype(np.int64)) for group in groups
    }


def graph_of(trace: xr.DataTree) -> Graph:
    """The graph p of a trace, with its rows if it has them; `prune(graph, trace.attrs["n_epochs"])` is mu.

    Of a minimisation it is mu itself.

    Raises
    ------
    ValueError
        The trace's arrays are no graph: kernels would read beyond their ends.
    """
    stored, rows = trace["graph"].to_dataset(), None
    arrays = {name: stored[name].values for name in ("indptr", "indices", "weight")}
    _check_csr("graph", *arrays.values(), arrays["weight"])
    if "rows" in trace:
        directed = trace["rows"].to_dataset()
        parts = {name: directed[name].values for name in Rows.__dataclass_fields__ if name != "indptr"}
        rows = Rows(indptr=directed["row_indptr"].values, **parts)
        _check_csr("rows", rows.indptr, rows.neighbor, rows.distance, rows.membership)
    return Graph(**arrays, n_neighbors=trace.attrs.get("n_neighbors"), rows=rows)


def _check_csr(what: str, indptr: NDArray[Any], indices: NDArray[Any], *values: NDArray[Any]) -> None:
    """ValueError unless the arrays are rows of a square sparse matrix with finite values >= 0."""
    n = len(indptr) - 1
    sound = (
        indptr[0] == 0
        and indptr[-1] == len(indices)
        and bool((np.diff(indptr) >= 0).all())
        and all(len(value) == len(indices) and bool((np.isfinite(value) & (value >= 0)).all()) for value in values)
    )
    if not sound or (len(indices) and not 0 <= indices.min() <= indices.max() < n):
        raise ValueError(f"trace: expected {what} with indices in 0 ... {n - 1}, got others; the trace is damaged")


def last_epoch(trace: xr.DataTree) -> int:
    """The last recorded epoch that is done: n_epochs when the run is over."""
    return int(trace["epochs"].to_dataset()["epoch"][-1])


def curve_of(trace: xr.DataTree) -> Curve:
    """The curve of a trace."""
    return Curve(*(float(trace.attrs[name]) for name in Curve._fields))


def descent_of(trace: xr.DataTree) -> Descent:
    """The settings of a trace's run, n_epochs resolved; ValueError if the trace is that of a minimisation."""
    if "minimised" in trace.attrs:
        raise ValueError(
            f"trace: expected that of a descent (run, embed), got a minimisation of the {trace.attrs['minimised']} "
            "loss; resume_minimisation goes on with it, history shows its iterations"
        )
    return _descent(trace.attrs)
