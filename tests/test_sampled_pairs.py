"""Sampled totals over pairs: against dense sums, their intervals against the truth, their bits, what they refuse."""

import numba
import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from strategies import curves, layouts

from umapinfo.core.curve import Curve, fit_curve
from umapinfo.embed import embed
from umapinfo.pairs import sampled_sum
from umapinfo.pairs.cells import cells_of, count_candidates
from umapinfo.pairs.draws import draws_by, place_at
from umapinfo.pairs.sampled import hall, stratified_sum
from umapinfo.pairs.stratum import near_stratum
from umapinfo.trace.recording import Recording

UMAP = fit_curve()
NAMES = ("attraction", "repulsion", "similarity", "repulsion_clipped")
REPEATS = 2000


def points(n, dim=2, seed=0, scale=3.0):
    return np.random.default_rng(seed).normal(size=(n, dim)) * scale


def exact(Y, names, u, v, curve=UMAP):
    """Dense totals over unordered pairs, those of |w f|, and the number of pairs at distance 0."""
    Y, u, v = np.asarray(Y, dtype=np.float64), np.reshape(u, (len(Y), -1)), np.reshape(v, (len(Y), -1))
    i, j = np.triu_indices(len(Y), 1)
    d2 = ((Y[i] - Y[j]) ** 2).sum(axis=1)
    w = ((u[i] * v[j] + u[j] * v[i]) / 2).sum(axis=1)
    f = np.array([[ref.pair_potential(name, x, curve) for x in d2] for name in names])
    f[np.isinf(f)] = 0
    return f @ w, abs(f) @ abs(w), int((d2 == 0).sum())


def repulsion(Y, u, v):
    """Dense total of the repulsion of UMAP's curve, for layouts of thousands of points that are apart."""
    d2 = ref.squared_distances(Y)
    np.fill_diagonal(d2, np.inf)
    u, v = (np.reshape(w, (len(Y), -1)) for w in (u, v))
    return float((u * (np.log1p(1 / (UMAP.a * d2**UMAP.b)) @ v)).sum() / 2)


@pytest.fixture
def any_number_of_threads():
    before = numba.get_num_threads()
    yield numba.set_num_threads
    numba.set_num_threads(before)


@pytest.fixture
def one_thread(any_number_of_threads):
    """For thousands of small samples, which threads of a busy machine would wait for each other in."""
    any_number_of_threads(1)


# ---- values --------------------------------------------------------------------------------------


@given(
    Y=st.integers(1, 5).flatmap(lambda dim: layouts(dim=dim)),
    curve=curves(),
    columns=st.integers(1, 3),
    seed=st.integers(0, 99),
    all_near=st.sampled_from([{}, {"radius": np.inf}, {"radius": 1e200}, {"n_near": 120}]),
)
def test_sampled_sum__of_few_pairs_is_the_exact_total(Y, curve, columns, seed, all_near):
    u, v = np.random.default_rng(seed).normal(size=(2, len(Y), columns))
    total = sampled_sum(Y, NAMES, u, v, Curve(*curve), **all_near)
    expected, size, n_coincident = exact(Y, NAMES, u, v, curve)
    # Rounding of 120 terms, |theta| < 100; the clipped potential is known to one ulp of 1 - q only.
    weight = abs(u).sum(axis=0) @ abs(v).sum(axis=0)
    assert np.all(abs(total.value - expected) <= 1e-12 * size + 1e-13 * weight)
    np.testing.assert_array_equal(total.low, total.value)
    np.testing.assert_array_equal(total.high, total.value)
    assert total.n_far_pairs == total.n_far_sampled == 0
    assert total.n_near_pairs == len(Y) * (len(Y) - 1) // 2
    assert total.n_coincident == n_coincident
    assert total.reliable.all()


