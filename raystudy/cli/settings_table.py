"""Settings on a terminal: path, value and what it is about."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

NARROW = 100  # columns
Row = tuple[str, str, str]


def show(console: Console, title: str, rows: Iterable[Row]) -> None:
    """Print a title, and below it a line for each setting."""
    console.print(Text(title, style="bold"))
    if console.width < NARROW:  # too narrow for three columns
        for path, value, about in rows:
            line = Text(f"  {path}={value}").append(f"  {about}", style="dim")
            console.print(line, soft_wrap=False)
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold", style="dim")
    for path, value, about in rows:
        table.add_row(f"  {path}", Text(value), Text(about))
    console.print(table)
