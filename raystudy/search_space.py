"""What a study may vary: the `search:` section as Optuna distributions, and back to overrides."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    QuotedString,
    RangeSweep,
)
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from raystudy import config
from raystudy.config import Composed
from raystudy.errors import UserError

Axes = Mapping[str, BaseDistribution]


@dataclass(frozen=True)
class SearchSpace:
    """The axes of a search, and where on them the published recipe lies.

    Parameters
    ----------
    distributions : mapping of str to BaseDistribution
        By override path; a path may be a group, such as ``attack``.
    published : mapping of str to value
        What trial 0 runs.
    pinned : tuple of str
        The user's overrides that hold for every trial.
    notes : tuple of str
        What the user should know of the space.
    """

    distributions: Axes
    published: Mapping[str, Any]
    pinned: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def axes(self) -> dict[str, str]:
        """A readable range for every path."""
        return {path: _readable(axis) for path, axis in self.distributions.items()}

    @classmethod
    def load(
        cls, name: str, overrides: Sequence[str], search_path: Sequence[str] = ()
    ) -> tuple["SearchSpace", Composed]:
        """Compose a study and read its space under the user's overrides.

        ``path=value`` pins an axis, ``choice``, ``range`` and ``interval`` replace one.

        Raises
        ------
        UserError
            If an override does not parse, or an axis or its published value makes no sense.
        """
        parsed = [(text, _parse(text)) for text in overrides]
        pinned = tuple(text for text, override in parsed if not override.is_sweep_override())
        replaced = {
            override.key_or_group: _swept(text, override)
            for text, override in parsed
            if override.is_sweep_override()
        }
        composed = config.compose(name, pinned, search_path)
        known = {**config.flatten(composed.config), **composed.choices}
        for path in replaced:
            if path not in known:
                raise UserError(config.unknown_setting(path, name, search_path))
        axes = {path: _read(path, entry) for path, entry in _section(composed.config).items()}
        held = {override.key_or_group for _, override in parsed}
        axes = {path: axis for path, axis in axes.items() if path not in held}
        axes |= {path: make(known[path]) for path, make in replaced.items()}
        published, notes = {}, []
        for path, axis in axes.items():
            value = known.get(path)
            if path not in known:
                raise UserError(f"search.{path}: the study has no setting '{path}'.")
            published[path], note = _inside(path, axis, value)
            if note and not overrides:
                raise UserError(f"search.{path}: {note}")
            notes += [note] if note else []
        return cls(axes, published, pinned, tuple(notes)), composed


def as_overrides(params: Mapping[str, Any]) -> list[str]:
    """Return sampled values as overrides that Hydra reads back to the same values."""
    return [f"{path}={_written(value)}" for path, value in params.items()]


def _written(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z_][\w./-]*", value):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return repr(value) if isinstance(value, float) else str(value)


def _parse(text: str) -> Override:
    try:
        (override,) = OverridesParser.create().parse_overrides([text])
    except HydraException as error:
        raise UserError(
            f"cannot read the override '{text}': write path=value, such as optimizer.lr=0.1, or "
            f"'optimizer.lr=interval(0.1,1)' (quoted for the shell)."
        ) from error
    return override


def _swept(text: str, override: Override) -> Callable[[Any], BaseDistribution]:
    """Return what makes the distribution, given the setting's present value."""
    path, sweep = override.key_or_group, override.value()
    if isinstance(sweep, ChoiceSweep):
        choices = [_plain(choice) for choice in sweep.list]
        if sweep.simple_form:
            raise UserError(
                f"'{text}' is a list without a meaning: write "
                f"'{path}=choice({text.split('=', 1)[1]})' to search these values."
            )
        return lambda _: CategoricalDistribution(choices)
    log = "log" in sweep.tags
    if isinstance(sweep, RangeSweep):
        low, stop, step = sweep.start, sweep.stop, sweep.step
        return lambda _: _checked(path, low, _last(low, stop, step), step=step)
    if isinstance(sweep, IntervalSweep):
        low, high = sweep.start, sweep.end
        return lambda now: _checked(
            path, *((low, high) if isinstance(now, int) else (float(low), float(high))), log=log
        )
    raise UserError(f"'{text}' cannot be searched: use choice(...), range(...) or interval(...).")


