"""Nothing told is lost, and nothing is in MLflow twice."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy
from mlflow_studies import ROBUST, again, tell, trial
from surrogates import study_info

from raystudy.errors import UserError
from raystudy.storage.folders import StudyFolder
from raystudy.storage.spool import read
from raystudy.trackers.mlflow import MlflowTracker, sync
from raystudy.trackers.mlflow.client import MlflowStore
from raystudy.trackers.mlflow.delivery import EVENTS_AT_ONCE
from raystudy.trackers.mlflow.run_patch import RunPatch

NOBODY = "http://me:hunter2@127.0.0.1:9"  # port 9, discard, is closed
NOTES = "mlflow.delivered"
OLD = Path(__file__).parents[2] / "fixtures" / "format_1" / "mlflow.spool"  # its driver was killed


def rows(store, run):
    """Return everything the database holds of a run's numbers, parameters and tags."""
    database = sqlite3.connect(store.uri.removeprefix("sqlite:///"))
    tables = ("metrics", "latest_metrics", "params", "tags")
    found = {
        table: sorted(
            database.execute(f"select * from {table} where run_uuid = ?", [run.info.run_id]),
            key=str,
        )
        for table in tables
    }
    database.close()
    return found


def test_a_delivery_that_was_not_noted_is_repeated_without_a_trace(store, folder, study):
    tell(MlflowTracker(None), study, trials=2)
    store.sync(folder)
    before = {name: rows(store, run) for name, run in store.runs(folder).items()}
    (folder.path / NOTES).unlink()
    assert store.sync(folder).delivered > 0
    assert {name: rows(store, run) for name, run in store.runs(folder).items()} == before


def test_a_delivery_that_died_halfway_is_taken_up(store, folder, study):
    tell(MlflowTracker(None), study, trials=3)
    store.sync(folder)
    runs = {name: rows(store, run) for name, run in store.runs(folder).items()}
    # Only the first events are noted; MLflow has them all.
    notes = (folder.path / NOTES).read_text()
    offset = [end for _, end in read(folder.spool)][7]
    last = [end for _, end in read(folder.spool)][-1]
    (folder.path / NOTES).write_text(notes.replace(f'"offset": {last}', f'"offset": {offset}'))
    store.sync(folder)
    assert {name: rows(store, run) for name, run in store.runs(folder).items()} == runs


def test_what_was_delivered_is_not_delivered_again(store, folder, study):
    tell(MlflowTracker(None), study)
    told = store.sync(folder).delivered
    assert told == sum(1 for _ in read(folder.spool))
    assert store.sync(folder).delivered == 0


def test_trials_are_delivered_in_two_transactions_for_all(store, folder, study):
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    tell(MlflowTracker(None), study, trials=10)
    commits = []
    engine = SqlAlchemyStore(store.uri, store.artifacts).engine
    with_commit = ("commit", lambda connection: commits.append(in_transaction(connection)))
    sqlalchemy.event.listen(engine, *with_commit)
    store.sync(folder)
    sqlalchemy.event.remove(engine, *with_commit)
    assert sum(commits) == 4  # the study's page and its line in the experiment's note are one each
    assert len(store.runs(folder)) == 11


def in_transaction(connection):
    return connection.connection.dbapi_connection.in_transaction


def test_what_is_there_already_takes_nothing_new_out_of_the_transaction(store, folder, study):
    tracker = MlflowTracker(None)
    tracker.study_started(study)
    tracker.trial_started(trial(folder, 0))
    tracker.trial_reported(0, 1, {ROBUST: 0.5})
    store.sync(folder)
    (folder.path / NOTES).unlink()
    tracker.trial_started(trial(folder, 1))
    tracker.trial_reported(0, 2, {ROBUST: 0.6})
    tracker.trial_reported(1, 1, {ROBUST: 0.7})
    store.sync(folder)
    runs = store.runs(folder)
    assert store.history(runs["trial 0000"], ROBUST) == [(1, 0.5), (2, 0.6)]
    assert store.history(runs["trial 0001"], ROBUST) == [(1, 0.7)]


