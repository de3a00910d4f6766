"""Do KL and BCE give one learning dynamics, and is it the one that UMAP runs?

Yes, and no (C35).  KL and BCE differ by a constant, so that exact gradient descent goes one way on both: here each loss
is differentiated as it is written, by complex steps, f'(s) = Im f(s + i h s) / (h s) of a pair's squared distance s,
and the two trajectories, and that of `purported_gradient`, part by rounding alone: some ten orders of magnitude under
what parts them from the descent of the effective loss.  One ulp of float64 in one coordinate of the start does alike.

UMAP as run goes another way.  With the layout held still and a small alpha, its mean move an epoch and alpha is
-2 / max mu times the effective gradient of heads alone (`effective_gradient`, push="head"), but for its clip and its
0.001.  These are no detail: at the end of a run close pairs, whose repulsion 2b/d no loss bounds, make most of that
gradient, and little of what the run does with them.  With both put in (`coded`) the direction is right at small alpha
in every layout, the length up to a fifth too large at the start and the end; at the run's own alpha of 1 the updates of
an epoch see each other's moves, and no field of a held layout says where it goes.  The purported loss falls along its
own descent, and rises in the end along UMAP's.  Steps of a descent and epochs of a run are no common time: which way
each goes is compared, not how fast, and where the curves cross depends on the step.

Losses are KL in nats over unordered pairs, all of them, without the diagonal.  Distances between trajectories are root
mean squares over vertices, over the root mean square distance of the vertices from their centre.  Means of moves are
over seeds, the epochs of a whole run each; two halves of the seeds say how well they are known.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from _study import Options, Study, panels, study
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform

from umapinfo import (
    Curve,
    Descent,
    Graph,
    epochs,
    fit_curve,
    fuzzy_graph,
    initial_layout,
    initial_state,
    neighbors,
    prune,
)
from umapinfo.core.forces import CLIP, attraction_factor, repulsion_factor
from umapinfo.datasets import load
from umapinfo.measures import effective_gradient, effective_loss, purported_gradient, purported_loss, reference_losses
from umapinfo.plot import PALETTE

Floats = NDArray[np.float64]
Field = Callable[[Floats], Floats]
DATA = ("ring", "digits")
RELATIVE_STEP = 1e-30  # h: its square is nothing beside 1
STEP = {"purported": 3e-3, "effective": 1e-2}  # of the descents, (layout units)^2 / nat: both losses then fall
LOOKS = {"coded": ("black", "-", "s"), "head": (PALETTE[0], "-", "o"), "both": (PALETTE[2], "-.", "^")}
LOOKS["purported"] = (PALETTE[1], "--", "v")


class Problem(NamedTuple):
    """A pruned graph, a curve, a start (float64) and the settings of its run."""

    mu: Graph
    curve: Curve
    start: Floats
    descent: Descent


def problem(name: str, n: int, n_epochs: int) -> Problem:
    """Some points of a data set, as UMAP's defaults have them."""
    X = load(name, seed=3, n=n).X
    mu = prune(fuzzy_graph(neighbors(X, 15)), n_epochs)
    return Problem(mu, fit_curve(), initial_layout(mu, X=X).astype(np.float64), Descent(n_epochs=n_epochs))


def kl_of_pairs(p: Floats, q: Any, rest: Any) -> Any:
    """KL of pairs as it is written, p ln(p / q) + (1 - p) ln((1 - p) / rest), with 0 ln 0 = 0 and rest = 1 - q."""
    return p * np.log(np.where(p > 0, p, 1) / q) + (1 - p) * np.log(np.where(p < 1, 1 - p, 1) / rest)


def bce_of_pairs(p: Floats, q: Any, rest: Any) -> Any:
    """BCE of pairs as it is written, -p ln q - (1 - p) ln(1 - q), with rest = 1 - q."""
    return -p * np.log(q) - (1 - p) * np.log(rest)


