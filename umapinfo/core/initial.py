"""Starts of the descent: spectral (on disconnected graphs too), pca, random, or an array.

Every start is rescaled to [0, 10] along each axis, as umap-learn does, and here alone.  Deviations from umap-learn
0.5.12
(spectral.py): the eigenvectors are those of the largest eigenvalues of D^-1/2 W D^-1/2 (the same vectors, found faster
than the smallest of the Laplacian), an eigensolver that does not converge is followed by LOBPCG and not by a random
start, and more than 2 d components are placed by the principal components of their centroids.
"""

import inspect
import warnings
from functools import partial
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.sparse.csgraph
import scipy.sparse.linalg
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from umapinfo.core.checks import check_finite, checked_data
from umapinfo.core.graph import Graph

STARTS = ("spectral", "pca", "random")
SIDE = 10.0  # of the box that a start is rescaled to
NOISE = 1e-4  # standard deviation added to spectral and pca starts, on the scale of SIDE
DENSE_UP_TO = 200  # vertices: below this a dense eigensolver is both safer and faster
LANCZOS_VECTORS = 20  # in memory at once


def initial_layout(
    graph: Graph, how: str | Any = "spectral", *, X: Any = None, n_components: int = 2, seed: int = 0
) -> NDArray[np.float32]:
    """The start of a descent.

    Parameters
    ----------
    graph : Graph
        The pruned graph.
    how : "spectral", "pca", "random" or array [n, n_components]
        Of an array with equal rows, noise of a thousandth of the mean nearest distance parts them, as in umap-learn.
    X : array or sparse matrix [n, n_features], optional
        The data: needed by "pca", used by "spectral" to place the parts of a disconnected graph.
    n_components : int >= 1
        d, the dimension of the layout; an array brings its own.
    seed : int

    Returns
    -------
    float32[n, d]
        Each axis rescaled to [0, 10]; a constant axis is 0.

    Raises
    ------
    TypeError, ValueError
        Unknown start, "pca" without data, an array of the wrong shape or dtype or with NaN or inf.
    """
    n_axes_of(how, n_components)
    random = np.random.default_rng(seed)
    data = None if X is None else checked_data(X)
    if data is not None and data.shape[0] != graph.n_vertices:
        raise ValueError(
            f"X: expected {graph.n_vertices} rows, one a vertex, got {data.shape[0]}; give the data of the graph"
        )
    if not isinstance(how, str):
        return _rescaled(_parted(_checked_start(how, graph.n_vertices), random))
    if how == "random":
        return _rescaled(random.uniform(0, SIDE, (graph.n_vertices, n_components)))
    if how == "pca":
        if data is None:
            raise ValueError("start: expected the data for 'pca', got X=None; pass X=")
        return _rescaled(_noisy(_principal_components(data, n_components), random))
    return _rescaled(_noisy(_spectral(graph.to_csr(), data, n_components, random), random))


def n_axes_of(how: str | Any, n_components: int) -> int:
    """The dimension d of a start; ValueError for an unknown name, or unless n_components is a whole number >= 1."""
    if isinstance(n_components, bool) or not isinstance(n_components, int | np.integer) or n_components < 1:
        raise ValueError(f"n_components: expected a whole number >= 1, got {n_components!r}; 2 is usual")
    if isinstance(how, str) and how not in STARTS:
        raise ValueError(f"start: expected a known name or an array, got {how!r}; choose one of {', '.join(STARTS)}")
    return int(n_components) if isinstance(how, str) else (np.shape(how) or (1,))[-1]


def _checked_start(how: Any, n: int) -> NDArray[np.float64]:
    start = np.asarray(how)
    if start.dtype.kind not in "biuf":
        raise TypeError(f"start: expected real numbers, got dtype {start.dtype}; convert it with astype(float)")
    start = start.astype(np.float64)
    if start.ndim != 2 or len(start) != n or start.shape[1] < 1:
        raise ValueError(
            f"start: expected an array [{n}, n_components], got shape {start.shape}; give a row per vertex"
        )
    check_finite(start, "start")
    return start


