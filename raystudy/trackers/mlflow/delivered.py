"""What is noted of a study's deliveries, for each store: how far they got, and its runs there."""

import json
import re
from pathlib import Path
from typing import Any

from raystudy.storage.folders import StudyFolder, write_atomically
from raystudy.storage.redaction import redact
from raystudy.storage.spool import read
from raystudy.study.tracker import RunKey
from raystudy.trackers.mlflow.store_uri import DATABASE, store_uri

NOTHING_YET: dict[str, Any] = {"offset": 0, "runs": {}}


def note_of(folder: StudyFolder, uri: str) -> dict[str, Any]:
    """Return what is noted of a store: offset in the spool, runs by key, and the experiment."""
    notes, name = _read(folder), _name(folder, uri)
    if name == DATABASE and name not in notes:  # noted by its path once
        paths = [key for key in notes if re.fullmatch(f"sqlite:///.*/{re.escape(DATABASE)}", key)]
        name = redact(uri) if redact(uri) in paths or len(paths) != 1 else paths[0]
    note: dict[str, Any] = notes.get(name, NOTHING_YET)
    return note


def write_note(folder: StudyFolder, uri: str, note: dict[str, Any]) -> None:
    """Note how far a delivery got."""
    notes = _read(folder)
    notes[_name(folder, uri)] = note
    write_atomically(_path(folder), json.dumps(notes))


def count_waiting(folder: StudyFolder, uri: str) -> int:
    """Return how many events a store has not got yet."""
    return sum(1 for _ in read(folder.spool, note_of(folder, uri)["offset"]))


def run_ids(folder: StudyFolder, uri: str) -> dict[RunKey, str]:
    """Return the ids of the runs a store has got."""
    runs = note_of(folder, uri)["runs"]
    return {int(key) if key.isdecimal() else key: run for key, run in runs.items()}


def experiment_of(folder: StudyFolder, uri: str) -> str:
    """Return the id of the experiment in which a store has the study; empty if it has none."""
    return str(note_of(folder, uri).get("experiment", ""))


def model_of(folder: StudyFolder, uri: str, model_id: str) -> str:
    """Return the address of a registered model; empty if a store has not got it."""
    return str(note_of(folder, uri).get("models", {}).get(model_id, ""))


def models_of(folder: StudyFolder, uri: str) -> list[str]:
    """Return the addresses of all models that a store has got of a study."""
    return [address for address in note_of(folder, uri).get("models", {}).values() if address]


def uid_of(folder: StudyFolder) -> str:
    """Return the identity of a study's spool."""
    return next((event["uid"] for event, _ in read(folder.spool) if event["kind"] == "spool"), "")


def _name(folder: StudyFolder, uri: str) -> str:
    """Return a store's name in the notes: the one beside the studies keeps it when they move."""
    return DATABASE if uri == store_uri(None, str(folder.home)) else redact(uri)


def _path(folder: StudyFolder) -> Path:
    return folder.path / "mlflow.delivered"


def _read(folder: StudyFolder) -> dict[str, Any]:
    path = _path(folder)
    notes: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return notes
