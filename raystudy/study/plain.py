"""Studies and their trials as plain values: for tables, for JSON, for other programs."""

import dataclasses
from pathlib import Path
from typing import Any

from raystudy.errors import UserError
from raystudy.storage import split_readings
from raystudy.storage.folders import StudyFolder, all_folders, is_locked
from raystudy.study.stored import StoredStudy, StoredTrial


def entries(output_dir: Path) -> list[dict[str, Any]]:
    """Return what there is to say of each study of a results folder, and of each that is broken."""
    found: list[dict[str, Any]] = []
    for folder in all_folders(output_dir):
        try:
            found.append(_entry(folder))
        except Exception as error:  # its database is unreachable, a file is truncated, ...
            reason = str(error) if isinstance(error, UserError) else f"cannot be read ({error!r})"
            found.append({"study": folder.id, "state": reason})
    return found


def describe(study: StoredStudy) -> dict[str, Any]:
    """Return the state of a study."""
    return {
        "study": study.id,
        "kind": "sweep",
        "name": study.manifest.name,
        "data": study.data,
        "state": study.state,
        "objectives": [dataclasses.asdict(o) for o in study.spec.objectives],
        "constraints": [str(constraint) for constraint in study.spec.constraints],
        "ended": len(study.ended),
        "num_trials": study.spec.num_trials,
        "best": [dataclasses.asdict(summary) for summary in study.best],
        "changed": _changed(study),
        "test_readings": split_readings.count(study.folder.path),
        "folder": str(study.folder.path),
    }


def rows(study: StoredStudy) -> list[dict[str, Any]]:
    """Return every trial's settings, measures and state, by column."""
    return [_row(study, trial) for trial in study.trials]


def trial(of: StoredTrial, command: str | None = None) -> dict[str, Any]:
    """Return all that is known of a trial, and the command that replays it."""
    plain = dataclasses.asdict(of.summary) | {"params": dict(of.params)}
    return plain if command is None else plain | {"command": command}


def _entry(folder: StudyFolder) -> dict[str, Any]:
    if folder.read_manifest().kind == "train":
        state = "running" if is_locked(folder) else "ended"
        return {"study": folder.id, "kind": "train", "state": state}
    return describe(StoredStudy(folder))


def _changed(study: StoredStudy) -> float:
    journal = study.folder.journal
    return (journal if journal.exists() else study.folder.path).stat().st_mtime


def _row(study: StoredStudy, trial: StoredTrial) -> dict[str, Any]:
    summary = trial.summary
    return {
        "trial": summary.number,
        "state": summary.state,
        "epochs": summary.epoch,
        "seconds": round(summary.seconds, 3),
        "host": study.trial_folder(summary.number).hosts,
        **trial.params,
        **summary.metrics,
        "reason": summary.reason,
    }
