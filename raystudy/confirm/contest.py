"""What a confirm is about: who runs against the published recipe, and on which seeds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig

from raystudy.confirm.race_space import RaceSpace
from raystudy.confirm.racing import Race
from raystudy.errors import UserError
from raystudy.search_space import SearchSpace

RECIPE = 0
BUDGET = "confirm.wall_hours"
SAMPLER = "raystudy.confirm.race_space.RaceSampler"


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Fixed when a confirm begins, and kept in its ``study.json``.

    Parameters
    ----------
    study : str
        The search whose finalists run.
    top : int
        How many were asked for; there may be fewer.
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
    def space(self) -> RaceSpace:
        """Its runs as a search space."""
        return RaceSpace.of(self.race, self.overrides)


def wall_hours(overrides: Sequence[str]) -> float | None:
    """Return how long a confirm may take, as the last of the overrides says."""
    given = [text.partition("=")[2] for text in overrides if text.startswith(f"{BUDGET}=")]
    if not given or given[-1] == "null":
        return None
    try:
        hours = float(given[-1])
    except ValueError:
        hours = math.nan
    if not (math.isfinite(hours) and hours > 0):
        raise UserError(f"{BUDGET} must be a number above 0, got {given[-1]}.")
    return hours


def settings(manifest: Mapping[str, Any]) -> DictConfig:
    """Return the recipe's configuration under what a confirm's ``study.json`` says."""
    plain = [text for text in manifest["overrides"] if not text.startswith(f"{BUDGET}=")]
    _, composed = SearchSpace.load(
        manifest["name"], [*plain, "trial_scheduler=none"], manifest["search_path"]
    )
    composed.config.sampler = {"_target_": SAMPLER}
    return composed.config
