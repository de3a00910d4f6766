"""Data sets: the published toys to their printed digits, tables and files checked to the byte, and clear refusals."""

import gzip
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pooch
import pytest

from umapinfo.datasets import NAMES, Dataset, files, load, ring, rings, square
from umapinfo.datasets.formats import parse_idx, parse_integers, parse_points

# First rows of the ring as computed with Damrich and Hamprecht's own code, printed with eight decimals.
PUBLISHED = {
    0: [[-0.20410253, 3.69089559], [0.05185208, 4.42192034]],
    1: [[0.28694399, 3.85195051]],
    2: [[-0.22877402, 3.76196392]],
    3: [[0.36397788, 3.92775333], [0.38672653, 3.78477744]],
}

FROM_FILES = ("mnist", "pendigits", "mammoth")
MAMMOTH = "mammoth/mammoth_3d_50k.json"
SMALL = b"[[1.0, 2.0, 3.0]]"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The folder of the cache, redirected for every test: nobody's own is read or written."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    return Path(pooch.os_cache("umapinfo"))


def given(name):
    """The data set, or a skip by its name where it would have to be downloaded."""
    folder = Path(os.environ.get("UMAPINFO_DATA", os.devnull))
    if any(file.startswith(f"{name}/") and not (folder / file).is_file() for file in files.SHA256):
        pytest.skip(f"the files of {name} are not in a folder UMAPINFO_DATA")
    return load(name)


# --- toys ---


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


def test_rings__are_drawn_in_turn_and_stand_twelve_apart():
    X = rings(100, 5, seed=3)
    assert X.shape == (500, 2)
    np.testing.assert_array_equal(X[:100], ring(100, seed=3))
    random = np.random.RandomState(3)
    angle = 2 * np.pi * np.arange(100) / 100
    for j in range(5):
        r, phi = np.sqrt(random.uniform(0, 1, 100)) * 0.5, np.pi * random.uniform(0, 2, 100)
        x, y = 4 * np.sin(angle) + r * np.sin(phi) + 12 * j, 4 * np.cos(angle) + r * np.cos(phi)
        np.testing.assert_allclose(X[100 * j : 100 * (j + 1)], np.column_stack([x, y]), rtol=0, atol=1e-13)


def test_load__labels_two_rings_and_halves_n_between_them():
    data = load("rings", n=60, seed=2)
    np.testing.assert_array_equal(data.X, rings(30, 2, seed=2))
    np.testing.assert_array_equal(data.labels, np.repeat([0, 1], 30))
    assert data.labels.dtype == np.int64
    assert load("rings").X.shape == (2000, 2)


def test_square__starts_with_the_legacy_generator_s_first_numbers():
    X = load("square").X
    assert X.shape == (1000, 2)
    np.testing.assert_allclose(X[:2], [[0.5488135, 0.71518937], [0.60276338, 0.54488318]], rtol=0, atol=0.5e-8)
    assert X.min() >= 0
    assert X.max() < 1
    np.testing.assert_array_equal(load("square", n=7, seed=5).X, square(7, seed=5))


def test_toys__refuse_no_ring_an_odd_n_and_a_negative_seed():
    with pytest.raises(ValueError, match="expected n_rings of at least 1, got 0"):
        rings(10, 0)
    with pytest.raises(ValueError, match="expected an even n for 'rings', half of it a ring, got 61; use 62"):
        load("rings", n=61)
    with pytest.raises(ValueError, match="Seed"):
        load("square", seed=-1)


# --- tables ---


@pytest.mark.parametrize(
    ("name", "shape", "counts"),
    [
        ("digits", (1797, 64), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]),
        ("iris", (150, 4), [50, 50, 50]),
        ("wine", (178, 13), [59, 71, 48]),
        ("breast_cancer", (569, 30), [212, 357]),
    ],
)
def test_tables__come_whole_with_their_labels(name, shape, counts):
    data = load(name)
    assert data.X.shape == shape
    assert data.X.dtype == np.float64
    assert data.labels.shape == shape[:1]
    assert data.labels.dtype == np.int64
    assert np.bincount(data.labels).tolist() == counts


