"""A trace on disk: the same as in memory, readable without this package, and checked before anything of it is used."""

import errno
import json
import os
import pickle
import shutil
import tracemalloc
from collections import namedtuple
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import store_runs as runs
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from store_damage import CHUNK, DAMAGE, Y, edit, flip

from umapinfo import Descent, Recording, graph_of, open_trace, replay, run, summary
from umapinfo.core.graph import graph_from_csr
from umapinfo.trace import chunks, store
from umapinfo.trace.opening import read_metadata
from umapinfo.trace.schema import VARIABLES

LABELS = ["a", "ü b", ""] * (runs.N // 3)
SMALL = {"labels": LABELS, "observers": runs.own()}


@pytest.fixture(autouse=True)
def no_hang():
    with runs.alarm(900):  # a hang lasts for ever, and a machine with other work takes ten times as long
        yield


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A trace that was cut off in epoch 12; nobody writes to it."""
    return runs.cut(tmp_path_factory.mktemp("built") / "a.zarr", 12, **SMALL)


@pytest.fixture(scope="module")
def shown(built):
    """What it shows, read at once."""
    return open_trace(built).load()


@pytest.fixture
def trace(built, tmp_path):
    """A copy of it, to do what one likes to."""
    return Path(shutil.copytree(built, tmp_path / "a.zarr"))


@pytest.fixture
def exchanged(trace):
    """Put numbers in a column's chunk, with the checksum that they need."""

    def exchange(path, change):
        column = read_metadata(trace)[1][path]
        numbers = chunks.read_chunk(trace, path, column, 0).copy()
        change(numbers)
        (trace / path / chunks.chunk_name(column, 0)).write_bytes(chunks.encoded(numbers))
        return trace

    return exchange


# ---- the same as in memory -----------------------------------------------------------------------

KINDS = {
    "none": None,
    "ints": np.arange(runs.N, dtype=">i2"),
    "floats": np.linspace(0, 1, runs.N).tolist(),
    "bools": [True, False] * (runs.N // 2),
    "text": LABELS,
    "pandas": pd.Series(LABELS),
    "categorical": pd.Categorical(LABELS),
    "one": ["x"] * runs.N,
}


@settings(max_examples=10)
@given(data=st.data())
def test_trace_on_disk__is_identical_to_that_in_memory(data, tmp_path_factory):
    n_epochs, d = data.draw(st.sampled_from([0, 1, 2, 9]), "n_epochs"), data.draw(st.integers(1, 3), "d")
    graph, start = runs.graph_and_start(d=d)
    if data.draw(st.booleans(), "no edges"):
        graph = graph_from_csr(csr_matrix((runs.N, runs.N)))
    numbers = st.lists(st.integers(0, n_epochs), max_size=4)
    plan = {name: data.draw(numbers, name) for name in ("epochs", "checkpoints", "updates")}
    observers = [*data.draw(st.sampled_from([[], runs.instruments()[:1], runs.instruments()])), *runs.own()]
    if data.draw(st.booleans(), "no observers"):
        observers = []
    settings = runs.CASES[data.draw(st.sampled_from(list(runs.CASES)), "case")]
    told = {
        "labels": KINDS[data.draw(st.sampled_from(list(KINDS)), "labels")],
        "attrs": {"größe": [1, 2.5, None], "tiny": 5e-324, "coordinates": "x", "inner": {"a": np.arange(3)}},
        "progress": False,
    }
    path = tmp_path_factory.mktemp("same") / "a.zarr"
    arguments = (graph, runs.CURVE, Descent(n_epochs=n_epochs, **settings), start)
    on_disk = run(*arguments, Recording(**plan, observers=observers), path=path, **told)
    in_memory = run(*arguments, Recording(**plan, observers=observers), **told)
    assert runs.same(on_disk, in_memory)
    assert runs.same(open_trace(path, verify=True), in_memory)
    assert forecast_and_found(path)[0] == forecast_and_found(path)[1]
    assert replay(on_disk, n_epochs).Y.tobytes() == replay(in_memory, n_epochs).Y.tobytes()


def forecast_and_found(path):
    """Bytes of chunks that were forecast, and those that are there."""
    sizes = [file.stat().st_size for file in path.rglob("c.*")]
    return store.size_on_disk(read_metadata(path)[1]), sum(sizes)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "a.zarr"
    return path, runs.record("counter", path, labels=LABELS).load(), runs.record("counter", labels=LABELS)


def test_trace_of_everything__has_the_size_that_was_forecast(whole):
    path, on_disk, in_memory = whole
    assert runs.same(on_disk, in_memory)
    forecast, found = forecast_and_found(path)
    assert forecast == found > 0
    others = {file.name for file in path.rglob("*") if file.is_file() and not file.name.startswith("c.")}
    assert others == {"zarr.json", "lock"}


def test_every_stored_array__says_its_name_units_and_dims(whole):
    for name, array in zarr.open_group(whole[0], mode="r").members(max_depth=None):
        if isinstance(array, zarr.Array):
            assert array.attrs["long_name"], name
            assert isinstance(array.attrs["units"], str)
            row = VARIABLES.get(name.split("/")[1])
            if row is not None:
                assert (row.group, row.long_name, row.units) == (
                    name.split("/")[0],
                    array.attrs["long_name"],
                    array.attrs["units"],
                )
                assert array.metadata.dimension_names == row.dims


def test_xarray_and_zarr__read_the_same_values_without_this_package(whole):
    path, trace, _ = whole
    by_xarray = xr.open_datatree(path, engine="zarr", consolidated=False)
    by_zarr = zarr.open_group(path, mode="r")
    for group, data in runs.datasets(trace).items():
        if group == "labels":  # codes, with their names beside them
            label = by_zarr["labels/label"]
            assert np.asarray(label.attrs["categories"])[label[:]].tolist() == LABELS
            continue
        for name, variable in data.variables.items():
            assert by_zarr[f"{group}/{name}"][...].tobytes() == variable.values.tobytes()
            np.testing.assert_array_equal(by_xarray[group][name].values, variable.values)


# ---- paths ---------------------------------------------------------------------------------------


def test_path__may_be_relative_or_of_the_home_folder_and_hold_blanks_and_umlauts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("a b ü.zarr", "~/über.zarr", "./c", tmp_path / "d é", Path("e.zarr/")):
        runs.record(path=path, observers=[])
        assert open_trace(path, verify=True).attrs["n_vertices"] == runs.N
    assert {path.name for path in tmp_path.iterdir()} == {"a b ü.zarr", "über.zarr", "c", "d é", "e.zarr"}


@pytest.mark.parametrize(
    ("path", "error", "said"),
    [
        ("", ValueError, "path: expected one of this file system, got ''"),
        ("s3://bucket/a.zarr", ValueError, "one of this file system, got 's3://bucket/a.zarr'"),
        ("a\0b", ValueError, "one of this file system"),
        ("~nobody_at_all/a", ValueError, "one of this file system, got '~nobody_at_all/a'"),
        (b"a.zarr", TypeError, "a string or a pathlib.Path, got bytes"),
        (3, TypeError, "a string or a pathlib.Path, got int"),
        ("folder", FileExistsError, "a new one, but .*folder exists; remove it, resume it"),
        ("file", FileExistsError, "file exists"),
        ("dangling", FileExistsError, "dangling exists"),
        ("missing/a.zarr", FileNotFoundError, "missing does not exist; make it"),
        ("file/a.zarr", NotADirectoryError, "file is a file; name another"),
        ("file/b/a.zarr", FileNotFoundError, "file/b does not exist"),
        ("x" * 300, OSError, "File name too long"),
        ("/proc/a.zarr", OSError, "/proc"),
    ],
)
def test_path_at_which_no_trace_can_be_made__is_refused_and_nothing_is_left(tmp_path, monkeypatch, path, error, said):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").write_text("mine")
    Path("dangling").symlink_to("nowhere")
    before = sorted(os.listdir())
    with pytest.raises(error, match=said):
        runs.record(path=path, observers=[runs.Walker()])
    assert sorted(os.listdir()) == before
    assert Path("file").read_text() == "mine"
    assert os.listdir("folder") == []


def test_name_that_is_too_long__is_refused_before_anything_is_run(tmp_path):
    with pytest.raises(OSError, match="File name too long"):
        store.checked_path(tmp_path / ("x" * 300))


@pytest.mark.parametrize(
    ("path", "error", "said"),
    [
        ("nothing", FileNotFoundError, "there is nothing at .*nothing"),
        ("file", NotADirectoryError, "file is none"),
        ("folder", ValueError, "folder has no zarr.json; name the folder run wrote"),
        ("s3://bucket/a.zarr", ValueError, "of this file system"),
        (None, TypeError, "got NoneType"),
    ],
)
def test_path_that_holds_no_trace__is_refused(tmp_path, monkeypatch, path, error, said):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").write_text("mine")
    for read in (open_trace, runs.resume):
        with pytest.raises(error, match=said):
            read(path)


def test_forecast_that_does_not_fit__is_refused_before_anything_is_written(tmp_path, monkeypatch, whole):
    usage = namedtuple("usage", "total used free")
    needed = forecast_and_found(whole[0])[0]
    for free in (needed - 1, needed):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage(10**9, 0, free))
        if free < needed:
            with pytest.raises(OSError, match=r"expected .* MB of room for the trace, got .* MB free") as caught:
                runs.record(path=tmp_path / "a.zarr", labels=LABELS)
            assert caught.value.errno == errno.ENOSPC
            assert os.listdir(tmp_path) == []
        else:
            runs.record(path=tmp_path / "a.zarr", labels=LABELS)


@pytest.mark.parametrize("at", [0, 30])
def test_disk_that_is_full_before_epoch_0__leaves_nothing(tmp_path, monkeypatch, at):
    def no_room(file, data, written=[]):  # noqa: B006
        written.append(file)
        if len(written) > at:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_file(file, data)

    write_file = store.write_file
    monkeypatch.setattr(store, "write_file", no_room)
    with pytest.raises(OSError, match=r"No space left on device.*; nothing is left"):
        runs.record(path=tmp_path / "a.zarr")
    assert os.listdir(tmp_path) == []


# ---- what cannot be kept -------------------------------------------------------------------------


def deep(n):
    value = []
    for _ in range(n):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [np.nan, [1, np.inf], {1, 2}, b"x", 1j, np.datetime64("2020"), np.longdouble(1), 10**5000, deep(10**5), {(1,): 2}],
    ids=lambda value: type(value).__name__,
)
def test_attribute_that_is_no_json__is_refused_and_nothing_is_left(tmp_path, value):
    for path in (None, tmp_path / "a.zarr"):
        with pytest.raises(TypeError, match="attrs: expected finite numbers, strings and lists"):
            runs.record(path=path, observers=[], attrs={"mine": value})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["zarr.json", "a/b", "..", "", "a\nb", "__x", "vertex", "x" * 101])
