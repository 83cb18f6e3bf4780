"""From a stored trial back to the command that runs it."""

import re
from collections.abc import Sequence
from pathlib import Path

from raystudy import command, config
from raystudy.errors import UserError
from raystudy.search_space import SearchSpace
from raystudy.stored import StoredStudy, StoredTrial, find_run
from raystudy.trackers.redaction import redact
from raystudy.trackers.store import store_uri

CHANGEABLE = (
    "study.num_trials",
    "study.budget.",
    "study.stall_minutes",
    "scaling.",
    "tracker.",
    "output_dir",
)
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
    from raystudy import train  # torch takes seconds, which other verbs need not wait

    settings = config.load_shared([text for text in overrides if _is_shared(text)])
    if re.fullmatch("[0-9a-f]{32}", run):
        line = _command_of_run(store_uri(settings.tracker.uri, settings.output_dir), run)
    else:
        output_dir = Path(settings.output_dir).expanduser().resolve()
        line = replay_command(*find_run(output_dir, run))
    name, own, folders = command.read_train(line)
    return train.train(name, [*own, *overrides], folders)


def _is_shared(text: str) -> bool:
    return text.startswith(("output_dir=", "tracker.", "tracker="))


def _command_of_run(uri: str, run_id: str) -> str:
    from raystudy.trackers.mlflow.client import MlflowStore

    store = MlflowStore(uri, artifacts=None, refused=lambda _: None)
    line = store.tags(run_id).get("raystudy.command", "")
    if not line.startswith("raystudy train "):
        raise UserError(f"{run_id} is no trial of raystudy in MLflow at {redact(uri)}.")
    return line


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
        study.manifest["name"], trial_overrides(study, trial), study.manifest["search_path"]
    )
