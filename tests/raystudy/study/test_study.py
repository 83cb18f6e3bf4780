"""The study: one final state per trial, non-finite and missing values, resuming, the best."""

import math

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState
from surrogate_study import Events, as_optuna_sees_it, open_study, recipe, run_study, told
from surrogates import CLEAN, RATE, ROBUST, STRENGTH, Behaviour, Surrogate

from raystudy.errors import UserError
from raystudy.search.search_space import SearchSpace
from raystudy.study import trial_record
from raystudy.study.study import Outcome

BOTH = (CLEAN, ROBUST)


def every_other(kind, epoch=1):
    """Let odd trials behave in a way."""
    return lambda trial: Behaviour(kind, epoch) if trial.number % 2 else Behaviour()


def states(study):
    return [summary.state for summary in study.summaries()]


def test_trial_0_runs_the_published_values(tmp_path):
    trial = open_study(tmp_path / "s").next_trial()
    assert trial.number == 0
    assert trial.params == {STRENGTH: 0.5, RATE: 0.1}
    assert trial.overrides == (f"{STRENGTH}=0.5", f"{RATE}=0.1")
    assert trial.command == f"raystudy train surrogate {STRENGTH}=0.5 {RATE}=0.1"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("metric", ["train/loss", ROBUST])
def test_a_non_finite_metric_ends_a_trial_at_once_as_diverged(tmp_path, metric, value):
    study = open_study(tmp_path / "s", trial_scheduler="asha")
    number = study.next_trial().number
    assert study.report(number, 1, {ROBUST: 0.2, "train/loss": 1.0})
    assert not study.report(number, 2, {ROBUST: 0.3, "train/loss": 1.0, metric: value})
    study.finish(number, Outcome("completed"))
    (summary,) = study.summaries()
    assert (summary.state, summary.epoch) == ("diverged", 2)
    assert metric in summary.reason


def test_diverging_trials_never_get_past_their_bad_epoch_under_asha(tmp_path):
    surrogate = Surrogate(behaviour=every_other("nan", 2))
    study = run_study(tmp_path / "s", surrogate, trial_scheduler="asha", num_trials=16, workers=4)
    diverged = [s for s in study.summaries() if s.state == "diverged"]
    assert len(diverged) == 8
    assert {s.epoch for s in diverged} == {2}


@pytest.mark.parametrize("objectives", [(ROBUST,), BOTH])
@pytest.mark.parametrize("kind", ["nan", "missing", "crash"])
def test_no_optuna_trial_stays_running_whatever_befalls_it(tmp_path, objectives, kind):
    surrogate = Surrogate(behaviour=every_other(kind, 2))
    study = run_study(tmp_path / "s", surrogate, objectives=objectives, num_trials=10, workers=3)
    odd = "diverged" if kind == "nan" else "failed"
    assert states(study) == ["complete", odd] * 5
    seen = [trial.state for trial in as_optuna_sees_it(tmp_path / "s").trials]
    fate = TrialState.COMPLETE if kind == "nan" else TrialState.FAIL
    assert seen == [TrialState.COMPLETE, fate] * 5


@pytest.mark.parametrize("objectives", [(ROBUST,), BOTH])
def test_the_sampler_learns_the_worst_value_of_a_diverged_trial(tmp_path, objectives):
    run_study(tmp_path / "s", Surrogate(behaviour=every_other("nan", 3)), objectives=objectives)
    for trial in as_optuna_sees_it(tmp_path / "s").trials[1::2]:
        assert trial.values == [0.0] * len(objectives)
        assert trial.user_attrs["state"] == "diverged"


def test_a_missing_objective_names_what_was_there(tmp_path):
    surrogate = Surrogate(behaviour=lambda _: Behaviour("missing"))
    (failed,) = run_study(tmp_path / "s", surrogate, num_trials=1).summaries()
    assert failed.reason == f"{ROBUST} was never reported; measures there: train/loss, {CLEAN}"


def test_an_objective_may_be_evaluated_on_some_epochs_only(tmp_path):
    study = open_study(tmp_path / "s", trial_scheduler="asha")
    number = study.next_trial().number
    assert study.report(number, 1, {"train/loss": 1.0})
    assert study.report(number, 2, {"train/loss": 0.5, ROBUST: 0.4})
    study.finish(number, Outcome("completed"))
    (summary,) = study.summaries()
    assert (summary.state, summary.last) == ("complete", {ROBUST: 0.4})


