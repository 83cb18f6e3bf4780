"""Studies from Python: what is on disk as tables, networks and Optuna's own objects."""

import doctest
import io
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import torch
from stored_search import search

import raystudy as rs
from raystudy.errors import UserError
from raystudy.interface import study as interface

OLD = Path(__file__).parents[2] / "fixtures" / "format_1"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    search(folder, [0.3, 0.5, None], "study.num_trials=3")
    return folder


@pytest.fixture(name="trained", scope="module")
def train_on_a_terminal(tmp_path_factory):
    """Return a training, and what a terminal was sent while it ran."""
    folder = tmp_path_factory.mktemp("trained")
    words = ["max_epochs=1", "encoder.widths=[8,16]", "tracker=none", f"output_dir={folder}"]
    with pytest.MonkeyPatch.context() as environment, redirect_stdout(io.StringIO()) as screen:
        environment.setenv("FORCE_COLOR", "1")
        training = rs.train("cross_entropy", words)
    return training, screen.getvalue()


@pytest.fixture(scope="module")
def training(trained):
    return trained[0]


@pytest.fixture
def study(home):
    return rs.open("simclr-1", [f"output_dir={home}"])


def test_importing_it_imports_nothing_slow():
    slow = {"torch", "ray", "optuna", "pandas", "hydra"}
    code = f"import sys, raystudy; print(sorted({slow} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_name_it_offers_is_there():
    assert all(callable(getattr(rs, name)) for name in rs.__all__)
    assert set(rs.__all__) <= set(dir(rs))
    with pytest.raises(AttributeError, match="no attribute 'sweeep'"):
        rs.sweeep  # noqa: B018


def test_the_examples_of_the_docstrings_hold(home):
    names = {"rs": rs, "HERE": [f"output_dir={home}"]}
    tests = doctest.DocTestFinder().find(interface.Study, globs=names)
    runner = doctest.DocTestRunner()
    for one in tests:
        runner.run(one)
    assert runner.summarize(verbose=False).attempted > 3
    assert runner.summarize(verbose=False).failed == 0


def test_trials_are_rows_of_settings_measures_and_states(study):
    trials = study.trials
    assert list(trials.index) == [0, 1, 2]
    assert list(trials["state"]) == ["complete", "complete", "diverged"]
    assert trials.loc[study.best.name, "val/accuracy"] == 0.5
    assert list(study.front.index) == [1]
    curve = study.curves(1)
    assert curve.index.name == "epoch"
    assert curve["val/accuracy"].iloc[-1] == 0.5


def test_optuna_has_the_same_trials_and_can_change_none(study):
    seen = study.optuna
    assert [trial.value for trial in seen.trials[:2]] == [0.3, 0.5]
    with pytest.raises(UserError, match="only read"):
        seen.ask()


def test_a_notebook_shows_trials_and_curves():
    shown = rs.open("old-sweep", [f"output_dir={OLD}"])._repr_html_()
    assert "old-sweep: complete, 4 of 4 trials" in shown
    assert shown.count("<tr") == 6  # two of them are heads
    assert "<svg" in shown


def test_a_report_is_written(study, tmp_path):
    assert study.report(str(tmp_path / "page.html")).read_text().startswith("<!")


def test_a_training_gives_its_encoder_with_its_weights(training):
    encoder = training.encoder()
    assert not encoder.training
    state = torch.load(training.path / "trials/0000/last.ckpt", weights_only=True)
    kept = state["trainer"]["method"]
    for name, weight in encoder.state_dict().items():
        assert torch.equal(weight, kept[f"encoder.{name}"]), name
    assert training.config.max_epochs == 1
    assert 0 < training.metrics["val/accuracy"] <= 1
    assert encoder(torch.rand(2, 1, 8, 8)).isfinite().all()


def test_a_training_is_shown_as_the_one_trial_it_is(trained):
    _, screen = trained
    assert "the only trial: complete" in screen
    assert "trials ended" not in screen


def test_what_is_measured_comes_back_as_records(training):
    words = [f"output_dir={training.path.parent.parent}", "suite.max_images=20"]
    (record,) = rs.evaluate(training.id, [*words, "suite.attacks={}", "suite.checks=null"])
    assert record["protocols"]["quick"]["clean"]["images"] == 20


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda here: rs.open("simclr-9", here), "no study 'simclr-9'"),
        (lambda here: rs.open("simclr-1", here).config(7), "has no trial 7"),
        (lambda here: rs.open("simclr-1", here).curves(7), "has no trial 7"),
        (lambda here: rs.open("simclr-1", here).mlflow_runs, "has no runs in MLflow"),
        (lambda here: rs.sweep("simclrr", here), "did you mean 'simclr'"),
    ],
)
def test_wrong_input_is_one_sentence(home, ask, words):
    with pytest.raises(UserError, match=words):
        ask([f"output_dir={home}"])
