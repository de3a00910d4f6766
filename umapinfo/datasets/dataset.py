"""Data together with their labels, their name and what they are."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32] | NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Data and where they come from.

    Attributes
    ----------
    name : str
        The name that `load` knows it by.
    X : ndarray, float32 or float64[n, n_features]
        One row a point.
    labels : ndarray, int64[n], or None
        The class of each point; None where there are none.
    description : str
        What the data are, with size and seed.
    """

    name: str
    X: Values
    labels: Labels | None
    description: str

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes of X (rows one after another), in hexadecimal digits."""
        return hashlib.sha256(np.ascontiguousarray(self.X).data).hexdigest()
