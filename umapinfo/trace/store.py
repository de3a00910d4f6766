"""A trace on disk: a folder in the Zarr 3 format, whole from the start, written a chunk at a time.

Every array is allocated when the store is made and never resized; zarr writes the metadata and reads the arrays, the
chunks are written by `umapinfo.trace.chunks`.  A store is filled beside its place and moved there when epoch 0 is in
it, so that a path holds a whole trace or nothing.
"""

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from umapinfo.trace.chunks import (
    chunk_bytes,
    chunk_name,
    chunk_shape,
    encoded,
    fill_value,
    n_chunks,
    read_chunk,
    write_file,
)
from umapinfo.trace.table import Columns

METADATA = 2**26  # most bytes of one zarr.json
LOCK = Path("epochs", "done", "lock")  # inside an array, where neither zarr nor xarray looks for members


def checked_path(path: Any) -> Path:
    """A path at which a new trace can be made.

    Raises
    ------
    TypeError, ValueError
        Not a path of this file system.
    FileExistsError, FileNotFoundError, NotADirectoryError
        Something is there already; the folder that it is to lie in is none.
    """
    target = local_path(path)
    with suppress(FileNotFoundError, NotADirectoryError):
        os.lstat(target)  # OSError of a name that is too long, before anything is run
        raise FileExistsError(f"path: expected a new one, but {target} exists; remove it, resume it or name another")
    if not target.parent.exists():
        raise FileNotFoundError(f"path: expected a folder to write in, but {target.parent} does not exist; make it")
    if not target.parent.is_dir():
        raise NotADirectoryError(f"path: expected a folder to write in, but {target.parent} is a file; name another")
    return target


def local_path(path: Any) -> Path:
    """The absolute path that a string or os.PathLike names."""
    if not isinstance(path, str | os.PathLike) or isinstance(os.fspath(path), bytes):
        raise TypeError(f"path: expected a string or a pathlib.Path, got {type(path).__name__}")
    if "://" in str(path) or "\0" in str(path) or not str(path):
        raise ValueError(f"path: expected one of this file system, got {str(path)!r}; name a folder, runs/a.zarr say")
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError as error:  # ~somebody, of whom the system knows nothing
        raise ValueError(f"path: expected one of this file system, got {str(path)!r}: {error}") from None


def size_on_disk(columns: Columns) -> int:
    """Bytes of all chunks of a store; its metadata, about 600 bytes an array, come on top."""
    return sum(n_chunks(column) * chunk_bytes(column) for column in columns.values())


