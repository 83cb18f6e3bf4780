"""A section of a report: sentences, tables and figures."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from raystudy.search import axes

Cell = str | int | float | bool | None
DIGITS = 6  # significant ones in tables
BROAD = 11  # columns that a page in portrait has room for


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under a header; numbers are right-aligned, text left.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequence of Cell
    caption : str
    strong : frozenset of int
        Rows set in bold.
    faint : frozenset of int
        Rows set in grey: differences that may be noise.
    folded : bool
        Closed until the reader opens it.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    strong: frozenset[int] = frozenset()
    faint: frozenset[int] = frozenset()
    folded: bool = False

    @property
    def is_broad(self) -> bool:
        """Whether it needs a page in landscape."""
        return len(self.header) > BROAD

    @property
    def text_columns(self) -> frozenset[int]:
        """Columns without numbers."""
        return frozenset(
            column
            for column in range(len(self.header))
            if all(isinstance(row[column], str) or row[column] is None for row in self.rows)
        )


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a report.

    Parameters
    ----------
    title : str
    words : str
        What it shows, in a sentence or two.
    facts : mapping of str to str
        Names and what they are.
    figures : mapping of str to str
        File name without its ending, to SVG.
    tables : sequence of Table
    commands : mapping of str to str
        What a command line does, to the command line.
    warning : str
        Shown prominently.
    measured : str
        How the accuracies were measured, with the fingerprint of it.
    source : str
        Where the numbers are from, so that they can be computed again.
    small : bool
        Figures are side by side.
    """

    title: str
    words: str
    facts: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, str] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    commands: Mapping[str, str] = field(default_factory=dict)
    warning: str = ""
    measured: str = ""
    source: str = ""
    small: bool = False

    @property
    def is_broad(self) -> bool:
        """Whether it needs a page in landscape."""
        return not self.figures and any(table.is_broad for table in self.tables)

    @property
    def slug(self) -> str:
        """The section's name in links."""
        return slug(self.title)


def slug(words: str) -> str:
    """Return words as part of a file's name or a link."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def number(value: Any) -> str:
    """Return a cell as a table shows it."""
    if value is None:
        return ""
    if isinstance(value, float):
        # Integers, such as a count of operations, get more digits than a measure.
        if math.isfinite(value) and value == int(value) and abs(value) < 1e7:
            return str(int(value))
        return f"{value:.{DIGITS}g}"
    return axes.word(value)


def measured(value: float | None, *, sign: bool = False) -> str:
    """Return a measure as a sentence shows it."""
    return "nothing" if value is None else f"{value:+.4f}" if sign else f"{value:.4f}"


def counted(count: int, noun: str) -> str:
    """Return ``1 trial`` or ``3 trials``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return seconds in the unit a reader thinks in."""
    for unit, size in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} seconds"
