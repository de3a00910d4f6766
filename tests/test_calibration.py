"""Calibration: Pythagoras for any graph and layout, the optimum's conditions, its limits, what does not change."""

import math

import numpy as np
import pytest
import reference as ref
from hypothesis import event, given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.special import expit, logit
from strategies import embedded_graphs, layouts

from umapinfo.core.curve import Curve, fit_curve
from umapinfo.core.graph import Graph, graph_from_csr
from umapinfo.core.settings import Descent
from umapinfo.measures.calibration import calibrate
from umapinfo.measures.loss import purported_loss, reference_losses
from umapinfo.pairs import classes

UMAP = fit_curve()
curves = st.builds(Curve, st.floats(0.05, 20), st.floats(0.3, 2), st.just(0.0))
cases = st.integers(1, 3).flatmap(lambda dim: embedded_graphs(dim=dim, min_edges=0))
DIVERGENCES = ("kl", "residual", "miscalibration", "constant", "explained")


def pairs_apart(p, Y):
    """p and ln d of the unordered pairs with d > 0, and the number of the others, dense."""
    one, other = np.triu_indices(len(Y), 1)
    d2 = ref.squared_distances(Y)[one, other]
    return p.toarray().astype(np.float64)[one, other][d2 > 0], np.log(d2[d2 > 0]) / 2, int((d2 == 0).sum())


def logits_of(found, p, log_d):
    """The logits of q* by the twin: alpha + beta ln d, or the limit at the distance that separates."""
    if found.alpha is not None:
        return found.alpha + found.beta * log_d
    if not p.any():
        return np.full(len(p), -np.inf)
    for sign in (1, -1):
        t = (sign * log_d)[p > 0].max()
        near, at = sign * log_d < t, sign * log_d == t
        if (p[near] == 1).all() and (p[~near & ~at] == 0).all():
            return np.select([near, at], [np.inf, logit(p[at].mean())], -np.inf)
    raise AssertionError("no distance separates, and yet no optimum was found")


def size_of(p, *logits):
    """What goes through the sums: theta and -theta of each, where finite."""
    return sum(1 + np.where(np.isfinite(theta), abs(theta), 0) for theta in logits).sum()


# ---- the parts -----------------------------------------------------------------------------------


@given(case=cases, curve=curves)
def test_the_loss__is_entropy_residual_and_miscalibration_for_any_graph_layout_and_curve(case, curve):
    found = calibrate(graph_from_csr(case[0]), case[1], curve)
    p, log_d, _ = pairs_apart(*case)
    theta_star = logits_of(found, p, log_d)
    event(f"{'finite' if found.alpha is not None else 'limit'}, {len(p) > 0 and p.any()}")
    # Each sum is known to some ulp of the logits in it.
    rounding = 1e-14 * size_of(p, theta_star, -math.log(curve.a) - 2 * curve.b * log_d)
    assert abs(found.kl - found.residual - found.miscalibration) <= 1e-8 * found.kl + rounding
    assert abs(found.bce - found.entropy - found.kl) <= 1e-8 * found.bce + rounding
    assert abs(found.constant - found.residual - found.explained) <= 1e-8 * found.constant + rounding
    assert min(getattr(found, name) for name in DIVERGENCES) >= -rounding
    assert found.residual <= min(found.kl, found.constant) + rounding
    if found.constant > 0:
        assert -rounding <= found.calibrated_pseudo_r2 * found.constant <= found.constant + rounding
        assert found.pseudo_r2 <= found.calibrated_pseudo_r2 + 1e-8 + rounding / found.constant


@given(case=cases, curve=curves)
def test_the_parts__are_the_dense_divergences_of_the_twin(case, curve):
    found = calibrate(graph_from_csr(case[0]), case[1], curve)
    p, log_d, n_coincident = pairs_apart(*case)
    theta, theta_star = -math.log(curve.a) - 2 * curve.b * log_d, logits_of(found, p, log_d)
    q_star, rest = expit(theta_star), expit(-theta_star)
    mean = np.full(len(p), logit(p.mean()) if len(p) else 0.0)
    expected = {
        "bce": ref.bce(p, theta),
        "kl": ref.kl(p, theta),
        "entropy": ref.h(p),
        "residual": ref.kl(p, theta_star),
        "miscalibration": ref.kl(q_star, theta, rest),
        "constant": ref.kl(p, mean),
        "explained": ref.kl(q_star, mean, rest),
    }
    allowed = 1e-13 * size_of(p, theta, theta_star, mean)
    for name, terms in expected.items():
        assert abs(getattr(found, name) - terms.sum()) <= allowed, name
    assert (found.n_pairs, found.n_coincident, found.n_vertices) == (len(p), n_coincident, len(case[1]))
    assert found.class_error == 0.0
    assert found.bits_per_vertex == pytest.approx(found.explained / len(case[1]) / math.log(2), rel=1e-15)


