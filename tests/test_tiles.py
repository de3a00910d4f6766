"""The float32 tiles: their elementary functions, their sums against the float64 body, their bits, where they apply."""

import numba
import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st

from umapinfo.core.curve import Curve, fit_curve
from umapinfo.core.odds import largest_square, numbers_of, serves
from umapinfo.pairs import pair_sums, sums, tiles
from umapinfo.pairs.potentials import POTENTIALS, REPULSION, SIMILARITY
from umapinfo.pairs.single import (
    fill_odds,
    fill_values,
    has_close,
    pair_error,
)

UMAP = fit_curve()
BOTH = ("repulsion", "similarity")


@pytest.fixture(scope="module", autouse=True)
def tiles_first():
    """Let `pair_sums` take the tiles wherever they apply, also where another body would be as quick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sums, "EXACT_UP_TO", 0)
        patch.setattr(sums, "fourier_sums", lambda *given, **named: (None, ""))
        yield


def values_of(squares, code, curve):
    """The float32 loops' values of an array of squares."""
    buffers = np.zeros((3, len(squares)), np.float32)
    buffers[0] = squares
    f = np.empty((1, 1, len(squares)), np.float32)
    fill_odds(numbers_of(curve), len(squares), buffers)
    fill_values(code, numbers_of(curve), len(squares), buffers, f, 0, 0)
    return f[0, 0].astype(np.float64)


def exact(squares, code, curve):
    x = curve.c + curve.a * squares.astype(np.float64) ** curve.b
    return np.log1p(1 / x) if code == REPULSION else 1 / (1 + x)


CURVES = [UMAP, Curve(1.0, 1.0, 1.0), Curve(0.3, 0.6), Curve(12.0, 1.9), Curve(2.0, 1.3, 3.0)]


@pytest.mark.parametrize("code", [REPULSION, SIMILARITY])
@pytest.mark.parametrize("curve", CURVES, ids=str)
def test_values__of_any_square_are_within_the_bound(code, curve):
    limit = np.log2(largest_square(curve))
    squares = np.exp2(np.random.default_rng(0).uniform(-limit, limit, 2_000_000)).astype(np.float32)
    error = abs(values_of(squares, code, curve) / exact(squares, code, curve) - 1).max()
    assert error <= pair_error(curve, 0)  # no axes: the squares themselves are exact here


@pytest.mark.parametrize("code", [REPULSION, SIMILARITY])
@pytest.mark.parametrize("curve", CURVES, ids=str)
def test_values__of_narrow_bands_have_no_bias(code, curve):
    # 2^14 neighbouring float32 squares in each of 16 places of every 4th octave: what is left of their mean is the
    # error of the polynomials and of steps that hardly vary (c > 0: all of them, f is flat near 0); a total of nearly
    # equal distances would show it.
    for octave in range(-28, 29, 4):
        for place in range(16):
            first = np.float32(2.0**octave * (1 + place / 16)).view(np.int32)
            squares = (first + np.arange(2**14, dtype=np.int32)).view(np.float32)
            mean = np.mean(values_of(squares, code, curve) / exact(squares, code, curve) - 1)
            assert abs(mean) < (7e-8 if curve.c == 0 else 1.5e-7), (octave, place)


