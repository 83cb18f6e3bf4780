"""Compose a configuration from a study's name and a list of overrides.

Hydra's compose API, never ``@hydra.main``; struct mode is never switched off.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override, QuotedString
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import (
    InterpolationToMissingValueError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from raystudy.config import catalogue, hydra_files, library_errors, override
from raystudy.config.catalogue import GROUPS, MEASURING, options, refuse_ending, study_names
from raystudy.config.composition_errors import explained, nearest
from raystudy.config.hydra_files import Composed
from raystudy.errors import UserError

UNKNOWN = "???"  # what has no value yet


def load(name: str, overrides: Sequence[str], search_path: Sequence[str] = ()) -> DictConfig:
    """Return the configuration of study `name` under `overrides`.

    Parameters
    ----------
    name : str
        A YAML of ``search_spaces`` or of the user's own folders, without its ending.
    overrides : sequence of str
        In Hydra's syntax; the later one wins.
    search_path : sequence of str
        Folders with the user's own YAML, looked into after ``search_spaces``; Python files there
        can be imported.

    Raises
    ------
    UserError
        If the study, a group's option or a setting does not exist, or a value does not parse.
    """
    return compose(name, overrides, search_path).config


def compose(name: str, overrides: Sequence[str], search_path: Sequence[str] = ()) -> Composed:
    """Return what `load` returns, together with the chosen options.

    Where ``recipe/<name>/<data>.yaml`` exists it is applied over the study's own file: the
    published recipe scaled to that data set.
    """
    if name not in study_names(search_path):
        refuse_ending(name, search_path)
        raise UserError(
            f"no study '{name}'; {nearest(name, study_names(search_path))}"
            f"'raystudy list' shows all."
        )
    meant = tuple(override.as_meant(text) for text in overrides)
    parsed = [override.parse(text) for text in meant]
    for one in parsed:
        _refuse_no_option(one, search_path)
    if several := [
        text for text, one in zip(meant, parsed, strict=True) if one.is_sweep_override()
    ]:
        path, _, value = several[0].partition("=")
        raise UserError(
            f"{several[0]}: one trial has one value; 'raystudy sweep' searches several, and one "
            f"text is written '{path}=\"{value}\"'."
        )
    folders = _resolved(search_path)
    with explained(name, folders):
        recipe = hydra_files.recipe(name, meant, folders)
        composed = hydra_files.read(name, (*recipe, *meant), folders)
    for section in ("study", "search"):
        if not isinstance(given := composed.config[section], DictConfig):
            raise UserError(
                f"{section} is a section, got {given!r}; change one of its settings ('raystudy "
                f"show {name}' lists them)."
            )
    _count_classes(composed.config)
    return replace(composed, notes=_notes(name, composed.choices["data"], search_path))


def _notes(name: str, data: str, search_path: Sequence[str]) -> tuple[str, ...]:
    """Return what to know of settings that nobody has written for these data."""
    recipes = catalogue.recipes(name, search_path)
    if name not in study_names() or data in (*recipes, *catalogue.WRITTEN_FOR):
        return ()
    return (
        f"{name} has no recipe for {data}: its settings are those for CIFAR-10 (there are recipes "
        f"for {', '.join(recipes)}).",
    )


def _count_classes(config: DictConfig) -> None:
    """Put the number of classes down where the data count them, before anything asks for it.

    It stays unknown where there are no such data: whoever reads them says why.
    """
    try:
        known = config.data.num_classes
    except OmegaConfBaseException:
        known = UNKNOWN
    config.data.num_classes = known


def load_shared(overrides: Sequence[str], search_path: Sequence[str] = ()) -> DictConfig:
    """Return what all studies share, for commands that are about no study in particular."""
    folders = _resolved(search_path)
    meant = tuple(map(override.as_meant, overrides))
    with explained("base", folders):
        return hydra_files.read("base", meant, folders).config


def settings(name: str, search_path: Sequence[str] = ()) -> list[str]:
    """Return every override path of a study as it stands, inner nodes included."""
    folders = _resolved(search_path)
    with explained(name, folders):
        return hydra_files.paths(name, folders)


def _resolved(search_path: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(Path(folder).resolve()) for folder in search_path)


def _refuse_no_option(parsed: Override, search_path: Sequence[str]) -> None:
    group, value = parsed.key_or_group, parsed.value()
    is_name = parsed.is_delete() or isinstance(value, (str, QuotedString))
    if group in (*GROUPS, *MEASURING) and not is_name:
        known = ", ".join(options(group, search_path)) or "none"
        shown = "null" if value is None else value
        raise UserError(f"{group} must be the name of an option, got {shown}; there are: {known}.")


def read_yaml(path: Path) -> dict[str, Any]:
    """Return a YAML's values, ``${pixels:8}`` and the like resolved."""
    return plain(hydra_files.load_yaml(path))


def plain(node: DictConfig) -> dict[str, Any]:
    """Return a section as plain values, interpolations resolved."""
    values: dict[str, Any] = OmegaConf.to_container(node, resolve=True)  # type: ignore[assignment]
    return values


def require_resolvable(node: DictConfig | ListConfig) -> None:
    """Refuse a reference that leads nowhere, before a trial meets it.

    What refers to a value that is not there yet, such as the classes of a folder, is let through.

    Raises
    ------
    UserError
        Names the setting.
    """
    keys = range(len(node)) if isinstance(node, ListConfig) else list(node)
    for key in keys:
        child = node._get_node(key)
        try:
            if isinstance(child, (DictConfig, ListConfig)) and not child._is_interpolation():
                if not (child._is_none() or child._is_missing()):
                    require_resolvable(child)
            elif not OmegaConf.is_missing(node, key):
                node[key]
        except InterpolationToMissingValueError:
            continue
        except OmegaConfBaseException as error:
            raise UserError(library_errors.words(error)) from error


def flatten(node: DictConfig, prefix: str = "") -> dict[str, object]:
    """Return every leaf of a configuration by its override path, interpolations resolved.

    What has no value yet, or refers to such, is ``???``.
    """
    leaves: dict[str, object] = {}
    for key in map(str, node):
        path = prefix + key
        try:
            value = node[key]
            if isinstance(value, DictConfig) and len(value):
                leaves |= flatten(value, f"{path}.")
            else:
                plain = isinstance(value, (DictConfig, ListConfig))
                leaves[path] = OmegaConf.to_container(value, resolve=True) if plain else value
        except (MissingMandatoryValue, InterpolationToMissingValueError):
            leaves[path] = UNKNOWN
    return leaves
