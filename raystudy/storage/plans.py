"""What a confirm and a reproduction run, fixed at their start."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ConfirmPlan:
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
    def read(cls, entry: Mapping[str, Any]) -> "ConfirmPlan":
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


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A training of a reproduction.

    Parameters
    ----------
    study : str
        Name of the method's YAML.
    overrides : tuple of str
        The whole trial but its seed.
    """

    study: str
    overrides: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ReproducePlan:
    """What a reproduction runs, fixed at its start and kept in its ``study.json``.

    Parameters
    ----------
    table : str
        Such as ``swaro/table8``.
    tier : str
    seeds : tuple of int
    arms : mapping of str to Arm
    """

    table: str
    tier: str
    seeds: tuple[int, ...]
    arms: Mapping[str, Arm]

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> "ReproducePlan":
        """Read what ``asdict`` gave."""
        arms = {
            name: Arm(study=one["study"], overrides=tuple(one["overrides"]))
            for name, one in entry["arms"].items()
        }
        return cls(**{**entry, "seeds": tuple(entry["seeds"]), "arms": arms})
