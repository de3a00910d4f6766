r"""The sampled body of sums over all pairs: totals in any dimension, unbiased, with a 95 % confidence interval.

    T_a = sum_{i<j} w_ij f_a(d_ij),    w_ij = 1/2 sum_r (u_ir v_jr + u_jr v_ir)
        = near pairs, summed exactly (`umapinfo.pairs.stratum`)  +  Z E[x_a]

where x_a = (w_ij / z_ij) f_a(d_ij) of a far pair drawn in proportion to z_ij, which is w_ij without its signs (so that
weights of one sign add no variance), and Z, the sum of z_ij over the far pairs, is known: of all pairs less the near.

A draw is a column r, then i in proportion to |u_ir| and j to |v_jr|, from counters (`umapinfo.core.streams`; key of
epoch 0, in which no descent draws).  It depends on the seed and the weights alone: one seed draws the same pairs in
every layout, so that differences along a run have a small variance.  Draws of i = j and of near pairs are passed over;
what is left, m pairs, is an independent sample of the far ones with replacement.  (No finite-population factor is due:
where the pairs are so few that one would matter, all of them are summed.)

The interval.  With mean, standard deviation s and skewness g of the m values, k = g / sqrt(m), and t the normal 97.5 %
point, Hall's transform of the t statistic (J. R. Stat. Soc. B 54, 1992, 221-228) gives the ends

    T_near + Z (mean - s / sqrt(m) h(+-t)),    h(t) = (3 / k) [(1 + k (t - k / 6))^(1/3) - 1],    h = t for k = 0.

What a sample has not seen it cannot tell, but far pairs are bounded: F = max |f(d)| beyond the radius is known.  One
pair pulls the estimate by at most (F + |mean|) / (s sqrt(m)) standard errors.  Where that is over PULL, or fewer than
N_EFFECTIVE effective samples (sum |x|)^2 / sum x^2 stand behind the mean, the interval is (-inf, +inf), with a reason.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from umapinfo.core.curve import Curve, logit
from umapinfo.core.streams import epoch_key
from umapinfo.jit import parallel_jit
from umapinfo.pairs.draws import Draws, drawn_pair, pair_ratio
from umapinfo.pairs.potentials import real_potential, squared_distance
from umapinfo.pairs.stratum import Floats, NearStratum, near_stratum

CONFIDENCE = 0.95
N_EFFECTIVE = 100
PULL = 0.25  # standard errors: pairs that lie at the bound are then in the sample 16 times, or do not matter
BLOCK = 512  # draws a thread makes at a time


class SampledSum(NamedTuple):
    """Totals over unordered pairs and how well they are known; arrays have an entry for each potential.

    Attributes
    ----------
    value, low, high, standard_error : float64[p]
        The estimate, its 95 % interval and its standard error.  low = high = value where all pairs were summed;
        -inf and +inf where `reliable` is False.
    n_near_pairs, n_far_pairs, n_far_sampled : int
        Pairs summed exactly, pairs beyond the radius, and how many of these were drawn.
    n_effective, largest_share, largest_pull : float64[p]
        Kish's effective number of the far sample; the most that one drawn pair can carry, as a share of |value| and in
        standard errors.  +inf, 0 and 0 where nothing is left to chance.
    reliable : bool[p]
    reason : tuple of p str
        Why not; "" where reliable.
    radius : float, layout units
    n_coincident : int
        Unordered pairs at d = 0, counted with f(0), or left out where that is infinite.
    """

    value: Floats
    low: Floats
    high: Floats
    standard_error: Floats
    n_near_pairs: int
    n_far_pairs: int
    n_far_sampled: int
    n_effective: Floats
    largest_share: Floats
    largest_pull: Floats
    reliable: NDArray[np.bool_]
    reason: tuple[str, ...]
    radius: float
    n_coincident: int


def sampled_sum(
    Y: ArrayLike,
    potentials: str | Sequence[str],
    u: ArrayLike,
    v: ArrayLike,
    curve: Curve,
    *,
    n_pairs: int = 100_000,
    seed: int = 0,
    n_near: int | None = None,
    radius: float | None = None,
) -> SampledSum:
    r"""Estimate sum_{i<j} w_ij f_a(d_ij), w_ij = 1/2 sum_r (u_ir v_jr + u_jr v_ir), from near pairs and a sample.

    Parameters
    ----------
    Y : float[n, d], layout units
        As for `pair_sums`; any dimension.
    potentials : str or sequence of p str
        Names out of `umapinfo.pairs.potentials.POTENTIALS`; they share the sample.
    u, v : float[n, r] or float[n]
        Weights; ones for a plain sum, any signs.
    curve : Curve
    n_pairs : int >= 1
        Pairs to draw; near ones are passed over.  The interval narrows as 1 / sqrt(n_pairs); too few give none.
    seed : int in [0, 2^64)
    n_near, radius
        As for `near_stratum`.  Neither: n_near = max(n_pairs, 10 n), so that both halves cost alike.

    Returns
    -------
    SampledSum
        Exact, low = high, if there are at most n_near pairs.  Coincident pairs count as in `pair_sums`.

    Raises
    ------
    TypeError, ValueError
        As `near_stratum`; n_pairs < 1 or a seed outside the above.
    """
    _check_sample(n_pairs, seed)
    if n_near is None and radius is None:
        n_near = max(n_pairs, 10 * (np.shape(Y) or (0,))[0])
    return stratified_sum(near_stratum(Y, potentials, u, v, curve, n_near=n_near, radius=radius), n_pairs, seed)


def _check_sample(n_pairs: int, seed: int) -> None:
    """Check the number of draws and the seed."""
    if not isinstance(n_pairs, int | np.integer) or not 1 <= n_pairs < 2**40:
        raise ValueError(f"n_pairs: expected an integer >= 1, got {n_pairs!r}; 100,000 is usual")
    if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**64:
        raise ValueError(f"seed: expected an integer in [0, 2^64), got {seed!r}; any will do")


def stratified_sum(near: NearStratum, n_pairs: int = 100_000, seed: int = 0) -> SampledSum:
    """As `sampled_sum`, from near pairs that were summed before: for several samples of one layout.

    Parameters
    ----------
    near : NearStratum
    n_pairs, seed
        As for `sampled_sum`.
    """
    _check_sample(n_pairs, seed)
    sample = far_sample(near, n_pairs, seed) if near.far_size > 0 else np.zeros((len(near.codes), 0))
    m, Z = sample.shape[1], near.far_size
    mean, error, k, n_effective = moments(sample)
    value = near.total + Z * mean
    bound = np.maximum(near.far_bound, abs(sample).max(axis=1, initial=0.0))
    share, pull = _ratio(Z * bound, m * abs(value)), _ratio(bound + abs(mean), m * error)
    if Z == 0.0:
        n_effective, share, pull = np.full_like(value, np.inf), np.zeros_like(value), np.zeros_like(value)
    reason = tuple(_reason(*pair) for pair in zip(n_effective, pull, strict=True))
    reliable = np.array([not text for text in reason])
    t = ndtri((1 + CONFIDENCE) / 2)
    return SampledSum(
        value=value,
        low=np.where(reliable, value - Z * error * hall(t, k), -np.inf),
        high=np.where(reliable, value - Z * error * hall(-t, k), np.inf),
        standard_error=Z * error if m > 1 or Z == 0.0 else np.full_like(value, np.inf),
        n_near_pairs=near.n_near,
        n_far_pairs=near.n_far,
        n_far_sampled=m,
        n_effective=n_effective,
        largest_share=share,
        largest_pull=pull,
        reliable=reliable,
        reason=reason,
        radius=float(np.sqrt(near.radius2)),
        n_coincident=near.n_coincident,
    )


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Part / whole, 0 / 0 = 0 and +inf for other divisions by 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(part == 0, 0.0, part / whole)


def _reason(n_effective: float, pull: float) -> str:
    """Why an interval is not to be relied on, or "" if it is."""
    if n_effective < N_EFFECTIVE:
        return f"{n_effective:.0f} effective samples of the far pairs, under {N_EFFECTIVE}; raise n_pairs or n_near"
    if pull > PULL:
        return f"one far pair may pull by {pull:.2g} standard errors, over {PULL}; raise n_pairs or n_near"
    return ""


def moments(sample: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Of each row of float64[p, m]: mean, its standard error, skewness / sqrt(m) and Kish's effective number."""
    m = sample.shape[1]
    if m < 2:
        nothing = np.zeros(len(sample))
        return sample.sum(axis=1), nothing, nothing, np.full_like(nothing, m)
    mean = sample.mean(axis=1)
    apart = sample - mean[:, np.newaxis]
    squares = apart * apart
    variance, third = squares.mean(axis=1), (squares * apart).mean(axis=1)
    k = _ratio(third, variance**1.5 * np.sqrt(m))
    size, second = abs(sample).sum(axis=1), (sample * sample).sum(axis=1)
    n_effective = np.where(second > 0, _ratio(size**2, second), m)
    return mean, np.sqrt(variance / (m - 1)), k, n_effective


