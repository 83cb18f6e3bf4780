"""The events of a study, as plain data for the spool."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from raystudy.config import override, scopes
from raystudy.errors import UserError
from raystudy.storage import provenance
from raystudy.storage.folders import StudyFolder
from raystudy.storage.manifest import Manifest
from raystudy.storage.spool import Event
from raystudy.study import command
from raystudy.study.info import StudyInfo
from raystudy.study.model import Model
from raystudy.study.tracker import Attachment, RunKey
from raystudy.trial.info import Metrics, TrialInfo, TrialSummary


def study_started(study: StudyInfo, *, parent_run: bool, params: Mapping[str, Any]) -> Event:
    """Return the event of a study that starts or continues."""
    return _event(
        "study_started",
        id=study.id,
        name=study.name,
        dataset=study.dataset,
        overrides=study.overrides,
        objectives=[asdict(objective) for objective in study.spec.objectives],
        constraints=[str(constraint) for constraint in study.spec.constraints],
        budget=study.spec.budget.words,
        num_trials=study.spec.num_trials,
        sampler_seed=study.spec.seed,
        axes=dict(study.axes),
        published=dict(study.published),
        resumed=study.resumed,
        command=_command(study),
        parent_run=parent_run,
        params=dict(params),
        provenance=asdict(provenance.collect()),
    )


def trial_started(trial: TrialInfo) -> Event:
    """Return the event of a trial that starts or continues."""
    settings = read_overrides(trial.overrides)
    logged = {path: settings[path] for path in scopes.select(settings, scopes.LOGGED)}
    return _event(
        "trial_started",
        number=trial.number,
        settings={**trial.params, **logged},
        command=trial.command,
        resumed=trial.resumed,
    )


def trial_reported(number: int, epoch: int, metrics: Metrics) -> Event:
    """Return the event of a finished epoch."""
    values = {name: float(value) for name, value in metrics.items()}
    return _event("trial_reported", number=number, epoch=epoch, metrics=values)


def trial_finished(trial: TrialSummary) -> Event:
    """Return the event of a trial's final state."""
    return _event("trial_finished", summary=asdict(trial))


def study_finished(state: str) -> Event:
    """Return the event of a study that ended, for now."""
    return _event("study_finished", state=state)


def attached(key: RunKey, attachment: Attachment) -> Event:
    """Return the event of something added to a run; its files' content is kept beside the spool."""
    return _event(
        "attached",
        key=key,
        metrics={name: float(value) for name, value in attachment.metrics.items()},
        curves=[
            [name, step, float(value)]
            for name, curve in attachment.curves.items()
            for step, value in curve.items()
        ],
        tags=dict(attachment.tags),
        settings=dict(attachment.settings),
        note=attachment.note,
        files=list(attachment.files),
        folder=attachment.folder,
    )


def registered(number: int, model: Model, files: Sequence[str]) -> Event:
    """Return the event of a network for the registry; its files are beside the spool."""
    return _event(
        "registered",
        number=number,
        id=model.id,
        name=model.name,
        tags=dict(model.tags),
        note=model.note,
        files=list(files),
    )


def _event(kind: str, **content: Any) -> Event:
    return {"kind": kind, "time": time.time_ns() // 1_000_000, **content}


def read_overrides(overrides: tuple[str, ...]) -> dict[str, str]:
    """Return override path and value as typed, quotes taken off; the later one wins."""
    settings = {}
    for text in overrides:
        value = override.value_of(text)
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        settings[override.path_of(text)] = value
    return settings


def _command(study: StudyInfo) -> str:
    """Return the command that started the study."""
    folder = StudyFolder(study.folder)
    try:
        return command.start(folder.read_manifest(), folder)
    except (OSError, UserError):
        found = Manifest(
            kind="sweep",
            name=study.name,
            overrides=study.overrides,
            search_path=study.search_path,
        )
        return command.start(found)
