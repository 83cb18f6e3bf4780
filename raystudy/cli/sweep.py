"""``raystudy sweep``, ``resume`` and ``extend``."""

from collections.abc import Sequence

from raystudy.cli import plan
from raystudy.interface import resume as resuming
from raystudy.interface import sweep as sweeping


def sweep(
    name: str,
    overrides: Sequence[str],
    search_path: Sequence[str],
    *,
    dry_run: bool = False,
) -> int:
    """Check, plan, search, conclude."""
    if dry_run:
        return plan.plan(name, overrides, search_path, as_json=False)
    return sweeping.start(name, overrides, search_path).exit_code


def resume(study_id: str, overrides: Sequence[str]) -> int:
    """Continue what `sweep`, `train`, `confirm` or `reproduce` left unfinished."""
    return resuming.resume(study_id, overrides).exit_code


def extend(study_id: str, overrides: Sequence[str]) -> int:
    """Continue a study with more trials than it has."""
    return resuming.extend(study_id, overrides).exit_code
