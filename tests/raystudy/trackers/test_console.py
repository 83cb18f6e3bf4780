"""What a study shows."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow_studies import ROBUST, summary, trial
from rich.console import Console

from raystudy.config.spec import Objective, StudySpec
from raystudy.storage.folders import StudyFolder
from raystudy.study.info import StudyInfo
from raystudy.trackers.console import ConsoleTracker, short

FOLDER = StudyFolder(Path("/study"))


@pytest.fixture
def study(tmp_path):
    return StudyInfo(
        id="swaro-1",
        folder=tmp_path,
        name="swaro",
        overrides=(),
        dataset="digits",
        spec=StudySpec(name="swaro", objectives=(Objective(metric=ROBUST),), num_trials=60),
        axes={},
        published={},
    )


def shown(study, tell, *, terminal=False):
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=120, highlight=False)
    tracker = ConsoleTracker(console, max_epochs=3)
    tracker.study_started(study)
    tell(tracker)
    tracker.study_finished("complete")
    return output.getvalue()


def one_trial(tracker):
    tracker.trial_started(trial(FOLDER))
    tracker.trial_reported(0, 1, {ROBUST: 0.25, "val/accuracy": 0.9, "train/loss": 3.0})
    tracker.trial_finished(summary())


def test_a_log_gets_a_line_per_event_without_control_codes(study):
    text = shown(study, one_trial)
    assert len(text.splitlines()) == 3
    assert "\x1b" not in text
    assert "trial   0  epoch   1/3 robust 0.2500  clean 0.9000" in text


def test_a_terminal_gets_one_live_table(study):
    text = shown(study, one_trial, terminal=True)
    assert "\x1b" in text
    assert "1 of 60 trials ended: 1 complete" in text


def test_brackets_in_a_reason_are_no_markup(study):
    def tell(tracker):
        tracker.trial_started(trial(FOLDER))
        tracker.trial_finished(replace(summary(state="failed"), reason="[a:127] none in [/tmp]"))

    assert "[a:127] none in [/tmp]" in shown(study, tell, terminal=True)


def test_a_long_study_still_fits_a_screen(study):
    def tell(tracker):
        for number in range(50):
            tracker.trial_started(trial(FOLDER, number))
            tracker.trial_reported(number, 1, {ROBUST: number / 100})
            tracker.trial_finished(summary(number))

    last_frame = shown(study, tell, terminal=True).split("state")[-1]
    assert "50 of 60 trials ended: 50 complete (30 not shown)" in last_frame
    assert last_frame.count("complete") == 20 + 1


@pytest.mark.parametrize(
    ("measure", "name"),
    [("val/accuracy", "clean"), ("val/robust_accuracy", "robust"), ("val/knn_accuracy", "knn")],
)
def test_measures_have_short_names(measure, name):
    assert short(measure) == name


def test_many_settings_do_not_push_the_numbers_off_a_line(study):
    def tell(tracker):
        tracker.trial_started(
            trial(FOLDER, params={f"clusters.setting_{i}": 0.5 for i in range(20)})
        )
        tracker.trial_reported(0, 1, {ROBUST: 0.25, "val/accuracy": 0.9})
        tracker.trial_finished(summary())

    last_frame = shown(study, tell, terminal=True).split("state")[-1]
    row = next(line for line in last_frame.splitlines() if "complete" in line and "2/3" in line)
    for words in ("0.4000", "0.9000", "2 s", "setting_0=0.5 setting_1=0.5", "…"):
        assert words in row


def test_settings_of_the_same_last_name_keep_their_paths(study):
    def tell(tracker):
        tracker.trial_started(trial(FOLDER, params={"a.lr": 1, "b.lr": 2, "c.steps": 3}))

    assert "a.lr=1 b.lr=2 steps=3" in shown(study, tell, terminal=True)
