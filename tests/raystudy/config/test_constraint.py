"""Constraints: how they are read, who is best under them, what samplers make of them."""

import json
import math

import pytest
from memory_tracker import MemoryTracker
from optuna.trial import TrialState
from surrogate_study import as_optuna_sees_it, open_study, recipe, run_study, told
from surrogates import CLEAN, ROBUST, STRENGTH, Behaviour, Surrogate

from raystudy.config.constraint import Constraint, complaint, violation
from raystudy.config.spec import Objective, StudySpec
from raystudy.errors import UserError
from raystudy.search import pareto
from raystudy.search.sampler_view import ENDS_WELL, LARGE
from raystudy.study.study import Outcome
from raystudy.trackers.mlflow import events
from raystudy.trackers.mlflow.projection import Projection
from raystudy.trial.info import TrialSummary

ROBUST_ENOUGH = Constraint(ROBUST, ">=", 0.35)
CONSTRAINED = {"objectives": (CLEAN,), "spec": {"constraints": (ROBUST_ENOUGH,)}}
EAGER = {
    "tpe": {"n_startup_trials": 4},
    "gp": {"n_startup_trials": 4},
    "nsga2": {"population_size": 4},
    "cmaes": {"popsize": 4},
    "random": {},
    "qmc": {},
}


def eager(name):
    return recipe("sampler", name, **EAGER[name])


@pytest.mark.parametrize("text", ["val/robust_accuracy >= 0.35", " val/robust_accuracy>=.35 "])
def test_a_constraint_is_read_as_it_is_written(text):
    assert Constraint.read(text) == ROBUST_ENOUGH
    assert str(Constraint.read(text)) == "val/robust_accuracy >= 0.35"


@pytest.mark.parametrize(
    "text",
    ["", "val/a", "val/a > 0.3", "val/a == 1", "val/a >= high", "val/a >= nan", "0.3 <= val/a"],
)
def test_what_is_no_constraint_is_refused(text):
    with pytest.raises(UserError, match=r"study\.constraints: cannot read"):
        Constraint.read(text)


def test_a_constraint_never_sees_the_test_split():
    with pytest.raises(UserError, match="never sees the test split"):
        Constraint.read("test/accuracy >= 0.5")


def test_a_study_reads_one_constraint_or_several():
    section = {"name": "x", "objectives": "val/a", "num_trials": 3}
    one = StudySpec.read(section | {"constraints": "val/b <= 2"})
    two = StudySpec.read(section | {"constraints": ["val/b <= 2", "val/a >= 0.1"]})
    assert one.constraints == two.constraints[:1] == (Constraint("val/b", "<=", 2.0),)
    assert two.metrics == ["val/a", "val/b"]
    assert StudySpec.read(section).constraints == ()


def test_violations_add_up_and_slack_does_not_count():
    bounds = [Constraint("val/a", ">=", 0.5), Constraint("val/b", "<=", 2.0)]
    assert violation(bounds, {"val/a": 0.25, "val/b": 2.5}) == 0.25 + 0.5
    assert violation(bounds, {"val/a": 0.9, "val/b": 2.5}) == 0.5
    assert violation(bounds, {"val/a": 0.5, "val/b": 2.0}) == 0
    assert (
        complaint(bounds, {"val/a": 0.25, "val/b": 1.0}) == "infeasible: val/a is 0.25, not >= 0.5"
    )
    assert complaint(bounds, {"val/a": 0.5, "val/b": 2.0}) == ""


def summary(number, value, excess):
    return TrialSummary(
        number=number, state="complete", epoch=1, last={"val/a": value}, violation=excess
    )


@pytest.mark.parametrize(
    ("trials", "best"),
    [
        ([(0.9, 0.1), (0.2, 0.0), (0.3, 0.0)], [2]),
        ([(0.9, 0.3), (0.2, 0.1), (0.3, 0.1)], [2]),
        ([(0.9, 0.3), (0.2, 0.1)], [1]),
    ],
)
def test_feasible_trials_come_first_then_the_least_violation(trials, best):
    summaries = [summary(number, *trial) for number, trial in enumerate(trials)]
    front = pareto.front(summaries, [Objective(metric="val/a")])
    assert [one.number for one in front] == best


def run_trial(study, clean, robust, outcome="completed"):
    number = study.next_trial().number
    study.report(number, 1, {CLEAN: clean, ROBUST: robust})
    study.finish(number, Outcome(outcome))


def test_an_infeasible_trial_is_complete_and_not_the_best(tmp_path):
    study = open_study(tmp_path / "s", **CONSTRAINED)
    run_trial(study, 0.9, 0.25)
    run_trial(study, 0.5, 0.35)
    infeasible, feasible = study.summaries()
    assert (infeasible.state, infeasible.violation) == ("complete", pytest.approx(0.1))
    assert infeasible.reason == f"infeasible: {ROBUST} is 0.25, not >= 0.35"
    assert (feasible.state, feasible.violation, feasible.reason) == ("complete", 0, "")
    assert [one.number for one in study.best()] == [1]
    again = open_study(tmp_path / "s", **CONSTRAINED)
    assert told(again.summaries()) == told(study.summaries())
    assert [one.number for one in again.best()] == [1]


