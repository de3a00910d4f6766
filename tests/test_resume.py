"""Traces of runs that were cut off: they open, and resumed they hold the bits of an unbroken run.

"Bits" are those of every file of the store but its lock.  `store_runs` does runs in processes of their own.
"""

import errno
import json
import re
import shutil
import signal

import numpy as np
import pytest
import store_runs as runs
from hypothesis import given, settings
from hypothesis import strategies as st

import umapinfo
from umapinfo import Curve, Descent, Recording, fuzzy_graph, neighbors, open_trace, replay, run, summary
from umapinfo.core import LAW
from umapinfo.measures import LossObserver
from umapinfo.pairs import sums
from umapinfo.trace import again, store, tree

CASES = list(runs.CASES)
RECORDED = sorted({0, *runs.PLAN["epochs"], runs.T})


@pytest.fixture(autouse=True)
def no_hang():
    with runs.alarm(900):  # a hang lasts for ever, and a machine with other work takes ten times as long
        yield


class Whole:
    """An unbroken run on disk, how many files it wrote, and how many of them before it was moved to its place."""

    def __init__(self, case, folder):
        self.case, self.path, self.writes = case, folder / f"{case}.zarr", []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "write_file", lambda file, data: self._write(file, data))
            self.trace = runs.record(case, self.path).load()
        self.files = runs.files(self.path)
        self.n_writes = len(self.writes)
        self.n_staged = sum(file.parents[2] != self.path for file in self.writes)

    def _write(self, file, data, write=store.write_file):
        self.writes.append(file)
        write(file, data)


@pytest.fixture(scope="module")
def wholes(tmp_path_factory):
    return {case: Whole(case, tmp_path_factory.mktemp("whole")) for case in CASES}


@pytest.fixture(params=CASES)
def whole(request, wholes):
    return wholes[request.param]


def check_cut_off(path, whole):
    """The trace of a run that was cut off opens, each chunk as it was written, and shows the first epochs."""
    trace = open_trace(path, verify=True)
    assert runs.is_prefix(trace, whole.trace)
    return trace


def check_whole(path, whole):
    """The store has the bytes of an unbroken run's: no file more, none less."""
    found = runs.files(path)
    assert found.keys() == whole.files.keys()
    assert [name for name in found if found[name] != whole.files[name]] == []


# ---- killed --------------------------------------------------------------------------------------


def test_run_killed_at_30_moments__opens_and_resumes_to_the_bits_of_an_unbroken_run(wholes, tmp_path):
    """Of two runs, each in 9 writes from the first of epoch 1 to the last of all, and in and between epochs."""
    jobs = []
    for whole in wholes.values():
        moments = [["step", 1], ["inside", 1], ["inside", 11], ["step", 18], ["inside", runs.T], ["step", runs.T]]
        for place, number in enumerate(np.linspace(whole.n_staged, whole.n_writes - 1, 8).astype(int).tolist()):
            moments.append([("half", "replaced", "written")[place % 3], number])
        moments.append(["half", whole.n_writes - 1])
        for die in moments:
            jobs.append({"case": whole.case, "path": str(tmp_path / f"{len(jobs)}.zarr"), "die": die})
    assert len(jobs) == 30
    assert runs.do_jobs(*jobs) == [-signal.SIGKILL] * 30
    n_done = {case: set() for case in CASES}
    for job in jobs:
        trace = check_cut_off(job["path"], wholes[job["case"]])
        n_done[job["case"]].add(trace["epochs"].sizes["epoch"])
    assert all({1, len(RECORDED) - 1, len(RECORDED)} <= found for found in n_done.values())
    assert runs.do_jobs(*({"path": job["path"], "resume": True} for job in jobs)) == [0] * 30
    for job in jobs:
        check_whole(job["path"], wholes[job["case"]])


