"""Between Tune and a study: an error of the study ends the run."""

from collections.abc import Callable
from typing import TypeVar

from raystudy.study.executor import TrialSource
from raystudy.study.info import StudyInfo
from raystudy.study.trial_record import Outcome
from raystudy.trial.info import Metrics, TrialInfo

Answer = TypeVar("Answer")


class Guard:
    """A study whose first error is kept and ends the run, all trials resumable.

    Tune takes what its searcher or scheduler raises for the trial's own error, or hides it in a
    log. A journal that cannot be written is neither.

    Parameters
    ----------
    study : TrialSource

    Attributes
    ----------
    error : Exception, optional
        The first.
    """

    def __init__(self, study: TrialSource) -> None:
        self.error: Exception | None = None
        self._study = study

    @property
    def info(self) -> StudyInfo:
        """See `TrialSource`."""
        return self._study.info

    @info.setter
    def info(self, info: StudyInfo) -> None:
        self._study.info = info

    @property
    def interrupted(self) -> bool:
        """See `TrialSource`."""
        return self._study.interrupted

    @interrupted.setter
    def interrupted(self, value: bool) -> None:
        self._study.interrupted = value

    def next_trial(self) -> TrialInfo | None:
        """See `TrialSource`."""
        return self._try(self._study.next_trial, None)

    def report(self, number: int, epoch: int, metrics: Metrics) -> bool:
        """See `TrialSource`."""
        return self._try(lambda: self._study.report(number, epoch, metrics), True)

    def finish(self, number: int, outcome: Outcome) -> None:
        """See `TrialSource`."""
        self._try(lambda: self._study.finish(number, outcome), None)

    def end(self, error: Exception) -> None:
        """End the run and leave the study interrupted."""
        self.error = self.error or error
        self.interrupted = True

    def _try(self, call: Callable[[], Answer], otherwise: Answer) -> Answer:
        if self.error is not None:
            return otherwise
        try:
            return call()
        except Exception as error:
            self.end(error)
            return otherwise
