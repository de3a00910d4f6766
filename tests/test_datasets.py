"""Data sets: the published ring to its printed digits, scikit-learn's tables, and clear refusals."""

import numpy as np
import pytest

from umapinfo.datasets import NAMES, Dataset, load

# First rows of the ring as computed with Damrich and Hamprecht's own code, printed with eight decimals.
PUBLISHED = {
    0: [[-0.20410253, 3.69089559], [0.05185208, 4.42192034]],
    1: [[0.28694399, 3.85195051]],
    2: [[-0.22877402, 3.76196392]],
    3: [[0.36397788, 3.92775333], [0.38672653, 3.78477744]],
}


@pytest.mark.parametrize("seed", PUBLISHED)
def test_ring__has_the_published_first_rows(seed):
    X = load("ring", seed=seed).X
    assert X.shape == (1000, 2)
    # half a unit of the last printed decimal
    np.testing.assert_allclose(X[: len(PUBLISHED[seed])], PUBLISHED[seed], rtol=0, atol=0.5e-8)


def test_ring__keeps_each_point_within_half_a_unit_of_its_centre():
    X = load("ring", n=200, seed=4).X
    angle = 2 * np.pi * np.arange(200) / 200
    centre = 4 * np.column_stack([np.sin(angle), np.cos(angle)])
    assert np.all(np.linalg.norm(X - centre, axis=1) <= 0.5)


@pytest.mark.parametrize(("name", "shape", "classes"), [("digits", (1797, 64), 10), ("iris", (150, 4), 3)])
def test_tables__come_whole_with_their_labels(name, shape, classes):
    data = load(name)
    assert data.X.shape == shape
    assert data.X.dtype == np.float64
    assert data.labels.shape == shape[:1]
    assert len(np.unique(data.labels)) == classes


def test_fewer_rows_of_a_table__are_drawn_by_the_seed_and_keep_their_labels():
    whole, some, others = load("iris"), load("iris", n=60, seed=1), load("iris", n=60, seed=2)
    assert some.X.shape == (60, 4)
    assert set(some.labels) == {0, 1, 2}
    rows = {(*x, label) for x, label in zip(whole.X, whole.labels, strict=True)}
    assert all((*x, label) in rows for x, label in zip(some.X, some.labels, strict=True))
    assert some.sha256 == load("iris", n=60, seed=1).sha256 != others.sha256


@pytest.mark.parametrize("name", NAMES)
def test_sha256__names_the_bytes_of_x(name):
    data = load(name)
    assert data.name == name
    assert f"n = {len(data.X)}" in data.description
    assert data.sha256 == load(name).sha256
    moved = data.X.copy()
    moved[-1, -1] = np.nextafter(moved[-1, -1], np.inf)
    assert Dataset(name, moved, None, "one bit away").sha256 != data.sha256
    assert Dataset(name, np.asfortranarray(data.X), None, "other order").sha256 == data.sha256


def test_load__refuses_what_it_does_not_have():
    with pytest.raises(ValueError, match=r"got 'swiss roll'; use one of ring, digits, iris"):
        load("swiss roll")
    with pytest.raises(ValueError, match=r"expected n of at least 1, got 0"):
        load("ring", n=0)
    with pytest.raises(ValueError, match=r"expected n up to 150 for 'iris', got 151"):
        load("iris", n=151)