def dense_field(loss: Callable[..., Any], given: Problem) -> Field:
    """The gradient of sum over pairs of loss(p, q, 1 - q), nats / layout unit, by complex steps pair by pair."""
    p = squareform(given.mu.to_csr().toarray(), checks=False)
    a, b = given.curve.a, given.curve.b

    def field(Y: Floats) -> Floats:
        s = pdist(Y, "sqeuclidean")
        u = a * (s * (1 + 1j * RELATIVE_STEP)) ** b
        slope = loss(p, 1 / (1 + u), u / (1 + u)).imag / (RELATIVE_STEP * s)
        weight = squareform(2 * slope)
        return weight.sum(axis=1)[:, np.newaxis] * Y - weight @ Y

    return field


def trajectory(field: Field, start: Floats, step: float, n_steps: int) -> list[Floats]:
    """Gradient descent: the layouts after 0 ... n_steps steps."""
    layouts = [start]
    for _ in range(n_steps):
        layouts.append(layouts[-1] - step * field(layouts[-1]))
    return layouts


def apart(one: Floats, other: Floats) -> float:
    """Root mean square distance of corresponding vertices, over the radius of the layout."""
    return float(np.sqrt(((one - other) ** 2).sum() / ((one - one.mean(axis=0)) ** 2).sum()))


def fields(given: Problem) -> dict[str, Field]:
    """The library's gradients."""
    mu, curve, descent = given.mu, given.curve, given.descent
    return {
        "purported": lambda Y: purported_gradient(mu, Y, curve),
        "both": lambda Y: effective_gradient(mu, descent, Y, curve),
        "head": lambda Y: effective_gradient(mu, descent, Y, curve, push="head"),
    }


def losses(given: Problem, layouts: Sequence[Any]) -> dict[str, list[float]]:
    """Purported and effective KL of layouts, nats."""
    mu, curve, descent = given.mu, given.curve, given.descent
    return {
        "purported": [purported_loss(mu, Y, curve).kl for Y in layouts],
        "effective": [effective_loss(mu, descent, Y, curve).kl for Y in layouts],
    }


def run_layouts(given: Problem, seed: int = 0) -> list[NDArray[np.float32]]:
    """UMAP as run: its layouts after 0 ... n_epochs epochs."""
    descent = Descent(n_epochs=given.descent.n_epochs, seed=seed)
    state = initial_state(given.mu, descent, given.start)
    return [state.Y.copy(), *(epoch.Y.copy() for epoch in epochs(given.mu, given.curve, descent, state))]


def mean_moves(given: Problem, Y: Any, rate: float, n_seeds: int) -> Floats:
    """Mean move an epoch and alpha of each seed's run at a learning rate, put back to Y after each epoch."""
    means = []
    for seed in range(n_seeds):
        descent = Descent(n_epochs=given.descent.n_epochs, learning_rate=rate, seed=seed)
        state = initial_state(given.mu, descent, Y)
        moved, alphas = np.zeros(state.Y.shape), 0.0
        for epoch in epochs(given.mu, given.curve, descent, state):
            moved += epoch.Y.astype(np.float64) - epoch.Y_before
            alphas += epoch.alpha
            state.Y[:] = Y
        means.append(moved / alphas)
    return np.array(means)


def coded_move(given: Problem, Y: NDArray[np.float32]) -> Floats:
    """The expected move an epoch and alpha, to first order in alpha, of the forces as coded: clipped, with 0.001."""
    mu, n = given.mu, len(Y)
    delta = Y[:, np.newaxis].astype(np.float64) - Y
    d2 = np.maximum((delta**2).sum(axis=2), np.finfo(np.float32).tiny).astype(np.float32)  # own pairs: no delta
    push = np.vectorize(lambda s: repulsion_factor(s, given.curve, given.descent.repulsion_strength))(d2)
    drawn = given.descent.negative_sample_rate / n * mu.degree  # per vertex, times max mu
    move = drawn[:, np.newaxis] * np.clip(push[:, :, np.newaxis] * delta, -CLIP, CLIP).sum(axis=1)
    pull = np.array([attraction_factor(s, given.curve) for s in d2[mu.heads, mu.indices]])
    forces = np.clip(pull[:, np.newaxis] * delta[mu.heads, mu.indices], -CLIP, CLIP)
    np.add.at(move, mu.heads, 2 * mu.weight[:, np.newaxis].astype(np.float64) * forces)  # either entry moves both ends
    return move / float(mu.weight.max())


