"""Studies in which trials are ended early by several measures."""

import pytest
from optuna.trial import TrialState
from surrogate_study import as_optuna_sees_it, open_study, recipe, run_study, told
from surrogates import BEST_RATE, CLEAN, RATE, ROBUST, STRENGTH, Surrogate

from raystudy.config.constraint import Constraint
from raystudy.config.spec import Objective, StudySpec
from raystudy.errors import UserError
from raystudy.search.trial_scheduler import TrialScheduler

BOTH = (CLEAN, ROBUST)


def spec_of(*objectives, constraints=()):
    measures = tuple(Objective(metric=metric) for metric in objectives)
    return StudySpec(name="x", objectives=measures, constraints=constraints, num_trials=3)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_trials_are_ended_early_by_two_objectives_and_never_on_the_front(tmp_path, sampler):
    study = run_study(
        tmp_path / "s",
        sampler=sampler,
        objectives=BOTH,
        trial_scheduler="asha",
        num_trials=30,
        workers=3,
    )
    ended = {one.number: one for one in study.summaries()}
    pruned = [one for one in ended.values() if one.state == "pruned"]
    assert 5 < len(pruned) < 30
    assert {one.epoch for one in pruned} <= {2, 6}
    assert ended[0].state == "complete"
    assert all(one.epoch == Surrogate().epochs for one in study.best())
    trials = as_optuna_sees_it(tmp_path / "s").trials
    assert {trials[one.number].state for one in pruned} == {TrialState.PRUNED}


def test_a_study_with_two_objectives_resumes_to_the_same_decisions(tmp_path):
    settings = {"objectives": BOTH, "trial_scheduler": "asha", "sampler": "tpe", "num_trials": 14}
    straight = run_study(tmp_path / "a", **settings)
    for max_events in (13, 17, 40, None):
        resumed = run_study(tmp_path / "b", max_events=max_events, **settings)
    assert told(resumed.summaries()) == told(straight.summaries())


def points_at(study, metrics, epochs):
    """Report one trial that stays at a point, as far as it may go."""
    number = study.next_trial().number
    return all(study.report(number, epoch, metrics) for epoch in range(1, epochs + 1))


def test_neither_end_of_a_front_is_stopped_for_the_other(tmp_path):
    study = open_study(tmp_path / "s", objectives=BOTH, trial_scheduler="asha", num_trials=20)
    for _ in range(6):
        points_at(study, {CLEAN: 0.3, ROBUST: 0.3}, 5)
    assert points_at(study, {CLEAN: 0.9, ROBUST: 0.1}, 5)
    assert points_at(study, {CLEAN: 0.1, ROBUST: 0.9}, 5)
    assert not points_at(study, {CLEAN: 0.2, ROBUST: 0.2}, 5)


def test_the_most_accurate_does_not_drive_out_those_that_keep_to_a_constraint(tmp_path):
    spec = {"constraints": (Constraint(ROBUST, ">=", 0.4),)}
    study = open_study(
        tmp_path / "s", objectives=(CLEAN,), spec=spec, trial_scheduler="asha", num_trials=20
    )
    for _ in range(6):
        points_at(study, {CLEAN: 0.9, ROBUST: 0.1}, 5)
    assert points_at(study, {CLEAN: 0.5, ROBUST: 0.4}, 5)
    # More than the constraint asks for is worth nothing.
    assert not points_at(study, {CLEAN: 0.4, ROBUST: 0.9}, 5)


def test_feasible_trials_alone_are_compared_as_without_constraints(tmp_path):
    bound = (Constraint(ROBUST, ">=", -1.0),)
    runs = [
        run_study(
            tmp_path / str(len(constraints)),
            objectives=(CLEAN,),
            spec={"constraints": constraints},
            trial_scheduler="asha",
            num_trials=30,
        )
        for constraints in ((), bound)
    ]
    assert told(runs[0].summaries()) == told(runs[1].summaries())