@given(
    Y=st.integers(1, 5).flatmap(lambda dim: layouts(dim=dim)),
    radius=st.floats(0, 100),
    seed=st.integers(0, 99),
)
def test_near_stratum__sums_and_counts_the_pairs_within_any_radius(Y, radius, seed):
    u, v = np.random.default_rng(seed).normal(size=(2, len(Y), 2))
    near = near_stratum(Y, NAMES, u, v, UMAP, radius=radius)
    i, j = np.triu_indices(len(Y), 1)
    inside = ref.squared_distances(Y.astype(np.float64))[i, j] <= near.radius2
    w, z = ((f(u[i] * v[j]) + f(u[j] * v[i])).sum(axis=1) / 2 for f in (np.positive, abs))
    f = np.array(
        [
            [ref.pair_potential(name, x, UMAP) for x in ref.squared_distances(Y.astype(np.float64))[i, j]]
            for name in NAMES
        ]
    )
    f[np.isinf(f)] = 0
    # Rounding of up to 120 terms; the weight of the far pairs is a difference of sums of all.
    np.testing.assert_allclose(near.total, f[:, inside] @ w[inside], rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(near.far_size, z[~inside].sum(), rtol=1e-11, atol=1e-11)
    assert (near.n_near, near.n_far) == (inside.sum(), (~inside).sum())


@pytest.mark.parametrize("dim", [1, 2, 3, 5, 20])
def test_near_stratum__finds_about_as_many_pairs_as_it_was_asked_for(dim):
    Y = points(1500, dim)
    near = near_stratum(Y, "repulsion", np.ones(1500), np.ones(1500), UMAP, n_near=20_000)
    d2 = np.sort(ref.squared_distances(Y)[np.triu_indices(1500, 1)])
    assert near.n_near == np.searchsorted(d2, near.radius2, side="right")
    # In many dimensions the grid offers too many candidates, and the radius shrinks.
    assert near.n_near < 30_000
    assert dim > 3 or near.n_near > 10_000


def test_near_stratum__bounds_its_work_in_heaps_that_the_pilots_miss():
    Y = points(4000, scale=100.0)
    Y[np.arange(4000) % 16 == 7] *= 1e-8  # of these vertices the 256 pilots see few
    near = near_stratum(Y, "repulsion", np.ones(4000), np.ones(4000), UMAP, n_near=2000)
    assert count_candidates(cells_of(Y, near.radius2)) <= 16 * 2000
    assert near.radius2 > 0


def test_near_stratum__is_not_slowed_by_outliers():
    Y = np.r_[points(5000), [[1e12, -1e9]]]
    near = near_stratum(Y, "repulsion", np.ones(5001), np.ones(5001), UMAP, n_near=50_000)
    assert 25_000 < near.n_near < 75_000
    assert count_candidates(cells_of(Y, near.radius2)) <= 16 * 50_000


def test_near_stratum__takes_a_heap_of_equal_points_as_one():
    n = 200_000  # 2e10 pairs
    near = near_stratum(np.full((n, 2), 0.1), "similarity", np.ones(n), np.ones(n), UMAP)
    assert near.n_near == near.n_coincident == n * (n - 1) // 2
    assert near.total[0] == n * (n - 1) / 2
    assert near.far_size == 0.0


@pytest.mark.parametrize("dim", [1, 2, 3, 4, 5])
def test_sampled_sum__is_right_on_average_in_any_dimension(dim, one_thread):
    random = np.random.default_rng(dim)
    Y = np.r_[points(150, dim), random.normal(size=(10, dim)) * 100]  # with outliers
    Y[7:12] = Y[3]
    u, v = random.normal(size=(2, 160, 2)) + 0.5
    near = near_stratum(Y, NAMES, u, v, UMAP, n_near=1000)
    totals = [stratified_sum(near, 2000, seed) for seed in range(400)]
    values, errors = (np.array([getattr(t, name) for t in totals]) for name in ("value", "standard_error"))
    expected, _, n_coincident = exact(Y, NAMES, u, v)
    assert near.n_coincident == n_coincident == 15
    assert abs(values.mean(axis=0) - expected).max() > 0
    assert np.all(abs(values.mean(axis=0) - expected) < 4 * values.std(axis=0) / np.sqrt(400))
    # A standard deviation of 400 values is known to 4 %.
    np.testing.assert_allclose(errors.mean(axis=0), values.std(axis=0), rtol=0.15)


def test_sampled_sum__with_uneven_weights_is_as_exact_as_with_equal_ones():
    Y = points(2000)
    hubs = np.random.default_rng(0).pareto(1.2, 2000)
    even, uneven = (sampled_sum(Y, "attraction", w, w, UMAP, n_pairs=20_000, n_near=0) for w in (np.ones(2000), hubs))
    ratio = (uneven.standard_error / uneven.value) / (even.standard_error / even.value)
    assert 0.7 < ratio[0] < 1.5


def test_sampled_sum__never_draws_a_vertex_without_weight():
    Y = points(600)
    weights = np.zeros(600)
    weights[[3, 70, 400]] = 1.0, 2.0, 3.0
    Y[weights == 0] *= 0.01
    total = sampled_sum(Y, "similarity", weights, weights, UMAP, n_near=0, n_pairs=1000)
    expected, _, _ = exact(Y[weights > 0], ["similarity"], weights[weights > 0], weights[weights > 0])
    assert total.low[0] <= expected[0] <= total.high[0]
    assert total.n_effective[0] > 100


def test_sampled_sum__without_weights_or_with_all_of_them_near_is_exact():
    Y = np.r_[np.zeros((1, 2)), np.ones((1, 2)), points(600) + 1000]
    weights = np.zeros(602)
    for at in ([], [0], [0, 1]):
        weights[at] = 2.0
        total = sampled_sum(Y, "similarity", weights, weights, UMAP, radius=3.0, n_pairs=50)
        expected = 4 / (1 + UMAP.a * 2**UMAP.b) if len(at) == 2 else 0.0
        # One term, to some ulp.
        np.testing.assert_allclose(total.value, [expected], rtol=1e-14)
        assert total.low == total.value == total.high
        assert total.n_far_pairs > 0
        assert total.n_far_sampled == 0


def test_sampled_sum__of_one_two_or_three_points_is_exact():
    for n in (1, 2, 3):
        Y = np.arange(2.0 * n).reshape(n, 2) ** 2
        total = sampled_sum(Y, NAMES, np.ones(n), np.ones(n), UMAP, n_pairs=1)
        np.testing.assert_allclose(total.value, exact(Y, NAMES, np.ones(n), np.ones(n))[0], rtol=1e-13, atol=1e-15)


def test_sampled_sum__counts_distances_whose_square_underflows_as_coincident():
    Y = np.array([[0.0], [1e-170], [1e-150], [0.0]])
    for near in ({}, {"radius": 0.0}):
        total = sampled_sum(Y, "repulsion", np.ones(4), np.ones(4), UMAP, **near)
        assert total.n_coincident == 3
        assert np.isfinite(total.value).all()


# ---- intervals -----------------------------------------------------------------------------------


def spread_layout(n=1000):
    """A layout of the ring as the exact purported loss has it: 20 steps of L-BFGS, far wider than UMAP's."""
    a, b, _ = UMAP
    X = ref.ring(3, n)
    mu = np.triu(ref.prune(ref.graph(X, 15)[1], 500), 1)
    heads, tails = np.nonzero(mu)
    mu = mu[heads, tails]

    def loss(flat):
        Y = flat.reshape(n, 2)
        delta = [np.subtract.outer(y, y) for y in Y.T]
        d2 = delta[0] ** 2 + delta[1] ** 2
        np.fill_diagonal(d2, np.inf)
        odds = a * d2**b
        slope = -2 * b / (d2 * (1 + odds))
        along = Y[heads] - Y[tails]
        edge_d2 = (along**2).sum(axis=1)
        pull = (2 * b * mu / edge_d2)[:, None] * along
        gradient = np.column_stack([(slope * axis).sum(axis=1) for axis in delta])
        np.add.at(gradient, heads, pull)
        np.subtract.at(gradient, tails, pull)
        return np.log1p(1 / odds).sum() / 2 + (mu * np.log(a * edge_d2**b)).sum(), gradient.ravel()

    start = X * 12 + np.random.default_rng(0).normal(size=X.shape) / 2
    return minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 20}).x.reshape(n, 2)