def hall(t: float, k: Floats) -> Floats:
    """The inverse of Hall's transform, h(t) of the module's docstring."""
    small = abs(k) < 1e-6
    safe = np.where(small, 1.0, k)
    return np.where(small, t, 3 / safe * (np.cbrt(1 + safe * (t - safe / 6)) - 1))


def far_sample(near: NearStratum, n_pairs: int, seed: int) -> Floats:
    """The far pairs among n_pairs draws, in the order of the draws: x_a, float64[p, m]."""
    x, far = np.zeros((len(near.codes), n_pairs)), np.zeros(n_pairs, np.bool_)
    key = np.uint64(epoch_key(np.uint64(seed), 0))
    fill_far(near.Y, near.draws, key, near.radius2, near.codes, near.curve, x, far)
    return x[:, far]


@parallel_jit
def fill_far(
    Y: np.ndarray,
    draws: Draws,
    key: np.uint64,
    radius2: float,
    codes: np.ndarray,
    curve: Curve,
    x: np.ndarray,
    far: np.ndarray,
) -> None:
    """Draw a pair for each column of x float64[p, m]; where it is far, fill the column and set far bool[m]."""
    n_draws = far.shape[0]
    for block in prange(-(-n_draws // BLOCK)):
        for number in range(block * BLOCK, min((block + 1) * BLOCK, n_draws)):
            i, j = drawn_pair(draws, key, number)
            d2 = squared_distance(Y, i, j)
            if i != j and d2 > radius2:
                far[number] = True
                ratio, theta = pair_ratio(draws.u, draws.v, i, j), logit(d2, curve)
                for a in range(codes.shape[0]):
                    x[a, number] = ratio * real_potential(codes[a], d2, theta, curve)
