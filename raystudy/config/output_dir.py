"""Where results are."""

from collections.abc import Sequence
from pathlib import Path

from raystudy.config import compose


def results_folder(overrides: Sequence[str]) -> Path:
    """Return the results folder."""
    return Path(compose.load_shared(overrides).output_dir).expanduser().resolve()
