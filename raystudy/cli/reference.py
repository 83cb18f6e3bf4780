"""``raystudy show --all``: the settings of every option of every group, as their YAML says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from raystudy import terminal
from raystudy.cli import settings_table
from raystudy.cli.list import headlines
from raystudy.cli.settings_table import Row
from raystudy.config import adversaries, catalogue, sources
from raystudy.errors import EXIT_DONE


@dataclass(frozen=True)
class Option:
    """What may be chosen in a group, and its settings.

    Parameters
    ----------
    name : str
        As typed, such as ``attack=pgd_linf``.
    about : str
    rows : list of Row
        Its settings as written in its own file; what the file builds upon has more.
    """

    name: str
    about: str
    rows: list[Row]


def show_all(search_path: Sequence[str], *, as_json: bool) -> int:
    """Print the reference."""
    if not as_json:
        show(terminal.console(), search_path)
        return EXIT_DONE
    listed = {
        option.name: {path: {"value": value, "about": about} for path, value, about in option.rows}
        for option in _options(search_path)
    }
    terminal.print_json(listed)
    return EXIT_DONE


def show(console: Console, search_path: Sequence[str] = ()) -> None:
    """Print what every study has, then each option with its settings."""
    for option in _options(search_path):
        settings_table.show(console, f"{option.name}  {option.about}".rstrip(), option.rows)


def _options(search_path: Sequence[str]) -> Iterator[Option]:
    yield Option("base", "every study has these", _written("base", "", search_path))
    for group in (*catalogue.GROUPS, *catalogue.MEASURING):
        for name, about in headlines(group, search_path).items():
            rows = _written(f"{group}/{name}", f"{group}.", search_path) or _composed(name)
            yield Option(f"{group}={name}", about, rows)


def _written(relative: str, package: str, search_path: Sequence[str]) -> list[Row]:
    path = catalogue.find_yaml(relative, search_path)
    if path is None:
        return []
    found = sources.read(path, relative, package)
    with_values = {source.line for source in found.values() if source.written}
    below = sources.built_upon(path)
    rows = [(group, str(option), "") for group, option in below if group]
    if own := [option for group, option in below if not group]:
        rows.append(("defaults", ", ".join(own), ""))
    rows += [
        (setting, source.written, source.comment)
        for setting, source in found.items()
        if source.written or (source.comment and source.line not in with_values)
    ]
    return rows


def _composed(name: str) -> list[Row]:
    """Return the settings of a combination that has no file, such as ``adversary=pgd20_l2``."""
    adversary = adversaries.composed().get(name)
    return list(_leaves(adversary.settings, f"{adversaries.GROUP}.")) if adversary else []


def _leaves(settings: Mapping[str, Any], prefix: str) -> Iterator[Row]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value), ""
