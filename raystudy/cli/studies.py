"""``raystudy studies``: what is in a results folder, read from disk."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from raystudy import terminal
from raystudy.cli.status import values
from raystudy.config.output_dir import results_folder
from raystudy.errors import EXIT_DONE
from raystudy.study import plain

INTERRUPTED = "interrupted"  # the longest state, but for a sentence on a broken study
EXPENDABLE = ("data", "changed")  # columns, on a narrow terminal


def studies(overrides: Sequence[str], *, as_json: bool) -> int:
    """List everything in the results folder."""
    found = plain.entries(results_folder(overrides))
    if as_json:
        terminal.print_json(found)
        return EXIT_DONE
    console = terminal.console()
    if not found:
        console.print(
            "no studies here yet; start one with 'raystudy sweep swaro', or list those of a "
            "cluster with 'raystudy --cluster cluster.yaml studies'",
            soft_wrap=True,
        )
        return EXIT_DONE
    rows = [_row(entry) for entry in found]
    table = Table(box=None, pad_edge=False, header_style="bold")
    titles = _fitting(rows, console.width)
    for title in titles:
        # An id broken over two lines could not be copied.
        whole = title in ("study", "trials", "changed")
        least = len(INTERRUPTED) if title == "state" else None
        justify: JustifyMethod = "right" if title == "trials" else "left"
        table.add_column(title, no_wrap=whole, min_width=least, justify=justify)
    for row in rows:
        table.add_row(*(Text(row[title]) for title in titles))
    console.print(table)
    return EXIT_DONE


def _fitting(rows: Sequence[Mapping[str, str]], width: int) -> list[str]:
    """Return the titles of the columns that fit beside each other, at least the essential ones."""
    widths = {title: max(len(title), *(len(row[title]) for row in rows)) for title in rows[0]}
    widths["state"] = min(widths["state"], len(INTERRUPTED))  # a sentence of a broken one folds
    for title in EXPENDABLE:
        if sum(widths.values()) + 2 * len(widths) - 2 > width:
            del widths[title]
    return list(widths)


def _row(entry: Mapping[str, Any]) -> dict[str, str]:
    return {
        "study": entry["study"],
        "state": entry["state"],
        "data": entry.get("data", ""),
        "trials": f"{entry['ended']}/{entry['num_trials']}" if "ended" in entry else "",
        "best": values(entry["best"][0]["last"]) if entry.get("best") else "",
        "changed": ago(entry),
    }


def ago(entry: Mapping[str, Any]) -> str:
    """Return how long ago a study changed."""
    if "changed" not in entry:
        return ""
    minutes = (time.time() - entry["changed"]) / 60
    for unit, size in (("days", 1440), ("hours", 60), ("min", 1)):
        if minutes >= 2 * size:
            return f"{minutes / size:.0f} {unit} ago"
    return "just now" if minutes < 1 else "1 min ago"
