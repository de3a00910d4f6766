"""Small runs whose traces lie on disk, for test_store and test_resume.

As a script it does such runs in processes of their own, which kill themselves at a moment that is asked for:

    python store_runs.py '[{"path": "a.zarr", "case": "counter", "die": ["half", 7]}, ...]'

A list of jobs is forked, two at a time, before there are threads (numba's do not survive a fork), and the exit codes
are printed; a single job runs in the process itself, which others can then kill.
"""

import io
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import umapinfo
from umapinfo import Curve, Descent, Recording, open_trace, run
from umapinfo.core import sequential
from umapinfo.core.graph import graph_from_csr
from umapinfo.measures.binarisation import BinarisationObserver
from umapinfo.measures.degree import DegreeObserver
from umapinfo.measures.loss import LossObserver
from umapinfo.trace import chunks, store

ROOT = Path(__file__).parents[1]
N, T = 60, 24
CURVE = Curve(1.6, 0.9)
CASES = {
    "counter": {"streams": "counter", "push_tail": False, "seed": 3},
    "umap": {"streams": "umap", "push_tail": True, "seed": 4, "negative_sample_rate": 3.0},
}
# Checkpoints and updates are at recorded epochs and at others
PLAN = {"epochs": (1, 2, 5, 9, 10, 16, 23), "checkpoints": (3, 10, 17, 21), "updates": (0, 1, 4, 10, 22, 24)}
LOCK = "epochs/done/lock"
hooks = []  # called with the number of each epoch


class Walker:
    """An observer of one's own: arrays of several kinds that add up along the run, and a variable named like one."""

    name = "path"
    needs_updates = False

    def start(self, graph, curve, descent):
        return {
            "walked": np.zeros(graph.n_vertices),
            "length": np.zeros(5, np.float32),
            "n_seen": np.zeros((), np.int64),
            "even": np.zeros(2, bool),
            "none": np.zeros((3, 0)),
        }

    def step(self, arrays, epoch):
        for hook in hooks:
            hook(epoch.number)
        arrays["walked"] += np.sqrt(((epoch.Y - epoch.Y_before) ** 2).sum(axis=1))
        arrays["length"][epoch.number % 5] += np.abs(epoch.Y).max()
        arrays["n_seen"] += 1
        arrays["even"][:] = epoch.number % 2 == 0

    def values(self, arrays, epoch):
        return {
            "path_walked": arrays["walked"] + arrays["n_seen"],
            "path_length": arrays["length"][:3],  # three, in /observed, of the five in /checkpoints
            "even": arrays["even"],
            "größe": np.ptp(epoch.Y),
        }


class Reader:
    """One that reads the updates."""

    name, needs_updates = "reader", True

    def start(self, graph, curve, descent):
        return {"longest": np.zeros(2)}

    def step(self, arrays, epoch):
        arrays["longest"][1] += np.abs(epoch.Y).sum()

    def values(self, arrays, epoch):
        return {"n_listed": len(epoch.updates), "longest": np.abs(epoch.delta).max(initial=0.0) + arrays["longest"][1]}


def own():
    return [Walker(), Reader()]


def instruments():
    return [DegreeObserver(), BinarisationObserver(), LossObserver()]


def graph_and_start(n=N, d=2):
    """A random graph and a start."""
    rng = np.random.default_rng(0)
    P = np.triu(rng.random((n, n)) < 8 / n, 1) * rng.random((n, n))
    return graph_from_csr(P + P.T), rng.uniform(0, 10, (n, d)).astype(np.float32)


def record(case="counter", path=None, *, plan=PLAN, observers=None, n_epochs=T, **told):
    """Run a case, in memory or on disk."""
    graph, start = graph_and_start(d=3 if case == "umap" else 2)
    watching = [*(instruments() if case == "counter" else instruments()[:1]), *own()]
    recording = Recording(**plan, observers=watching if observers is None else observers)
    descent = Descent(n_epochs=n_epochs, **CASES[case])
    return run(graph, CURVE, descent, start, recording, path=path, progress=False, **told)


def resume(path, **told):
    return umapinfo.resume(path, **({"observers": own(), "progress": False} | told))


def datasets(trace):
    return {name: trace[name].to_dataset() for name in trace.children}


def same(one, other, attrs=True):
    """Whether two traces have the same groups, variables, dtypes, values and attributes."""
    a, b = datasets(one), datasets(other)
    return (
        (not attrs or one.attrs == other.attrs)
        and a.keys() == b.keys()
        and all(a[name].identical(b[name]) for name in a)
        and all(a[group][name].dtype == b[group][name].dtype for group in a for name in a[group].variables)
    )


def files(folder):
    """Bytes of each file of a store, but for the lock."""
    found = {path.relative_to(folder).as_posix(): path for path in sorted(Path(folder).rglob("*")) if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != LOCK}


def prefix(trace, n_done):
    """A whole trace as it was when n_done recorded epochs were done."""
    last = int(trace["epochs"]["epoch"][n_done - 1])
    numbers = {"checkpoint": trace["checkpoints"]["checkpoint_epoch"].values}
    numbers |= {"update": trace["updates"]["update_epoch"].values} if "updates" in trace else {}
    there = {dim: slice(0, int((values <= last).sum())) for dim, values in numbers.items()} | {
        "epoch": slice(0, n_done)
    }
    return {name: data.isel(there, missing_dims="ignore") for name, data in datasets(trace).items()}


def is_prefix(trace, whole):
    """Whether a trace shows the first recorded epochs of a whole one, bit by bit."""
    expected, found = prefix(whole, trace["epochs"].sizes["epoch"]), datasets(trace)
    return expected.keys() == found.keys() and all(found[name].identical(expected[name]) for name in expected)


