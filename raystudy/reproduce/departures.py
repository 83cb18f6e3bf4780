"""How a training and its measuring differ from the paper's: read off the settings."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from raystudy.config import compose, recipe, scopes
from raystudy.config.scopes import Scope
from raystudy.evaluation.locate import FOREIGN
from raystudy.evaluation.published_table import CLEAN, Cell
from raystudy.reproduce.arms import Job, at_scale
from raystudy.search.axes import shown
from raystudy.storage.plans import Arm
from raystudy.study import evaluated

Changes = Mapping[str, tuple[object, object]]


def of_job(job: Job, search_path: Sequence[str] = ()) -> dict[str, dict[str, str]]:
    """Return the departures of each arm: the setting, and ours for theirs."""
    return {name: of_arm(arm, cell, search_path) for name, (arm, cell) in _first_cells(job).items()}


def _first_cells(job: Job) -> dict[str, tuple[Arm, Cell]]:
    found: dict[str, tuple[Arm, Cell]] = {}
    for cell, name in job.cells:
        found.setdefault(name, (job.arms[name], cell))
    return found


def of_arm(arm: Arm, cell: Cell, search_path: Sequence[str] = ()) -> dict[str, str]:
    """Return how an arm departs from the training of a cell at the paper's own scale."""
    if arm.overrides == tuple(at_scale(cell)):
        return {}
    theirs = recipe.recipe_of(_composed(arm.study, tuple(at_scale(cell)), tuple(search_path)))
    ours = recipe.recipe_of(_composed(arm.study, arm.overrides, tuple(search_path)))
    found = recipe.changes(theirs, ours)
    trained = {p: v for p, v in found.items() if scopes.of(p) is Scope.TRIAL}
    repeated = {f"method.{path}" for path in trained}
    return {
        path: f"{_word(now)} for {_word(then)}"
        for path, (then, now) in trained.items()
        if path not in repeated and path != "evaluate_every"
    }


@functools.lru_cache(maxsize=256)
def _composed(name: str, overrides: tuple[str, ...], search_path: tuple[str, ...]) -> DictConfig:
    return compose.load(name, overrides, search_path)


def _word(value: object) -> str:
    return shown(value) if isinstance(value, (bool, int, float, str)) else str(value)


def other_protocol(cell: Cell, record: Mapping[str, Any]) -> str:
    """Return how a record was measured otherwise than the cell asks; empty if it was not.

    Compared are protocol, attack and radius with all their settings, data, split and images.
    """
    column = cell.column
    data = column.measured_on or cell.data
    context = {"data": data, "split": "test", "images": cell.images}
    for key, wanted in context.items():
        if wanted is not None and record[key] != wanted:
            return f"{key}: {record[key]} for {wanted}"
    if column.score is not None:
        chosen = _composed(FOREIGN, (f"data={data}", f"+protocol={cell.protocol}"), ())
        theirs: Any = OmegaConf.to_container(chosen.protocol, resolve=True)
        return _differing(str(cell.protocol), _flat(theirs), _flat(record["settings"]))
    settings = _composed(FOREIGN, (f"data={data}", f"+suite={cell.suite}"), ())
    suite: Any = OmegaConf.to_container(settings.suite, resolve=True)
    attacks = "attacks" if column.source is None else "transfers"
    for group, name in (("protocols", cell.protocol), (attacks, column.attack)):
        if name == CLEAN:
            continue
        if name not in record["suite"].get(group, {}):
            return f"{group}: there is no {name}"
        theirs, ours = (_flat(one[group][name]) for one in (suite, record["suite"]))
        if words := _differing(str(name), theirs, ours):
            return words
    return ""


def _differing(name: str, theirs: Mapping[str, object], ours: Mapping[str, object]) -> str:
    for path in {**theirs, **ours}:
        pair = ours.get(path, "absent"), theirs.get(path, "absent")
        if path.partition(".")[0] != "epsilons" and not _same(*pair):
            return f"{name}.{path}: {pair[0]} for {pair[1]}"
    return ""


def _flat(node: Any) -> dict[str, object]:
    return compose.flatten(OmegaConf.create(evaluated.class_names(node)))


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other)
    return one == other
