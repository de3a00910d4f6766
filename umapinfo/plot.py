"""What an analysis leaves behind: figures of one look, and files whose bytes change only with their content.

The only module that imports matplotlib and seaborn. Functions that draw take the data first and the Axes
last, draw on that one Axes and return it; they compute nothing.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from cycler import cycler
from matplotlib.figure import Figure

COLUMN = 3.4
"""Width in inches of one column of a two-column page; a page is twice as wide."""

PALETTE: tuple[str, ...] = tuple(sns.color_palette("colorblind").as_hex())
"""Ten colours that stay apart for colour-blind readers, in the order in which lines take them."""

_STYLE: dict[Any, Any] = {
    "figure.figsize": (COLUMN, 2.6),
    "figure.constrained_layout.use": True,
    "savefig.dpi": 300,
    # The font that matplotlib brings along, in sizes that can be read at the width of a column
    "font.family": ["DejaVu Sans"],
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.prop_cycle": cycler(color=PALETTE),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3,
    # Letters as letters (TrueType): text in the PDF can be searched, and journals accept it
    "pdf.fonttype": 42,
}


def style() -> AbstractContextManager[None]:
    """The look of all figures: ``with style(): ...`` around making and drawing them.

    Returns
    -------
    context manager
        Sets matplotlib's parameters, and sets them back.
    """
    return mpl.rc_context(_STYLE)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A path beside `path`, put into its place after the block; an error leaves `path` as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def save_figure(figure: Figure, stem: str | os.PathLike[str]) -> None:
    """Write a figure as PDF and PNG, the same bytes whenever it is the same figure: no dates, no versions.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure, finished.
    stem : path
        Path of both files without their endings: "paper/figures/degree" gives degree.pdf and degree.png in
        paper/figures. The folder is made if need be; files that exist are replaced, each in one step.
    """
    stem = Path(stem)
    nameless = {"pdf": {"Creator": None, "Producer": None, "CreationDate": None}, "png": {"Software": None}}
    with style():
        for ending, metadata in nameless.items():
            with _replacing(stem.with_name(f"{stem.name}.{ending}")) as draft:
                figure.savefig(draft, format=ending, metadata=metadata)


def _plain(value: Any, name: str) -> Any:
    """Numbers, texts, lists and mappings as JSON has them, with floats cut to 10 significant digits."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(part, f"{name}.{key}" if name else str(key)) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, f"{name}[{i}]") for i, part in enumerate(value)]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"expected finite numbers, got {value} for {name!r}; leave it out, or count it")
        return float(f"{value:.10g}") + 0.0  # + 0.0 turns -0.0 into 0.0
    return value


def write_numbers(path: str | os.PathLike[str], numbers: Mapping[str, Any]) -> None:
    """Write numbers as JSON: keys sorted, floats with 10 significant digits, replaced in one step.

    Ten digits are more than a paper prints, and fewer than the last bits that a change of machine may move.

    Parameters
    ----------
    path : path
        The file; its folder is made if need be.
    numbers : mapping
        Of names to numbers, texts, arrays, lists, or mappings of these.

    Raises
    ------
    ValueError
        If a number is NaN or infinite; the file stays as it was.
    """
    text = json.dumps(_plain(numbers, ""), indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    with _replacing(Path(path)) as draft:
        draft.write_text(text + "\n", encoding="utf-8")
