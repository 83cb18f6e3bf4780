"""The search on the command line: pinned settings and replaced axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    IntervalSweep,
    QuotedString,
    RangeSweep,
    ValueType,
)
from optuna.distributions import BaseDistribution

from raystudy.config import catalogue, override
from raystudy.errors import UserError
from raystudy.search import axes


@dataclass(frozen=True)
class Sweep:
    """``path=choice(...)``, ``range(...)``, ``interval(...)`` or ``glob(...)``."""

    path: str
    text: str
    value: Any

    @property
    def is_linear_interval(self) -> bool:
        """Whether it is an interval without the tag `log`."""
        return isinstance(self.value, IntervalSweep) and "log" not in self.value.tags

    def axis(self, current: Any, search_path: Sequence[str] = ()) -> BaseDistribution:
        """Return the distribution that is meant.

        Parameters
        ----------
        current : value
            What the setting is without the sweep: an interval over a whole number is whole.
        search_path : sequence of str
            The user's own folders, in which `glob` looks for options too.
        """
        value = self.value
        if isinstance(value, Glob):
            return axes.categorical(
                self.path, value.filter(catalogue.options(self.path, search_path))
            )
        if isinstance(value, ChoiceSweep):
            return axes.categorical(self.path, [_plain(choice) for choice in value.list])
        if isinstance(value, RangeSweep):
            return self._range(list(value.range()))
        assert isinstance(value, IntervalSweep)
        assert value.start is not None
        assert value.end is not None
        whole = isinstance(current, int) and not isinstance(current, bool)
        whole = whole or isinstance(value.start, int)
        return axes.numeric(
            self.path, whole=whole, low=value.start, high=value.end, log="log" in value.tags
        )

    def _range(self, values: list[float]) -> BaseDistribution:
        if not values:
            raise UserError(f"{self.text}: the range is empty; its end is not part of it.")
        low, high = min(values), max(values)
        step = abs(values[1] - values[0]) if len(values) > 1 else None
        whole = all(isinstance(value, int) for value in values)
        return axes.numeric(self.path, whole=whole, low=low, high=high, step=step)


def split(overrides: Sequence[str]) -> tuple[list[str], dict[str, Sweep]]:
    """Return the plain overrides, and the sweeps by path.

    Raises
    ------
    UserError
        If an override does not parse, or is a bare list ``a,b``.
    """
    plain, sweeps = [], {}
    for text in overrides:
        parsed = override.parse(text)
        if not parsed.is_sweep_override():
            plain.append(text)
            continue
        path, value = parsed.key_or_group, text.partition("=")[2]
        if parsed.value_type == ValueType.SIMPLE_CHOICE_SWEEP:
            raise UserError(
                f"{text}: a bare list is ambiguous; write '{path}=choice({value})' to search these "
                f"values, '{path}=[{value}]' for one list, or '{path}=\"{value}\"' for one text."
            )
        if parsed.is_add() or parsed.is_force_add() or parsed.package is not None:
            raise UserError(
                f"{text}: only a setting that exists can be searched; write '{path}={value}'."
            )
        sweeps[path] = Sweep(path, text, parsed.value())
    return plain, sweeps


def _plain(choice: Any) -> Any:
    return choice.text if isinstance(choice, QuotedString) else choice
