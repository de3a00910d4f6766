"""How much memory is free, and the refusal of what is forecast to take more: before anything is run or written."""

import math
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from umapinfo import Descent, Recording, embed, fit_curve, fuzzy_graph, memory, neighbors, open_trace, resume, run
from umapinfo.core.checks import checked_data
from umapinfo.memory import Stage, check_memory, free_bytes, peak
from umapinfo.trace import record

N, K = 60, 8
X = np.random.default_rng(0).normal(size=(N, 3))


@pytest.fixture
def available(monkeypatch, tmp_path):
    """A function that says how much memory the system has; there are no control groups, and nothing is overruled."""
    monkeypatch.delenv(memory.VARIABLE, raising=False)
    monkeypatch.setattr(memory, "MEMBERSHIP", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "groups")

    def system(n_bytes):
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=n_bytes))

    system(10**12)
    return system


def group(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")


# ---- how much is free --------------------------------------------------------------------------------


def test_free__is_what_the_system_calls_available_where_there_are_no_groups(available):
    available(123)
    assert free_bytes() == 123


def test_free__is_known_of_this_machine():
    assert 0 < free_bytes() <= psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("line", "folder", "names"),
    [
        ("0::/job/step", "job/step", ("memory.max", "memory.current", "inactive_file")),
        (
            "4:memory:/job/step",
            "memory/job/step",
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ),
        (
            "4:cpu,memory:/job/step",
            "memory/job/step",
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ),
    ],
)
def test_free__is_what_a_control_groups_limit_leaves(available, tmp_path, line, folder, names):
    limit, used, cached = names
    memory.MEMBERSHIP.write_text(f"3:cpuset:/\n{line}\n")
    group(memory.GROUPS / folder, {limit: 5000, used: 3000})
    assert free_bytes() == 2000
    # Cached files are given back when memory is asked for
    group(memory.GROUPS / folder, {"memory.stat": f"anon 100\n{cached} 700\nfile 900"})
    assert free_bytes() == 2700
    # The limit of a group above holds too
    group((memory.GROUPS / folder).parent, {limit: 9000, used: 8900})
    assert free_bytes() == 100
    group((memory.GROUPS / folder).parent, {limit: 9000, used: 9500})
    assert free_bytes() == 0
    available(50)
    group((memory.GROUPS / folder).parent, {limit: 9000, used: 100})
    assert free_bytes() == 50


@pytest.mark.parametrize("files", [{}, {"memory.max": "max", "memory.current": 3000}])
def test_free__is_the_systems_where_a_group_has_no_limit_or_cannot_be_seen(available, files):
    memory.MEMBERSHIP.write_text("0::/job\n")
    group(memory.GROUPS / "job", files)
    available(777)
    assert free_bytes() == 777


@pytest.mark.parametrize(("told", "n_bytes"), [("2.5", 2.5e6), ("0", 0), ("inf", math.inf)])
def test_free__is_what_the_variable_says(available, monkeypatch, told, n_bytes):
    monkeypatch.setenv(memory.VARIABLE, told)
    available(5)
    assert free_bytes() == n_bytes


@pytest.mark.parametrize("told", ["many", "-1", "nan", "8 GB"])
def test_free__refuses_a_variable_that_is_no_number(available, monkeypatch, told):
    monkeypatch.setenv(memory.VARIABLE, told)
    with pytest.raises(ValueError, match="UMAPINFO_MEMORY: expected a number of MB"):
        free_bytes()


# ---- the refusal -------------------------------------------------------------------------------------


def test_check__names_all_stages_and_how_those_that_do_not_fit_take_less(available):
    stages = {
        "search": Stage(2e9, "lower k"),
        "descent": Stage(5e9, "lower n"),
        "trace": Stage(3e9, "lower n"),
        "end": Stage(1e9, "sleep"),
    }
    available(2_000_000_000)
    with pytest.raises(MemoryError) as caught:
        check_memory(stages)
    assert str(caught.value) == (
        "memory: expected 5,000 MB to be free (search 2,000, descent 5,000, trace 3,000, end 1,000), got 2,000 MB; "
        "lower n, or set UMAPINFO_MEMORY to the MB that may be taken, or to inf"
    )
    available(5_000_000_000)
    check_memory(stages)
    assert peak(stages) == 5e9


