"""What holds for every measure: vertices have no names, layouts no place and no hand, and inputs stay as they are.

Each measure registers one example call; a measure that is public and not registered fails a test.
"""

import dataclasses
import inspect
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from umapinfo.core.curve import Curve
from umapinfo.core.descent import Counts, Epoch, epochs, initial_state
from umapinfo.core.graph import Graph, Rows, prune
from umapinfo.core.membership import fuzzy_graph
from umapinfo.core.neighbors import neighbors
from umapinfo.core.settings import Descent
from umapinfo.measures import (
    balance,
    binarisation,
    calibration,
    degree,
    divergence,
    fisher,
    fisher_rao,
    gradient,
    inertia,
    laplacian,
    loss,
    pair_sets,
    path,
    perplexity,
    squared_forces,
)
from umapinfo.measures.loss_weights import effective_weights, purported_weights
from umapinfo.pairs import POTENTIALS, pair_sums

N, K, T = 37, 6, 30  # N is the length of nothing but arrays of vertices
CURVE = Curve(1.6, 0.9)
DESCENT = Descent(n_epochs=T, repulsion_strength=0.8)
DIVERGENCES = (
    "kl",
    "hellinger",
    "jensen_shannon",
    "fisher_rao",
    divergence.Divergence("alpha", order=2),
    divergence.Divergence("renyi", order=0.3),
    divergence.Divergence("reverse_kl", p_min=1e-3),
    divergence.Divergence("jeffreys", p_min=1e-3),
)


@dataclass(frozen=True)
class Case:
    """What measures read: the graph as built and pruned, and an epoch of a run with its layout and updates."""

    p: Graph
    mu: Graph
    epoch: Epoch


def observed(observer, case):
    """What an observer returns of one epoch."""
    arrays = observer.start(case.mu, CURVE, DESCENT)
    observer.step(arrays, case.epoch)
    return observer.values(arrays, case.epoch)


def parts(operator):
    """What a signed Laplacian says of itself."""
    return {name: getattr(operator, name) for name in ("pressure", "size", "n_coincident", "pair_sum_error")}


def traces(blocks):
    """The trace of each vertex's block, which no axes change."""
    return np.trace(blocks, axis1=1, axis2=2)


def known(case):
    """The weights of both losses."""
    return purported_weights(case.mu), effective_weights(case.mu, DESCENT)


def of_blocks(own):
    """What a reflection leaves of the blocks of vertices: the entries off the diagonal change their sign."""
    entries = own.blocks[:, 0, 0], own.blocks[:, 1, 1], abs(own.blocks[:, 0, 1])
    return [*entries, own.trace, own.singular.astype(float), own.n_coincident]


def pushed(operator, case):
    """What an operator makes of the purported gradient, which turns with the layout: lengths of vertices."""
    push = gradient.purported_gradient(case.mu, case.epoch.Y, CURVE)
    return np.linalg.norm((operator @ push.ravel()).reshape(push.shape), axis=1)


