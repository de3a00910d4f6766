"""Measures of graphs and layouts, as functions and as observers.

Degree, binarisation, loss and gradients, calibration, balance, the signed Laplacian, perplexity.
The function `degree` stands in the module of its name, `umapinfo.measures.degree`.
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
from umapinfo.measures.perplexity import hill_numbers, row_hill_numbers

__all__ = [
    "BinarisationObserver",
    "DegreeObserver",
    "LossObserver",
    "article_cross_entropy",
    "calibrate",
    "effective_balance",
    "effective_gradient",
    "effective_laplacian",
    "effective_loss",
    "graph_binarisation",
    "hill_numbers",
    "i_divergence",
    "layout_binarisation",
    "layout_diameter",
    "least_diameter",
    "negative_directions",
    "purported_balance",
    "purported_gradient",
    "purported_laplacian",
    "purported_loss",
    "reference_losses",
    "row_binarisation",
    "row_hill_numbers",
    "sampled_loss",
    "target_binarisation",
]
