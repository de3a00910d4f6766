r"""Natural gradient steps: along the direction in which the loss falls fastest for how far the similarities move.

With the Fisher metric G of the layout's similarities (`umapinfo.measures.fisher`), a displacement delta changes what
the layout says by 1/2 delta^T G delta nats to second order.  The step solves G delta = -gradient, by conjugate
gradients preconditioned by the vertices' own blocks, cut to a trust region in nats: of all displacements as long it
lowers

    m(delta) = gradient . delta + 1/2 delta^T G delta

most.  G is the Hessian where p = q, and its Gauss-Newton part elsewhere: m is a guess, for which the region answers.
A moved or turned layout says the same: along these G and the gradient are 0, and conjugate gradients never go there.
"""

from collections.abc import Callable

import numpy as np

from umapinfo.core.curve import Curve
from umapinfo.measures.bernoulli import Floats
from umapinfo.measures.fisher import fisher_metric
from umapinfo.measures.objective import Loss
from umapinfo.minimise.lbfgs import dot
from umapinfo.minimise.line_search import Trial

ROUGHLY = 1e-3  # rtol of products with G: they choose a direction, the loss is measured
SOLVED, PRODUCTS = 0.1, 50  # residual over the gradient at which CG is done; most products
FLOOR = 1e-6  # of a block's trace, added to its diagonal
SHRUNK, GROWN, TRIALS = 4.0, 4.0, 20
POOR, GOOD, ACCEPTED = 0.25, 0.75, 1e-4  # fall of the loss over that of the guess


def natural_step(loss: Loss, Y: Floats, curve: Curve, gradient: Floats) -> tuple[Floats, float]:
    """The displacement delta float64[n, d] of a whole step, and its length 1/2 delta^T G delta in nats."""
    metric = fisher_metric(Y, curve, weights=loss.weights, rtol=ROUGHLY)
    blocks, d = metric.own.blocks, Y.shape[1]
    floor = FLOOR * np.maximum(np.trace(blocks, axis1=1, axis2=2), np.finfo(float).tiny)
    inverse = np.linalg.inv(blocks + floor[:, np.newaxis, np.newaxis] * np.eye(d))
    delta = conjugate_gradients(
        lambda x: (metric @ x.ravel()).reshape(x.shape), lambda x: np.einsum("iab,ib->ia", inverse, x), -gradient
    )
    return delta, 0.5 * dot(delta, (metric @ delta.ravel()).reshape(Y.shape))


def conjugate_gradients(
    product: Callable[[Floats], Floats], preconditioner: Callable[[Floats], Floats], b: Floats
) -> Floats:
    """About the solution x of G x = b, positive semi-definite; sums in a fixed order, so that bits are kept."""
    x, rest = np.zeros_like(b), b.copy()
    z = preconditioner(rest)
    way, size, enough = z.copy(), dot(rest, z), SOLVED**2 * dot(b, preconditioner(b))
    for _ in range(PRODUCTS):
        turned = product(way)
        curvature = dot(way, turned)
        if size <= enough or not curvature > 0:
            break
        x += (size / curvature) * way
        rest -= (size / curvature) * turned
        z = preconditioner(rest)
        before, size = size, dot(rest, z)
        way = z + (size / before) * way
    return x


def trusted(at: Callable[[float], Trial], start: Trial, length: float, trust: float) -> tuple[Trial | None, float]:
    """The first trial along a step that the loss follows as guessed, and the trust for the next; or None.

    Parameters
    ----------
    at : part of the whole step -> Trial
    start : Trial
        Of part 0; its slope is gradient . delta < 0.
    length : float, nats
        Of the whole step.
    trust : float, nats
        Length that the first trial may have.
    """
    part = min(1.0, np.sqrt(trust / length)) if length > 0 else 1.0
    for _ in range(TRIALS):
        here, far = at(part), part**2 * length
        guessed = -(part * start.slope + far)
        followed = (start.value - here.value) / guessed if guessed > 0 else -np.inf
        if followed > GOOD and far >= 0.99 * trust:
            trust *= GROWN
        elif not followed > POOR:
            trust = far / SHRUNK
        if followed > ACCEPTED:
            return here, trust
        part = min(part / 2, np.sqrt(trust / length)) if length > 0 else part / 2
    return None, trust
