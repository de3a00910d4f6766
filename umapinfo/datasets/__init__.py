"""Data sets by name, for examples, tests and analyses: toys, scikit-learn's tables, and real data from files."""

from collections.abc import Callable

import numpy as np

from umapinfo.datasets.dataset import Dataset, Labels, Values
from umapinfo.datasets.tables import TABLES
from umapinfo.datasets.toys import ring, rings, square

__all__ = ["NAMES", "Dataset", "load", "ring", "rings", "square"]


def _ring(n: int | None, seed: int) -> tuple[Values, Labels | None, str]:
    return ring(1000 if n is None else n, seed=seed), None, "toy ring of Damrich and Hamprecht (2021)"


def _rings(n: int | None, seed: int) -> tuple[Values, Labels | None, str]:
    each, odd = divmod(2000 if n is None else n, 2)
    if odd:
        raise ValueError(f"expected an even n for 'rings', half of it a ring, got {n}; use {2 * each + 2}")
    labels = np.repeat(np.arange(2, dtype=np.int64), each)
    return rings(each, 2, seed=seed), labels, "two toy rings of Damrich and Hamprecht (2021)"


def _square(n: int | None, seed: int) -> tuple[Values, Labels | None, str]:
    return square(1000 if n is None else n, seed=seed), None, "uniform square of Damrich and Hamprecht (2021)"


_TOYS: dict[str, Callable[[int | None, int], tuple[Values, Labels | None, str]]] = {
    "ring": _ring,
    "rings": _rings,
    "square": _square,
}

NAMES: tuple[str, ...] = (*_TOYS, *TABLES)


def load(name: str, *, seed: int = 0, n: int | None = None, progress: bool = True) -> Dataset:
    """Data set by name.

    Drawn by the seed, as Damrich and Hamprecht do (NeurIPS 2021, arXiv 2103.14608):

    - ring: the toy ring, 1000 x 2.
    - rings: two of them, 12 apart, labels the ring, 2000 x 2; the function `rings` makes any number.
    - square: uniform on the unit square, 1000 x 2.

    Brought along by scikit-learn (float64; UCI, CC BY 4.0, unless said otherwise):

    - digits 1797 x 64, iris 150 x 4, wine 178 x 13, breast_cancer 569 x 30, each with classes as labels.
    - diabetes 442 x 10, columns centred and scaled to norm 1; B. Efron and others, Annals of Statistics 32
      (2004). No labels: what it predicts is a number.

    From files, which are downloaded once and checked by SHA-256:

    - mnist: 70,000 x 784, float32, grey values 0 to 255, 60,000 images to train with, then 10,000 to test; labels
      the digit. Y. LeCun and C. Cortes, CC BY-SA 3.0. 12 MB.
    - pendigits: 10,992 x 16, float64, whole numbers 0 to 100: x and y of eight points along a digit's stroke, 7494
      to train with, then 3498 to test; labels the digit. E. Alpaydin and F. Alimoglu, UCI, CC BY 4.0. 0.7 MB.
    - mammoth: 50,000 x 3, float64: points on a scanned skeleton. Smithsonian open access, as used by PaCMAP
      (Y. Wang and others, JMLR 22, 2021). 1.8 MB.

    A file is looked for in the folder that the environment variable UMAPINFO_DATA names, as
    <folder>/mnist/train-images-idx3-ubyte.gz and so on, then in the user's cache, then at its public address.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    seed : int
        Seed of what is drawn: a toy, or the choice of rows where `n` is less than a table holds.
    n : int, optional
        Number of points. By default all rows of a table; rows of a choice stay in the table's order.
    progress : bool
        Show the progress of a download.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        If the name is unknown, n under 1, above the rows of a table or odd for two rings, the seed negative, or
        a file in the folder UMAPINFO_DATA not the one that is meant.
    FileNotFoundError
        If a file is in neither place and cannot be downloaded; it says where to put it by hand.
    """
    if name not in NAMES:
        raise ValueError(f"expected a data set's name, got {name!r}; use one of {', '.join(NAMES)}")
    if n is not None and n < 1:
        raise ValueError(f"expected n of at least 1, got {n}; leave n out for the usual size")
    if name in _TOYS:
        X, labels, what = _TOYS[name](n, seed)
        return Dataset(name, X, labels, f"{what}, n = {len(X)}, seed {seed}")
    return _chosen(name, n, seed, progress)


def _chosen(name: str, n: int | None, seed: int, progress: bool) -> Dataset:
    """A table; n of its rows, if not all, drawn by the seed, in the table's order."""
    what = TABLES[name].what
    X, labels = TABLES[name].rows(progress)
    if n is None or n == len(X):
        return Dataset(name, X, labels, f"{what}, n = {len(X)}")
    if n > len(X):
        raise ValueError(f"expected n up to {len(X)} for {name!r}, got {n}; leave n out for all rows")
    rows = np.sort(np.random.default_rng(seed).choice(len(X), size=n, replace=False))
    chosen = None if labels is None else labels[rows]
    return Dataset(name, X[rows], chosen, f"{what}, {n} of {len(X)} rows, seed {seed}")
