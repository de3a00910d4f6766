"""The trace: recording changes no bit, replay gives all of them back, and every variable is what the schema says."""

from dataclasses import fields

import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from strategies import embedded_graphs

import umapinfo
from umapinfo import Curve, Descent, Recording, curve_of, descent_of, embed, graph_of, replay, run, summary
from umapinfo.core import LAW
from umapinfo.core.descent import epochs, initial_state
from umapinfo.core.graph import graph_from_csr, prune
from umapinfo.core.membership import fuzzy_graph
from umapinfo.core.neighbors import neighbors
from umapinfo.measures.binarisation import BinarisationObserver
from umapinfo.measures.degree import DegreeObserver, degree
from umapinfo.measures.loss import LossObserver, reference_losses
from umapinfo.measures.objective import purported
from umapinfo.measures.path import PathObserver
from umapinfo.measures.squared_forces import SquaredForcesObserver
from umapinfo.minimise import minimise
from umapinfo.trace.schema import SCHEMA, VARIABLES

N, K, T = 40, 8, 25
CURVE = Curve(1.6, 0.9)
STREAMS = ["counter", "umap"]


class Scribbler:
    """An observer of one's own: values of many shapes, and an array that adds up along the run."""

    name = "scribbler"
    needs_updates = False

    def start(self, graph, curve, descent):
        return {"path": np.zeros(graph.n_vertices), "n_seen": np.zeros((), np.int64)}

    def step(self, arrays, epoch):
        arrays["path"] += np.sqrt(((epoch.Y - epoch.Y_before) ** 2).sum(axis=1))
        arrays["n_seen"] += 1

    def values(self, arrays, epoch):
        return {
            "path_length": arrays["path"],
            "extent": np.ptp(epoch.Y),
            "centre": epoch.Y.mean(axis=0),
            "covariance": np.cov(epoch.Y.T),
        }


class Counter(Scribbler):
    """One that reads the updates."""

    name, needs_updates = "counter", True

    def values(self, arrays, epoch):
        return {"n_updates": len(epoch.updates), "longest": float(np.abs(epoch.delta).max(initial=0.0))}


@pytest.fixture(scope="module")
def graph():
    return fuzzy_graph(neighbors(np.random.default_rng(0).normal(size=(N, 3)), K))


@pytest.fixture(scope="module")
def start():
    return np.random.default_rng(1).uniform(0, 10, (N, 2)).astype(np.float32)


def instruments():
    return [
        DegreeObserver(),
        BinarisationObserver(),
        LossObserver(),
        PathObserver(n_pairs=200),
        SquaredForcesObserver(),
    ]


def full_recording():
    return Recording(epochs=6, checkpoints=(4, 13), updates=range(T + 1), observers=[*instruments(), Scribbler()])


