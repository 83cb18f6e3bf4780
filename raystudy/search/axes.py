"""One axis of a search: an Optuna distribution, read from YAML."""

import math
import warnings
from collections.abc import Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from raystudy.errors import UserError

Value = bool | int | float | str | None

_KEYS = {
    "float": {"low", "high", "step", "log"},
    "int": {"low", "high", "step", "log"},
    "categorical": {"choices"},
}


def read_axis(path: str, entry: Any) -> BaseDistribution:
    """Read ``{type: float, low: 0.01, high: 0.5, log: true}`` and its kin.

    Parameters
    ----------
    path : str
        The axis' override path, for messages.
    entry : mapping
        ``type`` is float, int or categorical; numbers take ``low``, ``high``, ``step`` and ``log``,
        categories take ``choices``.

    Raises
    ------
    UserError
        If a key or a bound makes no sense.
    """
    kind = entry.get("type") if isinstance(entry, Mapping) else None
    if kind not in _KEYS:
        raise UserError(f"search.{path}: type must be float, int or categorical, got {entry!r}.")
    settings = {key: value for key, value in entry.items() if key != "type"}
    required = _KEYS[kind] - {"step", "log"}
    if not required <= set(settings) <= _KEYS[kind]:
        raise UserError(
            f"search.{path}: a {kind} axis has the keys {', '.join(sorted(_KEYS[kind]))}, "
            f"got {', '.join(sorted(settings)) or 'none'}."
        )
    if kind == "categorical":
        return categorical(path, settings["choices"])
    return numeric(path, whole=kind == "int", **settings)


def numeric(
    path: str, *, whole: bool, low: Any, high: Any, step: Any = None, log: bool = False
) -> BaseDistribution:
    """Return the axis from `low` to `high`, both included."""
    bounds = [low, high] if step is None else [low, high, step]
    for bound in bounds:
        if isinstance(bound, bool) or not isinstance(bound, (int, float)):
            raise UserError(f"search.{path}: bounds and step must be numbers, got {bound!r}.")
        if not math.isfinite(bound) or (whole and bound != int(bound)):
            needed = "whole" if whole else "finite"
            raise UserError(f"search.{path}: bounds and step must be {needed}, got {bound!r}.")
    if low > high:
        raise UserError(f"search.{path}: low must not be above high, got {low} to {high}.")
    if log and (low <= 0 or step not in (None, 1)):
        raise UserError(
            f"search.{path}: a log axis starts above 0 and has no step, got low={low}, step={step}."
        )
    if step is not None and step <= 0:
        raise UserError(f"search.{path}: step must be above 0, got {step}.")
    with warnings.catch_warnings():  # a range that is no multiple of its step ends below `high`
        warnings.simplefilter("ignore", UserWarning)
        if whole:
            return IntDistribution(int(low), int(high), log=log, step=int(step or 1))
        return FloatDistribution(
            float(low), float(high), log=log, step=None if log or step is None else float(step)
        )


def categorical(path: str, choices: Any) -> CategoricalDistribution:
    """Return the axis of some values, in the order given."""
    if not isinstance(choices, list) or not choices:
        raise UserError(f"search.{path}: choices must be a list of values, got {choices!r}.")
    for choice in choices:
        if not (choice is None or isinstance(choice, (bool, int, float, str))):
            raise UserError(
                f"search.{path}: choices must be numbers, words, true, false or null, "
                f"got {choice!r}."
            )
    return CategoricalDistribution(choices)


def describe(axis: BaseDistribution) -> str:
    """Return the axis in words, such as ``0.01 to 1 (log)``."""
    if isinstance(axis, CategoricalDistribution):
        return ", ".join(word(choice) for choice in axis.choices)
    assert isinstance(axis, (FloatDistribution, IntDistribution))
    remarks = []
    if isinstance(axis, IntDistribution):
        remarks.append("whole")
    if axis.log:
        remarks.append("log")
    if axis.step is not None and not (isinstance(axis, IntDistribution) and axis.step == 1):
        remarks.append(f"step {axis.step:.6g}")
    tail = f" ({', '.join(remarks)})" if remarks else ""
    return f"{axis.low:.6g} to {axis.high:.6g}{tail}"


