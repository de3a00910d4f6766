"""How long does a fit take beside umap-learn's, stage by stage, and how much memory?

Both sides in one run.  `descent`: the descent alone, from one graph and one start, the sides in turn, as often as
--repeats says; ratios are of medians.  `fits`: whole fits, each side in a process of its own: import, first fit (with
a warm cache of compiled kernels and with an empty one), second fit with its stages, peak memory.  umap-learn 0.5.12
comes with the tests' packages (`make test`).  --skip fill: for data whose kernels are in the cache already.  Stages:
import; compile (what of a first fit's seconds numba compiles, not what it loads, nor what an import compiles);
neighbours; graph; start (spectral); descent; trace (by how much a descent takes longer with what `embed` records, in
memory).  umap-learn builds its graph within the rest, and has no trace.

The million is synthetic: 200 Gaussian clusters in 20 dimensions.  It takes umap-learn half an hour: --data million asks
for it, and --only leaves sides out.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

SIDES = ("umap-learn seeded", "umap-learn unseeded", "sequential", "blocked")
DATA = ("digits", "mammoth", "mnist", "million")


def main() -> None:
    """Time the sides, print a table, write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA[:3]))
    parser.add_argument("--only", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--skip", nargs="*", choices=("descent", "fits", "empty", "fill"), default=[])
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(one_process(*options.worker)))
        return
    from _bench import write

    for name in options.data:
        if "descent" not in options.skip:
            found = {"data": name, **descents(name, options.only, options.repeats)}
            write(f"descent_{name}", found)
            tell(f"{name}, descent", found["ratios"])
            print("\n".join(descent_rows(found)))
        if "fits" not in options.skip:
            sides = {side: fits(side, name, options.skip) for side in options.only}
            whole = ratios({side: later(of_side)["all"] for side, of_side in sides.items()})
            write(f"fit_{name}", {"data": name, "sides": sides, "ratios": whole})
            tell(f"{name}, whole fit, warm", whole)
            print("\n".join(rows(name, sides)))


def points(name: str) -> Any:
    """The data."""
    import numpy as np

    if name != "million":
        from umapinfo.datasets import load

        return np.asarray(load(name).X, np.float32)
    random = np.random.default_rng(0)
    centres = random.normal(size=(200, 20)) * 4
    return (centres[random.integers(200, size=1_000_000)] + random.normal(size=(1_000_000, 20))).astype(np.float32)


# ---- the descent alone ----------------------------------------------------------------------------


def descents(name: str, sides: list[str], repeats: int) -> dict[str, Any]:
    """Seconds of the descent of each side, in turn, and ratios of their medians."""
    from umapinfo import fit_curve, fuzzy_graph, initial_layout, neighbors, prune
    from umapinfo.core.graph import default_epochs

    graph = fuzzy_graph(neighbors(points(name), 15))
    n_epochs = default_epochs(graph.n_vertices)
    mu = prune(graph, n_epochs)
    given = mu, fit_curve(), initial_layout(mu), n_epochs
    for side in sides:
        descend(side, *given[:3], 3)  # compiles
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(repeats):
        for side in sides:
            start = perf_counter()
            descend(side, *given)
            seconds[side].append(perf_counter() - start)
            print(f"{name}, descent, {side}: {seconds[side][-1]:.2f} s", flush=True)
    middle = {side: median(values) for side, values in seconds.items()}
    return {"seconds": seconds, "ratios": ratios(middle), "n_vertices": mu.n_vertices, "n_entries": mu.n_entries}


def ratios(seconds: dict[str, float]) -> dict[str, float]:
    """How many times as long each side takes as each other."""
    return {f"{one} / {other}": seconds[one] / seconds[other] for one in seconds for other in seconds if one != other}


def descend(side: str, mu: Any, curve: Any, start: Any, n_epochs: int) -> None:
    """One descent."""
    import numpy as np

    from umapinfo import Descent, epochs, initial_state
    from umapinfo.core.calendar import schedule

    if side in ("sequential", "blocked"):
        descent = Descent(n_epochs=n_epochs, order=side)
        for _ in epochs(mu, curve, descent, initial_state(mu, descent, start)):
            pass
        return
    from umap.layouts import optimize_layout_euclidean

    plan, Y = schedule(mu, Descent(n_epochs=max(n_epochs, 11))), start.copy()
    graph = plan.heads.copy(), plan.tails.copy(), n_epochs, len(Y), plan.per_sample.copy()
    streams, parallel = np.array([1, 2, 3], np.int64), side.endswith("unseeded")
    optimize_layout_euclidean(Y, Y, *graph, curve.a, curve.b, streams, 1.0, 1.0, 5.0, parallel=parallel, verbose=False)


# ---- whole fits -----------------------------------------------------------------------------------


def fits(side: str, name: str, skipped: list[str]) -> dict[str, Any]:
    """What a new process says of a side: with an empty cache, and with a warm one (after a run that fills it)."""
    found: dict[str, Any] = {}
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/points.npy"
        np.save(file, points(name))
        for kind, cache in (("empty", folder), ("fill", None), ("warm", None)):
            if kind in skipped:
                continue
            environment = os.environ | ({"NUMBA_CACHE_DIR": cache} if cache else {})
            command = [sys.executable, __file__, "--worker", side, name, file, kind]
            answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            said = json.loads(answer.stdout.splitlines()[-1])
            if kind != "fill":
                found[kind] = said
                print(f"{name}, {side}, {kind} cache: {said}", flush=True)
    return found