def layout_of(kind, n, seed, scale):
    """Layouts of float32 numbers that break sums: clumps, lines, outliers, copies, bands of equal distances."""
    rng = np.random.default_rng(seed)
    Y = rng.normal(size=(n, 2))
    if kind == "clumps":
        Y = rng.integers(-3, 4, (n, 2)) * 10 + 1e-3 * Y
    elif kind == "line":
        Y[:, 1] = 2.5
    elif kind == "outlier":
        Y[n // 2] = 1e4
    elif kind == "copies":
        Y[rng.random(n) < 0.1] = Y[0]
        Y[n // 2 :: 7] = Y[: len(Y[n // 2 :: 7])]
    elif kind == "islands":
        Y = rng.integers(0, 2, (n, 1)) * np.array([[30.0, 40.0]]) + 1e-2 * Y
    elif kind == "ring":
        angle = 2 * np.pi * rng.integers(0, 7, n) / 7
        Y = 100 * np.column_stack([np.cos(angle), np.sin(angle)]) + 1e-2 * Y
    elif kind == "far":
        Y = Y + 1e4
    return (Y * scale).astype(np.float32)


KINDS = ["cloud", "clumps", "line", "outlier", "copies", "islands", "ring", "far"]


@given(
    kind=st.sampled_from(KINDS),
    n=st.sampled_from([512, 513, 577, 1023, 1100, 2049, 2500]),
    seed=st.integers(0, 99),
    scale=st.sampled_from([1.0, 1e-3, 1e-9, 1e3]),
    curve=st.sampled_from([UMAP, Curve(1.0, 1.0, 1.0), Curve(0.3, 0.6)]),
)
def test_tiles__are_within_their_error_of_the_exact_sums(kind, n, seed, scale, curve):
    Y = layout_of(kind, n, seed, scale)
    rng = np.random.default_rng(seed)
    weights = np.column_stack([np.full(n, 0.1), rng.lognormal(size=n), np.where(rng.random(n) < 0.3, 0.0, 1.0)])
    found = pair_sums(Y, BOTH, weights, curve, rtol=2e-6)
    expected = pair_sums(Y, BOTH, weights, curve)
    assert (found.method, expected.method) == ("direct-single", "direct")
    # The float64 sums of up to 2500 positive terms have rounding errors of their own.
    assert np.all(abs(found.values - expected.values) <= (found.error + 1e-13) * expected.values)
    np.testing.assert_array_equal(found.n_coincident, expected.n_coincident)
    totals, expected_totals = found.values[:, :, 0].sum(axis=0), expected.values[:, :, 0].sum(axis=0)
    np.testing.assert_allclose(totals, expected_totals, rtol=1e-7)


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_tiles__take_any_dimension(dim):
    Y = np.random.default_rng(3).normal(size=(700, dim)).astype(np.float32)
    found, expected = (pair_sums(Y, BOTH, np.ones(700), UMAP, rtol=rtol) for rtol in (2e-6, None))
    assert found.method == "direct-single"
    np.testing.assert_allclose(found.values, expected.values, rtol=found.error)


def test_tiles__equal_the_loops_of_the_twin():
    Y = layout_of("copies", 520, 1, 1.0)
    weights = np.random.default_rng(1).random(520)
    found = pair_sums(Y, BOTH, weights, UMAP, rtol=1e-6)
    d2 = ref.squared_distances(Y)
    for a, name in enumerate(BOTH):
        f = np.array([[ref.pair_potential(name, x, UMAP) for x in row] for row in d2])
        f[np.isinf(f)] = 0
        np.fill_diagonal(f, 0)
        np.testing.assert_allclose(found.values[:, a, 0], f @ weights, rtol=found.error)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba was started with one thread")
def test_tiles__have_the_same_bits_for_any_number_of_threads():
    Y = layout_of("copies", 3001, 2, 1.0)
    weights = np.random.default_rng(1).random((3001, 2))
    before = numba.get_num_threads()
    results = []
    try:
        for n_threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
            numba.set_num_threads(n_threads)
            found = pair_sums(Y, BOTH, weights, UMAP, rtol=1e-6)
            results.append(found.values.tobytes() + found.n_coincident.tobytes())
    finally:
        numba.set_num_threads(before)
    assert len(set(results)) == 1


def test_tiles__of_one_potential_or_column_have_the_bits_of_several():
    Y = layout_of("cloud", 800, 2, 1.0)
    weights = np.random.default_rng(1).random((800, 2))
    together = pair_sums(Y, BOTH, weights, UMAP, rtol=1e-6).values
    for a, name in enumerate(BOTH):
        for r in range(2):
            alone = pair_sums(Y, name, weights[:, r], UMAP, rtol=1e-6).values
            np.testing.assert_array_equal(alone[:, 0, 0], together[:, a, r])


def test_tiles__report_an_error_below_one_millionth_for_umaps_curve():
    Y = layout_of("cloud", 600, 0, 1.0)
    assert 0 < pair_sums(Y, "repulsion", np.arange(600.0), UMAP, rtol=1e-6).error < 1e-6


def test_tiles__find_pairs_too_close_for_float32():
    Y = layout_of("cloud", 600, 0, 1.0)
    Y[:5] = [[0, 0], [1e-12, 0], [1e-20, 1e-20], [1e-30, 0], [1e-38, 1e-45]]
    found, expected = (pair_sums(Y, BOTH, np.ones(600), UMAP, rtol=rtol) for rtol in (1e-6, None))
    assert (found.method, found.n_coincident.sum()) == ("direct-single", 0)
    np.testing.assert_allclose(found.values, expected.values, rtol=found.error)


def test_has_close__sees_one_small_square_among_many():
    buffers = np.ones((3, 64), np.float32)
    assert not has_close(numbers_of(UMAP), 64, buffers)
    buffers[0, 37] = 0
    assert has_close(numbers_of(UMAP), 64, buffers)


@pytest.mark.parametrize(
    "changed",
    [
        {"rtol": None},
        {"rtol": 1e-8},
        {"Y": layout_of("cloud", 600, 0, 1.0).astype(np.float64) * (1 + 1e-12)},  # no float32 numbers
        {"Y": layout_of("cloud", 600, 0, 1.0).astype(np.float64) * 1e60},
        {"Y": layout_of("cloud", 600, 0, 1e12)},
        {"Y": layout_of("cloud", 40, 0, 1.0), "weights": np.ones(40)},
        {"weights": np.geomspace(1e-20, 1, 600)},
        {"potentials": ("repulsion", "attraction")},
        {"moment": 1},
        {"curve": Curve(1.0, 1.0, 0.01)},
        {"curve": Curve(1.0, 5.0)},
        {"curve": Curve(1e-12, 1.0)},
    ],
    ids=str,
)
def test_tiles__leave_to_float64_what_they_do_not_serve(changed):
    arguments = {
        "Y": layout_of("cloud", 600, 0, 1.0),
        "potentials": BOTH,
        "weights": np.ones(600),
        "curve": UMAP,
        "rtol": 1e-6,
    }
    found = pair_sums(**arguments | changed)
    assert (found.method, found.error) == ("direct", 0.0)


def test_serves__umaps_curves_and_neg_t_sne():
    assert all(serves(fit_curve(min_dist)) for min_dist in (0.0, 0.1, 0.5, 0.99))
    assert serves(Curve(1.0, 1.0, 1.0))
    assert [POTENTIALS[code] for code in tiles.SINGLE_CODES] == list(BOTH)
