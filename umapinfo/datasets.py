"""Data sets by name, for examples, tests and analyses; none of them is downloaded."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Dataset:
    """Data and where they come from.

    Attributes
    ----------
    name : str
        The name that `load` knows it by.
    X : ndarray, float64[n, n_features]
        One row a point.
    labels : ndarray, int64[n], or None
        The class of each point; None where there are none.
    description : str
        What the data are, with size and seed.
    """

    name: str
    X: NDArray[np.float64]
    labels: NDArray[np.int64] | None
    description: str

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes of X (rows one after another), in hexadecimal digits."""
        return hashlib.sha256(np.ascontiguousarray(self.X).data).hexdigest()


def ring(n: int = 1000, *, seed: int = 0) -> NDArray[np.float64]:
    """Toy ring of Damrich and Hamprecht: a point in each of n discs of radius 1/2 along a circle of radius 4.

    Point i is 4 (sin 2 pi i/n, cos 2 pi i/n) + r (sin phi, cos phi), with r = sqrt(U)/2 and phi = pi V, where
    U is uniform on [0, 1] and V on [0, 2]; all radii are drawn before all angles.

    Parameters
    ----------
    n : int
        Number of points.
    seed : int
        Of numpy's legacy generator, which the authors used.

    Returns
    -------
    ndarray, float64[n, 2]

    References
    ----------
    S. Damrich and F. A. Hamprecht, "On UMAP's true loss function", NeurIPS 2021, arXiv 2103.14608.
    """
    random = np.random.RandomState(seed)
    radius = np.sqrt(random.uniform(0, 1, n)) * 0.5
    angle = np.pi * random.uniform(0, 2, n)
    centre = 2 * np.pi * np.arange(n) / n
    inner = np.column_stack([np.sin(angle), np.cos(angle)])
    return 4 * np.column_stack([np.sin(centre), np.cos(centre)]) + radius[:, None] * inner


def _load_ring(n: int | None, seed: int) -> Dataset:
    X = ring(1000 if n is None else n, seed=seed)
    return Dataset("ring", X, None, f"toy ring of Damrich and Hamprecht (2021), n = {len(X)}, seed {seed}")


def _load_table(name: str, loader: str, what: str, n: int | None, seed: int) -> Dataset:
    """One of scikit-learn's tables; n of its rows, if not all, drawn by the seed, in the table's order."""
    from sklearn import datasets

    X, labels = getattr(datasets, loader)(return_X_y=True)
    X, labels = np.asarray(X, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    if n is None or n == len(X):
        return Dataset(name, X, labels, f"{what}, n = {len(X)}")
    if n > len(X):
        raise ValueError(f"expected n up to {len(X)} for {name!r}, got {n}; leave n out for all rows")
    rows = np.sort(np.random.default_rng(seed).choice(len(X), size=n, replace=False))
    return Dataset(name, X[rows], labels[rows], f"{what}, {n} of {len(X)} rows, seed {seed}")


_LOADERS: dict[str, Callable[..., Dataset]] = {
    "ring": _load_ring,
    "digits": lambda n, seed: _load_table("digits", "load_digits", "8 x 8 images of digits (UCI)", n, seed),
    "iris": lambda n, seed: _load_table("iris", "load_iris", "Fisher's iris flowers (UCI)", n, seed),
}

NAMES: tuple[str, ...] = tuple(_LOADERS)


def load(name: str, *, seed: int = 0, n: int | None = None) -> Dataset:
    """Data set by name.

    Parameters
    ----------
    name : str
        "ring", the toy ring of Damrich and Hamprecht (n x 2); "digits" (1797 x 64) or "iris" (150 x 4), the
        tables that scikit-learn brings along.
    seed : int
        Seed of the ring, or of the choice of rows where `n` is less than a table holds.
    n : int, optional
        Number of points. By default 1000 on the ring, and all rows of a table.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        If the name is unknown, n under 1 or above the rows of a table, or the seed negative.
    """
    if name not in _LOADERS:
        raise ValueError(f"expected a data set's name, got {name!r}; use one of {', '.join(NAMES)}")
    if n is not None and n < 1:
        raise ValueError(f"expected n of at least 1, got {n}; leave n out for the usual size")
    return _LOADERS[name](n, seed)
