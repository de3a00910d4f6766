"""The split sums against exact ones: layouts of every kind, potentials, moments, bits, plans."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st
from strategies import spread_layouts

from umapinfo import Curve, fit_curve
from umapinfo.core.curve import logit
from umapinfo.pairs import pair_sums
from umapinfo.pairs.choice import choose, radius_in_steps
from umapinfo.pairs.far import Plan, periodic_square, quadrant_spectrum, unfolded
from umapinfo.pairs.fourier import Sums, fourier_sums, planned_sums
from umapinfo.pairs.potentials import POTENTIALS, code_of, real_potential
from umapinfo.pairs.rows import row_sums
from umapinfo.pairs.taylor import polynomial, taylor

UMAP = fit_curve()
NAMES = [name for name in POTENTIALS if name != "repulsion_clipped"]
NAMES += [f"{name}({order})" for name in ("alpha", "alpha_slope") for order in (0.5, 2.0)]
ANALYTIC = [code_of(name) for name in NAMES]
curves = st.sampled_from([UMAP, Curve(1.0, 1.0, 1.0), Curve(0.3, 0.6), Curve(5.0, 1.9), Curve(2.0, 0.8, 1e-3)])


def exact(Y, codes, weights, curve, moment=0):
    return row_sums(Y, np.arange(len(Y)), np.arange(len(Y)), np.array(codes), weights, curve, moment)


def layouts(n):
    """One layout of n points of each kind that a split has to cope with."""
    random = np.random.default_rng(5)
    cloud = random.normal(size=(n, 2)) * 4
    outlier, far_outlier = cloud.copy(), cloud.copy()
    outlier[0], far_outlier[1] = 1e4, (-1e6, 3.0)
    islands = cloud / 4
    islands[: n // 2, 0] += 1e4
    duplicates = cloud.copy()
    duplicates[: n // 10] = duplicates[n // 10 : 2 * (n // 10)]
    direction = random.normal(size=(n, 2))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return {
        "cloud": cloud,
        "one outlier at 1e4": outlier,
        "one outlier at 1e6": far_outlier,
        "two far islands": islands,
        "a line": np.column_stack([random.uniform(0, 30, n), np.zeros(n)]),
        "all within 0.01": random.uniform(0, 0.01, (n, 2)),
        "duplicates": duplicates,
        "log-normal radii": direction * np.exp(2 * random.normal(size=(n, 1))),
        "clumps": random.integers(0, 12, (n, 2)) + 0.05 * random.normal(size=(n, 2)),
        "spread": random.uniform(0, 300, (n, 2)),
        "shifted": cloud + 1e5,
        "three axes": random.normal(size=(n, 3)) * 3,
    }


LAYOUTS = layouts(3000)


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("rtol", [1e-4, 1e-6, 1e-8])
def test_fourier_sums__are_within_rtol_at_every_vertex_or_there_are_none(name, rtol):
    Y = LAYOUTS[name]
    weights = np.column_stack([np.ones(len(Y)), np.linspace(0, 5, len(Y))])
    codes = np.array([POTENTIALS.index("repulsion"), POTENTIALS.index("similarity")])
    found = fourier_sums(Sums(Y, codes, weights, UMAP, 0), rtol, budget=np.inf)[0]
    if found is None:  # of these layouts, only where an islands' split would have to be finer than there are modes
        assert rtol < 1e-6 or name in ("two far islands", "log-normal radii")
        return
    values, sizes, n_coincident = exact(Y, codes, weights, UMAP)
    assert found.error <= rtol
    assert (np.abs(found.values - values) <= rtol * sizes).all()
    np.testing.assert_array_equal(found.n_coincident, n_coincident)


@pytest.mark.parametrize("moment", [0, 1, 2])
@pytest.mark.parametrize("code", ANALYTIC, ids=NAMES)
@pytest.mark.parametrize("name", ["cloud", "clumps", "three axes"])
def test_fourier_sums__serve_every_potential_and_moment(name, code, moment):
    Y, codes = LAYOUTS[name][:1500], np.array([code])
    weights = np.random.default_rng(0).uniform(0.5, 2, (len(Y), 1))
    found = fourier_sums(Sums(Y, codes, weights, UMAP, moment), 1e-5, budget=np.inf)[0]
    values, sizes, _ = exact(Y, codes, weights, UMAP, moment)
    if found is None:  # the singular ones are all near part, and their sums are summed directly
        name = NAMES[ANALYTIC.index(code)]
        assert "slope" in name or "tensor" in name or name in ("fisher", "alpha(2.0)", "repulsion_square")
        return
    assert (np.abs(found.values - values) <= 1e-5 * sizes).all()


@given(curve=curves, seed=st.integers(0, 100), scale=st.sampled_from([1e-3, 1.0, 1e3]))
def test_fourier_sums__serve_every_curve_and_scale(curve, seed, scale):
    Y = scale * np.random.default_rng(seed).normal(size=(400, 2))
    codes, weights = np.array([1, 2]), np.ones((400, 1))
    found = fourier_sums(Sums(Y, codes, weights, curve, 0), 1e-6, budget=np.inf)[0]
    values, sizes, _ = exact(Y, codes, weights, curve)
    if found is not None:
        assert (np.abs(found.values - values) <= 1e-6 * sizes).all()


def test_fourier_sums__give_up_where_the_budget_does_not_pay():
    Y = LAYOUTS["cloud"]
    assert fourier_sums(Sums(Y, np.array([1]), np.ones((len(Y), 1)), UMAP, 0), 1e-6, budget=1e-6)[0] is None


def test_fourier_sums__have_the_same_bits_for_any_number_of_threads_and_whatever_was_summed_before():
    Y, codes = LAYOUTS["clumps"], np.array([1, 2])
    weights = np.column_stack([np.ones(len(Y)), np.linspace(0, 5, len(Y)), np.cos(np.arange(len(Y)))])
    results = []
    before = numba.get_num_threads()
    try:
        for threads in (1, 2, before):
            numba.set_num_threads(min(threads, before))
            fourier_sums(Sums(LAYOUTS["spread"], codes, weights, UMAP, 0), 1e-6, budget=np.inf)[0]
            results.append(fourier_sums(Sums(Y, codes, weights, UMAP, 0), 1e-6, budget=np.inf)[0].values.tobytes())
    finally:
        numba.set_num_threads(before)
    assert len(set(results)) == 1


def test_plan__serves_a_layout_that_moved_and_is_returned():
    Y, codes, weights = LAYOUTS["cloud"], np.array([1]), np.ones((3000, 1))
    first = fourier_sums(Sums(Y, codes, weights, UMAP, 0), 1e-6, budget=np.inf)[0]
    moved = 0.98 * Y
    again = fourier_sums(Sums(moved, codes, weights, UMAP, 0), 1e-6, first.plan, budget=np.inf)[0]
    assert again.plan is first.plan
    values, sizes, _ = exact(moved, codes, weights, UMAP)
    assert (np.abs(again.values - values) <= 1e-6 * sizes).all()
    other = fourier_sums(Sums(moved, np.array([2]), weights, UMAP, 0), 1e-6, first.plan, budget=np.inf)[0]
    assert other.plan is first.plan  # it says nothing about the potentials


def test_plan__of_a_loss_serves_its_gradient():
    Y, weights, random = LAYOUTS["cloud"][:1500], np.ones((1500, 1)), np.random.default_rng(0)
    sums = Sums(Y, np.array([POTENTIALS.index("repulsion")]), weights, UMAP, 0)
    value = fourier_sums(sums, 1e-8, budget=np.inf)[0]
    slope = sums._replace(codes=np.array([POTENTIALS.index("repulsion_slope")]), moment=1)
    slopes, why_not = fourier_sums(slope, 1e-6, value.plan, budget=np.inf)
    assert slopes.plan is value.plan
    assert why_not == ""
    direction, h = random.normal(size=Y.shape), 1e-5
    ahead, behind = (planned_sums(sums._replace(layout=Y + t * direction), value.plan)[0].sum() for t in (h, -h))
    # The total counts each pair from both ends; near pairs' third derivatives leave some 1e-6 of the largest part
    expected = 2 * (slopes.values[:, 0, 0] * direction).sum()
    assert abs((ahead - behind) / (2 * h) - expected) <= 1e-5 * np.abs(slopes.values[:, 0, 0] * direction).sum()


@pytest.mark.parametrize(
    ("curve", "moment", "shift", "why"),
    [
        (Curve(1.0, 1.0), 0, 0.0, "it has another curve"),
        (UMAP, 1, 0.0, "it serves moments up to 0"),
        (UMAP, 0, 1e3, "vertices lie outside its box"),
    ],
)
def test_plan__that_does_not_serve_is_replaced_and_the_reason_says_why(monkeypatch, curve, moment, shift, why):
    Y = LAYOUTS["three axes"]
    plan = fourier_sums(Sums(Y, np.array([2]), np.ones((3000, 1)), UMAP, 0), 1e-3, budget=np.inf)[0].plan
    given = pair_sums(Y + shift, "similarity", np.ones(3000), curve, moment=moment, rtol=1e-3, plan=plan)
    assert given.plan is not plan
    assert why in given.reason
    flat = pair_sums(Y[:, :2], "similarity", np.ones(3000), UMAP, rtol=1e-3, plan=plan)
    assert "it has 3 dimensions" in flat.reason


def test_plan__makes_a_smooth_function_of_the_layout():
    """Of one plan, differences of values follow the gradient of the plan's own smooth sum to rounding."""
    Y, weights = LAYOUTS["cloud"][:800], np.ones((800, 1))
    plan = fourier_sums(Sums(Y, np.array([1]), weights, UMAP, 0), 1e-6, budget=np.inf)[0].plan
    direction = np.random.default_rng(3).normal(size=Y.shape)
    steps = np.linspace(-1, 1, 9) * 1e-4
    totals = np.array(
        [planned_sums(Sums(Y + h * direction, np.array([1]), weights, UMAP, 0), plan)[0].sum() for h in steps]
    )
    # A cubic fits a smooth function over so short a way; jumps of the plan's accuracy, 1e-6, would show
    residual = totals - np.polyval(np.polyfit(steps, totals, 3), steps)
    assert np.abs(residual).max() <= 1e-9 * np.abs(totals).max()


