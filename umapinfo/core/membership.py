r"""Directed memberships and their fuzzy union: from neighbour lists to edge probabilities.

With k = n_neighbors (the point itself counted, but not listed), rho_i the smallest non-zero distance of row i
(generalised by local_connectivity) and sigma_i the bandwidth:

    p_{j|i} = f(x_ij),  x_ij = max(0, d_ij - rho_i) / sigma_i,  sigma_i such that  sum_j p_{j|i} = log2 k,
    p_ij = p_{j|i} + p_{i|j} - p_{j|i} p_{i|j}                  (set_op_mix_ratio = 1).

Three kernels f, each without a parameter beside sigma:

    exponential     exp(-x)         UMAP's
    gaussian        exp(-x^2)       flat at rho, lighter tail; sigma is sqrt(2) standard deviations
    power           1 / (1 + x)     as steep at rho as the exponential, f'(0) = -1, tail 1/x

The power law is the exponential of random rate, integral_0^inf exp(-t) exp(-t x) dt = 1/(1 + x), as UMAP's q is of
exp(-a d^(2b)): it is q of the distance beyond rho with a = 1/sigma, b = 1/2.  As functions of the distance, two
of the kernels, at any two sigma, cross at most once beyond rho, and the one of lighter tail is above before.  So of
two rows of one sum over the same distances that of the lighter tail majorises the other: entropies and Hill numbers
of a row, and sum_j h(p_{j|i}), rise from gaussian to exponential to power.

The row sum runs over the k - 1 listed neighbours.  Each f falls strictly and continuously from f(0) = 1 to
f(inf) = 0, and x falls where sigma rises (if d > rho): so for each f the sum rises with sigma, strictly unless all
are at or under rho, from the number of neighbours at or under rho (sigma -> 0) to k - 1 (sigma -> inf), and meets
log2 k < k - 1 (k > 2) at one sigma.  A row whose count reaches log2 k (ties, duplicates) has no solution (`tied`),
and a sigma under a thousandth of the row's mean distance is raised to that (`floored`): the exact law is
sum_j p_{j|i} >= log2 k - 1e-5, with equality to 1e-5 unless tied or floored.

The arithmetic is umap-learn's (0.5.12, umap_.py, smooth_knn_dist and compute_membership_strengths), float32
included, so that sigma, rho and p of the exponential kernel have its bits; it has no other.  One deviation: a row
whose mean distance lies outside [2^-20, 2^20] is divided by a power of two before the search, which from its start
at 1 would not get there.
"""

import math

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from umapinfo.core.graph import Graph, Rows, csr_graph
from umapinfo.core.neighbors import Neighbors, neighbors_from_lists
from umapinfo.jit import jit
from umapinfo.threads import in_parts

TOLERANCE = 1e-5  # of the row sum, umap-learn's SMOOTH_K_TOLERANCE
FLOOR = 1e-3  # of the mean distance, umap-learn's MIN_K_DIST_SCALE
BISECTIONS = 64
MEMBERSHIPS = ("exponential", "gaussian", "power")  # a kernel is told its place in this tuple
GAUSSIAN, POWER = 1, 2
FLOAT32_MAX = np.finfo(np.float32).max
Floats = NDArray[np.float32]


def fuzzy_graph(
    neighbors: Neighbors,
    *,
    local_connectivity: float = 1.0,
    set_op_mix_ratio: float = 1.0,
    membership: str = "exponential",
) -> Graph:
    """The fuzzy graph of neighbour lists: directed memberships, then their fuzzy union.

    Parameters
    ----------
    neighbors : Neighbors
        k - 1 neighbours a row, the point itself not listed.
    local_connectivity : float >= 0
        How many nearest neighbours get membership 1.  At log2 k or above every row is tied.
    set_op_mix_ratio : float in [0, 1]
        1: union p + p' - p p'.  0: intersection p p'.  Between: the mixture.
    membership : "exponential", "gaussian" or "power"
        Kernel of (d - rho)/sigma beyond rho: exp(-x), exp(-x^2) or 1/(1 + x).  The row sum is log2 k with each.  A
        row's entropies rise from gaussian to exponential to power.

    Returns
    -------
    Graph
        Symmetric, with its directed rows.

    Raises
    ------
    TypeError, ValueError
        For lists that `neighbors_from_lists` refuses (a Neighbors may be made by hand), for numbers out of range, and
        for another kernel.
    """
    if not (math.isfinite(local_connectivity) and local_connectivity >= 0):
        raise ValueError(f"fuzzy_graph: expected local_connectivity >= 0, got {local_connectivity}; 1 is usual")
    if not 0 <= set_op_mix_ratio <= 1:
        raise ValueError(f"fuzzy_graph: expected set_op_mix_ratio in [0, 1], got {set_op_mix_ratio}; 1 is usual")
    if not (isinstance(membership, str) and membership in MEMBERSHIPS):
        words = ", ".join(map(repr, MEMBERSHIPS))
        raise ValueError(f"fuzzy_graph: expected membership to be one of {words}, got {membership!r}")
    neighbors = neighbors_from_lists(*neighbors, n_neighbors=np.shape(neighbors[0])[-1] + 1)
    rows = directed_rows(neighbors, float(local_connectivity), membership)
    n = len(rows.rho)
    directed = scipy.sparse.csr_matrix((rows.membership, rows.neighbor, rows.indptr), shape=(n, n))
    both = directed.multiply(directed.T)
    union = np.float32(set_op_mix_ratio) * (directed + directed.T - both) + np.float32(1 - set_op_mix_ratio) * both
    return csr_graph(union, n_neighbors=neighbors.indices.shape[1] + 1, rows=rows)


