"""The float64 twin against umap-learn 0.5.12 (golden files), printed results of others and closed forms."""

from itertools import islice

import numpy as np
import pytest
import reference as ref
import strategies
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

UMAP = (1.5769434603, 0.8950608779, 0.0)
CASES = ["generic", "two_apart", "far", "hub", "duplicates", "heaps", "all_equal", "lattice", "near_ties"]
CASES += ["tiny", "k2", "k3", "connected_2_5", "connected_half", "connected_5"]


def dense(arrays, name, n):
    parts = (arrays[f"{name}_{x}"] for x in ("weight", "indices", "indptr"))
    return csr_array(tuple(parts), shape=(n, n)).toarray().astype(np.float64)


# ---- the graph -----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_graph__is_umap_learns(golden, case):
    arrays = {
        key.removeprefix(f"{case}_"): value for key, value in golden("graph").items() if key.startswith(f"{case}_")
    }
    indices, distances = arrays["indices"].astype(int), arrays["distances"].astype(np.float64)
    n, k = len(indices), int(arrays["k"])
    rho, sigma, _, _ = ref.smooth(distances, k, float(arrays["local_connectivity"]))
    P = ref.directed(indices, distances, rho, sigma)
    # rho is a distance of the list, or one float32 rounding of a mean of two
    np.testing.assert_allclose(rho, arrays["rho"], rtol=2e-7)
    # both searches stop within 1e-5 of the same sum, at times one halving apart; slope in ln sigma: 1
    np.testing.assert_allclose(sigma, arrays["sigma"], rtol=2e-5)
    membership = np.take_along_axis(P, indices, axis=1)
    np.testing.assert_allclose(membership, arrays["membership"], atol=1e-5)  # follows sigma
    np.testing.assert_allclose(ref.union(P), dense(arrays, "union", n), atol=2e-5)  # the sum of two of them
    if "mixed_weight" in arrays:
        np.testing.assert_allclose(ref.union(P, 0.5), dense(arrays, "mixed", n), atol=2e-5)


def test_golden__covers_every_case(golden):
    assert list(golden("graph")["names"]) == CASES


def test_floored_and_tied__are_told_apart(golden):
    arrays = golden("graph")
    flags = {}
    for case in ("generic", "lattice", "near_ties", "heaps"):
        rows = arrays[f"{case}_distances"].astype(np.float64)
        _, _, floored, tied = ref.smooth(rows, int(arrays[f"{case}_k"]))
        flags[case] = bool(floored.any()), bool(tied.any())
    assert flags == {
        "generic": (False, False),
        "lattice": (True, True),
        "near_ties": (True, False),
        "heaps": (True, True),
    }


@given(strategies.distance_rows())
def test_row_sum__is_never_under_log2_k_and_equals_it_where_nothing_binds(rows):
    k = rows.shape[1] + 1
    rho, sigma, floored, tied = ref.smooth(rows, k)
    sums = np.array([ref.row_sum(d.astype(float), r, s) for d, r, s in zip(rows, rho, sigma, strict=True)])
    # the search stops within 1e-5 of log2 k
    assert np.all(sums >= np.log2(k) - 1.1e-5)
    assert np.all(np.abs(sums - np.log2(k))[~floored & ~tied] <= 1.1e-5)


@pytest.mark.parametrize("scale", [1e-20, 1e25])
def test_row_sigma__reaches_its_target_at_extreme_scales(scale):
    d = scale * np.array([1.0, 1.5, 2.0, 2.2, 3.0])
    sigma, floored = ref.row_sigma(d, d[0], 6, d.mean())
    assert not floored
    assert abs(ref.row_sum(d, d[0], sigma) - np.log2(6)) < 1.1e-5  # tolerance of the search


@given(strategies.clouds(min_n=5))
def test_knn__lists_no_point_as_its_own_neighbour_and_is_sorted(X):
    indices, distances = ref.knn(X, 4)
    assert np.all(indices != np.arange(len(X))[:, None])
    assert np.all(np.diff(distances, axis=1) >= 0)
    assert all(len(set(row)) == 3 for row in indices)


def test_knn__orders_ties_by_index():
    X = np.zeros((40, 1))
    X[20] = 1
    np.testing.assert_array_equal(ref.knn(X, 4)[0][[0, 2, 20]], [[1, 2, 3], [0, 1, 3], [0, 1, 2]])


