"""``raystudy confirm``: a search's finalists against the published recipe, on fresh seeds."""

from collections.abc import Sequence

from raystudy import terminal
from raystudy.confirm import begin
from raystudy.errors import UserError


def confirm(study_id: str, overrides: Sequence[str], *, top: int, seeds: int, as_json: bool) -> int:
    """Race the finalists and the recipe on fresh seeds, then read the test split once."""
    if top < 0:
        raise UserError(f"--top must be at least 0, got {top}.")
    if seeds < 2:
        raise UserError(
            f"--seeds must be at least 2, to estimate the seed-to-seed noise; got {seeds}."
        )
    console = terminal.console(stderr=as_json)
    return begin.confirm(console, study_id, overrides, top=top, seeds=seeds, as_json=as_json)
