"""What Hydra makes of the YAML of ``search_spaces`` and of a user's folders.

Errors are Hydra's own here; `raystudy.config.compose` puts them into a sentence.
"""

import contextlib
import functools
import os
import pickle
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from hydra import compose as hydra_compose
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.conf import HydraConf
from hydra.core.config_store import ConfigNode, ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from raystudy.config import adversaries, catalogue, override, yaml_source
from raystudy.config.catalogue import GROUPS, MEASURING, find_yaml
from raystudy.errors import UserError
from raystudy.storage import output_dir

MOST_FOLDERS = 100  # in which changes are looked for: 1 ms


@dataclass(frozen=True)
class Composed:
    """A configuration, the option chosen in each group, and what the user should know of it."""

    config: DictConfig
    choices: Mapping[str, str]
    notes: tuple[str, ...] = ()


def read(name: str, overrides: tuple[str, ...], folders: tuple[str, ...]) -> Composed:
    """Return the configuration of a YAML under overrides; the caller may change it.

    What decides which YAML is read is composed once (0.08 s), and settings are put into a copy
    (1 ms); anew when a file of a user's folders has changed.
    """
    state = _state(folders)
    if state is None:
        return _compose(name, overrides, folders)
    parsed = [override.parse(text) for text in overrides]
    # What adds or removes a setting takes effect after those to its left.
    first = max((i + 1 for i, one in enumerate(parsed) if not _is_plain(one)), default=0)
    late = [i for i, one in enumerate(parsed) if i >= first and not _is_choice(one)]
    choices = tuple(text for i, text in enumerate(overrides) if i not in late)
    kept, chosen = _compose_once(name, choices, folders, state)
    config: DictConfig = pickle.loads(kept)  # in an eighth of a deep copy's time
    try:
        for one in (parsed[i] for i in late):
            OmegaConf.update(config, one.key_or_group, one.value(), merge=True)
    except OmegaConfBaseException:  # Hydra's words for it are the ones that are explained
        return _compose(name, overrides, folders)
    return Composed(config, chosen)


def _is_plain(one: Override) -> bool:
    """Return whether an override chooses an option, or changes a setting that is there."""
    if _is_choice(one):
        return True
    return (
        one.type is OverrideType.CHANGE
        and one.package is None
        and not one.is_sweep_override()
        and not one.is_hydra_override()
    )


def _is_choice(one: Override) -> bool:
    return "/" in one.key_or_group or one.key_or_group in (*GROUPS, *MEASURING)


def _state(folders: tuple[str, ...]) -> tuple[tuple[str, int, int], ...] | None:
    """Return which YAML is in these folders and when each was changed; None in a large tree."""
    left, found = MOST_FOLDERS, []
    for parent, _, names in (
        each for folder in folders for each in os.walk(folder, followlinks=True)
    ):
        left -= 1
        if left < 0:
            return None
        for name in names:
            if name.endswith((".yaml", ".yml")):
                with contextlib.suppress(OSError):
                    about = Path(parent, name).stat()
                    found.append((f"{parent}/{name}", about.st_mtime_ns, about.st_size))
    return tuple(found)


@functools.lru_cache(maxsize=512)
def _compose_once(
    name: str, choices: tuple[str, ...], folders: tuple[str, ...], _state: object
) -> tuple[bytes, Mapping[str, str]]:
    composed = _compose(name, choices, folders)
    return pickle.dumps(composed.config), composed.choices


def _compose(name: str, overrides: tuple[str, ...], folders: tuple[str, ...]) -> Composed:
    _register_resolvers()
    adversaries.refuse_taken(folders)
    sys.path.extend(folder for folder in folders if folder not in sys.path)
    with _hydra(folders):
        config = hydra_compose(name, list(overrides), return_hydra_config=True)
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


