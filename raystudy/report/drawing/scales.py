"""From values to places along an axis, and the ticks between."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from raystudy.search import axes

Tick = tuple[float, str]
TICKS = 6  # about this many on an axis
MARGIN = 0.04  # of the range, beyond the outermost value


class Scale(Protocol):
    """Places in [0, 1] along an axis."""

    def place(self, value: Any) -> float:
        """Return a value's place; values outside are put at the end."""

    def ticks(self) -> list[Tick]:
        """Return the places of round values, and their labels."""


@dataclass(frozen=True)
class Linear:
    """Equal distances are equal differences.

    Parameters
    ----------
    low, high : float
        The ends of the axis.
    whole : bool
        Ticks at whole numbers only.
    """

    low: float
    high: float
    whole: bool = False

    @classmethod
    def around(cls, values: Iterable[float]) -> "Linear":
        """Return the scale of all finite values, with a margin."""
        finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
        low, high = min(finite), max(finite)
        margin = MARGIN * (high - low) or max(abs(high) * MARGIN, 1e-3)
        return cls(low - margin, high + margin)

    def place(self, value: Any) -> float:
        """Return a value's place."""
        return _within((float(value) - self.low) / (self.high - self.low))

    def ticks(self) -> list[Tick]:
        """Return multiples of 1, 2 or 5 times a power of ten."""
        step = _round_step((self.high - self.low) / TICKS)
        step = max(step, 1.0) if self.whole else step
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        values = [number * step for number in range(first, last + 1)]
        return [(self.place(value), _words(value, digits)) for value in values]


@dataclass(frozen=True)
class Log:
    """Equal distances are equal ratios.

    Parameters
    ----------
    low, high : float
        The ends of the axis, above 0.
    """

    low: float
    high: float

    def place(self, value: Any) -> float:
        """Return a value's place."""
        return _within(math.log(float(value) / self.low) / math.log(self.high / self.low))

    def ticks(self) -> list[Tick]:
        """Return powers of ten, with 2 and 5 times these where there is room."""
        decades = math.log10(self.high / self.low)
        factors: Sequence[int] = (1,) if decades > 2.5 else (1, 3) if decades > 1.4 else (1, 2, 5)
        exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        values = [factor * 10.0**exponent for exponent in exponents for factor in factors]
        inside = [v for v in values if self.low * 0.999 <= v <= self.high * 1.001]
        return [(self.place(value), short(value)) for value in inside]


@dataclass(frozen=True)
class Choices:
    """One place for each of some words.

    Parameters
    ----------
    values : sequence
        In order from the axis' start.
    """

    values: Sequence[Any]

    def place(self, value: Any) -> float:
        """Return the middle of a value's share of the axis."""
        same = [
            number
            for number, choice in enumerate(self.values)
            if choice == value and isinstance(choice, bool) == isinstance(value, bool)
        ]
        return (same[0] + 0.5) / len(self.values)

    def ticks(self) -> list[Tick]:
        """Return every value's place and label."""
        return [(self.place(value), axes.word(value)) for value in self.values]


def of_axis(axis: BaseDistribution) -> Scale:
    """Return the scale of a search's axis, from bound to bound."""
    if isinstance(axis, CategoricalDistribution):
        return Choices(axis.choices)
    assert isinstance(axis, (FloatDistribution, IntDistribution))
    if axis.single():
        return Choices([axis.low])
    if axis.log:
        return Log(axis.low, axis.high)
    return Linear(axis.low, axis.high, whole=isinstance(axis, IntDistribution))


def short(value: float) -> str:
    """Return a number in few characters, such as ``1e-4`` and ``0.02``."""
    return f"{value:.4g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def _round_step(least: float) -> float:
    power: float = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * 0.999)


def _words(value: float, digits: int) -> str:
    brief = short(value)
    is_long = abs(value) >= 1e5 or digits > 5
    is_exact = abs(float(brief) - value) < 0.01 / 10**digits
    return brief if is_long and is_exact else f"{value:.{digits}f}"


def _within(place: float) -> float:
    return min(max(place, 0.0), 1.0)
