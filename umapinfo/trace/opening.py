"""Open a trace on disk, one's own or a stranger's: everything is checked before xarray sees it, and nothing is run.

What a store declares is held against the schema and against the sizes of its files, so that a declared shape
allocates nothing: chunks are not compressed, and each has to be there with just the bytes that its shape asks for.
"""

from __future__ import annotations

import json
import os
import stat
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from umapinfo.trace.chunks import (
    check_chunk,
    chunk_shape,
    damaged,
    fill_value,
    n_chunks,
    read_chunk,
    verify_chunk,
)
from umapinfo.trace.schema import EPOCH, GROUPS, REQUIRED, SCHEMA, VARIABLES, Variable
from umapinfo.trace.store import METADATA, local_path, signed
from umapinfo.trace.table import GIVEN, Column, Columns, with_labels
from umapinfo.trace.tree import check_attributes

if TYPE_CHECKING:
    import xarray as xr

SAID = {"long_name": str, "units": str, "source": str, "categories": list}
DECLARED = {"zarr_format", "node_type", "shape", "dimension_names", "data_type", "attributes", "chunk_grid"}
DECLARED |= {"chunk_key_encoding", "codecs", "fill_value", "storage_transformers"}
DTYPES = {name: np.dtype(name) for name in ("bool", "float16", "float32", "float64")}
DTYPES |= {f"{kind}{bits}": np.dtype(f"{kind}{bits}") for kind in ("int", "uint") for bits in (8, 16, 32, 64)}
SHARED = {dim for row in VARIABLES.values() for dim in row.dims} | {"kept_entry"}
EPOCHS = 10**6  # most recorded epochs: their numbers are the only array that opening reads


def open_trace(path: Any, *, verify: bool = False) -> xr.DataTree:
    """Open a trace on disk, also one that is still being written or was cut off.

    Parameters
    ----------
    path : str or os.PathLike
        Of `run` or `embed`.
    verify : bool
        Read every chunk and hold it against its checksum now; otherwise a chunk is when it is read.

    Returns
    -------
    xarray.DataTree
        As `run` returns it, with the epochs, checkpoints and updates that are done so far; arrays are read when they
        are used.  `trace.attrs["n_epochs"]` says how many epochs the run will have.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        There is no such folder.
    ValueError
        The folder holds no trace, one of another schema, or a damaged one.
    """
    folder = existing_trace(path)
    attributes, columns = read_metadata(folder)
    n_done = check_chunks(folder, columns, verify)
    return tree_of(folder, attributes, columns, n_done)


def existing_trace(path: Any) -> Path:
    """The folder of a trace; an error unless there is one."""
    folder = local_path(path)
    if not os.path.lexists(folder):
        raise FileNotFoundError(f"path: expected a trace's folder, but there is nothing at {folder}")
    if not folder.is_dir():
        raise NotADirectoryError(f"path: expected a trace's folder, but {folder} is none")
    if not (folder / "zarr.json").is_file():
        raise ValueError(f"path: expected a trace's folder, but {folder} has no zarr.json; name the folder run wrote")
    return folder


def read_metadata(folder: Path) -> tuple[dict[str, Any], Columns]:
    """Attributes and columns that a store declares, held against the schema."""
    try:
        documents = _documents(folder)
        attributes = documents[""]["attributes"]
        if not isinstance(attributes, dict):
            raise TypeError("attributes are no mapping")
    except (KeyError, TypeError, ValueError, RecursionError, OSError) as error:
        raise ValueError(damaged(folder, f"expected readable metadata, got {error!r:.300}")) from None
    if attributes.get("schema") != SCHEMA:
        raise ValueError(
            f"trace {folder}: expected schema {SCHEMA}, got {attributes.get('schema')!r:.50}; open it with the "
            f"umapinfo that wrote it ({attributes.get('version_umapinfo', 'unknown')!s:.50})"
        )
    try:
        if attributes != signed(attributes):
            raise ValueError("attributes that were changed since: they do not match their sha256")
        attributes.pop("sha256")
        check_attributes(attributes)
        for path in documents:
            if "/" not in path:
                _check_group(path, documents[path])
        columns = {path: _column(path, document) for path, document in documents.items() if "/" in path}
        _check_sizes(attributes, columns)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(damaged(folder, f"expected metadata as the schema has them, got {error!s:.300}")) from None
    return attributes, columns


