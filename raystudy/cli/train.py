"""``raystudy train``."""

from collections.abc import Sequence

from raystudy.interface import train as training


def train(name: str, overrides: Sequence[str], search_path: Sequence[str]) -> int:
    """Train once in this process, without Ray."""
    return training.start(name, overrides, search_path).exit_code
