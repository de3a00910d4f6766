r"""The loss of the updates that happened in an epoch, and why it estimates the effective loss.

With M = max mu, an entry (i, j) of the graph is due mu_ij / M times an epoch, and both entries of an edge are
there; each time it draws m_neg negative samples, uniform on the n vertices.  On a layout that stands still
the sums

    S_a = sum over attractions of softplus(-theta)
    S_r = gamma sum over negative samples of softplus(theta)

have, per epoch and in the mean over epochs, the expectations

    S_a:  sum_{entries} mu_ij / M softplus(-theta_ij)  =  2/M sum_{i<j} mu_ij softplus(-theta_ij)
    S_r:  gamma sum_i (d_i / M) m_neg / n sum_{j != i} softplus(theta_ij)
                                 =  2/M sum_{i<j} gamma m_neg (d_i + d_j)/(2n) softplus(theta_ij),

the attraction and repulsion of the effective loss over unordered pairs, times 2/M.  So M/2 (S_a + S_r)
estimates it without bias in the mean over epochs.  (The schedule is not random: an epoch has the entries that
are due in it.  The first has none, the next ones only the heavy entries, so that the estimate starts low; and
over a run each entry draws about one negative sample fewer than m_neg times its draws.)  The layout moves in an
epoch: each update is taken at the difference vector before its move, in the float32 of the descent.  Updates at
distance 0 (self-draws, coincident pairs) move nothing and are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from umapinfo.core.curve import Curve, checked_curve, logit, softplus
from umapinfo.core.graph import Graph
from umapinfo.jit import jit

if TYPE_CHECKING:
    from umapinfo.core.descent import Epoch
    from umapinfo.core.settings import Descent


class SampledLoss(NamedTuple):
    """Estimates in nats, loss = attraction + repulsion, and the numbers of updates that moved something."""

    loss: float
    attraction: float
    repulsion: float
    n_attractions: int
    n_repulsions: int


def sampled_loss(epoch: Epoch, curve: Curve, descent: Descent, graph: Graph) -> SampledLoss:
    """Estimate the effective loss over unordered pairs from the updates of one epoch.

    M/2 [sum_attractions softplus(-theta) + gamma sum_negatives softplus(theta)], M = max mu: see the module.

    Parameters
    ----------
    epoch : Epoch
        With its updates and the differences before them (``keep_updates``); epoch 0 has none and needs none.
    curve, descent, graph
        Those of the run; the graph is the pruned one.

    Returns
    -------
    SampledLoss
        Zeros where no update moved anything, as in the epochs 0 and 1.

    Raises
    ------
    ValueError
        If the epoch was run without keeping its updates.
    """
    if epoch.number == 0 or graph.n_entries == 0:
        return SampledLoss(0.0, 0.0, 0.0, 0, 0)
    if epoch.updates is None or epoch.delta is None:
        raise ValueError(
            f"sampled_loss: expected an epoch with its updates, got epoch {epoch.number} without; "
            "name it in keep_updates"
        )
    draw = np.ascontiguousarray(epoch.updates["draw"])
    attraction, repulsion, n_attractions, n_repulsions = sampled_sums(draw, epoch.delta, checked_curve(curve))
    scale = float(graph.weight.max()) / 2
    attraction, repulsion = scale * attraction, scale * descent.repulsion_strength * repulsion
    return SampledLoss(attraction + repulsion, attraction, repulsion, n_attractions, n_repulsions)


@jit
def sampled_sums(draw: np.ndarray, delta: np.ndarray, curve: Curve) -> tuple[float, float, int, int]:
    """Sums of softplus(-theta) over attractions (draw -1), softplus(theta) over the rest; their numbers."""
    attraction, repulsion, n_attractions, n_repulsions = 0.0, 0.0, 0, 0
    for t in range(draw.shape[0]):
        d2, d2_of_descent = 0.0, np.float32(0.0)
        for axis in range(delta.shape[1]):
            d2 += np.float64(delta[t, axis]) ** 2
            d2_of_descent += delta[t, axis] ** 2  # in float32, whose 0 (below 1e-23 apart) moves nothing
        if d2_of_descent > 0.0 and draw[t] < 0:
            attraction += softplus(-logit(d2, curve))
            n_attractions += 1
        elif d2_of_descent > 0.0:
            repulsion += softplus(logit(d2, curve))
            n_repulsions += 1
    return attraction, repulsion, n_attractions, n_repulsions