def largest(axis: BaseDistribution) -> Value:
    """Return an axis' upper end; of choices the largest number, or the last of words."""
    if not isinstance(axis, CategoricalDistribution):
        high: Value = axis.high  # type: ignore[attr-defined]
        return high
    numbers = [choice for choice in axis.choices if isinstance(choice, (int, float))]
    return max(numbers, default=axis.choices[-1])


def word(value: Value) -> str:
    """Return a value as it is read in YAML."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def shown(value: Any) -> str:
    """Return any value of a configuration as it is read in YAML, as far as it is simple."""
    return word(value) if value is None or isinstance(value, (bool, int, float)) else str(value)


def contains(axis: BaseDistribution, value: Any) -> bool:
    """Return whether the axis has this value."""
    try:
        fitted(axis, value)
    except (ValueError, TypeError):
        return False
    return True


def fitted(axis: BaseDistribution, value: Any) -> Value:
    """Return `value` as the axis would draw it.

    Raises
    ------
    ValueError
        If the axis does not contain it.
    """
    if isinstance(axis, CategoricalDistribution):
        for choice in axis.choices:
            if choice == value and isinstance(choice, bool) == isinstance(value, bool):
                return choice
        raise ValueError(f"{value!r} is none of the choices")
    number: int | float = nearest(axis, value)  # type: ignore[assignment]
    tolerance = 1e-8 * axis.step if isinstance(axis, FloatDistribution) and axis.step else 0.0
    if isinstance(value, bool) or abs(number - value) > tolerance:
        raise ValueError(f"{value!r} is not on the axis")
    return type(number)(value)


def nearest(axis: BaseDistribution, value: Any) -> Value:
    """Return the value on the axis that is closest to `value`.

    Among words it is the first choice, there being no distance between words.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(axis, CategoricalDistribution):
        numbers = [
            c for c in axis.choices if isinstance(c, (int, float)) and c not in (True, False)
        ]
        if not is_number or not numbers:
            return axis.choices[0]
        return min(numbers, key=lambda choice: abs(choice - value))
    assert isinstance(axis, (FloatDistribution, IntDistribution))
    if not is_number:
        return axis.low
    inside = min(max(value, axis.low), axis.high)
    if axis.step is not None:
        inside = min(axis.low + round((inside - axis.low) / axis.step) * axis.step, axis.high)
    return int(inside) if isinstance(axis, IntDistribution) else float(inside)


def count(axis: BaseDistribution) -> int | None:
    """Return how many values the axis has; None for a continuous one."""
    if isinstance(axis, CategoricalDistribution):
        return len(axis.choices)
    assert isinstance(axis, (FloatDistribution, IntDistribution))
    if axis.step is None:
        return 1 if axis.low == axis.high else None
    return round((axis.high - axis.low) / axis.step) + 1


def at(axis: BaseDistribution, index: int) -> Value:
    """Return value number `index` of a discrete axis."""
    if isinstance(axis, CategoricalDistribution):
        return axis.choices[index]
    if isinstance(axis, IntDistribution):
        return axis.low + index * axis.step
    assert isinstance(axis, FloatDistribution)
    return axis.low if axis.step is None else min(axis.low + index * axis.step, axis.high)


def place(axis: BaseDistribution, value: Any) -> Value:
    """Return what identifies a value: its index on a discrete axis, else itself."""
    if isinstance(axis, CategoricalDistribution):
        return int(axis.to_internal_repr(value))
    assert isinstance(axis, (FloatDistribution, IntDistribution))
    number: float = value
    return number if axis.step is None else round((number - axis.low) / axis.step)
