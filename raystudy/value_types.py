"""Values of the wrong type, refused before anything is built.

The constructor a ``_target_`` names is the schema: its annotations say what a setting may be.
"""

import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hydra._internal.utils import _locate
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError

from raystudy import faults
from raystudy.config import require_resolvable
from raystudy.errors import UserError
from raystudy.on_ray.scaling import Scaling
from raystudy.spec import StudySpec

OF_A_TRIAL: Mapping[str, Any] = {
    "seed": int,
    "max_epochs": int,
    "batch_size": int,
    "min_epochs": int,
    "evaluate_every": int,
    "device": Literal["auto", "cpu", "cuda"],
    "output_dir": str,
}
OF_THE_TRACKER: Mapping[str, Any] = {"enabled": bool, "uri": str | None, "patience": float}
WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


@dataclass(frozen=True)
class _Setting:
    path: str
    value: Any
    wanted: Any


def check(config: DictConfig) -> None:
    """Compare every plain value with what its constructor takes.

    Raises
    ------
    UserError
        For the first that does not fit.
    """
    require_resolvable(config)
    for setting in _settings(config):
        if not _fits(setting.value, setting.wanted):
            raise UserError(
                f"{setting.path} must be {_words(setting.wanted)}, got {_shown(setting.value)}."
            )


def _settings(config: DictConfig) -> Iterator[_Setting]:
    yield from _of_node(config, "", OF_A_TRIAL)
    yield from _of_node(config.study, "study.", get_type_hints(StudySpec))
    yield from _of_node(config.scaling, "scaling.", get_type_hints(Scaling))
    yield from _of_node(config.tracker, "tracker.", OF_THE_TRACKER)
    yield from _of_targets(config, "")


def _of_targets(node: DictConfig, prefix: str) -> Iterator[_Setting]:
    """Yield the arguments of every ``_target_`` below a node."""
    for key, child in node.items_ex(resolve=False):
        # What refers to another place is looked at there.
        if isinstance(child, DictConfig) and not child._is_interpolation():
            yield from _of_targets(child, f"{prefix}{key!s}.")
    if "_target_" in node:
        yield from _of_node(node, prefix, _schema(_object(node._target_, prefix)))


def _object(target: str, prefix: str) -> Any:
    try:
        return _locate(target)  # hydra.utils.get_object also logs what it raises
    except Exception as error:  # of the user's own module, perhaps
        raise UserError(
            f"{prefix}_target_: '{target}' cannot be used: {faults.own(error)}"
        ) from error


def _schema(target: Any) -> Mapping[str, Any]:
    try:
        return get_type_hints(vars(target).get("__init__", target))
    except NameError:  # a library that imports the names of its annotations for checkers only
        return {}


def _of_node(node: DictConfig, prefix: str, schema: Mapping[str, Any]) -> Iterator[_Setting]:
    raw: Any = OmegaConf.to_container(node, resolve=False)
    for name, wanted in schema.items():
        if name not in node or OmegaConf.is_missing(node, name):
            continue
        try:
            value = node[name]
        except InterpolationToMissingValueError:  # known once the data is read
            continue
        if not isinstance(value, (DictConfig, ListConfig)):
            refers = re.fullmatch(r"\$\{([\w.]+)\}", str(raw[name]))
            path = refers[1] if refers else f"{prefix}{name}"
            yield _Setting(path, value, wanted)


def _fits(value: Any, wanted: Any) -> bool:
    if get_origin(wanted) in (Union, types.UnionType):
        return any(_fits(value, one) for one in get_args(wanted))
    if get_origin(wanted) is Literal:
        return value in get_args(wanted)
    if wanted in (int, float):
        kinds = (int,) if wanted is int else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool)
    if wanted in (bool, str, type(None)):
        return isinstance(value, wanted)
    # Nodes are not looked at here: this is a plain value where a list or an object is wanted.
    return get_origin(wanted) not in (Sequence, list, tuple)


def _words(wanted: Any) -> str:
    if get_origin(wanted) in (Union, types.UnionType):
        return " or ".join(_words(one) for one in get_args(wanted))
    if get_origin(wanted) is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(wanted))
    if get_origin(wanted) in (Sequence, list, tuple):
        return "a list, such as [1,2]"
    return "null" if wanted is type(None) else WORDS.get(wanted, str(wanted))


def _shown(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else "null" if value is None else str(value)
