"""Configurations listed one by one as a search space: one of them and a seed are a trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optuna.distributions import CategoricalDistribution

from raystudy.search.axes import Value
from raystudy.search.search_space import SearchSpace
from raystudy.storage.plans import Arm

FINALIST, ARM, SEED = "finalist", "arm", "seed"


@dataclass(frozen=True, kw_only=True)
class ListedSpace(SearchSpace):
    """Two axes: a trial of the search, and a seed.

    Parameters
    ----------
    configurations : mapping of int to tuple of str
        A trial's number, and the whole trial as overrides.
    """

    configurations: Mapping[int, tuple[str, ...]]

    @classmethod
    def of(
        cls, recipe: int, configurations: Mapping[int, Sequence[str]], seeds: Sequence[int]
    ) -> "ListedSpace":
        """Return the space of `configurations` under `seeds`, the recipe's being trial 0."""
        numbers = (recipe, *(number for number in configurations if number != recipe))
        return cls(
            distributions={
                FINALIST: CategoricalDistribution(numbers),
                SEED: CategoricalDistribution(tuple(seeds)),
            },
            published={FINALIST: recipe, SEED: seeds[0]},
            configurations={number: tuple(texts) for number, texts in configurations.items()},
        )

    def as_overrides(self, params: Mapping[str, Value]) -> list[str]:
        """Return the finalist's own overrides under the seed."""
        return [*self.configurations[int(params[FINALIST])], f"seed={params[SEED]}"]  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class ArmSpace(SearchSpace):
    """Two axes: a training of a reproduction, and a seed.

    Parameters
    ----------
    arms : mapping of str to Arm
    """

    arms: Mapping[str, Arm]

    @classmethod
    def of(cls, arms: Mapping[str, Arm], seeds: Sequence[int]) -> "ArmSpace":
        """Return the space of `arms` under `seeds`."""
        return cls(
            distributions={
                ARM: CategoricalDistribution(tuple(arms)),
                SEED: CategoricalDistribution(tuple(seeds)),
            },
            published={ARM: next(iter(arms)), SEED: seeds[0]},
            arms=arms,
        )

    def as_overrides(self, params: Mapping[str, Value]) -> list[str]:
        """Return the arm's own overrides under the seed."""
        return [*self.arms[str(params[ARM])].overrides, f"seed={params[SEED]}"]

    def name_of(self, params: Mapping[str, Value]) -> str | None:
        """Return the name of the arm's study."""
        return self.arms[str(params[ARM])].study
