r"""Springs along the edges: how a displacement of all vertices is to be divided by the stiffness of the loss.

The parabola that touches the attraction f of an edge at its length, and for b <= 1 lies above it, is a spring of
stiffness w = A f'(d)/d, here at most STIFFEST times the median.  With L_w the Laplacian of the springs and C the
stiffness with which all pairs hold a vertex (`umapinfo.measures.objective`, `curvature_everywhere`),

    M = L_w + SOFT C,      (L_w x)_i = sum_j w_ij (x_i - x_j),

with next to nothing added to its diagonal, is positive definite and sparse, and M^-1 moves a neighbourhood as one where
its diagonal's inverse moves each vertex as if the others stood still.  It is solved roughly, by conjugate gradients.

SOFT is small: what holds each vertex where it is holds a cluster as many times over, though the loss hardly resists if
all of it moves.  From the same layout of 70,000 digits, at 1,053,324 nats, 40 iterations bring 24 with SOFT = 0.01 and
113 with 1e-4; 1e-5 brings 120, for half as many products again.

Source: the spectral direction of Vladymyrov and Carreira-Perpinan (2012), "Partial-Hessian strategies for fast learning
of nonlinear embeddings", there with the springs as they are at the start and a Cholesky factor, and without C.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from umapinfo.core.curve import Curve
from umapinfo.measures.bernoulli import Floats
from umapinfo.measures.objective import Loss
from umapinfo.minimise.conjugate_gradients import conjugate_gradients
from umapinfo.pairs import laplacian_product

SOFT = 1e-4  # of the stiffness with which all pairs hold a vertex
LEAST = 1e-9  # of the largest diagonal entry, added to all
STIFFEST = 1e6  # times the median spring: of a stiffer one next to the others nothing would be left by rounding
SOLVED, N_PRODUCTS = 0.1, 100  # residual over force: of 0.03 or 0.1 iterations bring as much


class Springs(NamedTuple):
    """M by its springs w[n, n], in both directions, what holds each vertex, and its diagonal, float64[n, 1] each."""

    between: csr_array
    held: Floats
    diagonal: Floats

    def product(self, x: Floats) -> Floats:
        """M times x float64[n, d]."""
        return self.held * x + laplacian_product(self.between, x)

    def divide(self, force: Floats) -> Floats:
        """About M^-1 times a force float64[n, d]: x with x . force > 0 if that is not 0."""
        return conjugate_gradients(self.product, lambda x: x / self.diagonal, force, SOLVED, N_PRODUCTS)


def springs_of(loss: Loss, Y: Floats, curve: Curve, everywhere: Floats) -> Springs:
    """The springs of a layout; everywhere float64[n, 1] as for `Loss.curvature`."""
    heads, tails, n = loss.weights.heads, loss.weights.tails, len(Y)
    stiffness = loss.stiffness(Y, curve)
    if len(stiffness) and stiffness.max() > 0:
        stiffness = np.minimum(stiffness, STIFFEST * np.median(stiffness[stiffness > 0]))
    held = SOFT * np.maximum(everywhere, 0.0)  # it is right to a few percent of what is far larger elsewhere
    sums = np.bincount(heads, stiffness, n) + np.bincount(tails, stiffness, n)
    largest = float((held[:, 0] + sums).max())
    held += LEAST * largest if largest > 0 else 1.0
    return Springs(loss.weights.both_ways(stiffness), held, held + sums[:, np.newaxis])