@pytest.fixture(scope="module", params=STREAMS)
def full(request, graph, start):
    """A trace of everything."""
    descent = Descent(n_epochs=T, streams=request.param, seed=3)
    labels = np.repeat(["a", "b"], N // 2)
    return run(graph, CURVE, descent, start, full_recording(), labels=labels, attrs={"data": "a cloud"}, progress=False)


def unrecorded(graph, descent, start):
    """Layouts after each epoch of the bare loop, the start first."""
    mu = prune(graph, descent.epochs_for(graph.n_vertices))
    state = initial_state(mu, descent, start)
    return [state.Y.copy()] + [epoch.Y.copy() for epoch in epochs(mu, CURVE, descent, state)]


def variables(trace, group):
    return trace[group].to_dataset()


# ---- recording changes nothing, replay gives everything back ---------------------------------------


@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize(
    "recording",
    [
        Recording(epochs=2, checkpoints=2),
        Recording(epochs=range(T + 1), checkpoints=range(T + 1)),
        Recording(updates=(1, 7, T)),
        Recording(updates=range(T + 1)),
        Recording(observers=[DegreeObserver()]),
        Recording(observers=[BinarisationObserver()]),
        Recording(epochs=(3, 4), observers=[LossObserver(), Counter()]),
        full_recording(),
    ],
    ids=["ends", "all epochs", "some updates", "all updates", "degree", "binarisation", "losses", "everything"],
)
def test_recording__leaves_every_bit_of_the_layout_as_it_was(graph, start, streams, recording):
    descent = Descent(n_epochs=T, streams=streams)
    bare = unrecorded(graph, descent, start)
    layouts = variables(run(graph, CURVE, descent, start, recording, progress=False), "layouts")["Y"]
    for number in layouts["epoch"].values:
        assert layouts.sel(epoch=number).values.tobytes() == bare[number].tobytes()
    assert {0, T} <= set(layouts["epoch"].values)


@given(
    case=embedded_graphs(),
    streams=st.sampled_from(STREAMS),
    push_tail=st.booleans(),
    n_epochs=st.integers(0, 15),
    n_recorded=st.integers(2, 9),
    kept=st.sets(st.integers(0, 15)),
)
def test_recording_and_replay__change_no_bit_on_any_graph(case, streams, push_tail, n_epochs, n_recorded, kept):
    graph, start = graph_from_csr(case[0]), case[1]
    descent = Descent(n_epochs=n_epochs, streams=streams, push_tail=push_tail)
    kept = [number for number in sorted(kept) if number <= n_epochs]
    recording = Recording(n_recorded, n_recorded, kept, [DegreeObserver(), Scribbler()])
    trace = run(graph, CURVE, descent, start, recording, progress=False)
    layouts, bare = variables(trace, "layouts")["Y"], unrecorded(graph, descent, start)
    for number, Y in enumerate(bare):
        assert replay(trace, number).Y.tobytes() == Y.tobytes()
        if number in layouts["epoch"]:
            assert layouts.sel(epoch=number).values.tobytes() == Y.tobytes()


def test_replay__gives_the_bits_and_updates_of_every_epoch(full):
    # Checkpoints are 0, 4, 13 and T: each of them is what some of these epochs start from.
    kept, checkpoints = variables(full, "updates"), variables(full, "checkpoints")
    assert checkpoints["checkpoint_epoch"].values.tolist() == [0, 4, 13, T]
    before = full["layouts"].to_dataset()["Y"].values[0]
    for number in range(1, T + 1):
        epoch, those = replay(full, number), kept["update_epoch"].values == number
        assert epoch.number == number
        assert epoch.Y_before.tobytes() == before.tobytes()
        for name, variable in [("head", "head"), ("tail", "tail"), ("entry", "update_entry"), ("draw", "draw")]:
            np.testing.assert_array_equal(epoch.updates[name], kept[variable].values[those])
        assert epoch.delta.tobytes() == kept["delta"].values[those].tobytes()
        assert epoch.alpha == ref.alpha(number, T)
        before = epoch.Y.copy()
    np.testing.assert_array_equal(before, full["layouts"].to_dataset()["Y"].values[-1])


def test_replay__of_the_start_has_no_updates(full, start):
    epoch = replay(full, 0)
    assert epoch.number == 0
    assert epoch.Y.tobytes() == start.tobytes()
    assert len(epoch.updates) == len(epoch.delta) == 0


def test_replay__changes_nothing_in_the_trace(full):
    before = full.copy(deep=True)
    with pytest.raises(ValueError, match="read-only"):
        replay(full, 9).Y[:] = 0
    assert full.identical(before)


@pytest.mark.parametrize("number", [2.5, "3", True])
def test_replay__refuses_what_is_no_whole_number(full, number):
    with pytest.raises(TypeError, match="replay: expected a whole number"):
        replay(full, number)


def test_replay__refuses_a_trace_of_another_law(full):
    other = full.copy()
    other.attrs["law"] = 0
    with pytest.raises(ValueError, match="got law 0, whose bits were others"):
        replay(other, 3)


@pytest.mark.parametrize("number", [-1, T + 1])
def test_replay__refuses_an_epoch_that_the_run_does_not_have(full, number):
    with pytest.raises(ValueError, match=rf"replay: expected an epoch in 0 ... {T}, got {number}"):
        replay(full, number)


@pytest.mark.parametrize("n_epochs", [0, 1])
def test_runs_of_no_or_one_epoch__are_recorded_and_move_nothing(graph, start, n_epochs):
    descent = Descent(n_epochs=n_epochs)
    recording = Recording(updates=range(n_epochs + 1), observers=[*instruments(), Scribbler()])
    trace = run(graph, CURVE, descent, start, recording, progress=False)
    recorded = variables(trace, "epochs")
    assert recorded["epoch"].values.tolist() == list(range(n_epochs + 1))
    assert recorded["done"].all()
    for name in ("n_attractions_scheduled", "n_repulsions_scheduled", "sampled_loss"):
        np.testing.assert_array_equal(recorded[name], 0)
    for number in range(n_epochs + 1):
        assert replay(trace, number).Y.tobytes() == start.tobytes()
    assert summary(trace)


# ---- the schema ----------------------------------------------------------------------------------


def test_every_variable__has_the_dims_type_long_name_and_units_of_the_schema(full, graph, start):
    found = {}
    minimised = minimise(purported(prune(graph, T)), CURVE, start, n_steps=3, progress=False)
    for group, dataset in [(group, variables(trace, group)) for trace in (full, minimised) for group in trace.children]:
        for name, variable in dataset.data_vars.items():
            if group == "observed" or (group == "checkpoints" and name not in VARIABLES):
                continue
            row = found[name] = VARIABLES[name]
            assert row.group == group, name
            assert variable.dims == row.dims, name
            assert row.dtype in ("", str(variable.dtype)), name
            assert (variable.attrs["long_name"], variable.attrs["units"]) == (row.long_name, row.units), name
    assert found.keys() == VARIABLES.keys()


def test_dimensions__have_the_sizes_of_the_run(full, graph):
    sizes = {dim: size for group in full.children for dim, size in variables(full, group).sizes.items()}
    mu = prune(graph, T)
    n_streams = 0 if full.attrs["streams"] == "counter" else N
    expected = {
        "vertex": N,
        "axis": 2,
        "entry": graph.n_entries,
        "listed": N * (K - 1),
        "vertex_bound": N + 1,
        "bin": 20,
    }
    expected |= {"epoch": 6, "checkpoint": 4, "stream": n_streams, "word": 3}
    assert {dim: sizes[dim] for dim in expected} == expected
    assert variables(full, "graph")["kept"].values.sum() == mu.n_entries
    n_updates = sum(len(replay(full, number).updates) for number in range(T + 1))
    assert sizes["update"] == n_updates


def test_epoch__is_the_coordinate_of_every_group_that_runs_along_it(full):
    for group in ("layouts", "epochs", "vertices", "observed"):
        np.testing.assert_array_equal(variables(full, group)["epoch"], [0, 5, 10, 15, 20, 25])


def test_attributes__hold_all_settings_versions_and_what_was_handed_in(full):
    assert full.attrs["schema"] == SCHEMA
    assert full.attrs["law"] == LAW
    assert full.attrs["data"] == "a cloud"
    assert full.attrs["n_vertices"] == N
    assert full.attrs["n_neighbors"] == K
    assert full.attrs["version_numpy"] == np.__version__
    assert full.attrs["version_umapinfo"]
    for field in fields(Descent):
        assert field.name in full.attrs
    # Numbers, strings and a list of them, as any file format can hold them.
    assert {type(value) for value in full.attrs.values()} <= {int, float, str, bool, list}
    assert full.attrs["observers"] == ["degree", "binarisation", "loss", "path", "squared_forces", "scribbler"]


def test_default_recording__has_21_epochs_and_11_checkpoints(graph, start):
    trace = run(graph, CURVE, Descent(n_epochs=100), start, progress=False)
    assert variables(trace, "layouts")["epoch"].values.tolist() == list(range(0, 101, 5))
    assert variables(trace, "checkpoints")["checkpoint_epoch"].values.tolist() == list(range(0, 101, 10))
    assert "updates" not in trace
    assert "observed" not in trace


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (2, [0, 25]),
        (3, [0, 12, 25]),
        ((), [0, 25]),
        ((7, 3, 7), [0, 3, 7, 25]),
        (100, list(range(26))),
        ([25], [0, 25]),
    ],
)
def test_recorded_epochs__are_so_many_or_these_and_always_both_ends(graph, start, wanted, numbers):
    trace = run(graph, CURVE, Descent(n_epochs=T), start, Recording(epochs=wanted, checkpoints=wanted), progress=False)
    assert variables(trace, "layouts")["epoch"].values.tolist() == numbers
    assert variables(trace, "checkpoints")["checkpoint_epoch"].values.tolist() == numbers


