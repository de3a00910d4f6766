"""What the analyses share that compare settings or data sets: everything computed first, one figure drawn of it.

The figure is drawn from the numbers as they were written: what it shows stands in paper/numbers.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from _script import ROOT
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from umapinfo.plot import COLUMN, save_figure, style, write_numbers


class Options(NamedTuple):
    """What a study is asked for; n and epochs are those of `_script.trace_of`, all and the default."""

    full: bool
    quick: bool
    traces: Path
    n: int | None = None
    epochs: int | None = None


@dataclass(frozen=True)
class Study:
    """One analysis.

    Attributes
    ----------
    name : str
        Stem of the files it writes.
    question : str
        What it answers, for --help.
    numbers : options -> mapping of names to numbers, arrays, texts or mappings
        Everything that is computed.  With options.quick on small data (for tests), with options.full on large data too.
    draw : numbers as written -> figure
        It computes nothing.
    full : bool
        Whether --full adds anything: files of another name, `<name>_full`.
    """

    name: str
    question: str
    numbers: Callable[[Options], Mapping[str, Any]]
    draw: Callable[[Mapping[str, Any]], Figure]
    full: bool = False


def study(given: Study, arguments: Sequence[str] | None = None) -> None:
    """Compute the numbers, write them, draw the figure of them, say where."""
    parser = argparse.ArgumentParser(description=given.question)
    parser.add_argument("--quick", action="store_true", help="small data, written to build/: does it run?")
    parser.add_argument("--out", type=Path, help="folder to write to (default: paper/, with --quick build/)")
    parser.add_argument("--traces", type=Path, default=ROOT / "data" / "traces", help="folder that keeps the traces")
    if given.full:
        parser.add_argument("--full", action="store_true", help="with MNIST, pendigits and the mammoth")
    options = parser.parse_args(arguments)
    full = given.full and options.full
    out = options.out or ROOT / ("build" if options.quick else "paper")
    stem = f"{given.name}_full" if full else given.name
    path = out / "numbers" / f"{stem}.json"
    write_numbers(path, given.numbers(Options(full, options.quick, options.traces)))
    with style():
        save_figure(given.draw(json.loads(path.read_text(encoding="utf-8"))), out / "figures" / stem)
    print(f"{given.name}: wrote {path} and {out / 'figures' / stem}.pdf, .png")


def panels(n_rows: int, n_columns: int, *, height: float = 2.5) -> tuple[Figure, Any]:
    """A figure of panels, each as wide as a column: the figure, and its Axes as an array [n_rows, n_columns]."""
    shape = (COLUMN * n_columns, height * n_rows)
    return plt.subplots(n_rows, n_columns, figsize=shape, squeeze=False)
