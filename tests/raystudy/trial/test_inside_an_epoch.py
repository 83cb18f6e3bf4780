"""A trial whose process is lost inside an epoch."""

from surrogates import study_info

from raystudy.config import compose
from raystudy.storage import checkpoint
from raystudy.storage.folders import StudyFolder
from raystudy.study.local_session import LocalSession
from raystudy.trial.figures import FIGURES
from raystudy.trial.info import TrialInfo
from raystudy.trial.run import run_trial

SETTINGS = ["encoder.widths=[4,8]", "max_epochs=3", "device=cpu", "checkpoint_batches=2"]


def reports_of(folder, *overrides):
    """Run a trial until it ends, or is lost, and return what it reported."""
    config = compose.load("simclr", [*SETTINGS, *overrides])
    trial = TrialInfo(
        number=0, params={}, overrides=(), folder=folder.trial(0).path, command="raystudy train"
    )
    session, reports = LocalSession(study_info(folder.path), trial, []), []
    tell = session.report

    def report(epoch, metrics):
        same = {k: v for k, v in metrics.items() if k not in FIGURES and not k.startswith("time/")}
        reports.append((epoch, same))
        tell(epoch, metrics)

    session.report = report
    with session:
        run_trial(config, session)
    return reports


def test_it_continues_from_its_last_batches(tmp_path):
    straight = reports_of(StudyFolder(tmp_path / "straight"))
    (marker := tmp_path / "lose-me").touch()
    own = ["batches._target_=interrupted.Interrupted", f"+batches.marker={marker}"]
    folder = StudyFolder(tmp_path / "lost")
    lost = reports_of(folder, *own)
    inside = checkpoint.load(folder.trial(0).inner_checkpoint)
    assert (inside["trainer"]["epoch"], inside["trainer"]["within"]["batch"]) == (1, 2)
    continued = reports_of(folder, *own)
    assert [epoch for epoch, _ in lost + continued] == [1, 1, 2, 3]
    assert continued[1:] == straight[1:]
    assert not folder.trial(0).inner_checkpoint.exists()