def one_process(side: str, name: str, file: str, kind: str) -> dict[str, Any]:
    """Import, first and second fit of a side in this process, and its peak memory; seconds and bytes.

    The clock starts before numpy, scipy and numba are imported, of either side.
    """
    start = perf_counter()
    fit = their_fit(side) if side.startswith("umap-learn") else our_fit(side)
    found: dict[str, Any] = {"import": perf_counter() - start}
    import numpy as np
    from numba.core import event

    X, once = np.load(file), name == "million"
    found["compile"] = 0.0
    with event.install_timer("numba:compile", lambda seconds: found.update(compile=seconds)):
        start = perf_counter()
        stages = fit(X)
        found["first"] = {"all": perf_counter() - start, **stages}
    if not once:
        start = perf_counter()
        stages = fit(X)
        found["second"] = {"all": perf_counter() - start, **stages}
    found["peak_bytes"] = peak_bytes()
    if kind == "warm" and not once and not side.startswith("umap-learn"):
        found["second"]["trace"] = traced(side, X) - stages["descent"]
    return found


def traced(side: str, X: Any) -> float:
    """Seconds of a descent with what `embed` records."""
    import umapinfo as ui
    from umapinfo.core.graph import default_epochs
    from umapinfo.embed import default_observers

    mu = ui.prune(ui.fuzzy_graph(ui.neighbors(X, 15)), default_epochs(len(X)))
    layout = ui.initial_layout(mu, X=X)
    recording = ui.Recording(observers=default_observers(*layout.shape))
    given = mu, ui.fit_curve(), ui.Descent(order=side)
    ui.run(*given[:2], ui.Descent(order=side, n_epochs=12), layout, recording, progress=False)  # compiles
    start = perf_counter()
    ui.run(*given, layout, recording, progress=False)
    return perf_counter() - start


def peak_bytes() -> int:
    """Largest resident memory of this process; `getrusage` would give its parent's, where that is larger."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


def our_fit(side: str) -> Callable[[Any], dict[str, float]]:
    """A fit of this package."""
    import umapinfo as ui
    from umapinfo.core.graph import default_epochs

    def fit(X: Any) -> dict[str, float]:
        clock, stages = [perf_counter()], {}

        def lap(stage: str) -> None:
            clock.append(perf_counter())
            stages[stage] = clock[-1] - clock[-2]

        found = ui.neighbors(X, 15)
        lap("neighbours")
        mu = ui.prune(ui.fuzzy_graph(found), default_epochs(len(X)))
        lap("graph")
        layout, curve = ui.initial_layout(mu, X=X), ui.fit_curve()
        lap("start")
        descent = ui.Descent(order=side)
        for _ in ui.epochs(mu, curve, descent, ui.initial_state(mu, descent, layout)):
            pass
        lap("descent")
        return stages

    return fit


def their_fit(side: str) -> Callable[[Any], dict[str, float]]:
    """A fit of umap-learn, its stages by a clock around its functions."""
    import umap
    from umap import umap_

    stages: dict[str, float] = {}

    def clocked(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            start = perf_counter()
            try:
                return function(*given, **named)
            finally:
                stages[stage] = stages.get(stage, 0.0) + perf_counter() - start

        return timed

    for stage, name in (
        ("neighbours", "nearest_neighbors"),
        ("start", "spectral_layout"),
        ("descent", "optimize_layout_euclidean"),
    ):
        setattr(umap_, name, clocked(stage, getattr(umap_, name)))

    def fit(X: Any) -> dict[str, float]:
        stages.clear()
        umap.UMAP(
            random_state=0 if side.endswith(" seeded") else None, n_jobs=1 if side.endswith(" seeded") else -1
        ).fit(X)
        return dict(stages)

    return fit


def later(of_side: dict[str, Any]) -> dict[str, float]:
    """The stages of a fit with nothing to compile: the second, or of a million the first with a warm cache."""
    return of_side["warm"].get("second", of_side["warm"]["first"])


def tell(what: str, found: dict[str, float]) -> None:
    """Print ratios."""
    for pair, ratio in found.items():
        print(f"{what}, {pair}: {ratio:.2f}")


def rows(name: str, sides: dict[str, Any]) -> list[str]:
    """Fits as rows of the README's table: seconds, what a trace takes beside, and peak memory."""
    written = []
    for side in filter(sides.get, SIDES):
        of_side, warm = sides[side], sides[side]["warm"]
        first = {kind: of_side[kind]["import"] + of_side[kind]["first"]["all"] for kind in of_side}
        fit, stages = later(of_side), ("all", "neighbours", "start", "descent")
        digits = 1 if fit["all"] >= 10 else 2
        cells = [f"{first['empty']:.1f}" if "empty" in first else "", f"{first['warm']:.1f}"]
        cells += [f"{fit[stage]:.{digits}f}" for stage in stages]
        cells += [f"{fit['trace']:.1f}" if "trace" in fit else ""]
        written.append("| " + " | ".join([name, side, *cells, f"{warm['peak_bytes'] / 1e9:.2f} GB"]) + " |")
    return written


def descent_rows(found: dict[str, Any]) -> list[str]:
    """Descents as rows of the README's table: seconds of each turn, and the median of umap-learn's seeded over them."""
    beside = median(found["seconds"]["umap-learn seeded"])
    return [
        f"| {side} | {', '.join(f'{value:.1f}' for value in seconds)} | {beside / median(seconds):.1f} |"
        for side in SIDES
        if (seconds := found["seconds"].get(side))
    ]


if __name__ == "__main__":
    main()
