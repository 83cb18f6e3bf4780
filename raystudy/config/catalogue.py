"""The catalogue of studies and of each group's options, in every search path."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from raystudy.config import adversaries
from raystudy.errors import UserError

PACKAGED = Path(str(resources.files("search_spaces")))
GROUPS = (
    "data",
    "encoder",
    "augment",
    "attack",
    "optimizer",
    "lr_schedule",
    "evaluate",
    "trial_scheduler",
    "sampler",
    "tracker",
    "scaling",
)


DOWNSTREAM = "trainables.protocols.downstream."
WRITTEN_FOR = ("cifar10", "cifar10_c", "cifar100")  # the data of our own studies' YAML
MEASURING = ("suite", "protocol", "adversary")  # of `raystudy evaluate`, not of a trial


def study_names(search_path: Sequence[str] = ()) -> list[str]:
    """Return the studies there are: every YAML at the top of a search path, except ``base``."""
    files = (path for root in _roots(search_path) for path in root.glob("*.yaml"))
    names = {path.stem for path in files if path.is_file()}
    return sorted(names - {"base"})


def recipes(name: str, search_path: Sequence[str] = ()) -> list[str]:
    """Return the data for which a study has a recipe, besides those its own YAML is written for."""
    folders = (root / "recipe" / name for root in _roots(search_path))
    return sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})


def options(group: str, search_path: Sequence[str] = ()) -> list[str]:
    """Return the choices of a group, such as ``attack``."""
    files = {path.stem for root in _roots(search_path) for path in (root / group).glob("*.yaml")}
    return sorted(files.union(adversaries.composed() if group == adversaries.GROUP else ()))


def downstream_tasks(search_path: Sequence[str] = ()) -> list[str]:
    """Return the options of ``protocol`` that ``raystudy evaluate`` takes in a suite's place."""
    paths = {
        name: find_yaml(f"protocol/{name}", search_path)
        for name in options("protocol", search_path)
    }
    return [name for name, path in paths.items() if path and DOWNSTREAM in path.read_text()]


def find_yaml(relative: str, search_path: Sequence[str] = ()) -> Path | None:
    """Return the first YAML of that name below a search path."""
    paths = (root / f"{relative}.yaml" for root in _roots(search_path))
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        refuse_ending(relative, search_path)
    return found


def _roots(search_path: Sequence[str]) -> list[Path]:
    return [PACKAGED, *map(Path, search_path)]


def refuse_ending(relative: str, search_path: Sequence[str]) -> None:
    """Refuse what Hydra would ignore."""
    for ending in (".yml", ".YML", ".YAML"):
        for path in (Path(folder) / f"{relative}{ending}" for folder in search_path):
            if path.is_file():
                raise UserError(f"{path}: only files that end in .yaml are read; rename it.")
