"""umapinfo: what a UMAP run minimised, traced and measured in the terms of information theory."""

__version__ = "0.1.0"

from umapinfo.core.curve import Curve, fit_curve
from umapinfo.core.descent import Epoch, State, epochs, initial_state
from umapinfo.core.graph import Graph, Rows, graph_from_csr, prune
from umapinfo.core.initial import initial_layout
from umapinfo.core.membership import fuzzy_graph
from umapinfo.core.neighbors import Neighbors, neighbors, neighbors_from_lists
from umapinfo.core.settings import Descent
from umapinfo.embed import embed, resume
from umapinfo.minimise import history, minimise, minimiser_layout, resume_minimisation, unfolded
from umapinfo.pairs import PairSums, pair_sums
from umapinfo.report import summary
from umapinfo.trace import Recording, curve_of, descent_of, graph_of, open_trace, replay, run

__all__ = [
    "Curve",
    "Descent",
    "Epoch",
    "Graph",
    "Neighbors",
    "PairSums",
    "Recording",
    "Rows",
    "State",
    "curve_of",
    "descent_of",
    "embed",
    "epochs",
    "fit_curve",
    "fuzzy_graph",
    "graph_from_csr",
    "graph_of",
    "history",
    "initial_layout",
    "initial_state",
    "minimise",
    "minimiser_layout",
    "neighbors",
    "neighbors_from_lists",
    "open_trace",
    "pair_sums",
    "prune",
    "replay",
    "resume",
    "resume_minimisation",
    "run",
    "summary",
    "unfolded",
]
