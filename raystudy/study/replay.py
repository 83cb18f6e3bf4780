"""The trial of a stored study as the command that runs it again."""

from raystudy.search.search_space import pinned
from raystudy.study.command import train
from raystudy.study.stored import StoredStudy, StoredTrial


def trial_overrides(study: StoredStudy, trial: StoredTrial) -> list[str]:
    """Return the whole trial as overrides."""
    space, _ = study.composed
    return [*pinned(space), *space.as_overrides(trial.params)]


def trial_name(study: StoredStudy, trial: StoredTrial) -> str:
    """Return the name of the trial's YAML."""
    space, _ = study.composed
    return space.name_of(trial.params) or study.manifest.name


def replay_command(study: StoredStudy, trial: StoredTrial) -> str:
    """Return the command line that replays a trial."""
    name = trial_name(study, trial)
    return train(name, trial_overrides(study, trial), study.manifest.search_path)