def _documents(folder: Path) -> dict[str, Any]:
    """Every zarr.json by its folder's path; only plain files and folders are looked into, two levels deep."""
    documents: dict[str, Any] = {}
    pending = [""]
    while pending:
        path = pending.pop()
        file = folder / path / "zarr.json"
        status = file.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > METADATA:
            raise ValueError(f"{path}/zarr.json of {status.st_size:,} bytes")
        documents[path] = json.loads(file.read_text(encoding="utf-8"))
        if path.count("/") < 1:
            with os.scandir(folder / path) as entries:
                found = [entry for entry in entries if not entry.is_file(follow_symlinks=False)]
            for entry in found:
                if not entry.is_dir(follow_symlinks=False):
                    raise ValueError(f"{path}/{entry.name}, neither a file nor a folder")
                pending.append(f"{path}/{entry.name}".lstrip("/"))
    return documents


def _check_group(path: str, document: Mapping[str, Any]) -> None:
    """ValueError unless a group's zarr.json says that it is one and no more; only the root has attributes.

    Exactly so: of a root of another format, zarr reads arrays from other files than those that were checked.
    """
    # `zarr.consolidate_metadata` copies the arrays' metadata to the root, and nobody reads them there
    ignored = ("attributes", "consolidated_metadata") if path == "" else ()
    given = {key: value for key, value in document.items() if key not in ignored}
    expected = {"zarr_format": 3, "node_type": "group"} | ({} if path == "" else {"attributes": {}})
    if not _same(given, expected):
        raise ValueError(f"{path or 'the root'} declared as {given}, expected {expected}")


def _same(given: Any, expected: Any) -> bool:
    """Whether two documents are one as JSON, where True is not 1 and 3.0 not 3."""
    return json.dumps(given, sort_keys=True) == json.dumps(expected, sort_keys=True)


def _column(path: str, document: Mapping[str, Any]) -> Column:
    """The column that an array's zarr.json declares; any error if it is not one that a trace has."""
    said = document["attributes"]
    if not all(isinstance(said[key], SAID[key]) for key in said):
        raise ValueError(f"attributes {said!r} of {path}")
    shape = tuple(document["shape"])
    if not all(type(size) is int and 0 <= size < 2**48 for size in shape):
        raise ValueError(f"shape {document['shape']!r} of {path}")
    dims, dtype = tuple(document["dimension_names"]), DTYPES[document["data_type"]]
    row = _variable(path, dims, said)
    if len(dims) != len(shape) or dims != row.dims or (row.dtype and dtype != row.dtype):
        raise ValueError(f"{path} with the dims {dims} and dtype {dtype}, expected {row.dims} {row.dtype}")
    column = Column(row, shape, dtype, said["source"], _categories(said))
    _check_storage(path, column, document)
    return column


def _variable(path: str, dims: tuple[str, ...], said: Mapping[str, str]) -> Variable:
    group, name = path.split("/")
    if name in VARIABLES and VARIABLES[name].group == group:
        return VARIABLES[name]
    if name == "epoch":
        return EPOCH._replace(group=group)
    if (group, dims[0]) not in (("observed", "epoch"), ("checkpoints", "checkpoint")):
        raise ValueError(f"{path}, of which the schema knows nothing")
    if dims[1:] not in ((), ("vertex",), ("kept_entry",), tuple(f"{name}_{axis}" for axis in range(len(dims) - 1))):
        raise ValueError(f"{path} with the dims {dims}")
    return Variable(group, dims, "", said["long_name"], said["units"])


def _categories(said: Mapping[str, Any]) -> tuple[str, ...] | None:
    if "categories" not in said:
        return None
    if not all(isinstance(text, str) for text in said["categories"]):
        raise ValueError("categories that are no text")
    return tuple(said["categories"])


def _check_storage(path: str, column: Column, document: Mapping[str, Any]) -> None:
    """ValueError unless an array's zarr.json is as this package writes it: plain bytes and a checksum, nothing else."""
    fill = "NaN" if column.dtype.kind == "f" else fill_value(column.dtype)
    expected = {
        **document,  # shape, dimension_names, data_type and attributes: checked above
        "zarr_format": 3,
        "node_type": "array",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk_shape(column)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
        "fill_value": fill,
        "storage_transformers": [],
    }
    codecs = [{key: codec[key] for key in codec if codec[key] != {}} for codec in document["codecs"]]
    if column.dtype.itemsize == 1 and codecs[0] == {"name": "bytes"}:  # of single bytes there is no order
        codecs[0] = expected["codecs"][0]
    given = {"storage_transformers": [], **document, "codecs": codecs}
    if set(document) - DECLARED or not _same(given, expected):
        raise ValueError(f"{path} stored as {given}, expected {expected}")