# ---- what is recorded ----------------------------------------------------------------------------


def test_totals_of_an_epoch__are_the_updates_of_that_epoch(full):
    recorded = variables(full, "epochs")
    for number in recorded["epoch"].values:
        epoch = replay(full, number)
        apart, attraction = (epoch.delta != 0).any(axis=1), epoch.updates["draw"] < 0
        at = recorded.sel(epoch=number)
        assert at["n_attractions_scheduled"] == attraction.sum()
        assert at["n_attractions_realised"] == (attraction & apart).sum()
        assert at["n_repulsions_scheduled"] == (~attraction).sum()
        assert at["n_repulsions_realised"] == (~attraction & apart).sum()


def test_totals__count_an_update_once_where_tails_are_pushed(graph, start):
    trace = run(graph, CURVE, Descent(n_epochs=T, push_tail=True), start, Recording(updates=(T,)), progress=False)
    last, draws = variables(trace, "epochs").sel(epoch=T), variables(trace, "updates")["draw"].values
    assert last["n_attractions_scheduled"] == (draws < 0).sum()
    assert last["n_repulsions_scheduled"] == (draws >= 0).sum()


def test_counts_of_vertices__add_up_along_the_run(full):
    recorded = variables(full, "vertices")
    expected = np.zeros((2, N), np.int64)
    for number in range(1, T + 1):
        counts = replay(full, number).counts
        expected += [counts.attractions_realised, counts.repulsions_realised]
        if number in recorded["epoch"]:
            at = recorded.sel(epoch=number)
            np.testing.assert_array_equal([at["attractions_realised"], at["repulsions_realised"]], expected)


