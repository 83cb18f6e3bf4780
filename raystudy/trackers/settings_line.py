"""The settings of a trial on one line."""

from collections.abc import Mapping
from typing import Any


def whole(params: Mapping[str, Any]) -> str:
    """Return them with their whole paths."""
    return " ".join(f"{path}={_readable(value)}" for path, value in params.items())


def short(params: Mapping[str, Any]) -> str:
    """Leave out what precedes a setting's last name, unless two settings share it."""
    names = [path.rpartition(".")[2] for path in params]
    return whole(
        {
            path if names.count(name) > 1 else name: value
            for name, (path, value) in zip(names, params.items(), strict=True)
        }
    )


def _readable(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
