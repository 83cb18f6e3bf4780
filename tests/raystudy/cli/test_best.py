"""``raystudy best`` of studies with constraints and several objectives."""

import json

import pytest
from stored_search import search

from raystudy.cli import main


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    return tmp_path


def told(capsys, *arguments):
    assert main.main(["best", "simclr-1", *arguments]) == 0
    return capsys.readouterr().out


def test_a_feasible_trial_is_best_before_a_better_one_that_is_not(home, capsys):
    search(home, [0.3, 0.5, 0.4], 'study.constraints=["val/accuracy <= 0.45"]')
    words = told(capsys)
    assert words.startswith("trial 2  clean 0.4000")
    assert "infeasible" not in words


def test_the_least_infeasible_is_best_among_such_and_says_so(home, capsys):
    search(home, [0.3, 0.5, 0.4], 'study.constraints=["val/accuracy >= 0.9"]')
    words = told(capsys)
    assert words.startswith("trial 1  clean 0.5000")
    assert "infeasible: val/accuracy is 0.5, not >= 0.9; no trial is feasible" in words
    (best,) = json.loads(told(capsys, "--json"))
    assert best["violation"] == pytest.approx(0.4)


def test_a_front_keeps_to_the_constraints(home, capsys):
    both = "study.objectives=[val/accuracy,val/knn_accuracy]"
    bound = 'study.constraints=["val/knn_accuracy >= 0.4"]'
    search(home, [(0.9, 0.1), (0.5, 0.5), (0.4, 0.6), (0.3, 0.3)], both, bound)
    assert [one["number"] for one in json.loads(told(capsys, "--json"))] == [1, 2]


def test_status_tells_the_constraints(home, capsys):
    search(home, [0.3], 'study.constraints=["val/accuracy >= 0.9"]')
    assert main.main(["status", "simclr-1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["constraints"] == ["val/accuracy >= 0.9"]
