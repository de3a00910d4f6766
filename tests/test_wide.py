"""Potentials of many pairs at once: against decimals, at the ends of what is served, and beside the formulas."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from umapinfo.core.curve import Curve, fit_curve, logit
from umapinfo.pairs.direct import BLOCK, fill_potentials
from umapinfo.pairs.potentials import POTENTIALS, code_of, real_potential
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
    theta, small, f = np.empty(n), np.empty(n), np.empty((len(NAMES), n))
    fill_logits(s, curve, n, theta, small)
    for name, row in zip(NAMES, f, strict=True):
        assert fill_wide(code_of(name), s, theta, small, curve, n, row)
    return theta, f


@st.composite
def served_squares(draw):
    """A curve with c = 0 and squares that are served, both ends, 1 and the neighbourhood of theta = 0 among them."""
    curve = Curve(10.0 ** draw(st.floats(-9, 9)), draw(st.floats(0.05, 20)), 0.0)
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
        # Of b ln s, which is theta + ln a, the logarithm and the sum are rounded.
        off = 2.0 * ROUNDING * (abs(float(expected_theta)) + 2 * abs(math.log(curve.a)) + 1.0)
        assert abs(Decimal(theta[t]) - expected_theta) <= Decimal(off)
        for value, right in zip(f[:, t], expected, strict=True):
            # |d ln f / d theta| <= 1; an exponential, a logarithm, and three operations or fewer
            assert abs(Decimal(value) / right - 1) <= Decimal(off + 6 * ROUNDING)


@given(served_squares())
def test_squares_beyond_the_ends__are_not_served(given_squares):
    curve, _ = given_squares
    least, most = served(curve)
    outside = np.array([0.0, least / 2, most * 2, np.inf])
    assert n_unserved(outside, 4, (least, most)) == 4
    assert 1e-153 < least < most < 1e153
    assert served(curve._replace(c=1.0)) == (np.inf, 0.0)
    assert n_unserved(np.array([1.0]), 1, served(curve._replace(c=1.0))) == 1


@pytest.mark.parametrize("name", [name for name in POTENTIALS if name not in NAMES] + ["alpha(0.5)", "alpha_slope(2)"])
def test_other_potentials__are_left_alone(name):
    one, f = np.ones(1), np.full(1, 7.0)
    assert not fill_wide(code_of(name), one, one, one, fit_curve(), 1, f)
    assert f[0] == 7.0


@pytest.mark.parametrize("odd", [None, 0.0, 1e-320, 1e150])
def test_a_block__is_filled_by_either_way_alike(odd):
    curve, own, size = fit_curve(), 3, BLOCK - 1
    s = np.random.default_rng(0).lognormal(2, 3, BLOCK)
    s[own] = 0.0
    if odd is not None:
        s[77] = odd
    codes, f = np.array([code_of(name) for name in POTENTIALS]), np.empty((len(POTENTIALS), BLOCK))
    square = s.copy()
    fill_potentials(codes, s.copy(), curve, served(curve), size, own, np.empty(BLOCK), np.empty(BLOCK), f)
    for t in range(size):
        expected = [real_potential(code, square[t], logit(square[t], curve), curve) for code in codes]
        # a square and its potential, each with the rounding of theta; those of 1e150 are of a theta of -310
        rtol = 0.0 if t == own else 2e-14 * (11 if square[t] == 1e150 else 1)
        np.testing.assert_allclose(f[:, t], np.zeros(len(codes)) if t == own else expected, rtol=rtol)
