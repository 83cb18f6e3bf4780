"""The typed part of a study's YAML, checked on load."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from raystudy.config.budget import Budget
from raystudy.config.constraint import Constraint
from raystudy.errors import UserError

Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One measure the study optimises.

    Parameters
    ----------
    metric : str
        A validation measure, such as ``val/robust_accuracy``.
    direction : {"maximize", "minimize"}
    worst : float, optional
        What a diverged or collapsed trial is worth; 0 for what is maximised.
    """

    metric: str
    direction: Direction = "maximize"
    worst: float | None = None

    def __post_init__(self) -> None:
        if not self.metric.startswith("val/"):
            raise UserError(
                f"study.objectives must start with 'val/' because a search never sees the test "
                f"split, got '{self.metric}'."
            )
        if self.direction not in ("maximize", "minimize"):
            raise UserError(
                f"study.objectives: the direction of {self.metric} must be maximize or minimize, "
                f"got '{self.direction}'."
            )
        if self.direction == "minimize" and self.worst is None:
            raise UserError(
                f"study.objectives: {self.metric} is minimised, so say what a diverged trial is "
                f"worth: {{metric: {self.metric}, direction: minimize, worst: 1.0}}."
            )

    @property
    def worst_value(self) -> float:
        """What a diverged or collapsed trial is worth."""
        return 0.0 if self.worst is None else self.worst

    def is_better(self, value: float, than: float) -> bool:
        """Return whether `value` beats `than`."""
        return value > than if self.direction == "maximize" else value < than

    @classmethod
    def read(cls, entry: str | Mapping[str, Any]) -> "Objective":
        """Read ``val/accuracy`` (maximised) or ``{metric:, direction:, worst:}``."""
        if not isinstance(entry, (str, Mapping)):
            raise UserError(f"study.objectives must be a list of measures, got {entry!r}.")
        return cls(metric=entry) if isinstance(entry, str) else cls(**entry)


@dataclass(frozen=True, kw_only=True)
class StudySpec:
    """What a study optimises and when it ends.

    Parameters
    ----------
    name : str
        Family of the study: the YAML's name.
    objectives : sequence of Objective
    constraints : sequence of Constraint
        What a trial must keep to at its end to be the best.
    num_trials : int
        Trials in all, trial 0 included, which runs the published recipe.
    budget : Budget
        Once it is spent no trial starts.
    warm_start : str, optional
        A prior study, whose trials the sampler learns from.
    allow_repeats : bool
        Whether the sampler may draw a configuration again.
    seed : int
        Seed of the sampler; the trials' own seed is the setting ``seed``.
    max_failures : int
        How often a trial whose worker was lost is started again from its last checkpoint.
    stall_minutes : float
        The watchdog ends the study when no trial reported for this long and no resource is free.
    storage : str, optional
        URL of a database for Optuna's study instead of the journal in the study's folder.
    """

    name: str
    objectives: tuple[Objective, ...]
    num_trials: int
    constraints: tuple[Constraint, ...] = ()
    budget: Budget = field(default_factory=Budget)
    warm_start: str | None = None
    allow_repeats: bool = False
    seed: int = 0
    max_failures: int = 2
    stall_minutes: float = 30.0
    storage: str | None = None

    def __post_init__(self) -> None:
        if not self.objectives:
            raise UserError("study.objectives must name at least one measure, got none.")
        for name in ("num_trials", "seed", "max_failures"):
            if type(value := getattr(self, name)) is not int:
                raise UserError(f"study.{name} must be a whole number, got {_shown(value)}.")
        if type(minutes := self.stall_minutes) not in (int, float):
            raise UserError(f"study.stall_minutes must be a number, got {_shown(minutes)}.")
        if self.num_trials < 1:
            raise UserError(f"study.num_trials must be at least 1, got {self.num_trials}.")
        if not (math.isfinite(self.stall_minutes) and self.stall_minutes > 0):
            raise UserError(f"study.stall_minutes must be above 0, got {self.stall_minutes}.")

    @classmethod
    def read(cls, section: Mapping[str, Any]) -> "StudySpec":
        """Read the `study:` section; its `id` and `points` are read elsewhere."""
        read = ("id", "objectives", "constraints", "budget", "points")
        fields = {key: value for key, value in section.items() if key not in read}
        return cls(
            objectives=tuple(Objective.read(entry) for entry in _entries(section, "objectives")),
            constraints=tuple(Constraint.read(entry) for entry in _entries(section, "constraints")),
            budget=Budget.read(section.get("budget")),
            **fields,
        )

    @property
    def metrics(self) -> list[str]:
        """The measures that a trial is judged by, each once."""
        judged = [o.metric for o in self.objectives] + [c.metric for c in self.constraints]
        return list(dict.fromkeys(judged))


def _entries(section: Mapping[str, Any], name: str) -> Sequence[Any]:
    """Return a list, of which a single entry may stand without its brackets."""
    given = section.get(name)
    entries = [given] if isinstance(given, (str, Mapping)) else given or []
    if isinstance(entries, Sequence):
        return entries
    raise UserError(f"study.{name} must be a list, got {_shown(given)}.")


def _shown(value: object) -> str:
    return "null" if value is None else repr(value)


def maximised(objective: Objective, value: float) -> float:
    """Return a value such that larger is better."""
    return value if objective.direction == "maximize" else -value


RECIPE = 0  # the trial that runs the published values; of `raystudy train` the only one


VAL = "val/"


def as_test(metric: str) -> str:
    """Return a validation measure's name on the test split."""
    return f"test/{metric.removeprefix(VAL)}"
