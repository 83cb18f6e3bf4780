"""Who goes from a search into a race."""

import pytest
from stored_search import search

from raystudy.config.budget import Budget
from raystudy.config.spec import Objective
from raystudy.confirm import contenders, finalists
from raystudy.errors import UserError
from raystudy.storage.folders import create_study_folder
from raystudy.storage.manifest import Manifest
from raystudy.storage.plans import ConfirmPlan
from raystudy.trial.info import TrialSummary

CLEAN, ROBUST = Objective(metric="val/accuracy"), Objective(metric="val/robust_accuracy")


def numbers(trials):
    return [trial.summary.number for trial in trials]


@pytest.fixture
def six(tmp_path):
    return search(tmp_path, [0.5, 0.3, 0.9, None, 0.7, 0.8], "study.num_trials=6")


def test_the_best_complete_trials_in_order_without_the_recipe(six):
    assert numbers(finalists.finalists(six, 3)) == [2, 5, 4]
    assert numbers(finalists.finalists(six, 99)) == [2, 5, 4, 1]


def test_trials_beyond_a_constraint_come_last(tmp_path):
    study = search(
        tmp_path,
        [0.5, 0.6, 0.95, 0.7],
        "study.num_trials=4",
        "study.constraints=['val/accuracy <= 0.9']",
    )
    assert numbers(finalists.finalists(study, 3)) == [3, 1, 2]


def test_of_several_objectives_the_front_goes_its_ends_first_of_all(tmp_path):
    front = [(0.1, 0.9), (0.9, 0.1), (0.5, 0.5), (0.55, 0.45), (0.2, 0.8), (0.1, 0.2)]
    study = search(
        tmp_path,
        front,
        "study.num_trials=6",
        "study.objectives=[val/accuracy,val/robust_accuracy]",
    )
    assert numbers(finalists.finalists(study, 9)) == [1, 3, 2, 4]
    assert set(numbers(finalists.finalists(study, 2))) == {1, 4}


def test_a_front_is_thinned_where_it_is_crowded():
    places = [(0.0, 1.0), (0.5, 0.5), (0.51, 0.49), (0.52, 0.48), (1.0, 0.0)]
    front = [
        TrialSummary(number=n, state="complete", epoch=1, last={CLEAN.metric: a, ROBUST.metric: b})
        for n, (a, b) in enumerate(places)
    ]
    assert finalists.spaced_along_front(front, (CLEAN, ROBUST), 2) == {0, 4}
    assert finalists.spaced_along_front(front, (CLEAN, ROBUST), 4) in ({0, 1, 3, 4}, {0, 1, 2, 4})


def test_seeds_are_those_that_no_run_of_the_study_had(tmp_path):
    study = search(tmp_path, [0.5, 0.6], "study.num_trials=2", "seed=2")
    chosen = finalists.choose(study, top=1, seeds=3)
    assert chosen.seeds == (1, 3, 4)
    folder = create_study_folder(tmp_path, "", "other")
    folder.write_manifest(Manifest(kind="confirm", name="swaro", confirm=chosen))
    assert finalists.choose(study, top=1, seeds=3).seeds == (5, 6, 7)


def test_a_finalist_runs_as_it_was_found_under_the_new_seed(six):
    chosen = finalists.choose(six, top=1, seeds=2, more=["evaluate.probe.seed=3"])
    assert chosen.seeds == (1, 2)
    found = six.trial(2).params
    overrides = contenders.space_of(chosen).as_overrides({"finalist": 2, "seed": 1})
    assert overrides[-2:] == ["evaluate.probe.seed=3", "seed=1"]
    assert overrides[:-2] == [f"{path}={value!r}" for path, value in found.items()]
    assert ConfirmPlan.read(chosen.plain()) == chosen


def test_a_search_of_the_recipe_alone_has_nothing_to_confirm(tmp_path):
    study = search(tmp_path, [0.5, None], "study.num_trials=2")
    with pytest.raises(UserError, match="no complete trial besides the recipe's"):
        finalists.choose(study, top=2, seeds=2)


def test_budgets_have_the_names_of_a_search_and_the_last_counts():
    texts = ["study.budget.wall_hours=1", "device=cpu", "study.num_trials=20"]
    budget, most = contenders.limits(
        [*texts, "study.budget.wall_hours=2.5", "study.budget.passes=1e6"]
    )
    assert (budget, most) == (Budget(wall_hours=2.5, passes=1e6), 20)
    assert contenders.limits([*texts, "study.budget.wall_hours=null"])[0] == Budget()


def test_without_finalists_the_recipe_runs_alone_on_fresh_seeds(tmp_path):
    chosen = finalists.choose(search(tmp_path, [0.5], "study.num_trials=1"), top=0, seeds=3)
    assert (list(chosen.params), chosen.seeds) == ([0], (1, 2, 3))
