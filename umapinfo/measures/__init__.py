"""Measures of graphs and layouts, as functions and observers: degree, binarisation, loss, divergence, gradients, path.

The functions `degree` and `divergence` stand in the modules of their names, `umapinfo.measures.degree` for one.
"""

from umapinfo.measures.binarisation import (
    BinarisationObserver,
    graph_binarisation,
    layout_binarisation,
    row_binarisation,
    target_binarisation,
)
from umapinfo.measures.degree import DegreeObserver
from umapinfo.measures.divergence import (
    Divergence,
    divergence_and_gradient,
    divergence_gradient,
    pair_divergence,
)
from umapinfo.measures.fisher_rao import fisher_rao_distance
from umapinfo.measures.gradient import effective_gradient, purported_gradient
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

__all__ = [
    "BinarisationObserver",
    "DegreeObserver",
    "Divergence",
    "LossObserver",
    "PathObserver",
    "article_cross_entropy",
    "divergence_and_gradient",
    "divergence_gradient",
    "effective_gradient",
    "effective_loss",
    "fisher_rao_distance",
    "graph_binarisation",
    "hill_numbers",
    "i_divergence",
    "layout_binarisation",
    "pair_divergence",
    "pair_set",
    "path_length",
    "purported_gradient",
    "purported_loss",
    "reference_losses",
    "row_binarisation",
    "row_hill_numbers",
    "sampled_loss",
    "target_binarisation",
]
