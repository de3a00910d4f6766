"""What the analysis scripts share: their arguments, the traces they look at, and the files they leave behind."""

import argparse
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

import umapinfo
from umapinfo import embed, resume
from umapinfo.core import LAW
from umapinfo.datasets import NAMES, load
from umapinfo.jit import source_digest
from umapinfo.plot import COLUMN, save_figure, style, write_numbers

ROOT = Path(__file__).parents[1]
DATA = ("ring", "digits")
PAPER = (DATA, ("mnist",))  # what paper/ holds figures of, each in files of its own
SEED = 3  # of the ring's data, the one whose graph the literature describes; runs have seed 0

Draw = Callable[[xr.Dataset, Axes], Axes]


@dataclass(frozen=True)
class Script:
    """One analysis.

    Attributes
    ----------
    name : str
        Stem of the files it writes.
    question : str
        What it answers, for --help.
    quantity : trace -> labelled data
        Everything that is computed; attrs hold single numbers.
    rows : functions (quantity, ax) -> ax
        One row of panels each, a column a data set; they compute nothing.
    results : quantity -> numbers
        For paper/numbers/<name>.json.
    """

    name: str
    question: str
    quantity: Callable[[xr.DataTree], xr.Dataset]
    rows: Sequence[Draw]
    results: Callable[[xr.Dataset], Mapping[str, Any]]


def main(script: Script, arguments: Sequence[str] | None = None) -> None:
    """Trace the runs, draw the figure, write its numbers, say where."""
    options = parsed(script, arguments)
    quantities = {name: script.quantity(trace_of(name, options)) for name in options.data}
    stem = script.name if tuple(options.data) == DATA else "_".join([script.name, *options.data])
    figures, numbers = options.out / "figures" / stem, options.out / "numbers" / f"{stem}.json"
    with style():
        save_figure(drawn(script, quantities), figures)
    write_numbers(numbers, {name: script.results(found) for name, found in quantities.items()})
    print(f"{script.name}: wrote {figures}.pdf, {figures}.png and {numbers}")


def parsed(script: Script, arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; figures of other settings than the paper's go to build/ unless --out says otherwise."""
    parser = argparse.ArgumentParser(description=script.question)
    parser.add_argument(
        "--data", nargs="+", choices=NAMES, default=list(DATA), help="data sets, a column of panels each"
    )
    parser.add_argument("--n", type=int, help="number of points (default: all)")
    parser.add_argument("--epochs", type=int, help="number of epochs (default: 500 up to 10,000 points, else 200)")
    parser.add_argument("--out", type=Path, help="folder to write to (default: paper/, with other settings build/)")
    parser.add_argument("--traces", type=Path, help="folder that keeps the traces (default: data/traces/)")
    options = parser.parse_args(arguments)
    if options.epochs is not None and options.epochs < 1:
        parser.error(f"expected --epochs of at least 1, got {options.epochs}")
    usual = tuple(options.data) in PAPER and options.n is None and options.epochs is None
    options.out = options.out or ROOT / ("paper" if usual else "build")
    options.traces = options.traces or ROOT / "data" / "traces"
    return options


def trace_of(name: str, options: argparse.Namespace) -> xr.DataTree:
    """The trace of a default run on a data set: the kept one of these settings and sources, gone on with if cut off."""
    data = load(name, seed=SEED, n=options.n)
    settings = f"{name}-n{len(data.X)}-epochs{options.epochs or 'default'}"
    sources = source_digest(Path(umapinfo.__file__).parent) or b""
    path = options.traces / f"{settings}-law{LAW}-{sources.hex()[:12]}.zarr"
    if path.exists():
        return resume(path)
    options.traces.mkdir(parents=True, exist_ok=True)
    for old in options.traces.glob(f"{settings}-law*.zarr"):  # of other sources: never to be opened again
        shutil.rmtree(old)
    return embed(data.X, path=path, n_epochs=options.epochs, labels=data.labels, attrs={"data": name})


def drawn(script: Script, quantities: Mapping[str, xr.Dataset]) -> Any:
    """The figure: a row of panels for each drawing function, a column for each data set."""
    shape = (len(script.rows), len(quantities))
    figure, axes = plt.subplots(*shape, figsize=(COLUMN * shape[1], 2.5 * shape[0]), squeeze=False)
    for column, found in enumerate(quantities.values()):
        for row, draw in enumerate(script.rows):
            draw(found, axes[row, column])
    return figure