def test_a_trial_the_scheduler_stops_is_pruned_and_never_complete(tmp_path):
    surrogate = Surrogate()
    study = run_study(tmp_path / "s", surrogate, trial_scheduler="asha", num_trials=20, workers=2)
    pruned = [s for s in study.summaries() if s.state == "pruned"]
    assert pruned
    trials = as_optuna_sees_it(tmp_path / "s").trials
    for summary in pruned:
        trial = trials[summary.number]
        assert trial.state == TrialState.PRUNED
        assert list(trial.intermediate_values) == list(range(1, summary.epoch + 1))
        assert summary.epoch < surrogate.epochs


def test_a_pruned_trial_is_never_the_best_even_if_its_value_is(tmp_path):
    study = open_study(tmp_path / "s", trial_scheduler="median", num_trials=7)
    for number in range(7):
        study.next_trial()
        # Early values rise from trial to trial, except for the last one, whose peak comes late.
        early, late = (0.0, 0.9) if number == 6 else (0.5, 0.1)
        for epoch in range(1, 9):
            if not study.report(number, epoch, {ROBUST: early if epoch < 8 else late}):
                break
        study.finish(number, Outcome("completed"))
    assert states(study) == ["complete"] * 6 + ["pruned"]
    assert study.best()[0].number == 0


def test_the_scheduler_is_not_asked_at_the_last_epoch(tmp_path):
    study = run_study(tmp_path / "s", trial_scheduler="asha", num_trials=30)
    assert all(s.epoch < Surrogate().epochs for s in study.summaries() if s.state == "pruned")


def test_a_standing_decision_wins_over_what_the_process_says_later(tmp_path):
    study = open_study(tmp_path / "s")
    number = study.next_trial().number
    assert not study.report(number, 1, {ROBUST: math.nan})
    assert not study.report(number, 2, {ROBUST: 0.5})
    study.finish(number, Outcome("failed", "killed"))
    assert states(study) == ["diverged"]


def test_a_repeated_epoch_changes_nothing(tmp_path):
    events = Events()
    study = open_study(tmp_path / "s", trackers=[events])
    number = study.next_trial().number
    assert study.report(number, 1, {ROBUST: 0.1})
    assert study.report(number, 1, {ROBUST: 0.9})
    study.finish(number, Outcome("completed"))
    assert study.summaries()[0].last == {ROBUST: 0.1}
    assert events.of("trial_reported") == [(number, 1)]


@pytest.mark.parametrize("kind", ["diverged", "collapsed"])
def test_a_process_may_say_that_it_diverged_or_collapsed(tmp_path, kind):
    study = open_study(tmp_path / "s")
    number = study.next_trial().number
    study.report(number, 1, {ROBUST: 0.4})
    study.finish(number, Outcome(kind, "loss is nan at step 7"))
    assert (states(study), study.summaries()[0].reason) == ([kind], "loss is nan at step 7")
    assert as_optuna_sees_it(tmp_path / "s").trials[0].values == [0.0]


def test_last_and_best_are_kept_apart(tmp_path):
    study = open_study(tmp_path / "s")
    number = study.next_trial().number
    for epoch, value in enumerate([0.2, 0.5, 0.3], start=1):
        study.report(number, epoch, {ROBUST: value})
    study.finish(number, Outcome("completed"))
    (summary,) = study.summaries()
    assert (summary.last, summary.best) == ({ROBUST: 0.3}, {ROBUST: 0.5})


@pytest.mark.parametrize("objectives", [(ROBUST,), BOTH])
def test_summaries_are_rebuilt_from_the_journal_alone(tmp_path, objectives):
    behaviours = ["healthy", "nan", "crash", "missing", "collapse"]
    surrogate = Surrogate(behaviour=lambda trial: Behaviour(behaviours[trial.number % 5], 3))
    study = run_study(tmp_path / "s", surrogate, objectives=objectives, num_trials=10)
    again = open_study(tmp_path / "s", objectives=objectives, num_trials=10)
    assert repr(again.summaries()) == repr(study.summaries())  # repr, for nan equals nan there
    assert again.is_finished


