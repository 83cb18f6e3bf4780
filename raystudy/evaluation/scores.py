"""Scores of downstream tasks as a table, and what a tracker gets of them."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from raystudy.storage.file_names import readable
from raystudy.study.tracker import Attachment

Record = Mapping[str, Any]


def show(console: Console, records: Sequence[Record]) -> None:
    """Print one column per network, one row per score."""
    first = records[0]
    console.print(
        f"{first['protocol']} on the {first['images']:,} test images of {first['data']}, "
        f"fingerprint {first['fingerprint']}"
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("score")
    for record in records:
        table.add_column(record["label"], justify="right")
    for name in dict.fromkeys(name for record in records for name in record["scores"]):
        table.add_row(name, *(_cell(record["scores"].get(name)) for record in records))
    console.print(table)


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def attachment(record: Record, document: bytes) -> Attachment:
    """Return what a run in MLflow gets of a record."""
    protocol = record["protocol"]
    files: dict[str, Any] = {
        f"{protocol}.json": document,
        f"{protocol}.csv": readable(as_csv([record])).encode(),
    }
    metrics = {f"test/{protocol}/{name}": value for name, value in record["scores"].items()}
    return Attachment(metrics=metrics, files=files, folder="evaluations")


def as_csv(records: Sequence[Record]) -> str:
    """Return all scores, a row each."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["network", "protocol", "score", "value", "images", "fingerprint"])
    for record in records:
        rest = (record["images"], record["fingerprint"])
        for name, value in record["scores"].items():
            writer.writerow([record["label"], record["protocol"], name, value, *rest])
    return text.getvalue()
