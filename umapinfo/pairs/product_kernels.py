"""The loops of products with the matrix of a sum over pairs (`umapinfo.pairs.products`)."""

import numpy as np
from numba import prange

from umapinfo.core.curve import Curve, logit
from umapinfo.jit import jit, parallel_jit
from umapinfo.pairs.cells import Cells, fill_ranges
from umapinfo.pairs.near import BLOCK, CHUNK, Lacking, fill_lacking, pick_near
from umapinfo.pairs.potentials import real_potential, squared_distance
from umapinfo.pairs.taylor import polynomial


@jit
def multiply(found: np.ndarray, spectra: np.ndarray, modes: np.ndarray, n_columns: int, out: np.ndarray) -> None:
    """Multiply the modes of columns by the spectra, out_a = sum_b spectrum_ab found_b in each group of d columns.

    Two columns are the real and the imaginary part of a row of found and out, complex128[h, modes, flat]; the modes of
    a real column at m and -m are conjugates.  spectra float64[d, d, corner, flat].
    """
    d = modes.shape[0]
    x, sign = np.zeros(2 * found.shape[0], np.complex128), np.empty(d)
    for m in range(found.shape[1]):
        mirror, corner = mirror_and_corner(m, modes, sign)
        for row in range(found.shape[0]):
            here, there = found[row, m], np.conj(found[row, mirror])
            x[2 * row], x[2 * row + 1] = 0.5 * (here + there), -0.5j * (here - there)
            out[row, m] = 0.0
        for k in range(n_columns):
            a, total = k % d, 0.0j
            for b in range(d):
                odd = 1.0 if a == b else -sign[a] * sign[b]  # (-i)^2
                total += odd * spectra[a, b, corner] * x[k - a + b]
            out[k // 2, m] += total if k % 2 == 0 else 1.0j * total


@jit
def mirror_and_corner(m: int, modes: np.ndarray, sign: np.ndarray) -> tuple[int, int]:
    """Flat places of frequency -m, and of |m| in the corner; sign is filled with the frequencies' along the axes."""
    mirror, corner, stride, corner_stride = 0, 0, 1, 1
    for axis in range(modes.shape[0] - 1, -1, -1):
        k, size = m % modes[axis], modes[axis]
        m //= size
        sign[axis] = 1.0 if 2 * k <= size else -1.0
        mirror += stride * ((size - k) % size)
        corner += corner_stride * min(k, size - k)
        stride, corner_stride = stride * size, corner_stride * (size // 2 + 1)
    return mirror, corner


@parallel_jit
def add_near_products(
    Y: np.ndarray,
    found: Cells,
    codes: np.ndarray,
    columns: np.ndarray,
    curve: Curve,
    table: Lacking,
    out: np.ndarray,
) -> None:
    """Add what the smooth part lacks of pairs with s < s0, and minus its slope T(0) of the point itself.

    Y, columns and out [m, r, d] are in the order of the cells.
    """
    for block in prange(-(-Y.shape[0] // BLOCK)):
        s, near, f = np.empty(CHUNK), np.empty(CHUNK, np.int64), np.zeros((2, CHUNK))
        key, ranges = -1, np.empty((found.steps.shape[0], 2), np.int64)
        for i in range(block * BLOCK, min((block + 1) * BLOCK, Y.shape[0])):
            if codes.shape[0] == 2:
                own = polynomial(table.smooth[1], -1.0)
                for r in range(out.shape[1]):
                    for a in range(out.shape[2]):
                        out[i, r, a] -= own * columns[i, r, a]
            if found.keys[i] != key:
                key = found.keys[i]
                fill_ranges(found, key, ranges)
            for row in range(ranges.shape[0]):
                for start in range(ranges[row, 0], ranges[row, 1], CHUNK):
                    size = pick_near(Y, i, start, min(start + CHUNK, ranges[row, 1]), table.s0, s, near)
                    for place in range(codes.shape[0]):
                        fill_lacking(place, codes[place], s[:size], curve, table, f[place])
                    for t in range(size):
                        add_pair(Y, i, near[t], f[0, t], f[1, t], columns, out, i)


@jit
def add_pair(
    Y: np.ndarray, i: int, j: int, tensor: float, slope: float, columns: np.ndarray, out: np.ndarray, place: int
) -> None:
    """Add slope c_j + tensor Delta (Delta . c_j) to out[place] of each column."""
    for r in range(out.shape[1]):
        along = 0.0
        for a in range(out.shape[2]):
            along += (Y[i, a] - Y[j, a]) * columns[j, r, a]
        along *= tensor
        for a in range(out.shape[2]):
            out[place, r, a] += slope * columns[j, r, a] + along * (Y[i, a] - Y[j, a])


@parallel_jit
def fill_products(
    Y: np.ndarray,
    rows: np.ndarray,
    others: np.ndarray,
    codes: np.ndarray,
    curve: Curve,
    columns: np.ndarray,
    out: np.ndarray,
    sizes: np.ndarray,
) -> None:
    """Fill rows of the sums over the others, float64[m, r, d], and of their absolute terms, float64[m, r].

    Both come as zeros; a vertex that is among the others too is left out of its own row.
    """
    for place in prange(rows.shape[0]):
        i = rows[place]
        for j in others:
            if j == i:
                continue
            s = squared_distance(Y, i, j)
            theta = logit(s, curve)
            tensor = real_potential(codes[0], s, theta, curve)
            slope = real_potential(codes[1], s, theta, curve) if codes.shape[0] == 2 else 0.0
            add_pair(Y, i, j, tensor, slope, columns, out, place)
            for r in range(out.shape[1]):
                length = 0.0
                for a in range(out.shape[2]):
                    length += columns[j, r, a] ** 2
                sizes[place, r] += (abs(slope) + abs(tensor) * s) * np.sqrt(length)