def test_identity__kl_minus_bce_plus_h_is_0_at_every_recorded_epoch(full):
    recorded = variables(full, "epochs")
    for prefix in ("", "effective_"):
        kl, bce, entropy = (recorded[prefix + name].values for name in ("kl", "bce", "entropy"))
        # Rounding of three sums in float64; the criterion.
        allowed = 1e-10 * np.max([kl, bce, entropy], axis=0)
        assert (np.abs(kl - bce + entropy) <= allowed).all()
        assert (np.abs(recorded[prefix + "identity_residual"].values) <= allowed).all()
        assert np.ptp(entropy) == 0  # a constant of the graph
        assert len(np.unique(bce)) == len(bce)


def test_losses__are_the_twins_of_the_recorded_layouts(full, graph):
    mu, recorded = prune(graph, T).to_csr().toarray(), variables(full, "epochs")
    for number, Y in zip(recorded["epoch"].values, variables(full, "layouts")["Y"].values, strict=True):
        at = recorded.sel(epoch=number)
        for prefix, weights in {"": ref.purported(mu), "effective_": ref.effective(mu, 5.0)}.items():
            twin = ref.loss(*weights, Y, CURVE)
            for name in ("kl", "bce", "entropy", "attraction", "repulsion"):
                assert float(at[prefix + name]) == pytest.approx(twin[name], rel=1e-9)  # sums in another order


def test_checkpoints__hold_the_observers_arrays(full):
    checkpoints = variables(full, "checkpoints")
    assert checkpoints["scribbler_n_seen"].values.tolist() == [0, 4, 13, T]
    assert checkpoints["scribbler_path"].dims == ("checkpoint", "vertex")
    counted = checkpoints["degree_attractions_realised"].values
    np.testing.assert_array_equal(counted[-1], variables(full, "vertices")["attractions_realised"].values[-1])


# ---- observers of one's own ----------------------------------------------------------------------


def test_an_observer_of_ones_own__is_recorded_with_dims_from_its_shapes(full, start):
    observed = variables(full, "observed")
    dims = {name: observed[name].dims for name in observed.data_vars}
    assert dims == {
        "path_length": ("epoch", "vertex"),
        "extent": ("epoch",),
        "centre": ("epoch", "centre_0"),
        "covariance": ("epoch", "covariance_0", "covariance_1"),
    }
    layouts = variables(full, "layouts")["Y"].values
    np.testing.assert_array_equal(observed["extent"], [np.ptp(Y) for Y in layouts])
    np.testing.assert_array_equal(observed["centre"], layouts.mean(axis=1))
    path = observed["path_length"].values
    np.testing.assert_array_equal(path[0], 0)
    assert (np.diff(path, axis=0) >= 0).all()
    assert observed["path_length"].attrs["long_name"] == "path length"


