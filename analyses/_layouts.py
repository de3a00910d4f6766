"""What the analyses share that look closely at one run of UMAP: its kept trace, and the kept minima of its losses."""

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from _script import trace_of
from _study import Options
from numpy.typing import NDArray

import umapinfo
from umapinfo import Curve, Descent, Graph, curve_of, descent_of, graph_of, prune
from umapinfo.core import LAW
from umapinfo.jit import source_digest
from umapinfo.measures import dilated, effective, purported
from umapinfo.minimise import minimise, minimiser_layout, resume_minimisation, unfolded

QUICK_N, QUICK_EPOCHS, QUICK_STEPS = 200, 60, 60
N_MINIMA = 450  # digits, of which a minimum takes seconds
MANY = 10_000  # points from which on a start is unfolded: of 1,797 digits both kinds rest within 1e-3 of each other
N_STEPS, TOLERANCE = 5000, 1e-6  # of a minimum; other starts rest within some 1e-3 of its loss


class Run(NamedTuple):
    """A default run on a data set: the name of the data, the trace, and what it was a run of (the graph pruned)."""

    name: str
    trace: xr.DataTree
    mu: Graph
    curve: Curve
    descent: Descent

    @property
    def Y(self) -> NDArray[np.float64]:
        """UMAP's layout, that of the last epoch."""
        return np.asarray(self.trace["layouts"]["Y"].values[-1], dtype=np.float64)


def run_of(name: str, options: Options, n: int | None = None) -> Run:
    """The run on n points of a data set (all), or on few for --quick: the kept one, or run now and kept."""
    if options.quick:
        n = min(n or QUICK_N, QUICK_N)
    trace = trace_of(name, options._replace(n=n, epochs=QUICK_EPOCHS if options.quick else None))
    mu = prune(graph_of(trace), trace.attrs["n_epochs"])
    return Run(name, trace, mu, curve_of(trace), descent_of(trace))


def minimum_of(which: str, run: Run, options: Options) -> xr.DataTree:
    """The trace of the minimum of the "purported" or "effective" loss that is found from UMAP's layout.

    From the dilated one, or the unfolded one where there are many points.  The kept trace of these sources, gone on
    with if it was cut off; its layout: `umapinfo.minimiser_layout`.
    """
    loss = purported(run.mu) if which == "purported" else effective(run.mu, run.descent)
    sources = (source_digest(Path(umapinfo.__file__).parent) or b"").hex()[:12]
    settings = f"{run.name}-n{run.mu.n_vertices}-epochs{run.trace.attrs['n_epochs']}-{which}-minimum"
    path = options.traces / f"{settings}-law{LAW}-{sources}.zarr"
    if path.exists():
        return resume_minimisation(path)
    for old in options.traces.glob(f"{settings}-law*.zarr"):  # of other sources: never to be opened again
        shutil.rmtree(old)
    many = run.mu.n_vertices >= MANY
    told = {"n_steps": QUICK_STEPS if options.quick else N_STEPS, "tolerance": TOLERANCE}
    start = (unfolded if many else dilated)(loss, run.curve, run.Y)
    return minimise(loss, run.curve, start, path=path, attrs={"data": run.name}, **told)


def layouts_of(run: Run, options: Options) -> dict[str, NDArray[np.float64]]:
    """UMAP's layout, and the minima of the effective and of the purported loss."""
    minima = {which: minimiser_layout(minimum_of(which, run, options)) for which in ("effective", "purported")}
    return {"umap": run.Y, **minima}
