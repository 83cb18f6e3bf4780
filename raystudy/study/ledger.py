"""A study's state: Optuna's journal beside the results, or a database, with one writer."""

import contextlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.trial import FrozenTrial, TrialState

from raystudy.errors import UserError
from raystudy.search import points, samplers
from raystudy.search.sampler_view import constraint_attributes
from raystudy.search.samplers import Memoryless, quiet
from raystudy.search.search_space import SearchSpace
from raystudy.search.trial_scheduler import TrialScheduler
from raystudy.storage import database
from raystudy.storage.folders import StudyFolder
from raystudy.storage.journal import Journal, no_collection
from raystudy.study import trial_record
from raystudy.study.info import StudyInfo
from raystudy.study.prior import Prior
from raystudy.study.trial_record import TrialRecord
from raystudy.trial.info import Metrics, TrialSummary

LET_THROUGH = "let_through"  # user attribute of a control: at which epoch it would have ended
ENDED_EARLY = "ended_early"  # user attribute of a study that ended before all its trials were run


class Ledger:
    """The study in Optuna.

    Parameters
    ----------
    info : StudyInfo
    space : SearchSpace
    storage : BaseStorage
    study : optuna.Study
    scheduler : TrialScheduler
    journal : Journal, optional
        The file below `storage`, unless that is a database.

    Attributes
    ----------
    prior : Prior, optional
        What the study has learnt from another.
    """

    def __init__(
        self,
        info: StudyInfo,
        space: SearchSpace,
        storage: BaseStorage,
        study: optuna.Study,
        scheduler: TrialScheduler,
        journal: Journal | None,
    ) -> None:
        self.prior: Prior | None = None
        self._spec = info.spec
        self._resume = StudyFolder(info.folder).command("resume")
        self._objectives = info.spec.objectives
        self._space = space
        self._queue: list[Mapping[str, Any]] = [space.published, *space.points]
        self._storage = storage
        self._study = study
        self._scheduler = scheduler
        self._journal = journal

    @classmethod
    def open(
        cls,
        info: StudyInfo,
        space: SearchSpace,
        *,
        sampler: Mapping[str, Any],
        trial_scheduler: Mapping[str, Any],
        url: str | None,
        learn: Callable[[], Prior],
    ) -> "Ledger":
        """Open the journal of ``info.folder`` or the database at `url`, new or existing.

        Parameters
        ----------
        learn : callable () -> Earlier
            Returns what a new study with a warm start takes over; stored for later drivers.

        Raises
        ------
        UserError
            If sampler, trial scheduler, objectives, space and what is there do not fit.
        """
        repeats = info.spec.allow_repeats
        memoryless = Memoryless(sampler, space.distributions, info.spec.seed, allow_repeats=repeats)
        samplers.check(memoryless, len(info.spec.objectives))
        scheduler = TrialScheduler(trial_scheduler, info.spec)
        with quiet(), no_collection():
            journal = Journal(StudyFolder(info.folder).journal) if url is None else None
            storage = database.open_database(url) if journal is None else JournalStorage(journal)
            _check_new(info, storage, url)
            study = optuna.create_study(
                storage=storage,
                sampler=memoryless,
                pruner=scheduler.pruner,
                study_name=info.id,
                directions=[objective.direction for objective in info.spec.objectives],
                load_if_exists=True,
            )
            if not study.metric_names:  # what Optuna's dashboard and plots call them
                study.set_metric_names([objective.metric for objective in info.spec.objectives])
        _check_begun(study, info, space)
        ledger = cls(info, space, storage, study, scheduler, journal)
        try:
            ledger._learn(memoryless, learn)
        except BaseException:
            ledger.forget()
            raise
        return ledger

    def _learn(self, sampler: Memoryless, learn: Callable[[], Prior]) -> None:
        """Give the sampler the prior study's trials."""
        self.prior = Prior.read(self._study.user_attrs)
        if self.prior is None and self._spec.warm_start and not self.trials():
            self.prior = learn()
            with quiet(), self.transaction():
                for key, value in self.prior.as_attributes().items():
                    self._study.set_user_attr(key, value)
        if self.prior is not None:
            sampler.learn_from(self.prior.as_frozen(self._space.distributions, self._spec))
            self._queue += self.prior.finalists
        if not self._spec.allow_repeats:
            self._queue[:] = points.distinct(self._queue, self._space.distributions)

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[None]:
        """Return a context whose operations reach the journal in one write.

        Raises
        ------
        StudyStalledError
            If a database does not take them.
        """
        if self._journal is None:
            return database.outage_explained(self._study.study_name, self._resume)
        return self._journal.transaction(durable=durable)

    def trials(self) -> list[FrozenTrial]:
        """Return the trials that were handed out, in order of number."""
        trials = self._study.get_trials(deepcopy=False)
        return [trial for trial in trials if trial.state != TrialState.WAITING]

    def ask(self) -> FrozenTrial:
        """Start a trial: the published values first, then given ones, then the sampler's."""
        with quiet(), self.transaction():
            trials = self._study.get_trials(deepcopy=False)
            waits = bool(trials) and trials[-1].state == TrialState.WAITING
            if len(trials) < len(self._queue) and not waits:
                self._study.enqueue_trial(dict(self._queue[len(trials)]))
            trial = self._study.ask(dict(self._space.distributions))
            # NSGA-II counts only trials it was asked about into its population; given ones have
            # their parameters from elsewhere and would be left out.
            _ = trial.relative_params
            return self._storage.get_trial(trial._trial_id)

    def completed(self, trial: FrozenTrial) -> FrozenTrial:
        """Draw the parameters that a driver which died within `ask` did not get to."""
        if trial.params.keys() >= self._space.distributions.keys():
            return trial
        with quiet(), self.transaction():
            again = optuna.Trial(self._study, trial._trial_id)
            for path, axis in self._space.distributions.items():
                again._suggest(path, axis)
            return self._storage.get_trial(trial._trial_id)

    def keep(self, record: TrialRecord, metrics: Metrics) -> None:
        """Keep the epoch that `record` has just taken in."""
        trial_id = self._id(record.number)
        first = self._objectives[0].metric
        # Optuna has intermediate values, and trial schedulers, for one objective only.
        if len(self._objectives) == 1 and first in metrics:
            self._storage.set_trial_intermediate_value(trial_id, record.epoch, metrics[first])
        # Last: in a database, which has no transactions of ours, it is what counts.
        key, entry = trial_record.epoch_attribute(record, metrics)
        self._storage.set_trial_user_attr(trial_id, key, entry)

    def is_behind(self, record: TrialRecord, metrics: Metrics) -> bool:
        """Return whether the trial scheduler ends the trial after the epoch just kept.

        One that it lets through as a control is never asked about again.
        """
        trial = self._storage.get_trial(self._id(record.number))
        if LET_THROUGH in trial.user_attrs:
            return False
        stops = self._scheduler.is_behind(self._study, trial, record.epoch, metrics)
        if not stops or not self._scheduler.lets_through(record.number):
            return stops
        self._storage.set_trial_user_attr(trial._trial_id, LET_THROUGH, record.epoch)
        return False

    def record_end(self, record: TrialRecord, summary: TrialSummary) -> None:
        """Give a trial its final state; a diverged one is a result, infeasible and the worst."""
        state, values = TrialState.COMPLETE, [one.worst_value for one in self._objectives]
        if summary.state == "complete":
            values = [summary.last[objective.metric] for objective in self._objectives]
        elif summary.state in ("failed", "pruned"):
            state = TrialState.FAIL if summary.state == "failed" else TrialState.PRUNED
        with quiet(), self.transaction():
            trial_id = self._id(summary.number)
            for key, value in trial_record.final_attributes(record, summary).items():
                self._storage.set_trial_user_attr(trial_id, key, value)
            for key, excess in constraint_attributes(summary, self._spec.constraints).items():
                self._storage.set_trial_system_attr(trial_id, key, excess)
            final = values if state == TrialState.COMPLETE else None
            self._study.tell(summary.number, final, state)

    def conclude(self, ended_early: str) -> None:
        """Keep why no more trials were handed out, for whoever reads the study later."""
        if self._study.user_attrs.get(ENDED_EARLY, "") != ended_early:
            with quiet():
                self._study.set_user_attr(ENDED_EARLY, ended_early)

    def forget(self) -> None:
        """Take a study without a trial out of its database, where another may have its name."""
        if self._journal is None and not self._study.get_trials(deepcopy=False):
            with quiet(), contextlib.suppress(Exception):  # what ended the study is what counts
                optuna.delete_study(study_name=self._study.study_name, storage=self._storage)

    def close(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            self._journal.close()

    def _id(self, number: int) -> int:
        study_id = self._study._study_id
        return self._storage.get_trial_id_from_study_id_trial_number(study_id, number)


def _check_new(info: StudyInfo, storage: BaseStorage, url: str | None) -> None:
    """Refuse to start a study in a database that has one of its name."""
    if url and not info.resumed and info.id in optuna.get_all_study_names(storage):
        raise UserError(
            f"study.id: '{info.id}' exists in the database; choose another id, or continue "
            f"with it by '{StudyFolder(info.folder).command('resume')}'."
        )


def _check_begun(study: optuna.Study, info: StudyInfo, space: SearchSpace) -> None:
    """Refuse to continue a study under other objectives or over another space."""
    directions = [objective.direction for objective in info.spec.objectives]
    if [direction.name.lower() for direction in study.directions] != directions:
        raise UserError(f"study '{info.id}' was started with other objectives; start another.")
    for trial in study.get_trials(deepcopy=False):
        for path, axis in trial.distributions.items():
            if space.distributions.get(path) != axis:
                raise UserError(
                    f"study '{info.id}' was started with another range of {path} ({axis}); "
                    f"start another."
                )
