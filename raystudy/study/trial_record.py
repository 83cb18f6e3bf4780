"""What a trial has reported so far, kept as user attributes of its Optuna trial."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from optuna.trial import FrozenTrial

from raystudy.config.budget import Spent
from raystudy.config.constraint import Constraint, complaint, violation
from raystudy.config.spec import Objective
from raystudy.trial.info import Metrics, TrialState, TrialSummary

_EPOCH = "epoch:"
_ENDED = "ended"


@dataclass(frozen=True)
class Outcome:
    """How a trial's process ended.

    Parameters
    ----------
    kind : {"completed", "stopped", "diverged", "collapsed", "failed"}
        ``stopped``: it left because `Study.report` returned False or the study was interrupted.
    reason : str
    """

    kind: Literal["completed", "stopped", "diverged", "collapsed", "failed"]
    reason: str = ""


@dataclass
class TrialRecord:
    """A trial's progress; the journal holds an entry per epoch, from which it is rebuilt.

    Parameters
    ----------
    number : int
    objectives : sequence of Objective
    params : mapping of str to value
    constraints : sequence of Constraint
    started : float
        When it started on the study's clock, previous drivers' seconds included.
    accelerator_hours : float
        What it held in `seconds`.
    wall : float
        Seconds the study had run in all when the newest epoch came.
    """

    number: int
    objectives: Sequence[Objective]
    params: Mapping[str, Any]
    constraints: Sequence[Constraint] = ()
    started: float = 0.0
    epoch: int = 0
    seconds: float = 0.0
    accelerator_hours: float = 0.0
    wall: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        trial: FrozenTrial,
        objectives: Sequence[Objective],
        constraints: Sequence[Constraint] = (),
    ) -> "TrialRecord":
        """Rebuild a record from the journal."""
        record = cls(trial.number, objectives, trial.params, constraints)
        for epoch, entry in _entries(trial).items():
            record.add(epoch, entry["metrics"], entry["seconds"])
            record.accelerator_hours = entry.get("accelerator_hours", 0.0)
            record.wall = entry.get("wall", 0.0)
        return record

    def pass_time(self, now: float, accelerators: float) -> None:
        """Let it have held its accelerators until now, on the study's clock."""
        seconds = now - self.started
        self.accelerator_hours += (seconds - self.seconds) * accelerators / 3600
        self.seconds = seconds

    def is_over(self, max_epochs: int | None) -> bool:
        """Whether its newest epoch is its last."""
        return bool(self.epoch == self.params.get("max_epochs", max_epochs))

    @property
    def spent(self) -> Spent:
        """What it has cost."""
        return Spent.by_trial(self.metrics, self.accelerator_hours)

    def add(self, epoch: int, metrics: Metrics, seconds: float) -> None:
        """Take an epoch in."""
        self.epoch, self.seconds = epoch, seconds
        self.metrics |= metrics
        for objective in self.objectives:
            value = metrics.get(objective.metric)
            if value is None:
                continue
            self.last[objective.metric] = value
            before = self.best.get(objective.metric)
            if math.isfinite(value) and (before is None or objective.is_better(value, than=before)):
                self.best[objective.metric] = value

    @property
    def missing(self) -> list[str]:
        """Measures it is judged by that were never reported."""
        judged = [o.metric for o in self.objectives] + [c.metric for c in self.constraints]
        return [metric for metric in dict.fromkeys(judged) if metric not in self.metrics]

    def conclude(self, outcome: Outcome) -> tuple[TrialState, str]:
        """Return the final state of a trial whose process ended so, and the reason."""
        if outcome.kind == "stopped":
            return "failed", outcome.reason or "it stopped although nobody asked it to"
        if outcome.kind != "completed":
            return outcome.kind, outcome.reason
        if self.missing:
            there = ", ".join(sorted(self.metrics)) or "none"
            return (
                "failed",
                f"{', '.join(self.missing)} was never reported; measures there: {there}",
            )
        return "complete", complaint(self.constraints, self.metrics) or outcome.reason

    def summary(self, state: TrialState, reason: str) -> TrialSummary:
        """Return the trial's summary once it has ended."""
        return TrialSummary(
            number=self.number,
            state=state,
            epoch=self.epoch,
            last=dict(self.last),
            best=dict(self.best),
            metrics=dict(self.metrics),
            seconds=self.seconds,
            reason=reason,
            violation=violation(self.constraints, self.metrics) if state == "complete" else 0.0,
        )


def not_finite(metrics: Metrics) -> str:
    """Return which of an epoch's measures are NaN or infinite, in words; empty if none."""
    wrong = [name for name, value in metrics.items() if not math.isfinite(value)]
    return ", ".join(f"{name} is {metrics[name]}" for name in wrong)


def epoch_attribute(record: TrialRecord, metrics: Metrics) -> tuple[str, dict[str, Any]]:
    """Return the user attribute that keeps the record's newest epoch."""
    return f"{_EPOCH}{record.epoch}", {
        "metrics": dict(metrics),
        "seconds": record.seconds,
        "accelerator_hours": record.accelerator_hours,
        "wall": record.wall,
    }


def curve(trial: FrozenTrial) -> dict[int, Metrics]:
    """Return the measures of every epoch a trial reported."""
    return {epoch: entry["metrics"] for epoch, entry in _entries(trial).items()}


def _entries(trial: FrozenTrial) -> dict[int, dict[str, Any]]:
    entries = {
        int(key.removeprefix(_EPOCH)): entry
        for key, entry in trial.user_attrs.items()
        if key.startswith(_EPOCH)
    }
    return dict(sorted(entries.items()))


def final_attributes(record: TrialRecord, summary: TrialSummary) -> dict[str, Any]:
    """Return a final state as user attributes; few, for each is an operation of the journal."""
    return {
        "state": summary.state,
        _ENDED: {
            "reason": summary.reason,
            "seconds": summary.seconds,
            "epochs": summary.epoch,
            "last": dict(summary.last),
            "best": dict(summary.best),
            "violation": summary.violation,
            "accelerator_hours": record.accelerator_hours,
            "wall": record.wall,
        },
    }


def read_summary(trial: FrozenTrial, objectives: Sequence[Objective]) -> TrialSummary:
    """Rebuild the summary of a trial that has ended."""
    return read_ended(trial, objectives)[1]


def read_ended(
    trial: FrozenTrial, objectives: Sequence[Objective]
) -> tuple[TrialRecord, TrialSummary]:
    """Rebuild the record and the summary of a trial that has ended."""
    record = TrialRecord.read(trial, objectives)
    final = trial.user_attrs.get(_ENDED, trial.user_attrs)  # side by side in early journals
    record.seconds = final["seconds"]
    record.accelerator_hours = final.get("accelerator_hours", record.accelerator_hours)
    record.wall = final.get("wall", record.wall)
    summary = record.summary(trial.user_attrs["state"], final["reason"])
    return record, replace(summary, violation=final.get("violation", 0.0))