def _check_sizes(attributes: Mapping[str, Any], columns: Columns) -> None:
    """ValueError unless all needed arrays are there and every dimension has one size."""
    missing = [path for path in REQUIRED if path not in columns]
    if missing:
        raise ValueError(f"no {', '.join(missing)}")
    n = attributes["n_vertices"]
    sizes = {"vertex": n, "vertex_bound": n + 1}
    for path, column in columns.items():
        for dim, size in zip(column.variable.dims, column.shape, strict=True):
            # A dimension of a user's own variable is that one's alone, <variable>_<axis>, in each of two groups
            if sizes.setdefault(dim if dim in SHARED else f"{path} {dim}", size) != size:
                raise ValueError(f"{path} with {size} places along {dim}, others have {sizes[dim]}")
    counted = all(1 <= sizes[dim] <= EPOCHS for dim in ("epoch", "checkpoint"))
    if not counted or sizes["stream"] not in (0, n) or sizes["axis"] < 1 or sizes["word"] != 3:
        raise ValueError(f"sizes {sizes}")


def check_chunks(folder: Path, columns: Columns, verify: bool) -> int:
    """The number of recorded epochs that are done; ValueError unless the chunks of all that is done are there."""
    n_done = _n_done(folder, columns)
    n_rows = rows_done(folder, columns, n_done)
    for path, column in columns.items():
        rows = None if column.source == GIVEN else n_rows.get(column.variable.dims[0])
        for chunk in range(n_chunks(column, rows)):
            check_chunk(folder, path, column, chunk)
            if verify or path.split("/")[1] in ("epoch", "label"):  # those are read at once
                verify_chunk(folder, path, column, chunk)
    return n_done


def _n_done(folder: Path, columns: Columns) -> int:
    done = whole(folder, "epochs/done", columns)
    n_done = int(done.sum())
    if n_done < 1 or not done[:n_done].all():
        raise ValueError(damaged(folder, f"expected epochs done one after the other, got {done!s:.100}"))
    return n_done


def rows_done(folder: Path, columns: Columns, n_done: int) -> dict[str, int]:
    """How many places along each dimension that grows are there when n_done recorded epochs are."""
    numbers, checkpoints = (whole(folder, path, columns) for path in ("epochs/epoch", "checkpoints/checkpoint_epoch"))
    for listed in (numbers, checkpoints):
        if listed[0] != 0 or listed[-1] != numbers[-1] or not (np.diff(listed) > 0).all():
            raise ValueError(damaged(folder, f"expected epochs that rise from 0 to the last, got {listed!s:.100}"))
    last = numbers[n_done - 1]
    updates = sum(int((part <= last).sum()) for part in _parts(folder, "updates/update_epoch", columns))
    return {"epoch": n_done, "checkpoint": int((checkpoints <= last).sum()), "update": updates}


def whole(folder: Path, path: str, columns: Columns) -> NDArray[Any]:
    """A one-dimensional column, read and held against its checksums; empty if the trace has none."""
    if path not in columns:
        return np.zeros(0, VARIABLES[path.split("/")[1]].dtype)
    return np.concatenate([np.zeros(0, columns[path].dtype), *_parts(folder, path, columns)])


def _parts(folder: Path, path: str, columns: Columns) -> Iterator[NDArray[Any]]:
    """The chunks of a one-dimensional column in turn, none if the trace has no such column."""
    column = columns.get(path)
    for chunk in range(n_chunks(column) if column else 0):
        assert column is not None
        yield read_chunk(folder, path, column, chunk)[: column.shape[0] - chunk * chunk_shape(column)[0]]


def tree_of(folder: Path, attributes: Mapping[str, Any], columns: Columns, n_done: int) -> xr.DataTree:
    """The trace as far as it is done; arrays are read when they are used."""
    import xarray as xr
    from zarr.storage import LocalStore

    store = LocalStore(folder, read_only=True)
    with warnings.catch_warnings():  # a file beside the groups: of a write that was cut off, or of a file manager
        warnings.filterwarnings("ignore", message="Object at .* is not recognized as a component")
        stored = xr.open_datatree(
            store,  # type: ignore[arg-type]
            engine="zarr",
            consolidated=False,
            zarr_format=3,
            chunks=None,
            decode_cf=False,
        )
    there = {dim: slice(0, rows) for dim, rows in rows_done(folder, columns, n_done).items()}
    groups = {
        f"/{name}": stored[name].to_dataset().isel(there, missing_dims="ignore") for name in GROUPS if name in stored
    }
    return with_labels(xr.DataTree.from_dict({"/": xr.Dataset(attrs=dict(attributes))} | groups))