def test_ends_written_side_by_side_by_an_earlier_version_are_read(tmp_path):
    study = run_study(tmp_path / "s", num_trials=1)
    trial = as_optuna_sees_it(tmp_path / "s").trials[0]
    trial.user_attrs = trial.user_attrs | trial.user_attrs["ended"]
    del trial.user_attrs["ended"]
    assert trial_record.read_summary(trial, study.info.spec.objectives) == study.summaries()[0]


def test_trials_of_a_dead_driver_come_first_and_go_on(tmp_path):
    study = open_study(tmp_path / "s")
    first, second = study.next_trial(), study.next_trial()
    study.report(second.number, 1, {ROBUST: 0.3})
    again = open_study(tmp_path / "s")
    left = [again.next_trial(), again.next_trial()]
    assert [(t.number, t.params, t.resumed) for t in left] == [
        (first.number, first.params, True),
        (second.number, second.params, True),
    ]
    assert again.next_trial().number == 2
    assert again.report(second.number, 1, {ROBUST: 0.3})
    again.finish(second.number, Outcome("completed"))
    assert again.summaries()[0].last == {ROBUST: 0.3}


def test_an_interrupted_study_leaves_its_trials_to_be_resumed(tmp_path):
    events = Events()
    with open_study(tmp_path / "s", trackers=[events]) as study:
        number = study.next_trial().number
        study.interrupted = True
        assert study.next_trial() is None
        assert study.report(number, 1, {ROBUST: 0.3})
        study.finish(number, Outcome("stopped"))
    assert study.summaries() == []
    assert events.of("study_finished") == [("interrupted",)]
    assert open_study(tmp_path / "s").next_trial().resumed


def test_a_stopped_trial_leaves_its_best_weights_and_no_checkpoint(tmp_path):
    with open_study(tmp_path / "s", trial_scheduler="median") as study:
        kept = []
        for robust in (0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.1):
            trial = study.next_trial()
            trial.folder.mkdir(parents=True)
            for name in ("last.ckpt", "best.safetensors"):
                (trial.folder / name).write_bytes(b"weights")
            for epoch in range(1, 4):
                if not study.report(trial.number, epoch, {ROBUST: robust}):
                    break
            study.finish(trial.number, Outcome("completed"))
            kept.append(sorted(path.name for path in trial.folder.iterdir()))
        assert [s.state for s in study.summaries()][-1] == "pruned"
    assert kept == [["best.safetensors", "last.ckpt"]] * 6 + [["best.safetensors"]]


def test_a_paused_study_lets_its_trials_end_and_begins_no_more(tmp_path):
    events = Events()
    with open_study(tmp_path / "s", trackers=[events]) as study:
        number = study.next_trial().number
        study.paused = True
        assert study.next_trial() is None
        assert study.report(number, 1, {ROBUST: 0.3})
        study.finish(number, Outcome("completed"))
        assert not study.is_finished
    assert [summary.state for summary in study.summaries()] == ["complete"]
    assert events.of("study_finished") == [("interrupted",)]
    assert open_study(tmp_path / "s").next_trial().number == number + 1


def test_a_finished_study_can_be_extended_and_its_first_trials_stay(tmp_path):
    short = run_study(tmp_path / "s", num_trials=5)
    longer = run_study(tmp_path / "s", num_trials=12)
    straight = run_study(tmp_path / "straight", num_trials=12)
    assert told(longer.summaries())[:5] == told(short.summaries())
    assert told(longer.summaries()) == told(straight.summaries())


def test_the_best_of_two_objectives_is_their_front(tmp_path):
    study = open_study(tmp_path / "s", objectives=BOTH, num_trials=5)
    points = [(0.9, 0.1), (0.5, 0.5), (0.4, 0.4), (0.1, 0.9), (0.5, 0.5)]
    for number, (clean, robust) in enumerate(points):
        study.next_trial()
        study.report(number, 1, {CLEAN: clean, ROBUST: robust})
        study.finish(number, Outcome("completed"))
    assert [summary.number for summary in study.best()] == [0, 1, 3, 4]