def test_two_neighbours__give_memberships_of_one():
    P, p = ref.graph(np.random.default_rng(0).normal(size=(30, 3)), 2)
    assert set(np.unique(P)) == {0.0, 1.0}
    np.testing.assert_array_equal(p, np.maximum(P, P.T))


def test_three_neighbours__give_log2_3_minus_1_whatever_the_distances():
    indices, distances = ref.knn(np.random.default_rng(0).normal(size=(300, 3)), 3)
    rho, sigma, floored, _ = ref.smooth(distances, 3)
    P = ref.directed(indices, distances, rho, sigma)
    P[floored] = 0  # near ties, about one row in 250
    # the search's tolerance on the sum is that of the second membership
    np.testing.assert_allclose(np.sort(P[~floored])[:, -2], np.log2(3) - 1, atol=1.1e-5)
    mutual = ref.union(P)[(P > 0) & (P < 1) & (P.T > 0) & (P.T < 1)]
    np.testing.assert_allclose(mutual, 1 - (2 - np.log2(3)) ** 2, atol=1e-5)
    assert len(mutual) > 0


@given(strategies.directed_rows(), st.floats(0, 1))
def test_union__lies_between_intersection_and_union(P, ratio):
    p = ref.union(P, ratio)
    np.testing.assert_array_equal(p, p.T)
    assert np.all(p + 1e-15 >= P * P.T)  # float64 roundings of numbers up to 1
    assert np.all(p <= 1 - (1 - P) * (1 - P.T) + 1e-15)


def test_curve__is_umap_learns(golden):
    arrays = golden("curve")
    fits = [ref.fit_curve(m, s)[:2] for m, s in zip(arrays["min_dist"], arrays["spread"], strict=True)]
    # curve_fit stops at a relative change of 1.5e-8 of a sum of squares, which is flat at its minimum
    np.testing.assert_allclose(fits, np.column_stack([arrays["a"], arrays["b"]]), rtol=1e-5)
    np.testing.assert_allclose(ref.fit_curve(), UMAP, rtol=1e-6, atol=0)


def test_prune__follows_umap_learns_defaults_for_few_epochs():
    p = np.array([[0, 1, 0.004], [1, 0, 0.0019], [0.004, 0.0019, 0]])
    assert np.count_nonzero(ref.prune(p, 200)) == 2  # 1/200 > 0.004
    assert np.count_nonzero(ref.prune(p, 500)) == 4
    np.testing.assert_array_equal(ref.prune(p, 10), ref.prune(p, 500))
    np.testing.assert_array_equal(ref.prune(p, 0), ref.prune(p, 500))


# ---- the ring of Damrich and Hamprecht -----------------------------------------------------------


@pytest.mark.parametrize(
    "seed, first",
    [
        (0, [-0.20410253, 3.69089559]),
        (1, [0.28694399, 3.85195051]),
        (2, [-0.22877402, 3.76196392]),
        (3, [0.36397788, 3.92775333]),
    ],
)
def test_ring__starts_as_published(seed, first):
    np.testing.assert_allclose(ref.ring(seed)[0], first, atol=5e-9)  # eight printed decimals


def test_ring_graph__has_the_published_degrees(ring):
    _, P, p = ring
    report = ref.degree_bounds(P)
    assert np.count_nonzero(p) == 16524
    np.testing.assert_allclose(report["S"], np.log2(15), atol=1.1e-5)  # tolerance of the sigma search
    d = report["d"]
    printed = [5.8273, 3.9644, 7.9251]  # four decimals
    np.testing.assert_allclose([d.mean(), d.min(), d.max()], printed, atol=6e-5)
    np.testing.assert_allclose(d, ref.degree(p), rtol=1e-13)  # float64 sums in two orders
    assert report["mean_lower"] <= report["mean"] <= report["mean_upper"]
    assert (report["n_neighbors"].min(), report["n_neighbors"].max()) == (14, 26)
    assert report["n_neighbors"].mean() == 16.524


@pytest.mark.parametrize(
    "seed, published",
    [
        (0, [6906.084722, 62936.781575, 136272.985706, 1521.799083, 53995.073409, 4967.567253]),
        (1, [6891.431546, 62918.115517, 135486.179541, 1518.947392, 53976.314020, 4948.477544]),
        (2, [6974.384671, 63066.087696, 137347.455212, 1531.278685, 54125.026060, 5009.039670]),
        (3, [6907.654002, 62881.819646, 136392.292089, 1525.815948, 53939.836670, 4970.485006]),
    ],
)
def test_ring_losses__are_the_published_ones(seed, published):
    X = ref.ring(seed)
    mu = ref.prune(ref.graph(X, 15)[1], 10_000)
    nu_star = ref.target(*ref.effective(mu, 5))
    empty, data = np.eye(len(X)), ref.similarity(X, UMAP)
    found = [ref.dh_purported(mu, nu) for nu in (mu, empty, data)]
    found += [ref.dh_effective(mu, nu, 5) for nu in (nu_star, empty, data)]
    np.testing.assert_allclose(found, published, rtol=1e-6)  # float32 graph there, float64 here