def test_an_observer__that_needs_updates_gets_those_of_every_recorded_epoch(graph, start):
    recording = Recording(epochs=(2, 9), observers=[Counter()])
    trace = run(graph, CURVE, Descent(n_epochs=T), start, recording, progress=False)
    n_updates = variables(trace, "observed")["n_updates"]
    assert n_updates.values.tolist() == [len(replay(trace, number).updates) for number in (0, 2, 9, T)]
    assert "updates" not in trace


class Returning(Scribbler):
    """An observer that returns what it is given, by epoch."""

    def __init__(self, values, name="returning"):
        self.of_epoch, self.name = values, name

    def values(self, arrays, epoch):
        return self.of_epoch(epoch)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (lambda epoch: {"x": np.zeros(1 + epoch.number)}, r"expected 'x' with shape \(1,\) .* got \(26,\)"),
        (
            lambda epoch: {"x": 0.0} if epoch.number else {"x": 0.0, "y": 0.0},
            r"the names of epoch 0 .* \['x', 'y'\], got \['x'\]",
        ),
        (lambda epoch: {f"x{epoch.number}": 0.0}, "the names of epoch 0 .* got .'x25'"),
        (lambda epoch: {"x": 1.0 if epoch.number else False}, "expected 'x' with .* dtype bool as at epoch 0"),
        (lambda epoch: {"kl": np.zeros(3)}, "expected 'kl' with numbers and the dims"),
        (lambda epoch: {"loss": np.zeros(N + 1)}, "expected 'loss' with"),
        (lambda epoch: {"x": None}, "expected 'x' with numbers"),
        (lambda epoch: {"alpha": 1.0}, "expected a new name for a variable, got 'alpha'"),
        (lambda epoch: {"degree": 1.0}, "expected a new name for a variable, got 'degree'"),
        (lambda epoch: {"label": 1.0}, "expected a new name for a variable, got 'label'"),
        (lambda epoch: {"epoch": 1.0}, "expected a new name for a variable, got 'epoch'"),
        (lambda epoch: {"a/b": 1.0}, "expected a new name for a variable, got 'a/b'"),
    ],
    ids=[
        "shape changes",
        "left out",
        "name changes",
        "kind changes",
        "other dims",
        "other size",
        "no number",
        "taken",
        "of the graph",
        "of the labels",
        "a dimension",
        "a path",
    ],
)
def test_an_observer__that_breaks_the_rules_is_refused(graph, start, values, said):
    recording = Recording(epochs=2, observers=[Returning(values)])
    with pytest.raises(ValueError, match=said):
        run(graph, CURVE, Descent(n_epochs=T), start, recording, progress=False)


def test_an_observers_numbers__keep_their_fractions_where_the_first_is_whole(graph, start):
    recording = Recording(epochs=2, observers=[Returning(lambda epoch: {"x": 0.5 if epoch.number else 0})])
    trace = run(graph, CURVE, Descent(n_epochs=T), start, recording, progress=False)
    assert variables(trace, "observed")["x"].values.tolist() == [0, 0.5]


def test_two_observers__need_two_names_and_different_variables(graph, start):
    with pytest.raises(ValueError, match=r"different names, none .given. or .run., got .*scribbler.*scribbler"):
        Recording(observers=[Scribbler(), Scribbler()])
    same = [Returning(lambda epoch: {"x": 0.0}, name) for name in ("one", "two")]
    with pytest.raises(ValueError, match="observer 'two': expected a new name for a variable, got 'x'"):
        run(graph, CURVE, Descent(n_epochs=T), start, Recording(observers=same), progress=False)


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recording", "said"),
    [
        ({"epochs": 1}, "at least 2 epochs .* got 1"),
        ({"checkpoints": 0}, "at least 2 checkpoints .* got 0"),
        ({"epochs": (3, T + 1)}, rf"epochs to be whole numbers in 0 ... {T}, got \[3, 26\]"),
        ({"checkpoints": (-1,)}, rf"checkpoints to be whole numbers in 0 ... {T}, got \[-1\]"),
        ({"updates": 5}, "updates"),
        ({"updates": (2.5,)}, rf"updates to be whole numbers in 0 ... {T}, got \[2.5\]"),
    ],
)
def test_run__refuses_epochs_that_the_run_does_not_have(graph, start, recording, said):
    with pytest.raises((TypeError, ValueError), match=said):
        run(graph, CURVE, Descent(n_epochs=T), start, Recording(**recording), progress=False)


