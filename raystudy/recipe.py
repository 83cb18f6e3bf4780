"""The recipe a study began with, kept so that it goes on with no other."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from raystudy import config
from raystudy.errors import UserError

KEY = "recipe"  # in study.json
# What changes nothing about how a trial trains, and where things lie.
NOT_OF_A_RECIPE = (
    *("study.", "search.", "sampler.", "trial_scheduler.", "tracker.", "scaling."),
    *("output_dir", "device", "data.root", "data.cache_dir", "data.download", "data.splits."),
)


def of(settings: DictConfig) -> dict[str, Any]:
    """Return every setting that a trial's training depends on, by its path."""
    leaves = config.flatten(settings)
    return {path: leaf for path, leaf in leaves.items() if not path.startswith(NOT_OF_A_RECIPE)}


def refuse_another(study_id: str, manifest: Mapping[str, Any], settings: DictConfig) -> None:
    """Refuse to go on where a YAML says something else than it did.

    Trials would go on, and be compared, under settings they were not begun with.

    Raises
    ------
    UserError
        With what has changed.
    """
    before, now = manifest.get(KEY), of(settings)
    if before is None:  # of an earlier version
        return
    changed = [path for path in {**before, **now} if before.get(path) != now.get(path)]
    if not changed:
        return
    first = changed[0]
    more = f" ({len(changed) - 1} more settings differ)" if len(changed) > 1 else ""
    raise UserError(
        f"{study_id} was begun with {first}={before.get(first)}, for which the YAML now says "
        f"{now.get(first)}{more}; put it back, or begin another study."
    )
