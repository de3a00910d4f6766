"""Golden values of umap-learn 0.5.12 for the tests. Run by hand: python tests/golden/make_golden.py

Writes graph.npz (neighbour lists -> rho, sigma, memberships, fuzzy unions), curve.npz (a, b over a grid),
streams.npz (random streams), entries.npz (one entry with its negatives at alpha = 1) and run.npz (a run at
learning rate 0.01: 20 layouts, the last one, and how much was drawn in each epoch). umapinfo is not imported.
"""

import json
from importlib.metadata import version
from inspect import signature
from pathlib import Path
from unittest import mock

import numpy as np
from sklearn.neighbors import NearestNeighbors
from umap.layouts import _nb_optimize_layout_euclidean_single_epoch as one_epoch
from umap.layouts import optimize_layout_euclidean
from umap.umap_ import (
    compute_membership_strengths,
    find_ab_params,
    fuzzy_simplicial_set,
    simplicial_set_embedding,
    smooth_knn_dist,
)
from umap.utils import tau_rand_int

HERE = Path(__file__).parent
VERSIONS = json.dumps({name: version(name) for name in ("umap-learn", "numpy", "scipy", "numba")})
A, B = find_ab_params(1.0, 0.1)


def save(name, **arrays):
    np.savez_compressed(HERE / f"{name}.npz", versions=VERSIONS, **arrays)
    print(f"{name}.npz: {(HERE / f'{name}.npz').stat().st_size} bytes")  # noqa: T201  a script


def lists(X, k):
    """Indices and float32 distances of the k - 1 nearest other points, nearest first."""
    search = NearestNeighbors(n_neighbors=k - 1, algorithm="brute").fit(X)
    distances, indices = search.kneighbors()
    return indices.astype(np.int64), distances.astype(np.float32)


def clouds():
    """Name -> (points, k, local_connectivity)."""
    random = np.random.default_rng(0)
    normal = random.normal(size=(50, 5))
    twice = np.repeat(random.normal(size=(25, 3)), 2, axis=0)
    heaps = np.concatenate([np.repeat(random.normal(size=(2, 3)), 8, axis=0), random.normal(size=(16, 3))])
    lattice = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), axis=-1).reshape(-1, 3)
    near_ties = lattice + 1e-4 * random.normal(size=lattice.shape)
    hub = np.concatenate([np.zeros((1, 30)), random.normal(size=(49, 30))])
    return {
        "generic": (normal, 15, 1.0),
        "two_apart": (np.concatenate([normal[:25], normal[25:] + 50]), 10, 1.0),
        "far": (1e4 * normal, 15, 1.0),
        "hub": (hub[:40], 10, 1.0),
        "duplicates": (twice, 10, 1.0),
        "heaps": (
            heaps,
            5,
            1.0,
        ),  # more copies than neighbours: rho = 0, the floor is of the mean of all rows
        "all_equal": (np.ones((9, 2)), 4, 1.0),
        "lattice": (lattice, 10, 1.0),
        "near_ties": (near_ties, 10, 1.0),  # the floor binds without a tie
        "tiny": (normal[:5], 4, 1.0),
        "k2": (normal, 2, 1.0),
        "k3": (normal, 3, 1.0),
        "connected_2_5": (normal[:30], 15, 2.5),
        "connected_half": (normal[:30], 15, 0.5),
        "connected_5": (normal[:30], 15, 5.0),  # ties: log2 15 < 5
    }