def test_a_study_without_a_complete_trial_says_so(tmp_path):
    surrogate = Surrogate(behaviour=lambda _: Behaviour("nan"))
    study = run_study(tmp_path / "s", surrogate, num_trials=4)
    assert study.failure == "none of the 4 trials completed: 4 diverged"
    assert (study.state, study.best()) == ("failed", [])


def test_a_study_whose_first_trials_all_fail_hands_out_no_more(tmp_path):
    surrogate = Surrogate(behaviour=lambda _: Behaviour("crash"))
    study = run_study(tmp_path / "s", surrogate, num_trials=50)
    assert len(study.summaries()) == 3
    assert study.ended_early == (
        "the first 3 trials all failed, the last: RuntimeError: out of memory in epoch 1"
    )
    assert study.is_finished
    # The user may have mended the cause: resuming tries again.
    assert len(run_study(tmp_path / "s", num_trials=50).summaries()) == 50


def test_a_small_space_is_run_once_and_the_study_ends(tmp_path):
    space = SearchSpace(
        distributions={STRENGTH: CategoricalDistribution([0.25, 0.5, 1.0])},
        published={STRENGTH: 0.5},
    )
    study = run_study(tmp_path / "s", space=space, num_trials=9, sampler="tpe")
    strengths = [trial.params[STRENGTH] for trial in as_optuna_sees_it(tmp_path / "s").trials]
    assert sorted(strengths) == [0.25, 0.5, 1.0]
    assert study.ended_early == "all 3 configurations of the search space were run"
    assert study.state == "complete"


def test_several_objectives_refuse_a_median(tmp_path):
    with pytest.raises(UserError, match="must be asha or none with several objectives"):
        open_study(tmp_path / "s", objectives=BOTH, trial_scheduler="median")


def test_a_begun_study_refuses_another_space_and_other_objectives(tmp_path):
    run_study(tmp_path / "s", num_trials=2)
    other = SearchSpace(
        distributions={STRENGTH: FloatDistribution(0, 2), RATE: FloatDistribution(0.1, 1)},
        published={STRENGTH: 1.0, RATE: 0.1},
    )
    with pytest.raises(UserError, match=f"another range of {STRENGTH}"):
        open_study(tmp_path / "s", space=other)
    with pytest.raises(UserError, match="other objectives"):
        open_study(tmp_path / "s", objectives=BOTH)


def test_a_database_holds_the_study_as_well(tmp_path):
    url = f"sqlite:///{tmp_path}/studies.db"
    settings = {"url": url, "objectives": (ROBUST,), "trial_scheduler": "asha"}
    run_study(tmp_path / "s", num_trials=3, **settings)
    study = run_study(tmp_path / "s", num_trials=6, resumed=True, **settings)
    straight = run_study(tmp_path / "straight", num_trials=6, trial_scheduler="asha")
    assert told(study.summaries()) == told(straight.summaries())
    with pytest.raises(UserError, match="'s' exists in the database"):
        open_study(tmp_path / "s", resumed=False, **settings)


def test_a_wrong_database_is_told_without_its_password(tmp_path):
    with pytest.raises(UserError, match=r"study\.storage") as error:
        open_study(tmp_path / "s", url="nosuch://user:secret@host/db")
    assert "secret" not in str(error.value)


def test_trackers_hear_everything_in_order(tmp_path):
    events = Events()
    run_study(tmp_path / "s", Surrogate(epochs=2), num_trials=2, trackers=[events])
    assert events.heard == [
        ("study_started", "s"),
        ("trial_started", 0),
        ("trial_reported", 0, 1),
        ("trial_reported", 0, 2),
        ("trial_finished", 0, "complete"),
        ("trial_started", 1),
        ("trial_reported", 1, 1),
        ("trial_reported", 1, 2),
        ("trial_finished", 1, "complete"),
        ("study_finished", "complete"),
    ]


def test_optuna_keeps_its_settings_and_stays_silent(tmp_path, recwarn, capfd):
    optuna.logging.set_verbosity(optuna.logging.INFO)
    run_study(tmp_path / "s", sampler=recipe("sampler", "qmc"), num_trials=4)
    assert optuna.logging.get_verbosity() == optuna.logging.INFO
    assert not [warning for warning in recwarn if "optuna" in str(warning.filename)]
    assert capfd.readouterr().err == ""
