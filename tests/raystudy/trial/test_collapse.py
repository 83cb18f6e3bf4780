"""A trial that overfits catastrophically: on the straight line, in a study, in words."""

import io

import pytest
from rich.console import Console
from surrogate_study import Events, as_optuna_sees_it, open_study
from surrogates import ROBUST, study_info

from raystudy.config import compose
from raystudy.storage import checkpoint
from raystudy.storage.folders import StudyFolder
from raystudy.study.inline import InlineExecutor, Report
from raystudy.study.local_session import LocalSession
from raystudy.trackers.console import ConsoleTracker
from raystudy.trial.info import TrialInfo
from raystudy.trial.run import run_trial
from trainables.trainer import TrainingCollapsedError

REASON = "catastrophic overfitting, made up"
# One step from the image itself in a large ball, and nothing that regularises: within ten epochs
# PGD leaves 5 % where FGSM leaves 44 %.
FRAGILE = [
    "attack.start=zero",
    "attack.relative_step=1.0",
    "attack.ball.epsilon=1.5",
    "augment=none",
    "optimizer.weight_decay=0",
    "optimizer.lr=0.05",
    "lr_schedule=constant",
    "batch_size=64",
    "max_epochs=30",
    "device=cpu",
]


def local_session(folder, trackers):
    trial = TrialInfo(
        number=0, params={}, overrides=(), folder=folder.trial(0).path, command="raystudy train"
    )
    return LocalSession(study_info(folder.path), trial, trackers)


def test_fast_adversarial_training_without_a_random_start_collapses(tmp_path):
    events, said = Events(), io.StringIO()
    console = ConsoleTracker(Console(file=said, width=200), max_epochs=30)
    session = local_session(StudyFolder(tmp_path), [events, console])
    with session:
        run_trial(compose.load("fast_at", FRAGILE), session)
    summary = session.summary
    assert summary.state == "collapsed"
    assert 1 <= summary.epoch < 29
    assert "of 256 training images" in summary.reason
    assert f"collapsed robust {summary.metrics[ROBUST]:.4f}" in said.getvalue()
    assert summary.reason in said.getvalue()
    assert events.of("trial_finished") == [(0, "collapsed")]
    assert not session.folder.error.exists()

    # The checkpoint is that of the last epoch told, whose network was still sound.
    last = checkpoint.load(session.folder.last_checkpoint)
    assert last["trainer"]["epoch"] == summary.epoch
    fgsm, pgd = (last["metrics"][f"train/{attack}_accuracy"] for attack in ("fgsm", "pgd"))
    assert fgsm < 0.4 or pgd >= 0.25 * fgsm
    assert last["metrics"][ROBUST] == summary.last[ROBUST]
    assert session.folder.best_weights.exists()


def collapses_at(epoch):
    """Return curves of which trial 1 collapses after `epoch` epochs."""

    def curves(trial):
        for done in range(1, 9):
            yield Report(done, {ROBUST: 0.1 * done})
            if (trial.number, done) == (1, epoch):
                raise TrainingCollapsedError(REASON)

    return curves


def test_a_study_learns_the_point_as_the_worst_and_goes_on(tmp_path):
    events = Events()
    with open_study(tmp_path / "s", trackers=[events], num_trials=3) as study:
        InlineExecutor(collapses_at(3)).run(study)
    states = [summary.state for summary in study.summaries()]
    assert states == ["complete", "collapsed", "complete"]
    collapsed = study.summaries()[1]
    assert (collapsed.epoch, collapsed.reason) == (3, REASON)
    assert collapsed.best[ROBUST] == pytest.approx(0.3)
    told = as_optuna_sees_it(tmp_path / "s").trials[1]
    assert (told.state.name, told.values) == ("COMPLETE", [0.0])
    assert told.user_attrs["state"] == "collapsed"
    assert 1 not in [summary.number for summary in study.best()]
    again = open_study(tmp_path / "s", num_trials=3)
    assert again.is_finished
    assert again.summaries()[1].state == "collapsed"
