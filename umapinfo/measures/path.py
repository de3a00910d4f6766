r"""How far a run has gone, in the Fisher-Rao metric of its layouts' similarities (`umapinfo.measures.fisher_rao`).

Of layouts Y_0 ... Y_T with distances rho

    path length         Lambda = sum_t rho(Y_t, Y_(t+1))
    chord               rho(Y_0, Y_T) <= Lambda
    straightness        chord / Lambda

of a run, each epoch counted by the observer, or only recorded ones.  Along a path Y(t) the speed is given by the
Fisher metric, (dphi/dt)^2 summed:  v^T G v = sum over pairs of g (u . (v_i - v_j))^2,  v = dY/dt,  u the pair's
direction and g = q (1 - q) theta'(d)^2, and

    thermodynamic length         integral of (v^T G v)^(1/2) dt,  whatever the times
    thermodynamic divergence     duration times the integral of v^T G v dt  >=  its square, equal at constant speed

(Crooks 2007).  Between two layouts Y is taken as linear in t, and the integrals by Gauss's rule on a few nodes, of
which the inequality holds exactly.  The length of that path is at least Lambda, for any path's is; by a few nodes only
where steps are small.  A pair that coincides at a node is left out there: it has no direction.

All sums over pairs are taken on one `PairSet`; standard errors are those of the sample, of lengths to first order.

Source: Crooks (2007), Phys. Rev. Lett. 99, 100602.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from umapinfo.core.curve import Curve, checked_curve, logit
from umapinfo.core.graph import Graph
from umapinfo.jit import jit
from umapinfo.measures.bernoulli import Floats
from umapinfo.measures.fisher_rao import check_length, turns_of
from umapinfo.measures.pair_sets import PairSet, pair_set, total
from umapinfo.pairs.potentials import FISHER, real_potential
from umapinfo.pairs.sums import checked_layout
from umapinfo.threads import in_parts

if TYPE_CHECKING:
    from umapinfo.core.descent import Epoch
    from umapinfo.core.settings import Descent

__all__ = ["PathLength", "PathObserver", "path_length"]

N_NODES = 3


class PathLength(NamedTuple):
    """Lengths of a path of layouts; formulas in the module's docstring.

    Attributes
    ----------
    length, length_error : float
        Lambda and its standard error.
    chord, chord_error : float
    straightness : float
        chord / length, at most 1; 1 where nothing has moved.
    thermodynamic_length, thermodynamic_divergence : float
    steps : float64[T]
        rho of each layout and the next.
    """

    length: float
    length_error: float
    chord: float
    chord_error: float
    straightness: float
    thermodynamic_length: float
    thermodynamic_divergence: float
    steps: Floats


def path_length(
    layouts: Iterable[ArrayLike],
    curve: Curve,
    pairs: PairSet,
    *,
    times: Sequence[float] | NDArray[Any] | None = None,
    n_nodes: int = N_NODES,
) -> PathLength:
    """Lengths of a path through layouts, of a trace's recorded epochs for example.

    Parameters
    ----------
    layouts : iterable of float[n, d], layout units
        One or more; each is looked at once.
    curve : Curve
    pairs : PairSet
        Of `pair_set`.
    times : increasing numbers, optional
        When each was; by default 0, 1, 2 ...  Only the thermodynamic divergence depends on them.
    n_nodes : int in [1, 64]
        Nodes of each step's integrals.

    Raises
    ------
    TypeError, ValueError
        As for `fisher_rao_distance`; no layout; layouts of several dimensions; times that do not increase or are not
        one a layout; n_nodes.
    """
    if not isinstance(n_nodes, int | np.integer) or not 1 <= n_nodes <= 64:
        raise ValueError(f"n_nodes: expected a whole number in [1, 64], got {n_nodes!r}")
    curve, sums, steps = checked_curve(curve), PathSums.none(len(pairs.heads)), []
    before, clock = None, None if times is None else _checked_times(times)
    for place, layout in enumerate(map(checked_layout, layouts)):
        check_length(layout, pairs.n_vertices)
        if before is not None:
            if layout.shape != before.shape:
                raise ValueError(f"layouts: expected {before.shape[1]} dimensions as before, got {layout.shape[1]}")
            duration = 1.0 if clock is None else _duration(clock, place)
            steps.append(add_step(sums, pairs, before, layout, curve, n_nodes, duration))
        before = layout
    if before is None:
        raise ValueError("layouts: expected one or more, got none")
    if clock is not None and len(clock) != len(steps) + 1:
        raise ValueError(f"times: expected one a layout, got {len(clock)} of {len(steps) + 1} layouts")
    return lengths(sums, pairs)._replace(steps=np.array(steps))


def _checked_times(times: Any) -> Floats:
    """Times as finite, increasing float64[T]."""
    clock = np.asarray(times, dtype=np.float64)
    if clock.ndim != 1 or not np.isfinite(clock).all() or not (np.diff(clock) > 0).all():
        raise ValueError(f"times: expected increasing numbers, one a layout, got {clock}")
    return clock


def _duration(times: Floats, place: int) -> float:
    """Time from the layout before."""
    if place >= len(times):
        raise ValueError(f"times: expected increasing numbers, one a layout, got {times} at layout {place}")
    return float(times[place] - times[place - 1])


class PathSums(NamedTuple):
    """What a path has gathered.

    net float64[m]: by how much each pair's angle has changed.  pull float64[m]: what each pair's square contributes to
    the length, to first order.  sums float64[4]: length, thermodynamic length, integral of v^T G v, duration.
    """

    net: Floats
    pull: Floats
    sums: Floats

    @classmethod
    def none(cls, m: int) -> PathSums:
        """Those of a path that has not begun."""
        return cls(np.zeros(m), np.zeros(m), np.zeros(4))


def add_step(
    gathered: PathSums, pairs: PairSet, Y: Floats, Z: Floats, curve: Curve, n_nodes: int, duration: float
) -> float:
    """Add the way from a layout to the next, in so much time; returns its length rho(Y, Z)."""
    turns = turns_of(pairs, Y, Z, curve)
    squares = turns * turns
    step = float(np.sqrt(total(pairs, squares).value))
    gathered.net[:] += turns
    if step > 0:
        gathered.pull[:] += squares / (2 * step)
    nodes, shares = np.polynomial.legendre.leggauss(n_nodes)
    speeds = np.array([total(pairs, speeds_of(pairs, Y, Z, curve, (1 + node) / 2)).value for node in nodes])
    gathered.sums[:] += [step, shares @ np.sqrt(speeds) / 2, shares @ speeds / 2 / duration, duration]
    return step


def lengths(gathered: PathSums, pairs: PairSet) -> PathLength:
    """What has been gathered, as lengths; without the single steps."""
    length, thermodynamic, action, duration = gathered.sums.tolist()
    squared = total(pairs, gathered.net**2)
    chord = float(np.sqrt(squared.value))
    return PathLength(
        length=length,
        length_error=total(pairs, gathered.pull).error,
        chord=chord,
        chord_error=squared.error / (2 * chord) if chord > 0 else 0.0,
        straightness=chord / length if length > 0 else 1.0,
        thermodynamic_length=thermodynamic,
        thermodynamic_divergence=duration * action,
        steps=np.zeros(0),
    )


def speeds_of(pairs: PairSet, Y: Floats, Z: Floats, curve: Curve, share: float) -> Floats:
    """Squared speeds g (u . (v_i - v_j))^2, v = Z - Y, at Y + share v, of the listed pairs; 0 where they coincide."""
    out = np.empty(len(pairs.heads))
    heads, tails = pairs.heads, pairs.tails
    in_parts(lambda start, stop: fill_speeds(Y, Z, heads, tails, curve, share, start, stop, out), len(out))
    return out


@jit
def fill_speeds(
    Y: Floats,
    Z: Floats,
    heads: np.ndarray,
    tails: np.ndarray,
    curve: Curve,
    share: float,
    start: int,
    stop: int,
    out: Floats,
) -> None:
    """Fill out[e] with the squared speed of pair e's angle on the way from Y to Z, start <= e < stop."""
    for e in range(start, stop):
        i, j, s, along = heads[e], tails[e], 0.0, 0.0
        for axis in range(Y.shape[1]):
            before, after = Y[i, axis] - Y[j, axis], Z[i, axis] - Z[j, axis]
            delta = before + share * (after - before)
            s += delta * delta
            along += delta * (after - before)
        out[e] = real_potential(FISHER, s, logit(s, curve), curve) * (along * along / s) if s > 0.0 else 0.0


