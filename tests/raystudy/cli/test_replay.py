"""A trial that is known by its run in MLflow."""

import pytest
from mlflow import MlflowClient

from raystudy.cli import main

SHORT = ["cross_entropy", "max_epochs=1", "encoder.widths=[8,16]"]


@pytest.fixture(name="run")
def train_and_track(tmp_path, monkeypatch, capsys):
    """The run of a trained trial, as MLflow calls it."""
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    assert main.main(["train", *SHORT, "study.id=first"]) == 0
    capsys.readouterr()
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    (run,) = client.search_runs(["1"])
    return run.info.run_id


def test_it_is_trained_again_where_the_new_training_is_not_tracked(run, tmp_path, capsys):
    assert main.main(["replay", run, "study.id=again", "tracker=none"]) == 0
    assert "complete" in capsys.readouterr().out
    first, again = (
        (tmp_path / "studies" / name / "trials/0000/best.safetensors").read_bytes()
        for name in ("first", "again")
    )
    assert first == again


def test_a_run_that_is_not_there_is_one_sentence(run, capsys):
    assert main.main(["replay", run[::-1]]) == 2
    assert "is not a trial of raystudy" in capsys.readouterr().err
