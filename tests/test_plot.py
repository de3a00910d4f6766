"""Figures and numbers on disk: the same bytes for the same content, and never half a file."""

import json

import numpy as np
import pytest
from matplotlib import pyplot as plt

from umapinfo.plot import PALETTE, save_figure, style, write_numbers


def line_plot():
    """A figure with letters, a Greek one among them, and a legend."""
    with style():
        figure, ax = plt.subplots()
        ax.plot([0, 1, 2], [0, 1, 4], label="loss, α = 1")
        ax.set_xlabel("epoch")
        ax.legend()
    return figure


def test_save_figure__writes_the_same_bytes_at_another_time(tmp_path, monkeypatch):
    files = []
    for date in ("0", "1700000000"):  # what matplotlib takes for the time of writing
        monkeypatch.setenv("SOURCE_DATE_EPOCH", date)
        stem = tmp_path / date / "figures" / "draft.1"  # a dot in the name is no ending
        figure = line_plot()
        save_figure(figure, stem)
        plt.close(figure)
        files.append({path.name: path.read_bytes() for path in stem.parent.iterdir()})
    assert set(files[0]) == {"draft.1.pdf", "draft.1.png"}
    assert files[0] == files[1]
    for content in files[0].values():
        assert b"matplotlib" not in content.lower()
        assert b"CreationDate" not in content


def test_save_figure__writes_letters_as_truetype_whatever_is_set_outside(tmp_path):
    figure = line_plot()
    with plt.rc_context({"pdf.fonttype": 3, "pdf.compression": 0}):
        save_figure(figure, tmp_path / "draft")
    plt.close(figure)
    assert b"/CIDFontType2" in (tmp_path / "draft.pdf").read_bytes()


def test_style__gives_lines_the_palette_and_goes_back_afterwards():
    before = plt.rcParams["font.size"]
    with style():
        figure, ax = plt.subplots()
        (line,) = ax.plot([0, 1])
        assert line.get_color() == PALETTE[0]
        plt.close(figure)
    assert plt.rcParams["font.size"] == before


def test_save_figure__leaves_the_old_files_when_it_fails(tmp_path):
    class Broken:
        def savefig(self, path, **kwargs):
            path.write_bytes(b"half a fig")
            raise OSError("no room")

    (tmp_path / "degree.pdf").write_bytes(b"old")
    with pytest.raises(OSError, match="no room"):
        save_figure(Broken(), tmp_path / "degree")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"degree.pdf": b"old"}


def test_write_numbers__sorts_rounds_and_reads_back(tmp_path):
    path = tmp_path / "numbers" / "degree.json"
    numbers = {
        "b": np.float32(0.5),
        "a": {"mean": 1 / 3, "n": np.int64(7)},
        "c": [-0.0, np.arange(2)],
        "d": "x",
    }
    write_numbers(path, numbers)
    assert path.read_text().startswith('{\n  "a": {\n    "mean": 0.3333333333,\n')
    assert "-0" not in path.read_text()
    assert json.loads(path.read_text()) == {
        "a": {"mean": 0.3333333333, "n": 7},
        "b": 0.5,
        "c": [0.0, [0, 1]],
        "d": "x",
    }
    first = path.read_bytes()
    write_numbers(path, dict(reversed(numbers.items())))
    assert path.read_bytes() == first


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_write_numbers__refuses_what_is_not_finite_and_leaves_the_old_file(tmp_path, value):
    path = tmp_path / "numbers.json"
    write_numbers(path, {"kl": 1.0})
    with pytest.raises(ValueError, match=r"expected finite numbers, got .* for 'loss\.kl\[1\]'"):
        write_numbers(path, {"loss": {"kl": [0.0, value]}})
    assert json.loads(path.read_text()) == {"kl": 1.0}
    assert len(list(tmp_path.iterdir())) == 1
