"""The interface of an executor, which runs a study's trials."""

from typing import Protocol

from raystudy.study.info import StudyInfo
from raystudy.study.trial_record import Outcome
from raystudy.trial.info import Metrics, TrialInfo


class TrialSource(Protocol):
    """What an executor knows of a study: `Study` is one, the rounds of a race are another.

    Attributes
    ----------
    info : StudyInfo
    interrupted : bool
        Set by a signal handler: what runs shall end soon and be taken up by `raystudy resume`.
    """

    info: StudyInfo
    interrupted: bool

    @property
    def outstanding(self) -> int:
        """How many trials `next_trial` would return one after another, as far as is known."""

    def next_trial(self) -> TrialInfo | None:
        """Return a trial to run; None: there is none, or none before a running one has ended."""

    def report(self, number: int, epoch: int, metrics: Metrics) -> bool:
        """Take an epoch's metrics in; False: the trial shall end."""

    def finish(self, number: int, outcome: Outcome) -> None:
        """Give a trial its final state, unless a report already did."""


class ForwardedTrials:
    """A `TrialSource` that passes another one on; a subclass changes what it needs.

    Parameters
    ----------
    source : TrialSource
    """

    def __init__(self, source: TrialSource) -> None:
        self._source = source

    @property
    def info(self) -> StudyInfo:
        return self._source.info

    @info.setter
    def info(self, info: StudyInfo) -> None:
        self._source.info = info

    @property
    def interrupted(self) -> bool:
        return self._source.interrupted

    @interrupted.setter
    def interrupted(self, value: bool) -> None:
        self._source.interrupted = value

    @property
    def outstanding(self) -> int:
        return self._source.outstanding

    def next_trial(self) -> TrialInfo | None:
        return self._source.next_trial()

    def report(self, number: int, epoch: int, metrics: Metrics) -> bool:
        return self._source.report(number, epoch, metrics)

    def finish(self, number: int, outcome: Outcome) -> None:
        self._source.finish(number, outcome)


class Executor(Protocol):
    """Ray Tune, or this process."""

    def run(self, study: TrialSource) -> None:
        """Run trials until `study.next_trial` gives no more and all that ran have ended.

        Every trial handed out is reported epoch by epoch, ends soon after `study.report` returned
        False, and is finished with an `Outcome`. If `study.interrupted` becomes true, trials end
        after their epoch as ``stopped`` and stay running in the journal, to be taken up by
        `raystudy resume`.
        """
