"""How fast are sums over all pairs, against what else there is, and how far off?

Per-vertex sums of -ln(1 - q) with unit weights and UMAP's default curve, in 2-d.  All sides run in turn in one process,
as often as --repeats says; the least time of each counts.  The layout imitates UMAP's: clumps of a hundred points each,
0.3 wide, spread evenly, with the extent growing like sqrt(n), 25 at 70,000 points.
"""

import argparse
import resource
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numba
import numpy as np
from _bench import write

from umapinfo import fit_curve, pair_sums
from umapinfo.pairs import sampled_sum
from umapinfo.pairs.rows import row_sums
from umapinfo.pairs.tiles import tile_sums

CURVE = fit_curve()
REPULSION = np.array([1])


def layout(n: int, seed: int = 0) -> np.ndarray:
    """A layout like UMAP's, of float32 numbers in float64."""
    random = np.random.default_rng(seed)
    centres = random.uniform(0, 25 * np.sqrt(n / 70_000), (max(n // 100, 1), 2))
    points = centres[random.integers(0, len(centres), n)] + 0.3 * random.normal(size=(n, 2))
    return points.astype(np.float32).astype(np.float64)


@numba.njit
def row(Y: np.ndarray, i: int, a: float, b: float) -> float:
    """The sum of a row, j > i."""
    total = 0.0
    for j in range(i + 1, len(Y)):
        s = (Y[i, 0] - Y[j, 0]) ** 2 + (Y[i, 1] - Y[j, 1]) ** 2
        total += np.log1p(1 / (a * s**b))
    return total


@numba.njit(parallel=True)
def plain(Y: np.ndarray, a: float, b: float) -> float:
    """The loop one would write: prange over i, j > i."""
    parts = np.zeros(len(Y))
    for i in numba.prange(len(Y)):
        parts[i] = row(Y, i, a, b)
    return parts.sum()


@numba.njit(parallel=True)
def balanced(Y: np.ndarray, a: float, b: float) -> float:
    """The same with row i and row n - 1 - i together, so that threads have equal shares; n is even."""
    parts = np.zeros(len(Y) // 2)
    for i in numba.prange(len(Y) // 2):
        parts[i] = row(Y, np.int64(i), a, b) + row(Y, len(Y) - 1 - np.int64(i), a, b)
    return parts.sum()


def keops() -> Callable[[np.ndarray], Any] | None:
    """PyKeOps on the CPU in float32, or None where it is not installed."""
    try:
        from pykeops.numpy import LazyTensor
    except ImportError:
        print("PyKeOps: not installed, left out")
        return None

    def summed(Y: np.ndarray) -> Any:
        points = Y.astype(np.float32)
        s = ((LazyTensor(points[:, None]) - LazyTensor(points[None])) ** 2).sum(-1)
        odds = CURVE.a * (s + 1e-12).log().__mul__(CURVE.b).exp()
        return (1 + 1 / odds).log().sum(1)

    return summed


def torch_rows() -> Callable[[np.ndarray], Any] | None:
    """Torch on the CPU in chunks of rows, float32, or None where it is not installed."""
    try:
        import torch
    except ImportError:
        print("torch: not installed, left out")
        return None

    def summed(Y: np.ndarray) -> Any:
        points, total = torch.from_numpy(Y.astype(np.float32)), 0.0
        for rows in points.split(512):
            s = torch.cdist(rows, points) ** 2
            total += float(torch.log1p(1 / (CURVE.a * s.clamp_min(1e-12) ** CURVE.b)).sum(dtype=torch.float64))
        return total

    return summed


def numpy_rows(Y: np.ndarray) -> float:
    """Numpy in chunks of rows, float64."""
    total = 0.0
    for first in range(0, len(Y), 256):
        s = ((Y[first : first + 256, None] - Y[None]) ** 2).sum(axis=2)
        with np.errstate(divide="ignore"):
            values = np.log1p(1 / (CURVE.a * s**CURVE.b))
        total += values[np.isfinite(values)].sum()
    return total


def timed(work: Callable[[], Any]) -> float:
    """Seconds of a piece of work."""
    start = perf_counter()
    work()
    return perf_counter() - start


def against_others(n: int, repeats: int) -> dict[str, Any]:
    """Seconds, unordered pairs a second and the tiles' ratio to each other side."""
    Y, ones = layout(n), np.ones((n, 1))
    sides: dict[str, Callable[[np.ndarray, np.ndarray], Any]] = {
        "tiles": lambda Y, ones: tile_sums(Y, REPULSION, ones, CURVE),
        "pair_sums, rtol 1e-6": lambda Y, ones: pair_sums(Y, "repulsion", ones, CURVE, rtol=1e-6),
        "plain loop": lambda Y, ones: plain(Y, CURVE.a, CURVE.b),
        "plain loop, balanced": lambda Y, ones: balanced(Y, CURVE.a, CURVE.b),
    }
    for name, make in (("PyKeOps, float32", keops), ("torch, float32", torch_rows)):
        other = make()
        if other is not None and n <= 20_000:  # over a minute beyond
            sides[name] = lambda Y, ones, other=other: other(Y)
    if n <= 20_000:
        sides["numpy, float64"] = lambda Y, ones: numpy_rows(Y)
        sides["direct, float64"] = lambda Y, ones: pair_sums(Y, "repulsion", ones, CURVE)
    for work in sides.values():  # compiles; the split's kernel is made for its own layout
        work(layout(5000), np.ones((5000, 1)))
    sides["pair_sums, rtol 1e-6"](Y, ones)
    seconds = dict.fromkeys(sides, np.inf)
    for _ in range(repeats):
        for name, work in sides.items():
            seconds[name] = min(seconds[name], timed(lambda work=work: work(Y, ones)))
    pairs = n * (n - 1) / 2
    for name, taken in seconds.items():
        ratio = taken / seconds["tiles"]
        print(f"n {n:>9,}  {name:<22} {taken:9.3f} s  {pairs / taken / 1e6:9.1f} M pairs/s  {ratio:7.2f} x the tiles")
    return {
        name: {"seconds": taken, "pairs_per_second": pairs / taken, "over_tiles": taken / seconds["tiles"]}
        for name, taken in seconds.items()
    }


def errors(n: int) -> dict[str, float]:
    """Largest relative error of 500 vertices, and of their total, of the tiles and of the split."""
    Y, ones = layout(n), np.ones((n, 1))
    rows = np.random.default_rng(1).choice(n, min(500, n), replace=False)
    exact = row_sums(Y, rows, np.arange(n), REPULSION, ones, CURVE, 0)[0][:, 0, 0, 0]
    found = {}
    split = pair_sums(Y, "repulsion", ones, CURVE, rtol=1e-6)
    for name, values in (("tiles", tile_sums(Y, REPULSION, ones, CURVE)[0]), (split.method, split.values)):
        relative = values[rows, 0, 0] / exact - 1
        found[f"{name}, vertex"] = float(abs(relative).max())
        found[f"{name}, total"] = float(values[rows, 0, 0].sum() / exact.sum() - 1)
    found["estimate"] = split.error
    print(f"n {n:>9,}  errors " + ", ".join(f"{name} {value:.1e}" for name, value in found.items()))
    return found


def scaling(sizes: list[int]) -> dict[str, Any]:
    """Seconds of `pair_sums` with rtol 1e-6 over n, and the exponent of n from 100,000 on."""
    found: dict[str, Any] = {}
    for n in sizes:
        Y, ones = layout(n), np.ones((n, 1))
        first = timed(lambda Y=Y, ones=ones: pair_sums(Y, "repulsion", ones, CURVE, rtol=1e-6))
        start = perf_counter()
        sums = pair_sums(Y, "repulsion", ones, CURVE, rtol=1e-6)
        again = perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        found[str(n)] = {"method": sums.method, "first": first, "seconds": again, "error": sums.error, "peak_GB": peak}
        print(
            f"n {n:>9,}  {sums.method:<13} {first:7.2f} s, again {again:7.2f} s  error {sums.error:.1e}  {peak:.2f} GB"
        )
    large = [(np.log(float(n)), np.log(value["seconds"])) for n, value in found.items() if int(n) >= 100_000]
    exponent = float(np.polyfit(*zip(*large, strict=True), 1)[0]) if len(large) > 1 else 0.0
    print(f"time grows like n^{exponent:.2f} from 100,000 points on")
    return {"sizes": found, "exponent": exponent}


def intervals(n: int) -> dict[str, float]:
    """Seconds and relative half width of a sampled total."""
    Y, ones = layout(n), np.ones((n, 1))
    sampled_sum(layout(1000), "repulsion", np.ones(1000), np.ones(1000), CURVE)
    start = perf_counter()
    total = sampled_sum(Y, "repulsion", ones, ones, CURVE)
    taken = perf_counter() - start
    if not total.reliable[0]:
        print(f"n {n:>9,}  sampled {taken:.2f} s, no interval: {total.reason[0]}")
        return {"seconds": taken}
    width = float((total.high[0] - total.low[0]) / 2 / total.value[0])
    print(f"n {n:>9,}  sampled {taken:.2f} s, 95 % interval +- {width:.2%}")
    return {"seconds": taken, "half_width": width}


def main() -> None:
    """Run all parts, print their tables, write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--largest", type=int, default=4_000_000, help="points of the largest layout")
    parser.add_argument("--quick", action="store_true", help="small layouts only, and nothing is written")
    options = parser.parse_args()
    sizes = [20_000] if options.quick else [20_000, 70_000]
    ladder = [n for n in (10_000, 30_000, 100_000, 300_000, 1_000_000, 2_000_000, 4_000_000) if n <= options.largest]
    results = {
        "against_others": {str(n): against_others(n, options.repeats) for n in sizes},
        "errors": {str(n): errors(n) for n in sizes},
        "scaling": scaling(ladder[:2] if options.quick else ladder),
        "sampled": {str(n): intervals(n) for n in (sizes if options.quick else [70_000, 1_000_000])},
    }
    if not options.quick:
        write("pairs", results)


if __name__ == "__main__":
    main()
