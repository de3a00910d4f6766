"""The decorator: right results, no stale code from the cache, no cache where there is no place for one."""

import errno
import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core.caching import CacheImpl
from numba.core.event import Listener, install_listener

from umapinfo import callees
from umapinfo import jit as module
from umapinfo.jit import inlined_jit, jit, parallel_jit, source_digest


@jit
def total(x):
    """Sum from first to last."""
    s = 0.0
    for i in range(len(x)):
        s += x[i]
    return s


@parallel_jit
def block_sums(x, out):
    """Sum of each block of 100."""
    for block in numba.prange(len(out)):
        out[block] = total(x[100 * block : 100 * block + 100])


@jit
def quotient(x, y):
    """One division."""
    return x / y


def test_jit__sums_in_the_order_written():
    # Bits: with fastmath the compiler would sum in lanes, in another order.
    x = np.random.default_rng(0).normal(size=1001)
    assert total(x) == total.py_func(x)


def test_parallel_jit__gives_the_same_bits_for_any_number_of_threads():
    x = np.random.default_rng(1).normal(size=1000)
    expected = np.array([total.py_func(x[i : i + 100]) for i in range(0, 1000, 100)])
    before = numba.get_num_threads()
    try:
        for n_threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
            numba.set_num_threads(n_threads)
            out = np.empty(10)
            block_sums(x, out)
            np.testing.assert_array_equal(out, expected)
    finally:
        numba.set_num_threads(before)


def test_jit__divides_by_zero_as_numpy_does():
    assert quotient(1.0, 0.0) == np.inf
    assert np.isnan(quotient(0.0, 0.0))


def test_source_digest__changes_with_any_source_and_with_nothing_else(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "inner" / "b.py").write_text("y = 1\n")
    before = source_digest(tmp_path)
    (tmp_path / "notes.txt").write_text("not a source\n")
    (tmp_path / "a.py").touch()
    assert source_digest(tmp_path) == before
    (tmp_path / "inner" / "b.py").write_text("y = 2\n")
    changed = source_digest(tmp_path)
    assert changed != before
    (tmp_path / "inner" / "b.py").rename(tmp_path / "inner" / "c.py")
    assert source_digest(tmp_path) not in {before, changed}
    assert source_digest(tmp_path / "nowhere") is None


@jit
def shifted(x, by):
    """A sum."""
    return x + by


class Compiled(Listener):
    """Notes the types for which a kernel is compiled."""

    def __init__(self, kernel):
        self.kernel, self.types = kernel, []

    def on_start(self, event):
        """A compilation begins."""
        if event.data["dispatcher"].py_func is self.kernel.py_func:
            self.types.append(event.data["args"])

    def on_end(self, event):
        """A compilation ends."""


def test_jit__compiles_a_kernel_once_for_all_numbers_that_kernels_give_it(monkeypatch):
    monkeypatch.setattr(module.KernelFiles, "load", lambda files, key: None)
    listener, inner = Compiled(shifted), jit(shifted.py_func)  # one that nothing has been compiled of yet

    def shifts(x):
        """Calls a kernel with numbers of three kinds: written, computed, and 0 before a loop."""
        y, by = inner(x, 0), 0
        for i in range(3):
            y = inner(inner(y, by), i)
            by += 2
        return y

    with install_listener("numba:compile", listener):
        assert jit(shifts)(1.0) == 10.0
    assert listener.types == [(numba.float64, numba.int64)]
    assert inner(1.0, 2) == 3.0  # from Python, which the callee above has no wrapper for


def test_jit__lets_kernels_call_kernels_of_a_numba_with_other_libraries(monkeypatch):
    monkeypatch.setattr(module, "KNOWN", False)
    inner = jit(shifted.py_func)
    assert jit(lambda x: inner(x, 1))(1.0) == 2.0


class ArraysCompiled(Listener):
    """Counts numba's functions of arrays that are compiled."""

    n = 0

    def on_start(self, event):
        """A compilation begins."""
        self.n += event.data["dispatcher"].py_func.__module__ == "numba.np.arrayobj"

    def on_end(self, event):
        """A compilation ends."""


def last_of(n):
    """Of an array of a type that no kernel makes elsewhere."""
    return np.full((n, 1, 1), 2.0 + 1.0j)[n - 1, 0, 0]


@pytest.mark.skipif(not callees.KNOWN, reason="a numba whose compiler is left as it is")
def test_jit__compiles_numbas_functions_of_arrays_once_for_kernels_callees_and_inlined_ones(monkeypatch):
    monkeypatch.setattr(module.KernelFiles, "load", lambda files, key: None)
    first, later = ArraysCompiled(), ArraysCompiled()
    with install_listener("numba:compile", first):
        assert jit(last_of)(3) == 2.0 + 1.0j
    plain, inlined = jit(last_of), inlined_jit(last_of)
    with install_listener("numba:compile", later):
        assert jit(lambda n: plain(n) + inlined(n))(3) == inlined_jit(last_of)(3) * 2.0
    assert first.n > 0
    assert later.n == 0