@given(case=cases, curve=curves)
def test_the_optimum__has_the_edges_and_the_log_distances_of_the_graph(case, curve):
    found = calibrate(graph_from_csr(case[0]), case[1], curve)
    p, log_d, _ = pairs_apart(*case)
    theta = logits_of(found, p, log_d)
    off = np.where(theta < 0, expit(theta) - p, (1 - p) - expit(-theta))
    # The logit of a pair is known to an ulp of the largest term in it, and q (1 - q) times that.
    spread = 1 + abs(log_d).max(initial=0.0)
    ulp = 1e-13 * (1 + (abs(found.beta or 0.0) + abs(found.alpha or 0.0)) * spread)
    allowed = ulp * (p + expit(theta) * expit(-theta)).sum() + 1e-11 * math.sqrt((expit(theta) * expit(-theta)).sum())
    assert abs(off.sum()) <= allowed
    assert abs((off * log_d).sum()) <= allowed * spread
    assert abs(np.array(found.slopes) - [off.sum(), (off * log_d).sum()]).max() <= 2 * allowed * spread


@given(case=cases, curve=curves, step=st.sampled_from([1e-3, 0.1, 2.0]), angle=st.floats(0, 6.3))
def test_the_optimum__is_nowhere_undercut(case, curve, step, angle):
    found = calibrate(graph_from_csr(case[0]), case[1], curve)
    p, log_d, _ = pairs_apart(*case)
    alpha, beta = found.alpha or 0.0, found.beta or 0.0  # of a limit any member will do
    other = alpha + step * math.cos(angle) + (beta + step * math.sin(angle)) * log_d
    assert found.residual <= ref.kl(p, other).sum() + 1e-13 * size_of(p, other, logits_of(found, p, log_d))


# ---- limits --------------------------------------------------------------------------------------


def on_a_line(places, edges):
    """The graph of {(i, j): p} and points on a line."""
    n = len(places)
    W = np.zeros((n, n))
    for (i, j), weight in edges.items():
        W[i, j] = W[j, i] = weight
    return graph_from_csr(csr_matrix(W)), np.array(places, dtype=np.float64)[:, np.newaxis]


@pytest.mark.parametrize(
    ("places", "edges", "residual"),
    [
        ([0, 1, 3], {(0, 1): 1.0}, 0.0),  # edges are the nearest pairs
        ([0, 1, 3], {(0, 2): 1.0}, 0.0),  # the furthest
        ([0, 1, 3], {(0, 1): 1.0, (1, 2): 0.25}, 0.0),  # the one uncertain pair lies between
        ([0, 1, 3], {(0, 1): 0.25}, 0.0),
        ([0, 1, 2], {(0, 1): 1.0}, 2 * math.log(2)),  # two pairs at one distance, one an edge: q* = 1/2
        ([0, 1, 2], {(0, 1): 1.0, (1, 2): 0.5}, 2 * (0.25 * math.log(4) + 0.75 * math.log(4 / 3)) - math.log(2)),
        ([0, 1, 3], {(0, 1): 1.0, (0, 2): 1.0, (1, 2): 1.0}, 0.0),
        ([0, 1, 3], {}, 0.0),
        ([0, 2], {(0, 1): 0.25}, 0.0),
        ([0, 0, 2], {(0, 2): 0.25, (1, 2): 0.75}, 2 * math.log(2) - 2 * (0.25 * math.log(4) + 0.75 * math.log(4 / 3))),
    ],
)
def test_targets_that_a_distance_separates__have_their_least_in_the_limit(places, edges, residual):
    graph, Y = on_a_line(places, edges)
    found = calibrate(graph, Y, UMAP)
    assert (found.alpha, found.beta, found.curve) == (None, None, None)
    # Some ulp of ln 2.
    assert abs(found.residual - residual) <= 1e-15
    assert abs(found.kl - found.residual - found.miscalibration) <= 1e-14 * found.kl
    assert abs(found.constant - found.residual - found.explained) <= 1e-14 * max(found.constant, 1.0)


def separated(p, log_d):
    """Whether, by trying each, a distance has only p = 1 on one side of it and p = 0 on the other."""
    return not p.any() or any(
        (p[sign * log_d < sign * t] == 1).all() and (p[sign * log_d > sign * t] == 0).all()
        for sign in (1, -1)
        for t in log_d
    )


@given(case=cases)
def test_an_optimum__is_finite_unless_a_distance_separates_the_targets(case):
    p, log_d, _ = pairs_apart(*case)
    event(f"separated {separated(p, log_d)}")
    assert (calibrate(graph_from_csr(case[0]), case[1], UMAP).alpha is None) == separated(p, log_d)


