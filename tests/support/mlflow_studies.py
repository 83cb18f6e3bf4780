"""Studies told to an MLflow tracker, and a look at what MLflow made of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from raystudy.storage.folders import StudyFolder
from raystudy.study.info import StudyInfo
from raystudy.trackers.mlflow import MlflowTracker, SyncResult, sync
from raystudy.trial.info import TrialInfo, TrialSummary

ROBUST = "val/robust_accuracy"


@dataclass
class Store:
    """A database, its files and a client that looks at it."""

    uri: str
    artifacts: str
    client: Any

    def sync(self, folder: StudyFolder) -> SyncResult:
        """Deliver everything; the tests want no error."""
        result = sync(folder, self.uri, artifacts=self.artifacts)
        assert result.error == ""
        assert result.waiting == 0
        return result

    def runs(self, folder: StudyFolder) -> dict[str, Any]:
        """Return the runs of a study by name, whatever their number says."""
        experiment = self.client.get_experiment_by_name("raystudy/surrogate/none")
        found = self.client.search_runs(
            [experiment.experiment_id], f"tags.`raystudy.study_id` = '{folder.id}'"
        )
        names = [run.info.run_name for run in found]
        assert len(set(names)) == len(names), f"a run exists twice: {sorted(names)}"
        return dict(zip(names, found, strict=True))

    def history(self, run: Any, metric: str) -> list[tuple[int, float]]:
        """Return (step, value) of a measure, in order of steps."""
        points = self.client.get_metric_history(run.info.run_id, metric)
        return sorted((point.step, point.value) for point in points)

    def files(self, run: Any) -> dict[str, bytes]:
        """Return the content of a run's files by name."""
        names = [entry.path for entry in self.client.list_artifacts(run.info.run_id)]
        load = self.client.download_artifacts
        return {name: Path(load(run.info.run_id, name)).read_bytes() for name in names}


def trial(
    folder: StudyFolder,
    number: int = 0,
    *overrides: str,
    params: Mapping[str, Any] = MappingProxyType({}),
    resumed: bool = False,
):
    """Return a trial of a study."""
    return TrialInfo(
        number=number,
        params=params,
        overrides=overrides or (f"optimizer.lr={number}",),
        folder=folder.trial(number).path,
        command=f"raystudy train surrogate optimizer.lr={number}",
        resumed=resumed,
    )


def summary(number: int = 0, state: str = "complete", last: float = 0.4, best: float = 0.5):
    """Return a trial that ended."""
    return TrialSummary(
        number=number,
        state=state,
        epoch=2,
        last={ROBUST: last},
        best={ROBUST: best},
        metrics={ROBUST: last},
        seconds=1.5,
        reason="" if state == "complete" else "because",
    )


def tell(tracker: MlflowTracker, study: StudyInfo, state: str = "complete", trials: int = 1):
    """Tell a whole study: every trial reports two epochs."""
    folder = StudyFolder(study.folder)
    tracker.study_started(study)
    for number in range(trials):
        tracker.trial_started(trial(folder, number))
        tracker.trial_reported(number, 1, {ROBUST: 0.5, "train/loss": 2.0})
        tracker.trial_reported(number, 2, {ROBUST: 0.4, "train/loss": 1.0})
        tracker.trial_finished(summary(number))
    tracker.study_finished(state)
    tracker.close()


def again(study: StudyInfo) -> StudyInfo:
    """Return the same study, gone on with."""
    return replace(study, resumed=True)
