"""What is added to a run later takes the road of epochs: the spool, then the upload process."""

import json
import re
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from mlflow_studies import ROBUST, again, tell, trial

from raystudy.storage.spool import read
from raystudy.study.tracker import Attachment
from raystudy.trackers.mlflow import MlflowTracker, pages, study_pages

NOBODY = "http://me:hunter2@127.0.0.1:9"  # port 9, discard, is closed
KINDS = {
    "evaluation": (
        0,
        Attachment(
            metrics={"test/accuracy": 0.5},
            curves={"test/fgsm by epsilon x 1000": {8: 0.3, 16: 0.1}},
            tags={"raystudy.warnings.quick": "none"},
            files={"quick.json": b"{}"},
            folder="evaluations",
        ),
    ),
    "pictures": (0, Attachment(files={"views.png": b"png"}, folder="pictures")),
    "report": ("study", Attachment(files={"report.html": b"<html>"})),
    "conclusion": (
        "study",
        Attachment(
            metrics={"confirm/gain": 0.1},
            tags={"raystudy.conclusion": "better."},
            note="better.",
            files={"confirm.json": b"{}"},
        ),
    ),
}


def attach(folder, key, attachment, uri=None, warnings=None):
    tracker = MlflowTracker(uri, warn=None if warnings is None else warnings.append)
    tracker.attach(folder, key, attachment)
    tracker.close()


def run_of(store, folder, key):
    return store.runs(folder)[folder.id if key == "study" else f"trial {key:04d}"]


def points(store, folder, key, name):
    return store.history(run_of(store, folder, key), name)


def content(store, folder, key, path):
    run_id = run_of(store, folder, key).info.run_id
    from pathlib import Path

    return Path(store.client.download_artifacts(run_id, path)).read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_server_missed_is_delivered_by_sync(kind, store, folder, study):
    tell(MlflowTracker(None), study)
    key, attachment = KINDS[kind]
    attach(folder, key, attachment)
    store.sync(folder)
    run = run_of(store, folder, key)
    assert run.info.status == "FINISHED"
    for name, value in attachment.metrics.items():
        assert store.history(run, name) == [(0, value)]
    for name, curve in attachment.curves.items():
        assert store.history(run, name) == list(curve.items())
    assert attachment.tags.items() <= run.data.tags.items()
    assert attachment.note in run.data.tags["mlflow.note.content"]
    for name, raw in attachment.files.items():
        assert content(store, folder, key, f"{attachment.folder}/{name}".lstrip("/")) == raw


def test_an_absent_server_is_one_line_that_says_how_to_deliver(store, folder, study):
    tell(MlflowTracker(None), study)
    warnings = []
    attach(folder, *KINDS["report"], uri=NOBODY, warnings=warnings)
    (line,) = warnings
    assert line.startswith(f"{folder.id} waits for MLflow at http://***@127.0.0.1:9 (")
    assert "Connection refused" in line
    assert line.endswith(f"'{folder.command('sync')}' delivers it.")
    store.sync(folder)
    assert content(store, folder, "study", "report.html") == b"<html>"


def test_where_mlflow_answers_it_is_there_when_the_command_ends(store, folder, study):
    tell(MlflowTracker(None), study)
    store.sync(folder)
    warnings = []
    tracker = MlflowTracker(store.uri, patience=600, warn=warnings.append)
    tracker.attach(folder, *KINDS["evaluation"])
    tracker.attach(folder, *KINDS["pictures"])
    tracker.close()
    assert warnings == []
    assert content(store, folder, 0, "evaluations/quick.json") == b"{}"
    assert content(store, folder, 0, "pictures/views.png") == b"png"


def test_what_is_added_twice_takes_the_place_of_what_was_there(store, folder, study):
    tell(MlflowTracker(None), study)
    for document in (b"1", b"1", b"2"):
        key, attachment = KINDS["evaluation"]
        again = Attachment(**{**vars(attachment), "files": {"quick.json": document}})
        attach(folder, key, again)
        store.sync(folder)
    assert points(store, folder, 0, "test/accuracy") == [(0, 0.5)]
    assert content(store, folder, 0, "evaluations/quick.json") == b"2"


