"""Every tracker takes every order of calls without a word."""

import io

import pytest
from memory_tracker import MemoryTracker
from mlflow_studies import ROBUST, again, summary, trial
from rich.console import Console

from raystudy.trackers.console import ConsoleTracker
from raystudy.trackers.mlflow import MlflowTracker

TRACKERS = {
    "memory": MemoryTracker,
    "mlflow": lambda: MlflowTracker(None),
    "console in a log": lambda: ConsoleTracker(Console(file=io.StringIO()), 3),
    "console on a terminal": lambda: ConsoleTracker(
        Console(file=io.StringIO(), force_terminal=True), 3
    ),
}


def plain(tracker, study, folder):
    tracker.study_started(study)
    tracker.trial_started(trial(folder))
    tracker.trial_reported(0, 1, {ROBUST: 0.5})
    tracker.trial_finished(summary())
    tracker.study_finished("complete")


def no_trials(tracker, study, _):
    tracker.study_started(study)
    tracker.study_finished("failed")


def resumed(tracker, study, folder):
    tracker.study_started(study)
    tracker.trial_started(trial(folder))
    tracker.trial_reported(0, 1, {ROBUST: 0.5})
    tracker.study_finished("interrupted")
    tracker.study_started(again(study))
    tracker.trial_started(trial(folder, resumed=True))
    tracker.trial_reported(0, 1, {ROBUST: 0.5})
    tracker.trial_finished(summary())
    tracker.study_finished("complete")


def unknown_number_reports(tracker, study, _):
    tracker.study_started(again(study))
    tracker.trial_reported(7, 1, {ROBUST: 0.5})
    tracker.study_finished("complete")


def unknown_number_finishes(tracker, study, _):
    tracker.study_started(again(study))
    tracker.trial_finished(summary(7))
    tracker.study_finished("complete")


def finished_twice(tracker, study, folder):
    tracker.study_started(study)
    tracker.trial_started(trial(folder))
    tracker.trial_finished(summary())
    tracker.trial_finished(summary(state="failed"))
    tracker.study_finished("complete")


def finished_and_run_again(tracker, study, folder):
    tracker.study_started(study)
    tracker.trial_started(trial(folder))
    tracker.trial_finished(summary(last=0.9))
    tracker.trial_started(trial(folder, resumed=True))
    tracker.trial_finished(summary(last=0.3))
    tracker.study_finished("complete")


def reported_after_its_end(tracker, study, folder):
    tracker.study_started(study)
    tracker.trial_started(trial(folder))
    tracker.trial_finished(summary(state="pruned"))
    tracker.trial_reported(0, 9, {ROBUST: 0.5})
    tracker.study_finished("complete")


def without_metrics(tracker, study, folder):
    tracker.study_started(study)
    tracker.trial_started(trial(folder))
    tracker.trial_reported(0, 1, {})
    tracker.trial_finished(summary(state="failed"))
    tracker.study_finished("failed")


def study_ended_twice(tracker, study, _):
    tracker.study_started(study)
    tracker.study_finished("interrupted")
    tracker.study_finished("interrupted")


ORDERS = [
    plain,
    no_trials,
    resumed,
    unknown_number_reports,
    unknown_number_finishes,
    finished_twice,
    finished_and_run_again,
    reported_after_its_end,
    without_metrics,
    study_ended_twice,
]


@pytest.mark.parametrize("make", TRACKERS.values(), ids=TRACKERS)
@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.__name__)
def test_a_tracker_never_raises(make, order, study, folder):
    tracker = make()
    order(tracker, study, folder)
    tracker.close()


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.__name__)
def test_mlflow_takes_what_any_order_told(order, store, study, folder):
    order(MlflowTracker(None), study, folder)
    assert store.sync(folder).refused == ()
    assert "RUNNING" not in {run.info.status for run in store.runs(folder).values()}


def test_the_first_of_two_ends_counts(store, study, folder):
    finished_twice(MlflowTracker(None), study, folder)
    store.sync(folder)
    runs = store.runs(folder)
    assert runs["trial 0000"].info.status == "FINISHED"
    assert runs[folder.id].data.metrics["trials/ended"] == 1


def test_a_trial_run_again_is_counted_by_its_last_end(store, study, folder):
    tracker = MlflowTracker(None)
    tracker.study_started(study)
    for number, value in [(0, 0.9), (1, 0.5), (0, 0.3)]:
        tracker.trial_started(trial(folder, number))
        tracker.trial_finished(summary(number, last=value))
    store.sync(folder)
    parent = store.runs(folder)[folder.id]
    assert parent.data.metrics["trials/ended"] == 2
    assert parent.data.tags["raystudy.best_trial"] == "1"


def test_memory_keeps_calls_in_order(study, folder):
    tracker = MemoryTracker()
    plain(tracker, study, folder)
    names = ["study_started", "trial_started", "trial_reported", "trial_finished", "study_finished"]
    assert [event[0] for event in tracker.events] == names
    assert tracker.named("trial_reported") == [(0, 1, {ROBUST: 0.5})]
