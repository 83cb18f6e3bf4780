"""What a study says in the end."""

import io
import json

import pytest
from rich.console import Console
from surrogate_study import open_study, run_study
from surrogates import CLEAN, ROBUST

from raystudy.config.budget import Budget
from raystudy.config.constraint import Constraint
from raystudy.interface import conclusion
from raystudy.storage import output_dir
from raystudy.study import uncertainty
from raystudy.study.inline import Report
from raystudy.study.study import Outcome
from raystudy.study.tracker import NoTracker
from raystudy.trackers.mlflow import MlflowTracker

BOTH = (CLEAN, ROBUST)


def said(study, *, tracked=True):
    console = Console(file=io.StringIO(), width=200)
    tracker = MlflowTracker(None, output_dir=str(output_dir.default()))
    conclusion.show(console, study, tracker if tracked else NoTracker())
    return console.file.getvalue()


def tell(study, *points):
    for clean, robust in points:
        number = study.next_trial().number
        study.report(number, 1, {CLEAN: clean, ROBUST: robust})
        study.finish(number, Outcome("completed"))
    return study


def test_the_best_is_told_with_its_gain_over_the_recipe(tmp_path):
    words = said(tell(open_study(tmp_path / "s", num_trials=2), (0.9, 0.3), (0.8, 0.5)))
    assert "best trial:    1  robust 0.5000  clean 0.8000" in words
    assert "robust +0.2000" in words
    assert "infeasible" not in words


def test_nobody_is_sent_to_what_is_not_there(tmp_path):
    study = open_study(tmp_path / "s", num_trials=1)
    study.report(study.next_trial().number, 1, {CLEAN: float("nan"), ROBUST: 0.1})
    words = said(study, tracked=False)
    assert "raystudy ui" not in words
    assert "error.txt" not in words
    (tmp_path / "s/trials/0000").mkdir(parents=True)
    (tmp_path / "s/trials/0000/error.txt").write_text("Traceback")
    words = said(study)
    assert "raystudy ui" in words
    assert "error.txt" in words


def test_a_front_is_told_trial_by_trial(tmp_path):
    study = open_study(tmp_path / "s", objectives=BOTH, num_trials=3)
    words = said(tell(study, (0.9, 0.3), (0.8, 0.51), (0.7, 0.4)))
    doubt = uncertainty.estimate(
        study.summaries(), study.info.spec.objectives, study.info.measured_on
    )
    assert "Pareto front:  2 trials that no complete trial dominates" in words
    chance = uncertainty.chance_words(doubt, 0)
    assert f"  0  clean 0.9000  robust 0.3000  {chance}  the published recipe" in words
    assert "  1  clean 0.8000  robust 0.5100" in words
    assert f"hypervolume:   {uncertainty.area_words(doubt.hypervolume)}" in words
    assert "0.7000" not in words
    assert "raystudy best s" in words


def test_infeasible_trials_are_counted(tmp_path):
    spec = {"constraints": (Constraint(ROBUST, ">=", 0.35),)}
    study = open_study(tmp_path / "s", objectives=(CLEAN,), spec=spec, num_trials=2)
    words = said(tell(study, (0.9, 0.3), (0.8, 0.5)))
    assert f"infeasible:    1 of 2 complete ({ROBUST} >= 0.35)" in words
    assert "best trial:    1 " in words


def test_a_best_trial_beyond_the_constraints_says_so(tmp_path):
    spec = {"constraints": (Constraint(ROBUST, ">=", 0.35),)}
    study = open_study(tmp_path / "s", objectives=(CLEAN,), spec=spec, num_trials=2)
    words = said(tell(study, (0.9, 0.25), (0.8, 0.3)))
    assert "best trial:    1 " in words
    assert f"infeasible: {ROBUST} is 0.3, not >= 0.35; no trial satisfies all constraints" in words


def test_a_spent_budget_is_told(tmp_path):
    def curves(_):
        yield Report(1, {ROBUST: 0.3, "cost/images": 60.0})

    spec = {"budget": Budget(images=100)}
    words = said(run_study(tmp_path / "s", curves, num_trials=9, spec=spec))
    assert "study.budget.images=100 is spent (120 images) after 2 of 9 trials" in words
    assert "spent:         120 images" in words


@pytest.mark.parametrize("objectives", [(ROBUST,), BOTH])
def test_a_study_without_a_complete_trial_has_no_best(tmp_path, objectives):
    def crash(_):
        raise RuntimeError("out of memory")
        yield

    words = said(run_study(tmp_path / "s", crash, objectives=objectives, num_trials=2))
    assert "none of the 2 trials completed: 2 failed" in words
    assert "best" not in words


def test_a_gain_below_the_noise_floor_is_called_so(tmp_path):
    study = tell(open_study(tmp_path / "s", num_trials=2), (0.9, 0.3), (0.8, 0.35))
    floor = {"finalists": [{"trial": 0}], "noise_floors": {ROBUST: {"one_seed": 0.06}}}
    assert "seed-to-seed noise" not in said(study)
    (tmp_path / "s" / "floor.json").write_text(json.dumps(floor))
    assert "robust +0.0500 (below the seed-to-seed noise of single runs, 0.0600)" in said(study)


def test_a_recipe_beyond_a_constraint_is_said_to_be(tmp_path):
    spec = {"constraints": (Constraint(ROBUST, ">=", 0.35),)}
    study = open_study(tmp_path / "s", objectives=(CLEAN,), spec=spec, num_trials=2)
    words = said(tell(study, (0.9, 0.3), (0.8, 0.5)))
    assert f"the recipe is infeasible: {ROBUST} is 0.3, not >= 0.35" in words