def test_optuna_is_told_the_constraint_of_complete_and_of_bad_trials(tmp_path):
    study = open_study(tmp_path / "s", **CONSTRAINED)
    run_trial(study, 0.9, 0.25)
    run_trial(study, 0.5, 0.5)
    run_trial(study, 0.9, 0.9, "diverged")
    run_trial(study, 0.9, 0.9, "collapsed")
    seen = [trial.constraints for trial in as_optuna_sees_it(tmp_path / "s").trials]
    assert seen[0] == {str(ROBUST_ENOUGH): pytest.approx(0.1)}
    assert seen[1] == {str(ROBUST_ENOUGH): pytest.approx(-0.15)}
    assert seen[2] == seen[3] == {str(ROBUST_ENOUGH): 0.35, ENDS_WELL: LARGE}


def test_a_diverged_trial_is_infeasible_without_any_constraint(tmp_path):
    run_study(tmp_path / "s", Surrogate(behaviour=lambda _: Behaviour("nan")), num_trials=2)
    for trial in as_optuna_sees_it(tmp_path / "s").trials:
        assert trial.state == TrialState.COMPLETE
        assert trial.constraints == {ENDS_WELL: LARGE}


def test_a_constraint_that_was_never_measured_is_a_failure(tmp_path):
    study = open_study(tmp_path / "s", **CONSTRAINED)
    number = study.next_trial().number
    study.report(number, 1, {CLEAN: 0.5})
    study.finish(number, Outcome("completed"))
    (failed,) = study.summaries()
    assert failed.state == "failed"
    assert failed.reason.startswith(f"{ROBUST} was never reported")


def cliff(trial):
    """Let strong attacks diverge."""
    return Behaviour("nan", 2) if trial.params[STRENGTH] > 0.8 else Behaviour()


@pytest.mark.parametrize("name", list(EAGER))
def test_every_sampler_goes_on_among_infeasible_and_diverged_trials(tmp_path, name):
    settings = {"sampler": eager(name), **CONSTRAINED}
    surrogate = Surrogate(noise=0.05, epochs=3, behaviour=cliff)
    trials = 8 if name == "gp" else 14
    run_study(tmp_path / "a", surrogate, num_trials=6, **settings)
    resumed = run_study(tmp_path / "a", surrogate, num_trials=trials, **settings)
    straight = run_study(tmp_path / "b", surrogate, num_trials=trials, **settings)
    assert repr(told(resumed.summaries())) == repr(told(straight.summaries()))
    assert {one.violation > 0 for one in resumed.summaries()} == {True, False}


@pytest.mark.parametrize(("name", "trials"), [("tpe", 14), ("gp", 7)])
def test_a_constraint_holds_with_two_objectives(tmp_path, name, trials):
    spec = {"constraints": (ROBUST_ENOUGH,)}
    study = run_study(
        tmp_path / "s",
        Surrogate(epochs=3, behaviour=cliff),
        sampler=eager(name),
        objectives=(CLEAN, ROBUST),
        spec=spec,
        num_trials=trials,
    )
    assert study.best()
    assert all(one.last[ROBUST] >= 0.35 for one in study.best())


LEARNT = 1 - math.exp(-2)  # at the end of a surrogate's trial


# Where 0.6 x (2 - x) >= 0.5, 0.9 - 0.3 x^2 is highest at x = 1 - sqrt(1/6): 0.795.
@pytest.mark.parametrize(
    "name",
    ["tpe", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gp", "nsga2", "cmaes"))],
)
def test_a_sampler_that_knows_constraints_draws_more_feasible_trials_than_chance(tmp_path, name):
    bounds = (Constraint(ROBUST, ">=", 0.5 * LEARNT),)
    share, best = {}, {}
    trials = 30 if name == "gp" else 80
    for sampler in (name, "random"):
        study = run_study(
            tmp_path / sampler,
            Surrogate(),
            sampler=eager(sampler),
            objectives=(CLEAN,),
            spec={"constraints": bounds},
            num_trials=trials,
        )
        late = study.summaries()[trials // 2 :]
        share[sampler] = sum(one.violation == 0 for one in late) / len(late)
        best[sampler] = study.best()[0].last[CLEAN]
        assert study.best()[0].violation == 0
    assert share[name] > share["random"]
    assert 0.76 * LEARNT < best[name] <= 0.796 * LEARNT


class Spooling(MemoryTracker):
    """Keep what MLflow's spool would hold."""

    def __init__(self, spool):
        super().__init__()
        self._spool = spool

    def study_started(self, study):
        self._spool.append(events.study_started(study, parent_run=True, params={}))

    def trial_started(self, trial):
        self._spool.append(events.trial_started(trial))

    def trial_reported(self, number, epoch, metrics):
        self._spool.append(events.trial_reported(number, epoch, metrics))

    def trial_finished(self, trial):
        self._spool.append(events.trial_finished(trial))


def test_mlflow_is_told_which_trials_are_infeasible_and_never_calls_one_the_best(tmp_path):
    spool = []
    study = open_study(tmp_path / "s", trackers=[Spooling(spool)], **CONSTRAINED)
    run_trial(study, 0.9, 0.25)
    run_trial(study, 0.5, 0.35)
    study.close()
    projection = Projection()
    for event in json.loads(json.dumps(spool)):
        projection.take(event)
    patches = projection.patches()
    assert patches["study"].tags["raystudy.best_trial"] == "1"
    assert patches[0].tags["raystudy.state"] == "complete"
    assert patches[0].tags["raystudy.reason"] == f"infeasible: {ROBUST} is 0.25, not >= 0.35"
    assert patches[1].tags["raystudy.reason"] == ""
