"""What the study of blocks rests on (analyses/blocks.py): its rules beside what they claim, and kept layouts."""

import _runs
import numpy as np
import pytest
from _runs import last_layout, problem
from blocks import RULES, SHOWN, beside, fewest

from umapinfo import Descent


def failures(n_trials):
    """Share of trials in which an order that does not differ fails each rule, of one statistic and of any of four."""
    random = np.random.default_rng(0)
    kept = np.array(
        [
            [[one[rule] for rule in RULES] for one in (beside(*random.normal(9, 1, (2, 5))) for _ in SHOWN)]
            for _ in range(n_trials)
        ]
    )
    return 1 - kept.mean(axis=(0, 1)), 1 - kept.all(axis=1).mean(axis=0)


def test_rules__fail_as_often_as_the_study_says_where_nothing_differs():
    of_one, of_four = failures(2000)
    # Binomial standard errors are 0.004 of 8000 statistics and 0.005 of 2000 orders: three of them.
    assert of_one[:2] == pytest.approx([0.14, 0.08], abs=0.012)
    assert of_four[2] <= 0.05 + 0.015


def test_rules__fail_where_the_means_are_far_apart():
    one = beside(np.arange(5.0) + 9, np.arange(5.0))
    assert one["difference"] == 9
    assert one["relative_difference"] == 4.5
    assert one["standard_error"] == pytest.approx(1)  # both variances are 2.5
    assert not any(one[rule] for rule in RULES)


def test_fewest_blocks__are_those_from_which_on_all_statistics_are_within():
    def table(**within):
        return {number[1:]: {"a": {"rule": True}, "b": {"rule": kept}} for number, kept in within.items()}

    assert fewest(table(_1=True, _2=False, _4=True, _16=True), "rule") == 4
    assert fewest(table(_1=True, _2=True), "rule") == 1
    assert fewest(table(_2=True, _16=False), "rule") is None


def test_last_layout__is_run_once_for_a_problem_and_settings(tmp_path, monkeypatch):
    given, descent = problem("ring", 60, 20), Descent(n_epochs=20, seed=1)
    first = last_layout("ring", given, descent, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setattr(_runs, "epochs", lambda *_: pytest.fail("ran again"))
    assert np.array_equal(last_layout("ring", given, descent, tmp_path), first)
    monkeypatch.undo()
    assert not np.array_equal(last_layout("ring", given, Descent(n_epochs=20, seed=2), tmp_path), first)
    assert len(list(tmp_path.iterdir())) == 2
    moved = given._replace(start=given.start[::-1].copy())
    assert not np.array_equal(last_layout("ring", moved, descent, tmp_path), first)
    assert len(list(tmp_path.iterdir())) == 2  # in place of the first, whose problem it is no more