def test_dh_convention__adds_the_diagonal_the_ledger_says(ring):
    mu = ref.prune(ring[2], 10_000)
    n = len(mu)
    diagonal = ref.dh_purported(mu, np.eye(n)) - ref.dh_purported(mu, np.zeros((n, n)))
    assert diagonal == pytest.approx(n * 9.210340, rel=1e-6)  # seven printed digits
    diagonal = ref.dh_effective(mu, np.eye(n), 5) - ref.dh_effective(mu, np.zeros((n, n)), 5)
    assert diagonal == pytest.approx(5 * mu.sum() / n * 9.210340, rel=1e-6)


def test_ring_schedule__has_the_published_numbers_of_positives_and_negatives(ring):
    weights = ref.entries(ref.prune(ring[2], 500))[2]
    found = [(len(e), sum(n for _, n in e)) for e in islice(ref.due(weights, 500), 5)]
    assert found[0] == (0, 0)
    # the 2nd and 3rd depend on which of the unions at 1 a float32 sum rounds to 1 - 6e-8: compared in no test
    assert found[3:] == [(5162, 23776), (5506, 26520)]


# ---- schedule, streams and the descent -----------------------------------------------------------


def test_streams__are_umap_learns_to_the_bit(golden):
    arrays = golden("streams")
    states = ref.tausworthe_states(arrays["Y"], arrays["rng_state"])
    np.testing.assert_array_equal(np.array(states, dtype=np.int64), arrays["states"])
    draws = [[ref.tausworthe(state) for _ in row] for state, row in zip(states, arrays["draws"], strict=True)]
    np.testing.assert_array_equal(draws, arrays["draws"])
    np.testing.assert_array_equal(np.array(states, dtype=np.int64), arrays["states_after"])


def golden_mu(arrays):
    return ref.prune(dense(arrays, "p", len(arrays["start"])), int(arrays["n_epochs"]))


def test_entries__come_in_umap_learns_order_with_its_periods(golden):
    arrays = golden("run")
    heads, tails, weights = ref.entries(golden_mu(arrays))
    np.testing.assert_array_equal(heads, arrays["head"])
    np.testing.assert_array_equal(tails, arrays["tail"])
    periods = ref.epochs_per_sample(weights, int(arrays["n_epochs"]))
    np.testing.assert_array_equal(periods, arrays["epochs_per_sample"])


def test_run__stays_with_umap_learn_and_draws_exactly_what_it_draws(golden):
    arrays = golden("run")
    curve = float(arrays["a"]), float(arrays["b"]), 0.0
    draw = ref.tausworthe_draw(ref.tausworthe_states(arrays["start"], arrays["rng_state"]))
    n_epochs, rate = int(arrays["n_epochs"]), float(arrays["learning_rate"])
    negatives = float(arrays["negative_sample_rate"])
    drawn, differences = [], []
    for number, Y, listed, _ in ref.descend(golden_mu(arrays), curve, arrays["start"], draw, n_epochs, rate, negatives):
        n_attractions = sum(update[3] < 0 for update in listed)
        drawn.append((n_attractions, len(listed) - n_attractions))
        if number < len(arrays["layouts"]):
            differences.append(np.abs(Y - arrays["layouts"][number]).max())
    np.testing.assert_array_equal(drawn, np.column_stack([arrays["attractions"], arrays["repulsions"]]))
    # a float32 coordinate of size 10 is off by 5e-7 a move; rate 0.01 keeps that from growing: 2.4e-5
    assert max(differences) < 1e-4
    assert np.abs(Y - arrays["last"]).max() < 1e-3  # 200 epochs: 4e-5 found


