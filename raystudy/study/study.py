"""A study's control: which trial comes next, what its reports mean, how it ends."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Self

from raystudy.config.budget import Spent
from raystudy.config.spec import RECIPE
from raystudy.search import pareto
from raystudy.search.search_space import SearchSpace
from raystudy.storage.folders import StudyFolder
from raystudy.study import trial_record, warm_start
from raystudy.study.info import StudyInfo, trial_info
from raystudy.study.ledger import Ledger
from raystudy.study.tally import Tally
from raystudy.study.tracker import StudyObserver
from raystudy.study.trial_record import Outcome, TrialRecord
from raystudy.trial.info import Metrics, TrialInfo, TrialState, TrialSummary

__all__ = ["Outcome", "Study"]


class Study:
    """Hands out trials, takes reports in and gives every trial exactly one final state.

    It knows nothing of Ray. All calls come from one thread of the driver. Its truth is in Optuna's
    journal: a driver killed at any point is replaced by one that opens the study again.

    `interrupted`: running trials end after their epoch and are taken up by the next driver.
    `paused`: no more trials start, and those that run continue to their end.

    A trial is final as soon as a report ends it (pruned, diverged); `finish` then changes nothing.

    Parameters
    ----------
    trackers : sequence of StudyObserver
        Notified before the journal is written, so that no event is lost; after a crash one may
        come twice.
    max_epochs : int, optional
        A trial's last epoch, at which the trial scheduler is not asked.
    clock : callable () -> float
        Seconds.

    Attributes
    ----------
    accelerators : float
        GPUs, or else workers, that a trial holds; whoever runs the trials says so.
    prior : Prior, optional
        What was taken over from a prior study.
    """

    def __init__(
        self,
        info: StudyInfo,
        space: SearchSpace,
        ledger: Ledger,
        *,
        trackers: Sequence[StudyObserver] = (),
        max_epochs: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.info = info
        self.interrupted = False
        self.paused = False
        self.accelerators = 1.0
        self.prior = ledger.prior
        self._space = space
        self._ledger = ledger
        self._trackers = trackers
        self._max_epochs = max_epochs
        self._clock = clock
        self._running: dict[int, TrialRecord] = {}
        self._tally = Tally(info.spec, space.size, ledger.trials())
        self._started = clock() - self._tally.wall
        self._told = False
        if self._begun:
            self._tell_start()

    @classmethod
    def open(
        cls,
        info: StudyInfo,
        space: SearchSpace,
        *,
        sampler: Mapping[str, Any],
        trial_scheduler: Mapping[str, Any],
        trackers: Sequence[StudyObserver] = (),
        storage_url: str | None = None,
        max_epochs: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> "Study":
        """Start the study of ``info.folder``, or continue it.

        Parameters
        ----------
        sampler, trial_scheduler : mapping
            ``_target_`` and settings of an Optuna sampler and an Optuna pruner.
        storage_url : str, optional
            A database instead of the folder's journal.

        Raises
        ------
        UserError
            If sampler, trial scheduler, objectives and space do not fit each other or the study.
        """
        ledger = Ledger.open(
            info,
            space,
            sampler=sampler,
            trial_scheduler=trial_scheduler,
            url=storage_url,
            learn=lambda: warm_start.taken_over(info, space),
        )
        return cls(info, space, ledger, trackers=trackers, max_epochs=max_epochs, clock=clock)

    @property
    def outstanding(self) -> int:
        """How many trials `next_trial` would return one after another, as far as is known."""
        if self.interrupted or self.paused:
            return 0
        more = 0 if self.ended_early else max(0, self.info.spec.num_trials - self._begun)
        return len(self._tally.left) + more

    def next_trial(self) -> TrialInfo | None:
        """Return a trial to run; None if there is none to be handed out (any more, or now).

        Trials that a dead driver left come first, as ``resumed``.
        """
        if not self.outstanding:
            return None
        resumed = bool(self._tally.left)
        trial = self._ledger.completed(self._tally.left.pop(0)) if resumed else self._ledger.ask()
        record = TrialRecord.read(trial, self.info.spec.objectives, self.info.spec.constraints)
        self._running[trial.number] = record
        record.started = self._clock() - record.seconds
        info = trial_info(trial, self.info, self._space, resumed=resumed)
        # By which the study counts as started, before a worker is there to run the trial.
        info.folder.parent.mkdir(parents=True, exist_ok=True)
        self._tell_start()
        for tracker in self._trackers:
            tracker.trial_started(info)
        # A driver may have died between keeping an epoch and drawing the conclusion.
        return info if self._goes_on(record, record.metrics) else self.next_trial()

    def report(self, number: int, epoch: int, metrics: Metrics) -> bool:
        """Take an epoch's metrics in; False: the trial shall end.

        A repeated epoch is ignored and answered as before.
        """
        record = self._running.get(number)
        if record is None:
            return False
        if epoch <= record.epoch:
            return True
        metrics = {name: float(value) for name, value in metrics.items()}
        for tracker in self._trackers:
            tracker.trial_reported(number, epoch, metrics)
        self._pass_time(record)
        record.add(epoch, metrics, record.seconds)
        with self._ledger.transaction(durable=False):
            self._ledger.keep(record, metrics)
            proceed = self._goes_on(record, metrics) and not record.is_over(self._max_epochs)
            # The trial scheduler gets the recipe's reports too, but the baseline is never stopped.
            stops = proceed and self._ledger.is_behind(record, metrics)
            if stops and number != RECIPE:
                self._end(record, "pruned", f"worse than other trials at epoch {epoch}")
        return number in self._running

    def finish(self, number: int, outcome: Outcome) -> None:
        """Give a trial its final state, unless a report already did.

        A trial that stopped because the study was interrupted stays running in the journal.
        """
        record = self._running.get(number)
        if record is None or (outcome.kind == "stopped" and self.interrupted):
            return
        self._end(record, *record.conclude(outcome))

    @property
    def is_finished(self) -> bool:
        """Whether every trial that will ever be handed out has its final state."""
        runs = bool(self._running or self._tally.left)
        return not runs and bool(self.ended_early or self._begun >= self.info.spec.num_trials)

    @property
    def ended_early(self) -> str:
        """Why no more trials are handed out before `num_trials` is reached; empty if they are."""
        return self._tally.ended_early(self._begun, self.spent)

    @property
    def spent(self) -> Spent:
        """What all trials have cost, under previous drivers, too."""
        wall = Spent(wall_hours=self._wall() / 3600)
        return sum((record.spent for record in self._running.values()), self._tally.spent + wall)

    @property
    def failure(self) -> str:
        """What a finished study without a complete trial came to; empty if there is one."""
        return self._tally.failure if self.is_finished else ""

    @property
    def state(self) -> Literal["complete", "interrupted", "failed"]:
        """What trackers get at the end."""
        if not self.is_finished:
            return "interrupted" if self.interrupted or self.paused else "failed"
        return "failed" if self.failure else "complete"

    def summaries(self) -> list[TrialSummary]:
        """Return all trials that have ended, in order of number."""
        return [self._tally.summaries[number] for number in sorted(self._tally.summaries)]

    def best(self) -> list[TrialSummary]:
        """Return the best complete trial, or the Pareto front of several objectives."""
        front = pareto.front(self.summaries(), self.info.spec.objectives)
        return front if len(self.info.spec.objectives) > 1 else front[:1]

    def command(self, number: int) -> str:
        """Return the command line that replays a trial."""
        return trial_info(self._ledger.trials()[number], self.info, self._space).command

    def close(self) -> None:
        """Notify the trackers that nothing more will come."""
        try:
            if not self._begun:
                self._ledger.forget()
                return
            for tracker in self._trackers:
                tracker.study_finished(self.state)
            self._ledger.conclude(self.ended_early if self.is_finished else "")
        finally:
            self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self.close()
        except Exception:
            if kind is None:  # otherwise what ended it is what counts
                raise

    def _tell_start(self) -> None:
        """Announce the study to the trackers, once it has its first trial."""
        if not self._told:
            self._told = True
            for tracker in self._trackers:
                tracker.study_started(self.info)

    def _goes_on(self, record: TrialRecord, metrics: Metrics) -> bool:
        """End a trial whose metrics are not finite."""
        if wrong := trial_record.not_finite(metrics):
            self._end(record, "diverged", f"{wrong} at epoch {record.epoch}")
        return not wrong

    def _end(self, record: TrialRecord, state: TrialState, reason: str) -> None:
        self._pass_time(record)
        summary = record.summary(state, reason)
        for tracker in self._trackers:
            tracker.trial_finished(summary)
        self._ledger.record_end(record, summary)
        if state == "pruned":  # nothing resumes from it; its best weights stay
            folder = StudyFolder(self.info.folder).trial(record.number)
            folder.last_checkpoint.unlink(missing_ok=True)
            folder.inner_checkpoint.unlink(missing_ok=True)
        del self._running[record.number]
        self._tally.add(summary, record.spent)

    @property
    def _begun(self) -> int:
        return len(self._tally.summaries) + len(self._running) + len(self._tally.left)

    def _wall(self) -> float:
        """Seconds the study has run under all its drivers."""
        return self._clock() - self._started

    def _pass_time(self, record: TrialRecord) -> None:
        record.pass_time(self._clock(), self.accelerators)
        record.wall = self._wall()
