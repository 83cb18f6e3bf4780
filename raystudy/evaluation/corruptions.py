"""Accuracy under corruptions: one table, and the mean error."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from raystudy.study.evaluated import mean_corruption_error

Record = Mapping[str, Any]
Row = Mapping[str, Any]


def show(console: Console, records: Sequence[Record]) -> None:
    """Print a table for each network and protocol that was measured under corruptions."""
    for record in records:
        for protocol, found in record["protocols"].items():
            if rows := found.get("corrupted"):
                console.print(
                    f"{record['label']}, {protocol}: accuracy under corruptions; mean corruption "
                    f"error {mean_corruption_error(rows):.4f}, not divided by another network's"
                )
                console.print(_table(rows))


def metrics(record: Record) -> Iterator[tuple[str, float]]:
    """Yield what a tracker gets: of each corruption the mean over severities, and of all."""
    for protocol, found in record["protocols"].items():
        if rows := found.get("corrupted"):
            where = f"{record['split']}/{protocol}"
            yield f"{where}/mean_corruption_error", mean_corruption_error(rows)
            for corruption, part in _by_corruption(rows).items():
                yield f"{where}/{corruption}", fmean(row["accuracy"] for row in part)


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("corruption")
    severities = sorted({row["severity"] for row in rows})
    for title in (*(f"severity {severity}" for severity in severities), "mean"):
        table.add_column(title, justify="right")
    for corruption, part in _by_corruption(rows).items():
        values = [row["accuracy"] for row in part]
        table.add_row(corruption, *(f"{value:.4f}" for value in (*values, fmean(values))))
    return table


def _by_corruption(rows: Sequence[Row]) -> dict[str, list[Row]]:
    parts: dict[str, list[Row]] = {}
    for row in rows:
        parts.setdefault(row["corruption"], []).append(row)
    return parts
