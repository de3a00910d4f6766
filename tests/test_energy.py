"""Energies and their gradients: against a dense twin, exact sums, and their own differences."""

import numba
import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st
from strategies import curves, layouts

from umapinfo import Curve, fit_curve
from umapinfo.pairs.choice import choose
from umapinfo.pairs.energy import MARGIN, Energy, energy_plan, gradient_error, pair_energy
from umapinfo.pairs.far import Plan
from umapinfo.pairs.fourier import CHECKED
from umapinfo.pairs.rows import outer_rows, row_sums
from umapinfo.pairs.sums import checked_codes

UMAP = fit_curve()
ONE, BOTH = ("repulsion",), ("repulsion", "attraction")


def an_energy(n, names=ONE, n_columns=1, seed=0):
    """Weights in [0.5, 2], a symmetric coupling, factors."""
    random = np.random.default_rng(seed)
    coupling = random.uniform(0, 1, (n_columns, n_columns))
    factors, slopes = np.array([1.0, 0.3])[: len(names)], [f"{name}_slope" for name in names]
    return Energy(names, slopes, factors, random.uniform(0.5, 2, (n, n_columns)), coupling + coupling.T)


def dense(Y, energy, curve):
    """Energy, gradient, and the sums of the absolute terms of each, from the definition."""
    Y = np.asarray(Y, dtype=np.float64)
    n, d2 = len(Y), ref.squared_distances(Y)
    B = energy.v @ energy.coupling @ energy.v.T
    parts = []
    for names in (energy.potentials, energy.slopes):
        f = np.array([[[ref.pair_potential(name, x, curve) for x in row] for row in d2] for name in names])
        f[np.isinf(f)] = 0
        f[:, np.arange(n), np.arange(n)] = 0
        parts.append(f * energy.factors[:, None, None] * B)
    delta = Y[:, None] - Y
    gradient = np.einsum("kij,ija->ia", parts[1], delta)
    return parts[0].sum() / 2, gradient, abs(parts[0]).sum() / 2, np.einsum("kij,ija->ia", abs(parts[1]), abs(delta))


def sizes(Y, energy, curve):
    """Sums of the absolute terms of the energy and of the gradient at each vertex, float64[n, 1]."""
    everyone, u, c = np.arange(len(Y)), abs(energy.u), abs(energy.factors)
    found = [
        np.einsum("k,ir,ikrd->id", c, u, row_sums(Y, everyone, everyone, codes, energy.v, curve, moment)[1])
        for moment, codes in enumerate(map(checked_codes, (energy.potentials, energy.slopes)))
    ]
    return found[0].sum() / 2, found[1][:, :1]


