r"""The far part of a split sum: potentials made smooth and periodic, summed by nonuniform FFTs.

For s = d^2 < s0 = r_c^2 a potential f is replaced by its Taylor polynomial T of degree 8 about s0: the result g is
smooth everywhere.  Per axis, u^2 and u are replaced by S(u) and X(u) = S'(u)/2, which agree with them up to the box's
length L and run smoothly into a period P > 2.05 L.  So g(S(Delta_1) + ...) X^(moment) is smooth and periodic; its
Fourier coefficients k_m come from its values on a grid, of which the part u >= 0 will do (cosine transforms), and

    sum_j w_j g(Delta_ij) = sum_m k_m (sum_j w_j e^(-i m x_j)) e^(i m x_i),   x = 2 pi y / P

is a nonuniform FFT of type 1 and one of type 2 (FINUFFT), two columns of weights in one complex transform.  What is
lacking, f - T for s < s0, is added over cells (`umapinfo.pairs.near`).

FINUFFT's bits depend on its number of threads, in either type, so each transform runs on one, and several at once.  The
bits of the sums do not depend on the number of threads.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from itertools import product
from typing import Any, NamedTuple

import numba
import numpy as np
import scipy.fft
from numba import prange
from numpy.typing import NDArray
from scipy.special import betainc

from umapinfo.core.curve import Curve, logit
from umapinfo.jit import parallel_jit
from umapinfo.pairs.choice import Split, turn
from umapinfo.pairs.near import Lacking, lacking
from umapinfo.pairs.potentials import real_potential
from umapinfo.pairs.taylor import polynomial, taylor

Floats = NDArray[np.float64]

SMOOTH = 6  # order of contact of S with u^2 at L and with a constant at P/2
UPSAMPLING, LEAST_UPSAMPLED = 1.25, 1e-9  # of the FFTs within; for tolerances under that, 2
KEPT = 8  # kernels


class Kernel(NamedTuple):
    """Potentials made smooth and periodic: the same for all layouts of about the same size.

    Attributes
    ----------
    table : Lacking
        What the smooth part lacks within r_c.
    spectra : float64[p, d^moment, modes / 2 + 1 ...]
        Fourier coefficients of the smooth part at the frequencies from 0 on, without their factor of (-i)^moment: the
        components are even or odd along each axis, so that the others follow (`unfolded`).
    """

    table: Lacking
    spectra: Floats


@dataclass(frozen=True)
class Plan:
    """How `pair_sums` split a sum: to be given to it again for a layout in about the same place.

    It says nothing about the potentials, so that a loss and its gradient can have one plan.

    Attributes
    ----------
    curve : Curve
    moment : int
        The highest that the plan serves.
    split : Split
        Box, modes and radius; vertices outside the box are summed directly.
    tolerance : float
        Of the nonuniform FFTs.
    """

    curve: Curve
    moment: int
    split: Split
    tolerance: float

    @property
    def period(self) -> Floats:
        """What the smooth part repeats with along each axis, float64[d], layout units."""
        return self.split.step * np.array(self.split.modes)

    @property
    def lengths(self) -> Floats:
        """Of the box, float64[d], layout units."""
        step, modes, steps = self.split.step, self.split.modes, self.split.radius / self.split.step
        return self.period / 2 - step * np.array([turn(m, self.moment, steps) for m in modes])

    @property
    def transform(self) -> dict[str, Any]:
        """Settings of the nonuniform FFTs."""
        return {
            "eps": self.tolerance,
            "modeord": 1,
            "nthreads": 1,
            "upsampfac": UPSAMPLING if self.tolerance > LEAST_UPSAMPLED else 2.0,
            "spread_sort": 0,  # points come cell by cell
        }

    def angles(self, Y: Floats) -> list[Floats]:
        """Coordinates of points in the box, float64[m] for each axis, with a period of 2 pi."""
        along = zip(Y.T, self.split.centre, self.period, strict=True)
        return [np.ascontiguousarray(2 * np.pi * (axis - centre) / period) for axis, centre, period in along]

    def inside(self, Y: Floats) -> NDArray[np.bool_]:
        """Which vertices lie in the box, bool[n]."""
        along = zip(Y.T, self.split.centre, self.lengths, strict=True)
        return np.logical_and.reduce([np.abs(axis - centre) <= length / 2 for axis, centre, length in along])

    def why_not(self, Y: Floats, curve: Curve, moment: int, outside: int) -> str:
        """Why the plan is none for such sums, or for a layout of which many vertices lie outside its box; or ""."""
        if curve != self.curve:
            return "it has another curve"
        if moment > self.moment:
            return f"it serves moments up to {self.moment}"
        if Y.shape[1] != len(self.split.modes):
            return f"it has {len(self.split.modes)} dimensions"
        left_out = int((~self.inside(Y)).sum())
        return f"{left_out} vertices lie outside its box" if left_out > outside else ""

    def kernel(self, codes: tuple[int, ...], moment: int) -> Kernel:
        """The kernel of some potentials, kept for the next layouts of that size."""
        return kernel(replace(self, split=self.split._replace(centre=(), cost=0.0)), codes, moment)


@lru_cache(maxsize=KEPT)
def kernel(plan: Plan, codes: tuple[int, ...], moment: int) -> Kernel:
    """The kernel on a plan's grid, wherever its centre: a cosine or sine transform for each potential and component."""
    modes, radius2 = plan.split.modes, plan.split.radius**2
    d, corner = len(modes), tuple(m // 2 + 1 for m in modes)
    smooth_near = np.array([taylor(code, plan.curve, radius2) for code in codes])
    axes = [periodic_square(*along) for along in zip(modes, plan.lengths, plan.period, strict=True)]
    s = reduce(np.add.outer, [square for square, _ in axes])
    spectra = np.empty((len(codes), d**moment, *corner))
    for a, code in enumerate(codes):
        smooth = np.empty(s.size)
        fill_smooth(s.ravel(), code, plan.curve, radius2, smooth_near[a], smooth)
        for place in range(d**moment):
            values, powers = smooth.reshape(corner), axis_powers(place, moment, d)
            for axis in range(d):
                shape = [-1 if other == axis else 1 for other in range(d)]
                values = values * (axes[axis][1] ** powers[axis]).reshape(shape)
            spectra[a, place] = quadrant_spectrum(values, powers) / np.prod(modes)
    return Kernel(lacking(np.array(codes), plan.curve, radius2, smooth_near), spectra)


def axis_powers(place: int, moment: int, d: int) -> list[int]:
    """How often each axis stands in component `place` of Delta^(moment), in the direct body's order."""
    axes = [place // d**k % d for k in range(moment)]
    return [axes.count(axis) for axis in range(d)]


def quadrant_spectrum(values: Floats, powers: list[int]) -> Floats:
    """Fourier coefficients of values at |u|, continued evenly or oddly (odd powers) along each axis; without (-i)s."""
    spectrum = values
    for axis, power in enumerate(powers):
        if power % 2 == 0:
            spectrum = scipy.fft.dct(spectrum, type=1, axis=axis, workers=-1)
        else:
            inner = scipy.fft.dst(np.moveaxis(spectrum, axis, -1)[..., 1:-1], type=1, workers=-1)
            ends = [(0, 0)] * (values.ndim - 1) + [(1, 1)]  # odd and periodic: 0 there
            spectrum = np.moveaxis(np.pad(inner, ends), -1, axis)
    return spectrum


def unfolded(spectrum: Floats, powers: list[int]) -> NDArray[Any]:
    """The coefficients at all frequencies, in the order of an FFT, from those that are not negative."""
    full: NDArray[Any] = spectrum
    for axis, power in enumerate(powers):
        mirrored = np.flip(np.take(full, range(1, full.shape[axis] - 1), axis), axis)
        full = np.concatenate([full, -mirrored if power % 2 else mirrored], axis)
    phase = (-1j) ** sum(power % 2 for power in powers)
    return full * (phase.real if phase.imag == 0 else phase)


def periodic_square(n_modes: int, length: float, period: float) -> tuple[Floats, Floats]:
    """S and X = S'/2 at the grid points of half a period, from 0 on: u^2 and u up to u = length."""
    half = period / 2
    u = np.arange(n_modes // 2 + 1) * (period / n_modes)
    x = np.clip((u - length) / (half - length), 0, 1)
    first = u * (1 - betainc(SMOOTH + 1, SMOOTH + 1, x))
    nodes, weights = np.polynomial.legendre.leggauss(2 * SMOOTH)
    # S beyond the length is the integral of 2 X, a polynomial there: Gauss's rule is exact
    to = np.clip(u, length, half)
    v = length + (to[:, np.newaxis] - length) * (nodes + 1) / 2
    slope = 2 * v * (1 - betainc(SMOOTH + 1, SMOOTH + 1, np.clip((v - length) / (half - length), 0, 1)))
    beyond = (slope * weights).sum(axis=1) * (to - length) / 2
    return np.minimum(u, length) ** 2 + beyond, first


@parallel_jit
def fill_smooth(
    s: np.ndarray, code: int, curve: Curve, s0: float, coefficients: np.ndarray, smooth: np.ndarray
) -> None:
    """Fill the smoothed potential: the polynomial for s < s0, the formula from there on."""
    for t in prange(s.shape[0]):
        if s[t] < s0:
            smooth[t] = polynomial(coefficients, (s[t] - s0) / s0)
        else:
            smooth[t] = real_potential(code, s[t], logit(s[t], curve), curve)


def far_sums(Y: Floats, weights: Floats, plan: Plan, spectra: Floats, moment: int) -> Floats:
    """The smooth part at every vertex of the box, the vertex itself counted: float64[n, p, r, d^moment]."""
    import finufft

    d, modes = Y.shape[1], plan.split.modes
    x = plan.angles(Y)
    columns = pairs_of_columns(weights)
    to_modes = finufft.Plan(1, modes, len(columns), isign=-1, **plan.transform)
    to_modes.setpts(*x)
    found = to_modes.execute(columns).reshape(len(columns), *modes)
    values = np.empty((len(Y), len(spectra), weights.shape[1], d**moment))

    def put(at: tuple[int, int]) -> None:
        a, component = at
        spectrum = unfolded(spectra[a, component], axis_powers(component, moment, d))
        for pair, modes_of_pair in enumerate(found):
            to_points = finufft.Plan(2, modes, 1, isign=1, **plan.transform)
            to_points.setpts(*x)
            at_points = to_points.execute(modes_of_pair * spectrum)
            values[:, a, 2 * pair, component] = at_points.real
            if 2 * pair + 1 < weights.shape[1]:
                values[:, a, 2 * pair + 1, component] = at_points.imag

    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        list(pool.map(put, product(range(len(spectra)), range(d**moment))))
    return values


def pairs_of_columns(weights: Floats) -> NDArray[np.complex128]:
    """Two real columns in one complex row each: complex128[ceil(r / 2), n]."""
    n, r = weights.shape
    columns = np.zeros((-(-r // 2), n), dtype=np.complex128)
    columns.real = weights[:, 0::2].T
    columns.imag[: r // 2] = weights[:, 1::2].T
    return columns
