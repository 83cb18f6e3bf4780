"""From a stored trial back to the command that runs it."""

import re
from collections.abc import Sequence
from pathlib import Path

from raystudy.config import compose
from raystudy.config.mlflow_uri import store_uri
from raystudy.errors import UserError
from raystudy.search.search_space import SearchSpace
from raystudy.storage.folders import StudyFolder
from raystudy.storage.redaction import redact
from raystudy.study import command
from raystudy.study.stored import StoredStudy, StoredTrial, find_run

CHANGEABLE = (
    "study.num_trials",
    "study.budget.",
    "study.stall_minutes",
    "scaling.",
    "tracker.",
    "output_dir",
)
# Where a study's images are now: they are known again by their pixels.
MOVABLE = ("data.root=", "data.cache_dir=", "data.download=")
# Settings of the study as a whole: they change nothing about a trial.
NOT_A_TRIALS = (
    *CHANGEABLE,
    "scaling=",
    "tracker=",
    "study.id",
    "study.seed",
    "study.max_failures",
    "study.points",
    "study.warm_start",
    "study.allow_repeats",
    "study.storage",
    "sampler",
    "trial_scheduler",
)


def replay(run: str, overrides: Sequence[str]) -> int:
    """Train a trial again, from its study's folder or from its run in MLflow."""
    from raystudy.cli import train
    from raystudy.study import continuation  # torch takes seconds, which other verbs need not wait

    settings = compose.load_shared([text for text in overrides if _is_shared(text)])
    output_dir = Path(settings.output_dir).expanduser().resolve()
    moved = [text for text in overrides if text.startswith(MOVABLE)]
    if re.fullmatch("[0-9a-f]{32}", run):
        tags = _tags_of_run(store_uri(settings.tracker.uri, settings.output_dir), run)
        line = tags["raystudy.command"]
        folder = StudyFolder(output_dir / "studies" / tags.get("raystudy.study_id", ""))
        if (folder.path / "study.json").is_file():
            _, own, _ = command.read_train(line)
            continuation.refuse_changed_trial(folder, [*own, *moved])
    else:
        study, trial = find_run(output_dir, run)
        continuation.refuse_changed_trial(study.folder, [*trial_overrides(study, trial), *moved])
        line = replay_command(study, trial)
    name, own, folders = command.read_train(line)
    return train.train(name, [*own, *overrides], folders)


def _is_shared(text: str) -> bool:
    return text.startswith(("output_dir=", "tracker.", "tracker="))


def _tags_of_run(uri: str, run_id: str) -> dict[str, str]:
    from raystudy.trackers.mlflow.contact import tags_of

    tags = tags_of(run_id, uri)
    if not tags.get("raystudy.command", "").startswith("raystudy train "):
        raise UserError(f"{run_id} is no trial of raystudy in MLflow at {redact(uri)}.")
    return tags


def pinned(space: SearchSpace) -> tuple[str, ...]:
    """Return the user's own overrides as far as they concern a trial."""
    return tuple(text for text in space.overrides if not text.startswith(NOT_A_TRIALS))


def trial_overrides(study: StoredStudy, trial: StoredTrial) -> list[str]:
    """Return the whole trial as overrides."""
    space, _ = study.composed
    return [*pinned(space), *space.as_overrides(trial.params)]


def replay_command(study: StoredStudy, trial: StoredTrial) -> str:
    """Return the command line that replays a trial."""
    return command.train(
        study.manifest.name, trial_overrides(study, trial), study.manifest.search_path
    )
