r"""Where a minimiser starts: what may be a start, and how a layout of UMAP's becomes a good one.

UMAP's layout is in good order down to the distance at which two points look the same, and in none below that.  Dilated
until its scale is right (`umapinfo.measures.dilated`), it carries that disorder to where it costs: vertices have to
find their way through each other.  `unfolded` never lets them come into it.  It raises the repulsion by a factor lambda

    L_lambda(Y) = sum_e A_e softplus(-theta_e) + lambda B_e softplus(theta_e),      lambda_0 <= lambda <= 1,

from that with which the layout rests at its own scale, d L / d ln s = 0 there:

    lambda_0 = sum_e A_e (1 - q_e) / sum_e B_e q_e       (for c = 0; UMAP's layout of MNIST, purported loss: 2.4e-4)

and after each rise takes iterations, so that order is found while all is near, and kept.  It is the early
exaggeration of t-SNE, there of the attraction.  Of n digits of MNIST the purported loss (nats) when all repulsion is
there, and where `minimise` then rests (tolerance 1e-6):

    n         iterations after a rise   unfolded     at rest     iterations to it
    5,000     none, dilated alone       68,468       59,037      447
              10                        58,911       58,804      219
              30                        58,845       58,788      237
    20,000    10                        268,674      267,930     934
              30                        268,037      267,783     323
    70,000    30                        1,052,387    1,050,649   786

More iterations after a rise are worth more the more points there are: what the unfolding leaves out of order finds its
way slowly afterwards.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from umapinfo.core.curve import Curve, checked_curve
from umapinfo.measures.loss_sums import checked_rows
from umapinfo.measures.objective import Loss, check_connected, dilated
from umapinfo.minimise.iterations import Minimiser, Settings
from umapinfo.pairs import edge_d2, edge_potentials
from umapinfo.pairs.sums import checked_layout
from umapinfo.progress import Progress

LEAST = 1e-6  # factor of the repulsion: below, a rise changes the scale alone
RAISED = 1.8  # repulsion of a stage over that of the one before, at most
ROUGHLY = 1e-2  # rtol of the scales between stages


def unfolded(
    loss: Loss, curve: Curve, Y0: ArrayLike, *, n_steps: int = 30, rtol: float | None = 1e-5, progress: bool = True
) -> NDArray[np.float64]:
    """The layout that Y0 becomes while repulsion rises, in steps, from that with which Y0 rests to that of the loss.

    For `minimise` to start from: with many points it ends lower than from the `dilated` layout.

    Parameters
    ----------
    loss : Loss
        `purported(graph)` or `effective(graph, descent)` of `umapinfo.measures`, of a connected pruned graph.
    curve : Curve
    Y0 : float[n, d], layout units
        UMAP's layout, say.
    n_steps : int >= 0
        Iterations of L-BFGS after each rise, at most; there is a rise for each factor of 1.8, 15 for MNIST, at most 24.
    rtol : float in (0, 1) or None
        As for `minimise`.
    progress : bool

    Returns
    -------
    float64[n, d]
        Centred, at the scale at which the loss is least.  Where Y0 is as wide as that already, or wider, and for
        n_steps = 0: Y0, centred and `dilated`.

    Raises
    ------
    TypeError, ValueError
        As for `minimise`, and for `dilated`; a loss that is not of these two, as it does not say what repels.
    """
    curve, Y = checked_curve(curve), checked_start(loss, Y0)
    if type(loss) is not Loss:
        raise TypeError(
            f"loss: expected purported(graph) or effective(graph, descent), whose repulsion can be raised, got "
            f"{type(loss).__name__}; start from dilated(loss, curve, Y0)"
        )
    settings = Settings(n_steps=n_steps, rtol=rtol)
    Y = Y - Y.mean(axis=0)  # scales are about the origin
    factors = rises(loss, curve, Y) if settings.n_steps else ()
    with Progress(progress) as report:
        for stage, factor in enumerate(factors):
            eased = with_repulsion(loss, factor)
            minimiser = Minimiser(eased, curve, settings)
            arrays = minimiser.start(dilated(eased, curve, Y, rtol=ROUGHLY))
            for step in range(settings.n_steps):
                if arrays["over"]:
                    break
                minimiser.step(arrays)
                report("unfold", stage * settings.n_steps + step + 1, len(factors) * settings.n_steps)
            Y = arrays["Y"]
    return dilated(loss, curve, Y, rtol=rtol)


def rises(loss: Loss, curve: Curve, Y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Factors of the repulsion, each at most RAISED times the last: from lambda_0, or 1e-6, on; 1 is left out."""
    first = max(resting_repulsion(loss, curve, Y), LEAST)
    if not first < 1:
        return np.zeros(0)
    n_stages = int(np.ceil(np.log(1 / first) / np.log(RAISED)))
    return np.geomspace(first, 1, n_stages + 1)[:-1]


def resting_repulsion(loss: Loss, curve: Curve, Y: NDArray[np.float64]) -> float:
    """The factor of the repulsion with which a layout rests at its own scale, lambda_0 > 0; +inf if nothing repels."""
    value, gradient = loss.value_and_gradient(Y, curve, loss.plan(Y, curve))
    check_apart(value, Y)
    heads, tails = loss.weights.heads, loss.weights.tails
    slope = edge_potentials(Y, heads, tails, curve, ("attraction_slope",))[0]
    d2 = edge_d2(Y, heads, tails)
    pull = float((loss.weights.A * np.where(d2 > 0, slope * d2, 0.0)).sum())
    push = pull - float((Y * gradient).sum())
    return pull / push if push > 0 else np.inf


def with_repulsion(loss: Loss, factor: float) -> Loss:
    """The loss with all its repulsion a factor > 0 times as strong."""
    weights, root = loss.weights, np.sqrt(factor)
    return replace(loss, weights=replace(weights, B=factor * weights.B, u=root * weights.u, v=root * weights.v))


def checked_start(loss: Any, Y0: ArrayLike) -> NDArray[np.float64]:
    """The start in float64; an error unless it is a layout of the loss's graph, and that connected."""
    if not isinstance(loss, Loss):
        raise TypeError(f"loss: expected a Loss, got {type(loss).__name__}; make one with umapinfo.measures.purported")
    check_connected(loss.graph)
    return checked_layout(checked_rows(loss.weights, Y0))


def check_apart(value: float, Y: NDArray[np.float64]) -> None:
    """ValueError where the start costs +inf, with the first vertices that coincide."""
    if np.isfinite(value):
        return
    _, place, n_there = np.unique(Y, axis=0, return_inverse=True, return_counts=True)
    if n_there.max() == 1:
        raise ValueError(
            "start: expected points apart, got some so near that their squared distance is 0 in float64, which costs "
            "+inf; give a wider layout, or add a little noise"
        )
    vertex = int(np.argmax(n_there[place.ravel()] > 1))
    other = int(np.flatnonzero((Y[vertex] == Y).all(axis=1))[1])
    raise ValueError(
        f"start: expected points apart, got vertices {vertex} and {other} both at {Y[vertex]}, which costs +inf "
        "and pushes them nowhere; add a little noise, Y0 + 1e-3 * (Y0.std() or 1) * rng.normal(size=Y0.shape) say"
    )