def test_name_that_no_folder_can_have__is_refused_in_memory_too(tmp_path, name):
    class Named(runs.Reader):
        def values(self, arrays, epoch):
            return {name: 1.0}

    for path in (None, tmp_path / "a.zarr"):
        with pytest.raises(ValueError, match="observer 'reader': expected a new name for a variable"):
            runs.record(path=path, observers=[Named()])
    assert os.listdir(tmp_path) == []


# ---- damaged -------------------------------------------------------------------------------------


def check_refused(path, said, reads=None):
    before = runs.files(path)
    for read in reads or (open_trace, lambda path: open_trace(path, verify=True), runs.resume):
        with pytest.raises(ValueError, match=said) as caught:
            read(path)
        assert str(path) in str(caught.value)
    assert runs.files(path) == before


@pytest.mark.parametrize("name", DAMAGE)
def test_store_that_is_damaged__is_refused_and_left_as_it_is(trace, name):
    damage, said = DAMAGE[name]
    damage(trace)
    tracemalloc.start()
    try:
        if "huge" in name and "chunk" not in name:  # a file of one tebibyte is not compared
            with pytest.raises(ValueError, match=said):
                open_trace(trace)
        else:
            with pytest.MonkeyPatch.context() as patch:
                if name == "huge chunk":
                    patch.setattr(runs, "files", lambda path: sorted(path.rglob("*")))
                check_refused(trace, said)
        assert tracemalloc.get_traced_memory()[1] < 2**25
    finally:
        tracemalloc.stop()


