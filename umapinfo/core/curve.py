r"""The curve of UMAP and its logit: the similarity q of two points of a layout at distance d.

The similarity is defined by its logit, which is linear in log-distance for UMAP (c = 0):

    theta(d) = ln(q / (1 - q)) = -ln(c + a d^(2b)),        q = 1 / (1 + exp(-theta)).

    c = 0            UMAP: q = 1 / (1 + a d^(2b)), q = 1 at d = 0 (theta = +inf)
    a = b = c = 1    Neg-t-SNE: q = 1 / (2 + d^2), nothing is singular at d = 0

a > 0 sets the scale (q = 1/2 at d = a^(-1/2b) when c = 0), b > 0 the tail.  Everything downstream is
written in theta: -ln q = softplus(-theta) and -ln(1 - q) = softplus(theta), never ln(1 - q) of a rounded q.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.optimize import curve_fit

from umapinfo.jit import jit


class Curve(NamedTuple):
    """The parameters of the similarity q = 1 / (1 + c + a d^(2b)), whose logit is theta = -ln(c + a d^(2b))."""

    a: float
    b: float
    c: float = 0.0


def checked_curve(curve: Curve) -> Curve:
    """The curve with plain floats (one compiled kernel serves all); ValueError unless a, b > 0 and c >= 0."""
    try:
        a, b, c = (float(value) for value in (curve.a, curve.b, curve.c))
    except (AttributeError, TypeError, ValueError):
        raise TypeError(f"curve: expected a Curve(a, b, c=0), got {curve!r}; make one with fit_curve()") from None
    if not (a > 0 and b > 0 and c >= 0 and math.isfinite(a + b + c)):
        raise ValueError(
            f"curve: expected finite a > 0, b > 0, c >= 0, got a={a}, b={b}, c={c}; fit_curve(min_dist, spread) "
            f"gives UMAP's"
        )
    return Curve(a, b, c)


def fit_curve(min_dist: float = 0.1, spread: float = 1.0) -> Curve:
    """The curve closest to UMAP's offset exponential, as umap-learn fits it.

    Least squares of 1 / (1 + a x^(2b)) against 1 for x < min_dist and exp(-(x - min_dist) / spread) beyond,
    at 300 points evenly spaced on [0, 3 spread] (umap-learn 0.5.12, umap_.py, find_ab_params).  One deviation: x is
    measured in units of spread, so that the fit, which starts at a = b = 1, finds its way for any spread.

    Parameters
    ----------
    min_dist : float, layout units
        Plateau of the target.  Too small: clumps; too large: q falls steeply (b > 1 from about 0.2 on).
    spread : float, layout units
        Decay length of the target; min_dist <= spread.

    Returns
    -------
    Curve
        a, b and c = 0; min_dist 0.1 and spread 1 give a = 1.5769, b = 0.8951.

    Raises
    ------
    ValueError
        Unless 0 <= min_dist <= spread and spread is positive and finite.
    """
    if not (math.isfinite(spread) and spread > 0 and 0 <= min_dist <= spread):
        raise ValueError(
            f"fit_curve: expected 0 <= min_dist <= spread with spread > 0, got min_dist={min_dist}, spread={spread}; "
            "raise spread or lower min_dist"
        )
    x, plateau = np.linspace(0, 3, 300), min_dist / spread
    target = np.where(x < plateau, 1.0, np.exp(-(x - plateau)))
    (a, b), _ = curve_fit(lambda x, a, b: 1.0 / (1.0 + a * x ** (2 * b)), x, target)
    return checked_curve(Curve(float(a) / float(spread) ** (2 * float(b)), float(b)))


@jit
def logit(d2: float, curve: Curve) -> float:
    """Theta = -ln(c + a d2^b) of a squared distance (float64); +inf at d2 = 0 when c = 0, -ln c when c > 0."""
    if d2 == 0.0:
        return np.inf if curve.c == 0.0 else -math.log(curve.c)
    log_odds = math.log(curve.a) + curve.b * math.log(d2)
    if curve.c > 0.0:
        log_c = math.log(curve.c)
        log_odds = max(log_odds, log_c) + math.log1p(math.exp(-abs(log_odds - log_c)))
    return -log_odds


@jit
def softplus(x: float) -> float:
    """ln(1 + e^x) without overflow; 0 at -inf, +inf at +inf; also of a complex x."""
    if x.real > 0.0:
        return x + np.log1p(np.exp(-x))
    return np.log1p(np.exp(x))
