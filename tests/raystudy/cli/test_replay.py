"""A trial that is known by its run in MLflow."""

import pytest
from mlflow import MlflowClient

from raystudy.cli import main

SHORT = ["cross_entropy", "max_epochs=1", "encoder.widths=[8,16]"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAYSTUDY_HOME", str(folder))
        yield folder


@pytest.fixture(name="run", scope="module")
def train_and_track(home):
    """The run of a trained trial, as MLflow calls it."""
    assert main.main(["train", *SHORT, "study.id=first"]) == 0
    client = MlflowClient(tracking_uri=f"sqlite:///{home}/mlflow.db")
    (run,) = client.search_runs(["1"])
    return run.info.run_id


def test_it_is_trained_again_where_the_new_training_is_not_tracked(run, home, capsys):
    assert main.main(["replay", run, "study.id=again", "tracker=none"]) == 0
    assert "complete" in capsys.readouterr().out
    first, again = (
        (home / "studies" / name / "trials/0000/best.safetensors").read_bytes()
        for name in ("first", "again")
    )
    assert first == again


def test_a_run_that_is_not_there_is_one_sentence(run, capsys):
    assert main.main(["replay", run[::-1]]) == 2
    assert "is not a trial of raystudy" in capsys.readouterr().err


def test_a_configurations_run_is_held_to_the_trial_it_is_of(run, home, capsys):
    client = MlflowClient(tracking_uri=f"sqlite:///{home}/mlflow.db")
    command = client.get_run(run).data.tags["raystudy.command"]
    tags = {"raystudy.study_id": "race", "raystudy.trial": "first/0", "raystudy.command": command}
    configuration = client.create_run("1", tags=tags).info.run_id
    words = ["replay", configuration, "tracker=none"]
    assert main.main([*words, "study.id=of-configuration"]) == 0
    kept = home / "studies/first/trials/0000/config.yaml"
    before = kept.read_text()
    kept.write_text(before.replace("max_epochs: 1", "max_epochs: 2"))
    assert main.main([*words, "study.id=changed"]) == 2
    kept.write_text(before)
    assert "first was started with max_epochs=2, for which the YAML" in capsys.readouterr().err
