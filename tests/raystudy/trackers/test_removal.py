"""`raystudy rm`: says what would go, then lets it go, in MLflow too."""

from pathlib import Path

import pytest
from mlflow_studies import tell
from surrogates import study_info

from raystudy.cli import main
from raystudy.storage.folders import create_study_folder
from raystudy.storage.manifest import Manifest
from raystudy.trackers.mlflow import MlflowTracker, pages
from raystudy.trackers.mlflow.delivered import uid_of

NOBODY = "http://127.0.0.1:9"  # port 9, discard, is closed


@pytest.fixture
def begin(store, tmp_path):
    """Return a function that makes a study of two trials, delivered to the store."""

    def begin(name):
        folder = create_study_folder(tmp_path, name, f"{tmp_path.name}-{name}")
        about = {"kind": "sweep", "name": name, "overrides": [f"tracker.uri={store.uri}"]}
        folder.write_manifest(Manifest.read(about))
        tell(MlflowTracker(None), study_info(folder.path), trials=2)
        store.sync(folder)
        return folder

    return begin


def has_page(store, uid):
    tags = store.client.get_experiment_by_name("raystudy/surrogate/none").tags
    return f"{pages.VIEW}{uid}" in tags


def rm(capsys, folder, *words):
    code = main.main(["rm", folder.id, f"output_dir={folder.path.parents[1]}", *words])
    out = capsys.readouterr()
    return code, out.out + out.err


def test_a_study_goes_with_its_runs_and_no_other(store, begin, capsys):
    one, other = begin("one"), begin("other")
    runs = store.runs(one).values()
    files = [Path(run.info.artifact_uri).parent for run in runs]
    code, told = rm(capsys, one)
    assert code == 2
    for words in (str(one.path), "(0 trials, ", "and 3 runs in MLflow at sqlite:", "add --yes"):
        assert words in told
    assert len(store.runs(one)) == 3
    gone, stays = uid_of(one), uid_of(other)
    assert has_page(store, gone)
    code, told = rm(capsys, one, "--yes")
    assert code == 0
    assert not has_page(store, gone)
    assert has_page(store, stays)
    assert told.startswith(f"deleted {one.path}")
    assert not one.path.exists()
    assert store.runs(one) == {}
    assert not any(path.exists() for path in files)
    assert len(store.runs(other)) == 3
    assert other.path.exists()


def test_runs_are_left_if_asked(store, begin, capsys):
    folder = begin("one")
    assert rm(capsys, folder, "--yes", "--keep-mlflow")[0] == 0
    assert len(store.runs(folder)) == 3


def test_runs_that_are_gone_already_are_no_hindrance(store, begin, capsys):
    folder = begin("one")
    notes = folder.path / "mlflow.delivered"
    (first, *_) = store.runs(folder).values()
    store.client.delete_run(first.info.run_id)
    notes.write_text(notes.read_text().replace(first.info.run_id, "0" * 32))
    assert rm(capsys, folder, "--yes")[0] == 0
    assert store.runs(folder) == {}


def test_where_mlflow_is_out_of_reach_nothing_is_deleted(store, begin, capsys):
    folder = begin("one")
    notes = folder.path / "mlflow.delivered"
    notes.write_text(notes.read_text().replace(store.uri, NOBODY))
    code, told = rm(capsys, folder, "--yes", f"tracker.uri={NOBODY}")
    assert code == 2
    assert "nothing was deleted" in told
    assert folder.path.exists()