def test_a_vertex_alone_and_points_all_in_one_place__have_no_pairs_apart():
    one = Graph(np.zeros(2, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))
    same = graph_from_csr(csr_matrix(np.array([[0, 0.5], [0.5, 0]])))
    for graph, n_coincident in ((one, 0), (same, 1)):
        found = calibrate(graph, np.ones((graph.n_vertices, 2)), UMAP)
        assert {name: getattr(found, name) for name in (*DIVERGENCES, "bce")} == dict.fromkeys((*DIVERGENCES, "bce"), 0)
        assert (found.n_pairs, found.n_coincident, found.bits_per_vertex) == (0, n_coincident, 0.0)
        assert (found.pseudo_r2, found.calibrated_pseudo_r2, found.curve) == (None, None, None)
        assert len(found.reliability.p) == 0


def test_equal_targets_everywhere__leave_nothing_to_explain():
    p = 0.3 * (1 - np.eye(5))
    found = calibrate(graph_from_csr(csr_matrix(p)), np.random.default_rng(0).normal(size=(5, 2)), UMAP)
    assert (found.constant, found.pseudo_r2, found.calibrated_pseudo_r2, found.curve) == (0.0, None, None, None)
    # Rounding of ten pairs.
    assert max(abs(found.beta), found.residual, found.explained) < 1e-14


def test_coincident_points__are_left_out_and_counted():
    graph, Y = on_a_line([0, 0, 1, 3], {(0, 1): 0.5, (0, 2): 0.5, (1, 2): 0.25, (2, 3): 0.5})
    found = calibrate(graph, Y, UMAP)
    assert (found.n_coincident, found.n_pairs) == (1, 5)
    assert purported_loss(graph, Y, UMAP).kl == np.inf
    # The pair (0, 1) has H = ln 2 and no finite loss.
    np.testing.assert_allclose(found.kl, purported_loss(graph, Y, UMAP).kl_apart, rtol=1e-13)
    assert found.entropy < purported_loss(graph, Y, UMAP).entropy - 0.6


# ---- what it says --------------------------------------------------------------------------------


@given(Y=layouts(n=8), curve=curves, other=curves, power=st.integers(-30, 30))
def test_the_calibrated_layout__knows_neither_curve_nor_scale(Y, curve, other, power):
    p = np.random.default_rng(0).random((8, 8)) * (1 - np.eye(8))
    graph = graph_from_csr(csr_matrix((p + p.T) / 2))
    found, by_other = (calibrate(graph, Y, c) for c in (curve, other))
    assert (found.alpha, found.beta, found.residual) == (by_other.alpha, by_other.beta, by_other.residual)
    scaled = calibrate(graph, np.ldexp(Y.astype(np.float64), power), curve)
    assert (scaled.n_coincident, scaled.alpha is None) == (found.n_coincident, found.alpha is None)
    if found.alpha is not None:
        # Logarithms are rounded anew: an ulp of |power| ln 2 times beta; of nearly equal distances beta is large.
        allowed = 1e-11 * (1 + abs(found.beta)) * (1 + abs(power))
        assert abs(scaled.residual - found.residual) <= allowed
        assert abs(scaled.explained - found.explained) <= allowed
        assert abs(scaled.beta - found.beta) <= allowed * (1 + abs(found.beta))
        shifted = found.alpha - found.beta * power * math.log(2)
        assert abs(scaled.alpha - shifted) <= allowed * (1 + abs(found.alpha) + abs(found.beta))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0])
def test_similarities_as_targets__give_their_curve_back_whatever_is_assumed(scale):
    Y, true = np.random.default_rng(0).normal(size=(40, 2)) * 2, Curve(0.7, 1.2)
    q = ref.similarity(Y, true) * (1 - np.eye(40))
    found = calibrate(graph_from_csr(csr_matrix(q)), Y * scale, UMAP)
    # Targets are float32 numbers: 6e-8 of each, 1e-14 of KL.
    np.testing.assert_allclose(found.curve, (true.a * scale ** (-2 * true.b), true.b, 0), rtol=1e-6)
    assert found.residual < 1e-10
    assert found.calibrated_pseudo_r2 > 1 - 1e-11
    np.testing.assert_allclose(found.kl, found.miscalibration, rtol=1e-8)


def test_edges_that_are_further_apart_than_other_pairs__have_no_curve_and_a_rising_logit():
    Y = np.random.default_rng(0).normal(size=(30, 2))
    q = ref.similarity(Y, UMAP) * (1 - np.eye(30))
    found = calibrate(graph_from_csr(csr_matrix(1 - np.eye(30) - q)), Y, UMAP)
    np.testing.assert_allclose([found.alpha, found.beta], [math.log(UMAP.a), 2 * UMAP.b], rtol=1e-6)
    assert found.curve is None


