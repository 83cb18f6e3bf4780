"""The recipe a study was started with, kept so that it continues with the same one."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from omegaconf import DictConfig

from raystudy.config import compose, override, scopes
from raystudy.config.scopes import Scope
from raystudy.errors import UserError

ABSENT = "absent"


def recipe_of(settings: DictConfig, axes: Collection[str] | None = None) -> dict[str, Any]:
    """Return every setting that the results depend on, by its path.

    Parameters
    ----------
    settings : DictConfig
    axes : collection of str, optional
        What a search varies; its recipe is also how it searches, and where.
    """
    leaves = compose.flatten(settings)
    found = {path: leaves[path] for path in scopes.select(leaves, _asked(axes))}
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
    only: Callable[[str], bool] | None = None,
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
    only : callable (str) -> bool, optional
        Whether the setting at a path is looked at.

    Raises
    ------
    UserError
        With what has changed.
    """
    changed = {
        path: values
        for path, values in changes(before, recipe_of(settings, axes), axes).items()
        if only is None or only(path)
    }
    if not changed:
        return
    path, (then, since) = next(iter(changed.items()))
    more = f" ({len(changed) - 1} more settings differ)" if len(changed) > 1 else ""
    if then == ABSENT:
        what = f"without {path}, which the YAML now sets to {since}{more}; take it out"
    elif since == ABSENT:
        what = f"with {path}={then}, which the YAML no longer has{more}; put it back"
    else:
        what = f"with {path}={then}, for which the YAML now says {since}{more}; put it back"
    raise UserError(
        f"{study_id} was started {what}, or start another study; if it is raystudy's own YAML, "
        f"continue with the version that started it."
    )


def _asked(axes: Collection[str] | None) -> scopes.Scopes:
    return scopes.RECIPE if axes is None else scopes.SEARCH_RECIPE


def changes(
    before: Mapping[str, Any] | None,
    now: Mapping[str, Any],
    axes: Collection[str] | None = None,
) -> dict[str, tuple[Any, Any]]:
    """Return the settings that differ, with what they were and are."""
    if before is None:
        return {}
    found = {}
    # Earlier versions kept a few settings more than the results depend on.
    asked = (*_asked(axes), Scope.SPACE)
    for path in scopes.select({**before, **now}, asked):
        values = before.get(path, ABSENT), now.get(path, ABSENT)
        later = path not in before and _is_of_splits(path)  # not kept by format 1
        if values[0] != values[1] and compose.UNKNOWN not in values and not later:
            found[path] = values
    return found


def relative(own: Mapping[str, Any], to: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a recipe that another does not have so; `absent` where it has none."""
    paths = {**to, **own}
    return {p: own.get(p, ABSENT) for p in paths if own.get(p, ABSENT) != to.get(p, ABSENT)}


def absolute(differing: Mapping[str, Any], to: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole recipe of what `relative` returned."""
    return {path: value for path, value in {**to, **differing}.items() if value != ABSENT}


def same_data(before: Mapping[str, Any] | None, settings: DictConfig) -> bool:
    """Return whether settings ask for the data that a study was started with."""
    if before is None:
        return True
    now = recipe_of(settings)
    return not any(override.node_of(path) == "data" for path in changes(before, now))


def _is_of_splits(path: str) -> bool:
    return path.split(".")[:2] == ["data", "splits"]
