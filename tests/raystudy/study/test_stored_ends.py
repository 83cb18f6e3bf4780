"""Stored studies that ended before all their trials were run."""

import json

import pytest
from stored_search import search

from raystudy.cli import main, sweep
from raystudy.errors import UserError


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    return tmp_path


def test_a_study_that_spent_its_budget_is_complete(home, capsys):
    study = search(home, [0.3], "study.budget.accelerator_hours=1e-9", "study.num_trials=9")
    assert study.state == "complete"
    assert study.ended_early.startswith("study.budget.accelerator_hours=1e-09 is spent")
    assert main.main(["status", "simclr-1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "complete"


def test_a_study_that_was_cut_off_is_not(home):
    study = search(home, [0.3, 0.4], "study.num_trials=9")
    assert (study.state, study.ended_early, study.prior) == ("interrupted", "", None)


def test_constraints_points_and_a_warm_start_cannot_change(home):
    search(home, [0.3], "study.num_trials=9")
    for wrong in ("study.constraints=[]", "study.points=[]", "study.warm_start=x"):
        with pytest.raises(UserError, match="cannot change within a study"):
            sweep.resume("simclr-1", [wrong])