def test_two_distances__are_fitted_by_their_means():
    graph, Y = on_a_line([0, 1, 2], {(0, 1): 0.75, (1, 2): 0.25, (0, 2): 0.125})
    found = calibrate(graph, Y, UMAP)
    # Means 1/2 at distance 1 and 1/8 at distance 2.
    np.testing.assert_allclose([found.alpha, found.beta], [0, math.log(1 / 7) / math.log(2)], atol=1e-13)
    np.testing.assert_allclose(found.reliability.calibrated, [0.5, 0.125], rtol=1e-13)
    np.testing.assert_array_equal(found.reliability.p, [0.5, 0.125])
    np.testing.assert_array_equal(found.reliability.n_pairs, [2, 1])


def test_the_constant__is_the_level_of_the_reference_losses():
    random = np.random.default_rng(0)
    p = np.triu(random.random((30, 30)) * (random.random((30, 30)) < 0.2), 1)
    graph = graph_from_csr(csr_matrix(p + p.T))
    found = calibrate(graph, random.normal(size=(30, 2)), UMAP)
    level = reference_losses(graph, Descent())
    np.testing.assert_allclose(found.constant, level.purported_constant - level.purported_target, rtol=1e-12)


@given(case=cases, curve=curves)
def test_reliability__has_every_pair_in_a_bin_and_the_mass_of_the_graph(case, curve):
    found = calibrate(graph_from_csr(case[0]), case[1], curve)
    p, log_d, _ = pairs_apart(*case)
    bins = found.reliability
    assert bins.n_pairs.sum() == found.n_pairs
    for values in (bins.p, bins.q, bins.calibrated):
        assert ((values >= 0) & (values <= 1 + 1e-15)).all()
    assert (np.diff(bins.distance) > 0).all()
    assert (np.diff(bins.q) <= 0).all()
    # Sums of means: rounding.
    np.testing.assert_allclose((bins.n_pairs * bins.p).sum(), p.sum(), rtol=1e-13)
    place = np.searchsorted(bins.distance * 2 ** (1 / 8), np.exp(log_d))  # the ends of bins
    q = np.bincount(place, 1 / (1 + curve.a * np.exp(2 * curve.b * log_d)), len(bins.q))
    on_an_end = abs(4 * log_d / math.log(2) % 1 - 0.5) > 0.5 - 1e-9
    if not on_an_end.any():
        np.testing.assert_allclose(bins.n_pairs * bins.q, q, rtol=1e-11)


# ---- many points, errors -------------------------------------------------------------------------


def many(n=1500, seed=0):
    """A random graph whose edges join near points, and the layout."""
    random = np.random.default_rng(seed)
    Y = random.integers(-4, 5, (n, 2)) + 0.2 * random.normal(size=(n, 2))
    near = np.triu((ref.squared_distances(Y) < 0.3) & (random.random((n, n)) < 0.3), 1)
    p = csr_matrix(near * random.random((n, n)))
    return graph_from_csr(p + p.T), Y


def test_many_points__are_within_the_stated_error_of_the_exact_sums_and_obey_the_identities():
    graph, Y = many()
    found = calibrate(graph, Y, UMAP)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classes, "EXACT_UP_TO", len(Y))
        exact = calibrate(graph, Y, UMAP)
    assert found.class_error > exact.class_error == 0
    # Rounding alone: the identities are those of the classes.
    assert abs(found.kl - found.residual - found.miscalibration) <= 1e-12 * found.kl
    assert abs(found.constant - found.residual - found.explained) <= 1e-12 * found.constant
    for name in ("bce", "kl", "residual"):
        of_classes, of_pairs = getattr(found, name), getattr(exact, name)
        assert of_classes != of_pairs
        assert abs(of_classes - of_pairs) <= found.class_error * of_pairs, name
    np.testing.assert_allclose(found.kl, purported_loss(graph, Y, UMAP).kl, rtol=found.class_error)
    assert (found.n_pairs, found.constant) == (exact.n_pairs, pytest.approx(exact.constant, rel=1e-13))


def test_calibrate__refuses_curves_with_c_and_what_losses_refuse():
    graph = graph_from_csr(csr_matrix(np.array([[0, 1], [1, 0]], dtype=np.float32)))
    Y = np.array([[0.0, 0.0], [1.0, 2.0]])
    with pytest.raises(ValueError, match=r"c = 0, got c=1\.0"):
        calibrate(graph, Y, Curve(1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="layout Y: expected shape"):
        calibrate(graph, np.zeros((3, 2)), UMAP)
    with pytest.raises(ValueError, match="vertex 1"):
        calibrate(graph, [[0.0, 0.0], [np.nan, 0.0]], UMAP)
    with pytest.raises(TypeError, match="object"):
        calibrate(graph, Y.astype(object), UMAP)
    with pytest.raises(TypeError, match="curve"):
        calibrate(graph, Y, (1.0, 1.0))
