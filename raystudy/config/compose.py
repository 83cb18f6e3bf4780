"""Compose a configuration from a study's name and a list of overrides.

Hydra's compose API, never ``@hydra.main``; struct mode is never switched off.
"""

import copy
import difflib
import functools
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra import compose as hydra_compose
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override, QuotedString
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import (
    InterpolationToMissingValueError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from raystudy.config import adversaries, library_errors, override
from raystudy.config.catalogue import (
    GROUPS,
    MEASURING,
    find_yaml,
    options,
    refuse_ending,
    study_names,
)
from raystudy.errors import UserError
from raystudy.storage import output_dir

UNKNOWN = "???"  # what has no value yet


@dataclass(frozen=True)
class Composed:
    """A configuration and the option chosen in each group."""

    config: DictConfig
    choices: Mapping[str, str]


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
            f"no study '{name}'; {_nearest(name, study_names(search_path))}"
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
    folders = tuple(str(Path(folder).resolve()) for folder in search_path)
    composed = _compose(name, (*_recipe(name, meant, folders), *meant), folders)
    for section in ("study", "search"):
        if not isinstance(given := composed.config[section], DictConfig):
            raise UserError(
                f"{section} is a section, got {given!r}; change one of its settings ('raystudy "
                f"show {name}' lists them)."
            )
    _count_classes(composed.config)
    return composed


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
    folders = tuple(str(Path(folder).resolve()) for folder in search_path)
    return _compose("base", tuple(map(override.as_meant, overrides)), folders).config


def _refuse_no_option(parsed: Override, search_path: Sequence[str]) -> None:
    group, value = parsed.key_or_group, parsed.value()
    is_name = parsed.is_delete() or isinstance(value, (str, QuotedString))
    if group in (*GROUPS, *MEASURING) and not is_name:
        known = ", ".join(options(group, search_path)) or "none"
        shown = "null" if value is None else value
        raise UserError(f"{group} must be the name of an option, got {shown}; there are: {known}.")


def read_yaml(path: Path) -> dict[str, Any]:
    """Return a YAML's values, ``${pixels:8}`` and the like resolved."""
    _register_resolvers()
    return OmegaConf.to_container(OmegaConf.load(path), resolve=True)  # type: ignore[return-value]


def _recipe(name: str, overrides: tuple[str, ...], folders: tuple[str, ...]) -> tuple[str, ...]:
    """Return the overrides that put the recipe for the chosen data over the study's file.

    A recipe chooses groups by ``override /group: option`` in its defaults list. Hydra lets the
    study's own file win there, so the choices are handed on as if typed; typed ones beat them.
    """
    typed = {override.path_of(text) for text in overrides}
    data = _chosen_data(name, tuple(override.named(overrides, "data")), folders)
    path = find_yaml(f"recipe/{name}/{data}", folders)
    if path is None:
        return ()
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(_explain(error, name, folders)) from error
    defaults = read.get("defaults", []) if isinstance(read, dict) else []
    chosen = {
        key.removeprefix("override /"): option
        for entry in defaults
        if isinstance(entry, dict)
        for key, option in entry.items()
    }
    groups = [f"{group}={option}" for group, option in chosen.items() if group not in typed]
    return (f"+recipe/{name}={data}", *groups)


@functools.lru_cache(maxsize=64)
def _chosen_data(name: str, group_choices: tuple[str, ...], folders: tuple[str, ...]) -> str:
    return _compose(name, group_choices, folders).choices["data"]


def _compose(name: str, overrides: tuple[str, ...], folders: tuple[str, ...]) -> Composed:
    """Return what may be changed: of what ships with raystudy, a copy of what was read before."""
    if folders:  # the user may be editing
        return _read(name, overrides, folders)
    known = _read_shipped(name, overrides)
    return Composed(copy.deepcopy(known.config), known.choices)


@functools.lru_cache(maxsize=128)  # reading takes Hydra 0.1 s, copying 3 ms
def _read_shipped(name: str, overrides: tuple[str, ...]) -> Composed:
    return _read(name, overrides, ())


def _read(name: str, overrides: tuple[str, ...], folders: tuple[str, ...]) -> Composed:
    _register_resolvers()
    adversaries.refuse_taken(folders)
    sys.path.extend(folder for folder in folders if folder not in sys.path)
    try:
        with _hydra(folders):
            config = hydra_compose(name, list(overrides), return_hydra_config=True)
    except Exception as error:  # a file may hold anything, and Hydra hands on what it meets
        raise UserError(_explain(error, name, folders)) from error
    choices = {group: str(option) for group, option in config.hydra.runtime.choices.items()}
    with open_dict(config):
        del config["hydra"]
    if "data" not in choices:
        raise UserError(
            f"{name}.yaml has no data: its defaults list must start with 'base', as "
            f"defaults: [base, _self_]."
        )
    OmegaConf.set_struct(config, True)
    return Composed(config, choices)


@contextmanager
def _hydra(folders: tuple[str, ...]) -> Iterator[None]:
    # The setting hydra.searchpath would do for groups, but not for the study's own file.
    path = create_config_search_path("pkg://search_spaces")
    for folder in folders:
        path.prepend("user", f"file://{folder}", anchor="schema")
    GlobalHydra.instance().clear()
    Hydra.create_main_hydra2(task_name="raystudy", config_search_path=path)
    try:
        yield
    finally:
        GlobalHydra.instance().clear()


@functools.cache
def _register_resolvers() -> None:
    # Budgets are written in 8-bit levels, learning rates and step sizes as multiples.
    OmegaConf.register_new_resolver("pixels", lambda levels: float(levels) / 255)
    OmegaConf.register_new_resolver("results_folder", lambda: str(output_dir.default()))
    OmegaConf.register_new_resolver("times", lambda a, b: float(a) * float(b))
    OmegaConf.register_new_resolver("count_classes", _classes_in)
    adversaries.register()


def _classes_in(root: str | None) -> int:
    from trainables.data.listing import class_names

    return len(class_names(root))


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


def settings(name: str, search_path: Sequence[str] = ()) -> list[str]:
    """Return every override path of a study as it stands, inner nodes included."""
    folders = tuple(str(Path(folder).resolve()) for folder in search_path)
    config = _compose(name, _recipe(name, (), folders), folders).config
    return sorted({*_raw_paths(OmegaConf.to_container(config, resolve=False)), *GROUPS})


def _raw_paths(node: object, prefix: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield f"{prefix}{key}"
            yield from _raw_paths(value, f"{prefix}{key}.")


def _nearest(wrong: str, known: Sequence[str]) -> str:
    parent, dot, word = wrong.rpartition(".")
    short = f"{parent}{dot}{''.join(part[:1] for part in word.split('_'))}"  # learning_rate: lr
    if "_" in word and short in known:
        return f"did you mean '{short}'? "
    close = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
    if not close:  # a right last word under a wrong path is the commoner slip
        last = {path.rsplit(".", 1)[-1]: path for path in reversed(known)}
        close = [
            last[word]
            for word in difflib.get_close_matches(wrong.rsplit(".", 1)[-1], list(last), n=1)
        ]
    return f"did you mean '{close[0]}'? " if close else ""


def _explain(error: Exception, name: str, folders: tuple[str, ...]) -> str:
    """Say in one sentence what Hydra says in five lines."""
    text = str(error)
    if missing := re.search(r"Key '([^']+)' is not in struct\s+full_key: (\S+)", text):
        return unknown_setting(missing[2], name, folders)
    if option := re.search(r"Could not find '([^']+)/([^/']+)'", text):
        refuse_ending(f"{option[1]}/{option[2]}", folders)
        known = options(option[1], folders)
        return (
            f"{option[1]}: no option '{option[2]}'; {_nearest(option[2], known)}"
            f"there are: {', '.join(known) or 'none'}."
        )
    if group := re.search(r"Could not override '([^']+)'", text):
        return unknown_setting(group[1].split("@")[0], name, folders)
    if isinstance(error, UnicodeDecodeError):
        return f"{_not_utf8(folders) or name} is not UTF-8 ({error}); save it as UTF-8."
    return (
        library_errors.words(error)
        or f"{name}.yaml: {type(error).__name__}: {' '.join(text.split())}"
    )


def _not_utf8(folders: Sequence[str]) -> str:
    """Return the first YAML that cannot be read as text."""
    for path in (path for folder in folders for path in sorted(Path(folder).rglob("*.yaml"))):
        try:
            path.read_bytes().decode()
        except UnicodeDecodeError:
            return str(path)
        except OSError:  # a folder of that name
            continue
    return ""


def unknown_setting(wrong: str, name: str, folders: Sequence[str] = ()) -> str:
    """Return the sentence for a setting that does not exist."""
    hint = _nearest(wrong, settings(name, folders))
    return f"no setting '{wrong}' in {name}; {hint}'raystudy show {name}' lists them."