def test_a_transaction_cut_short_leaves_nothing(store):
    mlflow = MlflowStore(store.uri, store.artifacts, print)
    mlflow.open_experiment("raystudy/surrogate/none")
    made = []

    def make_a_run_and_die():
        with mlflow.transaction():
            made.append(mlflow.create_run(RunPatch("cut short", 0), {}))
            assert mlflow.has_run(made[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_a_run_and_die()
    assert not mlflow.has_run(made[0])


def test_a_disk_that_fills_up_within_a_transaction_loses_nothing(store, folder, study):
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    tell(MlflowTracker(None), study, trials=10)
    engine = SqlAlchemyStore(store.uri, store.artifacts).engine
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar() + 5

    def limit(connection, *_):
        connection.execute(f"PRAGMA max_page_count = {pages}")

    sqlalchemy.event.listen(engine, "checkout", limit)
    full = sync(folder, store.uri, artifacts=store.artifacts)
    pages = 2**30
    store.sync(folder)
    sqlalchemy.event.remove(engine, "checkout", limit)
    assert "full" in full.error
    assert full.waiting == sum(1 for _ in read(folder.spool))
    assert all(rows(store, run)["metrics"] for run in store.runs(folder).values())
    assert len(store.runs(folder)) == 11


def test_two_studies_of_one_name_do_not_mix(store, folder, study, tmp_path):
    twin = StudyFolder(tmp_path / "elsewhere" / folder.id)
    twin.path.mkdir(parents=True)
    tell(MlflowTracker(None), study)
    tell(MlflowTracker(None), study_info(twin.path))
    store.sync(folder)
    store.sync(twin)
    (folder.path / NOTES).unlink()
    store.sync(folder)
    found = store.client.search_runs(["1"], f"tags.`raystudy.study_id` = '{folder.id}'")
    uids = [run.data.tags["raystudy.study_uid"] for run in found]
    assert len(uids) == 4
    assert {uids.count(uid) for uid in uids} == {2}


def test_a_study_carried_to_another_machine_still_finds_its_files(store, folder, study, tmp_path):
    tell(MlflowTracker(None), study)
    folder.trial(0).path.mkdir(parents=True)
    folder.trial(0).config.write_text("seed: 0\n")
    moved = StudyFolder(tmp_path / "copied" / folder.id)
    shutil.move(folder.path, moved.path)
    store.sync(moved)
    assert store.files(store.runs(moved)["trial 0000"])["config.yaml"] == b"seed: 0\n"


def test_a_spool_of_an_old_study_is_delivered(store, tmp_path):
    old = StudyFolder(tmp_path / "studies" / "old-tracked")
    old.path.mkdir(parents=True)
    shutil.copy(OLD, old.spool)
    store.sync(old)
    runs = store.runs(old)
    assert {name: run.info.status for name, run in runs.items()} == {
        "old-tracked": "KILLED",
        "trial 0000": "FINISHED",
        "trial 0001": "FINISHED",
        "trial 0002": "KILLED",
    }
    assert store.history(runs["trial 0000"], ROBUST) == [(1, 0.5), (2, 0.4)]
    assert runs["trial 0002"].data.params == {"optimizer.lr": "2"}
    assert runs["trial 0001"].data.tags["raystudy.reason"] == "because"


@pytest.mark.parametrize("torn", [b'{"kind": "trial_rep', b'{"kind": "\xc3', b"{}"])
def test_a_torn_last_line_is_skipped(store, folder, study, torn):
    tracker = MlflowTracker(None)
    tracker.study_started(study)
    tracker.trial_started(trial(folder))
    with folder.spool.open("ab") as file:
        file.write(torn)
    tracker = MlflowTracker(None)
    tracker.study_started(again(study))
    tracker.trial_started(trial(folder, resumed=True))
    tracker.trial_reported(0, 1, {ROBUST: 0.5})
    store.sync(folder)
    assert store.history(store.runs(folder)["trial 0000"], ROBUST) == [(1, 0.5)]


def test_a_run_deleted_by_its_user_holds_nothing_up(store, folder, study):
    tracker = MlflowTracker(None)
    tracker.study_started(study)
    tracker.trial_started(trial(folder, 0))
    store.sync(folder)
    store.client.delete_run(store.runs(folder)["trial 0000"].info.run_id)
    tracker.trial_reported(0, 1, {ROBUST: 0.5})
    tracker.trial_started(trial(folder, 1))
    tracker.trial_reported(1, 1, {ROBUST: 0.5})
    assert store.sync(folder).refused
    assert store.history(store.runs(folder)["trial 0001"], ROBUST) == [(1, 0.5)]


def test_a_parameter_that_changed_is_refused_alone(store, folder, study):
    tracker = MlflowTracker(None)
    tracker.study_started(study)
    tracker.trial_started(trial(folder, 0, "a=1"))
    store.sync(folder)
    tracker.trial_started(trial(folder, 0, "a=2", "b=3", resumed=True))
    (refused,) = store.sync(folder).refused
    assert refused.startswith("param 'a'")
    assert store.runs(folder)["trial 0000"].data.params == {"a": "1", "b": "3"}


def test_a_study_that_a_driver_runs_is_left_to_it(store, folder, study):
    tell(MlflowTracker(None), study)
    with folder.locked(), pytest.raises(UserError, match="is being run by another process"):
        sync(folder, store.uri)


def test_progress_counts_events(store, folder, study):
    tracker = MlflowTracker(None)
    tracker.study_started(study)
    for epoch in range(EVENTS_AT_ONCE):
        tracker.trial_reported(0, epoch + 1, {ROBUST: 0.5})
    tracker.study_finished("complete")
    total, seen = EVENTS_AT_ONCE + 3, []
    sync(folder, store.uri, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(EVENTS_AT_ONCE, total), (total, total)]


KILLED_DRIVER = """
import os, signal, sys
from pathlib import Path
from mlflow_studies import ROBUST, trial
from raystudy.storage.folders import StudyFolder
from surrogates import study_info
from raystudy.trackers.mlflow import MlflowTracker
folder = StudyFolder(Path(sys.argv[1]))
tracker = MlflowTracker(None)
tracker.study_started(study_info(folder.path))
tracker.trial_started(trial(folder))
for epoch in range(1, 101):
    tracker.trial_reported(0, epoch, {ROBUST: epoch / 100})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_drivers_events_are_delivered_silently_by_another_process(store, folder, capfd):
    path = f"import sys; sys.path[:] = {sys.path!r}\n"  # what this process finds
    command = [sys.executable, "-c", path + KILLED_DRIVER, str(folder.path)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    store.sync(folder)
    assert capfd.readouterr() == ("", "")
    runs = store.runs(folder)
    expected = [(epoch, epoch / 100) for epoch in range(1, 101)]
    assert store.history(runs["trial 0000"], ROBUST) == expected
    assert {run.info.status for run in runs.values()} == {"KILLED"}


def test_an_absent_server_costs_a_warning_and_sync_delivers_all(store, folder, study):
    warnings = []
    tell(MlflowTracker(NOBODY, patience=600, warn=warnings.append), study)
    absent, left = warnings
    assert "http://***@127.0.0.1:9" in absent
    assert "Connection refused" in absent
    assert left.endswith(folder.command("sync"))
    assert "hunter2" not in "".join(warnings)
    store.sync(folder)
    assert store.history(store.runs(folder)["trial 0000"], ROBUST) == [(1, 0.5), (2, 0.4)]


def test_patience_is_the_longest_wait(store, folder, study):
    warnings = []
    tell(MlflowTracker(store.uri, patience=0, warn=warnings.append), study)
    (left,) = warnings
    assert left.startswith("7 events wait for MLflow")
    store.sync(folder)


def test_a_study_is_in_mlflow_when_it_has_ended(store, folder, study, capfd):
    warnings = []
    home = str(Path(store.artifacts).parent)
    tracker = MlflowTracker(store.uri, output_dir=home, patience=600, warn=warnings.append)
    tell(tracker, study, trials=2)
    assert warnings == []
    assert {run.info.status for run in store.runs(folder).values()} == {"FINISHED"}
    assert store.sync(folder).delivered == 0
    assert capfd.readouterr() == ("", "")


def test_a_missing_folder_of_a_spool_never_raises(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    warnings = []
    tell(MlflowTracker(None, warn=warnings.append), study_info(blocked / "study"))
    assert len(warnings) == 1


@pytest.mark.slow  # two processes make MLflow's tables
def test_two_studies_may_begin_at_once_on_a_new_database(tmp_path):
    uri, warnings = f"sqlite:///{tmp_path}/new/mlflow.db", []
    trackers = [MlflowTracker(uri, patience=600, warn=warnings.append) for _ in range(2)]
    studies = [study_info(tmp_path / f"study-{i}") for i in range(2)]
    for tracker, study in zip(trackers, studies, strict=True):
        tracker.study_started(study)
    for tracker in trackers:
        tracker.study_finished("complete")
    for tracker in trackers:
        tracker.close()
    assert warnings == []
    count = sqlite3.connect(tmp_path / "new/mlflow.db").execute("select count(*) from runs")
    assert count.fetchone() == (2,)


@pytest.mark.slow  # makes another database
def test_a_database_that_was_left_half_made_is_made_anew(folder, study, tmp_path):
    (tmp_path / "mlflow.db.part").write_text("as of a process that was killed")
    tell(MlflowTracker(None), study)
    assert sync(folder, f"sqlite:///{tmp_path}/mlflow.db").error == ""
    assert not (tmp_path / "mlflow.db.part").exists()


@pytest.mark.slow  # makes another database
def test_another_store_gets_everything(store, folder, study, tmp_path):
    tell(MlflowTracker(None), study)
    told = store.sync(folder).delivered
    other = sync(folder, f"sqlite:///{tmp_path}/other.db", artifacts=str(tmp_path / "artifacts"))
    assert (other.delivered, other.error) == (told, "")
    assert store.sync(folder).delivered == 0
