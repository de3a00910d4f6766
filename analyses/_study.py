"""What the analyses share that compare settings or data sets: everything computed first, one figure drawn of it.

The figure is drawn from the numbers as they were written: what it shows stands in paper/numbers.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
    lists: Mapping[str, tuple[int, ...]]
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
    lists : mapping of names to whole numbers
        Options of its own, with what they usually are: "blocks" is --blocks 1 2 4.
    """

    name: str
    question: str
    numbers: Callable[[Options], Mapping[str, Any]]
    draw: Callable[[Mapping[str, Any]], Figure]
    full: bool = False
    lists: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def study(given: Study, arguments: Sequence[str] | None = None) -> None:
    """Compute the numbers, write them, draw the figure of them, say where."""
    parser = argparse.ArgumentParser(description=given.question)
    parser.add_argument("--quick", action="store_true", help="small data, written to build/: does it run?")
    parser.add_argument("--out", type=Path, help="folder to write to (default: paper/, with other settings build/)")
    parser.add_argument("--traces", type=Path, default=ROOT / "data" / "traces", help="folder that keeps the traces")
    for name, usual in given.lists.items():
        shown = " ".join(map(str, usual))
        parser.add_argument(f"--{name}", type=int, nargs="+", default=usual, help=f"whole numbers (default: {shown})")
    if given.full:
        parser.add_argument("--full", action="store_true", help="with MNIST, pendigits and the mammoth")
    options = parser.parse_args(arguments)
    full = given.full and options.full
    lists = {name: tuple(getattr(options, name)) for name in given.lists}
    out = options.out or ROOT / ("build" if options.quick or lists != given.lists else "paper")
    stem = f"{given.name}_full" if full else given.name
    path = out / "numbers" / f"{stem}.json"
    write_numbers(path, given.numbers(Options(full, options.quick, options.traces, lists)))
    with style():
        save_figure(given.draw(json.loads(path.read_text(encoding="utf-8"))), out / "figures" / stem)
    print(f"{given.name}: wrote {path} and {out / 'figures' / stem}.pdf, .png")


def panels(n_rows: int, n_columns: int, *, height: float = 2.5) -> tuple[Figure, Any]:
    """A figure of panels, each as wide as a column: the figure, and its Axes as an array [n_rows, n_columns]."""
    shape = (COLUMN * n_columns, height * n_rows)
    return plt.subplots(n_rows, n_columns, figsize=shape, squeeze=False)