def digits_layout():
    """UMAP's layout of the digits."""
    datasets = pytest.importorskip("sklearn.datasets")
    trace = embed(datasets.load_digits().data, recording=Recording(observers=()), n_epochs=200, progress=False)
    return np.asarray(trace["layouts"]["Y"][-1], dtype=np.float64)


def disc_layout(n=1500):
    radius, angle = np.random.default_rng(0).random((2, n))
    return 10 * np.sqrt(radius)[:, None] * np.column_stack([np.cos(2 * np.pi * angle), np.sin(2 * np.pi * angle)])


def line_layout(n=1500):
    return np.random.default_rng(0).random((n, 1)) * [[30.0, 40.0]]


def degree_like(n):
    """Weights u, v of the effective loss: w_ij = s_i + s_j, up to a factor."""
    degree = np.random.default_rng(1).gamma(4.0, 1.0, n) + 0.5
    return np.column_stack([degree, np.ones(n)]), np.column_stack([np.ones(n), degree])


@pytest.mark.parametrize("layout", [digits_layout, disc_layout, line_layout, spread_layout])
def test_intervals__cover_the_exact_total_in_93_to_97_percent_of_2000_repeats(layout, one_thread):
    Y = layout()
    n = len(Y)
    for u, v in ((np.ones(n), np.ones(n)), degree_like(n)):
        near = near_stratum(Y, "repulsion", u, v, UMAP, n_near=10 * n)
        totals = [stratified_sum(near, 5000, seed) for seed in range(REPEATS)]
        truth = repulsion(Y, u, v)
        # An interval that says nothing covers nothing here; it is rare.
        covered = np.mean([t.reliable[0] and t.low[0] <= truth <= t.high[0] for t in totals])
        assert np.mean([t.reliable[0] for t in totals]) > 0.995
        assert 0.93 < covered < 0.97


