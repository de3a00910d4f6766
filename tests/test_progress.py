"""Progress bars: shown when it takes long, gone when it is over."""

import pytest
from tqdm import auto

from umapinfo.progress import Progress


@pytest.fixture
def bars(monkeypatch):
    """The bars that were opened, which write as they would to a terminal."""
    opened = []

    def recorded(**options):
        opened.append(tqdm(**{**options, "mininterval": 0}))
        return opened[-1]

    tqdm = auto.tqdm
    monkeypatch.setattr(auto, "tqdm", recorded)
    return opened


def test_progress__shows_each_stage_and_takes_its_bar_away(bars, capsys):
    report = Progress(delay=1e-6)
    for stage, total in (("neighbours", 2), ("descent", 4)):
        for done in range(total + 1):
            report(stage, done, total)
    shown = capsys.readouterr().err
    assert "neighbours: 100%" in shown
    assert "descent:  75%" in shown
    assert shown.endswith("\r")
    assert [bar.disable for bar in bars] == [True, True]  # closed


def test_progress__shows_nothing_when_it_is_quick_or_not_wanted(capsys):
    for report in (Progress(), Progress(shown=False, delay=0)):
        for done in range(100):
            report("descent", done, 100)
        report.close()
    captured = capsys.readouterr()
    assert captured.err == captured.out == ""


def test_progress__keeps_its_bar_when_there_is_more_to_do_than_was_known(bars, capsys):
    report = Progress(delay=1e-6)
    for done in range(1, 5):
        report("eigenvalues", done, done + 1)
    assert len(bars) == 1
    assert "4/5" in capsys.readouterr().err
    report("eigenvalues", 4, 4)
    assert bars[-1].disable  # closed


def test_progress__starts_anew_when_a_stage_is_run_again(bars):
    report = Progress()
    report("descent", 3, 10)
    report("descent", 1, 10)
    assert [bar.n for bar in bars] == [3, 1]
    report.close()


def test_progress__takes_its_bar_away_when_the_computation_fails(bars):
    def computation(report):
        report("descent", 1, 2)
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"), Progress() as report:
        computation(report)
    assert bars[0].disable
