"""The command lines that are printed and stored; each runs in a shell as it is."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from raystudy.config import override
from raystudy.storage.folders import StudyFolder
from raystudy.storage.manifest import Manifest
from raystudy.storage.redaction import redact


def train(name: str, overrides: Sequence[str], search_path: Sequence[str] = ()) -> str:
    """Return the command that runs one trial.

    Parameters
    ----------
    name : str
        Of the YAML, which ``study.name`` need not be.
    overrides : sequence of str
    search_path : sequence of str
    """
    return _line("train", name, overrides, search_path)


def start(manifest: Manifest, folder: StudyFolder | None = None) -> str:
    """Return the command that starts a study as an existing one was started.

    Parameters
    ----------
    manifest : Manifest
    folder : StudyFolder, optional
        Where that is: a confirm needs the search beside it.
    """
    if (own := manifest.reproduce) is not None:
        words = ["raystudy", "reproduce", own.table, f"--tier={own.tier}", *manifest.overrides]
        return shlex.join(word for word in words if override.path_of(word) != "study.id")
    if manifest.confirm is None:
        return _line(manifest.kind, manifest.name, manifest.overrides, manifest.search_path)
    plan = manifest.confirm
    words = ["--top", str(plan.top), "--seeds", str(len(plan.seeds))]
    if folder is None:
        return shlex.join(["raystudy", "confirm", plan.study, *words])
    return folder.command("confirm", *words, of=plan.study)


def show(manifest: Manifest) -> str:
    """Return the command that shows the settings a study has."""
    return _line("show", manifest.name, manifest.overrides, manifest.search_path)


def evaluate(what: str, overrides: Sequence[str], search_path: Sequence[str] = ()) -> str:
    """Return the command that measures a file with weights."""
    return _line("evaluate", what, overrides, search_path)


def ui(folder: StudyFolder, uri: str | None) -> str:
    """Return the command that opens MLflow on a study's trials.

    Parameters
    ----------
    folder : StudyFolder
    uri : str, optional
        The store, if it is not beside the results; passwords are left out.
    """
    elsewhere = uri is not None and uri != os.environ.get("MLFLOW_TRACKING_URI")
    words = [f"tracker.uri={redact(str(uri))}"] if elsewhere else []
    return folder.command("ui", *words)


def read_train(line: str) -> tuple[str, list[str], list[str]]:
    """Return name, overrides and search path of what `train` gave.

    Raises
    ------
    ValueError
        If it is another command.
    """
    match shlex.split(line):
        case ["raystudy", "train", name, *words]:
            pass
        case _:
            raise ValueError(line)
    option = "--search-path="
    folders = [word.removeprefix(option) for word in words if word.startswith(option)]
    return name, [word for word in words if not word.startswith(option)], folders


def _line(verb: str, what: str, overrides: Sequence[str], search_path: Sequence[str]) -> str:
    own = [t for t in overrides if override.path_of(t) != "study.id"]  # taken once it exists
    folders = [f"--search-path={Path(folder).resolve()}" for folder in search_path]
    return shlex.join(["raystudy", verb, what, *own, *folders])
