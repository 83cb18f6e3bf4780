"""The race on fresh seeds, as `raystudy confirm` leaves it."""

import json
import re

import pytest

from raystudy.config.spec import Objective
from raystudy.confirm import verdict
from raystudy.report import confirmation, outcome
from raystudy.report.drawing import marks
from raystudy.storage.plans import ConfirmPlan
from raystudy.trial.info import TrialSummary

ROBUST, TEST = "val/robust_accuracy", "test/robust_accuracy"
SEEDS = (11, 12, 13, 14)


def robust(*values):
    return [{ROBUST: value} for value in values]


def race(gain):
    """Return the verdict on a finalist that is better than the recipe by `gain` on average."""
    worth = {0: (0.40, 0.41, 0.42, 0.41), 3: tuple(0.4 + gain + s / 1000 for s in (3, 9, 21, 14))}
    values = {
        (trial, seed): value
        for trial, all_ in worth.items()
        for seed, value in zip(SEEDS, all_, strict=True)
    }
    return verdict.sum_up(
        verdict.Outcomes(
            plan=ConfirmPlan(
                study="mine", top=1, seeds=SEEDS, params={0: {}, 3: {}}, overrides={0: [], 3: []}
            ),
            objectives=[Objective(metric=ROBUST)],
            runs={
                point: TrialSummary(number=n, state="complete", epoch=1, last={ROBUST: value})
                for n, (point, value) in enumerate(values.items())
            },
            tests={point: {TEST: value - 0.05} for point, value in values.items()},
            departures={},
            over="all 4 seeds were run",
        )
    )


def raced(study_of, gain, study_id="mine"):
    study = study_of([robust(0.5)], study_id=study_id)
    (study.folder.path / "confirm.json").write_text(json.dumps(race(gain)))
    return study


def test_a_race_is_told_as_its_verdict_has_it(study_of):
    section, summary = confirmation.section(raced(study_of, 0.1)), race(0.1)
    recipe, finalist = summary["finalists"]
    on_val, on_test, floors = section.tables
    assert on_val.rows[1] == [
        "trial 3",
        4,
        finalist["mean"],
        finalist["low"],
        finalist["high"],
    ]
    told = finalist["test"][TEST]
    keys = ("mean", "low", "high", "difference", "difference_low", "difference_high")
    assert on_test.rows[1][2:] == [*(told[key] for key in keys), told["p_value"], told["p_holm"]]
    assert on_test.rows[0][2:5] == [recipe["test"][TEST][key] for key in ("mean", "low", "high")]
    assert list(section.figures) == [
        "race-val-robust-accuracy",
        "race-test-robust-accuracy",
    ]
    floor = summary["noise_floors"][TEST]
    assert floors.rows[1] == [
        TEST,
        4,
        *(floor[k] for k in ("sd", "one_seed", "unpaired", "paired")),
    ]


@pytest.mark.parametrize(("gain", "words"), [(0.1, "beats"), (0.0, "no finalist differs")])
def test_the_verdict_is_the_headline(study_of, gain, words):
    study = raced(study_of, gain)
    (sentence,) = confirmation.headlines(study)
    assert race(gain)["conclusion"][0] in sentence
    assert words in sentence
    assert "next section" in outcome.section(study).warning


def test_differences_stand_between_the_noise_floors(study_of):
    """The recipe at 0 in the middle of the floors, the finalist to the right of both."""
    picture = confirmation.section(raced(study_of, 0.1)).figures["race-test-robust-accuracy"]
    dashed = [path for path in re.findall(r"<path[^>]+>", picture) if "5 3" in path and "L" in path]
    zero, high, low = (float(re.search(r'd="M([\d.]+)', path)[1]) for path in dashed)
    assert zero - low == pytest.approx(high - zero, abs=0.15)
    (mark,) = re.findall(r'd="M([\d.]+),[\d.]+h0"', picture)
    assert float(mark) > high


def test_a_race_without_a_test_reading_is_told_so_far(study_of):
    study, summary = raced(study_of, 0.1), race(0.1)
    for one in summary["finalists"]:
        one["test"] = {}
    (study.folder.path / "confirm.json").write_text(json.dumps(summary))
    assert list(confirmation.section(study).figures) == ["race-val-robust-accuracy"]
    assert len(confirmation.section(study).tables) == 2


@pytest.mark.parametrize("text", [None, "", '{"finalists": [', "[]", '{"finalists": []}'])
def test_a_torn_or_empty_race_is_no_race(study_of, text):
    study = study_of([robust(0.5)])
    if text is not None:
        (study.folder.path / "confirm.json").write_text(text)
    assert confirmation.section(study) is None
    assert confirmation.headlines(study) == []
    assert "raystudy confirm mine" in outcome.section(study).warning


def test_a_difference_below_the_floor_is_grey_and_one_above_is_not(study_of):
    for gain, faint in ((0.1, frozenset()), (0.0, frozenset({1}))):
        section = confirmation.section(raced(study_of, gain, f"gain-{gain}"))
        assert section.tables[1].faint == faint
        grey = marks.PALE in section.figures["race-test-robust-accuracy"]
        assert grey == bool(faint)
