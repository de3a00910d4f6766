"""The columns of a trace, fixed before the first epoch, and the table in memory that they are written to.

A column is one array, whole from the start: what a run records is put at the place of its epoch.  `Memory` and
`umapinfo.trace.store.Store` take the same columns and the same writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from umapinfo.trace.schema import GROUPS, RESERVED, VARIABLES, Variable, variable

if TYPE_CHECKING:
    import xarray as xr

Columns = dict[str, "Column"]  # by path: "layouts/Y"
# Sources that are no observer: what is known before the run, and what the run itself gives
GIVEN, RUN = "given", "run"


class Column(NamedTuple):
    """One array of a trace: its row in the schema, whole shape and dtype, and where it comes from."""

    variable: Variable
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    source: str = GIVEN
    categories: tuple[str, ...] | None = None  # of labels that are text: the column holds their places

    @property
    def attributes(self) -> dict[str, Any]:
        """What is said beside the array."""
        said: dict[str, Any] = {"long_name": self.variable.long_name, "units": self.variable.units}
        said["source"] = self.source
        return said if self.categories is None else {**said, "categories": list(self.categories)}


class Found(NamedTuple):
    """What one source gives at an epoch, to be put along `dim` ("epoch" or "checkpoint")."""

    dim: str
    source: str
    values: Mapping[str, Any]


class Table(Protocol):
    """Where a trace is written to."""

    columns: Columns

    def write(self, path: str, rows: NDArray[Any], first: int = 0) -> None:
        """Write rows first ... first + len(rows) - 1 of a column."""
        ...


def columns_found(found: Iterable[Found], lengths: Mapping[str, int], n_vertices: int, n_kept: int) -> Columns:
    """Columns for all that was found at epoch 0; ValueError or TypeError for a name or a value that cannot be kept."""
    columns: Columns = {}
    for dim, source, values in found:
        for name, value in values.items():
            given = np.asarray(value)
            row = _row(dim, name, given, n_vertices, n_kept)
            path = f"{row.group}/{name}"
            if path in columns or not _good_name(name) or row.dims[0] != dim:
                raise ValueError(f"{_told(source)}: expected a new name for a variable, got {name!r}; rename it")
            sizes = [
                n_vertices if axis == "vertex" else size for axis, size in zip(row.dims[1:], given.shape, strict=False)
            ]
            if len(row.dims) != given.ndim + 1 or tuple(sizes) != given.shape or not keepable(given.dtype):
                raise ValueError(
                    f"{_told(source)}: expected {name!r} with numbers and the dims {row.dims[1:]}, got shape "
                    f"{given.shape} and dtype {given.dtype}"
                )
            whole = given.dtype.kind in "iu" and dim == "epoch"  # fractions may follow
            dtype = np.dtype(row.dtype or (np.float64 if whole else given.dtype.newbyteorder("=")))
            columns[path] = Column(row, (lengths[dim], *given.shape), dtype, source)
    return columns


def _row(dim: str, name: str, given: NDArray[Any], n_vertices: int, n_kept: int) -> Variable:
    row = variable(name, given.shape, n_vertices, n_kept)
    if dim == "checkpoint" and name not in VARIABLES:
        return Variable("checkpoints", ("checkpoint", *row.dims[1:]), "", row.long_name, "")
    return row


def _told(source: str) -> str:
    return source if source == RUN else f"observer {source!r}"


def _good_name(name: str) -> bool:
    """Whether a variable may have the name: also the name of a folder, and of no dimension."""
    return name not in RESERVED and re.fullmatch(r"(?!\.|__|zarr\.json$)[^/\\\x00-\x1f]{1,100}", name) is not None


def keepable(dtype: np.dtype[Any]) -> bool:
    """Whether arrays of the dtype can be kept: booleans, whole numbers and floats of up to 64 bits."""
    return dtype.kind in "biuf" and dtype.itemsize <= 8


def put(table: Table, place: int, found: Found, number: int) -> None:
    """Write what one source gives at epoch `number`; ValueError unless it gives the names and kinds of epoch 0."""
    dim, source, values = found
    paths = {
        path.split("/")[1]: path
        for path, column in table.columns.items()
        if column.source == source and column.variable.dims[0] == dim
    }
    if set(values) != set(paths):
        raise ValueError(
            f"{_told(source)}: expected the names of epoch 0 at every recorded epoch, {sorted(paths)}, "
            f"got {sorted(values)} at epoch {number}"
        )
    for name, value in values.items():
        column, given = table.columns[paths[name]], np.asarray(value)
        # "same_kind" lets float64 into float32 and whole numbers into either
        if given.shape != column.shape[1:] or not np.can_cast(given.dtype, column.dtype, "same_kind"):
            raise ValueError(
                f"{_told(source)}: expected {name!r} with shape {column.shape[1:]} and dtype {column.dtype} as at "
                f"epoch 0, got {given.shape} and {given.dtype} at epoch {number}; return the same kind from the start"
            )
        table.write(paths[name], given.astype(column.dtype)[np.newaxis], place)


class Memory:
    """A trace in memory."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self._arrays = {path: np.zeros(column.shape, column.dtype) for path, column in columns.items()}

    def write(self, path: str, rows: NDArray[Any], first: int = 0) -> None:
        """Write rows first ... first + len(rows) - 1 of a column."""
        self._arrays[path][first : first + len(rows)] = rows

    def tree(self, attributes: Mapping[str, Any]) -> xr.DataTree:
        """The trace."""
        import xarray as xr

        groups: dict[str, dict[str, Any]] = {name: {} for name in GROUPS}
        for path, column in self.columns.items():
            group, name = path.split("/")
            groups[group][name] = xr.Variable(column.variable.dims, self._arrays[path], column.attributes)
        datasets = {f"/{name}": xr.Dataset(variables) for name, variables in groups.items() if variables}
        return with_labels(xr.DataTree.from_dict({"/": xr.Dataset(attrs=dict(attributes))} | datasets))


def with_labels(trace: xr.DataTree) -> xr.DataTree:
    """The trace with labels that are text in place of their codes."""
    import xarray as xr

    if "labels" in trace and "categories" in trace["labels"]["label"].attrs:
        label = trace["labels"]["label"].variable
        said = {key: value for key, value in label.attrs.items() if key != "categories"}
        categories, codes = label.attrs["categories"], label.values
        if codes.dtype.kind != "i" or not (0 <= codes.min() <= codes.max() < len(categories)):
            raise ValueError(
                f"labels: expected codes of {len(categories)} categories, got others; the trace is damaged"
            )
        text = np.asarray(categories)[codes]
        trace["labels"] = xr.DataTree(xr.Dataset({"label": xr.Variable(label.dims, text, said)}))
    return trace
