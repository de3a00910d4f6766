"""The schema of a trace: every variable with its group, dims, dtype, long name and units.

One quantity has one name, here as in kernels, figures and text.  Variables that a user's own observer returns stand in
/observed with dims from their shape; observers' arrays at checkpoints in /checkpoints as <observer>_<array>.
"""

from typing import NamedTuple

SCHEMA = 1
GROUPS = ("rows", "graph", "layouts", "epochs", "vertices", "updates", "checkpoints", "observed", "labels")
RESERVED = {"epoch", "vertex", "axis", "bin", "checkpoint", "update", "entry", "kept_entry", "listed", "stream", "word"}


class Variable(NamedTuple):
    """One row of the table."""

    group: str
    dims: tuple[str, ...]
    dtype: str
    long_name: str
    units: str


def _table(group: str, dims: tuple[str, ...], dtype: str, rows: dict[str, tuple[str, str]]) -> dict[str, Variable]:
    return {name: Variable(group, dims, dtype, long_name, units) for name, (long_name, units) in rows.items()}


_LOSS = {
    "kl": ("KL divergence, all pairs", "nats"),
    "bce": ("binary cross-entropy, all pairs", "nats"),
    "entropy": ("entropy H of the target", "nats"),
    "attraction": ("attraction part of the cross-entropy", "nats"),
    "repulsion": ("repulsion part of the cross-entropy", "nats"),
    "identity_residual": ("KL - BCE + H on pairs apart", "nats"),
}

