"""``raystudy register``: what a version says, and what cannot be registered."""

import pytest
import torch

from raystudy.cli import main
from raystudy.config import compose
from raystudy.evaluation.export_encoder import model_of
from raystudy.evaluation.network import open_trained
from raystudy.storage import checkpoint
from raystudy.storage.folders import create_study_folder
from raystudy.storage.manifest import Manifest
from raystudy.trial.build import build_method


@pytest.fixture
def training(tmp_path, monkeypatch):
    """Return a single training whose weights are as they were drawn."""
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    folder = create_study_folder(tmp_path, "train", "mine")
    overrides = ["optimizer.lr=3", "tracker=none"]
    folder.write_manifest(Manifest.read({"kind": "train", "name": "swaro", "overrides": overrides}))
    folder.trial(0).path.mkdir(parents=True)
    checkpoint.save_weights(build_method(compose.load("swaro", [])), folder.trial(0).best_weights)
    return folder


def test_an_encoder_for_the_registry_says_what_made_it(training):
    network = open_trained(training.id, [])
    model = model_of(network, "digits")
    images = torch.rand(4, *model.shape)
    torch.testing.assert_close(model.network(images), network.encoder(images))
    assert model.tags["raystudy.command"] == "raystudy train swaro optimizer.lr=3"
    assert model.tags["raystudy.trial"] == "mine/0"
    assert "swaro on digits: features" in model.note


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["mine", "--name", "a"], "has no registry of models"),
        (["mine", "--name", "a", "tracker=mlflow"], "mine ran without MLflow"),
        (["mine", "--name", "a/b", "tracker=mlflow"], "--name must be a name without / and :"),
        (["mine/7", "--name", "a"], "there is no mine/7"),
        (["nobody-1", "--name", "a"], "no study 'nobody-1'"),
    ],
)
def test_what_cannot_be_registered_is_one_sentence(words, told, training, capsys):
    assert main.main(["register", *words]) == 2
    assert training.id == "mine"
    said = capsys.readouterr().err
    assert told in said
    assert "Traceback" not in said
