"""The iterations of a minimiser: each from arrays alone, which a checkpoint holds, so that a run can be gone on with.

All values of a run of iterations are taken by one plan of the sums over all pairs (`umapinfo.pairs.energy`): they are
one smooth function.  The plan is renewed, and the value taken anew, every RENEWED iterations, when a line search finds
nothing, and after a trial that would have taken many vertices out of its box: that counts as too far.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from umapinfo.core.curve import Curve
from umapinfo.measures.objective import Loss
from umapinfo.minimise.conjugate_gradients import dot
from umapinfo.minimise.lbfgs import Memory
from umapinfo.minimise.line_search import Trial, line_search
from umapinfo.minimise.natural import natural_step, trusted
from umapinfo.minimise.springs import springs_of
from umapinfo.pairs import Plan
from umapinfo.pairs.choice import Split
from umapinfo.pairs.sums import checked_rtol

Floats = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]

METHODS = ("lbfgs", "natural")
RENEWED = 100  # iterations by one plan
LEFT = 64  # more vertices outside the box of a plan than when it was made
WINDOW = 20  # iterations over which a run has to fall by its tolerance, or ends
HISTORY = ("values", "gradient_norms", "steps", "evaluations", "plans")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a loss is minimised: the arguments of `umapinfo.minimise` of these names."""

    method: str = "lbfgs"
    n_steps: int = 1000
    tolerance: float = 1e-6
    rtol: float | None = 1e-5
    memory: int = 20
    trust: float = 1.0

    def __post_init__(self) -> None:
        """Refuse settings outside their ranges."""
        if self.method not in METHODS:
            raise ValueError(f"method: expected one of {', '.join(map(repr, METHODS))}, got {self.method!r}")
        for name, kind, low, high in (
            ("n_steps", int, 0, 10**6),
            ("memory", int, 1, 1000),
            ("tolerance", float, 0.0, 1.0),
            ("trust", float, 1e-12, 1e12),
        ):
            value = getattr(self, name)
            real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
            if not (real and low <= value <= high and kind(value) == value):
                wanted = "whole " if kind is int else ""
                raise ValueError(f"{name}: expected a {wanted}number in [{low:g}, {high:g}], got {value!r}")
            object.__setattr__(self, name, kind(value))
        object.__setattr__(self, "rtol", checked_rtol(self.rtol))


