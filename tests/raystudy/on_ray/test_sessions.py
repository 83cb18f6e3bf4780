"""Sessions of trials that run elsewhere."""

import pytest
import torch
from torch import distributed as dist

from raystudy.errors import TrialStoppedError
from raystudy.on_ray.sessions import TrainSession, TuneSession
from raystudy.storage.folders import TrialFolder
from trainables import distributed


def test_a_trial_that_tune_ends_stops_as_any_other(tmp_path):
    def leave(_):
        raise SystemExit(0)

    with pytest.raises(TrialStoppedError):
        TuneSession(TrialFolder(tmp_path), leave).report(1, {"val/accuracy": 0.5})


def test_tune_hears_epoch_and_measures(tmp_path):
    heard = []
    TuneSession(TrialFolder(tmp_path), heard.append).report(3, {"val/accuracy": 0.5})
    assert heard == [{"epoch": 3, "metrics": [("val/accuracy", 0.5)]}]


def stops_at(last_epoch, folder):
    """Run up to 9 epochs on this rank; return the epoch it stopped at and what it was asked."""
    asked = []

    def ask(report):
        asked.append(report["epoch"])
        return report["epoch"] < last_epoch

    session = TrainSession(TrialFolder(folder), ask)
    for epoch in range(1, 10):
        dist.all_reduce(torch.ones(1))
        try:
            session.report(epoch, {"val/accuracy": 0.1 * distributed.rank()})
        except TrialStoppedError:
            return epoch, asked
    return None, asked


def test_every_rank_stops_at_the_epoch_at_which_rank_0_is_told_to(run_ranks, tmp_path):
    assert run_ranks(stops_at, 4, tmp_path) == [(4, [1, 2, 3, 4]), (4, [])]
