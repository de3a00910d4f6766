"""Measures of graphs and layouts, as functions and as observers.

Degree, binarisation, loss and gradients, Fisher's metric, Hessians and their spectra, calibration, balance, the signed
Laplacian, divergences, Fisher-Rao lengths, squared forces, perplexity.  The functions `degree` and `divergence` stand
in the modules of their names.
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
from umapinfo.measures.divergence import Divergence, divergence_and_gradient, divergence_gradient, pair_divergence
from umapinfo.measures.eigenpairs import largest_eigenvalues, rigid_motions, smallest_eigenvalues
from umapinfo.measures.fisher import fisher_blocks, fisher_metric, hessian
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
from umapinfo.measures.objective import Loss, dilated, effective, purported
from umapinfo.measures.pair_sets import pair_set
from umapinfo.measures.path import PathObserver, path_length
from umapinfo.measures.perplexity import hill_numbers, row_hill_numbers
from umapinfo.measures.spectrum import alignment, spectral_density
from umapinfo.measures.squared_forces import SquaredForcesObserver, effective_squared_forces, purported_squared_forces

__all__ = [
    "BinarisationObserver",
    "DegreeObserver",
    "Divergence",
    "Loss",
    "LossObserver",
    "PathObserver",
    "SquaredForcesObserver",
    "alignment",
    "article_cross_entropy",
    "calibrate",
    "dilated",
    "divergence_and_gradient",
    "divergence_gradient",
    "effective",
    "effective_balance",
    "effective_gradient",
    "effective_laplacian",
    "effective_loss",
    "effective_squared_forces",
    "fisher_blocks",
    "fisher_metric",
    "fisher_rao_distance",
    "graph_binarisation",
    "hessian",
    "hill_numbers",
    "i_divergence",
    "largest_eigenvalues",
    "layout_binarisation",
    "layout_diameter",
    "least_diameter",
    "negative_directions",
    "pair_divergence",
    "pair_set",
    "path_length",
    "purported",
    "purported_balance",
    "purported_gradient",
    "purported_laplacian",
    "purported_loss",
    "purported_squared_forces",
    "reference_losses",
    "rigid_motions",
    "row_binarisation",
    "row_hill_numbers",
    "sampled_loss",
    "smallest_eigenvalues",
    "spectral_density",
    "target_binarisation",
]
