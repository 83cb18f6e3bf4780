"""``raystudy list``: all studies, and the options of every group."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raystudy import terminal
from raystudy.config import adversaries, catalogue
from raystudy.errors import EXIT_DONE


def list_options(search_path: Sequence[str], *, as_json: bool = False) -> int:
    """Print the studies and the options of every group, with the first line of each file."""
    listed = {"studies": _headlines("", catalogue.study_names(search_path), search_path)}
    for group in (*catalogue.GROUPS, *catalogue.MEASURING):
        listed[group] = headlines(group, search_path)
    if as_json:
        terminal.print_json(listed)
        return EXIT_DONE
    console = terminal.console()
    for title, options in listed.items():
        _print(console, title, options)
    return EXIT_DONE


def headlines(group: str, search_path: Sequence[str]) -> dict[str, str]:
    """Return what is said of each option of a group."""
    return _headlines(f"{group}/", catalogue.options(group, search_path), search_path)


def _headlines(prefix: str, names: Sequence[str], search_path: Sequence[str]) -> dict[str, str]:
    paths = {name: catalogue.find_yaml(f"{prefix}{name}", search_path) for name in names}
    return {name: _headline(path) if path else _composed(name) for name, path in paths.items()}


def _composed(name: str) -> str:
    adversary = adversaries.composed().get(name)
    return adversary.about if adversary else ""


def _print(console: Console, title: str, options: Mapping[str, str]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, min_width=16)
    table.add_column()
    for name, headline in options.items():
        table.add_row(f"  {name}", Text(headline))
    console.print(title, style="bold")
    console.print(table)


def _headline(path: Path) -> str:
    """Return the first line of the comment at the top of a file."""
    for line in path.read_text().splitlines():
        if line.startswith("# @"):
            continue
        return line.lstrip("# ") if line.startswith("#") else ""
    return ""