MEASURES = {
    "degree": lambda case: degree.degree(case.p),
    "DegreeObserver": lambda case: observed(degree.DegreeObserver(), case),
    "binarisation": lambda case: binarisation.binarisation(case.mu.weight, case.mu.indptr),
    "row_binarisation": lambda case: binarisation.row_binarisation(case.p),
    "graph_binarisation": lambda case: binarisation.graph_binarisation(case.mu),
    "target_similarity": lambda case: binarisation.target_similarity(case.mu, DESCENT),
    "target_binarisation": lambda case: binarisation.target_binarisation(case.mu, DESCENT),
    "layout_binarisation": lambda case: binarisation.layout_binarisation(case.mu, case.epoch.Y, CURVE),
    "BinarisationObserver": lambda case: observed(binarisation.BinarisationObserver(), case),
    "purported_loss": lambda case: {
        name: loss.purported_loss(case.mu, case.epoch.Y, CURVE, convention=name) for name in loss.CONVENTIONS
    },
    "effective_loss": lambda case: {
        name: loss.effective_loss(case.mu, DESCENT, case.epoch.Y, CURVE, convention=name) for name in loss.CONVENTIONS
    },
    "i_divergence": lambda case: loss.i_divergence(case.mu, case.epoch.Y, CURVE),
    "article_cross_entropy": lambda case: loss.article_cross_entropy(case.mu, case.epoch.Y, CURVE),
    "reference_losses": lambda case: {
        name: loss.reference_losses(case.mu, DESCENT, convention=name) for name in loss.CONVENTIONS
    },
    "sampled_loss": lambda case: loss.sampled_loss(case.epoch, CURVE, DESCENT, case.mu),
    "LossObserver": lambda case: observed(loss.LossObserver(), case),
    "purported_gradient": lambda case: np.linalg.norm(
        gradient.purported_gradient(case.mu, case.epoch.Y, CURVE), axis=1
    ),
    "effective_gradient": lambda case: [
        np.linalg.norm(gradient.effective_gradient(case.mu, DESCENT, case.epoch.Y, CURVE, push=push), axis=1)
        for push in gradient.PUSHES
    ],
    "divergence": lambda case: {
        str(which): divergence.divergence(case.mu, case.epoch.Y, CURVE, which) for which in DIVERGENCES
    },
    "divergence_gradient": lambda case: [
        np.linalg.norm(divergence.divergence_gradient(case.mu, case.epoch.Y, CURVE, which), axis=1)
        for which in DIVERGENCES
    ],
    "divergence_and_gradient": lambda case: [
        np.linalg.norm(divergence.divergence_and_gradient(case.mu, case.epoch.Y, CURVE, which)[1], axis=1)
        for which in DIVERGENCES
    ],
    "pair_divergence": lambda case: [
        divergence.pair_divergence(case.mu.weight, -np.log(case.mu.weight), which) for which in DIVERGENCES
    ],
    "fisher_rao_distance": lambda case: fisher_rao.fisher_rao_distance(case.epoch.Y_before, case.epoch.Y, CURVE),
    "path_length": lambda case: path.path_length(
        [case.epoch.Y_before, case.epoch.Y], CURVE, pair_sets.pair_set(case.mu, None)
    ),
    "PathObserver": lambda case: observed(path.PathObserver(), case),
    "purported_squared_forces": lambda case: traces(
        squared_forces.purported_squared_forces(case.mu, case.epoch.Y, CURVE)
    ),
    "effective_squared_forces": lambda case: traces(
        squared_forces.effective_squared_forces(case.mu, DESCENT, case.epoch.Y, CURVE)
    ),
    "SquaredForcesObserver": lambda case: list(
        observed(squared_forces.SquaredForcesObserver(), case)["squared_forces"].T
    ),
    "fisher_blocks": lambda case: [
        *(of_blocks(fisher.fisher_blocks(case.epoch.Y, CURVE, weights=weights)) for weights in (None, known(case)[1]))
    ],
    "fisher_metric": lambda case: pushed(fisher.fisher_metric(case.epoch.Y, CURVE), case),
    "hessian": lambda case: [
        leaf
        for weights in known(case)
        for operator in (fisher.hessian(weights, case.epoch.Y, CURVE),)
        for leaf in (pushed(operator, case), of_blocks(operator.own))
    ],
    "hill_numbers": lambda case: list(perplexity.hill_numbers(case.mu.weight, (0, 0.7, 1, 3), indptr=case.mu.indptr).T),
    "row_hill_numbers": lambda case: list(perplexity.row_hill_numbers(case.p).T),
    "calibrate": lambda case: calibration.calibrate(case.mu, case.epoch.Y, CURVE),
    "purported_balance": lambda case: balance.purported_balance(case.mu, case.epoch.Y, CURVE),
    "effective_balance": lambda case: balance.effective_balance(case.mu, DESCENT, case.epoch.Y, CURVE),
    "layout_diameter": lambda case: balance.layout_diameter(case.epoch.Y),
    "least_diameter": lambda case: balance.least_diameter(case.mu, CURVE),
    "purported_laplacian": lambda case: parts(laplacian.purported_laplacian(case.mu, case.epoch.Y, CURVE)),
    "effective_laplacian": lambda case: parts(laplacian.effective_laplacian(case.mu, DESCENT, case.epoch.Y, CURVE)),
    "negative_directions": lambda case: (
        inertia.negative_directions(laplacian.effective_laplacian(case.mu, DESCENT, case.epoch.Y, CURVE)).number
    ),
    "pair_sums": lambda case: [
        pair_sums(case.epoch.Y, name, case.p.degree, CURVE).values[:, 0, 0] for name in POTENTIALS
    ],
}


