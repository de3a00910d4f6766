"""The one numba decorator: how every kernel of the package is compiled, and why.

- ``cache=True``: a kernel is compiled once a machine, not once a process. A compiled kernel holds the code of
  every kernel it calls, also those of other files, while numba (0.68, ``numba/core/caching.py``) throws a
  cached kernel away only when the kernel's own file changes. So the cache is stamped with a digest of all
  sources of the package, beside numba's own stamp: any change compiles anew, nothing stale is run. And of two
  processes that compile a kernel for different types at once, numba's index names the one's file, which may
  then hold the other's code. `KernelFiles` has no index.
- ``nogil=True``: other threads (a progress bar, a notebook) go on while a kernel runs.
- ``error_model="numpy"``: x / 0 is inf or NaN, as in numpy; the check for an exception would cost a branch in
  every division of the hot loops.
- no ``fastmath``: it lets the compiler reorder sums and assume that inf and NaN do not occur. Bits would then
  depend on the machine's vector width, and +inf is a value here (the logit at distance 0).

A kernel that another one calls is compiled apart for it (`umapinfo.callees`): without a wrapper for Python, which takes
as long as a short kernel itself, and without a file, as it is part of its caller's.  And a number written in a kernel
has the type that one computed there has: for numba the 0 of ``f(x, 0)`` is a type of its own, and of any variable that
is 0 before a loop, so that it would compile f, and all that f calls, once more.  A branch on ``x is None`` is left out
for the types to which it does not apply.

Numba's functions of arrays are compiled as well, for each combination of types: np.zeros, np.ones or np.full take a
quarter of a second, and ``x[i] = y`` with an array y takes six, for the error that would name both shapes.  In kernels
of a first fit loops take most of their places.

`parallel_jit` splits `numba.prange` loops over threads as well. A kernel must give the same bits for any
number of threads: each block of the loop writes its own places, and sums run over fixed blocks in a fixed
order.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import types

from umapinfo.callees import KNOWN, CalleeCompiler, KernelCompiler

unliteral: Any = types.unliteral
Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def source_digest(folder: Path) -> bytes | None:
    """Digest of the names and contents of all Python sources under a folder.

    Parameters
    ----------
    folder : Path
        The package's folder; sub-packages count.

    Returns
    -------
    bytes or None
        SHA-256, or None if there are no sources to read (an install from a zip file, say).
    """
    digest = hashlib.sha256()
    sources = sorted(folder.rglob("*.py"))
    for source in sources:
        content = source.read_bytes()
        digest.update(f"{source.relative_to(folder).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.digest() if sources else None


_SOURCES = source_digest(Path(__file__).parent)
_PARTS = ("_cache_path", "_index_name", "_data_name", "_load_data", "_save_data", "_source_stamp", "_version")


class KernelFiles:
    """A kernel's cache: a file for each combination of types, named after it, which says what it holds.

    Takes the place of numba's ``IndexDataCacheFile``, and writes by it: a file is whole or not there.

    Parameters
    ----------
    files : IndexDataCacheFile
    """

    def __init__(self, files: Any) -> None:
        self._files = files
        self._stamp = (files._version, files._source_stamp, _SOURCES)

    def load(self, key: Any) -> Any:
        """What is kept of types and machine, or None: nothing, something of other sources, or a damaged file."""
        try:
            stamp, kept, data = self._files._load_data(self._name(key))
            return data if (stamp, kept) == (self._stamp, key) else None
        except Exception:  # what unpickling the damaged raises may be anything
            return None

    def save(self, key: Any, data: Any) -> None:
        """Keep a compiled kernel, in the place of what other sources gave; where the disk is full, do not."""
        with suppress(OSError):
            self._files._save_data(self._name(key), (self._stamp, key, data))

    def flush(self) -> None:
        """Forget all that is kept of the kernel."""
        for path in Path(self._files._cache_path).glob(f"{self._files._index_name.removesuffix('nbi')}*.nbc"):
            path.unlink(missing_ok=True)

    def _name(self, key: Any) -> str:
        return self._files._data_name(int(hashlib.sha256(repr(key).encode()).hexdigest()[:15], 16))


def _compiled(kernel: Kernel, *, parallel: bool = False, inlined: bool = False) -> Kernel:
    """Numba's dispatcher of a kernel for Python; kernels that call it are given another one."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
    options |= {"parallel": parallel, "forceinline": inlined}
    dispatcher = _dispatcher(kernel, options | {"pipeline_class": KernelCompiler})

    @cache
    def callee() -> Any:
        inner = options | {"no_cpython_wrapper": True, "pipeline_class": CalleeCompiler}
        return numba.njit(**inner)(kernel)

    def template(args: Any, kws: Any) -> Any:
        plain = tuple(map(unliteral, args)), {name: unliteral(kind) for name, kind in kws.items()}
        return callee().get_call_template(*plain)

    if KNOWN and all(hasattr(dispatcher, name) for name in ("get_call_template", "get_overload")):
        dispatcher.get_call_template = template
        dispatcher.get_overload = lambda signature: callee().get_overload(signature)
    return dispatcher


def _dispatcher(kernel: Any, options: dict[str, Any]) -> Any:
    """Numba's dispatcher of a kernel: cached under the package's stamp where there is a place for it."""
    with suppress(RuntimeError):  # neither the package's folder nor the user's cache can be written
        dispatcher: Any = numba.njit(cache=True, **options)(kernel)
        files = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
        if _SOURCES and all(hasattr(files, part) for part in _PARTS):
            dispatcher._cache._cache_file = KernelFiles(files)
            return dispatcher
    # No place, no sources to tell changes by, or a numba with other private attributes: each process compiles anew.
    return numba.njit(**options)(kernel)


def jit(kernel: Kernel) -> Kernel:
    """Compile a kernel with the package's options, on its first call with each combination of types.

    Parameters
    ----------
    kernel : callable
        Takes plain arrays, scalars and named tuples of scalars; holds loops and arithmetic.

    Returns
    -------
    callable
        The compiled kernel; ``kernel.py_func`` is the Python function.
    """
    return _compiled(kernel)


def inlined_jit(kernel: Kernel) -> Kernel:
    """Compile a kernel as `jit` does, and put it into any kernel that calls it.

    Of others LLVM decides by their size.  A call hands over each array as seven numbers or more: of some tuples of
    arrays that takes longer than a short kernel itself.

    Parameters
    ----------
    kernel : callable
        As for `jit`.

    Returns
    -------
    callable
        As of `jit`.
    """
    return _compiled(kernel, inlined=True)


def parallel_jit(kernel: Kernel) -> Kernel:
    """Compile a kernel as `jit` does, and split its `numba.prange` loops over threads.

    Parameters
    ----------
    kernel : callable
        As for `jit`. Each turn of a `numba.prange` loop writes places of its own; a sum over turns is not
        left to numba, whose order depends on the number of threads, but added up over fixed blocks.

    Returns
    -------
    callable
        The compiled kernel; ``kernel.py_func`` is the Python function.
    """
    return _compiled(kernel, parallel=True)
