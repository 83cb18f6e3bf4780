"""A study as stored on disk, read without touching it: it may be running."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import optuna
from omegaconf import DictConfig
from optuna.storages import BaseStorage, JournalStorage
from optuna.trial import FrozenTrial, TrialState

from raystudy.config import compose
from raystudy.config.spec import RECIPE, Objective, StudySpec
from raystudy.errors import UserError
from raystudy.search import pareto
from raystudy.search.listed_space import ArmSpace, ListedSpace
from raystudy.search.samplers import quiet
from raystudy.search.search_space import SearchSpace
from raystudy.storage import waiting
from raystudy.storage.database import open_database
from raystudy.storage.folders import StudyFolder, TrialFolder, is_locked, open_study_folder
from raystudy.storage.journal import Live, Snapshot
from raystudy.storage.manifest import Manifest
from raystudy.storage.waiting import Waiting
from raystudy.study import trial_record
from raystudy.study.info import StudyInfo
from raystudy.study.ledger import ENDED_EARLY, LET_THROUGH
from raystudy.study.prior import Prior
from raystudy.study.trial_record import TrialRecord
from raystudy.trial.info import TrialSummary

StudyState = Literal["running", "complete", "interrupted", "empty"]


@dataclass(frozen=True)
class StoredTrial:
    """A trial as the journal holds it.

    Parameters
    ----------
    summary : TrialSummary
        Of a trial that has not ended the state is ``running``.
    params : mapping of str to value
    curve : mapping of int to mapping of str to float
        Measures by epoch.
    let_through : int
        Of a control the epoch at which the trial scheduler would have ended it; else 0.
    """

    summary: TrialSummary
    params: Mapping[str, Any]
    curve: Mapping[int, Mapping[str, float]]
    let_through: int = 0

    @classmethod
    def read(cls, trial: FrozenTrial, objectives: tuple[Objective, ...]) -> "StoredTrial":
        """Read one trial."""
        if trial.state.is_finished():
            summary = trial_record.read_summary(trial, objectives)
        else:
            record = TrialRecord.read(trial, objectives)
            summary = record.summary("running", "")
        let_through = int(trial.user_attrs.get(LET_THROUGH, 0))
        return cls(summary, trial.params, trial_record.curve(trial), let_through)


class StoredStudy:
    """A study's folder and what its journal, or its database, holds at this moment.

    Parameters
    ----------
    folder : StudyFolder

    Raises
    ------
    UserError
        If it is no study: a single trial of ``raystudy train`` has no journal.
    """

    def __init__(self, folder: StudyFolder) -> None:
        self.folder = folder
        self.manifest = folder.read_manifest()
        if self.manifest.kind == "train":
            raise UserError(
                f"{folder.id} is a single trial, not a study; its files are in {folder.path}."
            )

    @classmethod
    def open(cls, output_dir: Path, study_id: str) -> "StoredStudy":
        """Open a study by its id."""
        return cls(open_study_folder(output_dir, study_id))

    @cached_property
    def spec(self) -> StudySpec:
        """Objectives and length."""
        # Written when it started; older ones are composed again.
        if self.manifest.study is not None:
            return StudySpec.read(self.manifest.study)
        return StudySpec.read(self.composed[1].study)

    @cached_property
    def composed(self) -> tuple[SearchSpace, DictConfig]:
        """Space and configuration, composed again from what the user typed."""
        m = self.manifest
        if m.confirm is not None:
            return ListedSpace.of(RECIPE, m.confirm.overrides, m.confirm.seeds), race_settings(m)
        if m.reproduce is not None:
            return ArmSpace.of(m.reproduce.arms, m.reproduce.seeds), arm_settings(m)
        space, composed = SearchSpace.load(m.name, m.overrides, m.search_path)
        self.folder.settle(composed.config)
        return space, composed.config

    @property
    def info(self) -> StudyInfo:
        """What trackers know of it."""
        space, _ = self.composed
        return StudyInfo.of(self.folder, space, self.spec, self.manifest, resumed=True)

    @cached_property
    def _storage(self) -> tuple[BaseStorage, int | None]:
        """The journal or database, and the study's number there."""
        url = self.spec.storage
        storage = Snapshot(self.folder.journal).storage if url is None else open_database(url)
        with quiet():
            try:
                return storage, storage.get_study_id_from_name(self.id)
            except KeyError:  # nothing was written yet
                return storage, None

    @property
    def optuna(self) -> optuna.Study:
        """The study as Optuna knows it; of a journal, as it is now and to be read only."""
        storage, _ = self._storage
        with quiet():
            return optuna.load_study(study_name=self.id, storage=storage)

    @property
    def growing(self) -> BaseStorage:
        """Where Optuna's dashboard reads it while trials end; a journal only to be read."""
        url = self.spec.storage
        return JournalStorage(Live(self.folder.journal)) if url is None else open_database(url)

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """What was kept of the study as a whole: why it ended early, what it learnt from."""
        storage, study_id = self._storage
        return {} if study_id is None else storage.get_study_user_attrs(study_id)

    @property
    def prior(self) -> Prior | None:
        """What it took over from a prior study."""
        return Prior.read(self.attributes)

    @property
    def ended_early(self) -> str:
        """Why it ended before all its trials were run; empty if it did not."""
        return str(self.attributes.get(ENDED_EARLY, ""))

    @cached_property
    def trials(self) -> list[StoredTrial]:
        """All trials that were handed out, by number."""
        storage, study_id = self._storage
        with quiet():
            frozen = [] if study_id is None else storage.get_all_trials(study_id, deepcopy=False)
        return [
            StoredTrial.read(trial, self.spec.objectives)
            for trial in frozen
            if trial.state != TrialState.WAITING
        ]

    @property
    def id(self) -> str:
        """The study's name on the command line."""
        return self.folder.id

    @property
    def data(self) -> str:
        """Name of the data set."""
        return self.manifest.data

    @property
    def ended(self) -> list[TrialSummary]:
        """The trials that have ended."""
        return [t.summary for t in self.trials if t.summary.state != "running"]

    @property
    def best(self) -> list[TrialSummary]:
        """The best complete trial, or the front of several objectives.

        None of a confirm or a reproduction: their runs are one seed each, and ``confirm.json`` or
        ``reproduce.json`` has their results.
        """
        if self.manifest.kind in ("confirm", "reproduce"):
            return []
        front = pareto.front(self.ended, self.spec.objectives)
        return front if len(self.spec.objectives) > 1 else front[:1]

    @property
    def state(self) -> StudyState:
        """Whether a driver has it now, and if not whether anything is left to do."""
        if is_locked(self.folder):
            return "running"
        if not self.trials:
            return "empty"
        unfinished = len(self.ended) < max(self.spec.num_trials, len(self.trials))
        if self.ended_early and len(self.ended) == len(self.trials):
            return "complete"
        return "interrupted" if unfinished else "complete"

    @property
    def waiting(self) -> Waiting | None:
        """What its driver waits for, if one has it now."""
        return waiting.read(self.folder.waiting) if self.state == "running" else None

    def trial(self, number: int) -> StoredTrial:
        """Return one trial.

        Raises
        ------
        UserError
            If there is none of that number.
        """
        for trial in self.trials:
            if trial.summary.number == number:
                return trial
        raise UserError(f"{self.id} has no trial {number}; it has {len(self.trials)} of them.")

    def trial_folder(self, number: int) -> TrialFolder:
        """Return where a trial's files are."""
        return self.folder.trial(number)


