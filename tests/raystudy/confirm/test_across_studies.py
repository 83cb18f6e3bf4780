"""Two studies' winners on common seeds, against SciPy."""

import json

import numpy as np
import pytest
from scipy import stats
from stored_search import search

from raystudy.cli.compare import compare
from raystudy.config.spec import Objective
from raystudy.confirm import across_studies

CLEAN = Objective(metric="val/accuracy")
TEST = "test/accuracy"


def race(seeds, *entries, measured="alike"):
    """Return a race's result from (trial, mean on validation images, test values by seed)."""
    return {
        "measured": measured,
        "finalists": [
            {
                "trial": trial,
                "label": f"trial {trial}",
                "seeds": seeds,
                "left": None,
                "objectives": {CLEAN.metric: {"mean": mean}},
                "test": {TEST: {"seeds": seeds, "values": list(values)}},
            }
            for trial, mean, values in entries
        ],
    }


A = race([1, 2, 3, 4], (0, 0.4, [0.1] * 4), (3, 0.8, [0.71, 0.75, 0.73, 0.78]))
B = race([2, 3, 4, 5], (0, 0.7, [0.70, 0.69, 0.71, 0.60]), (2, 0.6, [0.9] * 4))
C = race([8, 9], (0, 0.7, [0.7, 0.7]))


def test_winners_are_tested_on_the_seeds_they_share():
    (test,) = across_studies.tests({"a": A, "b": B}, CLEAN, TEST)
    assert (test["studies"], test["seeds"]) == (["a", "b"], [2, 3, 4])
    assert test["configurations"] == ["trial 3", "trial 0"]
    ours, theirs = np.array([0.75, 0.73, 0.78]), np.array([0.70, 0.69, 0.71])
    expected = stats.ttest_rel(ours, theirs)
    assert test["difference"] == pytest.approx((ours - theirs).mean())
    assert (test["low"], test["high"]) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert test["p_holm"] == test["p_value"] == pytest.approx(expected.pvalue)


def test_all_pairs_are_corrected_together_and_those_without_common_seeds_left_out():
    found = across_studies.tests({"a": A, "b": B, "a2": A, "c": C}, CLEAN, TEST)
    assert [test["studies"] for test in found] == [["a", "b"], ["a", "a2"], ["b", "a2"]]
    assert found[0]["p_holm"] == pytest.approx(3 * found[0]["p_value"])
    assert found[1]["p_holm"] == 1


@pytest.mark.parametrize(("measured", "count"), [("alike", 1), ("otherwise", 0)])
def test_compare_tests_races_that_were_measured_alike(
    tmp_path, monkeypatch, capsys, measured, count
):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    for name, told in (
        ("simclr", A),
        ("byol", race([2, 3], (0, 0.7, [0.6, 0.7]), measured=measured)),
    ):
        study = search(tmp_path, [0.5, 0.6], "evaluate=probe_digits", name=name)
        (study.folder.path / "confirm.json").write_text(json.dumps(told))
    assert compare(["simclr-1", "byol-1"], [], as_json=True) == 0
    entries = json.loads(capsys.readouterr().out)
    assert [len(entry["tests"]) for entry in entries] == [count, count]
    assert compare(["simclr-1", "byol-1"], [], as_json=False) == 0
    assert ("paired by seed" in capsys.readouterr().out) == bool(count)
