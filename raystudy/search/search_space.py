"""The search space of the `search:` section, and the settings of trial 0."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from optuna.distributions import BaseDistribution, CategoricalDistribution

from raystudy.config import compose, override, scopes, value_types
from raystudy.config.hydra_files import Composed
from raystudy.errors import UserError
from raystudy.search import axes, points, sweep_syntax
from raystudy.search.axes import Value
from raystudy.search.sweep_syntax import Sweep

_MISSING = object()
_BARE_WORD = re.compile(r"[A-Za-z_][\w/.-]*")
_NOT_WORDS = {"true", "false", "null", "nan", "inf"}


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """Override paths, what each may be, and what trial 0 runs.

    Parameters
    ----------
    distributions : mapping of str to BaseDistribution
        Override path, or name of a group, to its axis.
    published : mapping of str to value
        What trial 0 runs: the recipe's value, or the one nearest to it where the user replaced the
        axis by one without it (`notes` says so).
    overrides : tuple of str
        What the user pinned on the command line, the swept axes left out.
    notes : tuple of str
        What the user should know of the space before it is searched.
    points : tuple of mapping of str to value
        Configurations given by hand, to be run after trial 0.
    choices : mapping of str to str
        The option chosen in each group, where it is not searched.
    """

    distributions: Mapping[str, BaseDistribution]
    published: Mapping[str, Value]
    overrides: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    points: tuple[Mapping[str, Value], ...] = ()
    choices: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(
        cls, name: str, overrides: Sequence[str], search_path: Sequence[str] = ()
    ) -> tuple["SearchSpace", Composed]:
        """Return the space of study `name`, and its configuration without the sweeps.

        Raises
        ------
        UserError
            If an axis names no setting, or does not contain the recipe's value.
        """
        plain, swept = sweep_syntax.split(overrides)
        composed = compose.compose(name, plain, search_path)
        try:
            section = OmegaConf.to_container(composed.config.search, resolve=True)
            assert isinstance(section, dict)
            space = cls.read(section, composed, plain, swept, search_path)
        except OmegaConfBaseException:  # where a value is of the wrong type, that is why
            value_types.check(composed.config)
            raise
        notes = [*composed.notes, *space.notes]
        num_trials = composed.config.study.num_trials
        if space.size is not None and space.size < num_trials:
            notes.append(
                f"there are only {space.size} configurations for study.num_trials={num_trials}."
            )
        return replace(space, notes=tuple(notes)), composed

    @classmethod
    def read(
        cls,
        section: Mapping[Any, Any],
        composed: Composed,
        overrides: Sequence[str] = (),
        swept: Mapping[str, Sweep] | None = None,
        search_path: Sequence[str] = (),
    ) -> "SearchSpace":
        """Read a resolved `search:` section against the configuration it varies.

        Parameters
        ----------
        section : mapping
            Override path to ``{type: ..., low: ..., high: ...}``.
        composed : Composed
            The recipe under `overrides`.
        overrides : sequence of str
            The user's plain overrides; each takes its axis out of the search.
        swept : mapping of str to Sweep, optional
            The axes the user replaces or adds.
        search_path : sequence of str
            The user's own folders.
        """
        swept = swept or {}
        pinned = {override.parse(text).key_or_group for text in overrides}
        distributions: dict[str, BaseDistribution] = {}
        published: dict[str, Value] = {}
        notes: list[str] = []
        for path in [*section, *(path for path in swept if path not in section)]:
            if path in pinned and path not in swept:
                continue
            current = _current(composed, path)
            if path in swept:
                axis = swept[path].axis(current, search_path)
                published[path], remarks = _start(swept[path], axis, current, section.get(path))
                notes += remarks
            elif current is _MISSING and path.split(".")[0] in pinned:
                notes.append(f"{path} is not searched: there is no such setting under your choice.")
                continue
            else:
                axis = axes.read_axis(path, section[path])
                published[path] = _published(path, axis, current)
            distributions[path] = axis
        return cls(
            distributions=distributions,
            published=published,
            overrides=tuple(overrides),
            notes=tuple(notes),
            points=points.read(_given(composed), distributions, published),
            choices=dict(composed.choices),
        )

    @property
    def axes(self) -> dict[str, str]:
        """Each axis in words, such as ``0.01 to 1 (log)``."""
        return {path: axes.describe(axis) for path, axis in self.distributions.items()}

    @property
    def size(self) -> int | None:
        """How many configurations there are; None if an axis is continuous."""
        counts = [axes.count(axis) for axis in self.distributions.values()]
        return None if None in counts else math.prod(c for c in counts if c is not None)

    def as_overrides(self, params: Mapping[str, Value]) -> list[str]:
        """Return a trial's parameters as overrides that give back the very same values."""
        return [f"{path}={literal(params[path])}" for path in self.distributions]

    def name_of(self, params: Mapping[str, Value]) -> str | None:
        """Return the name of a trial's YAML, if it is not the study's own."""
        return None


