"""How long does each measure of a layout's geometry take on a run's trace?

On the last layout of MNIST (70,000 points, blocked order), or of a trace that --trace names.  Each measure is called on
500 digits before, which compiles what small data need; with a cold cache the first sums of many points compile, too.
Iterative measures tell their progress.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import xarray as xr
from _bench import write

from umapinfo import curve_of, descent_of, embed, graph_of, open_trace, prune
from umapinfo.datasets import load
from umapinfo.measures import (
    Divergence,
    alignment,
    calibrate,
    divergence_and_gradient,
    effective_balance,
    effective_squared_forces,
    fisher_blocks,
    fisher_metric,
    fisher_rao_distance,
    hessian,
    largest_eigenvalues,
    layout_diameter,
    negative_directions,
    pair_set,
    path_length,
    purported,
    purported_balance,
    purported_laplacian,
    purported_loss,
    purported_squared_forces,
    rigid_motions,
    smallest_eigenvalues,
    spectral_density,
)
from umapinfo.progress import Progress

Work = Callable[[Any], Any]
FAMILY = {
    "kl": Divergence("kl"),
    "reverse_kl": Divergence("reverse_kl", p_min=1e-3),
    "hellinger": Divergence("hellinger"),
    "jensen_shannon": Divergence("jensen_shannon"),
    "fisher_rao": Divergence("fisher_rao"),
}


def works(trace: xr.DataTree) -> dict[str, Work]:
    """Each measure of the trace's last layout, as a function of what reports progress."""
    mu, curve, descent = prune(graph_of(trace), trace.attrs["n_epochs"]), curve_of(trace), descent_of(trace)
    layouts = np.asarray(trace["layouts"]["Y"].values, float)
    Y, weights = layouts[-1], purported(mu).weights
    metric, own = fisher_metric(Y, curve), hessian(weights, Y, curve)
    laplacian = purported_laplacian(mu, Y, curve)
    one_by_one = {
        f"divergence_and_gradient, {name}": (lambda report, which=which: divergence_and_gradient(mu, Y, curve, which))
        for name, which in FAMILY.items()
    }
    return {
        "purported_loss": lambda report: purported_loss(mu, Y, curve),
        "calibrate": lambda report: calibrate(mu, Y, curve),
        "purported_balance": lambda report: purported_balance(mu, Y, curve),
        "effective_balance": lambda report: effective_balance(mu, descent, Y, curve),
        "layout_diameter": lambda report: layout_diameter(Y),
        "purported_laplacian": lambda report: purported_laplacian(mu, Y, curve),
        "negative_directions": lambda report: negative_directions(laplacian, report=report),
        "fisher_blocks": lambda report: fisher_blocks(Y, curve),
        "fisher_metric": lambda report: fisher_metric(Y, curve),
        "fisher_metric, a product": lambda report: metric @ Y.ravel(),
        "hessian": lambda report: hessian(weights, Y, curve),
        "hessian, a product": lambda report: own @ Y.ravel(),
        "largest_eigenvalues": lambda report: largest_eigenvalues(metric, report=report),
        "smallest_eigenvalues": lambda report: smallest_eigenvalues(
            metric, apart_from=rigid_motions(Y), blocks=metric.own.blocks, report=report
        ),
        "spectral_density": lambda report: spectral_density(metric, report=report),
        "alignment": lambda report: alignment(own, metric),
        **one_by_one,
        "fisher_rao_distance": lambda report: fisher_rao_distance(layouts[-2], Y, curve, report=report),
        "path_length, 50,000 pairs": lambda report: path_length(layouts, curve, pair_set(mu, 50_000)),
        "purported_squared_forces": lambda report: purported_squared_forces(mu, Y, curve),
        "effective_squared_forces": lambda report: effective_squared_forces(mu, descent, Y, curve),
    }


def main() -> None:
    """Time the measures, print them, write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trace", type=Path, help="measure this trace, and write nothing")
    options = parser.parse_args()
    for work in works(embed(load("digits", n=500, seed=0).X, n_epochs=50, progress=False)).values():
        work(None)
    trace = open_trace(options.trace) if options.trace else embed(load("mnist").X, order="blocked")
    seconds = {}
    for name, work in works(trace).items():
        with Progress() as report:
            start = perf_counter()
            work(report)
        seconds[name] = perf_counter() - start
        print(f"{name:40s} {seconds[name]:8.2f} s", flush=True)
    if not options.trace:
        write("measures_mnist", {"data": "mnist", "n_vertices": trace.attrs["n_vertices"], "seconds": seconds})


if __name__ == "__main__":
    main()