def find_run(output_dir: Path, run: str) -> tuple[StoredStudy, StoredTrial]:
    """Return the trial that ``swaro-1/3`` names.

    Raises
    ------
    UserError
        If it names none.
    """
    study_id, _, number = run.partition("/")
    if not number.isdigit():
        raise UserError(f"a trial is named STUDY/NUMBER, such as swaro-1/3; got '{run}'.")
    study = StoredStudy.open(output_dir, study_id)
    return study, study.trial(int(number))


SAMPLER = "raystudy.confirm.race_sampler.RaceSampler"


def race_settings(manifest: Manifest, later: Sequence[str] = ()) -> DictConfig:
    """Return the recipe's configuration under what a confirm's ``study.json`` says.

    Parameters
    ----------
    manifest : Manifest
    later : sequence of str
        What this process was asked to change.
    """
    overrides = [*manifest.overrides, *later, "trial_scheduler=none"]
    _, composed = SearchSpace.load(manifest.name, overrides, manifest.search_path)
    composed.config.sampler = {"_target_": SAMPLER}
    return composed.config


ARM_SAMPLER = "raystudy.reproduce.arm_sampler.ArmSampler"


def arm_settings(
    manifest: Manifest, later: Sequence[str] = (), name: str | None = None
) -> DictConfig:
    """Return the configuration of a reproduction's arm, with what holds for all.

    Parameters
    ----------
    manifest : Manifest
    later : sequence of str
        What this process was asked to change.
    name : str, optional
        Of the arm; the first if left out.
    """
    assert manifest.reproduce is not None
    arms = manifest.reproduce.arms
    arm = arms[next(iter(arms)) if name is None else name]
    overrides = [*arm.overrides, *manifest.overrides, *later, "trial_scheduler=none"]
    settings = compose.load(arm.study, overrides, manifest.search_path)
    settings.sampler = {"_target_": ARM_SAMPLER}
    return settings