def _last(low: float, stop: float, step: float) -> float:
    """Return the last value of a range whose `stop` is left out, as in Python."""
    count = max(0, -int(-(stop - low) // step) - 1)
    return low + count * step


def _plain(choice: Any) -> Any:
    return choice.text if isinstance(choice, QuotedString) else choice


def _section(settings: DictConfig) -> dict[str, Any]:
    section: dict[str, Any] = OmegaConf.to_container(settings.search, resolve=True)  # type: ignore[assignment]
    return section


def _read(path: str, entry: Any) -> BaseDistribution:
    """Read one entry of the `search:` section."""
    if not isinstance(entry, dict) or "type" not in entry:
        raise UserError(f"search.{path} needs a type: float, int or categorical; got {entry}.")
    fields = dict(entry)
    kind = fields.pop("type")
    needed = {"float": {"low", "high"}, "int": {"low", "high"}, "categorical": {"choices"}}
    if kind not in needed:
        raise UserError(f"search.{path}.type must be float, int or categorical, got '{kind}'.")
    allowed = needed[kind] | (set() if kind == "categorical" else {"log", "step"})
    if not needed[kind] <= fields.keys() <= allowed:
        raise UserError(
            f"search.{path}: {kind} takes {', '.join(sorted(allowed))}, got "
            f"{', '.join(sorted(fields)) or 'nothing'}."
        )
    if kind == "categorical":
        return _categorical(path, fields["choices"])
    number = float if kind == "float" else int
    low, high = number(fields["low"]), number(fields["high"])
    return _checked(path, low, high, log=fields.get("log", False), step=fields.get("step"))


def _categorical(path: str, choices: Any) -> BaseDistribution:
    if not isinstance(choices, list) or not choices:
        raise UserError(f"search.{path}.choices must be a list of values, got {choices}.")
    return CategoricalDistribution(choices)


def _checked(
    path: str, low: float, high: float, *, log: bool = False, step: float | None = None
) -> BaseDistribution:
    try:
        if isinstance(low, int) and isinstance(high, int) and isinstance(step, int | None):
            return IntDistribution(low, high, log=log, step=step or 1)
        return FloatDistribution(float(low), float(high), log=log, step=step)
    except ValueError as error:
        raise UserError(f"search.{path}: {error}") from error


def _inside(path: str, axis: BaseDistribution, value: Any) -> tuple[Any, str]:
    """Return the value trial 0 takes on an axis, and a note if it is not the published one."""
    if isinstance(axis, CategoricalDistribution):
        if value in axis.choices:
            return value, ""
        first = axis.choices[0]
        return first, f"trial 0 takes {path}={first}: the recipe's {value} is not among the choices"
    if not isinstance(axis, (IntDistribution, FloatDistribution)):
        raise TypeError(f"unknown distribution {axis}")
    if not isinstance(value, (int, float)):
        raise UserError(f"search.{path}: the recipe's value {value!r} is not a number.")
    near = min(max(value, axis.low), axis.high)
    if axis.step is not None:
        near = axis.low + round((near - axis.low) / axis.step) * axis.step
    near = int(near) if isinstance(axis, IntDistribution) else float(near)
    if near == value:
        return near, ""
    return near, (
        f"trial 0 takes {path}={near:.6g}: the recipe's {value:.6g} lies outside "
        f"{_readable(axis)}"
    )


def _readable(axis: BaseDistribution) -> str:
    if isinstance(axis, CategoricalDistribution):
        return ", ".join(str(choice) for choice in axis.choices)
    if not isinstance(axis, (IntDistribution, FloatDistribution)):
        return str(axis)
    words = f"{axis.low:.4g} to {axis.high:.4g}"
    default_step = 1 if isinstance(axis, IntDistribution) else None
    if axis.step != default_step:
        words += f" in steps of {axis.step:g}"
    return words + (", log" if axis.log else "")