def shown(path):
    """Numbers of the recorded epochs that a trace on disk shows."""
    return open_trace(path)["epochs"]["epoch"].values.tolist()


class Stopped(Exception):  # noqa: N818
    """What an observer raises in `cut`."""


def cut(path, at, case="counter", error=Stopped, **told):
    """A run that an error ends in epoch `at`; its trace lies at the path."""

    def stop(epoch):
        if epoch == at:
            raise error

    hooks.append(stop)
    try:
        record(case, path, **told)
    except error:
        pass
    finally:
        hooks.remove(stop)
    return path


@contextmanager
def alarm(seconds):
    """An error, and no hang, after so many seconds; also out of a read that waits.

    They are counted one by one: a process that was stopped, or whose machine slept, has not hung meanwhile.
    """
    left = iter(range(seconds - 1))

    def ring(*_):
        if next(left, None) is None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise AssertionError(f"nothing happened for {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# ---- processes of their own ----------------------------------------------------------------------


def start_process(*jobs, before=()):
    """A new process that does the jobs; its last line of output says how they ended."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    command = [*before, sys.executable, "-W", "ignore", __file__, json.dumps(jobs, default=str)]
    return subprocess.Popen(command, env=environment, text=True, **pipes)


def finish(process):
    """Wait for a process; its exit code (-9 if it was killed), output and errors."""
    try:
        out, err = process.communicate()
    finally:
        process.kill()
    return process.returncode, out, err


def do_jobs(*jobs):
    """Do several jobs in processes of their own, and return their exit codes."""
    code, out, err = finish(start_process(*jobs))
    assert code == 0, err
    return json.loads(out)


def die():
    """As an electricity failure would have it, as far as a process goes."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(how, number):
    """Have this process die at a moment: at write or epoch `number`, counted from 0 or 1."""
    calls = itertools.count()

    class Half(io.FileIO):
        def write(self, data):
            super().write(data[: len(data) // 2])
            die()

    def opened(file, mode):
        return Half(file, "x") if mode == "xb" and next(calls) == number else open(file, mode)

    def replaced(*args):
        last = next(calls) == number
        if last and how == "written":
            die()
        os.replace(*args)
        if last:
            die()

    def moved(plan, book, epoch, *args):
        moving(plan, book, epoch, *args)
        if epoch == number:
            die()  # all of the epoch's updates have been applied, and nobody has seen it yet

    moving = sequential.move_epoch
    if how == "half":
        chunks.open = opened
    elif how in ("written", "replaced"):
        chunks.os = SimpleNamespace(**(vars(os) | {"replace": replaced}))
    elif how == "inside":
        sequential.move_epoch = moved
    elif how == "step":
        hooks.append(lambda epoch: die() if epoch == number else None)
    else:  # a part of Store: "publish", "lock"
        setattr(store.Store, how, lambda self: die())


def tell(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def do(job):
    """One job in this process."""

    def wait(epoch):
        tell(epoch)
        sys.stdin.read(1)  # returns at once when stdin has been closed

    def limit(epoch):
        if epoch == job["limit"]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (16, resource.RLIM_INFINITY))

    def publish(self):
        wait("publish")
        publishing(self)

    publishing = store.Store.publish
    if "die" in job:
        arm(*job["die"])
    if "limit" in job:  # no file longer than 16 bytes from that epoch on
        hooks.append(limit)
    if job.get("wait") == "publish":  # a character on stdin, before the trace is moved to its place ...
        store.Store.publish = publish
    elif "wait" in job:  # ... or in every epoch
        hooks.append(wait)
    if "tell" in job:
        hooks.append(tell)
    if "disk" in job:
        tell(json.dumps(full_disk(Path(job["disk"]), job["size"])))
    elif "resume" in job:
        resume(job["path"])
    else:
        record(job["case"], job["path"])


def full_disk(folder, size):
    """A run on a disk that is full before its end, and what can be done then; in a mount namespace of its own."""

    def mount(*options):
        subprocess.run(["mount", *options, str(folder)], check=True, capture_output=True)

    def said(function, *args):
        try:
            function(*args)
        except OSError as error:
            return [error.errno, str(error)]
        return None

    try:
        mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs")
    except (OSError, subprocess.CalledProcessError) as error:
        return {"no tmpfs": str(error)}
    path = folder / "a.zarr"
    told = {"full": said(record, "counter", path)}
    open_trace(path, verify=True).load()
    told |= {"shown": shown(path), "still full": said(resume, path), "still shown": shown(path)}
    mount("-o", "remount,size=30m")
    told |= {"room": said(resume, path), "left": os.listdir(folder)}
    told["bytes"] = {name: data.hex() for name, data in files(path).items()}
    mount("-o", "remount,ro")
    told |= {"read-only": said(record, "counter", folder / "b.zarr"), "resumed": said(resume, path)}
    told["epochs"] = shown(path)
    return told


def forked(job):
    """The process id of a job in a process of its own."""
    child = os.fork()
    if child:
        return child
    try:
        do(job)
        os._exit(0)
    except BaseException as error:
        sys.stderr.write(f"{error!r}\n")
        os._exit(1)


def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in a shell's background are deaf to it
    jobs = json.loads(sys.argv[1])
    if len(jobs) == 1:
        do(jobs[0])
        return
    record("counter", observers=[DegreeObserver(), BinarisationObserver(), *own()])
    running, codes = {}, [None] * len(jobs)
    for place, job in enumerate(jobs):
        if len(running) == 2:
            reap(running, codes)
        running[forked(job)] = place
    while running:
        reap(running, codes)
    tell(json.dumps(codes))


def reap(running, codes):
    child, status = os.wait()
    codes[running.pop(child)] = os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    main()
