"""Evaluations as a table, warnings and curves."""

import csv
import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raystudy.evaluation import corruptions
from raystudy.storage.file_names import readable
from raystudy.study.tracker import Attachment
from trainables.evaluate.ball_name import ball_name
from trainables.evaluate.intervals import over_seeds

Record = Mapping[str, Any]
CURVE_UNIT = 1000  # MLflow's steps are whole: epsilon in thousandths of the pixel range


def show(console: Console, records: Sequence[Record]) -> None:
    """Print one column per network, one row per number, then what may flatter."""
    first = records[0]
    console.print(
        f"accuracy on the {first['images']:,} {_split(first['split'])} images of {first['data']}, "
        f"with exact 95 % intervals"
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("protocol", "attack", "ball"):
        table.add_column(title)
    several = len(records) > 1 and len({record["config_id"] for record in records}) == 1
    for record in records:
        table.add_column(record["label"], justify="right")
        if printed := record.get("published"):
            table.add_column(printed["source"], justify="right", style="dim")
    if several:
        table.add_column(f"mean of {len(records)} seeds", justify="right")
    for name in _rows(records):
        entries = [dict(_entries(record)).get(name) for record in records]
        cells = []
        for record, entry in zip(records, entries, strict=True):
            cells.append(_cell(entry))
            if record.get("published"):
                cells.append(_printed(entry))
        if several and all(entries):
            cells.append(_mean([entry["accuracy"] for entry in entries if entry]))
        table.add_row(*name, *cells)
    console.print(table)
    corruptions.show(console, records)
    _show_published(console, records)
    _show_warnings(console, records)


def _split(name: str) -> str:
    return {"val": "validation"}.get(name, name)


def _rows(records: Sequence[Record]) -> list[tuple[str, str, str]]:
    return list(dict.fromkeys(name for record in records for name, _ in _entries(record)))


def _entries(record: Record) -> Iterator[tuple[tuple[str, str, str], Mapping[str, Any]]]:
    for protocol, found in record["protocols"].items():
        yield (protocol, "none", ""), found["clean"]
        for row in found["robust"]:
            yield (protocol, row["attack"], ball_name(row["norm"], row["epsilon"])), row
        for row in found["worst"]:
            yield (
                (protocol, f"all {row['attacks']}", ball_name(row["norm"], row["epsilon"])),
                row,
            )


def _corrupted(record: Record) -> Iterator[tuple[tuple[str, str, str], Mapping[str, Any]]]:
    for protocol, found in record["protocols"].items():
        for row in found.get("corrupted", ()):
            yield (protocol, row["corruption"], f"severity {row['severity']}"), row


def _cell(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return "-"
    return f"{entry['accuracy']:.4f}  {entry['low']:.4f} to {entry['high']:.4f}"


def _printed(entry: Mapping[str, Any] | None) -> str:
    accuracy = entry.get("published") if entry else None
    return "-" if accuracy is None else f"{accuracy:.4f}"


def _show_published(console: Console, records: Sequence[Record]) -> None:
    """Say how the networks of the papers' tables were trained."""
    tables = {p["source"]: p for record in records if (p := record.get("published"))}
    for source, printed in tables.items():
        words = "; ".join(filter(None, (printed["setup"], printed["caution"])))
        console.print(Text(f"{source}: {words}", style="dim"))


def _mean(values: Sequence[float]) -> str:
    mean = over_seeds(values)
    return f"{mean.value:.4f} ± {mean.high - mean.value:.4f}"


def _show_warnings(console: Console, records: Sequence[Record]) -> None:
    for record in records:
        for where, words in warnings_of(record):
            console.print(Text(f"{record['label']}, {where}: {words}", style="yellow"))
        for protocol, found in record["protocols"].items():
            for name, value in found["flattering"].items():
                console.print(
                    Text(
                        f"{record['label']}, {protocol}: {name} {value:.4f} was chosen on the very "
                        f"images it is measured on; it flatters.",
                        style="yellow",
                    )
                )
    looked = any(found["evidence"] for r in records for found in r["protocols"].values())
    if looked and not any(warnings_of(record) for record in records):
        console.print("no sign of masked gradients")


def warnings_of(record: Record) -> list[tuple[str, str]]:
    """Return the warnings of the gradient masking check, with their place."""
    return [
        (f"{protocol}, {ball}", words)
        for protocol, found in record["protocols"].items()
        for ball, all_ in found["warnings"].items()
        for words in all_
    ]


def attachment(record: Record, suite: str, document: bytes) -> Attachment:
    """Return what a run in MLflow gets of a record."""
    split, metrics = record["split"], {}
    curves: dict[str, dict[int, float]] = {}
    for protocol, found in record["protocols"].items():
        metrics[f"{split}/{protocol}/accuracy"] = found["clean"]["accuracy"]
        for row in [*found["robust"], *found["worst"]]:
            attack = row["attack"] if "fingerprint" in row else f"all_{row['norm']}"
            name = f"{split}/{protocol}/{attack}"
            metrics[f"{name} {row['epsilon']:.4g}"] = row["accuracy"]
            if "fingerprint" in row:
                curve = curves.setdefault(f"{name} by epsilon x 1000", {})
                curve[round(CURVE_UNIT * row["epsilon"])] = row["accuracy"]
    metrics |= corruptions.metrics(record)
    words = [f"{where}: {warning}" for where, warning in warnings_of(record)]
    files: dict[str, Any] = {
        f"{suite}.json": document,
        f"{suite}.csv": readable(as_csv([record])).encode(),
    }
    if picture := draw(record):
        files[f"{suite}.png"] = picture
    return Attachment(
        metrics=metrics,
        curves={name: curve for name, curve in curves.items() if len(curve) > 1},
        tags={f"raystudy.warnings.{suite}": "\n".join(words) or "none"},
        files=files,
        folder="evaluations",
    )


def as_csv(records: Sequence[Record]) -> str:
    """Return all numbers, a row each."""
    text = io.StringIO()
    columns = ("accuracy", "low", "high", "right", "images")
    given = ("fingerprint", "published")
    writer = csv.writer(text)
    writer.writerow(["network", "protocol", "attack", "ball", *columns, *given])
    for record in records:
        for (protocol, attack, ball), entry in (*_entries(record), *_corrupted(record)):
            values = [entry[column] for column in columns]
            more = [entry.get(column, "") for column in given]
            writer.writerow([record["label"], protocol, attack, ball, *values, *more])
    return text.getvalue()


def draw(record: Record) -> bytes | None:
    """Return a PNG of accuracy by epsilon and by attack steps, if there are such curves."""
    by_epsilon, by_steps = _curves(record), _step_curves(record)
    panels = [(k, c) for k, c in (("epsilon", by_epsilon), ("steps", by_steps)) if c]
    if not panels:
        return None
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it reports its font cache
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5 * len(panels), 4), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    figure.suptitle(f"{record['label']}: accuracy on {record['images']} {record['split']} images")
    subplots = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, curves) in zip(subplots, panels, strict=True):
        for name, curve in curves.items():
            xs, ys, lows, highs = zip(*curve, strict=True)
            line = axes.plot(xs, ys, marker="o", markersize=4, label=name)[0]
            axes.fill_between(xs, lows, highs, alpha=0.15, color=line.get_color(), linewidth=0)
        axes.set_xlabel(title)
        axes.set_ylabel("accuracy")
        axes.set_ylim(0, 1.02)
        axes.legend(fontsize="small")
    picture = io.BytesIO()
    canvas.print_png(picture)
    return picture.getvalue()


Curve = list[tuple[float, float, float, float]]


def _curves(record: Record) -> dict[str, Curve]:
    """Return accuracy and its interval by epsilon, of attacks in several balls."""
    curves: dict[str, Curve] = {}
    for protocol, found in record["protocols"].items():
        clean = found["clean"]
        start = (0.0, clean["accuracy"], clean["low"], clean["high"])
        for row in found["robust"]:
            curve = curves.setdefault(f"{protocol}, {row['attack']}", [start])
            if row["epsilon"] > 0:
                curve.append((row["epsilon"], row["accuracy"], row["low"], row["high"]))
    return {name: curve for name, curve in curves.items() if len(curve) > 2}


def _step_curves(record: Record) -> dict[str, Curve]:
    """Return accuracy by the steps of the gradient masking checks' attacks."""
    return {
        f"{protocol}, {ball}": [
            (float(steps), value, value, value) for steps, value in evidence["by_steps"].items()
        ]
        for protocol, found in record["protocols"].items()
        for ball, evidence in found["evidence"].items()
        if len(evidence["by_steps"]) > 1
    }
