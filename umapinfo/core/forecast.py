"""Memory of the core's stages, from sizes that are known before they start.

A stage is charged with the arrays that it holds at its worst moment, beside what it is given: 4 bytes an int32 or
float32, 8 an int64 or float64.  R counts the entries of the directed rows, n (k - 1), and E those of the graph; which,
R <= E <= 2 R, the data decide.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
import scipy.sparse

from umapinfo.core.calendar import AT_A_TIME, FEW, PART
from umapinfo.core.graph import Graph
from umapinfo.core.initial import LANCZOS_VECTORS
from umapinfo.core.settings import Descent

UNION = 1.6  # entries of the graph, and its degrees, over those of the rows, before it is there: from 1 to 2
MOST_EPOCHS = 32  # of a calendar


class Sizes(NamedTuple):
    """What the memory of a run follows from.

    Attributes
    ----------
    n_vertices, n_axes : int
    n_listed : float
        Entries of the directed rows; 0 of a graph without.
    n_entries : float
        Entries of the graph.
    n_due : float
        Attractions of an epoch, on average: the sum of the weights over the largest.
    """

    n_vertices: int
    n_axes: int
    n_listed: float
    n_entries: float
    n_due: float


def sizes_of(graph: Graph, n_axes: int) -> Sizes:
    """The sizes of a run on a graph."""
    n_listed = 0 if graph.rows is None else len(graph.rows.neighbor)
    n_due = float(graph.weight.sum(dtype=np.float64) / graph.weight.max()) if graph.n_entries else 0.0
    return Sizes(graph.n_vertices, n_axes, n_listed, graph.n_entries, n_due)


def expected_sizes(n: int, n_neighbors: int, n_axes: int) -> Sizes:
    """Those of a run whose graph is not there yet."""
    n_listed = n * (n_neighbors - 1)
    return Sizes(n, n_axes, n_listed, UNION * n_listed, UNION * n * np.log2(n_neighbors))


def lists_bytes(sizes: Sizes) -> float:
    """Neighbour lists: indices and distances."""
    return 8 * sizes.n_listed


def rows_bytes(sizes: Sizes) -> float:
    """Directed rows: three arrays an entry; indptr, rho, sigma, floored and tied."""
    return 12 * sizes.n_listed + (18 * sizes.n_vertices if sizes.n_listed else 0)


def csr_bytes(sizes: Sizes) -> float:
    """A graph without its rows."""
    return 8 * sizes.n_entries + 8 * sizes.n_vertices


def fuzzy_graph_bytes(sizes: Sizes) -> float:
    """The fuzzy union, where it is made or copied to the graph, 8 bytes an entry of each sparse matrix.

    Beside the rows: the product of both directions, of the 2 R - E mutual entries, plain and times a number, and the
    union, before and after the two are added.  Or the product, the union, its copy and the copy's indices.  Nine int32
    a vertex are the indptr of all.
    """
    mutual, union = 2 * sizes.n_listed - sizes.n_entries, sizes.n_entries
    return rows_bytes(sizes) + max(16 * mutual + 16 * union, 8 * mutual + 20 * union) + 36 * sizes.n_vertices


def start_bytes(sizes: Sizes, how: str | Any, data: Any) -> float:
    """A start: a spectral one, the centred data of a pca, or an array.

    The former holds the weights W, float64 and int32 an entry, the same times D^-1/2 on both sides and, before it, on
    one, and D^-1/2 itself; or Lanczos' vectors.  Any has layouts in float64, and looks which of the data are finite.
    """
    n, name = sizes.n_vertices, how if isinstance(how, str) else "array"
    n_bytes = float(data.size)
    if name == "spectral":
        n_bytes = max(n_bytes, 24 * sizes.n_entries + max(12 * sizes.n_entries + 48 * n, 8 * LANCZOS_VECTORS * n))
    if name == "pca" and not scipy.sparse.issparse(data):
        n_bytes = 8.0 * data.size
    return n_bytes + 8 * 3 * n * sizes.n_axes


def calendar_bytes(sizes: Sizes, n_blocks: int) -> float:
    """The calendar's entries and numbers of negative samples, int32 each: a place an entry more than are due.

    And a place more for each part, where it begins in each epoch, and how much it has to do.
    """
    n_parts = n_blocks + sizes.n_vertices / PART
    n_epochs = int(min(max(AT_A_TIME / max(sizes.n_due, 1.0), 1.0), MOST_EPOCHS))
    places = 8 * min(n_epochs * sizes.n_due + sizes.n_entries, n_epochs * sizes.n_entries)
    return places + 8 * (2 * n_epochs + 2) * n_parts


def descent_bytes(sizes: Sizes, descent: Descent) -> tuple[float, float]:
    """A descent at its start, where the places of a calendar are counted, and from epoch to epoch; the graph is given.

    Heads; two periods and two due times; the counting holds three more arrays of 8 bytes.  A vertex has its place
    twice, four counts, two marks and its streams twice; in the blocked order its place again, and for each thread its
    place, reactions and a count.
    """
    n, n_teams = sizes.n_vertices, numba.get_num_threads() if sizes.n_entries > FEW else 1
    reactions = 4 * sizes.n_axes + (8 * sizes.n_axes + 8) * n_teams if descent.order == "blocked" else 0
    streams = 48 if descent.streams == "umap" else 0
    vertices = (8 * sizes.n_axes + 40 + streams + reactions) * n
    entries = (4 + 16 + 16) * sizes.n_entries + vertices
    return entries + 24 * sizes.n_entries, entries + calendar_bytes(sizes, descent.n_blocks_for(n))