def test_every_public_measure__is_registered_here():
    names = {name for name in loss.__all__ if inspect.isfunction(getattr(loss, name)) or name.endswith("Observer")}
    for module in (degree, binarisation, perplexity, calibration, inertia):
        for name, thing in vars(module).items():
            own = getattr(thing, "__module__", None) == module.__name__ and not name.startswith("_")
            if own and (inspect.isfunction(thing) or name.endswith("Observer")):
                names.add(name)
    for module in (divergence, fisher_rao, path, squared_forces):
        named = {name: getattr(module, name) for name in module.__all__}
        names |= {name for name, thing in named.items() if inspect.isfunction(thing) or name.endswith("Observer")}
    for module, ends in ((gradient, "_gradient"), (balance, ("_balance", "_diameter")), (laplacian, "_laplacian")):
        names |= {name for name in vars(module) if name.endswith(ends)}
    names |= {"fisher_blocks", "fisher_metric", "hessian"}
    assert names == MEASURES.keys() - {"pair_sums"}


# ---- the example ---------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["apart", "coincident"])
def case(request):
    """An epoch of a run; its layouts put on a grid of 1/64ths, so that shifts by multiples are exact."""
    p = fuzzy_graph(neighbors(np.random.default_rng(0).normal(size=(N, 3)), K))
    mu = prune(p, T)
    state = initial_state(mu, DESCENT, np.random.default_rng(1).uniform(0, 10, (N, 2)))
    *_, epoch = epochs(mu, CURVE, DESCENT, state, keep_updates=(T,))
    before, Y = ((np.rint(64 * layout) / 64).astype(np.float32) for layout in (epoch.Y_before, epoch.Y))
    if request.param == "coincident":
        Y[3] = Y[mu.indices[mu.indptr[3]]]  # the ends of an edge: infinite losses
    return Case(p, mu, replace(epoch, Y=Y, Y_before=before))


def relabelled_graph(graph, order):
    """The graph whose vertex i is the vertex order[i] of this one, and for each entry where it was."""
    new = np.argsort(order)
    places = csr_matrix((np.arange(graph.n_entries) + 1, graph.indices, graph.indptr), shape=(N, N))
    moved = csr_matrix(places[order][:, order])
    moved.sort_indices()
    was, rows = moved.data - 1, graph.rows
    indptr = np.concatenate([[0], np.cumsum(np.diff(rows.indptr)[order])])
    listed = np.concatenate([np.arange(rows.indptr[v], rows.indptr[v + 1]) for v in order])
    per_vertex = {name: getattr(rows, name)[order] for name in ("rho", "sigma", "floored", "tied")}
    per_listed = {name: getattr(rows, name)[listed] for name in ("distance", "membership")}
    neighbor = new[rows.neighbor[listed]].astype(np.int32)
    moved_rows = Rows(indptr=indptr, neighbor=neighbor, **per_listed, **per_vertex)
    arrays = moved.indptr.astype(np.int64), moved.indices.astype(np.int32), graph.weight[was]
    return Graph(*arrays, graph.n_neighbors, moved_rows), was