VARIABLES: dict[str, Variable] = {
    **_table("rows", ("vertex_bound",), "int64", {"row_indptr": ("first listed neighbour of each row", "1")}),
    **_table("rows", ("listed",), "int32", {"neighbor": ("listed neighbour", "vertex")}),
    **_table(
        "rows",
        ("listed",),
        "float32",
        {
            "distance": ("distance to the neighbour", "data units"),
            "membership": ("directed membership p_{j|i}", "1"),
        },
    ),
    **_table(
        "rows",
        ("vertex",),
        "float32",
        {
            "rho": ("distance of the nearest neighbour apart", "data units"),
            "sigma": ("bandwidth", "data units"),
        },
    ),
    **_table(
        "rows",
        ("vertex",),
        "bool",
        {
            "floored": ("sigma was raised to its floor", "1"),
            "tied": ("neighbours at rho number log2 k or more", "1"),
        },
    ),
    **_table("graph", ("vertex_bound",), "int64", {"indptr": ("first entry of each row", "1")}),
    **_table("graph", ("entry",), "int32", {"indices": ("tail of the entry", "vertex")}),
    **_table("graph", ("entry",), "float32", {"weight": ("edge probability p_ij", "1")}),
    **_table("graph", ("entry",), "bool", {"kept": ("survives pruning, part of mu", "1")}),
    **_table("graph", ("vertex",), "float64", {"degree": ("degree d_i of p", "1")}),
    **_table("layouts", ("epoch", "vertex", "axis"), "float32", {"Y": ("layout", "layout units")}),
    **_table(
        "vertices",
        ("epoch", "vertex", "axis"),
        "float64",
        {"squared_forces": ("sum of squared forces so far, of recorded epochs", "1 / layout unit^2")},
    ),
    **_table("epochs", ("epoch",), "bool", {"done": ("recorded", "1")}),
    **_table("epochs", ("epoch",), "float64", {"alpha": ("learning rate of the epoch", "1")}),
    **_table(
        "epochs",
        ("epoch",),
        "float64",
        {
            "minimised_loss": ("loss that is minimised", "nats"),
            "gradient_norm": ("norm of its gradient", "nats / layout unit"),
        },
    ),
    **_table(
        "epochs",
        ("epoch",),
        "int64",
        {
            "n_iterations": ("iterations of the minimiser", "iterations"),
            "n_evaluations": ("values and gradients taken", "evaluations"),
            "n_plans": ("plans of the sums over all pairs", "plans"),
        },
    ),
    **_table(
        "epochs",
        ("epoch",),
        "int64",
        {
            "n_attractions_scheduled": ("attractions listed in the epoch", "updates"),
            "n_attractions_realised": ("attractions that moved their vertices", "updates"),
            "n_repulsions_scheduled": ("negative samples drawn in the epoch", "updates"),
            "n_repulsions_realised": ("negative samples that moved a vertex", "updates"),
            "n_coincident": ("coincident pairs", "pairs"),
        },
    ),
    **_table("epochs", ("epoch",), "float64", {k: (f"purported {v[0]}", v[1]) for k, v in _LOSS.items()}),
    **_table(
        "epochs",
        ("epoch",),
        "float64",
        {f"effective_{k}": (f"effective {v[0]}", v[1]) for k, v in _LOSS.items()},
    ),
    **_table(
        "epochs",
        ("epoch",),
        "float64",
        {
            "article_cross_entropy": ("edge-only form -sum p ln q, the article's (7)", "nats"),
            "i_divergence": ("I-divergence I(p || q), all pairs", "nats"),
            "i_divergence_shape": ("shape part of I(p || q)", "nats"),
            "i_divergence_mass": ("mass part of I(p || q)", "nats"),
            "i_divergence_complement": ("I-divergence of the complements", "nats"),
            "pair_sum_error": ("relative error of the sums over all pairs, estimated", "1"),
            "sampled_loss": ("loss of the epoch's updates", "nats"),
            "sampled_attraction": ("attraction part of the sampled loss", "nats"),
            "sampled_repulsion": ("repulsion part of the sampled loss", "nats"),
            "fisher_rao_length": ("Fisher-Rao length of the path so far, every epoch counted", "rad"),
            "fisher_rao_length_error": ("standard error of the path length", "rad"),
            "fisher_rao_chord": ("Fisher-Rao distance from the start", "rad"),
            "straightness": ("chord over path length", "1"),
            "thermodynamic_length": ("integral of the Fisher speed so far", "rad"),
            "thermodynamic_divergence": ("duration times the integral of the squared Fisher speed", "rad^2"),
            "q_near_zero_01": ("share of edges with q <= 0.01", "1"),
            "q_near_zero_05": ("share of edges with q <= 0.05", "1"),
            "q_near_one_01": ("share of edges with q >= 0.99", "1"),
            "q_near_one_05": ("share of edges with q >= 0.95", "1"),
            "q_variance": ("mean q (1 - q) on the edges", "1"),
            "q_entropy": ("mean Bernoulli entropy of q an edge", "nats"),
            "q_entropy_ratio": ("entropy of q over its maximum given the sums", "1"),
        },
    ),
    **_table(
        "epochs",
        ("epoch", "bin"),
        "int64",
        {"q_histogram": ("edges by similarity q, 20 bins on [0, 1]", "edges")},
    ),
    **_table(
        "vertices",
        ("epoch", "vertex"),
        "float64",
        {
            "loss": ("purported cross-entropy of the vertex", "nats"),
            "effective_loss": ("effective cross-entropy of the vertex", "nats"),
            "realised_degree": ("degree that the run has realised", "1"),
        },
    ),
    **_table(
        "vertices",
        ("epoch", "vertex"),
        "int64",
        {
            "attractions_realised": ("attractions so far that moved the vertex", "updates"),
            "repulsions_realised": ("repulsions so far that moved the vertex", "updates"),
        },
    ),
    **_table(
        "updates",
        ("update",),
        "int32",
        {
            "update_epoch": ("epoch of the update", "epoch"),
            "head": ("head of the update", "vertex"),
            "tail": ("tail of the update", "vertex"),
            "update_entry": ("entry of mu that was due", "entry"),
            "draw": ("-1: attraction; else number of the negative sample", "1"),
        },
    ),
    **_table(
        "updates",
        ("update", "axis"),
        "float32",
        {"delta": ("Y[head] - Y[tail] before the update", "layout units")},
    ),
    **_table("checkpoints", ("checkpoint",), "int64", {"checkpoint_epoch": ("epoch of the checkpoint", "epoch")}),
    **_table(
        "checkpoints",
        ("checkpoint", "vertex", "axis"),
        "float32",
        {"checkpoint_Y": ("layout", "layout units")},
    ),
    **_table(
        "checkpoints",
        ("checkpoint", "stream", "word"),
        "int64",
        {"streams": ("state of the random streams", "1")},
    ),
    **_table("labels", ("vertex",), "", {"label": ("label of the vertex", "1")}),
}


# The coordinate of every group with recorded epochs
EPOCH = Variable("", ("epoch",), "int64", "epoch", "epochs applied")

# What every trace has
REQUIRED = (
    *(f"graph/{name}" for name in ("indptr", "indices", "weight", "kept", "degree")),
    *(f"epochs/{name}" for name in ("epoch", "done", "alpha")),
    "layouts/epoch",
    "layouts/Y",
    *(f"checkpoints/{name}" for name in ("checkpoint_epoch", "checkpoint_Y", "streams")),
)


def variable(name: str, shape: tuple[int, ...], n_vertices: int, n_kept: int) -> Variable:
    """The table's row for a recorded value of that shape, or one made for a user's own variable."""
    if name in VARIABLES:
        return VARIABLES[name]
    known = {(): (), (n_vertices,): ("vertex",), (n_kept,): ("kept_entry",)}
    dims = known.get(shape, tuple(f"{name}_{axis}" for axis in range(len(shape))))
    return Variable("observed", ("epoch", *dims), "", name.replace("_", " "), "")