class PathObserver:
    """Record how far a run has gone by each recorded epoch, every epoch counted, on a fixed sample of pairs.

    fisher_rao_length and fisher_rao_length_error, fisher_rao_chord, straightness, thermodynamic_length and
    thermodynamic_divergence (an epoch is one unit of time, with one node in its middle).

    Parameters
    ----------
    n_pairs, seed
        As for `pair_set`.  A resumed run keeps the seed, and wants to be given the same n_pairs.
    """

    name = "path"
    needs_updates = False
    _graph: Graph
    _curve: Curve
    _pairs: PairSet

    def __init__(self, n_pairs: int = 50_000, seed: int = 0) -> None:
        self._n_pairs, self._seed = n_pairs, seed

    def start(self, graph: Graph, curve: Curve, descent: Descent) -> dict[str, NDArray[Any]]:
        """Draw the pairs; returns empty sums and the seed."""
        self._graph, self._curve = graph, curve
        self._pairs = pair_set(graph, self._n_pairs, self._seed)
        return {**PathSums.none(len(self._pairs.heads))._asdict(), "seed": np.array(self._seed, np.uint64)}

    def step(self, arrays: dict[str, NDArray[Any]], epoch: Epoch) -> None:
        """Add the way of one epoch."""
        if int(arrays["seed"]) != self._seed:  # of a run that goes on
            self._seed = int(arrays["seed"])
            self._pairs = pair_set(self._graph, self._n_pairs, self._seed)
        before, after = epoch.Y_before.astype(np.float64), epoch.Y.astype(np.float64)
        add_step(_gathered(arrays), self._pairs, before, after, self._curve, 1, 1.0)

    def values(self, arrays: dict[str, NDArray[Any]], epoch: Epoch) -> dict[str, float]:
        """Return the variables named above, from the start up to this epoch."""
        found = lengths(_gathered(arrays), self._pairs)
        return {
            "fisher_rao_length": found.length,
            "fisher_rao_length_error": found.length_error,
            "fisher_rao_chord": found.chord,
            "straightness": found.straightness,
            "thermodynamic_length": found.thermodynamic_length,
            "thermodynamic_divergence": found.thermodynamic_divergence,
        }


def _gathered(arrays: dict[str, NDArray[Any]]) -> PathSums:
    return PathSums(arrays["net"], arrays["pull"], arrays["sums"])
