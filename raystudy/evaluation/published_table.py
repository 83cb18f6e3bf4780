"""A table or figure of a paper: what was trained, how it was measured, what was printed."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from raystudy.evaluation.printed import Printed

CLEAN = "none"
PERCENT, HOURS, SCORE = "percent", "hours", "score"
UNITS = (PERCENT, HOURS, SCORE)
KINDS = ("greater", "rising", "falling", "flat", "interior", "nearer")
TIERS = ("smoke", "reduced", "full")


@dataclass(frozen=True, kw_only=True)
class Column:
    """How the rows of a table are measured.

    Parameters
    ----------
    protocol : str, optional
        Of the suite; the row's, or the table's, if left out.
    attack : str
        Of the suite; ``none``: clean images.
    epsilon : float
    source : str, optional
        The row whose network the attack's images are made on; else the measured network itself.
    score : str, optional
        Of a downstream task, which `protocol` then names.
    measure : str, optional
        A measure of the training itself, such as ``val/knn_accuracy`` or ``hours``.
    data : str, optional
        What is trained on; the table's if left out.
    measured_on : str, optional
        Other data, to which the network is transferred.
    suite : str, optional
    images : int, optional
        Test images the paper measured on; the table's if left out.
    where : mapping of str to value
        Settings of the training that differ from column to column.
    unit : str
        ``percent``, ``hours`` or ``score``.
    unavailable : str
        Why it cannot be measured.
    """

    protocol: str | None = None
    attack: str = CLEAN
    epsilon: float = 0.0
    source: str | None = None
    score: str | None = None
    measure: str | None = None
    data: str | None = None
    measured_on: str | None = None
    suite: str | None = None
    images: int | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    unit: str = PERCENT
    unavailable: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is trained, and what the paper prints of it.

    Parameters
    ----------
    study : str, optional
        Name of the method's YAML; without one nothing can be trained, and `unavailable` says why.
    where : mapping of str to value
        Settings that differ from the study's recipe.
    options : tuple of str
        Options of groups, such as ``attack=at_l2``.
    protocol, suite, data : str, optional
        Instead of the table's.
    printed : tuple of Printed or None
        One per column; empty where the paper has no number.
    unavailable : str
        Why it cannot be computed.
    """

    study: str | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    protocol: str | None = None
    suite: str | None = None
    data: str | None = None
    printed: tuple[Printed | None, ...] = ()
    unavailable: str = ""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a paper says of rows and columns, as a sign.

    Parameters
    ----------
    words : str
    kind : str
        ``greater``: the first point above the second. ``rising``, ``falling``: in the order given.
        ``interior``: the peak above both ends. ``nearer``: the first point nearer to the second
        than to the third. ``flat``: points differ by less than one seed from another.
    rows, columns : tuple of str
        The points: each row in each column.
    peak : str
        Of ``interior``: the row or the column.
    unavailable : str
        Why it cannot be judged.
    """

    words: str
    kind: str = ""
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    peak: str = ""
    unavailable: str = ""

    @property
    def points(self) -> list[tuple[str, str]]:
        """Rows and columns in order."""
        return [(row, column) for row in self.rows for column in self.columns]


@dataclass(frozen=True, kw_only=True)
class Tier:
    """One scale at which a table is run.

    Parameters
    ----------
    seeds : int
        Runs of each training.
    overrides : tuple of str
        Of every training; the last word.
    suite : tuple of str
        Overrides of the suite, without ``suite.``.
    rows : mapping of str to tuple of str
        The rows that are run, and what more each is given; all rows if empty.
    columns : tuple of str
        The columns that are measured; all if empty.
    departures : tuple of str
        From the paper, as far as the settings do not say them.
    unavailable : str
        Why the table has no such tier.
    """

    seeds: int = 3
    overrides: tuple[str, ...] = ()
    suite: tuple[str, ...] = ()
    rows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    departures: tuple[str, ...] = ()
    unavailable: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table or figure of a paper.

    Parameters
    ----------
    name : str
        Such as ``swaro/table8``.
    title, source, setup : str
        What it is of, the paper and its number, how the paper trained.
    suite, data, protocol : str, optional
        Of all rows that have no other.
    images : int, optional
        Test images the paper measured on.
    runs : int
        Of the paper's, over which a number is the mean.
    columns, rows, claims, tiers : mapping
        By name, in the paper's order.
    inconsistencies : mapping of int to str
        The paper's own, by their number in the project's register.
    unavailable : str
        Why nothing of it can be computed.
    """

    name: str
    title: str
    source: str
    setup: str = ""
    suite: str | None = None
    data: str | None = None
    protocol: str | None = None
    images: int | None = None
    runs: int = 1
    columns: Mapping[str, Column] = field(default_factory=dict)
    rows: Mapping[str, Row] = field(default_factory=dict)
    claims: Mapping[str, Claim] = field(default_factory=dict)
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    inconsistencies: Mapping[int, str] = field(default_factory=dict)
    unavailable: str = ""

    @property
    def caution(self) -> str:
        """The paper's inconsistencies in a line."""
        return "; ".join(self.inconsistencies.values())

    @property
    def cells(self) -> list["Cell"]:
        """All cells, row by row, as the paper has them."""
        return [Cell(self, *names) for names in itertools.product(self.rows, self.columns)]


@dataclass(frozen=True)
class Cell:
    """A row in a column: what is trained there, how it is measured, what is printed.

    Parameters
    ----------
    table : Table
    row_name, column_name : str
    """

    table: Table
    row_name: str
    column_name: str

    @property
    def row(self) -> Row:
        """What is trained."""
        return self.table.rows[self.row_name]

    @property
    def column(self) -> Column:
        """How it is measured."""
        return self.table.columns[self.column_name]

    @property
    def printed(self) -> Printed | None:
        """The paper's digits, if it has any."""
        numbers = self.row.printed
        return numbers[list(self.table.columns).index(self.column_name)] if numbers else None

    @property
    def data(self) -> str | None:
        """Name of the data set that is trained on."""
        return self.column.data or self.row.data or self.table.data

    @property
    def suite(self) -> str | None:
        """Name of the suite that measures it; none of a downstream task."""
        if self.column.score is not None:
            return None
        return self.column.suite or self.row.suite or self.table.suite

    @property
    def protocol(self) -> str | None:
        """Name of the protocol in that suite, or of a downstream task."""
        return self.column.protocol or self.row.protocol or self.table.protocol

    @property
    def images(self) -> int | None:
        """How many test images the paper measured on."""
        return self.column.images or self.table.images

    @property
    def where(self) -> Mapping[str, Any]:
        """Settings in which the training differs from the study's recipe."""
        return {**self.row.where, **self.column.where}