def test_diabetes__has_no_labels_for_its_target_is_no_class():
    data, some = load("diabetes"), load("diabetes", n=100)
    assert data.X.shape == (442, 10)
    assert data.X.dtype == np.float64
    np.testing.assert_allclose(np.linalg.norm(data.X, axis=0), 1, rtol=1e-6)
    assert data.labels is None
    assert some.labels is None
    assert some.X.shape == (100, 10)


def test_fewer_rows_of_a_table__are_drawn_by_the_seed_and_keep_their_labels():
    whole, some, others = load("iris"), load("iris", n=60, seed=1), load("iris", n=60, seed=2)
    assert some.X.shape == (60, 4)
    assert set(some.labels) == {0, 1, 2}
    rows = {(*x, label) for x, label in zip(whole.X, whole.labels, strict=True)}
    assert all((*x, label) in rows for x, label in zip(some.X, some.labels, strict=True))
    assert some.sha256 == load("iris", n=60, seed=1).sha256 != others.sha256


@pytest.mark.parametrize("name", NAMES)
def test_sha256__names_the_bytes_of_x(name):
    data = given(name)
    assert data.name == name
    assert f"n = {len(data.X)}" in data.description
    assert data.sha256 == load(name).sha256
    moved = data.X.copy()
    moved[-1, -1] = np.nextafter(moved[-1, -1], np.inf)
    assert Dataset(name, moved, None, "one bit away").sha256 != data.sha256
    assert Dataset(name, np.asfortranarray(data.X), None, "other order").sha256 == data.sha256


def test_load__refuses_what_it_does_not_have():
    with pytest.raises(ValueError, match=r"got 'swiss roll'; use one of ring, rings, square, digits, iris"):
        load("swiss roll")
    with pytest.raises(ValueError, match=r"expected n of at least 1, got 0"):
        load("ring", n=0)
    with pytest.raises(ValueError, match=r"expected n up to 150 for 'iris', got 151"):
        load("iris", n=151)


# --- real data ---


def test_mnist__reads_train_then_test():
    data = given("mnist")
    assert data.X.shape == (70_000, 784)
    assert data.X.dtype == np.float32
    assert data.labels.dtype == np.int64
    assert data.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.labels[60_000:60_005].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(data.labels).tolist() == [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958]
    assert (data.X.min(), data.X.max()) == (0, 255)
    assert np.array_equal(data.X[:1000], np.round(data.X[:1000]))
    # mean and standard deviation of the training images, as printed in many a tutorial
    train = data.X[:60_000] / 255
    np.testing.assert_allclose([train.mean(dtype=float), train.std(dtype=float)], [0.1307, 0.3081], atol=5e-5)
    assert data.sha256 == "778d3f6cdc9365dd0e52bce14ea3b39cde420ba1c1dd3e82616b34a55defb071"


def test_pendigits__reads_train_then_test_with_the_label_last():
    data = given("pendigits")
    assert data.X.shape == (10_992, 16)
    assert data.X.dtype == np.float64
    assert data.labels.dtype == np.int64
    assert data.X[0].tolist() == [47, 100, 27, 81, 57, 37, 26, 0, 0, 23, 56, 53, 100, 90, 40, 98]
    assert data.X[7494].tolist() == [88, 92, 2, 99, 16, 66, 94, 37, 70, 0, 0, 24, 42, 65, 100, 100]
    assert (data.X.min(), data.X.max()) == (0, 100)
    # as the data set's own description counts them
    assert np.bincount(data.labels[:7494]).tolist() == [780, 779, 780, 719, 780, 720, 720, 778, 719, 719]
    assert np.bincount(data.labels[7494:]).tolist() == [363, 364, 364, 336, 364, 335, 336, 364, 336, 336]
    assert data.sha256 == "12e5c745f43d6541ecf86968aa33119853cebd7f7a11cb89b236c38fddfd08e9"


def test_mammoth__is_points_in_space_without_labels():
    data = given("mammoth")
    assert data.X.shape == (50_000, 3)
    assert data.X.dtype == np.float64
    assert data.labels is None
    np.testing.assert_array_equal(data.X[[0, -1]], [[53.441, 329.536, 108.807], [74.476, 552.48, 14.064]])
    assert (data.X.min(), data.X.max()) == (-172.109, 568.899)
    assert data.sha256 == "bab12586ed57f77062abb1035381ca1e6d5e7ebc705975e5d753a50c3b4f02b6"


