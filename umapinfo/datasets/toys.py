"""Toy data of Damrich and Hamprecht, drawn as their code draws them.

S. Damrich and F. A. Hamprecht, "On UMAP's true loss function", NeurIPS 2021, arXiv 2103.14608.
"""

import numpy as np
from numpy.typing import NDArray

_RADIUS, _WIDTH = 4.0, 0.5


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
    return rings(n, 1, seed=seed)


def rings(n: int = 1000, n_rings: int = 2, *, seed: int = 0) -> NDArray[np.float64]:
    """Several toy rings side by side, three radii (12) apart in x; the authors took 2, 5, 10 and 20.

    Ring j is a `ring` of n points moved by (12 j, 0). One generator draws them in turn, so that they differ, and
    the first is the single ring of the same seed.

    Parameters
    ----------
    n : int
        Number of points of each ring.
    n_rings : int
        Number of rings.
    seed : int
        Of numpy's legacy generator, which the authors used.

    Returns
    -------
    ndarray, float64[n * n_rings, 2]
        Point i belongs to ring i // n.

    Raises
    ------
    ValueError
        If there is less than one ring, or n or the seed is negative.

    References
    ----------
    S. Damrich and F. A. Hamprecht, "On UMAP's true loss function", NeurIPS 2021, arXiv 2103.14608.
    """
    if n_rings < 1:
        raise ValueError(f"expected n_rings of at least 1, got {n_rings}; ask for one ring or more")
    random = np.random.RandomState(seed)
    step = np.array([3 * _RADIUS, 0.0])
    return np.concatenate([_next_ring(n, random) + j * step for j in range(n_rings)])


def _next_ring(n: int, random: np.random.RandomState) -> NDArray[np.float64]:
    radius = np.sqrt(random.uniform(0, 1, n)) * _WIDTH
    angle = np.pi * random.uniform(0, 2, n)
    centre = 2 * np.pi * np.arange(n) / n
    inner = np.column_stack([np.sin(angle), np.cos(angle)])
    return _RADIUS * np.column_stack([np.sin(centre), np.cos(centre)]) + radius[:, None] * inner


def square(n: int = 1000, *, seed: int = 0) -> NDArray[np.float64]:
    """Points drawn uniformly from the unit square; the authors' have seed 0.

    Parameters
    ----------
    n : int
        Number of points.
    seed : int
        Of numpy's legacy generator, which the authors used.

    Returns
    -------
    ndarray, float64[n, 2]
        Both coordinates in [0, 1).

    References
    ----------
    S. Damrich and F. A. Hamprecht, "On UMAP's true loss function", NeurIPS 2021, arXiv 2103.14608.
    """
    return np.random.RandomState(seed).uniform(0, 1, (n, 2))