def _rescaled(Y: NDArray[Any]) -> NDArray[np.float32]:
    span = np.ptp(Y, axis=0)
    return np.ascontiguousarray(SIDE * (Y - Y.min(axis=0)) / np.where(span > 0, span, 1.0), dtype=np.float32)


def _noisy(Y: NDArray[Any], random: np.random.Generator) -> NDArray[np.float64]:
    """Scaled so that the largest coordinate is 10, with a little noise against exact ties."""
    largest = np.abs(Y).max()
    return Y * (SIDE / largest if largest > 0 else 1.0) + random.normal(scale=NOISE, size=Y.shape)


def _parted(Y: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """The start itself, or with noise where rows coincide (they would exert no force on one another)."""
    if len(np.unique(Y, axis=0)) == len(Y):
        return Y
    nearest = cKDTree(Y).query(Y, k=2)[0][:, 1].mean()
    return Y + random.normal(scale=0.001 * (nearest if nearest > 0 else 1.0), size=Y.shape)


def _principal_components(X: Any, d: int) -> NDArray[np.float64]:
    """Scores of the first d principal components, sign fixed; axes beyond the rank of X are 0."""
    mean = np.asarray(X.mean(axis=0)).ravel()
    rank = min(d, *X.shape)
    if min(X.shape) <= max(2 * d, DENSE_UP_TO) or not scipy.sparse.issparse(X):
        dense = (X.toarray() if scipy.sparse.issparse(X) else X) - mean
        _, vectors = scipy.linalg.eigh(dense.T @ dense) if X.shape[1] <= X.shape[0] else _right_vectors(dense)
        axes = vectors[:, ::-1][:, :rank]
        scores = dense @ axes
    else:
        centred = scipy.sparse.linalg.LinearOperator(
            X.shape,
            matvec=lambda v: X @ v.ravel() - mean @ v.ravel(),
            rmatvec=lambda v: X.T @ v.ravel() - mean * v.sum(),
            dtype=np.float64,
        )
        random = np.random.default_rng(0)
        if not centred.matvec(random.normal(size=X.shape[1])).any():  # all points equal: ARPACK refuses a zero matrix
            return np.zeros((X.shape[0], d))
        guess = random.normal(size=min(X.shape))  # ones would be mapped to 0
        svds = scipy.sparse.linalg.svds
        _, _, axes_t = svds(centred, k=rank, v0=guess, **_restarts(svds, random))
        axes = axes_t[::-1].T
        scores = X @ axes - mean @ axes
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    return np.pad(scores * signs, ((0, 0), (0, d - axes.shape[1])))


def _right_vectors(dense: NDArray[np.float64]) -> tuple[None, NDArray[np.float64]]:
    """Principal axes of wide data, the strongest last."""
    return None, np.linalg.svd(dense, full_matrices=False)[2][::-1].T


def _spectral(W: Any, X: Any, d: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Spectral start of each connected component, placed around its centre."""
    n_parts, labels = scipy.sparse.csgraph.connected_components(W, directed=False)
    if n_parts == 1:
        return _eigenvectors(W, d, random)
    centres = _part_centres(X, labels, n_parts, d, random)
    gaps = cKDTree(centres).query(centres, k=2)[0][:, 1]
    layout = np.empty((W.shape[0], d))
    order = np.argsort(labels, kind="stable")
    for part, members in enumerate(np.split(order, np.cumsum(np.bincount(labels))[:-1])):
        layout[members] = centres[part] + _part_layout(W[members][:, members], gaps[part] / 2, d, random)
    return layout


def _part_centres(
    X: Any, labels: NDArray[Any], n_parts: int, d: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """Distinct centres of components: +- unit axes for few, else principal components of the centroids, else random."""
    if n_parts <= 2 * d:
        half = np.eye(d)[: (n_parts + 1) // 2]
        return np.vstack([half, -half])[:n_parts]
    noise = random.uniform(-1, 1, (n_parts, d))
    if X is None:
        return noise
    members = scipy.sparse.csr_matrix((np.ones(len(labels)), (labels, np.arange(len(labels)))))
    centroids = (members @ X) / np.bincount(labels)[:, None]
    centroids = np.asarray(centroids.todense() if scipy.sparse.issparse(centroids) else centroids)
    scores = _principal_components(centroids, d)
    return scores + noise * 1e-3 * max(np.abs(scores).max(), 1e-12)


def _part_layout(W: Any, radius: float, d: int, random: np.random.Generator) -> NDArray[np.float64]:
    """A component within `radius` of the origin along each axis; one too small for d eigenvectors is random."""
    if W.shape[0] <= max(2 * d, d + 1):
        return random.uniform(-radius, radius, (W.shape[0], d))
    layout = _eigenvectors(W, d, random)
    return layout * (radius / np.abs(layout).max())


def _eigenvectors(W: Any, d: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Eigenvectors 2 to d + 1 of D^-1/2 W D^-1/2 of a connected graph, largest eigenvalue first, sign fixed."""
    n = W.shape[0]
    if n <= d + 1:
        return random.uniform(-1, 1, (n, d))
    root = np.sqrt(np.asarray(W.sum(axis=0)).ravel())
    scale = scipy.sparse.diags(1.0 / root)
    M = scale @ W @ scale
    if n <= DENSE_UP_TO:
        vectors = scipy.linalg.eigh(M.toarray(), subset_by_index=(n - d - 1, n - 2))[1]
    else:
        vectors = _sparse_eigenvectors(M, root / np.linalg.norm(root), d, random)
    vectors = vectors[:, ::-1]
    return vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(d)])


