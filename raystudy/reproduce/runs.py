"""The raw runs of studies, and what each measured in the cells of a table."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from raystudy.config.budget import MEASURES
from raystudy.config.spec import RECIPE
from raystudy.errors import UserError
from raystudy.evaluation.published_table import CLEAN, HOURS, PERCENT, Cell
from raystudy.search.listed_space import ARM, SEED
from raystudy.storage.checkpoint import TrialCheckpoint
from raystudy.storage.folders import StudyFolder
from raystudy.study import evaluated
from raystudy.study.stored import StoredStudy, StoredTrial
from raystudy.trial.info import TrialState

LAST_WEIGHTS = "last.ckpt"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One number of one run.

    Parameters
    ----------
    value : float
        In the unit of the column.
    fingerprint : str
        Of how it was measured; empty where nothing is evaluated, as of hours.
    right, images : int, optional
        Of an accuracy.
    worst : float, optional
        The accuracy under all attacks of the suite in this ball together.
    masked : tuple of str
        Signs of masked gradients in this ball.
    """

    value: float
    fingerprint: str = ""
    right: int | None = None
    images: int | None = None
    worst: float | None = None
    masked: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Run:
    """A training, as it ended.

    Parameters
    ----------
    arm : str
    seed : int
    study : str
        Id.
    trial : int
    state : TrialState
    reason : str
        Why it ended, for states other than complete.
    seconds : float, optional
        Not known of a single training.
    passes : float
        Images through an encoder and gradients back.
    metrics : mapping of str to float
        As last reported.
    folder : Path
    records : mapping of str to mapping
        What suites and downstream tasks measured, by name.
    """

    arm: str
    seed: int
    study: str
    trial: int
    state: TrialState
    reason: str
    seconds: float | None
    passes: float
    metrics: Mapping[str, float]
    folder: Path
    records: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, study: StoredStudy, trial: StoredTrial, arm: str, seed: int) -> "Run":
        """Read a trial of a study as a run of an arm."""
        summary = trial.summary
        folder = study.trial_folder(summary.number).path
        return cls(
            arm=arm,
            seed=seed,
            study=study.id,
            trial=summary.number,
            state=summary.state,
            reason=summary.reason,
            seconds=summary.seconds,
            passes=_passes(summary.metrics),
            metrics=summary.metrics,
            folder=folder,
            records=_records(folder / "evaluations"),
        )

    @classmethod
    def of_training(cls, study: StudyFolder, epochs: int, arm: str, seed: int) -> "Run":
        """Read a training of ``raystudy train`` as a run of an arm.

        Raises
        ------
        UserError
            If it has not been trained to its end.
        """
        trial = study.trial(RECIPE)
        there = trial.last_checkpoint.is_file()
        checkpoint = TrialCheckpoint.load(trial.last_checkpoint) if there else None
        if checkpoint is None or checkpoint.epoch < epochs:
            done = checkpoint.epoch if checkpoint else 0
            raise UserError(
                f"--from {study.id}: it has done {done} of {epochs} epochs; "
                f"'{study.command('resume')}' continues it."
            )
        return cls(
            arm=arm,
            seed=seed,
            study=study.id,
            trial=RECIPE,
            state="complete",
            reason="",
            seconds=None,
            passes=_passes(checkpoint.metrics),
            metrics=checkpoint.metrics,
            folder=trial.path,
            records=_records(trial.path / "evaluations"),
        )

    def measured(self, cell: Cell) -> Measured | None:
        """Return what it measured in a cell, if it did."""
        column = cell.column
        if column.measure == HOURS:
            return None if self.seconds is None else Measured(value=self.seconds / 3600)
        if column.measure is not None:
            found = self.metrics.get(column.measure)
            return None if found is None else Measured(value=_in_unit(found, cell))
        if column.score is not None:
            return self._score(cell)
        record = self.records.get(str(cell.suite))
        if record is None or cell.protocol not in record["protocols"]:
            return None
        if column.source is not None:
            return self._transferred(cell, record)
        return _of_record(record["protocols"][cell.protocol], cell)

    def kept_otherwise(self, cell: Cell) -> str | None:
        """Return how a cell was measured otherwise than in the table; None where records tell."""
        return None

    def _score(self, cell: Cell) -> Measured | None:
        record = self.records.get(str(cell.protocol))
        if record is None or cell.column.score not in record.get("scores", {}):
            return None
        value = 100 * record["scores"][cell.column.score]
        return Measured(value=value, fingerprint=record["fingerprint"])

    def _transferred(self, cell: Cell, own: Mapping[str, Any]) -> Measured | None:
        found = self.records.get(f"{cell.suite}-transfer")
        if found is None:
            return None
        label = f"{self.study}/{self.trial}"
        for matrix in found["matrices"]:
            same = math.isclose(matrix["epsilon"], cell.column.epsilon)
            if matrix["attack"] == cell.column.attack and same:
                source = found["sources"].get(cell.column.source)
                if source is None or label not in found["networks"]:
                    return None
                place = (found["networks"].index(source), found["networks"].index(label))
                share = matrix["accuracy"][place[0]][place[1]]
                right = matrix["right"][place[0]][place[1]]
                return Measured(
                    value=100 * share,
                    fingerprint=_of_transfer(own, cell),
                    right=right,
                    images=found["images"],
                )
        return None


