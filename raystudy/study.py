"""The brain of a study: which trial comes next, what its reports mean, how it ends."""

import math
import shlex
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

import optuna
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from optuna.pruners import BasePruner, NopPruner
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from raystudy import pareto, samplers, trial_record
from raystudy.errors import UserError
from raystudy.samplers import Memoryless, quiet
from raystudy.search_space import SearchSpace
from raystudy.study_folder import StudyFolder
from raystudy.study_storage import StudyStorage
from raystudy.trackers.base import (
    Metrics,
    StudyInfo,
    Tracker,
    TrialInfo,
    TrialState,
    TrialSummary,
)
from raystudy.trial_record import TrialRecord

HOPELESS_AFTER = 3  # failures before a single trial ended otherwise


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


class Study:
    """Hands out trials, takes reports in and gives every trial exactly one final state.

    It knows nothing of Ray. All calls come from one thread of the driver. Its truth is in Optuna's
    journal: a driver killed at any point is replaced by one that opens the study again.

    A trial is final as soon as a report ends it (pruned, diverged); `finish` then changes nothing.

    Parameters
    ----------
    info : StudyInfo
    space : SearchSpace
    storage : StudyStorage
    study : optuna.Study
    trackers : sequence of Tracker
        Told before the journal is, so that no event is lost; after a crash one may come twice.
    max_epochs : int, optional
        A trial's last epoch, at which the trial scheduler is not asked.
    clock : callable () -> float
        Seconds.
    """

    def __init__(
        self,
        info: StudyInfo,
        space: SearchSpace,
        storage: StudyStorage,
        study: optuna.Study,
        *,
        trackers: Sequence[Tracker] = (),
        max_epochs: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.info = info
        self.interrupted = False
        self._space = space
        self._storage = storage
        self._study = study
        self._trackers = trackers
        self._max_epochs = max_epochs
        self._clock = clock
        self._objectives = info.spec.objectives
        self._running: dict[int, TrialRecord] = {}
        self._began: dict[int, float] = {}
        self._left: list[FrozenTrial] = []
        self._summaries: dict[int, TrialSummary] = {}
        self._failures = 0
        for trial in study.get_trials(deepcopy=False):
            if trial.state.is_finished():
                summary = trial_record.read_summary(trial, self._objectives)
                self._summaries[trial.number] = summary
            elif trial.state == OptunaState.RUNNING:
                self._left.append(trial)
        for tracker in trackers:
            tracker.study_started(info)

    @classmethod
    def open(
        cls,
        info: StudyInfo,
        space: SearchSpace,
        *,
        sampler: Mapping[str, Any],
        trial_scheduler: Mapping[str, Any],
        trackers: Sequence[Tracker] = (),
        storage_url: str | None = None,
        max_epochs: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> "Study":
        """Begin the study of ``info.folder``, or go on with it if it has a journal.

        Parameters
        ----------
        sampler, trial_scheduler : mapping
            ``_target_`` and settings of an Optuna sampler and an Optuna pruner.
        storage_url : str, optional
            A database instead of the journal.

        Raises
        ------
        UserError
            If sampler, trial scheduler, objectives and space do not fit each other or the study.
        """
        memoryless = Memoryless(sampler, space.distributions, info.spec.seed)
        samplers.check(memoryless, len(info.spec.objectives))
        pruner = _pruner(trial_scheduler, len(info.spec.objectives))
        storage = StudyStorage.open(info, storage_url)
        study = storage.create_or_load(info, space, memoryless, pruner)
        return cls(
            info, space, storage, study, trackers=trackers, max_epochs=max_epochs, clock=clock
        )

    def next_trial(self) -> TrialInfo | None:
        """Return a trial to run; None if there is none to be handed out (any more, or now).

        Trials that a dead driver left come first, as ``resumed``.
        """
        if self.interrupted or self.ended_early:
            return None
        resumed = bool(self._left)
        if resumed:
            trial = self._completed_params(self._left.pop(0))
        elif len(self._running) + len(self._summaries) < self.info.spec.num_trials:
            trial = self._ask()
        else:
            return None
        record = TrialRecord.read(trial, self._objectives)
        self._running[trial.number] = record
        self._began[trial.number] = self._clock() - record.seconds
        info = self._trial_info(trial, resumed=resumed)
        for tracker in self._trackers:
            tracker.trial_started(info)
        return info

    def report(self, number: int, epoch: int, metrics: Metrics) -> bool:
        """Take an epoch's metrics in; False: the trial shall end.

        A repeated epoch is ignored and answered as before.
        """
        record = self._running.get(number)
        if record is None:
            return False
        if epoch <= record.epoch:
            return True
        for tracker in self._trackers:
            tracker.trial_reported(number, epoch, metrics)
        seconds = self._clock() - self._began[number]
        with self._storage.transaction():
            key, entry = record.add(epoch, metrics, seconds)
            self._storage.storage.set_trial_user_attr(self._id(number), key, entry)
            if wrong := [name for name, value in metrics.items() if not math.isfinite(value)]:
                words = ", ".join(f"{name} is {metrics[name]}" for name in wrong)
                self._end(record, "diverged", f"{words} at epoch {epoch}")
            elif self._is_pruned(record, metrics):
                self._end(record, "pruned", f"behind other trials at epoch {epoch}")
        return number in self._running

    def finish(self, number: int, outcome: Outcome) -> None:
        """Give a trial its final state, unless a report already did.

        A trial that stopped because the study was interrupted stays running in the journal.
        """
        record = self._running.get(number)
        if record is None or (outcome.kind == "stopped" and self.interrupted):
            return
        state: TrialState
        state, reason = "failed", outcome.reason
        if outcome.kind == "completed" and record.missing:
            there = ", ".join(sorted(record.metrics)) or "none"
            reason = f"{', '.join(record.missing)} was never reported; measures there: {there}"
        elif outcome.kind == "completed":
            state = "complete"
        elif outcome.kind == "stopped":
            reason = reason or "it stopped although nobody asked it to"
        else:
            state = outcome.kind
        self._end(record, state, reason)

    @property
    def is_finished(self) -> bool:
        """Whether every trial that will ever be handed out has its final state."""
        if self._running or self._left:
            return False
        return bool(self.ended_early) or len(self._summaries) >= self.info.spec.num_trials

    @property
    def ended_early(self) -> str:
        """Why no more trials are handed out before `num_trials` is reached; empty if they are."""
        ended_well = any(summary.state != "failed" for summary in self._summaries.values())
        if self._failures >= HOPELESS_AFTER and not ended_well:
            last = self._summaries[max(self._summaries)]
            return f"the first {len(self._summaries)} trials all failed, the last: {last.reason}"
        size = self._space.size
        begun = len(self._summaries) + len(self._running) + len(self._left)
        if size is not None and size <= begun < self.info.spec.num_trials:
            return f"all {size} configurations of the search space were run"
        return ""

    @property
    def failure(self) -> str:
        """What to say of a finished study without a complete trial; empty if there is one."""
        counts = Counter(summary.state for summary in self._summaries.values())
        if counts["complete"] or not self.is_finished:
            return ""
        words = ", ".join(f"{count} {state}" for state, count in counts.items())
        return f"none of the {len(self._summaries)} trials completed: {words}"

    @property
    def state(self) -> Literal["complete", "interrupted", "failed"]:
        """What trackers are told in the end."""
        if not self.is_finished:
            return "interrupted" if self.interrupted else "failed"
        return "failed" if self.failure else "complete"

    def summaries(self) -> list[TrialSummary]:
        """Return all trials that have ended, in order of number."""
        return [self._summaries[number] for number in sorted(self._summaries)]

    def best(self) -> list[TrialSummary]:
        """Return the best complete trial, or the Pareto front of several objectives."""
        front = pareto.front(self.summaries(), self._objectives)
        return front if len(self._objectives) > 1 else front[:1]

    def command(self, number: int) -> str:
        """Return the command line that replays a trial."""
        trial = self._storage.storage.get_trial(self._id(number))
        return self._trial_info(trial, resumed=False).command

    def close(self) -> None:
        """Tell the trackers that nothing more will come."""
        for tracker in self._trackers:
            tracker.study_finished(self.state)
        self._storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self) -> FrozenTrial:
        with quiet(), self._storage.transaction():
            if not self._study.get_trials(deepcopy=False):
                self._study.enqueue_trial(dict(self._space.published))
            trial = self._study.ask(dict(self._space.distributions))
            return self._storage.storage.get_trial(self._id(trial.number))

    def _completed_params(self, trial: FrozenTrial) -> FrozenTrial:
        """Draw what a driver that died within `_ask` did not get to."""
        if trial.params.keys() >= self._space.distributions.keys():
            return trial
        with quiet(), self._storage.transaction():
            again = optuna.Trial(self._study, trial._trial_id)
            for path, axis in self._space.distributions.items():
                again._suggest(path, axis)
        return self._storage.storage.get_trial(trial._trial_id)

    def _trial_info(self, trial: FrozenTrial, *, resumed: bool) -> TrialInfo:
        params = {path: trial.params[path] for path in self._space.distributions}
        overrides = (*self.info.overrides, *self._space.as_overrides(params))
        # The study's id names a folder; a replay gets one of its own.
        replayed = [text for text in overrides if not text.startswith("study.id=")]
        folders = [f"--search-path={folder}" for folder in self.info.search_path]
        return TrialInfo(
            number=trial.number,
            params=params,
            overrides=overrides,
            folder=StudyFolder(self.info.folder).trial(trial.number).path,
            command=shlex.join(["raystudy", "train", self.info.name, *replayed, *folders]),
            resumed=resumed,
        )

    def _is_pruned(self, record: TrialRecord, metrics: Metrics) -> bool:
        if len(self._objectives) > 1 or self._objectives[0].metric not in metrics:
            return False
        storage, trial_id = self._storage.storage, self._id(record.number)
        value = metrics[self._objectives[0].metric]
        storage.set_trial_intermediate_value(trial_id, record.epoch, value)
        if record.epoch == record.params.get("max_epochs", self._max_epochs):
            return False
        return self._study.pruner.prune(self._study, storage.get_trial(trial_id))

    def _end(self, record: TrialRecord, state: TrialState, reason: str) -> None:
        record.seconds = self._clock() - self._began.pop(record.number)
        summary = record.summary(state, reason)
        for tracker in self._trackers:
            tracker.trial_finished(summary)
        optuna_state, values = self._told(summary)
        with quiet(), self._storage.transaction():
            for key, value in trial_record.attributes(summary).items():
                self._storage.storage.set_trial_user_attr(self._id(record.number), key, value)
            self._study.tell(record.number, values, optuna_state)
        del self._running[record.number]
        self._summaries[record.number] = summary
        self._failures += state == "failed"

    def _told(self, summary: TrialSummary) -> tuple[OptunaState, list[float] | None]:
        """Return what Optuna learns: a diverged trial is a result, the worst there is."""
        if summary.state == "failed":
            return OptunaState.FAIL, None
        if summary.state == "pruned":
            return OptunaState.PRUNED, None
        if summary.state == "complete":
            return OptunaState.COMPLETE, [summary.last[o.metric] for o in self._objectives]
        return OptunaState.COMPLETE, [objective.worst_value for objective in self._objectives]

    def _id(self, number: int) -> int:
        return self._storage.storage.get_trial_id_from_study_id_trial_number(
            self._study._study_id, number
        )


def _pruner(recipe: Mapping[str, Any], num_objectives: int) -> BasePruner:
    try:
        with quiet():
            pruner: BasePruner = instantiate(dict(recipe), _convert_="all")
    except InstantiationException as error:
        raise UserError(f"trial_scheduler: {error.__cause__ or error}") from error
    if num_objectives > 1 and not isinstance(pruner, NopPruner):
        raise UserError(
            f"trial_scheduler must be none with several objectives, because Optuna compares "
            f"unfinished trials by one only; got {type(pruner).__name__} and {num_objectives} "
            f"objectives: add trial_scheduler=none."
        )
    return pruner
