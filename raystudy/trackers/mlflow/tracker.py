"""Tell MLflow of a study without ever waiting for it."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Literal

from raystudy.storage import disk
from raystudy.storage.folders import StudyFolder
from raystudy.study.info import StudyInfo
from raystudy.trackers.mlflow import events
from raystudy.trackers.mlflow.spool import Event, Spool
from raystudy.trackers.mlflow.uploader import Courier
from raystudy.trial.info import Metrics, TrialInfo, TrialSummary


class MlflowTracker:
    """Write every event to the study's spool, from which another process carries it to MLflow.

    A slow, absent or failing server neither raises nor holds the study up; what it did not take
    waits in the spool for the next tracker of this study or for `sync`. A disk too full for the
    spool raises: what comes after could not be kept either.

    Parameters
    ----------
    uri : str or None
        Server or database; None only fills the spool, for `sync` to deliver from elsewhere.
    artifacts : str, optional
        Folder for files where the store is a database.
    parent_run : bool
        Whether trials are children of a run of the study; ``raystudy train`` has one trial only.
    params : mapping of str to value, optional
        Settings of the study as a whole (sampler, trial scheduler), for the study's own run.
    patience : float
        Seconds that `close` may wait for the last deliveries.
    warn : callable (str) -> None, optional
        Hears, once each and perhaps from another thread, that MLflow is absent, that it refused
        something, and that something is left to be synced. The default logs.
    say : callable (str) -> None, optional
        Hears that `close` has something to wait for.
    """

    def __init__(
        self,
        uri: str | None,
        *,
        artifacts: str | None = None,
        parent_run: bool = True,
        params: Mapping[str, Any] | None = None,
        patience: float = 30.0,
        warn: Callable[[str], None] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._uri = uri
        self._artifacts = artifacts
        self._parent_run = parent_run
        self._params = dict(params or {})
        self._patience = patience
        self._warn = warn or logging.getLogger("raystudy").warning
        self._say = say
        self._spool: Spool | None = None
        self._courier: Courier | None = None

    def study_started(self, study: StudyInfo) -> None:
        """Open the spool and begin to deliver."""
        folder = StudyFolder(study.folder)
        try:
            self._spool = Spool(folder.spool)
            if self._uri is not None:
                self._courier = Courier(folder, self._uri, self._artifacts, self._warn)
        except OSError as error:
            if disk.shortage(error):
                raise
            self._warn(f"MLflow hears nothing of this study: {error}")
        self._write(
            lambda: events.study_started(study, parent_run=self._parent_run, params=self._params)
        )

    def trial_started(self, trial: TrialInfo) -> None:
        """Note it."""
        self._write(lambda: events.trial_started(trial))

    def trial_reported(self, number: int, epoch: int, metrics: Metrics) -> None:
        """Note it."""
        self._write(lambda: events.trial_reported(number, epoch, metrics))

    def trial_finished(self, trial: TrialSummary) -> None:
        """Note it."""
        self._write(lambda: events.trial_finished(trial))

    def study_finished(self, state: Literal["complete", "interrupted", "failed"]) -> None:
        """Note it; what is left is delivered from now on."""
        try:
            self._write(lambda: events.study_finished(state))
        finally:
            if self._courier is not None:
                self._courier.finish()
            if self._spool is not None:
                self._spool.close()
                self._spool = None

    def close(self) -> None:
        """Wait for the last deliveries, as long as patience lasts or until Ctrl-C."""
        courier, self._courier = self._courier, None
        if courier is not None:
            courier.close(self._patience, self._say)

    def _write(self, make: Callable[[], Event]) -> None:
        if self._spool is None:
            return
        try:
            self._spool.append(make())
        except Exception as error:  # the study matters more than its log
            if disk.shortage(error):
                raise
            self._warn(f"an event for MLflow is lost: {type(error).__name__}: {error}")
            self._spool = None