def test_run_killed_before_epoch_0_is_kept__leaves_nothing_at_the_path(wholes, tmp_path):
    n_staged = wholes["counter"].n_staged
    moments = [["half", 0], ["written", n_staged // 2], ["replaced", n_staged - 1], ["publish", 0]]
    jobs = [{"case": "counter", "path": str(tmp_path / f"{i}.zarr"), "die": die} for i, die in enumerate(moments)]
    assert runs.do_jobs(*jobs) == [-signal.SIGKILL] * len(jobs)
    left = [path.name for path in tmp_path.iterdir()]
    assert len(left) == len(jobs)
    assert all(name.startswith(".umapinfo-") and name.endswith(".partial") for name in left)
    for job in jobs:
        with pytest.raises(FileNotFoundError, match="there is nothing at "):
            umapinfo.resume(job["path"])


def test_run_killed_as_soon_as_its_trace_is_there__resumes_from_the_start(whole, tmp_path):
    path = tmp_path / "a.zarr"
    code, _, err = runs.finish(runs.start_process({"case": whole.case, "path": path, "die": ["lock", 0]}))
    assert code == -signal.SIGKILL, err
    assert check_cut_off(path, whole)["epochs"]["epoch"].values.tolist() == [0]
    runs.resume(path)
    check_whole(path, whole)


def test_run_killed_at_any_moment_and_again_when_resumed__ends_with_the_same_bits(wholes, tmp_path):
    path, rng, whole = tmp_path / "a.zarr", np.random.default_rng(0), wholes["umap"]
    shown = 1
    for kind in ({"case": "umap"}, {"resume": True}, {"resume": True}):
        process = runs.start_process(kind | {"path": path, "tell": True})
        for _ in range(rng.integers(1, 9)):  # it does not wait for anybody to read how far it is
            process.stdout.readline()
        process.kill()
        code, _, err = runs.finish(process)
        assert code in (0, -signal.SIGKILL), err
        n_done = check_cut_off(path, whole)["epochs"].sizes["epoch"]
        assert n_done >= shown
        shown = n_done
    runs.resume(path)
    check_whole(path, whole)


def test_interrupt__leaves_a_trace_to_resume(wholes, tmp_path):
    path = tmp_path / "a.zarr"
    process = runs.start_process({"case": "counter", "path": path, "wait": "epoch"})
    for number in range(1, 12):
        assert process.stdout.readline() == f"{number}\n"
        if number < 11:
            process.stdin.write(".")
            process.stdin.flush()
    process.send_signal(signal.SIGINT)
    code, _, err = runs.finish(process)
    assert code == -signal.SIGINT
    assert "KeyboardInterrupt" in err
    assert check_cut_off(path, wholes["counter"])["epochs"]["epoch"].values[-1] == 10
    assert [file.name for file in tmp_path.rglob("*.partial")] == []
    runs.resume(path)
    check_whole(path, wholes["counter"])


# ---- cut off in place ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "error"), [(1, runs.Stopped), (4, KeyboardInterrupt), (17, ValueError), (runs.T, KeyboardInterrupt)]
)
def test_observer_that_raises__leaves_a_trace_to_resume(whole, tmp_path, at, error):
    path = runs.cut(tmp_path / "a.zarr", at, whole.case, error)
    trace = check_cut_off(path, whole)
    assert trace["epochs"]["epoch"].values.tolist() == [number for number in RECORDED if number < at]
    assert trace.attrs["n_epochs"] == runs.T
    assert runs.same(runs.resume(path), whole.trace)
    check_whole(path, whole)


@settings(max_examples=8)
@given(data=st.data())
def test_resume__gives_the_bits_of_an_unbroken_run_of_any_plan(data, tmp_path_factory):
    n_epochs = data.draw(st.integers(1, 12), "n_epochs")
    numbers = st.lists(st.integers(0, n_epochs), max_size=5)
    plan = {name: data.draw(numbers, name) for name in ("epochs", "checkpoints", "updates")}
    case, at = data.draw(st.sampled_from(CASES), "case"), data.draw(st.integers(1, n_epochs), "at")
    told = {"plan": plan, "n_epochs": n_epochs, "observers": runs.own(), "labels": ["a", "ü b", ""] * (runs.N // 3)}
    folder = tmp_path_factory.mktemp("any")
    unbroken, in_memory = runs.record(case, folder / "b.zarr", **told), runs.record(case, **told)
    path = runs.cut(folder / "a.zarr", at, case, **told)
    assert runs.is_prefix(open_trace(path, verify=True), in_memory)
    assert runs.same(runs.resume(path), in_memory)
    assert runs.same(unbroken, in_memory)
    assert runs.files(path) == runs.files(folder / "b.zarr")


def test_replay_and_summary__work_on_a_trace_that_was_cut_off(whole, tmp_path):
    trace = open_trace(runs.cut(tmp_path / "a.zarr", 10, whole.case))
    assert f"9 of {runs.T} epochs" in summary(trace)
    for number in range(runs.T + 1):  # also those that the run never came to
        mine, its = replay(trace, number), replay(whole.trace, number)
        assert mine.Y.tobytes() == its.Y.tobytes()
        assert mine.updates.tobytes() == its.updates.tobytes()
        assert mine.delta.tobytes() == its.delta.tobytes()


def test_resume__of_a_whole_trace_changes_nothing(whole):
    before = {path: path.stat().st_mtime_ns for path in whole.path.rglob("*") if path.name not in ("lock", "done")}
    assert runs.same(runs.resume(whole.path), whole.trace)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    check_whole(whole.path, whole)


# ---- a full disk ---------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 13])
def test_write_that_fails__leaves_a_trace_to_resume(wholes, tmp_path, at):
    path = tmp_path / "a.zarr"
    code, _, err = runs.finish(runs.start_process({"case": "counter", "path": path, "limit": at}))
    assert code == 1
    said = r"could not write .* \(File too large\); what is there is whole up to its last epoch done: resume it"
    assert re.search(said, err), err
    assert str(path) in err
    trace = check_cut_off(path, wholes["counter"])
    assert trace["epochs"]["epoch"].values.tolist() == [number for number in RECORDED if number < at]
    assert [file.name for file in tmp_path.rglob("*.partial")] == []
    runs.resume(path)
    check_whole(path, wholes["counter"])


def test_disk_that_is_full_or_read_only__leaves_a_trace_to_resume(wholes, tmp_path):
    unshare = shutil.which("unshare")
    if unshare is None or runs.subprocess.run([unshare, "-rm", "true"], capture_output=True).returncode:
        pytest.skip("this system makes no mount namespaces")
    # In pages of 4 KiB, in which a small file takes more room than its bytes, which are all that is forecast
    size = 4096 * sum(-(-len(data) // 4096) for data in wholes["counter"].files.values()) - 12 * 4096
    code, out, err = runs.finish(runs.start_process({"disk": tmp_path, "size": size}, before=[unshare, "-rm"]))
    assert code == 0, err
    told = json.loads(out)
    if "no tmpfs" in told:
        pytest.skip(f"this system mounts no tmpfs: {told['no tmpfs']}")
    for name in ("full", "still full"):
        assert told[name][0] == errno.ENOSPC, told[name]
        assert "No space left on device" in told[name][1]
        assert "resume it" in told[name][1]
    assert told["shown"] == RECORDED[: len(told["shown"])] != RECORDED
    assert told["still shown"][: len(told["shown"])] == told["shown"]
    assert told["room"] is None
    assert told["left"] == ["a.zarr"]
    assert told["epochs"] == RECORDED
    assert {name: bytes.fromhex(data) for name, data in told["bytes"].items()} == wholes["counter"].files
    for name in ("read-only", "resumed"):
        assert told[name][0] == errno.EROFS, told[name]


# ---- several at once -----------------------------------------------------------------------------


def test_trace_that_grows__shows_others_all_epochs_done_and_each_as_it_will_be(wholes, tmp_path):
    path, whole, shown = tmp_path / "a.zarr", wholes["counter"], 0
    process = runs.start_process({"case": "counter", "path": path, "wait": "epoch"})
    for number in range(1, 12):
        assert process.stdout.readline() == f"{number}\n"
        trace = check_cut_off(path, whole)
        assert trace["epochs"]["epoch"].values.tolist() == [at for at in RECORDED if at < number]
        process.stdin.write(".")
        process.stdin.flush()
    process.stdin.close()  # from here on it does not wait
    while process.poll() is None:
        n_done = check_cut_off(path, whole)["epochs"].sizes["epoch"]
        assert n_done >= shown
        shown = n_done
    process.stdin = None
    assert runs.finish(process)[0] == 0
    check_whole(path, whole)


def test_trace_that_is_written__is_not_resumed_by_another(wholes, tmp_path):
    path = tmp_path / "a.zarr"
    for kind in ({"case": "counter"}, {"resume": True}):
        process = runs.start_process(kind | {"path": path, "wait": "epoch"})
        assert process.stdout.readline(), process.stderr.read()
        before = runs.files(path)
        with pytest.raises(RuntimeError, match=r"trace .*a\.zarr: expected to be the only one that writes it"):
            runs.resume(path)
        assert runs.files(path) == before
        if "case" in kind:
            process.kill()
        code, _, err = runs.finish(process)
        assert code == (-signal.SIGKILL if "case" in kind else 0), err
    check_whole(path, wholes["counter"])


def test_two_runs_to_one_path__leave_the_trace_of_one(wholes, tmp_path):
    path = tmp_path / "a.zarr"
    both = [runs.start_process({"case": case, "path": path, "wait": "publish"}) for case in CASES]
    for process in both:
        assert process.stdout.readline() == "publish\n"
    for process in both:
        process.stdin.write(".")
        process.stdin.flush()
    ends = [runs.finish(process) for process in both]
    assert sorted(code for code, _, _ in ends) == [0, 1]
    for case, (code, _, err) in zip(CASES, ends, strict=True):
        if code:
            assert f"FileExistsError: path: expected a new one, but {path} was made meanwhile" in err
        else:
            check_whole(path, wholes[case])
    assert [left.name for left in tmp_path.iterdir()] == ["a.zarr"]


# ---- observers, law and versions -----------------------------------------------------------------


class Other(runs.Reader):
    """One of the same name with other arrays."""

    def start(self, graph, curve, descent):
        return {"longest": np.zeros(3)}


class Swapped(runs.Reader):
    """One whose array has the bytes of its numbers the other way round."""

    name = "swapped"

    def start(self, graph, curve, descent):
        return {"longest": np.zeros(2, ">f8")}

    def values(self, arrays, epoch):
        return {"swapped": arrays["longest"]}


@pytest.mark.parametrize(
    ("observers", "said"),
    [
        ([], "run, degree, binarisation, loss, path, reader, got path, reader missing; make them as for the run"),
        ([runs.Walker()], "got reader missing"),
        ([*runs.own(), Swapped()], "got swapped, which the run did not have"),
        ([runs.Walker(), Other()], r"expected 'reader' to start with the arrays .*\(2,\).* got .*\(3,\)"),
        ([runs.Walker(), *runs.own()], "observers of different names"),
        ([*runs.own(), 3], "expected observers with name, .* got 3"),
        ([*runs.own(), runs.Reader], "expected observers with name, .* pass instances"),
    ],
)
def test_resume__refuses_other_observers_and_changes_nothing(tmp_path, observers, said):
    path = runs.cut(tmp_path / "a.zarr", 12)
    before = runs.files(path)
    with pytest.raises((TypeError, ValueError), match=said):
        runs.resume(path, observers=observers)
    assert runs.files(path) == before


def test_strict_resume__makes_no_observer_of_its_own(tmp_path):
    path = runs.cut(tmp_path / "a.zarr", 12)
    with pytest.raises(ValueError, match="got binarisation, degree, loss missing"):
        again.resume(path, observers=runs.own(), progress=False)


def test_resume__takes_observers_in_any_order_and_instruments_too(wholes, tmp_path):
    path = runs.cut(tmp_path / "a.zarr", 12)
    runs.resume(path, observers=[*runs.own()[::-1], *runs.instruments()[::-1]])
    check_whole(path, wholes["counter"])


def test_resume__reads_back_arrays_of_any_byte_order(tmp_path):
    told = {"observers": [runs.Walker(), Swapped()]}
    path = runs.cut(tmp_path / "a.zarr", 12, **told)
    assert runs.same(runs.resume(path, **told), runs.record(path=tmp_path / "b.zarr", **told))
    assert runs.files(path) == runs.files(tmp_path / "b.zarr")


def test_resume__refuses_a_trace_of_another_law(tmp_path, monkeypatch):
    path = runs.cut(tmp_path / "a.zarr", 12)
    before = runs.files(path)
    monkeypatch.setattr(again, "LAW", 99)
    said = f"expected one of law 99, got law {LAW}, whose bits were others; run it again"
    with pytest.raises(ValueError, match=said):
        runs.resume(path)
    assert runs.files(path) == before
    with pytest.raises(ValueError, match="expected one of law 99"):
        replay(open_trace(path), 3)


def test_resume__says_which_versions_are_others_even_if_it_is_cut_off_again(wholes, tmp_path, monkeypatch):
    def no_room(file, data):
        if file.name != "zarr.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        write_file(file, data)

    path, write_file = runs.cut(tmp_path / "a.zarr", 12), store.write_file
    with monkeypatch.context() as patch:
        patch.setattr(tree, "version", lambda package: "9.9")
        patch.setattr(store, "write_file", no_room)
        with pytest.raises(OSError, match="could not write"):
            runs.resume(path)
        (said,) = open_trace(path).attrs["resumed"]
    assert said.startswith("after epoch 10 with ")
    assert "version_numpy 9.9, version_scipy 9.9" in said
    trace = runs.resume(path)
    assert trace.attrs["resumed"] == [said]
    assert runs.same(trace, wholes["counter"].trace, attrs=False)
    assert {name: trace.attrs[name] for name in wholes["counter"].trace.attrs} == wholes["counter"].trace.attrs


def test_embed__writes_a_trace_that_umapinfo_resumes_without_being_told_of_observers(tmp_path, monkeypatch):
    X, path = np.random.default_rng(0).normal(size=(40, 3)), tmp_path / "a.zarr"
    told = {"n_epochs": 20, "progress": False, "attrs": {"data": "a cloud"}, "labels": np.arange(40) % 3}
    in_memory = umapinfo.embed(X, 8, **told)
    values, calls = umapinfo.embed.__globals__["LossObserver"].values, []

    def stop(self, arrays, epoch):
        calls.append(epoch.number)
        if epoch.number == 13:
            raise runs.Stopped
        return values(self, arrays, epoch)

    with monkeypatch.context() as patch:
        patch.setattr(umapinfo.embed.__globals__["LossObserver"], "values", stop)
        with pytest.raises(runs.Stopped):
            umapinfo.embed(X, 8, path=path, **told)
    assert open_trace(path)["epochs"]["epoch"].values.tolist() == list(range(13))
    assert runs.same(umapinfo.resume(path, progress=False), in_memory)


def test_resume__keeps_the_tolerance_of_the_losses(tmp_path, monkeypatch):
    """It stands among the checkpointed arrays: the instrument that is made anew has the default, and takes that one."""
    monkeypatch.setattr(sums, "EXACT_UP_TO", 0)
    random = np.random.default_rng(0)
    graph = fuzzy_graph(neighbors(random.normal(size=(600, 3)), 6))
    start = random.normal(size=(600, 2)).astype(np.float32) * 5

    def told(stop):
        return {"recording": Recording(epochs=4, checkpoints=4, observers=[LossObserver(rtol=1e-4), *stop])}

    class Stop:
        name, needs_updates = "stop", False

        def start(self, graph, curve, descent):
            return {}

        def step(self, arrays, epoch):
            if epoch.number == self.at:
                raise KeyboardInterrupt

        def values(self, arrays, epoch):
            return {}

    whole, cut = Stop(), Stop()
    whole.at, cut.at = -1, 5
    settings = (graph, Curve(1.6, 0.9), Descent(n_epochs=6), start)
    expected = run(*settings, **told([whole]), path=tmp_path / "whole.zarr", progress=False)
    with pytest.raises(KeyboardInterrupt):
        run(*settings, **told([cut]), path=tmp_path / "cut.zarr", progress=False)
    found = umapinfo.resume(tmp_path / "cut.zarr", observers=[whole], progress=False)
    assert (found["checkpoints"].to_dataset()["loss_rtol"].values == 1e-4).all()
    assert (found["epochs"].to_dataset()["pair_sum_error"].values > 0).any()
    for group in ("epochs", "vertices", "layouts"):
        assert found[group].to_dataset().load().identical(expected[group].to_dataset().load())