def test_intervals__without_a_near_stratum_say_so_on_a_spread_layout(one_thread):
    Y = spread_layout()
    ones = np.ones(len(Y))
    truth = repulsion(Y, ones, ones)
    near = near_stratum(Y, "repulsion", ones, ones, UMAP, radius=0.0)
    totals = [stratified_sum(near, 1000, seed) for seed in range(300)]
    naive = np.mean([abs(t.value[0] - truth) < 1.96 * t.standard_error[0] for t in totals])
    assert naive < 0.9
    assert not any(t.reliable[0] for t in totals)
    assert all((t.low[0], t.high[0]) == (-np.inf, np.inf) for t in totals)
    assert all(np.isfinite(t.value[0]) and t.reason[0] for t in totals)


def test_intervals__of_too_few_draws_say_how_few():
    Y = points(2000)
    total = sampled_sum(Y, ["repulsion"], np.ones(2000), np.ones(2000), UMAP, n_pairs=60)
    assert "effective samples" in total.reason[0]
    assert total.n_effective[0] <= total.n_far_sampled <= 60
    none = sampled_sum(Y, ["repulsion"], np.ones(2000), np.ones(2000), UMAP, n_pairs=1, radius=8.0)
    assert np.isfinite(none.value[0])
    assert none.standard_error[0] == np.inf
    assert not none.reliable[0]


def test_intervals__say_when_pairs_that_were_not_drawn_could_move_them():
    # A thousand points far apart but for twenty close ones: few draws see any of those 190 pairs of 500,000.
    Y = np.r_[points(20, seed=1), points(980, scale=1000.0)]
    ones = np.ones(1000)
    near = near_stratum(Y, "repulsion", ones, ones, UMAP, radius=0.0)
    totals = [stratified_sum(near, 500, seed) for seed in range(50)]
    assert not any(t.reliable[0] for t in totals)
    assert all(t.largest_pull[0] > 0.25 for t in totals)
    assert sampled_sum(Y, "repulsion", ones, ones, UMAP, n_pairs=20_000).reliable[0]


def test_hall__is_the_t_statistic_without_skewness_and_continuous_there():
    t = np.array([-1.96, 0.5, 1.96])
    np.testing.assert_array_equal(hall(t, np.zeros(3)), t)
    # The transform differs from t by about k; the cube root of numbers near 1 loses ten digits at k = 1e-6.
    np.testing.assert_allclose(hall(t, np.full(3, 2e-6)), t, atol=1e-5)
    k, h = 0.3, hall(t, np.full(3, 0.3))
    np.testing.assert_allclose(h + k * h**2 / 3 + k**2 * h**3 / 27 + k / 6, t, atol=1e-13)


# ---- draws ---------------------------------------------------------------------------------------


