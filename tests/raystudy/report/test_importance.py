"""Importance: Optuna's own numbers, and their doubt."""

import io
import logging
import math

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from raystudy.report import importance
from raystudy.study.study import Outcome

ROBUST = "val/robust_accuracy"


def robust(*values):
    return [{ROBUST: value} for value in values]


def by_rate(params):
    """Return a trial whose worth depends on the learning rate alone."""
    return robust(0.5 - 0.2 * math.log10(params["optimizer.lr"] / 1.5) ** 2)


def as_optuna_sees_it(study):
    storage = JournalStorage(JournalFileBackend(str(study.folder.journal)))
    return optuna.load_study(study_name=study.id, storage=storage)


def test_importance_is_what_optuna_says_of_the_journal(study_of):
    study = study_of([by_rate] * 40)
    trials = importance.full_trials(study)
    told = {one.path: one.share for one in importance.assess(study, trials, 0, "ped_anova")}
    expected = optuna.importance.get_param_importances(
        as_optuna_sees_it(study), evaluator=PedAnovaImportanceEvaluator()
    )
    assert told == pytest.approx(expected)


def test_only_the_axis_that_matters_is_more_important_than_chance(study_of):
    study = study_of([by_rate] * 80)
    found = importance.assess(study, importance.full_trials(study), 0, "ped_anova")
    assert [one.path for one in found if one.above_chance] == ["optimizer.lr"]
    assert found[0].low <= found[0].share <= found[0].high <= 1
    assert sum(one.share for one in found) == pytest.approx(1)


def test_few_trials_make_importance_a_hint(study_of):
    section = importance.section(study_of([by_rate] * 12))
    assert section.warning == "Only 12 trials have a result, below 50: importance is only a hint."


def test_a_diverged_trial_counts_for_importance_at_the_worst_value(study_of):
    study = study_of([by_rate] * 5 + [robust(math.nan)] + [(robust(0.4), Outcome("failed", "no"))])
    values = [trial.value for trial in importance.full_trials(study)]
    assert values[5] == 0.0
    assert len(values) == 6


AXES = {
    "float": FloatDistribution(0.5, 3.0),
    "log": FloatDistribution(1e-4, 1.0, log=True),
    "stepped": FloatDistribution(0.0, 1.0, step=0.25),
    "whole": IntDistribution(1, 9),
    "whole_log": IntDistribution(10, 200, log=True),
    "many": IntDistribution(0, 1000),
    "words": CategoricalDistribution(("a", "b", None, 3)),
    "single": IntDistribution(4, 4),
}


@pytest.mark.parametrize("count", [10, 45, 300])
@pytest.mark.parametrize("seed", [0, 1])
def test_any_axis_and_any_resample_has_the_importance_that_optuna_gives_it(count, seed):
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(size=count), 1)  # with ties
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for value in values:
        study.tell(study.ask(AXES), value)
    trials = study.trials
    rows = rng.integers(count, size=count)
    again = optuna.create_study()
    again.add_trials([trials[row] for row in rows])
    expected = PedAnovaImportanceEvaluator().evaluate(again, list(AXES))
    found = importance.evaluation(trials, "ped_anova")(rows, values)
    assert found == pytest.approx(expected)


def test_trials_outside_the_search_space_of_today_are_left_out(study_of):
    study = study_of([by_rate] * 4)
    study.trials[1].params["optimizer.lr"] = 1e9
    del study.trials[2].params["optimizer.lr"]
    assert len(importance.full_trials(study)) == 2


def test_optuna_announces_no_study_that_is_made_of_resamples():
    said, logger = io.StringIO(), logging.getLogger("optuna")
    handler = logging.StreamHandler(said)
    logger.addHandler(handler)
    try:
        importance._Resample()
    finally:
        logger.removeHandler(handler)
    assert said.getvalue() == ""