@pytest.mark.parametrize("on", [True, False])
def test_jit__leaves_the_search_for_cycles_as_it_was(on, monkeypatch):
    was, seen = gc.isenabled(), []
    monkeypatch.setattr(callees.Compiler, "compile_extra", lambda pipeline, function: seen.append(gc.isenabled()))
    (gc.enable if on else gc.disable)()
    try:
        callees.KernelCompiler.compile_extra(object.__new__(callees.KernelCompiler), None)
        assert (seen, gc.isenabled()) == ([False], on)
    finally:
        (gc.enable if was else gc.disable)()


@pytest.fixture
def package(tmp_path):
    """A package with the decorator, a kernel `outer` in one file and the kernel `inner`, which it calls, in another."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "__init__.py").touch()
    shutil.copy(callees.__file__, folder)
    (folder / "jit.py").write_text(Path(module.__file__).read_text().replace("umapinfo.", "package."))
    (folder / "outer.py").write_text(
        "from package.jit import jit\nfrom package.inner import inner\n\n\n@jit\ndef outer(x):\n    return inner(x)\n"
    )
    write_inner(folder, 1.0)
    return folder


def write_inner(package, added):
    (package / "inner.py").write_text(f"from package.jit import jit\n\n\n@jit\ndef inner(x):\n    return x + {added}\n")


def start(folder, code, **environment):
    """A new process that runs some code in a folder, with no NUMBA_CACHE_DIR unless given."""
    inherited = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, cwd=folder, env=inherited | environment, stdout=subprocess.PIPE, text=True)


def said(process):
    """The words that a process printed."""
    answer, _ = process.communicate()
    assert process.returncode == 0
    return answer.split()


OUTER = "from package.outer import outer; print(outer({}), sum(outer.stats.cache_hits.values()))"


def run_outer(package, x="1.0", **environment):
    """Outer's result and the number of kernels that it found in the cache, from a new process."""
    return said(start(package.parent, OUTER.format(x), **environment))


def test_cache__forgets_a_kernel_when_another_file_that_it_calls_changes(package):
    assert run_outer(package) == ["2.0", "0"]
    assert run_outer(package) == ["2.0", "1"]
    # numba's own stamp is that of outer.py, which stays: on its own it would run the old code here
    write_inner(package, 2.0)
    assert run_outer(package) == ["3.0", "0"]
    assert run_outer(package) == ["3.0", "1"]
    write_inner(package, 1.0)
    assert run_outer(package) == ["2.0", "0"]  # the file of these types now holds the code of the sources before


WHEN_ALL_ARE_THERE = """
import os, time
from pathlib import Path

def replace(*paths, _replace=os.replace):
    Path(f"{os.getpid()}.there").touch()
    while len(list(Path().glob("*.there"))) < 3:
        time.sleep(0.01)
    _replace(*paths)

os.replace = replace
"""


def test_cache__is_whole_after_processes_that_filled_it_at_once(package):
    # No process writes before each has seen an empty cache.  With numba's index one would be lost, or two mixed up.
    given = ("1", "1.0", "1j")
    at_once = [start(package.parent, WHEN_ALL_ARE_THERE + OUTER.format(x), PYTHONDONTWRITEBYTECODE="1") for x in given]
    assert [said(process) for process in at_once] == [["2.0", "0"], ["2.0", "0"], ["(1+1j)", "0"]]
    assert [run_outer(package, x) for x in given] == [["2.0", "1"], ["2.0", "1"], ["(1+1j)", "1"]]


def test_cache__compiles_anew_what_it_cannot_read(package):
    run_outer(package)
    for file in package.rglob("*.nbc"):
        file.write_bytes(file.read_bytes()[:100])
    assert run_outer(package) == ["2.0", "0"]
    assert run_outer(package) == ["2.0", "1"]


def test_cache__does_without_where_the_disk_is_full(monkeypatch):
    def refuse(*paths):
        raise OSError(errno.ENOSPC, "No space left on device")

    kernel = jit(total.py_func)
    monkeypatch.setattr(os, "replace", refuse)
    assert kernel(np.ones(3, np.int8)) == 3.0


def test_cache__is_the_users_where_the_package_cannot_be_written(package, tmp_path):
    # A file in the place of the folder stops root too, whom permissions do not.
    (package / "__pycache__").touch()
    for hits in ("0", "1"):
        assert run_outer(package, XDG_CACHE_HOME=str(tmp_path / "user")) == ["2.0", hits]


def test_package__works_where_nothing_can_be_written(package, tmp_path):
    (package / "__pycache__").touch()
    nowhere = str(package / "__init__.py")
    for _ in range(2):
        assert run_outer(package, XDG_CACHE_HOME=nowhere, HOME=nowhere) == ["2.0", "0"]


def test_jit__compiles_without_a_cache_where_nothing_can_be_written(monkeypatch):
    # As in an install that only root may write to, with no home folder: numba finds no place for its files.
    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="cannot cache function"):
        numba.njit(cache=True)(total.py_func)
    kernel = jit(total.py_func)
    assert kernel(np.ones(3)) == 3.0
    assert kernel.stats.cache_path is None


def test_jit__works_with_a_numba_whose_cache_has_other_attributes(monkeypatch):
    class OtherDispatcher:
        def __init__(self, kernel):
            self.__call__ = kernel
            self._cache = object()

    monkeypatch.setattr(module.numba, "njit", lambda **options: OtherDispatcher)
    assert isinstance(jit(total.py_func), OtherDispatcher)