def test_run__refuses_a_wrong_start_curve_or_labels(graph, start):
    descent = Descent(n_epochs=T)
    with pytest.raises(ValueError, match=rf"start: expected shape \[{N}, d\], got \(39, 2\)"):
        run(graph, CURVE, descent, start[1:], progress=False)
    with pytest.raises(ValueError, match="start: expected finite values, got nan in row 4, column 1"):
        run(graph, CURVE, descent, np.where(start == start[4, 1], np.nan, start), progress=False)
    with pytest.raises(ValueError, match="curve: expected finite a > 0"):
        run(graph, Curve(-1.0, 1.0), descent, start, progress=False)
    with pytest.raises(ValueError, match=rf"labels: expected shape \[{N}\], got \(3,\)"):
        run(graph, CURVE, descent, start, labels=[1, 2, 3], progress=False)


@pytest.mark.parametrize("name", ["seed", "a", "n_epochs", "law"])
def test_run__refuses_attributes_that_would_hide_its_own(graph, start, name):
    with pytest.raises(ValueError, match=f"attrs: .*{name}"):
        run(graph, CURVE, Descent(n_epochs=T), start, attrs={name: 7}, progress=False)


# ---- reading back --------------------------------------------------------------------------------


def test_graph_curve_and_settings__come_back_as_they_were(full, graph):
    back = graph_of(full)
    for name in ("indptr", "indices", "weight", "n_neighbors"):
        np.testing.assert_array_equal(getattr(back, name), getattr(graph, name))
        assert np.asarray(getattr(back, name)).dtype == np.asarray(getattr(graph, name)).dtype
    for name in graph.rows.__dataclass_fields__:
        mine, its = getattr(back.rows, name), getattr(graph.rows, name)
        assert mine.dtype == its.dtype
        np.testing.assert_array_equal(mine, its)
    assert curve_of(full) == CURVE
    assert descent_of(full) == Descent(n_epochs=T, streams=full.attrs["streams"], seed=3)
    assert variables(full, "labels")["label"].values.tolist() == ["a"] * 20 + ["b"] * 20


def test_settings_that_are_not_the_defaults__come_back_too(graph, start):
    descent = Descent(
        n_epochs=12,
        learning_rate=0.5,
        negative_sample_rate=2.5,
        repulsion_strength=0.7,
        streams="umap",
        push_tail=True,
        seed=2**32 - 1,
    )
    trace = run(graph, Curve(1.0, 1.0, 1.0), descent, start, progress=False)
    assert descent_of(trace) == descent
    assert curve_of(trace) == Curve(1.0, 1.0, 1.0)


def test_default_number_of_epochs__comes_back_as_a_number(graph, start):
    trace = run(graph, CURVE, Descent(), start, Recording(epochs=2), progress=False)
    assert descent_of(trace) == Descent(n_epochs=500)


def test_somebody_elses_graph__comes_back_without_rows(start):
    W = np.triu(np.random.default_rng(0).random((N, N)) < 0.2, 1).astype(float)
    trace = run(graph_from_csr(W + W.T), CURVE, Descent(n_epochs=T), start, progress=False)
    back = graph_of(trace)
    assert back.rows is None
    assert back.n_neighbors is None
    np.testing.assert_array_equal(back.to_csr().toarray(), W + W.T)


# ---- embed and summary ---------------------------------------------------------------------------


