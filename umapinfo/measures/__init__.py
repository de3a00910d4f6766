"""Measures of graphs and layouts, as functions and as observers.

Degree, binarisation, loss and gradients, calibration, balance, the signed Laplacian, divergences, Fisher-Rao lengths,
squared forces, perplexity.  The functions `degree` and `divergence` stand in the modules of their names.
"""

from umapinfo.measures.balance import effective_balance, layout_diameter, least_diameter, purported_balance
from umapinfo.measures.binarisation import (
    BinarisationObserver,
    graph_binarisation,
    layout_binarisation,
    row_binarisation,
    target_binarisation,
)
from umapinfo.measures.calibration import calibrate
from umapinfo.measures.degree import DegreeObserver
from umapinfo.measures.divergence import (
    Divergence,
    divergence_and_gradient,
    divergence_gradient,
    pair_divergence,
)
from umapinfo.measures.fisher_rao import fisher_rao_distance
from umapinfo.measures.gradient import effective_gradient, purported_gradient
from umapinfo.measures.inertia import negative_directions
from umapinfo.measures.laplacian import effective_laplacian, purported_laplacian
from umapinfo.measures.loss import (
    LossObserver,
    article_cross_entropy,
    effective_loss,
    i_divergence,
    purported_loss,
    reference_losses,
    sampled_loss,
)
from umapinfo.measures.pair_sets import pair_set
from umapinfo.measures.path import PathObserver, path_length
from umapinfo.measures.perplexity import hill_numbers, row_hill_numbers
from umapinfo.measures.squared_forces import (
    SquaredForcesObserver,
    effective_squared_forces,
    purported_squared_forces,
)

__all__ = [
    "BinarisationObserver",
    "DegreeObserver",
    "Divergence",
    "LossObserver",
    "PathObserver",
    "SquaredForcesObserver",
    "article_cross_entropy",
    "calibrate",
    "divergence_and_gradient",
    "divergence_gradient",
    "effective_balance",
    "effective_gradient",
    "effective_laplacian",
    "effective_loss",
    "effective_squared_forces",
    "fisher_rao_distance",
    "graph_binarisation",
    "hill_numbers",
    "i_divergence",
    "layout_binarisation",
    "layout_diameter",
    "least_diameter",
    "negative_directions",
    "pair_divergence",
    "pair_set",
    "path_length",
    "purported_balance",
    "purported_gradient",
    "purported_laplacian",
    "purported_loss",
    "purported_squared_forces",
    "reference_losses",
    "row_binarisation",
    "row_hill_numbers",
    "sampled_loss",
    "target_binarisation",
]
