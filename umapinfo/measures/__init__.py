"""Measures of graphs and layouts, as functions and observers: degree, binarisation, loss, metric, spectrum, perplexity.

The function `degree` stands in the module of its name, `umapinfo.measures.degree`.
"""

from umapinfo.measures.binarisation import (
    BinarisationObserver,
    graph_binarisation,
    layout_binarisation,
    row_binarisation,
    target_binarisation,
)
from umapinfo.measures.degree import DegreeObserver
from umapinfo.measures.eigenpairs import largest_eigenvalues, rigid_motions, smallest_eigenvalues
from umapinfo.measures.fisher import fisher_blocks, fisher_metric, hessian
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
from umapinfo.measures.objective import Loss, dilated, effective, purported
from umapinfo.measures.perplexity import hill_numbers, row_hill_numbers
from umapinfo.measures.spectrum import alignment, spectral_density

__all__ = [
    "BinarisationObserver",
    "DegreeObserver",
    "Loss",
    "LossObserver",
    "alignment",
    "article_cross_entropy",
    "dilated",
    "effective",
    "effective_gradient",
    "effective_loss",
    "fisher_blocks",
    "fisher_metric",
    "graph_binarisation",
    "hessian",
    "hill_numbers",
    "i_divergence",
    "largest_eigenvalues",
    "layout_binarisation",
    "purported",
    "purported_gradient",
    "purported_loss",
    "reference_losses",
    "rigid_motions",
    "row_binarisation",
    "row_hill_numbers",
    "sampled_loss",
    "smallest_eigenvalues",
    "spectral_density",
    "target_binarisation",
]
