"""The budget of a study, over all its trials, and the part that is spent."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from raystudy.errors import UserError

MEASURES = {  # of a trial, all that it has cost so far
    "passes": ("cost/forward_passes", "cost/backward_passes"),
    "images": ("cost/images",),
    "flops": ("cost/flops",),
}
WORDS = {
    "passes": "passes",
    "images": "images",
    "flops": "FLOPs",
    "accelerator_hours": "accelerator hours",
    "wall_hours": "hours",
}


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a trial, or a study, has cost.

    Parameters
    ----------
    passes : float
        Images through an encoder and gradients back through one, attacks included.
    images : float
        Images in all batches.
    flops : float
    accelerator_hours : float
        Hours times the GPUs held, from a trial's start to its end; without GPUs times workers.
    wall_hours : float
        Of a study: hours in which it had a driver.
    """

    passes: float = 0.0
    images: float = 0.0
    flops: float = 0.0
    accelerator_hours: float = 0.0
    wall_hours: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        names = [one.name for one in fields(self)]
        return Spent(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @classmethod
    def by_trial(cls, metrics: Mapping[str, float], accelerator_hours: float) -> "Spent":
        """Return what a trial has cost that last reported `metrics`."""
        counts = {
            name: sum(metrics.get(measure, 0.0) for measure in measures)
            for name, measures in MEASURES.items()
        }
        return cls(**counts, accelerator_hours=accelerator_hours)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What all trials of a study may cost together; null: as much as it takes.

    Parameters
    ----------
    passes, images, flops, accelerator_hours, wall_hours : float, optional
        As in `Spent`. Evaluations count in the hours only.
    """

    passes: float | None = None
    images: float | None = None
    flops: float | None = None
    accelerator_hours: float | None = None
    wall_hours: float | None = None

    def __post_init__(self) -> None:
        for name, value in self.limits.items():
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not (is_number and math.isfinite(value) and value > 0):
                raise UserError(f"study.budget.{name} must be above 0 or null, got {value!r}.")

    @classmethod
    def read(cls, section: Mapping[str, Any] | None) -> "Budget":
        """Read the `study.budget:` section."""
        if not isinstance(section, Mapping | None):
            raise UserError(f"study.budget is a section, got {section!r}; set one of its limits.")
        given, known = dict(section or {}), [one.name for one in fields(cls)]
        for name in given:
            if name not in known:
                raise UserError(f"study.budget has {', '.join(known)}; got '{name}'.")
        return cls(**given)

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are set."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def words(self) -> str:
        """The limits for a plan; empty if there are none."""
        return ", ".join(f"{value:.4g} {WORDS[name]}" for name, value in self.limits.items())

    def exhausted(self, spent: Spent) -> str:
        """Return the first limit that is reached, in words; empty if none is."""
        for name, limit in self.limits.items():
            value = getattr(spent, name)
            if value >= limit:
                return f"study.budget.{name}={limit:g} is spent ({value:.4g} {WORDS[name]})"
        return ""
