"""The far part of an energy and its gradient: waves, of which the energy is a sum and the slope a multiple.

The formulas stand in `umapinfo.pairs.energy`.  Waves at half the grid's frequency, of which a point's place tells one
part only, are left out: their share is that of the truncation.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from umapinfo.jit import jit
from umapinfo.pairs.far import Plan

Floats = NDArray[np.float64]
Waves = NDArray[np.complex128]


class Waved(NamedTuple):
    """Energy of the smooth part, each point's own counted, and its gradient float64[n, d]."""

    value: float
    gradient: Floats


def far_energy(Y: Floats, v: Floats, coupling: Floats, plan: Plan, spectrum: Floats) -> Waved:
    """The smooth part; spectrum float64[corner]: its Fourier coefficients at the frequencies from 0 on."""
    d, modes = Y.shape[1], plan.split.modes
    angles = plan.angles(Y)
    to_waves = _transform(1, -1, plan, angles)
    waves = np.stack([to_waves.execute(column.astype(np.complex128)).reshape(-1) for column in v.T])
    slopes = np.empty((-(-d // 2), waves.shape[1]), np.complex128)
    gradient, value, to_points = np.zeros_like(Y), 0.0, _transform(2, 1, plan, angles)
    wave_numbers = 2 * np.pi / plan.period
    for r in range(v.shape[1]):
        value += fill_slopes(waves, spectrum.reshape(-1), coupling[r], r, np.array(modes), wave_numbers, slopes) / 2
        for pair, wave in enumerate(slopes):
            at_points = to_points.execute(wave.reshape(modes))
            gradient[:, 2 * pair] += v[:, r] * at_points.real
            if 2 * pair + 1 < d:
                gradient[:, 2 * pair + 1] += v[:, r] * at_points.imag
    return Waved(value, gradient)


def _transform(kind: int, sign: int, plan: Plan, angles: list[Floats]) -> Any:
    import finufft

    transform = finufft.Plan(kind, plan.split.modes, 1, isign=sign, **plan.transform)
    transform.setpts(*angles)
    return transform


@jit
def fill_slopes(
    waves: np.ndarray,
    spectrum: np.ndarray,
    coupling: np.ndarray,
    r: int,
    modes: np.ndarray,
    wave_numbers: np.ndarray,
    slopes: np.ndarray,
) -> float:
    """Fill the waves of the gradient that column r's points feel, two axes in each; returns twice their energy.

    waves complex128[r, modes, flat]; spectrum float64[corner, flat]; coupling float64[r]; wave_numbers float64[d];
    slopes complex128[ceil(d / 2), modes, flat].
    """
    d, total, row = modes.shape[0], 0.0, 0.0
    k = np.zeros(d + 1)  # and 0 in the place of an axis that is lacking to the last two
    for place in range(waves.shape[1]):
        corner, wave = fill_frequencies(place, modes, k), 0.0j
        if corner >= 0:
            for s in range(coupling.shape[0]):
                wave += coupling[s] * waves[s, place]
            wave *= spectrum[corner]
        row += waves[r, place].real * wave.real + waves[r, place].imag * wave.imag
        if place % modes[-1] == modes[-1] - 1:
            total, row = total + row, 0.0
        for axis in range(d):
            k[axis] *= wave_numbers[axis]
        for pair in range(slopes.shape[0]):
            slopes[pair, place] = wave * complex(-k[2 * pair + 1], k[2 * pair])
    return total


@jit
def fill_frequencies(place: int, modes: np.ndarray, k: np.ndarray) -> int:
    """Fill the frequencies of a place, in an FFT's order; returns their corner's place, or -1 at half the grid's."""
    corner, stride, half = 0, 1, False
    for axis in range(modes.shape[0] - 1, -1, -1):
        m, size = place % modes[axis], modes[axis]
        place //= size
        half |= 2 * m == size
        k[axis] = m if 2 * m < size else m - size
        corner += stride * min(m, size - m)
        stride *= size // 2 + 1
    return -1 if half else corner
