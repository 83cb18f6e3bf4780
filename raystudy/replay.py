"""From a stored trial back to the command that runs it."""

import shlex
from collections.abc import Sequence

from raystudy.search_space import SearchSpace
from raystudy.stored import StoredStudy, StoredTrial

CHANGEABLE = ("study.num_trials", "study.stall_minutes", "scaling.", "tracker.", "output_dir")
# Settings of the study as a whole: they change nothing about a trial.
NOT_A_TRIALS = (
    *CHANGEABLE,
    "scaling=",
    "tracker=",
    "study.id",
    "study.seed",
    "study.max_failures",
    "study.storage",
    "sampler",
    "trial_scheduler",
)


def pinned(space: SearchSpace) -> tuple[str, ...]:
    """Return the user's own overrides as far as they concern a trial."""
    return tuple(text for text in space.overrides if not text.startswith(NOT_A_TRIALS))


def trial_overrides(study: StoredStudy, trial: StoredTrial) -> list[str]:
    """Return the whole trial as overrides."""
    space, _ = study.composed
    return [*pinned(space), *space.as_overrides(trial.params)]


def replay_command(study: StoredStudy, trial: StoredTrial) -> str:
    """Return the command line that replays a trial."""
    return train_command(
        study.manifest["name"], trial_overrides(study, trial), study.manifest["search_path"]
    )


def train_command(name: str, overrides: Sequence[str], search_path: Sequence[str]) -> str:
    """Return ``raystudy train ...``, quoted for the shell."""
    folders = [f"--search-path={folder}" for folder in search_path]
    return shlex.join(["raystudy", "train", name, *overrides, *folders])
