"""What does a trace on disk cost: how many bytes, and how much of the descent's time?

Both sides in one run, on the same graph and start: the bare loop `epochs`, a run whose trace stays in memory, and one
whose trace goes to disk, each as often as --repeats says, in turn; the least time of each counts.  Beside that, the
seconds that the run itself spends in writing.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from _bench import write

from umapinfo import (
    Descent,
    Recording,
    epochs,
    fit_curve,
    fuzzy_graph,
    initial_layout,
    initial_state,
    neighbors,
    prune,
    run,
)
from umapinfo.datasets import NAMES, load
from umapinfo.embed import default_observers
from umapinfo.progress import Progress
from umapinfo.trace.opening import read_metadata
from umapinfo.trace.store import Store, size_on_disk


class Watched:
    """Adds up the seconds and bytes that go into a method of Store."""

    def __init__(self, name: str) -> None:
        self.seconds, self._plain, self._name = 0.0, getattr(Store, name), name

    def __enter__(self) -> "Watched":
        def timed(*arguments: Any, **named: Any) -> Any:
            start = perf_counter()
            try:
                return self._plain(*arguments, **named)
            finally:
                self.seconds += perf_counter() - start

        setattr(Store, self._name, timed)
        return self

    def __exit__(self, *error: object) -> None:
        setattr(Store, self._name, self._plain)


def timed(work: Any) -> float:
    """Seconds of a piece of work."""
    start = perf_counter()
    work()
    return perf_counter() - start


def main() -> None:
    """Time the three sides, print a table, write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", choices=NAMES, default="mnist")
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    data = load(options.data)
    with Progress() as report:
        graph = fuzzy_graph(neighbors(data.X, report=report))
    curve, descent = fit_curve(), Descent()
    mu = prune(graph, descent.epochs_for(graph.n_vertices))
    start = initial_layout(mu)
    recording = Recording(observers=default_observers(*start.shape))
    run(graph, curve, Descent(n_epochs=12), start, recording, progress=False)  # compile
    folder = Path(tempfile.mkdtemp(dir="."))
    path = folder / "trace.zarr"

    def bare() -> None:
        for _ in epochs(mu, curve, descent, initial_state(mu, descent, start)):
            pass

    def in_memory() -> None:
        run(graph, curve, descent, start, recording, progress=False)

    def on_disk() -> None:
        shutil.rmtree(path, ignore_errors=True)
        run(graph, curve, descent, start, recording, path=path, labels=data.labels, progress=False)

    seconds: dict[str, list[float]] = {"bare": [], "in memory": [], "on disk": []}
    try:
        with Watched("write") as writing:
            for _ in range(options.repeats):
                for name, work in (("bare", bare), ("in memory", in_memory), ("on disk", on_disk)):
                    seconds[name].append(timed(work))
                    print(f"{options.data}, {name}: {seconds[name][-1]:.2f} s", flush=True)
        files = [file.stat().st_size for file in path.rglob("*") if file.is_file()]
        forecast = size_on_disk(read_metadata(path)[1])
    finally:
        shutil.rmtree(folder)
    least = {name: min(values) for name, values in seconds.items()}
    results = {
        "data": options.data,
        "n_vertices": graph.n_vertices,
        "n_epochs": descent.epochs_for(graph.n_vertices),
        "seconds": seconds,
        "store_bytes": sum(files),
        "store_files": len(files),
        "store_bytes_forecast": forecast,
        "seconds_writing": writing.seconds / options.repeats,
        "writing_over_descent": writing.seconds / options.repeats / least["bare"],
        "on_disk_over_in_memory": least["on disk"] / least["in memory"],
        "in_memory_over_bare": least["in memory"] / least["bare"],
    }
    write(f"trace_{options.data}", results)
    print(f"store: {sum(files) / 1e6:.1f} MB in {len(files)} files, forecast {forecast / 1e6:.1f} MB")
    print(f"writing: {results['seconds_writing']:.2f} s, {results['writing_over_descent']:.2%} of the bare descent")
    print(f"on disk / in memory: {results['on_disk_over_in_memory']:.4f}")


if __name__ == "__main__":
    main()