def test_embed__is_the_steps_one_after_the_other():
    X = np.random.default_rng(0).normal(size=(N, 3))
    settings = {"n_epochs": T, "seed": 5, "negative_sample_rate": 3.0}
    trace = embed(X, K, min_dist=0.2, spread=1.5, init="pca", progress=False, **settings)
    graph, descent = umapinfo.fuzzy_graph(umapinfo.neighbors(X, K)), Descent(**settings)
    start = umapinfo.initial_layout(prune(graph, T), "pca", X=X, seed=5)
    steps = run(graph, umapinfo.fit_curve(0.2, 1.5), descent, start, progress=False)
    np.testing.assert_array_equal(trace["layouts"].to_dataset()["Y"], steps["layouts"].to_dataset()["Y"])
    assert {"kl", "effective_kl", "q_entropy"} <= set(variables(trace, "epochs").data_vars)
    assert "realised_degree" in variables(trace, "vertices")
    assert descent_of(trace) == descent
    assert (trace.attrs["min_dist"], trace.attrs["spread"], trace.attrs["init"]) == (0.2, 1.5, "pca")
    assert len(trace.attrs["data_sha256"]) == 64


def test_summary__says_the_numbers_that_it_names(full, graph):
    text = summary(full)
    lines = {line[:36].strip(): line for line in text.splitlines()}
    recorded, found = variables(full, "epochs"), degree(graph)
    levels = reference_losses(prune(graph, T), descent_of(full))
    assert text.startswith(f"a cloud: {N} vertices, {graph.n_entries // 2} edges, n_neighbors {K}, {T} epochs")
    assert f"{found.mean_degree:.4f}" in lines["mean degree"]
    assert f"{found.mean_lower:.4f} to {found.mean_upper:.4f}" in lines["mean degree"]
    assert f"{found.mean_degree / np.log2(K):.3f}" in lines["mean degree / log2 k"]
    assert f"{found.row_mass.mean():.4f}" in lines["row mass sum_j p_{j|i}"]
    last = recorded.isel(epoch=-1)
    for name, line in [("bce", "purported BCE"), ("kl", "purported KL"), ("effective_bce", "effective BCE (")]:
        (said,) = (text for name_of_line, text in lines.items() if name_of_line.startswith(line))
        assert f"{float(last[name]):.6g}" in said
    assert f"{float(last['entropy']):.6g}" in text
    assert f"{levels.purported_target:.6g}" in text
    assert f"{levels.effective_target:.6g}" in text
    near = float(last["q_near_zero_05"] + last["q_near_one_05"])
    assert f"{near:.1%}" in lines["q within 0.05 of 0 or 1"]


def test_summary__does_without_losses_without_rows_and_without_edges(graph, start):
    somebody_elses = graph_from_csr(graph.to_csr())
    no_edges = graph_from_csr(csr_matrix((N, N)))
    for given_graph, observers in [
        (graph, []),
        (somebody_elses, instruments()),
        (no_edges, instruments()),
        (no_edges, []),
    ]:
        recording = Recording(observers=observers)
        trace = run(given_graph, CURVE, Descent(n_epochs=T), start, recording, progress=False)
        text = summary(trace)
        assert "nan" not in text
        assert ("not recorded" in text) == (not observers)


def test_summary__has_lines_that_fit_a_screen(full, graph, start):
    worst = run(graph, CURVE, Descent(n_epochs=1), start * 0, Recording(observers=instruments()), progress=False)
    for trace in (full, worst):
        assert max(map(len, summary(trace).splitlines())) <= 120


def test_summary__says_so_where_points_coincide(graph, start):
    trace = run(
        graph, CURVE, Descent(n_epochs=1), np.zeros_like(start), Recording(observers=instruments()), progress=False
    )
    text = summary(trace)
    (line,) = (line for line in text.splitlines() if "coincident pairs" in line)
    assert str(N * (N - 1) // 2) in line
    assert "inf" in text
    assert "nan" not in text


def test_embed__refuses_attributes_that_would_hide_its_own():
    with pytest.raises(ValueError, match=r"attrs: .*metric"):
        embed(np.eye(20), 3, attrs={"metric": "mine"}, progress=False)


@pytest.mark.parametrize("name", ["random_state", "n_epoch", "order_"])
def test_embed__names_the_setting_that_it_does_not_know(name):
    with pytest.raises(TypeError, match=rf"embed: .* n_epochs, .* got {name}; .* seed here"):
        embed(np.eye(20), 3, progress=False, **{name: 1})
