"""Settings on a terminal: path, value and what it is about."""

from collections.abc import Iterable

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

NARROW = 100  # columns
Row = tuple[str, str, str]


def show(console: Console, title: str, rows: Iterable[Row]) -> None:
    """Print a title, and below it a line for each setting."""
    console.print(Text(title, style="bold"))
    if console.width < NARROW:  # too narrow for three columns
        for row in rows:
            _show_narrow(console, *row)
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold", style="dim")
    for path, value, about in rows:
        table.add_row(f"  {path}", Text(value), Text(about))
    console.print(table)


def _show_narrow(console: Console, path: str, value: str, about: str) -> None:
    """Print a setting on one line if it fits, else what does not below it."""
    setting, note = Text(f"  {path}={value}"), Text(about, style="dim")
    beside = Text("  ").join(filter(None, (setting, note)))
    if len(beside) <= console.width:
        console.print(beside)
        return
    whole = len(setting) <= console.width
    console.print(setting if whole else f"  {path}=")
    for line in (note,) if whole else (Text(value), note):
        if line:
            console.print(Padding(line, (0, 0, 0, 4)))