def test_one_entry_with_its_negatives__is_umap_learns_at_full_rate(golden):
    arrays = golden("entries")
    curve = float(arrays["a"]), float(arrays["b"]), 0.0
    differences = []
    for before, after, head, tail, seed, gamma in zip(
        *(arrays[x] for x in ("before", "after", "head", "tail", "rng_state", "gamma")), strict=True
    ):
        draw = ref.tausworthe_draw(ref.tausworthe_states(before, seed))
        listed = [(head, tail, 0, -1)] + [(head, draw(2, 0, i, head), 0, i) for i in range(4)]
        Y = before.astype(np.float64)
        ref.apply_epoch(Y, listed, curve, 1.0, gamma)
        differences.append(np.abs(Y - after).max())
    # five float32 roundings of coordinates up to 10; a push from very near multiplies the error before it
    assert np.mean(np.array(differences) < 1e-6) >= 0.99
    assert max(differences) < 1e-4


@given(strategies.symmetric_graphs(), st.integers(11, 60))
def test_due__draws_each_entry_floor_of_last_epoch_over_period_times(p, n_epochs):
    weights = ref.entries(ref.prune(p.toarray(), n_epochs))[2]
    drawn = np.zeros(len(weights), dtype=int)
    for listed in ref.due(weights, n_epochs):
        for entry, _ in listed:
            drawn[entry] += 1
    periods = ref.epochs_per_sample(weights, n_epochs)
    # periods are summed one by one in float64, off by less than 1e-12 of the epoch
    low, high = ((n_epochs - 1) / periods * (1 + sign * 1e-12) for sign in (-1, 1))
    assert np.all((np.floor(low) <= drawn) & (drawn <= np.floor(high)))


def test_due__draws_no_negatives_at_rate_zero():
    assert all(n == 0 for listed in ref.due(np.ones(3), 4, 0.0) for _, n in listed)


def test_alpha__is_full_in_the_first_two_epochs_and_never_zero():
    assert [ref.alpha(number, 4, 2.0) for number in (1, 2, 3, 4)] == [2.0, 2.0, 1.5, 1.0]


@given(strategies.curves(), st.floats(0.3, 3), st.floats(0, 6.3))
def test_forces__are_minus_the_gradients_of_the_losses(curve, d, angle):
    delta = d * np.array([np.cos(angle), np.sin(angle)])

    def slope(sign):
        step = 1e-6 * d
        ends = [ref.softplus(sign * ref.logit((d + s) ** 2, curve)) for s in (step, -step)]
        return (ends[0] - ends[1]) / (2 * step)

    for force, derivative in [
        (ref.attraction_force(delta, curve), slope(-1)),
        (ref.repulsion_force(delta, curve) * (0.001 + d**2) / d**2, slope(1)),
    ]:
        wanted = -derivative * delta / d
        if np.all(np.abs(wanted) < 3.9):  # not clipped
            np.testing.assert_allclose(force, wanted, rtol=1e-4, atol=1e-6)  # central difference


def test_forces__are_clipped_at_4_and_vanish_where_points_coincide():
    near = np.array([0.02, -0.02])
    np.testing.assert_array_equal(ref.repulsion_force(near, UMAP), [4, -4])
    steep = (1.0, 0.3, 0.0)  # attraction is unbounded near 0 for b < 1/2
    np.testing.assert_array_equal(ref.attraction_force(1e-4 * near, steep), [-4, 4])
    for force in (ref.attraction_force, ref.repulsion_force):
        np.testing.assert_array_equal(force(np.zeros(2), UMAP), 0)


def test_counts__leave_self_draws_and_coincident_pairs_unrealised():
    listed = [(0, 1, 0, -1), (0, 0, 0, 0), (0, 2, 0, 1), (0, 3, 0, 2)]
    deltas = np.array([[1.0, 0], [0, 0], [0, 2], [0, 0]])
    found = ref.counts(listed, deltas, 4)
    np.testing.assert_array_equal(found, [[1, 1, 0, 0], [1, 1, 0, 0], [3, 0, 0, 0], [1, 0, 0, 0]])
    pushed = ref.counts(listed, deltas, 4, push_tail=True)
    np.testing.assert_array_equal(pushed[2:], [[4, 0, 1, 1], [1, 0, 1, 0]])  # both ends of the self-draw


def test_pushed_tail__keeps_the_centre_of_mass():
    Y = np.random.default_rng(0).normal(size=(5, 2))
    centre = Y.mean(axis=0)
    ref.apply_epoch(Y, [(0, 1, 0, -1), (0, 2, 0, 0), (3, 4, 1, 0)], UMAP, 1.0, push_tail=True)
    np.testing.assert_allclose(Y.mean(axis=0), centre, atol=1e-15)  # a few roundings of numbers of size 1


# ---- measures ------------------------------------------------------------------------------------