class Minimiser:
    """Takes a loss down, iteration by iteration.

    Its arrays are all that the next iteration needs: Y and gradient float64[n, d], value, the memory of the method, the
    plan as numbers with the curvature taken at it, and for each iteration done the value, the gradient's norm, the
    step, evaluations and plans so far.
    """

    def __init__(self, loss: Loss, curve: Curve, settings: Settings) -> None:
        self.loss, self.curve, self.settings = loss, curve, settings

    def blank(self, shape: tuple[int, int]) -> Arrays:
        """Arrays for a layout of a shape, not yet filled."""
        n_steps, m = self.settings.n_steps, self.settings.memory if self.settings.method == "lbfgs" else 0
        whole = ("outside", "plan_made", "n_seen", "n_iterations", "n_evaluations", "n_plans")
        arrays: Arrays = {
            "Y": np.zeros(shape),
            "gradient": np.zeros(shape),
            "value": np.zeros(()),
            "curvature": np.ones((shape[0], 1)),
            "plan": np.full(4 + 2 * shape[1], np.nan),
            "moves": np.zeros((m, *shape)),
            "turns": np.zeros((m, *shape)),
            "trust": np.array(self.settings.trust),
            "over": np.array(False),
        }
        arrays |= {name: np.zeros((), np.int64) for name in whole}
        return arrays | {name: np.full(n_steps + 1, np.nan) for name in HISTORY}

    def start(self, Y: Floats) -> Arrays:
        """Arrays before the first iteration."""
        arrays = self.blank(Y.shape)
        arrays["Y"][:] = Y
        self._renew(arrays)
        self._note(arrays, 0.0)
        return arrays

    def step(self, arrays: Arrays) -> None:
        """One iteration; none if the run is over: the layout then rests."""
        if arrays["over"]:
            return
        if arrays["n_iterations"] - arrays["plan_made"] >= RENEWED:
            self._renew(arrays)
        memory, step = memory_of(arrays), 0.0
        found = self._searched(arrays, memory)
        if found is not None:
            if self.settings.method == "lbfgs":
                memory.keep(found.Y - arrays["Y"], found.gradient - arrays["gradient"])
            arrays["Y"][:], arrays["gradient"][:], arrays["value"][...] = found.Y, found.gradient, found.value
            step = found.step
        elif memory.n_seen or arrays["plan_made"] < arrays["n_iterations"]:
            memory.clear()  # and once more, from a new plan and without what was remembered
            arrays["plan_made"][...] = -RENEWED
        else:
            arrays["over"][...] = True  # as low as values can tell
        arrays["n_iterations"] += 1
        self._note(arrays, step)

    def _searched(self, arrays: Arrays, memory: Memory) -> Trial | None:
        """The layout that the method finds, or None."""
        Y, gradient, length = arrays["Y"], arrays["gradient"], 0.0
        if self.settings.method == "natural":
            curvature = self.loss.curvature(Y, self.curve, arrays["curvature"])
            direction, length = natural_step(self.loss, Y, self.curve, gradient, curvature)
        else:
            direction = memory.direction(gradient, springs_of(self.loss, Y, self.curve, arrays["curvature"]).divide)
        start = Trial(0.0, float(arrays["value"]), dot(direction, gradient), Y, gradient)
        if not start.slope < 0:
            return None

        def at(step: float) -> Trial:
            return self._trial(arrays, direction, step)

        if self.settings.method == "natural":
            found, arrays["trust"][...] = trusted(at, start, length, float(arrays["trust"]))
            return found
        return line_search(at, start, 1.0)

    def _trial(self, arrays: Arrays, direction: Floats, step: float) -> Trial:
        """The loss at a step along a direction; +inf where that is too far for the plan."""
        Y = arrays["Y"] + step * direction
        if not np.isfinite(Y).all() or self._n_left(arrays, Y) > 0:
            arrays["plan_made"][...] = -RENEWED  # the next iteration has a plan for where this one has come to
            return Trial(step, np.inf, np.inf, Y, Y)
        arrays["n_evaluations"] += 1
        value, gradient = self.loss.value_and_gradient(Y, self.curve, plan_of(arrays, self.curve))
        return Trial(step, value, dot(direction, gradient), Y, gradient)

    def _n_left(self, arrays: Arrays, Y: Floats) -> int:
        """How many more vertices lie outside the plan's box than it is kept for; 0 or less: it serves."""
        plan = plan_of(arrays, self.curve)
        return 0 if plan is None else int((~plan.inside(Y)).sum() - arrays["outside"]) - LEFT

    def _renew(self, arrays: Arrays) -> None:
        """A new plan for where the layout is, and value, gradient and curvatures by it."""
        Y = arrays["Y"]
        plan = self.loss.plan(Y, self.curve, self.settings.rtol)
        arrays["plan"][:] = np.nan if plan is None else numbers_of(plan)
        arrays["outside"][...] = 0 if plan is None else (~plan.inside(Y)).sum()
        arrays["curvature"][:] = self.loss.curvature_everywhere(Y, self.curve)
        arrays["value"][...], arrays["gradient"][:] = self.loss.value_and_gradient(Y, self.curve, plan)
        arrays["n_plans"] += 1
        arrays["n_evaluations"] += 1
        arrays["plan_made"][...] = arrays["n_iterations"]

    def _note(self, arrays: Arrays, step: float) -> None:
        """Write down how the iteration ended, and whether the run is over."""
        k = int(arrays["n_iterations"])
        norm = np.sqrt(dot(arrays["gradient"], arrays["gradient"]))
        noted = (arrays["value"], norm, step, arrays["n_evaluations"], arrays["n_plans"])
        for name, number in zip(HISTORY, noted, strict=True):
            arrays[name][k] = number
        before, now = arrays["values"][max(k - WINDOW, 0)], arrays["values"][k]
        settled = k >= WINDOW and before - now <= self.settings.tolerance * abs(now)
        arrays["over"][...] = arrays["over"] | settled | (norm == 0)


def memory_of(arrays: Arrays) -> Memory:
    """The memory that the arrays hold."""
    return Memory(arrays["moves"], arrays["turns"], arrays["n_seen"])


def numbers_of(plan: Plan) -> Floats:
    """A plan as numbers, float64[4 + 2 d]; the curve is not among them."""
    split = plan.split
    return np.array([*split.centre, *split.modes, split.step, split.radius, split.cost, plan.tolerance])


def plan_of(arrays: Arrays, curve: Curve) -> Plan | None:
    """The plan that the arrays hold, or None."""
    numbers = arrays["plan"].tolist()
    d = (len(numbers) - 4) // 2
    step, radius, cost, tolerance = numbers[2 * d :]
    if np.isnan(step):
        return None
    modes = tuple(int(m) for m in numbers[d : 2 * d])
    return Plan(curve, 0, Split(tuple(numbers[:d]), step, modes, radius, cost), tolerance)
