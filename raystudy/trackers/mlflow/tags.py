"""Tags and parameters of runs."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from raystudy.storage.spool import Event
from raystudy.study.tracker import STUDY, RunKey
from raystudy.trial.info import TrialSummary

NOTE = "mlflow.note.content"  # what a page says of its run or experiment, in Markdown
SUMMARY, SUMMARY_NAME = "configuration", "raystudy.configuration"
REPORTS = "raystudy.reports"  # names of files, divided by /
UID = "raystudy.study_uid"  # one per spool: ids are unique in one folder of results only


def identity(study: Event, uid: str, key: RunKey, parent: str | None) -> dict[str, str]:
    """Return the tags a new run is made with, by which it is found again."""
    kind = "trial" if isinstance(key, int) else "study" if key == STUDY else SUMMARY
    tags = {
        UID: uid,
        "raystudy.study_id": study["id"],
        "raystudy.kind": kind,
        "raystudy.method": study["name"],
        "raystudy.dataset": study["dataset"],
        "mlflow.user": study["provenance"]["user"],
    }
    if kind != "study":
        tags["raystudy.trial_number" if kind == "trial" else SUMMARY_NAME] = str(key)
        if parent is not None:
            tags["mlflow.parentRunId"] = parent
    return tags


def key_of(tags: Mapping[str, str]) -> RunKey:
    """Return which run of its study one is."""
    number = tags.get("raystudy.trial_number")
    return tags.get(SUMMARY_NAME, STUDY) if number is None else int(number)


def trial_tags(study: Event, event: Event) -> dict[str, str]:
    """Return the tags of a trial that starts or continues."""
    settings, command = event["settings"], event["command"]
    tags = {
        **_common_tags(study, command),
        "raystudy.state": "running",
        "raystudy.resumed": word(event["resumed"]),
        "raystudy.config_id": config_id(study["name"], settings),
        NOTE: f"Replay it:\n\n    {command}",
    }
    return tags | ({"raystudy.seed": word(settings["seed"])} if "seed" in settings else {})


def config_id(name: str, settings: Mapping[str, Any]) -> str:
    """Return what trials share that differ in nothing but their seed."""
    same = {path: word(value) for path, value in settings.items() if path != "seed"}
    text = json.dumps([name, same], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _common_tags(study: Event, command: str) -> dict[str, str]:
    origin = study["provenance"]
    tags = {
        "raystudy.command": command,
        "raystudy.version": origin["versions"]["raystudy"],
        "raystudy.versions": json.dumps({"python": origin["python"], **origin["versions"]}),
        "raystudy.host": origin["host"],
        "raystudy.device": origin["device"],
        "mlflow.source.name": command,
        "mlflow.source.type": "LOCAL",
    }
    if git := origin["git"]:
        tags["mlflow.source.git.commit"] = git["commit"]
        tags["mlflow.source.git.branch"] = git["branch"]
        tags["mlflow.source.git.dirty"] = word(git["dirty"])
        tags |= {"mlflow.source.git.repoURL": git["remote"]} if git["remote"] else {}
    return tags


def study_tags(event: Event) -> dict[str, str]:
    """Return the tags of a study that starts or continues."""
    lines = [f"    {path}: {axis}" for path, axis in event["axes"].items()]
    objectives = ", ".join(f"{o['metric']} ({o['direction']})" for o in event["objectives"])
    limits = {
        "raystudy.constraints": ", ".join(event.get("constraints", ())),
        "raystudy.budget": event.get("budget", ""),
    }
    return {
        **_common_tags(event, event["command"]),
        "raystudy.state": "running",
        "raystudy.resumed": word(event["resumed"]),
        "raystudy.objectives": objectives,
        **{name: value for name, value in limits.items() if value},
        "raystudy.num_trials": str(event["num_trials"]),
        "raystudy.space": json.dumps(event["axes"]),
        "raystudy.published": json.dumps(event["published"]),
        NOTE: "\n".join(
            [f"Objective: {objectives}\n\nSearch space:\n", *lines, f"\n    {event['command']}"]
        ),
    }


def study_params(event: Event) -> dict[str, str]:
    """Return the parameters of a study's own run."""
    own = {"num_trials": event["num_trials"], "sampler_seed": event["sampler_seed"]}
    return {path: word(value) for path, value in {**own, **event["params"]}.items()}


def final_tags(summary: TrialSummary, command: str) -> dict[str, str]:
    """Return the tags of a trial that ended."""
    reason = f": {summary.reason}" if summary.reason else ""
    return {
        "raystudy.state": summary.state,
        "raystudy.reason": summary.reason,
        "raystudy.epochs": str(summary.epoch),
        "raystudy.seconds": f"{summary.seconds:.1f}",
        NOTE: f"{summary.state}{reason}\n\nReplay it:\n\n    {command}",
    }


def word(value: Any) -> str:
    """Return a value as it is written in an override."""
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)