class Store:
    """A trace on disk, to write to.  A context: it gives up the lock, and what was never published, when left."""

    def __init__(self, folder: Path, columns: Columns) -> None:
        self.folder, self.columns = folder, columns
        self._target: Path | None = None
        self._lock: Any = None

    @classmethod
    def create(cls, target: Path, columns: Columns, attributes: Mapping[str, Any]) -> "Store":
        """A new store beside its place; `publish` moves it there.

        Raises
        ------
        OSError
            The disk has no room for it, or may not be written to.
        """
        _check_room(target, columns)
        store = cls(target.parent / f".umapinfo-{uuid.uuid4().hex}.partial", columns)
        store._target = target
        store.folder.mkdir()
        try:
            _write_metadata(store.folder, columns, attributes)
        except BaseException:
            shutil.rmtree(store.folder, ignore_errors=True)
            raise
        return store

    def publish(self) -> None:
        """Move the store to its place, and take its lock."""
        assert self._target is not None
        try:
            if os.path.lexists(self._target):
                raise FileExistsError
            self.folder.rename(self._target)
        except OSError as error:
            if error.errno in (None, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise FileExistsError(
                    f"path: expected a new one, but {self._target} was made meanwhile; name another"
                ) from None
            raise
        self.folder, self._target = self._target, None
        self.lock()

    def lock(self) -> None:
        """Take the store for this process alone; RuntimeError if another one writes to it."""
        from filelock import FileLock, Timeout

        self._lock = FileLock(self.folder / LOCK)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            self._lock = None
            raise RuntimeError(
                f"trace {self.folder}: expected to be the only one that writes it, but another process does; "
                "open_trace shows how far it is"
            ) from None

    def write(self, path: str, rows: NDArray[Any], first: int = 0) -> None:
        """Write rows first ... first + len(rows) - 1 of a column.

        Raises
        ------
        OSError
            The disk is full, say; the chunk is then as it was before.
        """
        try:
            self._write(path, rows, first)
        except OSError as error:
            left = "nothing is left" if self._target else "what is there is whole up to its last epoch done: resume it"
            raise OSError(
                error.errno, f"trace: could not write {path} ({error.strerror}); {left}", str(self.folder)
            ) from error

    def _write(self, path: str, rows: NDArray[Any], first: int) -> None:
        column = self.columns[path]
        length, end = chunk_shape(column)[0], first + len(rows)
        if rows.size == 0:
            return
        for chunk in range(first // length, -(-end // length)):
            low = chunk * length
            a, b = max(first, low), min(end, low + length)
            whole = rows[a - first : b - first]
            if b - a < length:
                whole = self._chunk_so_far(path, chunk)
                whole[a - low : b - low] = rows[a - first : b - first]
            write_file(self.folder / path / chunk_name(column, chunk), encoded(whole))

    def _chunk_so_far(self, path: str, chunk: int) -> NDArray[Any]:
        column = self.columns[path]
        if (self.folder / path / chunk_name(column, chunk)).exists():
            return read_chunk(self.folder, path, column, chunk).copy()
        return np.full(chunk_shape(column), fill_value(column.dtype), column.dtype)

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.release()
        if self._target is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def _write_metadata(folder: Path, columns: Columns, attributes: Mapping[str, Any]) -> None:
    import zarr
    from zarr.codecs import BytesCodec, Crc32cCodec
    from zarr.storage import LocalStore

    root = zarr.create_group(LocalStore(folder), zarr_format=3, attributes=signed(attributes), overwrite=True)
    for path, column in columns.items():
        root.create_array(
            path,
            shape=column.shape,
            chunks=chunk_shape(column),
            dtype=column.dtype,
            dimension_names=column.variable.dims,
            attributes=column.attributes,
            fill_value=fill_value(column.dtype),
            serializer=BytesCodec(endian="little"),
            compressors=[Crc32cCodec()],
            filters=[],
            chunk_key_encoding={"name": "default", "separator": "."},
        )
    largest = max(folder.rglob("zarr.json"), key=lambda file: file.stat().st_size)
    if largest.stat().st_size > METADATA:
        raise ValueError(
            f"attrs and labels: expected up to {METADATA:,} bytes of text, got {largest.stat().st_size:,}; "
            "give labels as numbers"
        )


def signed(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes with their SHA-256 beside them, so that a change by another hand shows."""
    plain = {name: value for name, value in attributes.items() if name != "sha256"}
    return plain | {"sha256": hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()}


def change_attributes(folder: Path, attributes: Mapping[str, Any]) -> None:
    """Set some of a store's attributes."""
    file = folder / "zarr.json"
    metadata = json.loads(file.read_text(encoding="utf-8"))
    metadata["attributes"] = signed(metadata["attributes"] | attributes)
    write_file(file, json.dumps(metadata, indent=2).encode())


def _check_room(target: Path, columns: Columns) -> None:
    """OSError unless the forecast size is free on the disk."""
    needed, free = size_on_disk(columns), shutil.disk_usage(target.parent).free
    if needed > free:
        raise OSError(
            errno.ENOSPC,
            f"path: expected {needed / 1e6:,.1f} MB of room for the trace, got {free / 1e6:,.1f} MB free; record "
            "fewer epochs, checkpoints or updates, or name another disk",
            str(target),
        )
