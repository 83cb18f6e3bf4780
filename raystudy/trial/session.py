"""The session by which a training process reports to its driver."""

from typing import Protocol

from raystudy.storage.folders import TrialFolder
from raystudy.trial.info import Metrics


class Session(Protocol):
    """Ray or nobody; every rank of a trial has one."""

    @property
    def folder(self) -> TrialFolder:
        """Where this trial's files belong."""

    def report(self, epoch: int, metrics: Metrics) -> None:
        """Report a finished epoch (from 1), its checkpoint already written.

        Metrics are already reduced over ranks; only rank 0's are used. Reporting the same epoch
        twice is harmless.

        Raises
        ------
        TrialStoppedError
            If the trial shall end here. Every rank raises at the same epoch.
        """
