"""What can happen to a trace on disk: each damage with what is to be said of it."""

import json
import os
import shutil
from pathlib import Path

from umapinfo.trace import store


def edit(_array, *keys, sign=True, **changes):
    """Change a zarr.json: at the keys given, set (or, None, remove) those of `changes`."""

    def change(folder):
        file = folder / _array / "zarr.json"
        document = part = json.loads(file.read_text())
        for key in keys:
            part = part[key]
        part.update(changes)
        for key in [key for key, value in changes.items() if value is None]:
            del part[key]
        if _array == "" and sign:
            document["attributes"] = store.signed(document["attributes"])
        file.write_text(json.dumps(document))

    return change


def shaped(name, shape):
    """Give an array another shape, and chunks to match."""

    def change(folder):
        chunk_shape = [1 if name.split("/")[0] != "updates" else min(shape[0], 2**20), *shape[1:]]
        edit(name, shape=shape)(folder)
        edit(name, "chunk_grid", "configuration", chunk_shape=chunk_shape)(folder)

    return change


def put(name, data):
    """Replace a file: by bytes, or by what a function makes of the place."""

    def change(folder):
        file = folder / name
        if file.is_dir():
            shutil.rmtree(file)
        else:
            file.unlink()
        if callable(data):
            data(file)
        elif data is not None:
            file.write_bytes(data)

    return change


def flip(name):
    def change(folder):
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 4
        (folder / name).write_bytes(data)

    return change


def huge(file):
    with open(file, "wb") as stream:
        stream.truncate(2**40)


