"""Hypothesis profiles and the data that several test files read.

UMAPINFO_HYPOTHESIS=thorough asks for many, freshly drawn examples; the default draws the same few every time.
"""

import os
import shutil
import subprocess
from pathlib import Path

import numba
import numpy as np
import pytest
import reference as ref
from hypothesis import settings

settings.register_profile("fast", max_examples=50, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("UMAPINFO_HYPOTHESIS", "fast"))


@pytest.fixture(scope="session")
def golden():
    """golden(name): the arrays that golden/make_golden.py wrote from umap-learn 0.5.12."""

    def load(name):
        with np.load(Path(__file__).parent / "golden" / f"{name}.npz", allow_pickle=False) as arrays:
            return dict(arrays)

    return load


@pytest.fixture(scope="session")
def ring():
    """Toy ring of seed 3 by the twin: points X, directed P and symmetric p (k = 15)."""
    X = ref.ring(3)
    return X, *ref.graph(X, 15)


@pytest.fixture
def committed_numbers():
    """Skip where paper/numbers is not as committed, which is what pages quote: another processor's bits differ."""
    command = ["git", "diff", "--quiet", "HEAD", "--", "paper/numbers"]
    root = Path(__file__).parents[1]
    if shutil.which("git") and subprocess.run(command, cwd=root, capture_output=True, check=False).returncode == 1:
        pytest.skip("paper/numbers: drawn anew, and not what README, docs and ledger quote")


@pytest.fixture
def n_threads():
    """A function that sets the number of threads, for the test alone."""
    before = numba.get_num_threads()
    yield numba.set_num_threads
    numba.set_num_threads(before)
