"""Best trial, front and history, against values worked out by hand."""

import json
import re

import numpy as np
import pytest

from raystudy.config.spec import Objective
from raystudy.report import front, history, outcome, slices
from raystudy.study import comparability, uncertainty
from raystudy.study.study import Outcome

ROBUST, CLEAN = "val/robust_accuracy", "val/accuracy"
TWO = f"study.objectives=[{CLEAN},{ROBUST}]"


def robust(*values):
    return [{ROBUST: value} for value in values]


def row_of(table, first):
    (row,) = [row for row in table.rows if row[0] == first]
    return dict(zip(table.header, row, strict=True))


def test_the_best_so_far_is_that_of_the_complete_trials(study_of):
    values = [0.3, 0.5, 0.4, 0.9, 0.6]
    trials = [robust(v) for v in values]
    trials[3] = (robust(0.9), Outcome("failed", "RuntimeError: no"))
    study = study_of(trials)
    found = list(history.best_so_far(study.trials, Objective(metric=ROBUST)))
    assert found == [(0, 0.3), (1, 0.5), (4, 0.6)]


def test_the_best_so_far_of_what_is_minimised_falls(study_of):
    study = study_of([robust(v) for v in (0.5, 0.6, 0.2)])
    objective = Objective(metric=ROBUST, direction="minimize", worst=1.0)
    assert list(history.best_so_far(study.trials, objective)) == [(0, 0.5), (2, 0.2)]


def test_a_trial_beyond_a_constraint_is_never_the_best_so_far(study_of):
    trials = [[{ROBUST: r, CLEAN: c}] for r, c in ((0.3, 0.9), (0.6, 0.2), (0.4, 0.9))]
    study = study_of(trials, f"study.constraints=['{CLEAN} >= 0.5']")
    found = list(history.best_so_far(study.trials, study.spec.objectives[0]))
    assert found == [(0, 0.3), (2, 0.4)]
    assert "1 of 3 complete trials violate" in outcome.section(study).warning


def test_the_best_trial_stands_beside_the_recipe(study_of):
    study = study_of([[{ROBUST: r, CLEAN: c}] for r, c in ((0.3, 0.9), (0.5, 0.8), (0.4, 0.7))])
    (table,) = outcome.section(study).tables
    row = row_of(table, ROBUST)
    assert row.pop("95% interval") == "0.447 to 0.553"  # 180 of 360
    assert row == {
        "measure": ROBUST,
        "recipe (trial 0)": 0.3,
        "best (trial 1)": 0.5,
        "difference": pytest.approx(0.2),
    }
    assert row_of(table, CLEAN)["difference"] == pytest.approx(-0.1)
    assert outcome.headline(study) == (
        f"Best is trial 1 with {ROBUST} 0.5000; the published recipe (trial 0) has 0.3000 "
        "(+0.2000)."
    )
    assert "One seed" in outcome.section(study).warning


def test_the_front_is_that_of_full_trials_and_nothing_dominates_it(study_of):
    rng = np.random.default_rng(0)
    values = rng.uniform(size=(30, 2)).tolist()
    trials = [[{CLEAN: clean, ROBUST: one}] for clean, one in values]
    trials[7] = ([{CLEAN: 2.0, ROBUST: 2.0}], Outcome("failed", "RuntimeError: no"))
    study = study_of(trials, TWO)
    section = outcome.section(study)
    told = {
        int(row[0].split()[0])
        for row in section.tables[0].rows
        if row[0] != "0 (recipe)" or 0 in {s.number for s in study.best}
    }
    full = [number for number in range(30) if number != 7]
    expected = {
        a
        for a in full
        if not any(
            values[b][0] >= values[a][0] and values[b][1] >= values[a][1] and b != a for b in full
        )
    }
    assert told == expected
    assert list(section.figures) == ["front-val-accuracy-val-robust-accuracy"]


