"""Damrich and Hamprecht's table of losses on the toy ring: which of its numbers does a bug-free run give?

Seven rings (data seed = run seed = 0 ... 6), n = 1000, n_neighbors 15, min_dist 0.1, 10,000 epochs, the data as start,
each axis rescaled to [0, 10].  Losses in the convention of their code (ordered pairs, diagonal, logarithm clipped at
1e-4).  Takes some minutes; `make ring-table` runs it.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from umapinfo import Descent, Recording, fit_curve, fuzzy_graph, initial_layout, neighbors, prune, run
from umapinfo.datasets import load
from umapinfo.measures.loss import effective_loss, purported_loss, reference_losses
from umapinfo.plot import write_numbers

ROOT = Path(__file__).parents[1]
CONVENTION = "damrich-hamprecht"
# Mean and standard deviation (ddof 0) over the seeds 0 ... 6; those of the embedding: of a bug-free serial descent.
PUBLISHED = {
    "purported, q = mu": (6913.633132, 41.463707),
    "purported, q = identity": (62959.035234, 81.883532),
    "purported, embedding": (69640.0, 950.0),
    "purported, data as layout": (136329.361829, 720.896834),
    "effective, q = nu*": (1523.167386, 6.655435),
    "effective, q = identity": (54017.438335, 82.292950),
    "effective, embedding": (3380.0, 17.0),
    "effective, data as layout": (4972.791282, 27.833160),
}


def losses(seed: int, n_epochs: int, n: int) -> dict[str, float]:
    """The eight losses of one ring."""
    X, curve = load("ring", seed=seed, n=n).X, fit_curve(min_dist=0.1)
    descent = Descent(n_epochs=n_epochs, seed=seed)
    graph = fuzzy_graph(neighbors(X))
    mu = prune(graph, n_epochs)
    trace = run(graph, curve, descent, initial_layout(mu, X), Recording(epochs=2, checkpoints=2))
    embedding = trace["layouts"].to_dataset()["Y"].values[-1]
    levels = reference_losses(mu, descent, convention=CONVENTION)

    def purported(Y: np.ndarray) -> float:
        return purported_loss(mu, Y, curve, convention=CONVENTION).bce

    def effective(Y: np.ndarray) -> float:
        return effective_loss(mu, descent, Y, curve, convention=CONVENTION).bce

    return {
        "purported, q = mu": levels.purported_target,
        "purported, q = identity": levels.purported_empty,
        "purported, embedding": purported(embedding),
        "purported, data as layout": purported(X),
        "effective, q = nu*": levels.effective_target,
        "effective, q = identity": levels.effective_empty,
        "effective, embedding": effective(embedding),
        "effective, data as layout": effective(X),
    }


def main() -> None:
    """Compute the table, print it beside the published one, write paper/numbers/ring_table.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=7, help="number of rings (default 7)")
    parser.add_argument("--epochs", type=int, default=10_000, help="epochs a run (default 10,000)")
    parser.add_argument("--n", type=int, default=1000, help="points a ring (default 1000)")
    parser.add_argument("--out", type=Path, default=ROOT / "paper", help="folder to write to (default paper/)")
    options = parser.parse_args()
    table = pd.DataFrame([losses(seed, options.epochs, options.n) for seed in range(options.seeds)])
    published = pd.DataFrame(PUBLISHED, index=["published mean", "published std"]).T
    found = pd.DataFrame({"mean": table.mean(), "std": table.std(ddof=0)})
    print(found.join(published).to_string(float_format="{:.2f}".format))
    write_numbers(
        options.out / "numbers" / "ring_table.json",
        {"by_seed": table.to_dict(orient="list"), "mean": found["mean"].to_dict(), "std": found["std"].to_dict()},
    )


if __name__ == "__main__":
    main()
