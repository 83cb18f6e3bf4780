"""The source of a number in a configuration: the comment beside it in its YAML file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from raystudy.config import catalogue


@dataclass(frozen=True)
class Source:
    """The file and line that set a value last, and what is said there."""

    file: str
    line: int
    comment: str

    def __str__(self) -> str:
        """Return ``comment (file:line)``."""
        place = f"{self.file}:{self.line}"
        return f"{self.comment} ({place})" if self.comment else place


def find(
    name: str, choices: Mapping[str, str], search_path: tuple[str, ...] = ()
) -> dict[str, Source]:
    """Return the source of every setting of a study, later files winning as in Hydra.

    Parameters
    ----------
    name : str
        The study.
    choices : mapping of str to str
        The option chosen in each group.
    search_path : tuple of str
        The user's own folders.
    """
    recipe = f"recipe/{name}/{choices.get('data', '')}"
    groups = [(f"{g}/{o}", f"{g}.") for g, o in choices.items() if g in catalogue.GROUPS]
    sources: dict[str, Source] = {}
    for relative, package in [("base", ""), *groups, (name, ""), (recipe, "")]:
        path = catalogue.find_yaml(relative, search_path)
        if path is not None:
            sources |= dict(_read(path, f"{relative}.yaml", package))
    return sources


def _read(path: Path, label: str, package: str) -> Iterator[tuple[str, Source]]:
    lines = path.read_text().splitlines()
    root = yaml.compose(path.read_text(), Loader=yaml.SafeLoader)
    if isinstance(root, yaml.MappingNode):
        for setting, line in _leaves(root, package):
            yield setting, Source(label, line + 1, _comment(lines, line))


def _leaves(node: yaml.MappingNode, prefix: str) -> Iterator[tuple[str, int]]:
    for key, value in node.value:
        setting = f"{prefix}{key.value}"
        if setting == "defaults":
            continue
        if isinstance(value, yaml.MappingNode) and value.value:
            yield setting, key.start_mark.line
            yield from _leaves(value, f"{setting}.")
        else:
            yield setting, key.start_mark.line


def _comment(lines: list[str], line: int) -> str:
    """Return the comment on a line, and its continuation below in the same column."""
    _, mark, text = lines[line].partition(" #")
    if not mark:
        return ""
    column = lines[line].index(" #") + 1
    words = [text.strip()]
    for below in lines[line + 1 :]:
        if below[:column].strip() or not below[column:].startswith("#"):
            break
        words.append(below[column:].lstrip("# "))
    return " ".join(words)