@contextlib.contextmanager
def _hydra(folders: tuple[str, ...]) -> Iterator[None]:
    # The setting hydra.searchpath would do for groups, but not for the study's own file.
    path = create_config_search_path(f"yaml://{catalogue.PACKAGED}")
    for folder in folders:
        path.prepend("user", f"yaml://{folder}", anchor="schema")
    GlobalHydra.instance().clear()
    store = ConfigStore.instance()
    whole = store.repo
    store.repo = _NotCopied({**whole, "hydra": {"config.yaml": _bare_hydra()}})
    Hydra.create_main_hydra2(task_name="raystudy", config_search_path=path)
    try:
        yield
    finally:
        store.repo = whole
        GlobalHydra.instance().clear()


class _NotCopied(dict[str, object]):
    """What Hydra would copy as a whole for each composition, and copies again where it reads it."""

    def __deepcopy__(self, memo: object) -> "_NotCopied":
        return self


@functools.cache
def _bare_hydra() -> ConfigNode:
    """Return Hydra's settings of itself without its loggers and launchers: half of the work."""
    node = OmegaConf.structured(HydraConf(defaults=[]))
    return ConfigNode("config.yaml", node, group="hydra", package=None, provider="hydra")


def recipe(name: str, overrides: tuple[str, ...], folders: tuple[str, ...]) -> tuple[str, ...]:
    """Return the overrides that put the recipe for the chosen data over the study's file.

    A recipe chooses groups by ``override /group: option`` in its defaults list. Hydra lets the
    study's own file win there, so the choices are handed on as if typed; typed ones beat them.
    """
    typed = {override.path_of(text) for text in overrides}
    data = _chosen_data(name, tuple(override.named(overrides, "data")), folders)
    path = find_yaml(f"recipe/{name}/{data}", folders)
    if path is None:
        return ()
    parsed = yaml.safe_load(path.read_text(encoding="utf-8"))
    defaults = parsed.get("defaults", []) if isinstance(parsed, dict) else []
    chosen = {
        key.removeprefix("override /"): option
        for entry in defaults
        if isinstance(entry, dict)
        for key, option in entry.items()
    }
    groups = [f"{group}={option}" for group, option in chosen.items() if group not in typed]
    return (f"+recipe/{name}={data}", *groups)


def _chosen_data(name: str, typed: tuple[str, ...], folders: tuple[str, ...]) -> str:
    if typed and (last := override.parse(typed[-1])).type is OverrideType.CHANGE:
        return str(last.value())
    return read(name, typed, folders).choices["data"]


def paths(name: str, folders: tuple[str, ...]) -> list[str]:
    """Return every override path of a study as it stands, inner nodes included."""
    config = read(name, recipe(name, (), folders), folders).config
    return sorted({*_paths(OmegaConf.to_container(config, resolve=False)), *GROUPS})


def _paths(node: object, prefix: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield f"{prefix}{key}"
            yield from _paths(value, f"{prefix}{key}.")


def load_yaml(path: Path) -> DictConfig:
    """Return one file as it stands, ``${pixels:8}`` and the like understood."""
    _register_resolvers()
    _, loaded = yaml_source.load(path)
    assert isinstance(loaded, DictConfig)
    return loaded


@functools.cache
def _register_resolvers() -> None:
    # Budgets are written in 8-bit levels, learning rates and step sizes as multiples.
    OmegaConf.register_new_resolver("pixels", lambda levels: float(levels) / 255)
    OmegaConf.register_new_resolver("results_folder", lambda: str(output_dir.default()))
    OmegaConf.register_new_resolver("times", lambda a, b: float(a) * float(b))
    OmegaConf.register_new_resolver("count_classes", _classes_in)
    OmegaConf.register_new_resolver("count_packed_classes", _classes_packed_in)
    OmegaConf.register_new_resolver("count_listed_classes", _classes_listed_in)
    adversaries.register()
    yaml_source.register()


def _classes_in(root: str | None) -> int:
    from trainables.data.listing import class_names

    return len(class_names(root))


def _classes_packed_in(root: str | None, without: int | None = None) -> int:
    from trainables.data.packed import packed_classes

    return without if root is None and without else len(packed_classes(root))


def _classes_listed_in(class_list: str | None) -> int:
    from trainables.data.imagenet import listed_classes

    return len(listed_classes(class_list))
