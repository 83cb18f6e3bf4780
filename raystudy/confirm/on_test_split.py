"""Measure trained networks on test images, as they were measured on validation images."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from raystudy.config.spec import VAL, as_test
from raystudy.storage.folders import StudyFolder, TrialFolder, write_atomically
from raystudy.study.info import StudyInfo
from raystudy.study.tracker import StudyObserver
from raystudy.study.trial_record import Outcome
from raystudy.trial.info import Metrics, TrialInfo
from raystudy.trial.session import Session

if TYPE_CHECKING:  # torch takes its time
    from trainables.data.image_set import Splits


def measure(
    name: str, overrides: Sequence[str], search_path: Sequence[str], session: Session
) -> None:
    """Run a trial's own evaluators on the test split, with the weights of its last epoch.

    Those are the weights whose validation measures were compared. Every rank calls this.
    """
    from raystudy.config import compose
    from raystudy.trial.build import load_splits
    from raystudy.trial.run import refuse_other_images

    settings = compose.load(name, overrides, search_path)
    splits = load_splits(settings)
    refuse_other_images(session.folder, settings, splits)
    measures = evaluated(settings, session.folder, on_test(splits))
    session.report(1, {as_test(name): v for name, v in measures.items() if name.startswith(VAL)})


def evaluated(settings: DictConfig, folder: TrialFolder, splits: "Splits") -> dict[str, float]:
    """Return what a trial's evaluators find in its last weights, as they did after its last epoch.

    Those are left out that measure training images only, such as the guard against collapse.
    """
    from raystudy.storage.checkpoint import TrialCheckpoint
    from raystudy.trial.build import build_evaluators, build_trainer

    # The trainer prepares a method for device, memory format and ranks.
    trainer = build_trainer(settings, splits)
    trainer.method.load_state_dict(TrialCheckpoint.load(folder.last_checkpoint).method)
    measures: dict[str, float] = {}
    with trainer.arithmetic():
        for evaluate in build_evaluators(settings).values():
            if any(measure.startswith(VAL) for measure in evaluate.measures):
                measures |= evaluate(trainer.method, splits)
    return measures


def on_test(splits: "Splits") -> "Splits":
    """Return splits whose validation images are the test images."""
    from trainables.data.image_set import Splits

    return Splits(splits.train, splits.test, splits.test, splits.classes)


class SplitReading:
    """The runs whose networks are measured on test images, each once, as an executor sees them.

    What was measured is kept in ``test.json``, so that an interrupted one is not repeated.

    Parameters
    ----------
    info : StudyInfo
        Of the study that trained them.
    trackers : sequence of StudyObserver
        Get a run's test measures as an epoch after its last one.
    """

    def __init__(self, info: StudyInfo, *, trackers: Sequence[StudyObserver] = ()) -> None:
        self.info = info
        self.interrupted = False
        self.failures: dict[int, str] = {}
        self._trackers = trackers
        self._file = Path(info.folder) / "test.json"
        self.measures = read_measures(self._file)
        self._overrides: dict[int, tuple[str, ...]] = {}
        self._last_epochs: dict[int, int] = {}
        self._waiting: list[int] = []

    def expect(self, number: int, overrides: Sequence[str], *, last_epoch: int) -> None:
        """Queue a run to be measured, unless it was.

        Parameters
        ----------
        number : int
        overrides : sequence of str
            The whole trial.
        last_epoch : int
        """
        self._overrides[number] = tuple(overrides)
        self._last_epochs[number] = last_epoch
        if number not in self.measures:
            self._waiting.append(number)

    @property
    def waiting(self) -> list[int]:
        """Runs still to be measured."""
        return list(self._waiting)

    @property
    def is_finished(self) -> bool:
        """Whether every run has been measured."""
        return bool(self._overrides) and self._overrides.keys() <= self.measures.keys()

    @property
    def outstanding(self) -> int:
        """How many runs have not been handed out."""
        return 0 if self.interrupted else len(self._waiting)

    def next_trial(self) -> TrialInfo | None:
        """Return a run to measure."""
        if self.interrupted or not self._waiting:
            return None
        number = self._waiting.pop(0)
        return TrialInfo(
            number=number,
            params={},
            overrides=self._overrides[number],
            folder=StudyFolder(self.info.folder).trial(number).path,
            command="",
        )

    def report(self, number: int, epoch: int, metrics: Metrics) -> bool:
        """Keep what was measured."""
        for tracker in self._trackers:
            tracker.trial_reported(number, self._last_epochs[number] + epoch, metrics)
        self.measures[number] = dict(metrics)
        write_atomically(self._file, json.dumps(self.measures, indent=2) + "\n")
        return True

    def finish(self, number: int, outcome: Outcome) -> None:
        """Note why a run could not be measured."""
        if number not in self.measures and not self.interrupted:
            self.failures[number] = outcome.reason or outcome.kind


def read_measures(path: Path) -> dict[int, dict[str, float]]:
    """Return the measures so far by run."""
    if not path.exists():
        return {}
    return {int(number): entry for number, entry in json.loads(path.read_text()).items()}