@pytest.mark.parametrize("name", FROM_FILES)
def test_fewer_rows_of_real_data__are_rows_of_the_whole_in_its_order(name):
    whole, some = given(name), load(name, n=300, seed=1)
    rows = np.sort(np.random.default_rng(1).choice(len(whole.X), size=300, replace=False))
    np.testing.assert_array_equal(some.X, whole.X[rows])
    assert some.X.dtype == whole.X.dtype
    assert (some.labels is None) if whole.labels is None else np.array_equal(some.labels, whole.labels[rows])
    with pytest.raises(ValueError, match=f"expected n up to {len(whole.X)} for '{name}'"):
        load(name, n=len(whole.X) + 1)


# --- formats ---


def short(value):
    return repr(value)[:30]


def idx(*, magic=b"\0\0\x08\x02", sizes=(2, 3), values=range(6)):
    content = magic + b"".join(size.to_bytes(4, "big") for size in sizes) + bytes(values)
    return gzip.compress(content, mtime=0)


def test_parse_idx__reads_the_last_index_fastest():
    np.testing.assert_array_equal(parse_idx(idx(), (2, 3)), [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (idx(magic=b"\0\0\x08\x01"), "expected magic number 00000802, got 00000801"),
        (idx(magic=b"\0\0\x0d\x02"), "expected magic number 00000802, got 00000d02"),
        (idx(sizes=(3, 2)), r"expected sizes \(2, 3\) in the idx file, got \(3, 2\)"),
        (idx(sizes=(2**32 - 1, 2**32 - 1)), r"got \(4294967295, 4294967295\)"),
        (idx(sizes=(2,), values=()), r"got \(2, 0\)"),
        (idx(values=range(5)), "expected 18 bytes of idx, got 17"),
        (idx(values=range(7)), "expected 18 bytes of idx, got more"),
        (gzip.compress(b"", mtime=0), "expected magic number 00000802, got ;"),
        (b"", "got ;"),
        (b"<html>not found</html>", "does not unpack"),
        (idx()[:-9], "does not unpack"),
        (idx()[:-8] + b"\0" * 8, "does not unpack"),
        (idx()[:10] + b"\xff" * 20, "does not unpack"),
    ],
    ids=short,
)
def test_parse_idx__refuses_another_file(data, message):
    with pytest.raises(ValueError, match=message):
        parse_idx(data, (2, 3))


def test_parse_idx__unpacks_no_more_than_it_needs():
    bomb = idx(values=bytes(20_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="got more"):
            parse_idx(bomb, (2, 3))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_parse_integers__reads_lines_with_blanks():
    np.testing.assert_array_equal(parse_integers(b" 47,100, 8\n  0, -2, 5\n", (2, 3)), [[47, 100, 8], [0, -2, 5]])


@pytest.mark.parametrize(
    "data",
    [b"", b"1,2,3\n", b"1,2\n3,4\n", b"1,2,3\n4,5\n", b"1,2,x\n4,5,6\n", b"1,2,nan\n4,5,6\n", b"\xff,2,3\n4,5,6\n"],
    ids=short,
)
def test_parse_integers__refuses_another_table(data):
    with pytest.raises(ValueError):  # noqa: PT011  # numpy's, decode's or its own
        parse_integers(data, (2, 3))


def test_parse_points__reads_numbers_with_and_without_a_point():
    np.testing.assert_array_equal(parse_points(b"[[1, 2.5], [-3e2, 0]]", (2, 2)), [[1, 2.5], [-300, 0]])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[[1, 2], [3, 4]",
        b"\xff",
        b"{}",
        b"[[1, 2]]",
        b"[[1, 2], [3]]",
        b"[[1, 2], 3]",
        b'[[1, 2], ["3", "4"]]',
        b"[[1, 2], [true, null]]",
        b"[[1, 2], [[3], [4]]]",
        b"[[1, 2], [3, NaN]]",
        b"[[1, 2], [3, -Infinity]]",
        b"[[1, 2], [3, " + b"9" * 5000 + b"]]",
        b"[" * 100_000,
    ],
    ids=short,
)
def test_parse_points__refuses_anything_else(data):
    with pytest.raises(ValueError):  # noqa: PT011  # json's or its own
        parse_points(data, (2, 2))


