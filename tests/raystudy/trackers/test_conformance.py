"""Every tracker takes every order of calls without a word."""

import io

import pytest
from memory_tracker import MemoryTracker
from mlflow_studies import ROBUST, again, summary, trial
from rich.console import Console

from raystudy.config import catalogue, compose
from raystudy.errors import UserError
from raystudy.storage.manifest import Manifest
from raystudy.study.open_tracker import open_tracker, tracker_of_study
from raystudy.study.tracker import Attachment, NoTracker
from raystudy.trackers.console import ConsoleTracker
from raystudy.trackers.mlflow import MlflowTracker
from raystudy.trackers.tensorboard import TensorBoardTracker


def fail(words):
    raise AssertionError(words)


TRACKERS = {
    "memory": MemoryTracker,
    "none": NoTracker,
    "mlflow": lambda: MlflowTracker(None),
    "tensorboard": lambda: TensorBoardTracker(output_dir="unused", warn=fail),
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


@pytest.mark.parametrize("name", catalogue.options("tracker", ()))
def test_a_tracker_of_the_catalogue_does_all_that_commands_ask(name, study, folder, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    told = []
    settings = compose.load_shared([f"tracker={name}", f"output_dir={folder.home}"])
    settings.output_dir = str(folder.home)
    tracker = open_tracker(settings, warn=told.append)
    if name == "mlflow":  # whose process is started by other tests
        tracker._uri = None
    plain(tracker, study, folder)
    tracker.attach(folder, 0, Attachment(metrics={"test/accuracy": 0.5}, files={"a.json": b"{}"}))
    tracker.attach(folder, "study", Attachment(tags={"a": "b"}, note="c", files={"a.x": b""}))
    tracker.close()
    assert told == []
    tracker = open_tracker(settings)
    assert (tracker.place == "") == (tracker.where(folder) == "") == (name == "none")
    assert tracker.user_interface("127.0.0.1", 5000).words
    assert tracker.kept(folder) == tracker.remove(folder) == ""
    assert tracker.health().verdict == "well"
    assert tracker.bytes_on_disk(trials=0, epochs=0, weights=0.0) >= 0


@pytest.mark.parametrize("words", [["tracker=none"], ["tracker.enabled=false"]])
def test_what_old_studies_say_of_no_tracker_is_none(words):
    old = [*words, "tracker.patience=5", "tracker.uri=http://127.0.0.1:9"]
    assert type(open_tracker(compose.load_shared(old))) is NoTracker


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


def test_a_tracker_of_ones_own_is_a_class_and_a_yaml(study, folder, tmp_path):
    mine = tmp_path / "mine"
    (mine / "tracker").mkdir(parents=True)
    (mine / "lines_tracker_of_a_test.py").write_text(
        "from raystudy.study.tracker import NoTracker\n\n\n"
        "class Lines(NoTracker):\n"
        "    def __init__(self, *, path, **others):\n"
        "        self.path = path\n\n"
        "    def trial_reported(self, number, epoch, metrics):\n"
        "        with open(self.path, 'a') as file:\n"
        "            file.write(f'{number} {epoch}\\n')\n"
    )
    target = "_target_: lines_tracker_of_a_test.Lines\n"
    (mine / "tracker" / "lines.yaml").write_text(f"{target}path: {tmp_path}/lines.txt\n")
    about = Manifest(
        kind="sweep", name="swaro", overrides=("tracker=lines",), search_path=(str(mine),)
    )
    folder.write_manifest(about)
    plain(open_tracker(compose.load("swaro", about.overrides, about.search_path)), study, folder)
    plain(tracker_of_study(folder, []), study, folder)
    assert (tmp_path / "lines.txt").read_text() == "0 1\n" * 2
    assert tracker_of_study(folder, ["tracker=none"]).place == ""


def test_a_class_that_is_not_there_is_one_sentence():
    settings = compose.load_shared(["tracker=none", "tracker.enabled=true"])
    settings.tracker._target_ = "nobody.Tracker"
    with pytest.raises(UserError, match=r"tracker\._target_: 'nobody\.Tracker' cannot be used"):
        open_tracker(settings)