def some_layouts(n):
    """Layouts of every kind that a split has to cope with."""
    random = np.random.default_rng(5)
    cloud = random.normal(size=(n, 2)) * 4
    outliers, duplicates = cloud.copy(), cloud.copy()
    outliers[:3] = [[1e4, 0], [-30, 50], [0, -1e5]]
    duplicates[: n // 10] = duplicates[n // 10 : 2 * (n // 10)]
    return {
        "cloud": cloud,
        "outliers": outliers,
        "duplicates": duplicates,
        "a line": np.column_stack([random.uniform(0, 30, n), np.zeros(n)]),
        "clumps": random.integers(0, 12, (n, 2)) + 0.05 * random.normal(size=(n, 2)),
        "spread": random.uniform(0, 300, (n, 2)),
        "shifted": cloud + 1e5,
        "three axes": random.normal(size=(n, 3)) * 3,
    }


LAYOUTS = some_layouts(2500)


@pytest.fixture
def split_always(monkeypatch):
    """Plans are made whatever they cost."""
    monkeypatch.setattr("umapinfo.pairs.energy.DIRECT", 1.0)


# ---- exact ---------------------------------------------------------------------------------------


@given(
    Y=st.integers(1, 4).flatmap(lambda dim: layouts(dim=dim)),
    curve=curves(),
    names=st.sampled_from([ONE, BOTH]),
    n_columns=st.integers(1, 3),
)
def test_exact_energies__equal_the_dense_twin(Y, curve, names, n_columns):
    Y, energy = Y.astype(np.float64), an_energy(len(Y), names, n_columns)
    found = pair_energy(Y, energy, Curve(*curve))
    value, gradient, value_size, gradient_size = dense(Y, energy, curve)
    # Powers, logarithms and exponentials: some ulp each, times |theta| < 100 in exp(theta).
    assert abs(found.value - value) <= 1e-13 * value_size
    assert (abs(found.gradient - gradient) <= 1e-13 * gradient_size).all()
    assert found.n_coincident == (ref.squared_distances(Y)[np.triu_indices(len(Y), 1)] == 0).sum()


# ---- by a plan -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("rtol", [1e-4, 1e-6])
def test_planned_energies__are_within_rtol_at_every_vertex(name, rtol, split_always):
    Y = LAYOUTS[name]
    energy = an_energy(len(Y), n_columns=2)
    plan = energy_plan(Y, energy, UMAP, rtol)
    if plan is None:  # its box is as narrow as r_c, and the smooth part turns there within a few grid steps
        assert (name, rtol) == ("a line", 1e-6)
        return
    found, exact = pair_energy(Y, energy, UMAP, plan), pair_energy(Y, energy, UMAP)
    value_size, gradient_size = sizes(Y, energy, UMAP)
    assert (abs(found.gradient - exact.gradient) <= rtol * gradient_size).all()
    assert abs(found.value - exact.value) <= rtol * value_size
    assert found.n_coincident == exact.n_coincident
    assert gradient_error(Y, energy, UMAP, plan) <= rtol


@pytest.mark.parametrize("names", [ONE, BOTH])
@pytest.mark.parametrize("n_columns", [1, 2, 3])
@pytest.mark.parametrize("curve", [UMAP, Curve(1.0, 1.0, 1.0), Curve(0.3, 0.6), Curve(5.0, 1.9)])
def test_planned_energies__serve_sums_of_potentials_any_columns_and_curve(names, n_columns, curve, split_always):
    Y = LAYOUTS["clumps"][:600]
    energy = an_energy(len(Y), names, n_columns)
    plan = energy_plan(Y, energy, curve, 1e-5)
    found, exact = pair_energy(Y, energy, curve, plan), pair_energy(Y, energy, curve)
    value_size, gradient_size = sizes(Y, energy, curve)
    gap, checked = abs(found.gradient - exact.gradient), outer_rows(Y, CHECKED)
    # Twice what is seen at the vertices that a plan is checked at is within rtol.  Some that stand alone, and feel a
    # sixth to a fortieth of the median, are not checked: the largest errors, at them, are a fifth of rtol of that.
    assert (gap[checked] <= 5e-6 * gradient_size[checked]).all()
    assert (gap <= 1e-5 * np.maximum(gradient_size, np.median(gradient_size) / 4)).all()
    assert abs(found.value - exact.value) <= 1e-5 * value_size


@pytest.mark.parametrize("name", ["cloud", "outliers", "clumps", "spread", "three axes"])
def test_planned_gradients__are_those_of_the_planned_energy_more_closely_than_of_the_exact_one(name, split_always):
    Y, rtol = LAYOUTS[name], 1e-3
    energy, random = plain(len(Y)), np.random.default_rng(0)
    plan = energy_plan(Y, energy, UMAP, rtol)
    value_size, gradient_size = sizes(Y, energy, UMAP)
    gradient, exact = pair_energy(Y, energy, UMAP, plan).gradient, pair_energy(Y, energy, UMAP).gradient
    direction = random.normal(size=Y.shape) * 10.0 ** random.uniform(-1, 1, (len(Y), 1))
    direction /= abs(direction).max()
    step = 1e-4
    ahead, two_ahead = (
        pair_energy(Y + k * step * direction, energy, UMAP, plan).value
        - pair_energy(Y - k * step * direction, energy, UMAP, plan).value
        for k in (1, 2)
    )
    slope = (8 * ahead - two_ahead) / (12 * step)
    size = (gradient_size * abs(direction)).sum()
    # To the transforms' tolerance, at most rtol / 100; the exact gradient is up to rtol away.  Rounding of differences.
    assert plan.tolerance <= rtol / 100
    assert abs((gradient * direction).sum() - slope) <= plan.tolerance * size + 1e-12 * value_size / step
    assert abs(gradient - exact).max() > 0


def plain(n):
    """The repulsion of all pairs, each of weight 1."""
    return Energy(["repulsion"], ["repulsion_slope"], np.ones(1), np.ones((n, 1)), np.eye(1))


def test_planned_energies__take_vertices_outside_the_box_one_by_one(split_always):
    Y = LAYOUTS["outliers"]
    energy = an_energy(len(Y), n_columns=2)
    plan = energy_plan(Y, energy, UMAP, 1e-6)
    assert 0 < (~plan.inside(Y)).sum() < 100
    moved = Y.copy()
    moved[100:110] += 1e3  # ten more than when it was made
    found, exact = pair_energy(moved, energy, UMAP, plan), pair_energy(moved, energy, UMAP)
    value_size, gradient_size = sizes(moved, energy, UMAP)
    assert (abs(found.gradient - exact.gradient) <= 1e-6 * gradient_size).all()
    assert abs(found.value - exact.value) <= 1e-6 * value_size


@pytest.mark.parametrize("plan", [False, True])
def test_energies__have_the_same_bits_for_any_number_of_threads(plan, n_threads, split_always):
    Y, most = LAYOUTS["clumps"], numba.get_num_threads()
    energy, found = an_energy(len(Y), n_columns=2), set()
    made = energy_plan(Y, energy, UMAP, 1e-6) if plan else None
    for threads in (1, 2, most):
        n_threads(min(threads, most))
        value, gradient, _ = pair_energy(Y, energy, UMAP, made)
        found.add((value, gradient.tobytes()))
    assert len(found) == 1


def test_points_nearer_than_the_table_reaches__are_summed_by_the_formulas(split_always):
    Y = LAYOUTS["cloud"].copy()
    for k, distance in enumerate([0.0, 1e-170, 1e-160, 1e-30, 1e-12, 1e-8]):
        Y[2 * k], Y[2 * k + 1] = (distance, k), (0, k)
    energy = plain(len(Y))
    plan = energy_plan(LAYOUTS["cloud"], energy, UMAP, 1e-6)
    found, exact = pair_energy(Y, energy, UMAP, plan), pair_energy(Y, energy, UMAP)
    value_size, gradient_size = sizes(Y, energy, UMAP)
    assert found.n_coincident == exact.n_coincident > 0
    assert (abs(found.gradient - exact.gradient) <= 1e-6 * gradient_size).all()
    assert abs(found.value - exact.value) <= 1e-6 * value_size


# ---- plans ---------------------------------------------------------------------------------------


def test_a_plan__has_a_box_that_is_wider_than_the_layout(split_always):
    Y = LAYOUTS["spread"]
    plan = energy_plan(Y, plain(len(Y)), UMAP, 1e-6)
    middle = np.median(Y, axis=0)
    assert plan.inside(middle + (1 + 0.99 * MARGIN) * (Y - middle)).all()


def test_no_plan__is_made_where_exact_sums_cost_less_or_are_asked_for(split_always):
    few = LAYOUTS["cloud"]
    assert energy_plan(few, plain(len(few)), UMAP, None) is None
    line = few[:, :1]
    assert energy_plan(line, plain(len(line)), UMAP, 1e-6) is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("umapinfo.pairs.energy.DIRECT", 1e-12)
        assert energy_plan(few, plain(len(few)), UMAP, 1e-6) is None


def test_an_error_of_the_gradient__is_seen(split_always):
    Y = LAYOUTS["cloud"]
    energy = plain(len(Y))
    good = energy_plan(Y, energy, UMAP, 1e-6)
    split = choose(1.1 * Y, 1, 0, 3.0, 1e-9, np.inf)
    assert gradient_error(Y, energy, UMAP, Plan(UMAP, 0, split, 1e-3)) > 1e-5
    assert gradient_error(Y, energy, UMAP, good) <= 1e-6
