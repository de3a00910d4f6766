"""The decorator: right results, no stale code from the cache, no cache where there is no place for one."""

import os
import shutil
import subprocess
import sys

import numba
import numpy as np
import pytest
from numba.core.caching import CacheImpl

from umapinfo import jit as module
from umapinfo.jit import jit, parallel_jit, source_digest


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


def run_in_package(folder):
    """Outer's result for 1.0 and the number of kernels it found in the cache, from a new process."""
    code = "from package.outer import outer; print(outer(1.0), sum(outer.stats.cache_hits.values()))"
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    result, hits = done.stdout.split()
    return float(result), int(hits)


def test_cache__forgets_a_kernel_when_another_file_that_it_calls_changes(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copy(module.__file__, package / "jit.py")
    (package / "outer.py").write_text(
        "from package.jit import jit\nfrom package.inner import inner\n\n\n@jit\ndef outer(x):\n    return inner(x)\n"
    )
    inner = "from package.jit import jit\n\n\n@jit\ndef inner(x):\n    return x + {}\n"
    (package / "inner.py").write_text(inner.format(1.0))
    assert run_in_package(tmp_path) == (2.0, 0)
    assert run_in_package(tmp_path) == (2.0, 1)
    # numba's own stamp is that of outer.py, which stays: on its own it would run the old code here
    (package / "inner.py").write_text(inner.format(2.0))
    assert run_in_package(tmp_path) == (3.0, 0)


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