def graph_golden():
    arrays = {}
    for name, (X, k, local_connectivity) in clouds().items():
        indices, distances = lists(X, k)
        own = np.arange(len(X))[:, None]
        with_self = np.hstack([own, indices]), np.hstack([np.zeros_like(own, dtype=np.float32), distances])
        sigma, rho = smooth_knn_dist(with_self[1], float(k), local_connectivity=local_connectivity)
        membership = compute_membership_strengths(*with_self, sigma, rho)[2].reshape(len(X), k)[:, 1:]
        arrays |= {
            f"{name}_{what}": value
            for what, value in [
                ("indices", indices.astype(np.int16)),
                ("distances", distances),
                ("k", k),
                ("local_connectivity", local_connectivity),
                ("rho", rho),
                ("sigma", sigma),
                ("membership", membership),
            ]
        }
        for ratio in (1.0, 0.5) if name in ("generic", "duplicates", "k3") else (1.0,):
            p, _, _ = fuzzy_simplicial_set(
                X,
                k,
                None,
                "euclidean",
                knn_indices=with_self[0],
                knn_dists=with_self[1],
                set_op_mix_ratio=ratio,
                local_connectivity=local_connectivity,
            )
            p = p.tocsr()
            p.sort_indices()
            key = f"{name}_union" if ratio == 1 else f"{name}_mixed"
            arrays |= {
                f"{key}_indptr": p.indptr.astype(np.int16),
                f"{key}_indices": p.indices.astype(np.int16),
                f"{key}_weight": p.data,
            }
    save("graph", names=np.array(list(clouds())), **arrays)


def curve_golden():
    grid = [(m, s) for s in (0.5, 1.0, 1.5, 2.0) for m in (0.001, 0.01, 0.1, 0.25, 0.5, 0.8, 0.99) if m <= s]
    ab = np.array([find_ab_params(s, m) for m, s in grid])
    save("curve", min_dist=[m for m, _ in grid], spread=[s for _, s in grid], a=ab[:, 0], b=ab[:, 1])


def states(Y, rng_state):
    """The line of optimize_layout_euclidean that seeds one stream for each vertex."""
    bits = Y[:, 0].astype(np.float64).view(np.int64).reshape(-1, 1)
    return np.full((len(Y), len(rng_state)), rng_state, dtype=np.int64) + bits


def rng_states(random, size):
    info = np.iinfo(np.int32)
    return random.integers(info.min + 1, info.max - 1, size, dtype=np.int64)


def streams_golden():
    random = np.random.default_rng(1)
    Y = np.concatenate([[[0.0, 1.0], [-0.0, 1.0], [10.0, 0.0]], random.normal(size=(7, 2))]).astype(np.float32)
    rng_state = rng_states(random, 3)
    seeded = states(Y, rng_state)
    current = seeded.copy()
    draws = np.array([[tau_rand_int(state) for _ in range(40)] for state in current], dtype=np.int32)
    save("streams", Y=Y, rng_state=rng_state, states=seeded, draws=draws, states_after=current)


def step(Y, head, tail, period, due, negative_due, negative_period, streams, n, alpha, gamma=1.0):
    """One epoch of umap-learn, in place, with the arguments that densMAP alone reads left empty."""
    none = np.zeros(1, dtype=np.float32)
    one_epoch(
        Y,
        Y,
        head,
        tail,
        len(Y),
        period,
        A,
        B,
        streams,
        gamma,
        Y.shape[1],
        True,
        alpha,
        negative_period,
        negative_due,
        due,
        n,
        False,
        none,
        none,
        0,
        0,
        0,
        0,
        none,
        none,
        0,
    )


def entries_golden(n_cases=400, n_vertices=6):
    """One due entry with five negatives at alpha = 1, from layouts of all scales, some points coincident."""
    random = np.random.default_rng(2)
    scale = 10.0 ** random.uniform(-3, 0.7, size=(n_cases, 1, 1))
    before = (scale * random.normal(size=(n_cases, n_vertices, 2))).astype(np.float32)
    same = random.random(n_cases) < 0.2
    before[same, 3] = before[same, 2]
    head, tail = np.array([random.choice(n_vertices, 2, replace=False) for _ in range(n_cases)]).T.astype(np.int32)
    seeds = rng_states(random, (n_cases, 3))
    gamma = random.choice([1.0, 0.5, 2.0], size=n_cases)
    after, one = before.copy(), np.ones(1)
    for case in range(n_cases):
        step(
            after[case],
            head[case : case + 1],
            tail[case : case + 1],
            one,
            one.copy(),
            np.array([0.2]),
            np.array([0.2]),
            states(before[case], seeds[case]),
            n=1,  # (1 - 0.2)/0.2 = 4 negatives
            alpha=1.0,
            gamma=gamma[case],
        )
    save("entries", before=before, after=after, head=head, tail=tail, rng_state=seeds, gamma=gamma, a=A, b=B)


