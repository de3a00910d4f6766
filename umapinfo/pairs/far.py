r"""The far part of a split sum: potentials made smooth and periodic, summed by nonuniform FFTs.

For s = d^2 < s0 = r_c^2 a potential f is replaced by its Taylor polynomial T of degree 8 about s0: the result g is
smooth everywhere.  Per axis, u^2 and u are replaced by S(u) and X(u) = S'(u)/2, which agree with them up to the box's
length L and run smoothly into a period P > 2.05 L.  So g(S(Delta_1) + ...) X^(moment) is smooth and periodic; its
Fourier coefficients k_m come from one FFT of its values on a grid, and

    sum_j w_j g(Delta_ij) = sum_m k_m (sum_j w_j e^(-i m x_j)) e^(i m x_i),   x = 2 pi y / P

is a nonuniform FFT of type 1 and one of type 2 (FINUFFT), two columns of weights in one complex transform.  What is
lacking, f - T for s < s0, is added over cells (`umapinfo.pairs.near`).

FINUFFT's bits depend on its number of threads, in either type, so each transform runs on one, and several at once.  The
bits of the sums do not depend on the number of threads.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import NamedTuple

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
KEPT = 3  # kernels


class Kernel(NamedTuple):
    """The potentials made smooth and periodic: the same for all layouts of about the same size.

    Attributes
    ----------
    lengths, period : float64[d], layout units
        Of the box, and what it repeats with.
    modes : tuple of d int
    radius : float, layout units
        r_c, where near and far part meet.
    table : Lacking
        What the smooth part lacks within r_c.
    spectra : complex128[p, d^moment, modes...]
        Fourier coefficients of the smooth part, in the order of an FFT.
    tolerance : float
        Of the nonuniform FFTs.
    """

    lengths: Floats
    period: Floats
    modes: tuple[int, ...]
    radius: float
    table: Lacking
    spectra: NDArray[np.complex128]
    tolerance: float


@dataclass(frozen=True, eq=False)
class Plan:
    """What `pair_sums` did to a layout, to be done again to another in about the same place.

    Attributes
    ----------
    codes : tuple of int
        Of the potentials.
    curve : Curve
    moment : int
    centre : float64[d], layout units
        Of the box; vertices outside it are summed directly.
    kernel : Kernel
    """

    codes: tuple[int, ...]
    curve: Curve
    moment: int
    centre: Floats
    kernel: Kernel

    def inside(self, Y: Floats) -> NDArray[np.bool_]:
        """Which vertices lie in the box, bool[n]."""
        return np.all(np.abs(Y - self.centre) <= self.kernel.lengths / 2, axis=1)

    def serves(self, Y: Floats, codes: tuple[int, ...], curve: Curve, moment: int, outside: int) -> bool:
        """Whether the plan is one for these sums, and for a layout of which few vertices lie outside its box."""
        same = (self.codes, self.curve, self.moment) == (codes, curve, moment)
        return same and Y.shape[1] == len(self.centre) and int((~self.inside(Y)).sum()) <= outside


def make_plan(codes: tuple[int, ...], curve: Curve, moment: int, split: Split, tolerance: float) -> Plan:
    """The plan of a split; its kernel is kept for the next layouts of that size."""
    made = kernel(codes, curve, moment, split.step, split.modes, split.radius, tolerance)
    return Plan(codes, curve, moment, np.array(split.centre), made)


@lru_cache(maxsize=KEPT)
def kernel(
    codes: tuple[int, ...],
    curve: Curve,
    moment: int,
    step: float,
    modes: tuple[int, ...],
    radius: float,
    tolerance: float,
) -> Kernel:
    """The kernel on a grid of that step; costs one FFT of the grid a potential and component."""
    d, period = len(modes), step * np.array(modes)
    lengths = period / 2 - step * np.array([turn(m, moment, radius / step) for m in modes])
    smooth_near = np.array([taylor(code, curve, radius**2) for code in codes])
    axes = [periodic_square(m, length, p) for m, length, p in zip(modes, lengths, period, strict=True)]
    along = [[-1 if a == axis else 1 for a in range(d)] for axis in range(d)]
    s = np.zeros(modes)
    for axis in range(d):
        s += axes[axis][0].reshape(along[axis])
    spectra = np.empty((len(codes), d**moment, *modes), dtype=np.complex128)
    for a, code in enumerate(codes):
        smooth = np.empty(s.size)
        fill_smooth(s.ravel(), code, curve, radius**2, smooth_near[a], smooth)
        # the last axis of Delta^(moment) changes fastest in its flat form read backwards, as the direct body has it
        for place in range(d**moment):
            values, rest = smooth.reshape(modes), place
            for _ in range(moment):
                values, rest = values * axes[rest % d][1].reshape(along[rest % d]), rest // d
            spectra[a, place] = scipy.fft.fftn(values, workers=-1) / values.size
    table = lacking(np.array(codes), curve, radius**2, smooth_near)
    return Kernel(lengths, period, modes, radius, table, spectra, tolerance)


def periodic_square(n_modes: int, length: float, period: float) -> tuple[Floats, Floats]:
    """S and X = S'/2 at the n_modes grid points of a period: u^2 and u up to |u| = length."""
    half = period / 2
    u = np.fft.fftfreq(n_modes, 1 / (2 * half))
    x = np.clip((np.abs(u) - length) / (half - length), 0, 1)
    first = u * (1 - betainc(SMOOTH + 1, SMOOTH + 1, x))
    nodes, weights = np.polynomial.legendre.leggauss(2 * SMOOTH)
    # S beyond the length is the integral of 2 X, a polynomial there: Gauss's rule is exact
    to = np.clip(np.abs(u), length, half)
    v = length + (to[:, np.newaxis] - length) * (nodes + 1) / 2
    slope = 2 * v * (1 - betainc(SMOOTH + 1, SMOOTH + 1, np.clip((v - length) / (half - length), 0, 1)))
    beyond = (slope * weights).sum(axis=1) * (to - length) / 2
    return np.minimum(np.abs(u), length) ** 2 + beyond, first


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