def cosine(one: Floats, other: Floats) -> float:
    """Of two fields as vectors of all coordinates."""
    return float((one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other))


def comparison(given: Problem, layouts: Sequence[Any], rate: float, n_seeds: int) -> dict[str, list[float]]:
    """Mean moves at layouts beside the coded ones and each gradient times -2 / max mu: cosines and fitted factors.

    `ceiling` is the cosine with the truth that chance leaves to the mean, of the cosine r of halves of the seeds:
    sqrt(2 r / (1 + r)).
    """
    found: dict[str, list[float]] = {name: [] for name in (*LOOKS, "factor_coded", "factor_head", "ceiling")}
    for Y in layouts:
        moves = mean_moves(given, Y, rate, n_seeds)
        scale = -2 / float(given.mu.weight.max())
        expected = {name: scale * field(Y.astype(np.float64)) for name, field in fields(given).items()}
        expected["coded"] = coded_move(given, Y)
        mean = moves.mean(axis=0)
        for name, field in expected.items():
            found[name].append(cosine(mean, field))
        for name in ("coded", "head"):
            found[f"factor_{name}"].append(float((mean * expected[name]).sum() / (expected[name] ** 2).sum()))
        agreed = max(cosine(moves[: n_seeds // 2].mean(axis=0), moves[n_seeds // 2 :].mean(axis=0)), 0.0)
        found["ceiling"].append(float(np.sqrt(2 * agreed / (1 + agreed))))
    return found


def descents(given: Problem, n_steps: int) -> dict[str, list[Floats]]:
    """Trajectories: of KL, of BCE, of the library's gradient, of KL from an ulp beside, of the effective loss."""
    kl, bce = dense_field(kl_of_pairs, given), dense_field(bce_of_pairs, given)
    moved = given.start.copy()
    moved[0, 0] = np.nextafter(moved[0, 0], np.inf)
    wanted = {
        "kl": (kl, given.start, STEP["purported"]),
        "bce": (bce, given.start, STEP["purported"]),
        "library": (fields(given)["purported"], given.start, STEP["purported"]),
        "ulp": (kl, moved, STEP["purported"]),
        "effective": (fields(given)["both"], given.start, STEP["effective"]),
    }
    return {name: trajectory(*setting, n_steps) for name, setting in wanted.items()}


def study_of(name: str, quick: bool) -> dict[str, Any]:
    """Everything about one data set."""
    n, n_epochs, n_steps, n_seeds = (60, 50, 20, 2) if quick else (300, 500, 200, 4)
    given = problem(name, n, n_epochs)
    gone, run = descents(given, n_steps), run_layouts(given)
    steps = np.unique(np.rint(np.geomspace(1, n_steps, 20)).astype(int))
    times = np.unique(np.rint(np.geomspace(1, n_epochs, 20)).astype(int))
    held = [epoch for epoch in (0, 5, 20, 100, 500) if epoch <= n_epochs]
    entropy = purported_loss(given.mu, given.start, given.curve).entropy
    return {
        "n_vertices": n,
        "steps": steps,
        "epochs": times,
        "apart": {what: [apart(gone["kl"][t], gone[what][t]) for t in steps] for what in gone if what != "kl"},
        "run_apart": apart(gone["kl"][-1], run[-1].astype(np.float64)),
        "start": losses(given, [given.start]),
        "along_purported": losses(given, [gone["kl"][t] for t in steps]),
        "along_effective": losses(given, [gone["effective"][t] for t in steps]),
        "along_run": losses(given, [run[t] for t in times]),
        "constant_q_kl": reference_losses(given.mu, given.descent).purported_constant - entropy,
        "held_epochs": held,
        "n_seeds": n_seeds,
        "moves_small": comparison(given, [run[t] for t in held], 1e-2, n_seeds),
        "moves_as_run": comparison(given, [run[t] for t in held], 1.0, n_seeds),
    }


def numbers(options: Options) -> Mapping[str, Any]:
    """Ring and digits, some of their points."""
    return {name: study_of(name, options.quick) for name in DATA}


def draw_apart(name: str, found: Mapping[str, Any], ax: Axes) -> None:
    """How far trajectories part."""
    looks = {
        "effective": ("descent of the effective loss", PALETTE[2], "-."),
        "ulp": ("KL, start one ulp aside", "black", ":"),
        "library": ("`purported_gradient`", PALETTE[0], "--"),
        "bce": ("BCE", PALETTE[1], "-"),
    }
    for key, (label, colour, style) in looks.items():
        shown = [(t, d) for t, d in zip(found["steps"], found["apart"][key], strict=True) if d > 0]
        ax.plot(*zip(*shown, strict=True), color=colour, ls=style, label=label)
    ax.set(xscale="log", yscale="log", xlabel="step", ylabel="distance to descent of KL (radii)", ylim=(1e-18, 10))
    ax.set_title(f"{name}: descents of KL and BCE part by\nat most {max(found['apart']['bce']):.0e} radii", loc="left")
    ax.legend(loc="upper left", bbox_to_anchor=(0, 0.85))


def draw_losses(name: str, found: Mapping[str, Any], ax: Axes) -> None:
    """The purported loss along the descents and the run."""
    run = found["along_run"]["purported"]
    ax.plot(found["steps"], found["along_purported"]["purported"], color=PALETTE[1], ls="--", label="its own descent")
    ax.plot(found["steps"], found["along_effective"]["purported"], color=PALETTE[2], ls="-.", label="effective descent")
    ax.plot(found["epochs"], run, color=PALETTE[0], marker="o", label="UMAP as run")
    ax.axhline(found["constant_q_kl"], color="black", ls=":", label="constant q")
    ax.set(xscale="log", yscale="log", xlabel="step or epoch", ylabel="purported KL (nats)")
    ax.set_title(f"{name}: UMAP ends {run[-1] / min(run) - 1:.0%} above its own least\npurported loss", loc="left")
    ax.legend(loc="upper center", bbox_to_anchor=(0.42, -0.22), ncols=2)


def draw_angles(name: str, found: Mapping[str, Any], ax: Axes, kind: str, alpha: str) -> None:
    """Cosines between the mean moves and the gradients."""
    labels = {"coded": "own force, clip and 0.001", "head": "effective, head alone", "both": "effective gradient"}
    places = range(len(found["held_epochs"]))
    ax.plot(places, found[kind]["ceiling"], color="0.6", lw=4, alpha=0.6, label="most that chance leaves")
    for key, (colour, style, marker) in LOOKS.items():
        label = labels.get(key, "purported gradient")
        ax.plot(places, found[kind][key], color=colour, ls=style, marker=marker, label=label)
    ax.set_xticks(places, found["held_epochs"])
    ax.set(xlabel="layout of epoch", ylabel="cosine with mean move", ylim=(-0.4, 1.1))
    ax.axhline(0, color="black", lw=0.4)
    low, high = min(found[kind]["purported"][1:]), max(found[kind]["purported"][1:])
    ax.set_title(
        f"{name}, $\\alpha$ = {alpha}: cosine with the purported\ngradient after the start {low:.2f} to {high:.2f}",
        loc="left",
    )
    ax.legend(loc="upper center", bbox_to_anchor=(0.42, -0.22), ncols=2, columnspacing=0.8, handlelength=1.6)


def draw(found: Mapping[str, Any]) -> Figure:
    """A column for each data set."""
    figure, axes = panels(4, len(DATA), height=2.7)
    for column, name in enumerate(DATA):
        draw_apart(name, found[name], axes[0, column])
        draw_losses(name, found[name], axes[1, column])
        draw_angles(name, found[name], axes[2, column], "moves_small", "0.01")
        draw_angles(name, found[name], axes[3, column], "moves_as_run", "1")
    return figure


if __name__ == "__main__":
    study(Study("dynamics", (__doc__ or "").splitlines()[0], numbers, draw))