def test_flipped_bit_in_any_file__is_found_by_verify_and_by_resume(built, tmp_path):
    found = sorted(runs.files(built))
    for place, name in enumerate(found[:: max(1, len(found) // 25)]):
        path = Path(shutil.copytree(built, tmp_path / str(place)))
        flip(name)(path)
        check_refused(path, "damaged|schema", [lambda path: open_trace(path, verify=True), runs.resume])


def test_flipped_bit__is_found_when_it_is_read(trace):
    flip(CHUNK)(trace)
    layouts = open_trace(trace)["layouts"]["Y"]
    assert np.isfinite(layouts[0].values).all()
    with pytest.raises(ValueError, match="checksum"):
        layouts[1].values  # noqa: B018


def opened_or_refused(path, **told):
    """The trace, or None if it was refused in words that name its path."""
    try:
        return open_trace(path, **told)
    except ValueError as error:
        said = error
    assert type(said) is ValueError
    assert str(path) in str(said)
    return None


def spoilt(data, random):
    """The bytes with one of them changed, or cut short."""
    if not data or random.random() < 0.2:
        return data[: random.randrange(len(data) + 1)]
    place = random.randrange(len(data))
    return data[:place] + bytes([data[place] ^ random.randrange(1, 256)]) + data[place + 1 :]


@settings(max_examples=100)
@given(random=st.randoms(use_true_random=False))
def test_any_byte_changed__is_an_error_of_value_or_changes_nothing(built, shown, random):
    file = random.choice([built / name for name in sorted(runs.files(built))])
    before = file.read_bytes()
    try:
        file.write_bytes(spoilt(before, random))
        opened = opened_or_refused(built, verify=True)
        assert opened is None or runs.same(opened, shown)
    finally:
        file.write_bytes(before)


ODD = [None, True, -1, 0, 2**70, 10**400, 1.5, np.nan, "", "x", "uint8", "\ud800", [], {}, [1], {"a": 1}, deep(9)]


def twisted(document, random):
    """The document with one of its parts exchanged, removed, or one more put in."""
    part, key = document, random.choice(list(document))
    while isinstance(part[key], dict | list) and part[key] and random.random() < 0.8:
        part = part[key]
        key = random.choice(list(part) if isinstance(part, dict) else range(len(part)))
    how = random.randrange(3)
    if how == 0:
        del part[key]
    elif how == 1 and isinstance(part, dict):
        part[random.choice(["must_understand", "consolidated_metadata", "dtype", "configuration"])] = random.choice(ODD)
    else:
        part[key] = random.choice(ODD)
    return document


@settings(max_examples=150)
@given(random=st.randoms(use_true_random=False))
def test_any_part_of_the_metadata_exchanged__is_an_error_of_value_or_reads_well(built, random):
    file = random.choice([built / "zarr.json", random.choice(sorted(built.rglob("zarr.json")))])
    before = file.read_text()
    document = twisted(json.loads(before), random)
    if file.parent == built and isinstance(document.get("attributes"), dict):
        document["attributes"] = store.signed(document["attributes"])
    try:
        file.write_text(json.dumps(document))
        opened = opened_or_refused(built)
        if opened is not None:
            opened.load()
            graph_of(opened)
    finally:
        file.write_text(before)


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
def test_consolidated_metadata__are_not_read(trace):
    whole = open_trace(trace).load()
    zarr.consolidate_metadata(trace)
    assert runs.same(open_trace(trace), whole)
    edit("", "consolidated_metadata", "metadata", Y, shape=[3, 2**40, 7], data_type="int8")(trace)
    assert runs.same(open_trace(trace), whole)
    edit("", consolidated_metadata=5)(trace)
    assert runs.same(open_trace(trace), whole)


# ---- hostile -------------------------------------------------------------------------------------


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


@pytest.mark.parametrize("root", [2, 3, "gone"])
@pytest.mark.parametrize("beside", [True, False])
def test_pickle_in_metadata_of_zarr_2__is_never_run(trace, tmp_path, root, beside):
    label, proof = trace / "labels" / "label", tmp_path / "executed"
    text = np.empty(runs.N, object)
    text[:] = [Payload(proof)] * runs.N
    kind = {"zarr_format": 2, "shape": [runs.N], "chunks": [runs.N], "dtype": "|O", "compressor": None, "order": "C"}
    (label / ".zarray").write_text(json.dumps(kind | {"fill_value": 0, "filters": [{"id": "pickle"}]}))
    (label / ".zattrs").write_text('{"_ARRAY_DIMENSIONS": ["vertex"]}')
    (label / "0").write_bytes(pickle.dumps([*text, "|O", [runs.N]]))
    for group in (trace, trace / "labels"):
        (group / ".zgroup").write_text('{"zarr_format": 2}')
    if not beside:
        (label / "zarr.json").unlink()
    if root == "gone":
        (trace / "zarr.json").unlink()
    else:
        edit("", zarr_format=root)(trace)
    if beside and root == 3:
        open_trace(trace, verify=True).load()
        runs.resume(trace)
    else:
        check_refused(trace, "zarr.json|metadata")
    assert not proof.exists()


def test_labels_beyond_their_categories__are_refused(exchanged):
    path = exchanged("labels/label", lambda codes: codes.__setitem__(3, 7))
    with pytest.raises(ValueError, match="labels: expected codes of 3 categories, got others"):
        open_trace(path)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("indices", lambda a: a.__setitem__(0, 2**30)),
        ("indices", lambda a: a.__setitem__(0, -1)),
        ("indptr", lambda a: a.__setitem__(3, 2**40)),
        ("indptr", lambda a: a.__setitem__(0, -5)),
        ("indptr", lambda a: a.__setitem__(-1, a[-1] + 1)),
        ("weight", lambda a: a.__setitem__(0, np.nan)),
        ("weight", lambda a: a.__setitem__(0, -1)),
    ],
)
def test_graph_that_reaches_beyond_its_ends__is_refused_by_all_that_use_it(exchanged, name, change):
    path = exchanged(f"graph/{name}", change)
    opened, before = open_trace(path, verify=True), runs.files(path)
    for use in (graph_of, summary, lambda trace: replay(trace, 5), lambda _: runs.resume(path)):
        with pytest.raises(ValueError, match=r"graph with indices in 0 \.\.\. 59, got others; .* damaged"):
            use(opened)
    assert runs.files(path) == before


@pytest.mark.parametrize(
    ("path", "change", "said"),
    [
        ("epochs/done", lambda a: a.__setitem__(1, False), "epochs done one after the other"),
        ("epochs/done", lambda a: a.__setitem__(slice(None), False), "epochs done one after the other"),
        ("epochs/epoch", lambda a: a.__setitem__(1, 0), "epochs that rise from 0 to the last"),
        ("epochs/epoch", lambda a: a.__setitem__(0, -1), "epochs that rise from 0 to the last"),
        ("checkpoints/checkpoint_epoch", lambda a: a.__setitem__(-1, 99), "epochs that rise from 0 to the last"),
    ],
)
def test_epochs_out_of_order__are_refused(exchanged, path, change, said):
    check_refused(exchanged(path, change), said)


def test_resume__does_not_write_through_a_link_nor_wait_for_a_pipe(trace, tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (trace / "epochs" / "alpha" / "c.0.partial").symlink_to(mine)
    (trace / "layouts" / "Y" / f"c.{len(runs.PLAN['epochs'])}.0.0.partial").symlink_to(mine)
    os.mkfifo(trace / "epochs" / "done" / "c.0.partial")
    (trace / "epochs" / "done" / "lock").unlink()
    (trace / "epochs" / "done" / "lock").symlink_to(mine)
    with pytest.raises(OSError, match="lock"):
        runs.resume(trace)
    (trace / "epochs" / "done" / "lock").unlink()
    whole = runs.record(labels=LABELS, observers=runs.own())
    assert runs.same(runs.resume(trace), whole)
    assert mine.read_text() == "mine"
    assert list(trace.rglob("*.partial")) == []