# --- where files are looked for ---


class Server(http.server.ThreadingHTTPServer):
    """Serves `body` to every request, as `manner` says; counts the requests."""

    body = SMALL
    manner = "whole"
    requests = 0
    release = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.requests += 1
        if server.manner == "silent":
            server.release.wait(10)
            return
        if server.manner == "absent":
            self.send_error(404)
            return
        self.send_response(200)
        if server.manner != "truncated without a length":
            self.send_header("Content-Length", str(len(server.body)))
        self.end_headers()
        self.wfile.write(server.body if server.manner == "whole" else server.body[: len(server.body) // 2])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    """A server that the mammoth's address leads to, with a small file of a SHA-256 of its own."""
    monkeypatch.delenv("UMAPINFO_DATA", raising=False)
    with Server(("127.0.0.1", 0), Handler) as running:
        running.release = threading.Event()
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setitem(files.ADDRESSES, "mammoth", f"http://127.0.0.1:{running.server_port}/")
        monkeypatch.setitem(files.SHA256, MAMMOTH, hashlib.sha256(SMALL).hexdigest())
        yield running
        running.release.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder that UMAPINFO_DATA names."""
    folder = tmp_path / "own"
    (folder / "mammoth").mkdir(parents=True)
    monkeypatch.setenv("UMAPINFO_DATA", str(folder))
    return folder


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_files__have_an_address_and_a_sha256_each():
    assert {name.split("/")[0] for name in files.SHA256} == set(files.ADDRESSES) == set(FROM_FILES)
    assert all(address.startswith("https://") and address.endswith("/") for address in files.ADDRESSES.values())
    assert all(len(bytes.fromhex(digest)) == 32 for digest in files.SHA256.values())


def test_read__downloads_once_into_the_cache(server, cache):
    assert files.read(MAMMOTH, progress=False) == SMALL
    assert files.read(MAMMOTH, progress=False) == SMALL
    assert server.requests == 1
    assert files_in(cache) == [MAMMOTH]


def test_read__looks_into_the_own_folder_first(server, own, cache):
    (own / MAMMOTH).write_bytes(SMALL)
    assert files.read(MAMMOTH) == SMALL
    assert server.requests == 0
    assert not cache.exists()


def test_read__looks_into_the_cache_before_the_address(server, own, cache):
    (cache / "mammoth").mkdir(parents=True)
    (cache / MAMMOTH).write_bytes(SMALL)
    assert files.read(MAMMOTH) == SMALL
    assert server.requests == 0


@pytest.mark.parametrize("folder", ["", "an absent folder", "own"])
def test_read__goes_on_where_the_own_folder_has_no_such_file(server, own, cache, monkeypatch, folder):
    monkeypatch.setenv("UMAPINFO_DATA", folder and str(own.parent / folder))
    assert files.read(MAMMOTH, progress=False) == SMALL
    assert server.requests == 1
    assert files_in(cache) == [MAMMOTH]
    assert not files_in(own)


def test_read__refuses_another_file_in_the_own_folder_and_leaves_it(server, own, cache):
    (own / MAMMOTH).write_bytes(b"[[1.0, 2.0, 4.0]]")
    with pytest.raises(ValueError, match=rf"expected SHA-256 [0-9a-f]{{64}} of {own / MAMMOTH}, got [0-9a-f]{{64}}"):
        files.read(MAMMOTH)
    assert (own / MAMMOTH).read_bytes() == b"[[1.0, 2.0, 4.0]]"
    assert server.requests == 0
    assert not cache.exists()


def test_read__replaces_a_damaged_file_in_the_cache(server, cache):
    (cache / "mammoth").mkdir(parents=True)
    (cache / MAMMOTH).write_bytes(SMALL[:5])
    assert files.read(MAMMOTH, progress=False) == SMALL
    assert (cache / MAMMOTH).read_bytes() == SMALL


def test_load__takes_the_mammoth_from_its_address(server, monkeypatch):
    points = np.random.default_rng(0).normal(size=(50_000, 3))
    server.body = json.dumps(points.tolist()).encode()
    monkeypatch.setitem(files.SHA256, MAMMOTH, hashlib.sha256(server.body).hexdigest())
    np.testing.assert_array_equal(load("mammoth", progress=False).X, points)


@pytest.mark.parametrize(
    ("manner", "reason"),
    [
        ("absent", "404"),
        ("truncated", "IncompleteRead"),
        ("truncated without a length", "does not match the known hash"),
        ("silent", "timed out"),
        ("other bytes", "does not match the known hash"),
    ],
)
def test_read__says_why_a_download_failed_and_leaves_no_file(server, cache, monkeypatch, manner, reason):
    server.manner = "whole" if manner == "other bytes" else manner
    server.body = b"<html>moved</html>" if manner == "other bytes" else SMALL
    monkeypatch.setattr(files, "TIMEOUT", 0.5)
    with pytest.raises(FileNotFoundError, match=reason) as caught:
        files.read(MAMMOTH, progress=False)
    assert files.ADDRESSES["mammoth"] in str(caught.value)
    assert not files_in(cache)
    server.manner, server.body = "whole", SMALL
    assert files.read(MAMMOTH, progress=False) == SMALL


def test_read__closes_the_connection_of_a_refusal(server):
    server.manner = "absent"
    with pytest.raises(FileNotFoundError) as caught:
        files.read(MAMMOTH, progress=False)
    assert caught.value.__cause__.response.raw.closed


def test_read__leaves_a_damaged_file_in_the_cache_as_it_is_when_a_download_fails(server, cache):
    (cache / "mammoth").mkdir(parents=True)
    (cache / MAMMOTH).write_bytes(SMALL[:5])
    server.manner = "absent"
    with pytest.raises(FileNotFoundError, match=f"{cache / MAMMOTH} holds another file"):
        files.read(MAMMOTH, progress=False)
    assert (cache / MAMMOTH).read_bytes() == SMALL[:5]
    assert files_in(cache) == [MAMMOTH]


def test_read__leaves_no_file_when_it_is_interrupted(server, cache, monkeypatch):
    def interrupted(self, url, output_file, pooch):
        Path(output_file).write_bytes(SMALL[:5])
        raise KeyboardInterrupt

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.read(MAMMOTH, progress=False)
    assert not files_in(cache)
    monkeypatch.undo()


@pytest.mark.parametrize("name", FROM_FILES)
@pytest.mark.parametrize("address", ["http://umapinfo.invalid/", "http://127.0.0.1:9/"])
def test_load__says_offline_what_was_tried_and_where_to_put_the_file(own, cache, monkeypatch, name, address):
    monkeypatch.setitem(files.ADDRESSES, name, address)
    first = next(file for file in files.SHA256 if file.startswith(name))
    begin = time.monotonic()
    with pytest.raises(FileNotFoundError) as caught:
        load(name, progress=False)
    assert time.monotonic() - begin < 30
    said = str(caught.value)
    assert said.startswith(f"expected the data file {first}, got none: there is no {own / first}; there is no {cache}")
    assert f"{address}{first.split('/')[1]} could not be downloaded (ConnectionError" in said
    assert said.endswith(f"put the file by hand at {cache / first} or at {own / first}")
    assert not files_in(cache)
    monkeypatch.delenv("UMAPINFO_DATA")
    with pytest.raises(FileNotFoundError, match=f"UMAPINFO_DATA is not set.* or as {first} into a folder that"):
        load(name, progress=False)


def test_read__says_where_the_cache_cannot_be_written(server, cache):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(b"a file where the folder should be")
    with pytest.raises(
        FileNotFoundError, match=r"could not be downloaded \((NotADirectory|FileExists|Permission)Error"
    ):
        files.read(MAMMOTH, progress=False)
    assert server.requests == 0


@pytest.mark.parametrize("progress", [True, False])
def test_read__shows_a_bar_if_asked_to_and_logs_nothing(server, capfd, caplog, monkeypatch, progress):
    logger = pooch.get_logger()
    level = logger.level
    monkeypatch.setattr(logger, "handlers", [caplog.handler])
    files.read(MAMMOTH, progress=progress)
    out, err = capfd.readouterr()
    assert out == ""
    assert ("100%" in err) == progress
    assert not [record for record in caplog.records if record.name == "pooch"]
    assert logger.level == level


def test_load__imports_pooch_only_to_download():
    code = "import sys; from umapinfo.datasets import load; load('ring'); assert 'pooch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])
