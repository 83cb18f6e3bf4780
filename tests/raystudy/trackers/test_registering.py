"""A network becomes a version of a model, once, by the road of all events."""

import json

import pytest
import torch
from mlflow_studies import tell
from torch import nn

from raystudy.errors import UserError
from raystudy.storage.spool import read
from raystudy.study.model import Model
from raystudy.study.tracker import NoTracker
from raystudy.trackers.mlflow import MlflowTracker

NOBODY = "http://127.0.0.1:9"  # port 9, discard, is closed
TAGS = {"raystudy.command": "raystudy train surrogate optimizer.lr=0"}


def model(name="digits"):
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).eval()
    return Model(name=name, network=network, shape=(1, 2, 2), tags=TAGS, note="Made by hand.")


def versions(store, name):
    return store.client.search_model_versions(f"name = '{name}'")


def test_a_network_is_a_version_once_and_loads_without_its_class(store, folder, study, monkeypatch):
    import mlflow

    tell(MlflowTracker(None), study)
    store.sync(folder)
    given, warnings = model(folder.id), []
    tracker = MlflowTracker(NOBODY, warn=warnings.append)
    tracker.register(folder, 0, given)
    tracker.close()
    assert tracker.registered(folder, given) == ()
    assert warnings[0].endswith(f"'{folder.command('sync')}' delivers it.")
    store.sync(folder)
    path = folder.path / "mlflow.delivered"
    noted = path.read_text()
    notes = json.loads(noted)
    for note in notes.values():  # delivered, and not noted
        note["offset"] = [end for _, end in read(folder.spool)][-2]
    path.write_text(json.dumps(notes))
    store.sync(folder)
    assert path.read_text() == noted
    (version,) = versions(store, folder.id)
    assert TAGS.items() <= version.tags.items()
    assert version.description == "Made by hand."
    assert version.run_id == store.runs(folder)["trial 0000"].info.run_id
    monkeypatch.setattr(nn.Sequential, "forward", None)
    loaded = mlflow.pytorch.load_model(version.source)
    monkeypatch.undo()
    images = torch.rand(5, 1, 2, 2)
    torch.testing.assert_close(loaded(images), given.network(images))
    signature = mlflow.models.get_model_info(version.source).signature
    assert [one.inputs[0].shape for one in (signature.inputs, signature.outputs)] == [
        (-1, 1, 2, 2),
        (-1, 3),
    ]


def test_where_mlflow_answers_it_says_how_to_load_it(store, folder, study):
    tell(MlflowTracker(None), study)
    store.sync(folder)
    tracker = MlflowTracker(store.uri, patience=600)
    given = model()
    tracker.register(folder, 0, given)
    tracker.close()
    *_, where, load = tracker.registered(folder, given)
    assert store.uri in where
    number = versions(store, "digits")[0].version
    assert f'load_model("models:/digits/{number}")' in load
    assert f"2 runs and models:/digits/{number} in MLflow" in tracker.kept(folder)
    assert tracker.remove(folder) == ""
    assert versions(store, "digits") == []


def test_a_network_that_is_no_graph_leaves_nothing_and_is_told(folder, study):
    class Untraceable(nn.Module):
        def forward(self, images):
            return images if images.sum().item() > 1e9 else images * 2

    tell(MlflowTracker(None), study)
    before = folder.spool.read_bytes()
    given = Model(name="digits", network=Untraceable().eval(), shape=(1, 2, 2))
    with pytest.raises(UserError, match=r"no graph of Untraceable .*--format safetensors"):
        MlflowTracker(None).register(folder, 0, given)
    assert folder.spool.read_bytes() == before
    assert not list(folder.path.glob("mlflow.files/*/models/*"))


@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b", ".."])
def test_a_name_that_the_registry_refuses_is_told(folder, study, name):
    tell(MlflowTracker(None), study)
    with pytest.raises(UserError, match="--name must be"):
        MlflowTracker(None).register(folder, 0, model(name))


def test_a_study_without_mlflow_has_no_registry(folder):
    with pytest.raises(UserError, match=f"{folder.id} ran without MLflow"):
        MlflowTracker(None).register(folder, 0, model())
    with pytest.raises(UserError, match="has no registry"):
        NoTracker().register(folder, 0, model())
