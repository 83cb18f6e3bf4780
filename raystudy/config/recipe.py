"""The recipe a study was started with, kept so that it continues with the same one."""

from collections.abc import Collection, Mapping
from typing import Any

from omegaconf import DictConfig

from raystudy.config import compose
from raystudy.errors import UserError

# Where things are, and what they are computed on.
PLACES = (
    *("output_dir", "device", "tracker.", "scaling."),
    *(f"data.{inside}{what}" for inside in ("", "splits.") for what in ("root", "cache_dir")),
    *("data.download", "data.splits.download"),
)
# What changes nothing about how a trial trains.
NOT_A_TRIALS = (*PLACES, "study.", "search.", "sampler.", "trial_scheduler.")
# What may change, or is a name, within a search.
NOT_A_SEARCHS = (
    *PLACES,
    *("search.", "study.id", "study.num_trials", "study.budget.", "study.stall_minutes"),
    *("study.max_failures", "study.storage"),
)
DATA = "data."


def recipe_of(settings: DictConfig, axes: Collection[str] | None = None) -> dict[str, Any]:
    """Return every setting that the results depend on, by its path.

    Parameters
    ----------
    settings : DictConfig
    axes : collection of str, optional
        What a search varies; its recipe is also how it searches, and where.
    """
    leaves = compose.flatten(settings)
    ignored = NOT_A_TRIALS if axes is None else NOT_A_SEARCHS
    found = {path: leaf for path, leaf in leaves.items() if not path.startswith(ignored)}
    for path in axes or ():
        axis = settings.search.get(path)
        if isinstance(axis, DictConfig):  # the user's own axes stand among the overrides
            inside = compose.flatten(axis)
            found |= {f"search.{path}.{name}": value for name, value in inside.items()}
    return found


def refuse_another(
    study_id: str,
    before: Mapping[str, Any] | None,
    settings: DictConfig,
    axes: Collection[str] | None = None,
    *,
    only: tuple[str, ...] = ("",),
) -> None:
    """Refuse to continue with a YAML that has changed.

    Trials would continue, and be compared, under settings they were not started with.

    Parameters
    ----------
    study_id : str
    before : mapping, optional
        What `recipe_of` returned when the study was started; None of an earlier version.
    settings, axes
        As of now.
    only : tuple of str
        How the paths start that are looked at.

    Raises
    ------
    UserError
        With what has changed.
    """
    now = {path: leaf for path, leaf in recipe_of(settings, axes).items() if path.startswith(only)}
    changed = changes(before, now)
    if not changed:
        return
    path, (then, since) = next(iter(changed.items()))
    more = f" ({len(changed) - 1} more settings differ)" if len(changed) > 1 else ""
    raise UserError(
        f"{study_id} was started with {path}={then}, for which the YAML now says {since}{more}; "
        f"put it back, or start another study."
    )


def changes(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the settings that differ, with what they were and are."""
    if before is None:
        return {}
    found = {}
    for path in {**before, **now}:
        values = before.get(path, "absent"), now.get(path, "absent")
        later = path not in before and path.startswith("data.splits.")  # not kept by format 1
        if values[0] != values[1] and compose.UNKNOWN not in values and not later:
            found[path] = values
    return found


def same_data(before: Mapping[str, Any] | None, settings: DictConfig) -> bool:
    """Return whether settings ask for the data that a study was started with."""
    if before is None:
        return True
    return not any(path.startswith(DATA) for path in changes(before, recipe_of(settings)))
