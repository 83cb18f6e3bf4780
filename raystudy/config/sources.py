"""The source of a number in a configuration: the comment beside it in its YAML file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from raystudy.config import catalogue

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in a tenth of the time


@dataclass(frozen=True)
class Source:
    """The file and line that set a value last, how it is written there, and what is said."""

    file: str
    line: int
    comment: str
    written: str

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
            sources |= read(path, f"{relative}.yaml", package)
    return sources


def read(path: Path, label: str, package: str) -> dict[str, Source]:
    """Return the settings of one file.

    Parameters
    ----------
    path : Path
    label : str
        What sources call it.
    package : str
        What its settings begin with, such as ``attack.``.
    """
    text = path.read_text()
    root = yaml.compose(text, Loader=LOADER)
    if not isinstance(root, yaml.MappingNode):
        return {}
    lines, found = text.splitlines(), {}
    for setting, line, value in _settings(root, package):
        is_section = isinstance(value, yaml.MappingNode) and value.value
        written = "" if is_section else _in_a_line(text, value)
        found[setting] = Source(label, line + 1, _comment(lines, line), written)
    return found


def built_upon(path: Path) -> list[tuple[str, str]]:
    """Return the defaults of a file, whose settings it takes over: group (or none) and option."""
    content = yaml.load(path.read_text(), Loader=LOADER) or {}
    entries = (entry for entry in content.get("defaults", ()) if entry != "_self_")
    return [
        pair
        for entry in entries
        for pair in ([("", entry)] if isinstance(entry, str) else list(entry.items()))
    ]


def _in_a_line(text: str, node: yaml.Node) -> str:
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        return f"[{', '.join(_in_a_line(text, item) for item in node.value)}]"
    if isinstance(node, yaml.ScalarNode) and node.style:  # quoted, or of several lines
        return " ".join(node.value.split())
    return " ".join(text[node.start_mark.index : node.end_mark.index].split())


def _settings(node: yaml.MappingNode, prefix: str) -> Iterator[tuple[str, int, yaml.Node]]:
    for key, value in node.value:
        setting = f"{prefix}{key.value}"
        if key.value == "defaults":
            continue
        yield setting, key.start_mark.line, value
        if isinstance(value, yaml.MappingNode):
            yield from _settings(value, f"{setting}.")


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