@pytest.mark.parametrize(
    ("directions", "points", "corner"),
    [
        (("maximize", "maximize"), [(0.1, 0.9), (0.5, 0.2)], (0.1, 0.2)),
        (("minimize", "minimize"), [(0.1, 0.9), (0.5, 0.2)], (0.5, 0.9)),
        (("maximize", "minimize"), [(0.1, 0.2), (0.5, 0.9)], (0.1, 0.9)),
        (("minimize", "maximize"), [(0.1, 0.2), (0.5, 0.9)], (0.5, 0.2)),
    ],
)
def test_the_corner_between_two_points_of_the_front_is_dominated_by_both(
    directions, points, corner
):
    first, second = (Objective(metric=ROBUST, direction=d, worst=1.0) for d in directions)
    line = front.attained(points, first)
    assert line == [points[0], corner, points[1]]
    for x, y in points:
        assert not first.is_better(corner[0], than=x)
        assert not second.is_better(corner[1], than=y)


def test_the_history_has_a_mark_for_every_trial_at_its_value(study_of):
    values = [0.31, 0.52, 0.43]
    study = study_of([robust(v) for v in values] + [(robust(0.2), Outcome("failed", "no"))])
    picture = history.section(study).figures["history-val-robust-accuracy"]
    marks = re.findall(r"<title>(trial \d: [\d.]+, \w+)", picture)
    assert sorted(marks) == [
        "trial 0: 0.3100, complete",
        "trial 1: 0.5200, complete",
        "trial 2: 0.4300, complete",
        "trial 3: 0.2000, failed",
    ]
    heights = {
        name: float(y)
        for y, name in re.findall(r'<path d="M[\d.]+,([\d.]+)[^>]*><title>trial (\d)', picture)
    }
    # Pixels go down as values go up, and as far.
    per_unit = (heights["0"] - heights["1"]) / 0.21
    assert heights["0"] - heights["2"] == pytest.approx(per_unit * 0.12, abs=0.2)
    assert heights["3"] - heights["0"] == pytest.approx(per_unit * 0.11, abs=0.2)


def test_a_front_of_counts_has_intervals_chances_and_a_hypervolume(study_of):
    counts = [(250, 150), (260, 145), (270, 140), (240, 160), (280, 99), (301, 97), (200, 96)]
    study = study_of([[{CLEAN: c / 360, ROBUST: r / 360}] for c, r in counts], TWO)
    section = outcome.section(study)
    found = uncertainty.estimate(study.ended, study.spec.objectives, study.manifest.measured_on)
    row = row_of(section.tables[0], "3")
    assert row["probability"] == found.chances[3]
    assert row["95% interval"] == "{1:.3f} to {2:.3f}".format(*found.intervals[3][ROBUST])
    (picture,) = section.figures.values()
    assert "95% interval over images" in picture
    assert section.facts["hypervolume"] == uncertainty.area_words(found.hypervolume)
    assert f"fingerprint {comparability.fingerprint(study)}" in section.measured
    assert "PGD(LinfBall(epsilon=0.1), step_size=0.01, steps=20, start=ball)" in section.measured


def test_a_gain_below_the_noise_floor_is_grey_and_one_above_is_bold(study_of):
    study = study_of([robust(0.3), robust(0.35)])
    assert "noise floor" not in outcome.section(study).facts
    for floor, faint in ((0.06, {0}), (0.04, set())):
        told = {"finalists": [{"trial": 0}], "noise_floors": {ROBUST: {"one_seed": floor}}}
        (study.folder.path / "floor.json").write_text(json.dumps(told))
        section = outcome.section(study)
        assert section.tables[0].faint == faint
        assert section.tables[0].strong == {0} - faint
        assert f"{floor:.4f}" in section.facts["noise floor"]


def test_a_recipe_beyond_a_constraint_is_said_to_be(study_of):
    trials = [[{ROBUST: r, CLEAN: c}] for r, c in ((0.6, 0.2), (0.4, 0.9))]
    study = study_of(trials, f"study.constraints=['{CLEAN} >= 0.5']")
    assert outcome.headline(study).endswith(f"(-0.2000), but violates {CLEAN} >= 0.5.")


def test_where_all_failed_nothing_is_drawn_of_a_best_and_no_slices(study_of):
    study = study_of([(robust(0.1), Outcome("failed", "RuntimeError: no")) for _ in range(2)])
    (picture,) = history.section(study).figures.values()
    assert "best complete" not in picture
    assert slices.section(study) is None


def test_a_recipe_that_nothing_beat_is_said_to_be(study_of):
    assert "No trial beat the published recipe" in outcome.section(study_of([robust(0.5)])).warning