def far_sums(Y: Floats, weights: Floats, plan: Plan) -> Floats:
    """The smooth part at every vertex of the box, the vertex itself counted: float64[n, p, r, d^moment]."""
    import finufft

    made, d = plan.kernel, Y.shape[1]
    x = [np.ascontiguousarray(2 * np.pi * (Y[:, axis] - plan.centre[axis]) / made.period[axis]) for axis in range(d)]
    settings = {
        "eps": made.tolerance,
        "modeord": 1,
        "upsampfac": UPSAMPLING if made.tolerance > LEAST_UPSAMPLED else 2.0,
        "spread_sort": 0,  # they come cell by cell
    }
    columns = pairs_of_columns(weights)
    to_modes = finufft.Plan(1, made.modes, len(columns), isign=-1, nthreads=1, **settings)
    to_modes.setpts(*x)
    found = to_modes.execute(columns).reshape(len(columns), *made.modes)
    n_potentials, n_components = made.spectra.shape[:2]
    values = np.empty((len(Y), n_potentials, weights.shape[1], n_components))

    def put(at: tuple[int, int, int]) -> None:
        a, component, pair = at
        to_points = finufft.Plan(2, made.modes, 1, isign=1, nthreads=1, **settings)
        to_points.setpts(*x)
        at_points = to_points.execute(found[pair] * made.spectra[a, component])
        values[:, a, 2 * pair, component] = at_points.real
        if 2 * pair + 1 < weights.shape[1]:
            values[:, a, 2 * pair + 1, component] = at_points.imag

    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        list(pool.map(put, product(range(n_potentials), range(n_components), range(len(columns)))))
    return values


def pairs_of_columns(weights: Floats) -> NDArray[np.complex128]:
    """Two real columns in one complex row each: complex128[ceil(r / 2), n]."""
    n, r = weights.shape
    columns = np.zeros((-(-r // 2), n), dtype=np.complex128)
    columns.real = weights[:, 0::2].T
    columns.imag[: r // 2] = weights[:, 1::2].T
    return columns
