"""Add to a run that has been delivered: evaluations, pictures, reports."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import DictConfig

from raystudy.config.mlflow_uri import default_artifacts, store_uri
from raystudy.storage.folders import StudyFolder
from raystudy.storage.redaction import redact
from raystudy.trackers.mlflow.client import MlflowStore
from raystudy.trackers.mlflow.contact import reach, takes_nothing
from raystudy.trackers.mlflow.delivery import run_ids
from raystudy.trackers.mlflow.run_patch import Point, RunKey, RunPatch


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """What is added to a run.

    Parameters
    ----------
    metrics : mapping of str to float
        Each at one step.
    curves : mapping of str to mapping of int to float
        Measures with several steps of their own.
    tags : mapping of str to str
    files : mapping of str to bytes or Path
        Content by name.
    folder : str
        Of the run's artifacts, in which the files go.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes | Path] = field(default_factory=dict)
    folder: str = ""


def attach(folder: StudyFolder, key: RunKey, settings: DictConfig, attachment: Attachment) -> str:
    """Add to the run of a trial, or of the study itself; return why it was not possible, or "".

    Parameters
    ----------
    folder : StudyFolder
    key : int or "study"
        Number of the trial.
    settings : DictConfig
        With `tracker` and `output_dir`.
    attachment : Attachment
    """
    if not settings.tracker.enabled:
        return ""
    home = str(folder.home)
    uri = store_uri(settings.tracker.uri, home)
    run_id = run_ids(folder, uri).get(key)
    unknown = (
        f"MLflow at {redact(uri)} knows nothing of {folder.id} yet; deliver it by "
        f"'{folder.command('sync')}' and repeat this command."
    )
    if run_id is None:
        return unknown
    refused: list[str] = []
    try:
        reach(uri)
        store = MlflowStore(uri, default_artifacts(home), refused.append)
        if not store.has_run(run_id):
            return unknown
        store.write(run_id, _patch(attachment))
        for name, content in attachment.files.items():
            store.upload(run_id, name, content, folder=attachment.folder)
    except Exception as error:  # of any library between here and the server
        return f"{takes_nothing(uri, error)}."
    return f"MLflow at {redact(uri)} refused {'; '.join(refused)}." if refused else ""


def _patch(attachment: Attachment) -> RunPatch:
    now = int(1000 * time.time())
    points = [Point(name, value, now, 0) for name, value in attachment.metrics.items()]
    points += [
        Point(name, value, now, step)
        for name, curve in attachment.curves.items()
        for step, value in curve.items()
    ]
    return RunPatch("", now, metrics=points, tags=dict(attachment.tags))
