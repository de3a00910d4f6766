"""Potentials of many pairs at once: against decimals, at the ends of what is served, and beside the formulas."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from umapinfo.core.curve import Curve, fit_curve, logit
from umapinfo.pairs import pair_sums
from umapinfo.pairs.choice import CHOICE, choose
from umapinfo.pairs.direct import BLOCK, fill_potentials
from umapinfo.pairs.potentials import POTENTIALS, code_of, real_potential
from umapinfo.pairs.sums import EXACT_UP_TO
from umapinfo.pairs.wide import fill_logits, fill_wide, n_unserved, served

NAMES = ("attraction", "repulsion", "similarity", "variance", "attraction_slope", "repulsion_slope")
ROUNDING = 2.0**-53


def exact(s, curve):
    """Theta and the potentials of NAMES, decimals of 60 digits."""
    with localcontext() as context:
        context.prec = 60
        a, b, s = Decimal(curve.a), Decimal(curve.b), Decimal(float(s))
        u = (b * s.ln()).exp() * a
        q, rest = 1 / (1 + u), u / (1 + u)
        costs = [_log_one_plus(u), _log_one_plus(1 / u)]
        return -u.ln(), [*costs, q, q * rest, 2 * b * rest / s, -2 * b * q / s]


def _log_one_plus(x):
    """ln(1 + x): by its first terms where 60 digits do not hold 1 + x."""
    return (1 + x).ln() if x > Decimal("1e-20") else x - x * x / 2 + x**3 / 3


def filled(s, curve):
    """Theta, and the potentials of NAMES [6, n], of this module."""
    n, s = len(s), np.array(s)
    theta, odds, f = np.empty(n), np.empty(n), np.empty((len(NAMES), n))
    fill_logits(s, curve, n, theta, odds)
    for name, row in zip(NAMES, f, strict=True):
        assert fill_wide(code_of(name), s, theta, odds, curve, n, row)
    return theta, f


@st.composite
def curves_served(draw):
    return Curve(10.0 ** draw(st.floats(-9, 9)), draw(st.floats(0.05, 20)), 0.0)


@st.composite
def served_squares(draw):
    """A curve with c = 0 and squares that are served, both ends, 1 and the neighbourhood of theta = 0 among them."""
    curve = draw(curves_served())
    least, most = served(curve)
    middle = math.exp(-math.log(curve.a) / curve.b)
    logs = draw(st.lists(st.floats(math.log(least), math.log(most)), max_size=12))
    near = middle * (1 + draw(st.floats(-0.5, 0.5)))
    return curve, np.clip([least, most, 1.0, middle, near, *map(math.exp, logs)], least, most)


@given(served_squares())
def test_wide_potentials__are_those_of_decimals(given_squares):
    curve, s = given_squares
    theta, f = filled(s, curve)
    assert n_unserved(s, len(s), served(curve)) == 0
    for t in range(len(s)):
        expected_theta, expected = exact(s[t], curve)
        # Roundings of ln s and ln a, whose multiples may cancel, and of the sum; and of m + 1 and a quotient, by which
        # ln s is off by 1.3 roundings even where it is near 0.
        off = 2.0 * ROUNDING * (abs(float(expected_theta)) + 2 * abs(math.log(curve.a)) + curve.b)
        assert abs(Decimal(theta[t]) - expected_theta) <= Decimal(off)
        for value, right in zip(f[:, t], expected, strict=True):
            # |d ln f / d theta| <= 1; an exponential, a logarithm or a sum, and four operations or fewer
            assert abs(Decimal(value) / right - 1) <= Decimal(off + 6 * ROUNDING)


@given(curves_served())
def test_squares_beyond_the_ends__are_not_served(curve):
    least, most = served(curve)
    outside = np.array([0.0, least / 2, most * 2, np.inf])
    assert n_unserved(outside, 4, (least, most)) == 4
    assert 1e-153 < least < most < 1e153


@pytest.mark.parametrize("curve", [Curve(1.0, 1.0, 1.0), Curve(1.0, 1e308, 0.0), Curve(1e308, 1.0, 0.0)])
def test_curves_with_c_or_extreme_ones__are_not_served(curve):
    assert n_unserved(np.array([1.0]), 1, served(curve)) == 1
    sums = pair_sums([[0.0], [1.0]], list(NAMES), np.ones(2), curve)
    assert np.isfinite(sums.values).all()


@pytest.mark.parametrize("name", [name for name in POTENTIALS if name not in NAMES] + ["alpha(0.5)", "alpha_slope(2)"])
def test_other_potentials__are_left_alone(name):
    one, f = np.ones(1), np.full(1, 7.0)
    assert not fill_wide(code_of(name), one, one, one, fit_curve(), 1, f)
    assert f[0] == 7.0


def block(odd, own):
    """Squares, one of them odd and the point's own 0; the potentials of all names [p, BLOCK] in a block less one."""
    curve, s = fit_curve(), np.random.default_rng(0).lognormal(2, 3, BLOCK)
    s[own], s[77] = 0.0, odd
    codes, f = np.array([code_of(name) for name in POTENTIALS]), np.empty((len(POTENTIALS), BLOCK))
    fill_potentials(codes, s.copy(), curve, served(curve), BLOCK - 1, own, np.empty(BLOCK), np.empty(BLOCK), f)
    return curve, s[:-1], codes, f[:, :-1]


@pytest.mark.parametrize("odd", [7.0, 0.0, 1e-320, 1e200])
def test_a_block__is_filled_by_either_way_alike(odd):
    curve, s, codes, f = block(odd, own=3)
    for t in range(len(s)):
        expected = [real_potential(code, s[t], logit(s[t], curve), curve) for code in codes]
        if t == 3:
            assert not f[:, t].any()
        elif odd == 7.0:
            # By vectors |theta| < 15, known to 2^-52 16; its multiples by up to 2 are what potentials are off by, and a
            # theta of 0.03, the least here, is a factor of the entropy's slope.
            np.testing.assert_allclose(f[:, t], expected, rtol=2 * 16 * 2.0**-52 / 0.03)
        else:
            np.testing.assert_array_equal(f[:, t], expected)


def test_a_block_of_ordinary_squares__goes_by_vectors():
    curve, s, codes, f = block(7.0, own=3)
    theta, expected = filled(np.where(s > 0, s, 1.0), curve)
    for name, row in zip(NAMES, expected, strict=True):
        np.testing.assert_array_equal(np.delete(f[list(POTENTIALS).index(name)], 3), np.delete(row, 3))
    by_formulas = [real_potential(codes[1], one, logit(one, curve), curve) for one in np.delete(s, 3)]
    assert (np.delete(f[1], 3) != by_formulas).any()
    assert abs(theta).min() > 0.03
    assert abs(theta).max() < 15


def test_where_vectors_cost_less_than_a_split__they_are_taken():
    Y = np.random.default_rng(0).normal(0, 6, (EXACT_UP_TO + 1, 2))
    exact = pair_sums(Y, "repulsion_slope", np.ones(len(Y)), fit_curve(), moment=1)
    allowed = pair_sums(Y, "repulsion_slope", np.ones(len(Y)), fit_curve(), moment=1, rtol=1e-8)
    assert allowed.method == "direct"
    np.testing.assert_array_equal(allowed.values, exact.values)
    assert choose(Y, 1, 0, 4.7, 0.0, budget=CHOICE) is None
    assert choose(Y, 1, 0, 4.7, 0.0, budget=1.0) is not None
