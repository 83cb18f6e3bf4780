"""What numbers may be; who breaks it is told the setting."""


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
            raise ValueError(f"{group}.{name} must lie in [0, 1], got {value}.")


def refuse_below_one(group: str, **settings: int | None) -> None:
    """Raise a ValueError at the first of a group's counts that is below 1; None is no limit."""
    for name, value in settings.items():
        if value is not None and not value >= 1:
            raise ValueError(f"{group}.{name} must be at least 1, got {value}.")
