"""Pictures among the artifacts of a run."""

from mlflow_studies import tell

from raystudy.cli.look import look
from raystudy.config import compose
from raystudy.storage import checkpoint
from raystudy.storage.manifest import Manifest
from raystudy.trackers.mlflow import MlflowTracker
from raystudy.trial.build import build_method


def test_a_trials_run_gets_its_pictures(store, folder, study, monkeypatch):
    home = folder.path.parents[1]
    monkeypatch.setenv("RAYSTUDY_HOME", str(home))
    there = folder.trial(0)
    there.path.mkdir(parents=True)
    checkpoint.save_weights(build_method(compose.load("swaro", [])), there.best_weights)
    tracker = [f"tracker.uri={store.uri}"]
    manifest = {"kind": "train", "name": "swaro", "overrides": tracker, "search_path": []}
    folder.write_manifest(Manifest.read(manifest))
    tell(MlflowTracker(None), study)
    store.sync(folder)

    look(folder.id, [], [], pictures=["views"])
    run = store.runs(folder)["trial 0000"]
    (logged,) = store.client.list_artifacts(run.info.run_id, "pictures")
    assert logged.path == "pictures/views.png"
    assert logged.file_size == (there.path / "pictures" / "views.png").stat().st_size
