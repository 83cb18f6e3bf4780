"""Checks of the range of settings; the error names the setting."""

import math


def refuse_not_above_zero(group: str, **settings: float) -> None:
    """Raise a ValueError at the first of a group's settings that is not above 0."""
    for name, value in settings.items():
        if not value > 0:
            raise ValueError(f"{group}.{name} must be above 0, got {value}.")


def refuse_below_zero(group: str, **settings: float) -> None:
    """Raise a ValueError at the first of a group's settings that is below 0."""
    for name, value in settings.items():
        if not value >= 0:
            raise ValueError(f"{group}.{name} must be at least 0, got {value}.")


def refuse_outside_unit(group: str, **settings: float) -> None:
    """Raise a ValueError at the first of a group's settings that is no share or probability."""
    for name, value in settings.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{group}.{name} must be in [0, 1], got {value}.")


def refuse_below_one(group: str, **settings: int | None) -> None:
    """Raise a ValueError at the first of a group's counts that is below 1; None is no limit."""
    for name, value in settings.items():
        if value is not None and not value >= 1:
            raise ValueError(f"{group}.{name} must be at least 1, got {value}.")


def refuse_not_whole(name: str, value: object, *, least: int = 1) -> None:
    """Raise a ValueError unless `value` is a whole number of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value}.")


def refuse_not_positive(name: str, value: object) -> None:
    """Raise a ValueError unless `value` is a finite number above 0."""
    if not _is_finite(value) or value <= 0:  # type: ignore[operator]
        raise ValueError(f"{name} must be a number above 0, got {value}.")


def refuse_not_ascending(name: str, values: object) -> None:
    """Raise a ValueError unless `values` are finite numbers of at least 0, each above the last."""
    numbers = list(values) if isinstance(values, (list, tuple)) else []
    if (
        not numbers
        or not all(map(_is_finite, numbers))
        or numbers != sorted(set(numbers))
        or numbers[0] < 0
    ):
        raise ValueError(
            f"{name} must be a list of numbers of at least 0 in ascending order, got {values}."
        )


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
