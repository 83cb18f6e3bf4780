"""The configurations and seeds of a confirm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import OmegaConf

from raystudy.config import override, scopes
from raystudy.config.budget import Budget
from raystudy.config.scopes import Scope
from raystudy.config.spec import RECIPE
from raystudy.confirm.race import Race
from raystudy.errors import UserError
from raystudy.search.listed_space import ListedSpace
from raystudy.storage.manifest import Manifest


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Configurations and seeds of a confirm, fixed at its start and kept in its ``study.json``.

    Parameters
    ----------
    study : str
        The search whose finalists run.
    top : int
        How many were requested; there may be fewer. 0: the recipe alone, for its noise.
    seeds : tuple of int
        Fresh ones, common to all.
    params : mapping of int to mapping
        The recipe's and the finalists' settings by trial, the best of the search first.
    overrides : mapping of int to sequence of str
        The same as whole trials.
    """

    study: str
    top: int
    seeds: tuple[int, ...]
    params: Mapping[int, Mapping[str, Any]]
    overrides: Mapping[int, Sequence[str]]

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> "Contest":
        """Read what `plain` gave."""
        runners = entry["configurations"]
        return cls(
            study=entry["study"],
            top=entry["top"],
            seeds=tuple(entry["seeds"]),
            params={one["trial"]: one["params"] for one in runners},
            overrides={one["trial"]: one["overrides"] for one in runners},
        )

    def plain(self) -> dict[str, Any]:
        """Return it as plain values."""
        runners = [
            {"trial": number, "params": dict(params), "overrides": list(self.overrides[number])}
            for number, params in self.params.items()
        ]
        return {
            "study": self.study,
            "top": self.top,
            "seeds": list(self.seeds),
            "configurations": runners,
        }

    @property
    def race(self) -> Race:
        """The rounds."""
        challengers = tuple(number for number in self.params if number != RECIPE)
        return Race(recipe=RECIPE, challengers=challengers, seeds=self.seeds)

    @property
    def space(self) -> ListedSpace:
        """Its runs as a search space."""
        return ListedSpace.of(RECIPE, self.overrides, self.seeds)


def contest_of(manifest: Manifest) -> Contest:
    """Return the contest that a confirm's ``study.json`` holds."""
    assert manifest.confirm is not None
    return Contest.read(manifest.confirm)


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