def directed_rows(neighbors: Neighbors, local_connectivity: float = 1.0, membership: str = "exponential") -> Rows:
    """Bandwidths and memberships p_{j|i} of neighbour lists (see the module's formulas)."""
    n, listed = neighbors.indices.shape
    rho, sigma = np.empty(n, np.float32), np.empty(n, np.float32)
    floored, tied = np.empty(n, np.bool_), np.empty(n, np.bool_)
    P = np.empty((n, listed), np.float32)
    kernel = MEMBERSHIPS.index(membership)
    mean = mean_with_self(neighbors.distances.ravel(), n * (listed + 1))
    given = neighbors.distances, local_connectivity, kernel, mean
    in_parts(lambda start, stop: fill_rows(*given, start, stop, rho, sigma, floored, tied, P), n)
    indptr = np.arange(0, n * listed + 1, listed, dtype=np.int64)
    return Rows(
        indptr,
        neighbors.indices.ravel(),
        neighbors.distances.ravel(),
        P.ravel(),
        rho,
        sigma,
        floored,
        tied,
    )


@jit
def fill_rows(
    distances: Floats,
    local_connectivity: float,
    kernel: int,
    global_mean: float,
    start: int,
    stop: int,
    rho: Floats,
    sigma: Floats,
    floored: NDArray[np.bool_],
    tied: NDArray[np.bool_],
    membership: Floats,
) -> None:
    """Fill rho, sigma, floored, tied (n) and membership (n, k - 1) of some rows of sorted float32 distances (n, k - 1).

    global_mean: of all distances, those of points to themselves counted.
    """
    listed = distances.shape[1]
    target, row = np.log2(np.float64(listed + 1)), np.empty(listed, np.float32)
    for i in range(start, stop):
        scale = search_scale(mean_with_self(distances[i], listed + 1))
        for j in range(listed):
            row[j] = np.float32(distances[i, j] / scale)
        nearest = row_rho(row, local_connectivity)
        width = search_sigma(row, nearest, target, kernel)
        mean = mean_with_self(row, listed + 1) if nearest > 0.0 else global_mean / scale
        floor = FLOOR * mean
        floored[i] = width < floor
        if floored[i]:
            width = np.float32(floor)
        close = 0
        for j in range(listed):
            gap = row[j] - nearest
            close += gap <= 0.0
            membership[i, j] = 1.0 if gap <= 0.0 or width == 0.0 else membership_at(gap / width, kernel)
        tied[i] = close >= target
        rho[i], sigma[i] = np.float32(nearest * scale), np.float32(width * scale)


@jit
def membership_at(x: np.float32, kernel: int) -> np.float32:
    """f(x), x >= 0, of the kernel with that place in MEMBERSHIPS: exp(-x), exp(-x^2) or 1/(1 + x)."""
    if kernel == GAUSSIAN:
        return np.exp(-(x * x))
    if kernel == POWER:
        return np.float32(1.0) / (np.float32(1.0) + x)
    return np.exp(-x)


@jit
def mean_with_self(distances: Floats, count: int) -> np.float64:
    """Mean of float32 distances and of the self-distances 0 of umap-learn's lists, summed in float32 as there."""
    total = np.float32(0.0)
    for distance in distances:
        total += distance
    return np.float64(total / count)


@jit
def search_scale(mean: np.float64) -> float:
    """The power of two that brings an extreme mean distance to [1, 2); 1 for ordinary ones, whose bits stay."""
    if mean == 0.0 or 2.0**-20 <= mean <= 2.0**20:
        return 1.0
    return 2.0 ** np.floor(np.log2(mean))


@jit
def row_rho(row: Floats, local_connectivity: float) -> np.float32:
    """The local_connectivity-th smallest non-zero distance, interpolated; the largest if there are fewer; 0 if none."""
    first = 0
    while first < row.shape[0] and row[first] <= 0.0:
        first += 1
    n_nonzero = row.shape[0] - first
    if n_nonzero == 0:
        return np.float32(0.0)
    if n_nonzero < local_connectivity:
        return row[row.shape[0] - 1]
    index = int(np.floor(local_connectivity))
    part = local_connectivity - index
    if index == 0:
        return np.float32(part * row[first])
    nearest = row[first + index - 1]
    if part > TOLERANCE:
        nearest = np.float32(nearest + part * (row[first + index] - nearest))
    return nearest


@jit
def search_sigma(row: Floats, rho: np.float32, target: float, kernel: int) -> np.float32:
    """The sigma at which the row sum meets the target: doubling from 1, then at most 64 bisections, in float32."""
    lo, hi, mid = np.float32(0.0), np.float32(FLOAT32_MAX), np.float32(1.0)
    for _ in range(BISECTIONS):
        total = np.float32(0.0)
        for j in range(row.shape[0]):
            gap = row[j] - rho
            total += membership_at(gap / mid, kernel) if gap > 0.0 else np.float32(1.0)
        if abs(total - target) < TOLERANCE:
            break
        if total > target:
            hi = mid
            mid = np.float32((lo + hi) / 2.0)
        else:
            lo = mid
            mid = np.float32(mid * 2.0) if hi >= FLOAT32_MAX else np.float32((lo + hi) / 2.0)
    return mid
