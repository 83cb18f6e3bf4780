"""What a study told, kept in a list."""

from typing import Any, Literal

from raystudy.study.info import StudyInfo
from raystudy.trial.info import Metrics, TrialInfo, TrialSummary


class MemoryTracker:
    """Remember every call in order.

    Attributes
    ----------
    events : list of tuple
        The protocol's method name, then its arguments.
    """

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def study_started(self, study: StudyInfo) -> None:
        """Remember it."""
        self.events.append(("study_started", study))

    def trial_started(self, trial: TrialInfo) -> None:
        """Remember it."""
        self.events.append(("trial_started", trial))

    def trial_reported(self, number: int, epoch: int, metrics: Metrics) -> None:
        """Remember it."""
        self.events.append(("trial_reported", number, epoch, dict(metrics)))

    def trial_finished(self, trial: TrialSummary) -> None:
        """Remember it."""
        self.events.append(("trial_finished", trial))

    def study_finished(self, state: Literal["complete", "interrupted", "failed"]) -> None:
        """Remember it."""
        self.events.append(("study_finished", state))

    def close(self) -> None:
        """Keep everything."""

    def named(self, name: str) -> list[tuple[Any, ...]]:
        """Return the arguments of every call of one method."""
        return [event[1:] for event in self.events if event[0] == name]
