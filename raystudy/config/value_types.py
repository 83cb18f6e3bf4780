"""Values of the wrong type, refused before anything is built.

The constructor a ``_target_`` names is the schema: its annotations say what a setting may be.
"""

import math
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hydra._internal.utils import _locate
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from raystudy.config import library_errors, scopes
from raystudy.config.compose import require_resolvable
from raystudy.config.scaling import Scaling
from raystudy.config.scopes import Scope
from raystudy.config.spec import StudySpec
from raystudy.errors import UserError

OF_A_TRIAL: Mapping[str, Any] = {
    "seed": int,
    "max_epochs": int,
    "batch_size": int,
    "min_epochs": int,
    "evaluate_every": int,
    "checkpoint_batches": int | None,
    "device": Literal["auto", "cpu", "cuda"],
    "output_dir": str,
}
OF_THE_TRACKER: Mapping[str, Any] = {"enabled": bool}  # the rest its class says
OF_A_STUDY: Mapping[str, Any] = get_type_hints(StudySpec) | {"points": Sequence[Any]}
SECTIONS = ("batches", "trainer", "scaling", "tracker")
PLAIN = {"int": int, "float": float, "bool": bool, "str": str}
LISTS = (Sequence, list, tuple)
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
    for section in SECTIONS:
        if not isinstance(config[section], DictConfig):
            raise UserError(
                f"{section} is a section, got {_shown(config[section])}; change one of its "
                f"settings ('raystudy show' lists them)."
            )
    for setting in _settings(config):
        if not _fits(setting.value, setting.wanted):
            raise UserError(
                f"{setting.path} must be {_words(setting.wanted)}, got {_shown(setting.value)}"
                f"{_advice(setting)}."
            )
    require_resolvable(config)  # after the types: what is reckoned from a list is not at fault


def _advice(setting: _Setting) -> str:
    """Return how several values are searched, where that is what a list may mean."""
    path, value = setting.path, setting.value
    if not isinstance(value, list) or get_origin(setting.wanted) in LISTS:
        return ""
    if len(value) == 1:
        return "; leave out the brackets"
    if not value or scopes.of(path) is not Scope.TRIAL:
        return ""
    return f"; to search these values, sweep with '{path}=choice({','.join(map(str, value))})'"


def _settings(config: DictConfig) -> Iterator[_Setting]:
    yield from _of_node(config, "", OF_A_TRIAL)
    yield from _of_node(config.study, "study.", OF_A_STUDY)
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
            f"{prefix}_target_: '{target}' cannot be used: {library_errors.own(error)}"
        ) from error


def _schema(target: Any) -> Mapping[str, Any]:
    made_by = vars(target).get("__init__", target)
    try:
        return get_type_hints(made_by)
    except NameError:  # a library that imports the names of its annotations for checkers only
        names = getattr(made_by, "__annotations__", {})
        return {name: PLAIN[word] for name, word in names.items() if word in PLAIN}


def _of_node(node: DictConfig, prefix: str, schema: Mapping[str, Any]) -> Iterator[_Setting]:
    raw: Any = OmegaConf.to_container(node, resolve=False)
    for name, wanted in schema.items():
        if name not in node or OmegaConf.is_missing(node, name):
            continue
        try:
            value = node[name]
            if isinstance(value, (DictConfig, ListConfig)):
                value = OmegaConf.to_container(value, resolve=not OmegaConf.is_dict(value))
        except OmegaConfBaseException:  # known once the data is read, or of a value refused itself
            continue
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
        return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)
    if wanted in (bool, str, type(None)):
        return isinstance(value, wanted)
    if get_origin(wanted) in LISTS:
        kind = (*get_args(wanted), Any)[0]
        return isinstance(value, list) and all(_fits(one, kind) for one in value)
    # What YAML can say of a tensor is nothing; other objects are known by their _target_.
    return not _is_tensor(wanted)


def _words(wanted: Any) -> str:
    if get_origin(wanted) in (Union, types.UnionType):
        return " or ".join(_words(one) for one in get_args(wanted) if not _is_tensor(one))
    if get_origin(wanted) is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(wanted))
    if get_origin(wanted) in LISTS:
        return "a list, such as [1,2]"
    return "null" if wanted is type(None) else WORDS.get(wanted, str(wanted))


def _shown(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else "null" if value is None else str(value)


def _is_tensor(wanted: Any) -> bool:
    """Return whether it is `torch.Tensor`, without torch: who uploads to MLflow needs none."""
    return isinstance(wanted, type) and (wanted.__module__, wanted.__name__) == ("torch", "Tensor")
