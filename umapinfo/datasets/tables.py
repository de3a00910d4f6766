"""Tables whose rows are given: measurements, images and a scan, some of scikit-learn's, some from files."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from umapinfo.datasets.dataset import Labels, Values
from umapinfo.datasets.files import read
from umapinfo.datasets.formats import parse_idx, parse_integers, parse_points


@dataclass(frozen=True)
class Table:
    """A table before it is read.

    Attributes
    ----------
    what : str
        What its rows are, and the source.
    rows : progress -> (X, labels)
        Reads it whole; shows the progress of a download if asked to. No labels where no column is a class.
    """

    what: str
    rows: Callable[[bool], tuple[Values, Labels | None]]


def _bundled(loader: str, what: str, *, classes: bool = True) -> Table:
    """One of the tables that scikit-learn brings along; its target is the label if that is a class."""

    def rows(progress: bool) -> tuple[Values, Labels | None]:
        from sklearn import datasets

        X, target = getattr(datasets, loader)(return_X_y=True)
        return np.asarray(X, dtype=np.float64), np.asarray(target, dtype=np.int64) if classes else None

    return Table(what, rows)


def _mnist(progress: bool) -> tuple[Values, Labels | None]:
    parts = {"train": 60_000, "t10k": 10_000}
    images = [
        parse_idx(read(f"mnist/{part}-images-idx3-ubyte.gz", progress=progress), (n, 28, 28))
        for part, n in parts.items()
    ]
    labels = [
        parse_idx(read(f"mnist/{part}-labels-idx1-ubyte.gz", progress=progress), (n,)) for part, n in parts.items()
    ]
    return np.concatenate(images, dtype=np.float32).reshape(-1, 784), np.concatenate(labels, dtype=np.int64)


def _pendigits(progress: bool) -> tuple[Values, Labels | None]:
    parts = {"tra": 7494, "tes": 3498}
    table = np.concatenate(
        [parse_integers(read(f"pendigits/pendigits.{part}", progress=progress), (n, 17)) for part, n in parts.items()]
    )
    return table[:, :16].astype(np.float64), table[:, 16].copy()


def _mammoth(progress: bool) -> tuple[Values, Labels | None]:
    return parse_points(read("mammoth/mammoth_3d_50k.json", progress=progress), (50_000, 3)), None


# scikit-learn's linnerud is left out: its 20 rows are hardly more than the 15 neighbours of one.
TABLES: dict[str, Table] = {
    "digits": _bundled("load_digits", "8 x 8 images of digits (UCI)"),
    "iris": _bundled("load_iris", "Fisher's iris flowers (UCI)"),
    "wine": _bundled("load_wine", "chemical analyses of wines (UCI)"),
    "breast_cancer": _bundled("load_breast_cancer", "cell nuclei of breast tumours, Wisconsin (UCI)"),
    "diabetes": _bundled("load_diabetes", "diabetes patients, scaled (Efron and others 2004)", classes=False),
    "mnist": Table("28 x 28 images of digits, train then test (LeCun and Cortes, CC BY-SA 3.0)", _mnist),
    "pendigits": Table("pen strokes of digits, train then test (UCI, CC BY 4.0)", _pendigits),
    "mammoth": Table("points on a mammoth's skeleton (Smithsonian open access, as used by PaCMAP)", _mammoth),
}