def relabelled(case, order):
    """The same case with vertex order[i] called i, and for each entry of mu where it was."""
    epoch, new = case.epoch, np.argsort(order).astype(np.int32)
    (p, _), (mu, was) = relabelled_graph(case.p, order), relabelled_graph(case.mu, order)
    updates = epoch.updates.copy()
    for name in ("head", "tail"):
        updates[name] = new[updates[name]]
    updates["entry"] = np.argsort(was)[updates["entry"]]
    counts = Counts(*(count[order] for count in epoch.counts))
    layouts = {"Y": epoch.Y[order], "Y_before": epoch.Y_before[order]}
    return Case(p, mu, replace(epoch, updates=updates, counts=counts, **layouts)), was


def leaves(result, name="result"):
    """(name, array) for every number and array of a result, however it is packed."""
    if dataclasses.is_dataclass(result):
        result = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
    elif hasattr(result, "_asdict"):
        result = result._asdict()
    elif isinstance(result, list):
        result = dict(enumerate(result))
    if isinstance(result, dict):
        for key, part in result.items():
            yield from leaves(part, f"{name}.{key}")
    elif result is not None and not isinstance(result, str):
        yield name, np.asarray(result)


# ---- the contracts -------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_a_measure__goes_with_its_vertices_when_they_are_relabelled(measure, case):
    order = np.random.default_rng(2).permutation(N)
    moved_case, was = relabelled(case, order)
    before, after = dict(leaves(measure(case))), dict(leaves(measure(moved_case)))
    assert before.keys() == after.keys()
    finite = [np.abs(values[np.isfinite(values)]).max(initial=0.0) for values in before.values()]
    for name, values in before.items():
        arranged = {(N,): lambda x: x[order], (case.mu.n_entries,): lambda x: x[was]}.get(values.shape, lambda x: x)
        # Sums in another order: rounding relative to what is summed, not to what is left of it.
        np.testing.assert_allclose(after[name], arranged(values), rtol=1e-12, atol=1e-12 * max(finite), err_msg=name)


@pytest.mark.parametrize(
    ("sign", "shift"),
    [([1, 1], [16, -3.5]), ([-1, 1], [0, 0]), ([1, -1], [0, 0]), ([-1, -1], [0.25, 8])],
    ids=["translated", "reflected in x", "reflected in y", "turned round and translated"],
)
@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_a_measure__is_the_same_to_the_bit_for_a_layout_that_is_moved_or_reflected(measure, sign, shift, case):
    epoch, sign, shift = case.epoch, np.float32(sign), np.float32(shift)
    layouts = {"Y": epoch.Y * sign + shift, "Y_before": epoch.Y_before * sign + shift, "delta": epoch.delta * sign}
    before, after = (dict(leaves(measure(c))) for c in (case, replace(case, epoch=replace(epoch, **layouts))))
    assert before.keys() == after.keys()
    for name, values in before.items():
        np.testing.assert_array_equal(after[name], values, err_msg=name)


def arrays_of(case):
    """Every array of a case, by place."""
    for graph in (case.p, case.mu):
        yield from (getattr(graph, name) for name in ("indptr", "indices", "weight"))
        yield from (getattr(graph.rows, name) for name in Rows.__dataclass_fields__)
    yield from (case.epoch.Y, case.epoch.Y_before, case.epoch.updates, case.epoch.delta, *case.epoch.counts)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_a_measure__leaves_its_inputs_as_they_were_and_says_the_same_twice(measure, case):
    before = [array.tobytes() for array in arrays_of(case)]
    first, second = dict(leaves(measure(case))), dict(leaves(measure(case)))
    assert [array.tobytes() for array in arrays_of(case)] == before
    assert {name: values.tobytes() for name, values in first.items()} == {
        name: values.tobytes() for name, values in second.items()
    }


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_a_measure__is_finite_or_infinite_but_never_nan(measure, case):
    for name, values in leaves(measure(case)):
        assert not np.isnan(values).any(), name
        assert (values != -np.inf).all(), name
