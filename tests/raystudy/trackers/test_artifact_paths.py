"""A results folder that is moved, or copied, works as before."""

import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from mlflow_studies import ROBUST, Store, again, tell, trial
from omegaconf import OmegaConf
from surrogates import study_info

from raystudy.storage.folders import StudyFolder, create_study_folder
from raystudy.study.tracker import Attachment
from raystudy.trackers.mlflow import MlflowTracker
from raystudy.trackers.mlflow.delivered import count_waiting
from raystudy.trackers.mlflow.store_uri import default_artifacts, store_uri

EXPERIMENT = "raystudy-surrogate-none"


def store_in(home):
    from mlflow import MlflowClient

    uri = store_uri(None, str(home))
    return Store(uri, default_artifacts(str(home)), MlflowClient(tracking_uri=uri))


@pytest.fixture
def home(store, tmp_path):
    """A results folder with a study that is told and has a file in MLflow."""
    home = tmp_path / "before"
    shutil.copytree(Path(store.artifacts).parent, home)
    folder = create_study_folder(home, "study", tmp_path.name)
    folder.trial(0).path.mkdir(parents=True)
    folder.trial(0).config.write_text("seed: 0\n")
    tell(MlflowTracker(None), study_info(folder.path))
    store_in(home).sync(folder)
    return home


def study_in(home):
    (folder,) = (home / "studies").glob("test_*")
    return StudyFolder(folder)


def go_on(home):
    """Tell one more trial and attach a file; return the store and the first trial's run."""
    folder, there = study_in(home), store_in(home)
    assert count_waiting(folder, there.uri) == 0
    tracker = MlflowTracker(None)
    tracker.study_started(again(study_info(folder.path)))
    folder.trial(1).path.mkdir(parents=True)
    folder.trial(1).config.write_text("seed: 1\n")
    tracker.trial_started(trial(folder, 1))
    tracker.trial_reported(1, 1, {ROBUST: 0.5})
    tracker.study_finished("complete")
    tracker.attach(folder, 0, Attachment(files={"look.png": b"png"}))
    tracker.close()
    there.sync(folder)
    return there, there.runs(folder)


def test_old_files_are_seen_and_new_ones_are_at_the_new_place(home, tmp_path):
    moved = tmp_path / "after"
    home.rename(moved)
    there, runs = go_on(moved)
    assert set(runs) == {study_in(moved).id, "trial 0000", "trial 0001"}
    files = there.files(runs["trial 0000"])
    assert (files["config.yaml"], files["look.png"]) == (b"seed: 0\n", b"png")
    assert there.files(runs["trial 0001"])["config.yaml"] == b"seed: 1\n"
    for run in runs.values():
        assert run.info.artifact_uri.startswith(f"{moved}/artifacts/{EXPERIMENT}/")
    assert not home.exists()


NAMES = ["50%41 off#1?", "new\nline", "[old];=,&$HOME('ü')", os.fsdecode(b"not \xff utf-8")]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_that_the_file_system_allows_will_do(home, tmp_path, name):
    moved = tmp_path / name
    home.rename(moved)
    there, runs = go_on(moved)
    files = there.files(runs["trial 0000"])
    assert (files["config.yaml"], files["look.png"]) == (b"seed: 0\n", b"png")
    assert there.files(runs["trial 0001"])["config.yaml"] == b"seed: 1\n"
    assert list(moved.glob("artifacts/*/*/artifacts/look.png"))


def test_a_copy_leaves_the_original_alone(home, tmp_path):
    copied = tmp_path / "copy"
    shutil.copytree(home, copied)
    before = sorted(home.rglob("*"))
    there, runs = go_on(copied)
    assert there.files(runs["trial 0000"])["look.png"] == b"png"
    assert sorted(home.rglob("*")) == before


def test_a_study_noted_by_the_path_of_its_store_is_known_after_a_move(home, tmp_path):
    notes = study_in(home).path / "mlflow.delivered"
    (note,) = json.loads(notes.read_text()).values()
    notes.write_text(json.dumps({store_uri(None, str(home)): note}))  # as until November 2026
    home.rename(tmp_path / "after")
    go_on(tmp_path / "after")


def test_a_study_brought_into_another_results_folder_is_told_from_the_beginning(home, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(home / "mlflow.db", elsewhere)
    there = store_in(elsewhere)
    for run in there.runs(study_in(home)).values():
        there.client.delete_run(run.info.run_id)

    with sqlite3.connect(elsewhere / "mlflow.db") as database:
        for table in ("tags", "params", "metrics", "latest_metrics", "runs"):
            database.execute(f"delete from {table}")
    moved = StudyFolder(elsewhere / "studies" / study_in(home).id)
    shutil.copytree(study_in(home).path, moved.path)
    assert there.sync(moved).delivered > 0
    assert there.files(there.runs(moved)["trial 0000"])["config.yaml"] == b"seed: 0\n"


def test_a_place_that_its_user_chose_for_an_experiment_stays(home, tmp_path):

    own = f"{tmp_path}/own/place"
    with sqlite3.connect(home / "mlflow.db") as database:
        database.execute("update experiments set artifact_location = ?", [own])
    store_in(home).sync(study_in(home))
    moved = tmp_path / "after"
    home.rename(moved)
    there = store_in(moved)
    there.sync(study_in(moved))
    assert there.client.get_experiment_by_name("raystudy/surrogate/none").artifact_location == own


def test_a_study_says_where_it_is_and_not_where_it_was_begun(tmp_path):
    folder = create_study_folder(tmp_path, "study")
    settings = OmegaConf.create(
        {"output_dir": "/elsewhere", "data": {"root": "${output_dir}/data"}}
    )
    folder.settle(settings)
    assert settings.data.root == f"{tmp_path}/data"