def test_an_objective_missing_at_an_epoch_waits_for_the_next(tmp_path):
    study = open_study(tmp_path / "s", objectives=BOTH, trial_scheduler="asha", num_trials=9)
    for _ in range(3):
        points_at(study, {CLEAN: 0.5, ROBUST: 0.5}, 5)
    number = study.next_trial().number
    assert study.report(number, 1, {CLEAN: 0.1, ROBUST: 0.1})
    assert study.report(number, 2, {CLEAN: 0.1})
    assert not study.report(number, 3, {CLEAN: 0.1, ROBUST: 0.1})


def test_halving_by_fronts_finds_it_at_less_cost(tmp_path):
    runs = {
        scheduler: run_study(
            tmp_path / scheduler,
            sampler="tpe",
            objectives=BOTH,
            trial_scheduler=scheduler,
            num_trials=60,
        )
        for scheduler in ("asha", "none")
    }
    epochs = {name: sum(one.epoch for one in run.summaries()) for name, run in runs.items()}
    assert epochs["asha"] < 0.7 * epochs["none"]
    trials = as_optuna_sees_it(tmp_path / "asha").trials
    strengths = [trials[one.number].params[STRENGTH] for one in runs["asha"].best()]
    rates = [trials[one.number].params[RATE] for one in runs["asha"].best()]
    assert min(strengths) < 0.2
    assert max(strengths) > 0.8
    assert all(BEST_RATE / 10 < rate < BEST_RATE * 10 for rate in rates)


def test_optunas_own_serves_one_objective_without_constraints():
    asha = recipe("trial_scheduler", "asha")
    assert TrialScheduler(asha, spec_of(CLEAN)).name == "SuccessiveHalvingPruner"
    assert TrialScheduler(asha, spec_of(CLEAN, ROBUST)).name == "ParetoHalving"
    bound = (Constraint(ROBUST, ">=", 0.3),)
    assert TrialScheduler(asha, spec_of(CLEAN, constraints=bound)).name == "ParetoHalving"


def test_a_setting_that_several_objectives_do_not_have_is_named():
    asha = recipe("trial_scheduler", "asha", bootstrap_count=3)
    with pytest.raises(UserError, match=r"trial_scheduler: .*bootstrap_count"):
        TrialScheduler(asha, spec_of(CLEAN, ROBUST))


def run_with_control(folder, control, **settings):
    asha = recipe("trial_scheduler", "asha") | {"control": control}
    return run_study(folder, trial_scheduler=asha, num_trials=40, **settings)


@pytest.mark.parametrize("objectives", [(ROBUST,), BOTH])
def test_a_share_of_what_would_be_stopped_runs_to_the_end(tmp_path, objectives):
    study = run_with_control(tmp_path / "s", 0.3, objectives=objectives)
    trials = as_optuna_sees_it(tmp_path / "s").trials
    attributes = [trial.user_attrs for trial in trials]
    through = {n: told["let_through"] for n, told in enumerate(attributes) if "let_through" in told}
    ended = {one.number: one for one in study.summaries()}
    pruned = [one for one in ended.values() if one.state == "pruned"]
    assert {ended[number].state for number in through} == {"complete"}
    assert 2 in through.values()
    assert set(through.values()) <= {2, 6}
    for number, epoch in through.items():  # no longer a rival at later rungs
        later = {"completed_rung_1", "rung:1"} & trials[number].system_attrs.keys()
        assert bool(later) == (epoch == 6)
    assert 0.1 < len(through) / (len(through) + len(pruned)) < 0.5
    none = run_with_control(tmp_path / "none", 0.0, objectives=objectives)
    assert not any(
        "let_through" in t.user_attrs for t in as_optuna_sees_it(tmp_path / "none").trials
    )
    assert any(one.state == "pruned" for one in none.summaries())


def test_a_control_is_the_same_after_any_interruption(tmp_path):
    straight = run_with_control(tmp_path / "a", 0.3)
    for max_events in (13, 40, 80, None):
        resumed = run_with_control(tmp_path / "b", 0.3, max_events=max_events)
    assert told(resumed.summaries()) == told(straight.summaries())


@pytest.mark.parametrize("control", [-0.1, 1.0, "some"])
def test_a_share_that_is_none_is_refused(control):
    with pytest.raises(UserError, match=r"trial_scheduler.control must be in \[0, 1\)"):
        TrialScheduler(
            {"_target_": "optuna.pruners.NopPruner", "control": control}, spec_of(ROBUST)
        )