def of_reproduction(study: StoredStudy, names: Mapping[str, str] | None = None) -> list[Run]:
    """Return the runs of a reproduction, which knows its arms; those that have ended.

    Parameters
    ----------
    study : StoredStudy
    names : mapping of str to str, optional
        What its arms are called in another table; those that are not have no runs there.
    """
    runs = []
    for trial in study.trials:
        arm, seed = str(trial.params[ARM]), int(trial.params[SEED])
        name = arm if names is None else names.get(arm)
        if name is not None and trial.summary.state != "running":
            runs.append(Run.of(study, trial, name, seed))
    return runs


def with_sources(runs: Sequence[Run]) -> list[Run]:
    """Note in what was transferred which network is which arm's under the same seed."""
    found = []
    for run in runs:
        labels = {one.arm: f"{one.study}/{one.trial}" for one in runs if one.seed == run.seed}
        records = {
            name: {**record, "sources": labels} if "matrices" in record else record
            for name, record in run.records.items()
        }
        found.append(replace(run, records=records))
    return found


def _passes(metrics: Mapping[str, float]) -> float:
    return math.fsum(metrics.get(name, 0.0) for name in MEASURES["passes"])


def _records(folder: Path) -> dict[str, Any]:
    found = {}
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text())
        found[path.stem] = evaluated.read(path) if "format" in record else record
    return found


def _of_record(found: Mapping[str, Any], cell: Cell) -> Measured | None:
    column = cell.column
    if column.attack == CLEAN:
        return _share(found["clean"])
    for row in found["robust"]:
        same = row["attack"] == column.attack and math.isclose(row["epsilon"], column.epsilon)
        if same:
            worst = [
                100 * one["accuracy"]
                for one in found["worst"]
                if one["norm"] == row["norm"] and math.isclose(one["epsilon"], row["epsilon"])
            ]
            masked = tuple(words for all_ in found["warnings"].values() for words in all_)
            return _share(row, worst=worst[0] if worst else None, masked=masked)
    return None


def _of_transfer(own: Mapping[str, Any], cell: Cell) -> str:
    """Return the fingerprint of an attack whose images go from network to network."""
    suite = {**own["suite"], "attacks": own["suite"].get("transfers", {})}
    context = {name: own[name] for name in evaluated.CONTEXT}
    attack, epsilon = cell.column.attack, cell.column.epsilon
    return evaluated.fingerprint(suite, context, str(cell.protocol), attack, epsilon)


def _share(
    row: Mapping[str, Any], *, worst: float | None = None, masked: tuple[str, ...] = ()
) -> Measured:
    return Measured(
        value=100 * row["accuracy"],
        fingerprint=row["fingerprint"],
        right=row["right"],
        images=row["images"],
        worst=worst,
        masked=masked,
    )


def _in_unit(value: float, cell: Cell) -> float:
    return 100 * value if cell.column.unit == PERCENT else value