@given(
    code=st.sampled_from(ANALYTIC),
    curve=curves,
    s0=st.floats(1e-4, 1e4),
    t=st.floats(-0.4, 0.4),
)
def test_taylor__is_the_potential_near_its_centre(code, curve, s0, t):
    s = s0 * (1 + t)
    value = real_potential(code, s, logit(s, curve), curve)
    coefficients = taylor(code, curve, s0, degree=30)
    # Terms fall like (|t| / 0.76)^k, b up to 1.9, and what is cut off is under (0.4 / 0.76)^30 = 4e-9 of all
    largest = np.abs(coefficients * 0.4 ** np.arange(31)).max()
    assert abs(polynomial(coefficients, t) - value) <= 1e-7 * largest


@given(n_modes=st.sampled_from([16, 32, 100]), length=st.floats(1e-3, 1e3))
def test_periodic_square__is_the_square_inside_the_box_and_turns_smoothly_beyond(n_modes, length):
    square, first = periodic_square(n_modes, length, 2.2 * length)
    u = np.arange(n_modes // 2 + 1) * (2.2 * length / n_modes)
    inside = u <= length
    np.testing.assert_allclose(square[inside], u[inside] ** 2, rtol=1e-14)
    np.testing.assert_allclose(first[inside], u[inside], rtol=1e-14)
    assert (square[~inside] >= length**2).all()


def test_choice__leaves_far_vertices_out_of_the_box():
    split = choose(LAYOUTS["one outlier at 1e6"], 1, 0, radius_in_steps(1e-6, 2), 9e-9, np.inf)
    assert split.step * max(split.modes) < 1e3


def test_rows__are_those_of_the_twin():
    Y = LAYOUTS["cloud"][:30]
    weights = np.column_stack([np.ones(30), np.arange(30.0)])
    for moment in (0, 1, 2):
        values, sizes, n_coincident = exact(Y, [1, 2], weights, UMAP, moment)
        expected, coincident = ref.pair_sums(Y, ["repulsion", "similarity"], weights, tuple(UMAP), moment)
        np.testing.assert_allclose(values.reshape(expected.shape), expected, rtol=1e-12, atol=1e-14)
        assert (np.abs(values) <= sizes * (1 + 1e-12)).all()
        np.testing.assert_array_equal(n_coincident, coincident)


def test_plan__of_a_layout_of_the_same_size_elsewhere_has_the_same_kernel():
    splits = [choose(Y, 1, 0, 5.0, 9e-9, np.inf) for Y in (LAYOUTS["cloud"], LAYOUTS["cloud"] + 64)]
    one, two = (Plan(UMAP, 0, split, 1e-9).kernel((1,), 0) for split in splits)
    assert splits[0].centre != splits[1].centre
    assert one is two


@given(n=st.sampled_from([16, 18, 30]), powers=st.lists(st.integers(0, 2), min_size=2, max_size=3))
def test_unfolded__is_the_spectrum_of_the_whole_grid(n, powers):
    """Even and odd functions by their corner: numpy's FFT of all the values is the twin."""
    modes = tuple(n + 2 * axis for axis in range(len(powers)))
    random, corner = np.random.default_rng(0), tuple(m // 2 + 1 for m in modes)
    values = random.normal(size=corner)
    for axis, power in enumerate(powers):
        if power % 2:  # odd and periodic
            np.moveaxis(values, axis, 0)[[0, -1]] = 0
    whole = values
    for axis, power in enumerate(powers):
        rest = np.flip(np.take(whole, range(1, modes[axis] // 2), axis), axis)
        whole = np.concatenate([whole, -rest if power % 2 else rest], axis)
    expected = np.fft.fftn(whole)
    found = unfolded(quadrant_spectrum(values, powers), powers)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@given(Y=spread_layouts(dims=(2, 3)), curve=curves, moment=st.sampled_from([0, 0, 1]))
def test_fourier_sums__keep_to_rtol_on_layouts_of_any_kind_or_give_up(Y, curve, moment):
    codes = np.array([POTENTIALS.index("similarity" if moment == 0 else "variance"), POTENTIALS.index("attraction")])
    weights = np.column_stack([np.ones(len(Y)), np.linspace(0, 2, len(Y))])
    found = fourier_sums(Sums(Y, codes, weights, curve, moment), 1e-6, budget=np.inf)[0]
    if found is not None:
        values, sizes, n_coincident = exact(Y, codes, weights, curve, moment)
        largest = np.abs(values).max(axis=(0, 3), keepdims=True)
        assert (np.abs(found.values - values) <= 1e-6 * sizes + 1e-13 * largest).all()
        np.testing.assert_array_equal(found.n_coincident, n_coincident)


def test_fourier_sums__keep_to_rtol_in_every_column_however_uneven():
    """A column with huge weights on vertices where another has none: neither drowns, and both are checked."""
    random = np.random.default_rng(0)
    Y = random.normal(size=(4000, 2)) * 4
    Y[:20] = 30 + random.normal(size=(20, 2))
    weights = np.ones((4000, 2))
    weights[:20] = [1e7, 0.0]
    codes = np.array([POTENTIALS.index("similarity")])
    found = fourier_sums(Sums(Y, codes, weights, UMAP, 0), 1e-6, budget=np.inf)[0]
    values, sizes, _ = exact(Y, codes, weights, UMAP)
    assert found is not None
    assert (np.abs(found.values - values) <= 1e-6 * sizes + 1e-13 * np.abs(values).max(axis=0)).all()


@pytest.mark.parametrize("moment", [0, 1])
def test_fourier_sums__take_columns_of_zeros_and_layouts_on_a_line(moment):
    Y = LAYOUTS["a line"][:2000]
    weights = np.column_stack([np.ones(len(Y)), np.zeros(len(Y))])
    found = fourier_sums(Sums(Y, np.array([1]), weights, UMAP, moment), 1e-6, budget=np.inf)[0]
    values, sizes, _ = exact(Y, [1], weights, UMAP, moment)
    assert found is not None
    assert (found.values[:, :, 1] == 0).all()
    assert (np.abs(found.values - values) <= 1e-6 * sizes).all()


def test_plan__is_dropped_where_the_layout_has_shrunk_into_its_near_part():
    Y, weights = LAYOUTS["cloud"], np.ones((3000, 1))
    plan = fourier_sums(Sums(Y, np.array([1]), weights, UMAP, 0), 1e-6, budget=np.inf)[0].plan
    again = fourier_sums(Sums(0.001 * Y, np.array([1]), weights, UMAP, 0), 1e-6, plan, budget=0.05)[0]
    assert again is None or again.plan is not plan


def test_pair_sums__have_the_same_bits_for_any_number_of_openmp_threads():
    code = (
        "import hashlib, numpy as np; from umapinfo import fit_curve, pair_sums; from umapinfo.pairs import sums;"
        "sums.EXACT_UP_TO = 0; sums.tiles_error = lambda *given: np.inf;"
        "Y = np.random.default_rng(0).normal(size=(9000, 2)) * 5;"
        "r = pair_sums(Y, ('repulsion', 'similarity'), np.ones((9000, 2)), fit_curve(), rtol=1e-6);"
        "print(r.method, hashlib.sha256(r.values.tobytes()).hexdigest())"
    )
    said = set()
    for threads in ("1", "3", "4"):
        environment = {**os.environ, "OMP_NUM_THREADS": threads}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        said.add(done.stdout.strip())
    assert len(said) == 1
    assert said.pop().startswith("fourier")
