"""Evaluators are called in the arithmetic of training."""

import pytest
import torch
from surrogates import ROBUST, study_info

from raystudy.config import compose
from raystudy.confirm.on_test_split import evaluated
from raystudy.storage.folders import StudyFolder
from raystudy.study.local_session import LocalSession
from raystudy.trial.build import load_splits
from raystudy.trial.info import TrialInfo
from raystudy.trial.run import run_trial


class Arithmetic:
    """Measures whether networks multiply in bfloat16."""

    measures = (ROBUST,)

    def __call__(self, method, splits):
        one = torch.ones(1, 1)
        return {ROBUST: float((one @ one).dtype == torch.bfloat16)}


@pytest.mark.parametrize(("precision", "expected"), [("float32", 0.0), ("bfloat16", 1.0)])
def test_after_an_epoch_and_on_the_test_split(monkeypatch, tmp_path, precision, expected):
    for module in ("raystudy.trial.build", "raystudy.trial.run"):
        monkeypatch.setattr(f"{module}.build_evaluators", lambda _: {"own": Arithmetic()})
    settings = compose.load("at", ["max_epochs=1", f"trainer.precision={precision}", "device=cpu"])
    folder = StudyFolder(tmp_path).trial(0)
    trial = TrialInfo(number=0, params={}, overrides=(), folder=folder.path, command="")
    with LocalSession(study_info(tmp_path), trial, []) as session:
        run_trial(settings, session)
    assert session.summary.metrics[ROBUST] == expected
    assert evaluated(settings, folder, load_splits(settings)) == {ROBUST: expected}
