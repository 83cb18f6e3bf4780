"""Where a study's truth lies: Optuna's journal beside the results, or a database."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage

from raystudy.errors import UserError
from raystudy.journal import Journal
from raystudy.samplers import quiet
from raystudy.search_space import SearchSpace
from raystudy.study_folder import StudyFolder
from raystudy.trackers.base import StudyInfo


@dataclass(frozen=True)
class StudyStorage:
    """An Optuna storage and, where it is a journal, the file below it."""

    storage: BaseStorage
    journal: Journal | None

    @classmethod
    def open(cls, info: StudyInfo, url: str | None) -> "StudyStorage":
        """Open the study's journal, or the database at `url`."""
        if url is None:
            journal = Journal(StudyFolder(info.folder).journal)
            return cls(JournalStorage(journal), journal)
        try:
            return cls(RDBStorage(url), None)
        except Exception as error:  # every driver of a database has errors of its own
            first_line = (str(error).splitlines() or [type(error).__name__])[0]
            where = url.rpartition("@")[2]  # what stands before may be a password
            raise UserError(f"no study storage at {where}: {first_line}") from error

    def transaction(self) -> AbstractContextManager[None]:
        """Return a context whose operations reach a journal together or not at all."""
        return nullcontext() if self.journal is None else self.journal.transaction()

    def create_or_load(
        self, info: StudyInfo, space: SearchSpace, sampler: BaseSampler, pruner: BasePruner
    ) -> optuna.Study:
        """Return the Optuna study, checked against what this driver is about to do.

        Raises
        ------
        UserError
            If another study of that name is in the database, or the study was begun with other
            objectives or another space.
        """
        directions = [objective.direction for objective in info.spec.objectives]
        with quiet(), self.transaction():
            names = optuna.get_all_study_names(self.storage)
            if info.id in names and not info.resumed and self.journal is None:
                raise UserError(
                    f"study.id: '{info.id}' exists in the database; choose another id, or go on "
                    f"with it by 'raystudy resume {info.id}'."
                )
            study = optuna.create_study(
                storage=self.storage,
                sampler=sampler,
                pruner=pruner,
                study_name=info.id,
                directions=directions,
                load_if_exists=True,
            )
        if [direction.name.lower() for direction in study.directions] != directions:
            raise UserError(f"study '{info.id}' was begun with other objectives; start another.")
        for trial in study.get_trials(deepcopy=False):
            for path, axis in trial.distributions.items():
                if space.distributions.get(path) != axis:
                    raise UserError(
                        f"study '{info.id}' was begun with another range of {path} ({axis}); "
                        f"start another."
                    )
        return study

    def close(self) -> None:
        """Close the journal."""
        if self.journal is not None:
            self.journal.close()
