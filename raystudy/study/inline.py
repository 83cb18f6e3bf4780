"""Run trials in this process under a virtual clock: thousands in seconds, for tests and plans."""

import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from raystudy.study.executor import TrialSource
from raystudy.study.trial_record import Outcome
from raystudy.trial.endings import ending_of
from raystudy.trial.info import Metrics, TrialInfo


@dataclass(frozen=True)
class Report:
    """One epoch of a trial.

    Parameters
    ----------
    epoch : int
        From 1.
    metrics : mapping of str to float
    seconds : float
        Virtual time the epoch took.
    """

    epoch: int
    metrics: Metrics
    seconds: float = 1.0


Curves = Callable[[TrialInfo], Iterator[Report]]


@dataclass
class VirtualClock:
    """Seconds that pass when the executor says so."""

    now: float = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@dataclass(order=True)
class _Event:
    """What happens next to a trial: a report, or its end."""

    time: float
    order: int
    number: int = field(compare=False)
    report: Report | None = field(compare=False)
    outcome: Outcome | None = field(compare=False)


class InlineExecutor:
    """Run curves instead of trainings, `workers` at a time.

    Parameters
    ----------
    curves : callable TrialInfo -> iterator of Report
        An exception it raises is the trial's end: diverged, collapsed or failed.
    workers : int
    clock : VirtualClock
        Give the same one to `Study.open` to have virtual seconds in the summaries.
    max_events : int, optional
        Interrupt the study, as a kill would, after this many starts of trials, reports and ends.
    """

    def __init__(
        self,
        curves: Curves,
        *,
        workers: int = 1,
        clock: VirtualClock | None = None,
        max_events: int | None = None,
    ) -> None:
        self._curves = curves
        self._workers = workers
        self._clock = clock or VirtualClock()
        self._events_left = max_events
        self._order = itertools.count()
        self._queue: list[_Event] = []
        self._iterators: dict[int, Iterator[Report]] = {}

    def run(self, study: TrialSource) -> None:
        """Run until nothing is left or the study is interrupted."""
        self._fill(study)
        while self._queue and not study.interrupted:
            event = heapq.heappop(self._queue)
            self._clock.now = event.time
            self._deliver(event, study)
            self._count(study)
            self._fill(study)

    def _fill(self, study: TrialSource) -> None:
        while len(self._iterators) < self._workers and not study.interrupted:
            trial = study.next_trial()
            if trial is None:
                return
            self._iterators[trial.number] = self._curves(trial)
            self._schedule(trial.number)
            self._count(study)

    def _deliver(self, event: _Event, study: TrialSource) -> None:
        if event.report is not None:
            if study.report(event.number, event.report.epoch, event.report.metrics):
                self._schedule(event.number)
                return
            event.outcome = Outcome("stopped")
        assert event.outcome is not None
        del self._iterators[event.number]
        study.finish(event.number, event.outcome)

    def _schedule(self, number: int) -> None:
        report, outcome, seconds = None, None, 0.0
        try:
            report = next(self._iterators[number], None)
        except Exception as error:  # a trial may fail in any way
            outcome = Outcome(*ending_of(error))
        if report is not None:
            seconds = report.seconds
        elif outcome is None:
            outcome = Outcome("completed")
        event = _Event(self._clock.now + seconds, next(self._order), number, report, outcome)
        heapq.heappush(self._queue, event)

    def _count(self, study: TrialSource) -> None:
        if self._events_left is not None:
            self._events_left -= 1
            if self._events_left <= 0:
                study.interrupted = True
