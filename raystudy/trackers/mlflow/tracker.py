"""Log a study to MLflow without ever waiting for it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from raystudy.errors import UserError
from raystudy.storage import disk
from raystudy.storage.folders import StudyFolder
from raystudy.storage.redaction import redact
from raystudy.storage.spool import Event, Spool
from raystudy.study import command
from raystudy.study.info import StudyInfo
from raystudy.study.model import Model
from raystudy.study.tracker import (
    Attachment,
    Health,
    NoTracker,
    Progress,
    RunKey,
    SyncResult,
    UserInterface,
)
from raystudy.trackers.mlflow import (
    attached_files,
    contact,
    events,
    models,
    remove,
    server,
    study_pages,
)
from raystudy.trackers.mlflow.delivered import model_of, models_of, run_ids
from raystudy.trackers.mlflow.store_uri import default_artifacts, store_uri
from raystudy.trackers.mlflow.sync import continue_in_background, sync
from raystudy.trackers.mlflow.uploader import Uploader
from raystudy.trial.info import Metrics, TrialInfo, TrialSummary

# Of a trial's picture, of an epoch's rows in the database, and of the empty database.
TRIAL_BYTES, EPOCH_BYTES, DATABASE_BYTES = 48 << 10, 6 << 10, 1 << 20


class MlflowTracker(NoTracker):
    """Write every event to the study's spool, which another process uploads to MLflow.

    A slow, absent or failing server neither raises nor holds the study up; what it did not accept
    waits in the spool for the next tracker of this study or for `sync`. A disk too full for the
    spool raises: what comes after could not be kept either.

    Parameters
    ----------
    uri : str or None
        Server or database; None stands for a sqlite file in the results folder.
    output_dir : str, optional
        The results folder; without one, and without a URI, the spool is only filled.
    parent_run : bool
        Whether trials are children of a run of the study; ``raystudy train`` has one trial only.
    params : mapping of str to value, optional
        Settings of the study as a whole (sampler, trial scheduler), for the study's own run.
    patience : float
        Seconds that `close` may wait for the last deliveries.
    warn : callable (str) -> None, optional
        Shows, once each and perhaps from another thread, that MLflow is absent, that it refused
        something, and that something is left to be synced. The default logs.
    say : callable (str) -> None, optional
        Shows that `close` has something to wait for.
    """

    name = "MLflow"

    def __init__(
        self,
        uri: str | None,
        *,
        output_dir: str | None = None,
        parent_run: bool = True,
        params: Mapping[str, Any] | None = None,
        patience: float = 30.0,
        warn: Callable[[str], None] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._uri = uri if output_dir is None else store_uri(uri, output_dir)
        self._artifacts = None if output_dir is None else default_artifacts(output_dir)
        self._parent_run = parent_run
        self._params = dict(params or {})
        self._patience = patience
        self._warn = warn or logging.getLogger("raystudy").warning
        self._say = say
        self._spool: Spool | None = None
        self._uploader: Uploader | None = None
        self._attaching: dict[StudyFolder, Uploader] = {}
        self._unknown: set[StudyFolder] = set()

    @property
    def place(self) -> str:
        return f"MLflow at {redact(self._uri)}" if self._uri else ""

    def study_started(self, study: StudyInfo) -> None:
        """Open the spool and start to deliver."""
        folder = StudyFolder(study.folder)
        try:
            self._spool = Spool(folder.spool)
            if self._uri is not None and self._uploader is None:
                self._uploader = Uploader(folder, self._uri, self._artifacts, self._warn)
        except OSError as error:
            if disk.shortage(error):
                raise
            self._warn(f"nothing of this study reaches MLflow: {error}")
        self._write(
            lambda: events.study_started(study, parent_run=self._parent_run, params=self._params)
        )

    def trial_started(self, trial: TrialInfo) -> None:
        self._write(lambda: events.trial_started(trial))

    def trial_reported(self, number: int, epoch: int, metrics: Metrics) -> None:
        self._write(lambda: events.trial_reported(number, epoch, metrics))

    def trial_finished(self, trial: TrialSummary) -> None:
        self._write(lambda: events.trial_finished(trial))

    def study_finished(self, state: Literal["complete", "interrupted", "failed"]) -> None:
        try:
            self._write(lambda: events.study_finished(state))
        finally:
            if self._spool is not None:
                self._spool.close()
                self._spool = None

    def attach(self, folder: StudyFolder, key: RunKey, attachment: Attachment) -> None:
        """Write it to the study's spool, its files beside it, and start to deliver."""
        if not folder.spool.exists():
            if folder not in self._unknown:
                self._warn(f"MLflow gets nothing of {folder.id}, which ran without it.")
            self._unknown.add(folder)
            return
        try:
            attached_files.keep(folder, key, attachment.folder, attachment.files)
            self._add(folder, events.attached(key, attachment))
        except OSError as error:
            if disk.shortage(error):
                raise
            self._warn(f"MLflow gets nothing of this: {error}")

    def register(self, folder: StudyFolder, number: int, model: Model) -> None:
        models.refuse_name(model.name)
        if not folder.spool.exists():
            raise UserError(f"{folder.id} ran without MLflow, which has no run of it to register.")
        where = models.folder_of(model.id)
        files = models.save(model, attached_files.place(folder, str(number), where, ""))
        self._add(folder, events.registered(number, model, files))

    def registered(self, folder: StudyFolder, model: Model) -> Sequence[str]:
        address = model_of(folder, self._uri, model.id) if self._uri else ""
        return models.loading(address, redact(str(self._uri))) if address else ()

    def _add(self, folder: StudyFolder, event: Event) -> None:
        """Write an event to a study's spool, and start to deliver what is there."""
        spool = Spool(folder.spool)
        spool.append(event)
        spool.close()
        own = self._uploader is not None and self._uploader.folder == folder
        if self._uri is not None and not own and folder not in self._attaching:
            self._attaching[folder] = Uploader(
                folder, self._uri, self._artifacts, self._warn, only_once=True
            )

    def close(self) -> None:
        """Wait for the last deliveries, as long as patience lasts or until Ctrl-C."""
        uploader, self._uploader = self._uploader, None
        if uploader is not None and (left := uploader.close(self._patience, self._say)):
            self._warn(
                f"{left} events wait for MLflow in {uploader.folder.spool}; deliver them by: "
                f"{uploader.folder.command('sync')}"
            )
        attaching, self._attaching = self._attaching, {}
        for folder, other in attaching.items():
            if other.close(self._patience, self._say):
                why = f" ({other.reason})" if other.reason else ""
                self._warn(
                    f"{folder.id} waits for {self.place}{why}; '{folder.command('sync')}' "
                    f"delivers it."
                )

    def sync(self, folder: StudyFolder, progress: Progress | None = None) -> SyncResult:
        assert self._uri is not None
        return sync(folder, self._uri, artifacts=self._artifacts, progress=progress)

    def sync_in_background(self, folder: StudyFolder) -> int:
        assert self._uri is not None
        return continue_in_background(folder, self._uri, self._artifacts)

    def kept(self, folder: StudyFolder) -> str:
        runs = run_ids(folder, self._uri) if self._uri else {}
        names = models_of(folder, self._uri) if self._uri else []
        also = f" and {', '.join(names)}" if names else ""
        return f"{len(runs)} runs{also} in {self.place}" if runs else ""

    def remove(self, folder: StudyFolder) -> str:
        runs = run_ids(folder, self._uri) if self._uri else {}
        if not runs or self._uri is None:
            return ""
        return remove.remove_runs(folder, self._uri, self._artifacts)

    def where(self, folder: StudyFolder) -> str:
        beside = store_uri(None, str(folder.home))
        return command.ui(folder, None if self._uri == beside else self._uri)

    def user_interface(
        self, host: str, port: int, study: StudyFolder | None = None
    ) -> UserInterface:
        assert self._uri is not None
        assert self._artifacts is not None
        shown = server.everything() if study is None else study_pages.of(study, self._uri)
        return server.user_interface(self._uri, self._artifacts, host, port, shown)

    def tags(self, run_id: str) -> Mapping[str, str]:
        return contact.tags_of(run_id, self._uri) if self._uri else {}

    def health(self) -> Health:
        assert self._uri is not None
        return contact.health(self._uri)

    def bytes_on_disk(self, *, trials: int, epochs: int, weights: float) -> float:
        if self._uri is None or self._uri.startswith(("http://", "https://", "databricks")):
            return 0.0
        rows = epochs * EPOCH_BYTES if self._uri.startswith("sqlite") else 0
        return trials * (weights + TRIAL_BYTES) + rows + DATABASE_BYTES

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