def test_a_value_that_changed_is_the_one_that_counts(store, folder, study):
    tell(MlflowTracker(None), study)
    for value in (0.9, 0.2):
        attach(folder, 0, Attachment(metrics={"test/accuracy": value}))
        store.sync(folder)
    assert run_of(store, folder, 0).data.metrics["test/accuracy"] == 0.2


def test_a_file_is_delivered_as_it_was_though_it_is_written_anew(store, folder, study, tmp_path):
    tell(MlflowTracker(None), study)
    path = tmp_path / "views.png"
    path.write_bytes(b"before")
    attach(folder, 0, Attachment(files={path.name: path}))
    path.write_bytes(b"after")
    path.unlink()
    store.sync(folder)
    assert content(store, folder, 0, "views.png") == b"before"


def test_a_single_trial_has_one_run_for_all(store, folder, study):
    tell(MlflowTracker(None, parent_run=False), study)
    attach(folder, *KINDS["report"])
    store.sync(folder)
    assert list(store.runs(folder)) == [folder.id]
    assert content(store, folder, "study", "report.html") == b"<html>"


def test_a_study_that_ran_without_mlflow_is_said_to_once(folder):
    warnings = []
    tracker = MlflowTracker(None, warn=warnings.append)
    tracker.attach(folder, *KINDS["report"])
    tracker.attach(folder, *KINDS["conclusion"])
    tracker.close()
    assert warnings == [f"MLflow gets nothing of {folder.id}, which ran without it."]
    assert not folder.spool.exists()


def test_what_is_added_while_a_study_runs_leaves_it_running(store, folder, study):
    tracker = MlflowTracker(None)
    tracker.study_started(study)
    tracker.trial_started(trial(folder))
    attach(folder, *KINDS["report"])
    tracker.trial_reported(0, 1, {ROBUST: 0.5})
    tracker.study_finished("complete")
    store.sync(folder)
    assert content(store, folder, "study", "report.html") == b"<html>"
    assert points(store, folder, 0, ROBUST) == [(1, 0.5)]


