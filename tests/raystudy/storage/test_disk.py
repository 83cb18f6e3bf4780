"""A full disk: nothing is half-written, and it is told from a trial's own faults."""

import contextlib
import resource
from pathlib import Path

import pytest
import torch
from surrogate_study import Events, as_optuna_sees_it, open_study, run_study
from surrogates import study_info
from torch import nn

from raystudy.storage import checkpoint, disk
from raystudy.storage.folders import write_atomically
from raystudy.storage.journal import Journal
from raystudy.storage.spool import Spool, read
from raystudy.study.local_session import LocalSession
from raystudy.trial.info import TrialInfo


@contextlib.contextmanager
def no_file_grows_beyond(size):
    """Let the system refuse, after a part of it, what would make any file longer, in bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    "write",
    [
        lambda path: checkpoint.save({"weights": torch.ones(100_000)}, path),
        lambda path: checkpoint.save({"weights": [torch.ones(9)] * 999}, path),
        lambda path: checkpoint.save_weights(nn.Linear(300, 300), path),
        lambda path: write_atomically(path, "new"),
    ],
)
def test_a_file_stays_as_it_was_and_no_part_is_left(tmp_path, write):
    path = tmp_path / "file"
    path.write_text("old")
    (tmp_path / "file.part").symlink_to("/dev/full")
    with pytest.raises((OSError, RuntimeError)) as refused:
        write(path)
    assert disk.shortage(refused.value) == "No space left on device"
    assert path.read_text() == "old"
    assert [there.name for there in tmp_path.iterdir()] == ["file"]


def test_other_errors_are_no_shortage():
    error = ValueError("out of memory")
    error.__cause__ = FileNotFoundError(2, "No such file or directory")
    assert disk.shortage(error) == ""


def test_a_transaction_is_written_whole_or_later(tmp_path):
    path = tmp_path / "journal.log"
    journal = Journal(path)
    journal.append_logs([{"op_code": 0}])
    with no_file_grows_beyond(20), pytest.raises(OSError, match="too large"):
        journal.append_logs([{"op_code": 1, "value": "x" * 99}])
    assert path.read_text() == '{"op_code":0}\n'
    journal.append_logs([{"op_code": 2}])
    assert [log["op_code"] for log in Journal(path).read_logs(0)] == [0, 1, 2]


def test_closing_a_journal_tries_once_more_and_raises_nothing(tmp_path):
    for room in (20, 1000):
        journal = Journal(tmp_path / f"{room}.log")
        with no_file_grows_beyond(5), pytest.raises(OSError, match="too large"):
            journal.append_logs([{"op_code": 1, "value": "x" * 99}])
        with no_file_grows_beyond(room):
            journal.close()
    assert (tmp_path / "20.log").read_bytes() == b""
    assert len(list(Journal(tmp_path / "1000.log").read_logs(0))) == 1


def test_an_event_is_spooled_whole_or_not_at_all(tmp_path):
    spool = Spool(tmp_path / "mlflow.spool")
    with no_file_grows_beyond(100), pytest.raises(OSError, match="too large"):
        spool.append({"kind": "a", "text": "x" * 99})
    spool.append({"kind": "b"})
    assert [event["kind"] for event, _ in read(spool.path)] == ["spool", "b"]


class FullAt(Events):
    """A tracker whose disk is full when it hears of an epoch."""

    def __init__(self, number, epoch):
        super().__init__()
        self._full_at = ("trial_reported", number, epoch)

    def trial_reported(self, number, epoch, metrics):
        super().trial_reported(number, epoch, metrics)
        if self.heard[-1] == self._full_at:
            Path("/dev/full").write_text("an event")


def test_an_epoch_that_a_tracker_could_not_keep_is_run_again(tmp_path):
    with open_study(tmp_path / "s", trackers=[FullAt(1, 2)], num_trials=2) as study:
        for number in (0, 1):
            study.next_trial()
            study.report(number, 1, {"val/robust_accuracy": 0.1})
        with pytest.raises(OSError, match="No space left"):
            study.report(1, 2, {"val/robust_accuracy": 0.1})
    assert sorted(as_optuna_sees_it(tmp_path / "s").trials[1].intermediate_values) == [1]
    second = Events()
    run_study(tmp_path / "s", trackers=[second], num_trials=2)
    assert (1, 2) in second.of("trial_reported")


def test_a_trial_without_ray_is_left_to_be_gone_on_with(tmp_path):
    told, folder = Events(), tmp_path / "trials/0000"
    trial = TrialInfo(number=0, params={}, overrides=(), folder=folder, command="", resumed=False)
    session = LocalSession(study_info(tmp_path), trial, [told])
    with pytest.raises(OSError, match="No space left"), session:
        Path("/dev/full").write_text("as a checkpoint would")
    assert session.summary is None
    assert not session.folder.error.exists()
    assert told.heard[-1] == ("study_finished", "interrupted")
    assert told.of("trial_finished") == []
