"""The configurations and seeds of a confirm."""

from collections.abc import Sequence

from omegaconf import OmegaConf

from raystudy.config import override, scopes
from raystudy.config.budget import Budget
from raystudy.config.scopes import Scope
from raystudy.config.spec import RECIPE
from raystudy.confirm.race import Race
from raystudy.errors import UserError
from raystudy.search.listed_space import ListedSpace
from raystudy.storage.manifest import Manifest
from raystudy.storage.plans import ConfirmPlan


def race_of(plan: ConfirmPlan) -> Race:
    """Return the rounds of a confirm."""
    challengers = tuple(number for number in plan.params if number != RECIPE)
    return Race(recipe=RECIPE, challengers=challengers, seeds=plan.seeds)


def space_of(plan: ConfirmPlan) -> ListedSpace:
    """Return the runs of a confirm as a search space."""
    return ListedSpace.of(RECIPE, plan.overrides, plan.seeds)


def plan_of(manifest: Manifest) -> ConfirmPlan:
    """Return what a confirm's manifest fixes."""
    assert manifest.confirm is not None
    return manifest.confirm


def limits(overrides: Sequence[str]) -> tuple[Budget, int | None]:
    """Return the budget and the largest number of runs that a confirm's overrides allow.

    The names are those of a search: ``study.budget.wall_hours=2``, ``study.num_trials=20``.
    """
    limits = scopes.select(overrides, [Scope.LIMIT])
    section = OmegaConf.from_dotlist(
        [f"{override.path_of(text)}={override.value_of(text)}" for text in limits]
    )
    most = OmegaConf.select(section, "study.num_trials")
    if most is not None and not (isinstance(most, int) and most > 0):
        raise UserError(f"study.num_trials must be a whole number above 0, got {most}.")
    given = OmegaConf.to_container(section).get("study", {})  # type: ignore[union-attr]
    return Budget.read(given.get("budget")), most
