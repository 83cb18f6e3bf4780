"""The race on fresh seeds, as `raystudy confirm` leaves it."""

import json

import pytest

from raystudy.report import confirmed

ROBUST = "val/robust_accuracy"


def robust(*values):
    return [{ROBUST: value} for value in values]


def row_of(table, first):
    (row,) = [row for row in table.rows if row[0] == first]
    return dict(zip(table.header, row, strict=True))


def race(**changed):
    finalist = {
        "trial": 3,
        "label": "trial 3",
        "seeds": [1, 2],
        "values": [0.5, 0.6],
        "mean": 0.55,
        "low": 0.4,
        "high": 0.7,
        "p_value": 0.01,
        "p_holm": 0.02,
        "test": {"test/robust_accuracy": {"mean": 0.52, "low": 0.5, "high": 0.54}},
    }
    recipe = finalist | {"trial": 0, "label": "recipe", "p_value": None, "p_holm": None, "test": {}}
    return {"finalists": [recipe, finalist | changed], "metric": ROBUST, "confidence": 0.9}


def test_a_race_is_told_with_its_intervals_and_p_values(study_of):
    study = study_of([robust(0.5)])
    assert confirmed.section(study) is None
    (study.folder.path / "confirm.json").write_text(json.dumps(race()))
    section = confirmed.section(study)
    assert row_of(section.tables[0], "trial 3") == {
        "finalist": "trial 3",
        "trial": 3,
        "seeds": 2,
        "mean": 0.55,
        "low": 0.4,
        "high": 0.7,
        "p": 0.01,
        "p (Holm)": 0.02,
    }
    assert section.tables[1].rows == [["trial 3", "test/robust_accuracy", 0.52, 0.5, 0.54]]
    assert "90% interval" in section.words
    assert confirmed.headline(study) == (
        f"On fresh seeds trial 3 with 0.5500 differs from the published recipe in {ROBUST} "
        "against its 0.5500 (Holm-corrected p below 0.05)."
    )


def test_a_race_without_a_winner_says_so(study_of):
    study = study_of([robust(0.5)])
    (study.folder.path / "confirm.json").write_text(json.dumps(race(p_holm=0.3)))
    assert "no finalist differs" in confirmed.headline(study)


@pytest.mark.parametrize("text", ["", '{"finalists": [', "[]", '{"finalists": []}'])
def test_a_torn_or_empty_race_is_no_race(study_of, text):
    study = study_of([robust(0.5)])
    (study.folder.path / "confirm.json").write_text(text)
    assert confirmed.section(study) is None
    assert confirmed.headline(study) == ""