def layout_call(X, p, n_epochs, init, learning_rate, negative_sample_rate):
    """The arguments with which simplicial_set_embedding calls the layout function, by name."""
    with mock.patch("umap.umap_.optimize_layout_euclidean", side_effect=lambda Y, *_, **__: Y) as layout:
        simplicial_set_embedding(
            X,
            p,
            2,
            learning_rate,
            A,
            B,
            1.0,
            negative_sample_rate,
            n_epochs,
            init,
            np.random.RandomState(3),
            "euclidean",
            {},
            densmap=False,
            densmap_kwds={},
            output_dens=False,
        )
    return signature(optimize_layout_euclidean).bind(*layout.call_args.args, **layout.call_args.kwargs).arguments


def run_golden(n_epochs=200, n_recorded=20, learning_rate=0.01, negative_sample_rate=5.0):
    random = np.random.default_rng(3)
    X = np.concatenate([random.normal(size=(35, 4)), random.normal(size=(25, 4)) + 4])
    indices, distances = lists(X, 10)
    own = np.arange(len(X))[:, None]
    zero = np.zeros_like(own, dtype=np.float32)
    p, _, _ = fuzzy_simplicial_set(
        X,
        10,
        None,
        "euclidean",
        knn_indices=np.hstack([own, indices]),
        knn_dists=np.hstack([zero, distances]),
    )
    call = layout_call(X, p, n_epochs, X[:, :2], learning_rate, negative_sample_rate)
    start, head, tail, rng_state = (call[x] for x in ("head_embedding", "head", "tail", "rng_state"))
    period = call["epochs_per_sample"]
    negative_period = period / negative_sample_rate

    Y, streams = start.copy(), states(start, rng_state)
    due, negative_due = period.copy(), negative_period.copy()
    layouts, attractions, repulsions = [start.copy()], [], []
    alpha = learning_rate
    for n in range(n_epochs):
        due_before, negative_due_before = due.copy(), negative_due.copy()
        step(Y, head, tail, period, due, negative_due, negative_period, streams, n, alpha)
        alpha = learning_rate * (1.0 - float(n) / float(n_epochs))
        attractions.append(np.sum(due != due_before))
        repulsions.append(np.rint((negative_due - negative_due_before) / negative_period).sum())
        layouts.append(Y.copy())
    call["head_embedding"] = call["tail_embedding"] = start.copy()
    if not np.array_equal(Y, optimize_layout_euclidean(**call)):
        raise AssertionError("driven epoch by epoch, umap-learn's layout function ended elsewhere")

    graph = p.tocsr()
    graph.sort_indices()
    arrays = {
        "p_indptr": graph.indptr.astype(np.int16),
        "p_indices": graph.indices.astype(np.int16),
        "p_weight": graph.data,
        "head": head.astype(np.int16),
        "tail": tail.astype(np.int16),
        "epochs_per_sample": period,
        "start": start,
        "rng_state": rng_state,
        "a": A,
        "b": B,
        "n_epochs": n_epochs,
        "learning_rate": learning_rate,
        "negative_sample_rate": negative_sample_rate,
        "layouts": np.array(layouts[: n_recorded + 1]),
        "last": Y,
        "attractions": np.array(attractions, dtype=np.int32),
        "repulsions": np.array(repulsions, dtype=np.int32),
    }
    save("run", **arrays)


if __name__ == "__main__":
    graph_golden()
    curve_golden()
    streams_golden()
    entries_golden()
    run_golden()
