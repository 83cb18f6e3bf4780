"""Evaluations of trained networks after the search, each number with its fingerprint."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from raystudy.report.section import Cell, Section, Table, counted
from raystudy.study import evaluated
from raystudy.study.stored import StoredStudy
from trainables.evaluate.ball_name import ball_name

Record = Mapping[str, Any]


def section(study: StoredStudy) -> Section | None:
    """Return every number `raystudy evaluate` left in a trial's folder."""
    records = list(stored_evaluations(study.folder.path))
    tasks = [record for record in _stored(study.folder.path) if "scores" in record]
    if not records and not tasks:
        return None
    rows = [row for record in records for row in _rows(record)]
    scores = [row for record in tasks for row in _scores(record)]
    scores += [row for record in records for row in _corruption_errors(record)]
    warnings = [words for record in records for words in _warnings(record)]
    return Section(
        title="Evaluations",
        words=f"{counted(len(records) + len(tasks), 'trained network')} measured after the search; "
        "intervals are exact 95% ones over images. Numbers are comparable only if attack, "
        "budget, steps, images and split are the same. They then share a fingerprint.",
        tables=[
            *([Table(header=HEADER, rows=rows)] if rows else []),
            *([Table(header=SCORES, rows=scores)] if scores else []),
        ],
        warning=" ".join(warnings),
        source="trials/*/evaluations/*.json in the study's folder.",
    )


SCORES = ("network", "data", "protocol", "score", "value", "images", "fingerprint")
HEADER = (
    "network",
    "split",
    "protocol",
    "attack",
    "ball",
    "accuracy",
    "low",
    "high",
    "images",
    "fingerprint",
)


def stored_evaluations(folder: Path) -> Iterator[Record]:
    """Yield the evaluations by suites in order of trials; torn files and others are skipped."""
    return (record for record in _stored(folder) if "protocols" in record)


def _stored(folder: Path) -> Iterator[Record]:
    for path in sorted(folder.glob("trials/*/evaluations/*.json")):
        try:
            found = evaluated.read(path)
        except (OSError, ValueError, KeyError, TypeError):
            continue
        yield found


def _scores(record: Record) -> Iterator[list[Cell]]:
    """Yield what a downstream task came to."""
    for name, value in record["scores"].items():
        last = (value, record["images"], record["fingerprint"])
        yield [record["label"], record["data"], record["protocol"], name, *last]


def _corruption_errors(record: Record) -> Iterator[list[Cell]]:
    for protocol, found in record["protocols"].items():
        if rows := found.get("corrupted"):
            error = ("mean corruption error", evaluated.mean_corruption_error(rows))
            last = (sum(row["images"] for row in rows), "")
            yield [str(record["label"]), str(record.get("data", "")), protocol, *error, *last]


def _rows(record: Record) -> Iterator[list[Cell]]:
    label, split = str(record["label"]), str(record["split"])
    for protocol, found in record["protocols"].items():
        yield _row(label, split, protocol, "none", "", found["clean"])
        for row in found["robust"]:
            yield _row(label, split, protocol, row["attack"], _ball(row), row)
        for row in found["worst"]:
            attack = f"worst of {row['attacks']}"
            yield _row(label, split, protocol, attack, _ball(row), row)
        for row in found.get("corrupted", ()):
            severity = f"severity {row['severity']}"
            yield _row(label, split, protocol, row["corruption"], severity, row)


def _row(
    label: str, split: str, protocol: str, attack: str, ball: str, found: Mapping[str, Any]
) -> list[Cell]:
    numbers = (found["accuracy"], found["low"], found["high"], found["images"])
    return [label, split, protocol, attack, ball, *numbers, found.get("fingerprint", "")]


def _ball(row: Mapping[str, Any]) -> str:
    return ball_name(row["norm"], row["epsilon"])


def _warnings(record: Record) -> Iterator[str]:
    for protocol, found in record["protocols"].items():
        for ball, all_ in found.get("warnings", {}).items():
            for words in all_:
                yield f"{record['label']}, {protocol}, {ball}: {words.rstrip('.')}."
        for name in found.get("flattering", {}):
            yield f"{record['label']}, {protocol}: {name} was selected on the images that it is of."