def _sparse_eigenvectors(
    M: Any, first: NDArray[np.float64], d: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """The d eigenvectors after the first, by ascending eigenvalue: Lanczos, or LOBPCG where it does not converge.

    One at a time, those found before pushed to the other end of the spectrum: a Krylov space shows one vector alone of
    eigenvalues that are equal to its tolerance, as those of rings and of weakly joined clusters are.  In float32, which
    takes 0.4 of the time (MNIST) and turns the vectors by some 1e-4, as the start's noise does.
    """
    n, eigsh = M.shape[0], scipy.sparse.linalg.eigsh
    single = M.astype(np.float32)
    found = first[:, None].astype(np.float32)
    try:
        for _ in range(d):
            rest = scipy.sparse.linalg.LinearOperator(M.shape, partial(_pushed_down, single, found), dtype=np.float32)
            guess = random.normal(size=n).astype(np.float32)  # ones are one of a regular graph, where Lanczos ends
            options = {"ncv": LANCZOS_VECTORS, "tol": 1e-6, "v0": guess, "maxiter": 5 * n, **_restarts(eigsh, random)}
            vector = eigsh(rest, 1, which="LA", **options)[1]
            found = np.hstack([found, vector])
        return found[:, :0:-1].astype(np.float64)
    except scipy.sparse.linalg.ArpackError:
        guess = random.normal(size=(n, d))
        with warnings.catch_warnings():  # short of its tolerance it is still a good start
            warnings.filterwarnings("ignore", "Exited ", UserWarning)
            values, vectors = scipy.sparse.linalg.lobpcg(
                M, guess, Y=first[:, None], largest=True, tol=1e-4, maxiter=500
            )
        return vectors[:, np.argsort(values)]


def _restarts(solver: Any, random: np.random.Generator) -> dict[str, Any]:
    """Argument for random numbers of newer scipy's ARPACK, which draws a vector where the Krylov space is exhausted."""
    return {"rng": random} if "rng" in inspect.signature(solver).parameters else {}


def _pushed_down(M: Any, found: NDArray[Any], v: NDArray[Any]) -> NDArray[Any]:
    """M v - 2 Q Q' v: the eigenvalues of the orthonormal columns of Q, in [-1, 1] before, are the lowest."""
    v = v.ravel()
    return M @ v - 2.0 * (found @ (found.T @ v))
