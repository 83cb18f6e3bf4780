"""``raystudy list``: what there is to choose from."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from raystudy import config, terminal
from raystudy.errors import EXIT_DONE


def list_choices(search_path: Sequence[str]) -> int:
    """Print the studies and the options of every group, with the first line of each file."""
    console = terminal.console()
    _print(console, "studies", "", config.study_names(search_path), search_path)
    for group in (*config.GROUPS, *config.MEASURING):
        _print(console, group, f"{group}/", config.options(group, search_path), search_path)
    return EXIT_DONE


def _print(
    console: Console, title: str, prefix: str, names: Sequence[str], search_path: Sequence[str]
) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, min_width=16)
    table.add_column()
    for name in names:
        path = config.find_yaml(f"{prefix}{name}", search_path)
        table.add_row(f"  {name}", _headline(path) if path else "")
    console.print(f"[bold]{title}[/bold]")
    console.print(table)


def _headline(path: Path) -> str:
    """Return the comment a file begins with."""
    for line in path.read_text().splitlines():
        if line.startswith("# @"):
            continue
        return line.lstrip("# ") if line.startswith("#") else ""
    return ""
