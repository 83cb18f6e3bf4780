"""The adversaries of `raystudy evaluate`: families of adversaries times norms times targets.

``search_spaces/adversary/family/pgd20.yaml`` stands for pgd20_linf, pgd20_l2_random and so on. A
file ``adversary/mine.yaml`` of a search path is an adversary of its own.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from hydra.core.config_store import ConfigStore

from raystudy.errors import UserError

GROUP = "adversary"
TOWARDS = {
    "least_likely": "towards the least likely class",
    "random": "towards a wrong class drawn once",
}


@dataclass(frozen=True)
class Adversary:
    """An option of the group.

    Parameters
    ----------
    about : str
        A line for ``raystudy list``.
    settings : mapping of str to value
        As its file would hold them, interpolations not resolved.
    """

    about: str
    settings: Mapping[str, Any]


@functools.cache
def composed() -> dict[str, Adversary]:
    """Return all combinations by name."""
    folder = Path(str(resources.files("search_spaces"))) / GROUP
    balls = yaml.safe_load((folder / "balls" / "papers.yaml").read_text())
    files = sorted((folder / "family").glob("*.yaml"))
    return dict(pair for file in files for pair in _family(file, balls))


def _family(file: Path, balls: Mapping[str, Any]) -> Iterator[tuple[str, Adversary]]:
    text = file.read_text()
    family = yaml.safe_load(text)
    headline = text.splitlines()[0].lstrip("# ")
    for norm, own in family["norms"].items():
        about = own.pop("about", headline)
        ball = {**balls[norm], **own.pop("ball", {})}
        settings = {"ball": ball, **family["shared"], **own}
        yield f"{file.stem}_{norm}", Adversary(about, settings)
        for target in family.get("targets", ()):
            towards = Adversary(f"{about}, {TOWARDS[target]}", {**settings, "target": target})
            yield f"{file.stem}_{norm}_{target}", towards


def refuse_taken(folders: Sequence[str]) -> None:
    """Refuse a user's file of a composed adversary's name: Hydra would merge the two."""
    for folder in folders:
        for path in sorted(Path(folder, GROUP).glob("*.yaml")):
            if path.stem in composed():
                raise UserError(f"{path}: raystudy has an adversary of that name; rename the file.")


def register() -> None:
    """Let Hydra find them as if each had a file."""
    for name, adversary in composed().items():
        ConfigStore.instance().store(name, dict(adversary.settings), group=GROUP)