@given(strategies.probabilities(), strategies.logits())
def test_bernoulli_terms__are_exact_and_hold_the_identity(p, theta):
    exact = np.array(ref.bernoulli_exact(p, theta))
    found = np.array([ref.bce(p, theta), ref.kl(p, theta), ref.h(p)])
    largest = exact.max()
    np.testing.assert_allclose(found, exact, rtol=1e-13, atol=4e-16 * largest)  # a few float64 roundings
    assert abs(found[1] - found[0] + found[2]) <= 1e-14 * largest


@given(strategies.embedded_graphs(), strategies.curves(), st.sampled_from(["purported", "effective"]))
def test_loss__holds_the_identity_and_splits_over_vertices(embedded, curve, kind):
    p, Y = embedded
    mu = p.toarray().astype(np.float64)
    A, B = ref.purported(mu) if kind == "purported" else ref.effective(mu, 5, 0.7)
    found = ref.loss(A, B, Y, curve)
    largest = max(found["bce"], found["kl"], found["entropy"])
    if np.isfinite(largest):
        assert abs(found["identity_residual"]) <= 1e-12 * largest  # 91 pairs at most
    else:
        assert found["n_coincident"] > 0
    for name in ("bce", "kl", "entropy", "attraction", "repulsion"):
        assert not np.isnan(found[name])
        assert found[f"{name}_vertex"].sum() == pytest.approx(found[name], rel=1e-12, abs=1e-12 * largest)


@given(strategies.embedded_graphs(), strategies.curves())
def test_i_divergence__splits_the_kl_of_the_purported_loss(embedded, curve):
    p, Y = embedded
    mu = p.toarray().astype(np.float64)
    found, split = ref.loss(*ref.purported(mu), Y, curve), ref.i_divergence(mu, Y, curve)
    scale = found["bce"] + len(mu) ** 2  # masses reach the number of pairs
    parts = split["i_divergence"] + split["i_divergence_complement"]
    assert parts == pytest.approx(found["kl"], rel=1e-12, abs=1e-12 * scale)
    parts = split["i_divergence_shape"] + split["i_divergence_mass"]
    assert parts == pytest.approx(split["i_divergence"], rel=1e-12, abs=1e-12 * (found["attraction"] + scale))
    assert ref.article_cross_entropy(mu, Y, curve) == pytest.approx(found["attraction"])


def test_effective_weights__are_the_ledgers():
    mu = np.array([[0, 1, 0.5], [1, 0, 0], [0.5, 0, 0]])
    A, B = ref.effective(mu, 5, 0.5)
    np.testing.assert_array_equal(A, mu)
    # gamma m_neg (d_i + d_j)/(2n) with d = 1.5, 1, 0.5
    np.testing.assert_allclose(B[np.triu_indices(3, 1)], np.array([2.5, 2, 1.5]) * 2.5 / 6, rtol=1e-15)


@given(st.floats(1e-3, 10), st.floats(1e-3, 10), st.floats(-20, 20))
def test_target__minimises_its_pair(attraction, repulsion, theta):
    A, B = np.array([attraction]), np.array([repulsion])
    nu = ref.target(A, B)

    def value(theta):
        return A * ref.softplus(-theta) + B * ref.softplus(theta)

    assert value(np.log(nu / (1 - nu))) <= value(theta) * (1 + 1e-12)  # rounding at the minimum itself


@given(strategies.directed_rows())
def test_degree_bounds__hold(P):
    report = ref.degree_bounds(P)
    d = report["d"]
    np.testing.assert_allclose(d, ref.degree(ref.union(P)), atol=1e-13)  # sums of at most 36 numbers under 1
    assert np.all(report["lower"] <= d + 1e-13)
    assert np.all(d <= report["upper"] + 1e-13)
    assert report["mean_lower"] <= report["mean"] + 1e-13
    if np.any(P * P.T == 1):
        assert report["mean"] <= report["mean_upper"] + 1e-13


def test_binarisation__counts_its_ends():
    found = ref.binarisation([0, 0.01, 0.04, 0.5, 0.97, 1])
    assert found["histogram"].sum() == 6
    assert (found["histogram"][0], found["histogram"][-1]) == (3, 2)
    shares = [found[f"near_{end}_{eps}"] * 6 for end in ("zero", "one") for eps in ("01", "05")]
    np.testing.assert_allclose(shares, [2, 3, 1, 2], rtol=1e-15)


