"""Verdicts on the cells of a table: reproduced, or what else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from raystudy.errors import UserError
from raystudy.evaluation.published_table import CLEAN, HOURS, PERCENT, Cell
from raystudy.reproduce.departures import other_protocol
from raystudy.reproduce.equivalence import Comparison, binomial_sd, compare
from raystudy.reproduce.runs import LAST_WEIGHTS, Measured, Run

Word = Literal[
    "reproduced",
    "higher",
    "lower",
    "undecided",
    "not run",
    "other protocol",
    "diverged",
    "unavailable",
    "no number",
]
BAD = ("diverged", "collapsed")


@dataclass(frozen=True, kw_only=True)
class CellVerdict:
    """What our runs say of a cell.

    Parameters
    ----------
    word, words : str
        The verdict and its reason.
    values : mapping of int to float
        Ours by seed, in the unit of the column.
    comparison : Comparison, optional
    suspect : bool
        Whether robust accuracy is above the paper's and no stronger attack agrees: a failure.
    """

    word: Word
    words: str
    values: Mapping[int, float]
    comparison: Comparison | None = None
    suspect: bool = False


def judge(cell: Cell, runs: Sequence[Run], *, not_at_scale: str) -> CellVerdict:
    """Return the verdict on a cell.

    Parameters
    ----------
    cell : Cell
    runs : sequence of Run
        Of the cell's arm.
    not_at_scale : str
        Why these runs are none of the paper's training; empty if they are.

    Raises
    ------
    UserError
        If the runs were measured in different ways.
    """
    found = {run.seed: m for run in runs if (m := run.measured(cell)) is not None}
    refuse_mixed(cell, found)
    values = {seed: measured.value for seed, measured in found.items()}
    word, words = _without_comparison(cell, runs, found, not_at_scale)
    if word is not None:
        return CellVerdict(word=word, words=words, values=values)
    assert cell.printed is not None
    images = max((m.images for m in found.values() if m.images), default=None)
    is_share = cell.column.unit == PERCENT
    binomial = binomial_sd(cell.printed.value, images) if is_share and images else 0.0
    comparison = compare(
        list(values.values()), cell.printed, runs=cell.table.runs, binomial=binomial
    )
    return _checked(cell, comparison, found, values)


def refuse_mixed(cell: Cell, found: Mapping[int, Measured]) -> None:
    """Refuse numbers of one cell that were measured differently."""
    marks = {m.fingerprint for m in found.values()}
    if len(marks) > 1:
        raise UserError(
            f"{cell.table.name}, {cell.row_name}, {cell.column_name}: the runs were measured in "
            f"{len(marks)} ways (fingerprints {', '.join(sorted(marks))}); measure them alike, or "
            f"give the studies apart."
        )


def _without_comparison(
    cell: Cell, runs: Sequence[Run], found: Mapping[int, Measured], not_at_scale: str
) -> tuple[Word | None, str]:
    """Return the verdict where nothing is compared with the print."""
    unavailable = cell.column.unavailable or cell.row.unavailable or cell.table.unavailable
    bad = [run for run in runs if run.state in BAD]
    if not runs:
        return ("unavailable", unavailable) if unavailable else ("not run", "")
    if bad:
        return "diverged", f"{len(bad)} of {len(runs)} runs: {bad[0].reason}"
    if not found:
        return "not run", "trained, not measured"
    if not_at_scale:
        return "not run", not_at_scale
    if cell.printed is None:
        return "no number", "the paper prints none"
    for run in runs:
        if words := measured_otherwise(cell, run):
            return "other protocol", words
    if cell.column.unit == HOURS:
        return "other protocol", "another device"
    return None, ""


def measured_otherwise(cell: Cell, run: Run) -> str:
    """Return how a run was measured otherwise than in the table; empty if it was not."""
    if (kept := run.kept_otherwise(cell)) is not None:
        return kept
    record = run.records.get(str(cell.protocol if cell.column.score else cell.suite))
    if cell.column.measure or record is None:
        return ""
    if record["weights"] != LAST_WEIGHTS:
        return f"weights {record['weights']}, not those of the last epoch"
    return other_protocol(cell, record)


def _checked(
    cell: Cell,
    comparison: Comparison,
    found: Mapping[int, Measured],
    values: Mapping[int, float],
) -> CellVerdict:
    """Return the comparison's verdict unless masked gradients or a weak attack forbid it."""
    word: Word = comparison.word
    words, suspect = comparison.words, False
    robust = cell.column.attack != CLEAN and cell.column.unit == PERCENT
    masked = [one for measured in found.values() for one in measured.masked]
    if robust and masked and word != "lower":
        word, suspect = "undecided", True
        words = f"signs of masked gradients ({masked[0]}); {words}"
    elif robust and word == "higher" and not _stronger_agrees(cell, found):
        suspect = True
        words += "; a failure until a stronger attack agrees"
    return CellVerdict(
        word=word, words=words, values=values, comparison=comparison, suspect=suspect
    )


def _stronger_agrees(cell: Cell, found: Mapping[int, Measured]) -> bool:
    worst = [measured.worst for measured in found.values()]
    assert cell.printed is not None
    return all(one is not None and one > cell.printed.value for one in worst)
