"""The register: every table and figure of the papers, one YAML each in ``published/``.

A row is a training (a study and overrides), a column a way to measure it. ``swaro/table8`` is
``published/swaro_table8.yaml``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

from raystudy.config import catalogue, compose
from raystudy.config.composition_errors import nearest
from raystudy.errors import UserError
from raystudy.evaluation.printed import read_row
from raystudy.evaluation.published_table import Claim, Column, Row, Table, Tier
from raystudy.evaluation.register_check import refuse_loose_ends

FOLDER = "published"
PARTS: Mapping[str, type[Any]] = {"columns": Column, "rows": Row, "claims": Claim, "tiers": Tier}


def names(search_path: Sequence[str] = ()) -> list[str]:
    """Return every table and figure there is, such as ``swaro/table8``."""
    files = catalogue.options(FOLDER, search_path)
    return sorted((_name(file) for file in files), key=_by_number)


def _name(file: str) -> str:
    paper, _, what = file.rpartition("_")
    return f"{paper}/{what}" if paper else what


def _by_number(name: str) -> tuple[str, str, int]:
    paper, _, what = name.partition("/")
    number = what.lstrip("abcdefghijklmnopqrstuvwxyz")
    return paper, what.removesuffix(number), int(number or 0)


def read(name: str, search_path: Sequence[str] = ()) -> Table:
    """Return a table by its name.

    Raises
    ------
    UserError
        If there is none, with the nearest; if its file has a key or a reference that is unknown.
    """
    file = name.replace("/", "_")
    is_name = _name(file) == name  # fast_at/figure1, and neither its file's nor fast/at_figure1
    path = catalogue.find_yaml(f"{FOLDER}/{file}", search_path) if is_name else None
    if path is None:
        known = names(search_path)
        raise UserError(
            f"no table '{name}'; {nearest(name, known)}'raystudy reproduce' lists all {len(known)}."
        )
    return _table(name, path, search_path)


def _table(name: str, path: Path, search_path: Sequence[str]) -> Table:
    entry = _merged(path, search_path)
    for key in PARTS:
        if not isinstance(entry.get(key) or {}, Mapping):
            raise UserError(
                f"{path.name}: {key} are given by name, such as rows: {{p=0.5: {{study: swaro, "
                f"printed: 84.11 39.58}}}}, got {entry[key]!r}."
            )
    parts = {
        key: {
            str(one): made(part, own, f"{path.name}: {key}.{one}")
            for one, own in (entry.pop(key, None) or {}).items()
        }
        for key, part in PARTS.items()
    }
    table = made(Table, {"name": name, **entry, **parts}, path.name)
    refuse_loose_ends(table, path.name)
    return table


def _merged(path: Path, search_path: Sequence[str]) -> dict[str, Any]:
    """Return a file over the one it is `like`: of which it takes what it has not itself."""
    entry = compose.read_yaml(path)
    like = entry.pop("like", None)
    if like is None:
        return entry
    other = catalogue.find_yaml(f"{FOLDER}/{like}", search_path)
    if other is None:
        raise UserError(f"{path.name}: like: there is no {FOLDER}/{like}.yaml.")
    shared = {
        key: value
        for key, value in _merged(other, search_path).items()
        if key not in ("rows", "claims", "inconsistencies")
    }
    tiers = shared.get("tiers", {}) | entry.get("tiers", {})
    return {**shared, **entry, **({"tiers": tiers} if tiers else {})}


Part = TypeVar("Part")


def made(cls: type[Part], entry: Mapping[str, Any] | None, where: str) -> Part:
    """Return a part of a table, each key of which is known and of its type."""
    known = {one.name: one for one in fields(cls)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in (entry or {}).items():
        if key not in known:
            raise UserError(
                f"{where}: unknown key '{key}'; {nearest(str(key), list(known))}there are: "
                f"{', '.join(known)}."
            )
        values[key] = _value(key, value, where)
    for name, one in known.items():
        if name not in values and one.default is MISSING and one.default_factory is MISSING:
            raise UserError(f"{where}: '{name}' is missing.")
    return cls(**values)


def _value(key: str, value: Any, where: str) -> Any:
    if key == "printed":
        return read_row(value, where=where)
    if key == "rows" and isinstance(value, Mapping) and where.partition("tiers.")[2]:
        return {str(name): tuple(more or ()) for name, more in value.items()}
    if isinstance(value, list):
        return tuple(map(str, value))
    if key == "epsilon":
        return float(value)
    return value
