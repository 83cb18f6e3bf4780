"""Between Tune and a study: an error of the study ends the run."""

from collections.abc import Callable
from typing import TypeVar

from raystudy.study.executor import ForwardedTrials, TrialSource
from raystudy.study.trial_record import Outcome
from raystudy.trial.info import Metrics, TrialInfo

Answer = TypeVar("Answer")


class Guard(ForwardedTrials):
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
        super().__init__(study)
        self.error: Exception | None = None

    def next_trial(self) -> TrialInfo | None:
        return self._try(super().next_trial, None)

    def report(self, number: int, epoch: int, metrics: Metrics) -> bool:
        return self._try(lambda: self._source.report(number, epoch, metrics), True)

    def finish(self, number: int, outcome: Outcome) -> None:
        self._try(lambda: self._source.finish(number, outcome), None)

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
