"""What a setting must be: said in one sentence where it is not."""

import math


def demand_whole(name: str, value: object, *, least: int = 1) -> None:
    """Raise a ValueError unless `value` is a whole number of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value}.")


def demand_positive(name: str, value: object) -> None:
    """Raise a ValueError unless `value` is a finite number above 0."""
    if not _is_finite(value) or value <= 0:  # type: ignore[operator]
        raise ValueError(f"{name} must be a number above 0, got {value}.")


def demand_ascending(name: str, values: object) -> None:
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
