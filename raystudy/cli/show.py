"""``raystudy show``: a study's settings, its search space and the source of each number."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raystudy import terminal
from raystudy.cli import reference, settings_table
from raystudy.config import catalogue, compose, sources
from raystudy.config.sources import Source
from raystudy.errors import EXIT_DONE, UserError
from raystudy.search.search_space import SearchSpace


def show(
    name: str | None,
    overrides: Sequence[str],
    search_path: Sequence[str],
    *,
    show_all: bool = False,
    as_json: bool,
) -> int:
    """Print every setting with its value and source, then the axes of the search."""
    if show_all:
        if words := [*filter(None, [name]), *overrides]:
            raise UserError(f"show --all is of no one study; leave out {' '.join(words)}.")
        return reference.show_all(search_path, as_json=as_json)
    if name is None or "=" in name:
        raise UserError("show needs a study ('raystudy list' names them), or --all.")
    space, composed = SearchSpace.load(name, overrides, search_path)
    cited = sources.find(name, composed.choices, tuple(search_path))
    leaves = compose.flatten(composed.config)
    if as_json:
        terminal.print_json(_plain(name, space, leaves, composed.choices, cited))
        return EXIT_DONE
    console = terminal.console()
    _print_settings(console, name, leaves, composed.choices, cited)
    console.print(Text("\nsearch", style="bold"), " (trial 0 runs the published value)")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("  setting", "range", "published", "source"):
        table.add_column(title, overflow="fold")
    for path, axis in space.axes.items():
        source = cited.get(f"search.{path}")
        published = _as_override(space.published.get(path))
        table.add_row(f"  {path}", axis, published, Text(str(source) if source else ""))
    console.print(table)
    for note in space.notes:
        console.print(f"  note: {note}")
    return EXIT_DONE


def _plain(
    name: str,
    space: SearchSpace,
    leaves: Mapping[str, object],
    choices: Mapping[str, str],
    cited: Mapping[str, Source],
) -> dict[str, Any]:
    def source(path: str) -> str | None:
        return str(cited[path]) if path in cited else None

    return {
        "study": name,
        "choices": dict(choices),
        "settings": {
            path: {"value": value, "source": source(path)}
            for path, value in leaves.items()
            if path.split(".")[0] != "search"
        },
        "search": {
            path: {
                "range": axis,
                "published": space.published.get(path),
                "source": source(f"search.{path}"),
            }
            for path, axis in space.axes.items()
        },
        "notes": list(space.notes),
    }


def _print_settings(
    console: Console,
    name: str,
    leaves: Mapping[str, object],
    choices: Mapping[str, str],
    cited: Mapping[str, Source],
) -> None:
    rows = [
        (group, choices.get(group, ""), "options: 'raystudy list'") for group in catalogue.GROUPS
    ]
    rows += [
        (path, _as_override(value), str(cited.get(path, "")))
        for path, value in leaves.items()
        if path.split(".")[0] != "search"
    ]
    settings_table.show(console, name, rows)


def _as_override(value: object) -> str:
    """Return a value in the syntax of an override."""
    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)