@given(strategies.directed_rows(min_n=3))
def test_entropy_of_a_row__stays_under_its_maximum(P):
    k = len(P)
    entropy = ref.h(P).sum(axis=1)
    assert np.all(entropy <= ref.row_entropy_max(P.sum(axis=1), k) + 1e-12)  # a dozen float64 roundings
    p = ref.union(P)
    n_i = np.count_nonzero(p, axis=1)
    assert np.all(ref.h(p).sum(axis=1) <= ref.symmetric_entropy_max(n_i, p.sum(axis=1)) + 1e-12)


def test_row_entropy__of_ten_dimensions_is_86_percent_of_its_maximum():
    P, _ = ref.graph(np.random.default_rng(0).normal(size=(1000, 10)), 15)
    share = ref.h(P).sum() / ref.row_entropy_max(P.sum(axis=1), 15).sum()
    assert share == pytest.approx(0.86, abs=0.02)  # the ledger's (C25) two digits, from other data
    assert ref.row_entropy_max(np.log2(15), 15) / np.log(2) == pytest.approx(9.97, abs=0.005)


def test_sampled_loss__counts_what_moved_and_weighs_repulsion_with_gamma():
    listed = [(0, 1, 0, -1), (0, 0, 0, 0), (0, 2, 0, 1)]
    deltas = np.array([[1.0, 0], [0, 0], [0, 2.0]])
    attraction, repulsion, *numbers = ref.sampled_loss(listed, deltas, (1.0, 1.0, 0.0), 0.5)
    # -ln q(1) = ln 2, -ln(1 - q(2)) = ln(5/4)
    np.testing.assert_allclose([attraction, repulsion], [np.log(2), 0.5 * np.log(1.25)], rtol=1e-15)
    assert numbers == [1, 1]


@given(strategies.layouts(), strategies.curves())
def test_pair_sums__add_up_to_the_dense_losses(Y, curve):
    n = len(Y)
    values, n_coincident = ref.pair_sums(Y, ["attraction", "similarity"], np.ones(n), curve)
    none = np.zeros((n, n))
    found = ref.loss(ref.off_diagonal(n), none, Y, curve)
    # float64 sums of at most 15 terms, theta in place of its exponential
    np.testing.assert_allclose(values[:, 0, 0] / 2, found["attraction_vertex"], rtol=1e-12)
    q = ref.similarity(Y, curve) * ref.off_diagonal(n)
    np.testing.assert_allclose(values[:, 1, 0], q.sum(axis=1), rtol=1e-12)
    assert n_coincident.sum() == 2 * found["n_coincident"]
    repulsion = ref.pair_sums(Y, "repulsion", np.ones(n), curve)[0].sum() / 2
    apart = ref.loss(none, 1.0 * (ref.squared_distances(Y) > 0), Y, curve)["repulsion"]
    if curve[2] == 0:  # coincident pairs left out
        assert repulsion == pytest.approx(apart, rel=1e-12)
    else:
        assert repulsion == pytest.approx(apart + found["n_coincident"] * np.log(2), rel=1e-12)


def test_pair_sums__give_moments_of_the_differences():
    Y = np.array([[0.0, 0], [3, 4], [0, 1]])
    weights = np.array([[1.0, 2], [1, 3], [1, 4]])
    first, _ = ref.pair_sums(Y, "similarity", weights, (1.0, 1.0, 0.0), moment=1)
    second, _ = ref.pair_sums(Y, "similarity", weights, (1.0, 1.0, 0.0), moment=2)
    assert (first.shape, second.shape) == ((3, 1, 2, 2), (3, 1, 2, 2, 2))
    # q = 1/26 at distance 5 and 1/2 at distance 1
    np.testing.assert_allclose(first[0, 0, 1], [-9 / 26, -12 / 26 - 4 / 2], rtol=1e-14)
    np.testing.assert_allclose(second[0, 0, 0], [[9 / 26, 12 / 26], [12 / 26, 16 / 26 + 1 / 2]], rtol=1e-14)


def test_clipped_repulsion__is_finite_where_points_coincide():
    Y = np.array([[0.0, 0], [0, 0], [1, 0]])
    values, n_coincident = ref.pair_sums(Y, "repulsion_clipped", np.ones(3), (1.0, 1.0, 0.0))
    # 1 - q is 0 and 1/2
    np.testing.assert_allclose(values[0, 0], -np.log(1e-4) - np.log(0.5001), rtol=1e-14)
    np.testing.assert_array_equal(n_coincident, [1, 1, 0])