@given(
    sizes=st.lists(st.sampled_from([0.0, 1e-9, 0.3, 1.0, 7.0]), min_size=1, max_size=12).filter(any),
    unit=st.integers(0, 2**53 - 1).map(lambda x: x * 2.0**-53),
)
def test_place_at__finds_the_place_of_a_share_and_none_of_size_0(sizes, unit):
    draws = draws_by(np.array(sizes)[:, None], np.ones((len(sizes), 1)))
    place = place_at(draws.u_shares[0], draws.u_starts[0], unit)
    assert place == np.searchsorted(draws.u_shares[0], unit, side="right")
    assert sizes[place] > 0


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba was started with one thread")
def test_sampled_sum__has_the_same_bits_for_a_seed_and_any_number_of_threads(any_number_of_threads):
    Y, (u, v) = points(1000), degree_like(1000)
    results = []
    for n_threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
        any_number_of_threads(n_threads)
        total = sampled_sum(Y, NAMES, u, v, UMAP, n_pairs=5000, seed=2**64 - 1)
        results.append(total.value.tobytes() + total.low.tobytes() + total.high.tobytes())
    assert len(set(results)) == 1
    assert sampled_sum(Y, NAMES, u, v, UMAP, n_pairs=5000, seed=1).value.tobytes() not in results[0]


def test_sampled_sum__shares_the_sample_among_potentials():
    Y, (u, v) = points(800), degree_like(800)
    together = sampled_sum(Y, NAMES, u, v, UMAP, n_pairs=3000, seed=4)
    for a, name in enumerate(NAMES):
        alone = sampled_sum(Y, name, u, v, UMAP, n_pairs=3000, seed=4)
        # numpy may add up two rows in another order than one.
        np.testing.assert_allclose([alone.value[0], alone.low[0]], [together.value[a], together.low[a]], rtol=1e-13)


def test_differences_along_a_run__vary_less_with_one_seed_than_with_two(one_thread):
    before = disc_layout()
    after, ones = before + points(1500, seed=5, scale=0.05), np.ones(1500)
    strata = [near_stratum(Y, "repulsion", ones, ones, UMAP, radius=1.0) for Y in (before, after)]
    first, same, other = (
        np.array([stratified_sum(near, 3000, seed + shift).value[0] for seed in range(100)])
        for near, shift in zip([strata[0], strata[1], strata[1]], [0, 0, 100], strict=True)
    )
    assert (same - first).std() < 0.2 * (other - first).std()
    truth = repulsion(after, ones, ones) - repulsion(before, ones, ones)
    assert abs((same - first).mean() - truth) < 4 * (same - first).std() / 10


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed, error, message",
    [
        ({"Y": np.full((6, 2), np.nan)}, ValueError, "vertex 0"),
        ({"Y": np.ones(6)}, ValueError, r"shape \(n, d\)"),
        ({"Y": 3.0}, ValueError, r"shape \(n, d\)"),
        ({"Y": points(6).astype(complex)}, TypeError, "dtype complex"),
        ({"u": np.ones(5)}, ValueError, r"\(6,\).*\(5,\)"),
        ({"v": np.ones((6, 2))}, ValueError, "one shape"),
        ({"v": np.full(6, np.inf)}, ValueError, "vertex 0"),
        ({"u": np.full(6, 1e200), "v": np.full(6, 1e200)}, ValueError, "rescale"),
        ({"potentials": "gravity"}, ValueError, "'gravity'"),
        ({"curve": Curve(0.0, 1.0)}, ValueError, "a > 0"),
        ({"n_pairs": 0}, ValueError, "n_pairs"),
        ({"n_pairs": 1.5}, ValueError, "n_pairs"),
        ({"seed": -1}, ValueError, "seed"),
        ({"seed": 2**64}, ValueError, "seed"),
        ({"radius": -1.0}, ValueError, "radius"),
        ({"radius": float("nan")}, ValueError, "radius"),
        ({"radius": 1.0, "n_near": 5}, ValueError, "one of them"),
        ({"n_near": -1}, ValueError, "n_near"),
    ],
)
def test_sampled_sum__refuses_what_it_cannot_sum(changed, error, message):
    given_values = {
        "Y": points(6),
        "potentials": "repulsion",
        "u": np.ones(6),
        "v": np.ones(6),
        "curve": UMAP,
    } | changed
    with pytest.raises(error, match=message):
        sampled_sum(**given_values)


def test_sampled_sum__leaves_its_arguments_as_they_were():
    Y, (u, v) = points(50).astype(np.float32), degree_like(50)
    kept = Y.copy(), u.copy(), v.copy()
    for array in (Y, u, v):
        array.flags.writeable = False
    sampled_sum(Y, NAMES, u, v, UMAP, radius=1.0)
    for array, copy in zip((Y, u, v), kept, strict=True):
        np.testing.assert_array_equal(array, copy)
