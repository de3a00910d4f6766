"""The curve: umap-learn's fit, and the kernels of its logit against decimals of 60 digits."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st
from strategies import clouds, curves, logits

from umapinfo.core.curve import Curve, checked_curve, fit_curve, logit, softplus
from umapinfo.pairs import edge_potentials

EPSILON = 2.0**-52


def decimal_theta(d2, curve):
    """-ln(c + a d2^b) to 60 digits."""
    with localcontext(prec=60):
        a, b, c = map(Decimal, curve)
        return -(c + a * (b * Decimal(d2).ln()).exp()).ln()


def decimal_softplus(x):
    """ln(1 + e^x) to 400 digits: e^-700 beside 1 takes 305 of them."""
    with localcontext(prec=400):
        return (1 + Decimal(x).exp()).ln()


@pytest.mark.parametrize(
    ("min_dist", "a", "b", "tolerance"),
    [
        (0.1, 1.5769434603, 0.8950608779, 1e-8),  # umap-learn's defaults; the search settles on them to 1e-8
        (0.001, 1.9291, 0.7915, 5e-5),  # the article's, as printed
    ],
)
def test_fit__gives_the_published_numbers(min_dist, a, b, tolerance):
    assert fit_curve(min_dist) == pytest.approx((a, b, 0.0), abs=tolerance)


def test_fit__is_umap_learns_on_a_grid(golden):
    arrays = golden("curve")
    for min_dist, spread, a, b in zip(*(arrays[name] for name in ("min_dist", "spread", "a", "b")), strict=True):
        # The routine stops where a relative change of 1.5e-8 no longer shows in a sum of squares that is flat at its
        # minimum: sqrt(1.5e-8) of a step. For spread 1 every step is umap-learn's; else x is in other units.
        assert fit_curve(min_dist, spread)[:2] == pytest.approx((a, b), rel=1e-8 if spread == 1 else 1e-5)


@pytest.mark.parametrize("min_dist", [0.0, 0.1, 0.5, 1.0])
def test_fit__is_the_least_squares_solution_of_the_twin(min_dist):
    # tolerance of the search, as above
    assert fit_curve(min_dist) == pytest.approx(ref.fit_curve(min_dist), rel=1e-5)


@given(st.floats(0, 1), st.floats(-12, 12))
def test_fit__depends_on_min_dist_over_spread_but_for_the_unit_of_length(ratio, exponent):
    spread = 10.0**exponent
    one, scaled = fit_curve(ratio, 1.0), fit_curve(min(ratio * spread, spread), spread)
    # the rounding of ratio * spread / spread may move a grid point over the edge of the plateau
    assert scaled.b == pytest.approx(one.b, rel=1e-2)
    # q(spread) is the same: a spread^(2b) is
    assert math.log(scaled.a) + 2 * scaled.b * math.log(spread) == pytest.approx(math.log(one.a), abs=2e-2)
    assert scaled.c == 0


@given(curves(), st.floats(-300, 300))
def test_logit__is_exact_to_rounding(curve, exponent):
    d2 = 10.0**exponent
    exact = decimal_theta(d2, curve)
    # theta is a difference of logarithms: a few roundings of the largest of them
    size = max(abs(math.log(curve[0])), curve[1] * abs(math.log(d2)), 1.0)
    assert abs(Decimal(logit(d2, Curve(*curve))) - exact) <= 4 * EPSILON * size


@given(curves(), st.floats(-30, 30))
def test_logit__is_the_twins(curve, exponent):
    d2 = 10.0**exponent
    # the twin takes the power and then the logarithm: one more rounding of the size of theta
    assert logit(d2, Curve(*curve)) == pytest.approx(float(ref.logit(d2, curve)), rel=1e-14, abs=1e-13)


@given(curves(), st.floats(0, 1e300), st.floats(0, 1e300))
def test_logit__falls_with_the_distance(curve, one, other):
    near, far = sorted([one, other])
    # up to the rounding of a and b log(d2), which are under 1400
    assert logit(near, Curve(*curve)) >= logit(far, Curve(*curve)) - 1e-12


def test_logit__has_its_limits_at_both_ends():
    umap, neg_tsne, half = Curve(1.5, 0.9), Curve(1.0, 1.0, 1.0), Curve(1.0, 1.0, 0.5)
    assert logit(0.0, umap) == math.inf
    assert logit(0.0, neg_tsne) == 0.0  # q = 1/2
    assert logit(0.0, half) == math.log(2.0)
    for curve in (umap, neg_tsne, half):
        assert logit(math.inf, curve) == -math.inf
        # the smallest and the largest float64: no overflow on the way
        assert math.isfinite(logit(5e-324, curve))
        assert math.isfinite(logit(1.7e308, curve))
    # near 0 the logit of c = 1 is -a d2^b itself, not the rounding of 1 + a d2^b
    assert logit(1e-30, neg_tsne) == pytest.approx(-1e-30, rel=1e-12)


def test_similarity__is_half_where_the_curve_says():
    a, b, _ = fit_curve()
    # theta is a few roundings of ln a and b ln d2, both under 1
    assert logit(a ** (-1 / b), fit_curve()) == pytest.approx(0, abs=1e-15)
    # q = 1 / (2 + d^2) for Neg-t-SNE, so that theta = -ln(1 + d^2)
    assert logit(3.0, Curve(1.0, 1.0, 1.0)) == pytest.approx(-math.log(4), rel=1e-15)


@given(logits())
def test_softplus__is_exact_to_rounding(x):
    # exp, log1p and a sum: three roundings, none of which is enlarged
    assert abs(Decimal(softplus(x)) - decimal_softplus(x)) <= decimal_softplus(x) * Decimal(3 * EPSILON)


@given(logits())
def test_softplus__splits_its_argument(x):
    # softplus(x) - softplus(-x) = x, up to the rounding of the larger one
    assert softplus(x) - softplus(-x) == pytest.approx(x, rel=4 * EPSILON, abs=4 * EPSILON)


def test_softplus__has_its_limits_at_both_ends():
    assert softplus(-math.inf) == 0.0
    assert softplus(math.inf) == math.inf
    assert softplus(0.0) == math.log(2.0)
    assert softplus(-745.0) > 0  # subnormal, not lost
    assert (softplus(710.0), softplus(1e308)) == (710.0, 1e308)  # where e^x is no float64


def test_checked_curve__makes_plain_floats_of_any_numbers():
    curve = checked_curve(Curve(np.float32(2), np.int64(1), True))
    assert curve == (2.0, 1.0, 1.0)
    assert {type(value) for value in curve} == {float}


@pytest.mark.parametrize("curve", [(1.0, 1.0, 0.0), None, Curve("a", 1.0), Curve(None, 1.0), 3.0])
def test_checked_curve__refuses_what_is_no_curve(curve):
    with pytest.raises(TypeError, match="expected a Curve"):
        checked_curve(curve)


@pytest.mark.parametrize("a, b, c", [(0, 1, 0), (1, 0, 0), (1, 1, -1), (math.nan, 1, 0), (1, math.inf, 0)])
def test_checked_curve__refuses_parameters_without_a_curve(a, b, c):
    with pytest.raises(ValueError, match="expected finite a > 0, b > 0, c >= 0, got a="):
        checked_curve(Curve(a, b, c))


@pytest.mark.parametrize(
    "min_dist, spread", [(1.1, 1.0), (-0.1, 1.0), (0.1, 0.0), (0.1, -1.0), (0.1, math.inf), (math.nan, 1.0)]
)
def test_fit__refuses_numbers_without_a_curve(min_dist, spread):
    with pytest.raises(ValueError, match="expected 0 <= min_dist <= spread"):
        fit_curve(min_dist, spread)


def similarities(points, curve):
    """The matrix of q between all pairs of points."""
    heads, tails = np.indices((len(points), len(points))).reshape(2, -1)
    return edge_potentials(points, heads, tails, curve, ["similarity"])[0].reshape(len(points), -1)


@given(st.floats(0.05, 20), st.floats(0.3, 2), st.floats(-4, 4))
def test_similarity__is_a_mixture_of_stretched_exponentials(a, b, exponent):
    # q = int_0^inf e^(-t) exp(-t u) dt with u = a d^(2b): by Gauss and Laguerre's rule, and by trapezoids
    u = math.exp(exponent)
    d = (u / a) ** (1 / (2 * b))
    q = 1 / (1 + math.exp(-logit(d * d, Curve(a, b))))
    t, weight = np.polynomial.laguerre.laggauss(64)
    if u < 1:  # beyond, e^(-t u) is too steep for the rule
        assert (weight * np.exp(-t * u)).sum() == pytest.approx(q, rel=1e-9)
    fine = np.linspace(0, 60 / (1 + u), 20_001)
    # the trapezoidal rule's error is h^2 / 12 times the slope at 0: (0.003)^2 / 12 relative
    assert np.trapezoid(np.exp(-fine * (1 + a * d ** (2 * b))), fine) == pytest.approx(q, rel=2e-6)


@given(clouds(max_n=16), st.floats(0.05, 20), st.floats(0.3, 1))
def test_similarity__is_positive_definite_in_any_dimension_up_to_b_1(X, a, b):
    # 1 / (1 + a |x|^(2b)) is the characteristic function of a Linnik law for 0 < 2b <= 2. An eigenvalue of a matrix of
    # n numbers up to 1 is off by n times the rounding of one, with a factor for q's own.
    X = X / max(np.abs(X).max(), 1.0)
    assert np.linalg.eigvalsh(similarities(X, Curve(a, b)))[0] >= -16 * len(X) * EPSILON


@given(st.floats(0.05, 20), st.floats(1.05, 2))
def test_similarity__is_not_positive_definite_beyond_b_1_already_on_a_line(a, b):
    # Points 0, e, 2e with weights 1, -2, 1: 8 (1 - q(e)) - 2 (1 - q(2e)) -> 2 u (4 - 4^b) < 0 for u = a e^(2b) -> 0.
    u = 1e-3 * (4**b - 4)
    e = (u / a) ** (1 / (2 * b))
    weights = np.array([1.0, -2.0, 1.0])
    form = weights @ similarities(e * np.arange(3.0)[:, None], Curve(a, b)) @ weights
    # the next terms are of the order u^2, with factors under 2 * 16^b
    assert form == pytest.approx(2 * u * (4 - 4**b), abs=2 * 16**b * u**2)
    assert form < 0


@pytest.mark.parametrize("b", [0.3, 0.7915, 0.8951, 1.0])
def test_similarity__is_not_integrable_in_the_plane_up_to_b_1(b):
    # int_1^R q d dd grows by R^(2 - 2b) / a, or ln R / a: doubling R adds no less than the doubling before it.
    a = 1.5
    rings = []
    for j in range(10, 20):
        d = np.geomspace(2.0**j, 2.0 ** (j + 1), 2001)
        q = 1 / (1 + np.exp([-logit(x * x, Curve(a, b)) for x in d]))
        rings.append(np.trapezoid(q * d, d))
    assert np.all(np.diff(rings) >= -1e-3 * rings[0])