Y, CHUNK = "layouts/Y", "layouts/Y/c.1.0.0"
DEEP = b'{"attributes": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
DAMAGE = {
    "missing chunk": (put(CHUNK, None), r"expected 484 bytes in layouts/Y/c\.1\.0\.0, got no such file"),
    "cut chunk": (put(CHUNK, b"x" * 100), r"expected 484 bytes in layouts/Y/c\.1\.0\.0, got 100"),
    "long chunk": (put(CHUNK, b"x" * 485), r"expected 484 bytes .* got 485"),
    "empty chunk": (put(CHUNK, b""), r"expected 484 bytes .* got 0"),
    "huge chunk": (put(CHUNK, huge), r"expected 484 bytes .* got 1,099"),
    "folder for a chunk": (put(CHUNK, Path.mkdir), "got no such file"),
    "pipe for a chunk": (put(CHUNK, os.mkfifo), "got no such file"),
    "endless chunk": (put(CHUNK, lambda file: file.symlink_to("/dev/zero")), "got no such file"),
    "dangling chunk": (put(CHUNK, lambda file: file.symlink_to("nowhere")), "got no such file"),
    "flipped bit of done": (flip("epochs/done/c.0"), "expected epochs/done/c.0 to match its checksum"),
    "flipped bit of labels": (flip("labels/label/c.0"), "expected labels/label/c.0 to match its checksum"),
    "flipped bit of a coordinate": (flip("observed/epoch/c.0"), "expected observed/epoch/c.0 to match its checksum"),
    "missing array": (put(Y, None), "no layouts/Y"),
    "missing group": (put("graph", None), "no graph/indptr"),
    "array without metadata": (put(f"{Y}/zarr.json", None), "readable metadata, got FileNotFoundError"),
    "no JSON": (put(f"{Y}/zarr.json", b"{"), "readable metadata, got JSONDecodeError"),
    "binary": (put("zarr.json", bytes(range(256))), "readable metadata, got Unicode"),
    "JSON without attributes": (put("zarr.json", b"5"), "readable metadata, got TypeError"),
    "deep JSON": (put("zarr.json", DEEP), "readable metadata, got RecursionError"),
    "huge JSON": (put("layouts/zarr.json", huge), "layouts/zarr.json of 1,099,511,627,776 bytes"),
    "pipe for JSON": (put("layouts/zarr.json", os.mkfifo), "layouts/zarr.json of 0 bytes"),
    "link for JSON": (put("zarr.json", lambda file: file.symlink_to("layouts/zarr.json")), "zarr.json of"),
    "link for a group": (put("labels", lambda file: file.symlink_to("graph")), "neither a file nor a folder"),
    "pipe beside the groups": (lambda folder: os.mkfifo(folder / "x"), "x, neither a file nor a folder"),
    "edited attributes": (edit("", "attributes", sign=False, seed=7), "changed since: they do not match their sha256"),
    "other schema": (
        edit("", "attributes", schema=2),
        "expected schema 1, got 2; open it with the umapinfo",
    ),
    "no observers": (edit("", "attributes", observers="ab"), "observers that are no list of strings"),
    "no resumed": (edit("", "attributes", resumed=5), "resumed that are no list of strings"),
    "curve of text": (edit("", "attributes", a="x"), "metadata as the schema has them"),
    "n_vertices of others": (edit("", "attributes", n_vertices=61), "places along vertex"),
    "n_neighbors of text": (edit("", "attributes", n_neighbors="x"), "n_neighbors"),
    "no seed": (edit("", "attributes", seed=None), "metadata as the schema has them, got 'seed'"),
    "root of zarr 2": (edit("", zarr_format=2), "the root declared as"),
    "group of zarr 2": (edit("layouts", zarr_format=2), "layouts declared as"),
    "group with attributes": (edit("layouts", "attributes", a=1), "layouts declared as"),
    "group with more": (edit("layouts", must_understand=True), "layouts declared as"),
    "group with consolidated metadata": (edit("layouts", consolidated_metadata={}), "layouts declared as"),
    "huge shape": (shaped(Y, [2**40, 2**47, 2]), "places along"),
    "huge shape, other chunks": (edit(Y, shape=[9, 2**47, 2]), "stored as"),
    "shape too huge": (edit(Y, shape=[9, 2**70, 2]), "shape"),
    "shape of text": (edit(Y, shape=["9", 60, 2]), "shape"),
    "many axes": (shaped(Y, [9, 60, 2**40]), "places along axis"),
    "many updates": (shaped("updates/delta", [2**47, 2]), "places along update"),
    "many values of one's own": (
        shaped("observed/even", [9, 2**47]),
        "140,737,488,355,332 bytes in observed/even",
    ),
    "dtype of others": (edit(Y, data_type="float64"), "dtype float64, expected"),
    "dtype of objects": (edit(Y, data_type="object"), "metadata as the schema has them, got 'object'"),
    "other dims": (edit(Y, dimension_names=["epoch", "axis", "vertex"]), "with the dims"),
    "no dims": (edit(Y, dimension_names=None), "dimension_names"),
    "other dims of one's own": (edit("observed/größe", dimension_names=["epoch_"]), "knows nothing"),
    "other codec": (edit(Y, codecs=[{"name": "bytes", "configuration": {"endian": "big"}}]), "stored as"),
    "unknown codec": (edit(Y, codecs=[{"name": "numcodecs.pickle"}, {"name": "crc32c"}]), "stored as"),
    "codec with more": (edit(Y, "codecs", 0, "configuration", more=1), "stored as"),
    "other chunks": (edit(Y, "chunk_grid", "configuration", chunk_shape=[9, 60, 2]), "stored as"),
    "chunk grid with more": (edit(Y, "chunk_grid", "configuration", more=1), "stored as"),
    "other fill value": (edit(Y, fill_value=0), "stored as"),
    "fill value of another kind": (edit("epochs/done", fill_value=0), "stored as"),
    "other keys": (edit(Y, "chunk_key_encoding", name="v2"), "stored as"),
    "storage transformer": (edit(Y, storage_transformers=[{"name": "x"}]), "stored as"),
    "array with more": (edit(Y, must_understand=True), "stored as"),
    "array that is a group": (edit(Y, node_type="group"), "stored as"),
    "attribute with more": (edit(Y, "attributes", scale_factor=2), "metadata as the schema has them"),
    "foreign array": (lambda folder: shutil.copytree(folder / Y, folder / "graph" / "x"), "schema knows nothing"),
}
