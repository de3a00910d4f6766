r"""Taylor polynomials of the potentials in the squared distance, taken from the formulas themselves.

About s0, with t = (s - s0) / s0, a potential is sum_k c_k t^k.  Its formula is evaluated on a circle t = R e^(i phi) in
the complex plane, and c_k R^k are the Fourier coefficients of those values (Cauchy's formula by the trapezium rule,
which converges geometrically): no derivative is written down anywhere.

The nearest singularities are s = 0 (t = -1) and, for c = 0, a s^b = -1, of which the first turn is at angle pi / b: no
nearer to any s0 than 2 sin(pi / 2b) of it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from umapinfo.core.curve import Curve
from umapinfo.jit import jit
from umapinfo.pairs.potentials import potential

DEGREE = 8
ON_CIRCLE = 64  # values: the first coefficient that aliases is c_64 / 2^64


def taylor(code: int, curve: Curve, s0: float, degree: int = DEGREE) -> NDArray[np.float64]:
    """Coefficients c_0 ... c_degree of a potential about s0 > 0, in powers of (s - s0) / s0.

    Parameters
    ----------
    code : int
        Of a potential that is analytic in s: any but the clipped one.
    curve : Curve
    s0 : float, squared layout units
    degree : int

    Returns
    -------
    float64[degree + 1]
        In the potential's units; relative error about 1e-14 of the largest value on the circle.
    """
    radius = 0.5 * min(1.0, 2 * math.sin(math.pi / (2 * max(curve.b, 1.0))))
    circle = radius * np.exp(2j * np.pi * np.arange(ON_CIRCLE) / ON_CIRCLE)
    values = np.array([complex_potential(code, complex(s), curve) for s in s0 * (1 + circle)])
    coefficients = np.fft.fft(values) / ON_CIRCLE
    return np.ascontiguousarray(coefficients[: degree + 1].real / radius ** np.arange(degree + 1))


@jit
def complex_potential(code: int, s: complex, curve: Curve) -> complex:
    """A potential at a complex squared distance of moderate size, away from 0."""
    return potential(code, s, -np.log(curve.c + curve.a * s**curve.b), curve)  # type: ignore[arg-type]


@jit
def polynomial(coefficients: np.ndarray, t: float) -> float:
    """sum_k coefficients[k] t^k by Horner's rule."""
    total = 0.0
    for k in range(coefficients.shape[0] - 1, -1, -1):
        total = total * t + coefficients[k]
    return total