@pytest.fixture
def graph():
    return fuzzy_graph(neighbors(X, K))


def start():
    return np.random.default_rng(1).uniform(0, 10, (N, 2))


def test_run__is_refused_before_anything_is_run_or_written(available, graph, tmp_path, monkeypatch):
    monkeypatch.setattr(record, "descend", lambda *given: pytest.fail("it ran"))
    available(1000)
    for path in (None, tmp_path / "a.zarr"):
        recording = Recording(updates=[3])
        with pytest.raises(
            MemoryError, match=r"expected .* MB to be free \(descent .*, recorded epochs .*\), got 0 MB"
        ):
            run(graph, fit_curve(), Descent(n_epochs=5), start(), recording, path=path, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_embed__is_refused_before_the_search(available, tmp_path, monkeypatch):
    module = import_module("umapinfo.embed")  # the package has the function under this name
    monkeypatch.setattr(module, "neighbors", lambda *given, **named: pytest.fail("it searched"))
    available(1_000_000)  # enough for X itself
    for path in (None, tmp_path / "a.zarr"):
        with pytest.raises(MemoryError, match=r"\(neighbors .*, graph .*, start .*, descent .*, recorded epochs .*\)"):
            embed(X, K, n_epochs=5, path=path, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_neighbors__are_refused_before_the_search(available, monkeypatch):
    monkeypatch.setattr("umapinfo.core.neighbors.exact_search", lambda *given: pytest.fail("it searched"))
    available(20_000)
    with pytest.raises(MemoryError, match=r"\(neighbors 0\), got 0 MB; lower n_neighbors, or give fewer features"):
        neighbors(X, K)


def test_data__are_refused_before_they_are_copied(available):
    available(N * 3 * 8)
    assert checked_data(X) is X  # nothing is copied, and what is finite takes less
    with pytest.raises(MemoryError, match="X in float64"):
        checked_data(X.astype(np.float32))
    available(8 * 40 * 40)
    with pytest.raises(MemoryError, match="symmetry of precomputed distances"):
        neighbors(np.abs(X[:40, :1] - X[:40, 0]), K, metric="precomputed")


def recorded(graph, path):
    return run(graph, fit_curve(), Descent(n_epochs=6), start(), Recording(3, 3), path=path, progress=False)


def files(path):
    return {file: file.read_bytes() for file in path.rglob("*") if file.is_file() and file.name != "lock"}


def test_resume__is_refused_and_leaves_the_trace_as_it_was(available, graph, tmp_path, monkeypatch):
    whole, path = tmp_path / "whole.zarr", tmp_path / "cut.zarr"
    recorded(graph, whole)

    def cut_off(self, epoch, state, table, take=record.Recorder.take):
        if epoch.number == 5:
            raise KeyboardInterrupt
        take(self, epoch, state, table)

    with monkeypatch.context() as patch:
        patch.setattr(record.Recorder, "take", cut_off)
        with pytest.raises(KeyboardInterrupt):
            recorded(graph, path)
    before = files(path)
    available(1000)
    with pytest.raises(MemoryError, match=r"\(descent .*, recorded epochs .*\), got 0 MB"):
        resume(path, progress=False)
    assert files(path) == before
    monkeypatch.setenv(memory.VARIABLE, "inf")
    resumed = resume(path, progress=False)
    np.testing.assert_array_equal(resumed["layouts"]["Y"], open_trace(whole)["layouts"]["Y"])


def test_the_variable__lets_a_run_go_on_regardless(available, graph, monkeypatch):
    available(0)
    monkeypatch.setenv(memory.VARIABLE, "inf")
    embed(X, K, n_epochs=3, progress=False)