def literal(value: Value) -> str:
    """Return a value in Hydra's grammar, bit for bit."""
    if isinstance(value, bool) or value is None:
        return axes.word(value)
    if isinstance(value, (int, float)):
        return repr(value)
    if _BARE_WORD.fullmatch(value) and value.lower() not in _NOT_WORDS:
        return value
    return QuotedString(value, Quote.single).with_quotes()


def _current(composed: Composed, path: str) -> Any:
    if path in composed.choices:
        return composed.choices[path]
    return OmegaConf.select(composed.config, path, default=_MISSING)


def _given(composed: Composed) -> Any:
    """Return `study.points` as plain values."""
    entries = OmegaConf.select(composed.config, "study.points")
    return OmegaConf.to_container(entries, resolve=True) if OmegaConf.is_config(entries) else []


def _published(path: str, axis: BaseDistribution, current: Any) -> Value:
    if current is _MISSING:
        raise UserError(f"search.{path}: there is no setting '{path}' to search.")
    try:
        return axes.fitted(axis, current)
    except (ValueError, TypeError):
        raise UserError(
            f"search.{path}: the recipe's value {axes.shown(current)} is not among "
            f"{axes.describe(axis)}; pin it by '{path}={axes.shown(current)}' or give another "
            f"axis, such as '{path}={_such_as(axis, current)}'."
        ) from None


def _such_as(axis: BaseDistribution, current: Any) -> str:
    """Return an axis in Hydra's grammar that has the recipe's value."""
    if isinstance(axis, CategoricalDistribution):
        return f"choice({','.join(axes.shown(value) for value in (current, *axis.choices))})"
    return "interval(low,high)"


def _start(
    sweep: Sweep, axis: BaseDistribution, current: Any, before: Any
) -> tuple[Value, list[str]]:
    """Return what trial 0 runs on an axis of the user's own, and remarks on that axis."""
    if current is _MISSING:
        raise UserError(f"{sweep.text}: there is no setting '{sweep.path}' to search.")
    remarks = []
    if isinstance(before, Mapping) and before.get("log") and sweep.is_linear_interval:
        value = sweep.text.partition("=")[2]
        remarks.append(
            f"{sweep.path} is searched on a linear scale; for a logarithmic one write "
            f"'{sweep.path}=tag(log,{value})'."
        )
    try:
        return axes.fitted(axis, current), remarks
    except (ValueError, TypeError):
        start = axes.nearest(axis, current)
    remarks.append(
        f"trial 0 runs {sweep.path}={axes.shown(start)}, for the recipe's {axes.shown(current)} is "
        f"not among {axes.describe(axis)}."
    )
    return start, remarks


def pinned(space: SearchSpace) -> tuple[str, ...]:
    """Return the user's own overrides as far as they concern a trial."""
    return tuple(scopes.select(space.overrides, scopes.OF_A_TRIAL))
