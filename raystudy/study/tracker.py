"""The events that a console, MLflow or a test receives while a study runs."""

from typing import Literal, Protocol

from raystudy.study.info import StudyInfo
from raystudy.trial.info import Metrics, TrialInfo, TrialSummary


class Tracker(Protocol):
    """Receives every event of a study, in order, in the driver's process.

    Calls come from one thread and must return at once. A tracker never raises into the study.
    """

    def study_started(self, study: StudyInfo) -> None:
        """The study starts or continues."""

    def trial_started(self, trial: TrialInfo) -> None:
        """A trial was handed to a worker."""

    def trial_reported(self, number: int, epoch: int, metrics: Metrics) -> None:
        """A trial ended an epoch (counted from 1)."""

    def trial_finished(self, trial: TrialSummary) -> None:
        """A trial reached its one final state."""

    def study_finished(self, state: Literal["complete", "interrupted", "failed"]) -> None:
        """Nothing more will come until the study continues."""

    def close(self) -> None:
        """Hand over what is still on its way; the one call that may take a while."""