KILLED = """
import os, signal, sys
from pathlib import Path
from raystudy.storage.folders import StudyFolder
from raystudy.storage import spool
from raystudy.study.tracker import Attachment
from raystudy.trackers.mlflow import MlflowTracker, pages, study_pages
if sys.argv[2] == "between":  # its file is kept, its event is not written
    spool.Spool.append = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
tracker = MlflowTracker(None)
tracker.attach(StudyFolder(Path(sys.argv[1])), "study", Attachment(files={"report.html": b"new"}))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["between", "after"])
def test_a_command_killed_while_it_adds_leaves_all_or_nothing(when, store, folder, study):
    tell(MlflowTracker(None), study)
    path = f"import sys; sys.path[:] = {sys.path!r}\n"
    command = [sys.executable, "-c", path + KILLED, str(folder.path), when]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    store.sync(folder)
    added = [event for event, _ in read(folder.spool) if event["kind"] == "attached"]
    assert len(added) == (when == "after")
    files = store.files(run_of(store, folder, "study"))
    assert files.get("report.html") == (b"new" if added else None)
    attach(folder, "study", Attachment(files={"report.html": b"again"}))
    store.sync(folder)
    assert store.files(run_of(store, folder, "study"))["report.html"] == b"again"


def test_a_delivery_of_additions_that_was_not_noted_is_repeated_without_a_trace(
    store, folder, study
):
    tell(MlflowTracker(None), study)
    attach(folder, *KINDS["evaluation"])
    store.sync(folder)
    notes = folder.path / "mlflow.delivered"
    (name,) = json.loads(notes.read_text())
    offset = [end for event, end in read(folder.spool) if event["kind"] == "study_finished"][-1]
    runs = json.loads(notes.read_text())[name]["runs"]
    notes.write_text(json.dumps({name: {"offset": offset, "runs": runs}}))
    assert store.sync(folder).delivered == 1
    assert points(store, folder, 0, "test/accuracy") == [(0, 0.5)]


def note_of_experiment(store):
    experiment = store.client.get_experiment_by_name("raystudy/surrogate/none")
    return experiment.tags["mlflow.note.content"]


def test_a_report_is_linked_from_the_study_and_its_experiment(store, folder, study):
    tell(MlflowTracker(None), study)
    store.sync(folder)
    run = run_of(store, folder, "study")
    runs = f"#/experiments/{run.info.experiment_id}/runs"
    page = f"[report]({runs}/{run.info.run_id}/artifacts/report.html"
    assert page not in run.data.tags["mlflow.note.content"]
    attach(folder, *KINDS["report"])
    store.sync(folder)
    attach(folder, *KINDS["conclusion"])  # which has words of its own for the study's note
    store.sync(folder)
    tell(MlflowTracker(None), again(study))
    store.sync(folder)
    own = run_of(store, folder, "study").data.tags["mlflow.note.content"]
    assert page in own
    assert "\n\nObjective: " in own
    (line,) = (one for one in note_of_experiment(store).splitlines() if f"[{folder.id}]" in one)
    assert page in line
    assert "better." in line


def test_what_people_wrote_in_an_experiments_note_stays(store, folder, study):
    tell(MlflowTracker(None), study)
    store.sync(folder)
    number = run_of(store, folder, "study").info.experiment_id
    before, heading, after = note_of_experiment(store).partition("\n## Studies\n")
    key = "mlflow.note.content"
    store.client.set_experiment_tag(number, key, f"Mine.\n\n{before}{heading}{after}")
    attach(folder, *KINDS["report"])
    store.sync(folder)
    written = note_of_experiment(store)
    assert written.startswith("Mine.\n\n")
    assert written.count("## Studies") == 1
    assert len(written.splitlines()) == len(f"Mine.\n\n{before}{heading}{after}".splitlines())


CONFIGURATION = Attachment(
    metrics={f"{ROBUST}/low": 0.1, f"{ROBUST}/mean": 0.2, f"{ROBUST}/high": 0.3},
    tags={"raystudy.trial": "swaro-1/7"},
    settings={"optimizer.lr": 0.5, "nesterov": True},
    note="Over 5 seeds.",
)


def test_what_several_trials_came_to_is_a_run_of_its_own_beside_them(store, folder, study):
    race = replace(study, axes={"finalist": "0, 7", "seed": "1, 2"})
    tell(MlflowTracker(None), race, trials=2)
    for _ in range(2):
        attach(folder, "trial 7", CONFIGURATION)
        attach(folder, "published recipe", CONFIGURATION)
        store.sync(folder)
    runs = store.runs(folder)
    assert len(runs) == 5
    one, parent = runs["trial 7"], runs[folder.id]
    assert one.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert one.info.status == "FINISHED"
    assert one.data.params == {"optimizer.lr": "0.5", "nesterov": "true"}
    assert store.history(one, f"{ROBUST}/high") == [(0, 0.3)]
    address = study_pages.of(folder, store.uri)["its configurations"]
    (key,) = re.findall(r"viewStateShareKey=([\w-]+)&", address)
    experiment = store.client.get_experiment(one.info.experiment_id)
    view = json.loads(experiment.tags[f"{pages.VIEW}{key}"])
    found = json.loads(view["state"])
    shown = store.client.search_runs([one.info.experiment_id], found["searchFilter"])
    assert {run.info.run_name for run in shown} == {"trial 7", "published recipe"}
    columns = [f"metrics.`{ROBUST}/{end}`" for end in ("low", "mean", "high")]
    assert found["selectedColumns"] == columns
    assert f"[configurations]({address})" in parent.data.tags["mlflow.note.content"]
