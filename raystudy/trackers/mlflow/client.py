"""What talks to MLflow, which is imported when a store is opened (about 3 s)."""

import functools
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from raystudy.storage import disk
from raystudy.storage.file_names import readable
from raystudy.trackers.mlflow import artifact_paths, registry
from raystudy.trackers.mlflow.experiment import Experiment
from raystudy.trackers.mlflow.limits import batches, fitting
from raystudy.trackers.mlflow.new_database import first_contact
from raystudy.trackers.mlflow.run_patch import Registration, RunPatch
from raystudy.trackers.mlflow.transaction import one_transaction

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # the spool is the retry
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
# What repeating a request cannot cure, such as a run that was deleted in the user interface.
REFUSALS = ("INVALID_PARAMETER_VALUE", "INVALID_STATE", "RESOURCE_DOES_NOT_EXIST", "BAD_REQUEST")


def prepare_environment() -> None:
    """Set those of MLflow's variables that the user did not set."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


class MlflowStore:
    """Runs in an MLflow server or database. Everything may be done twice without harm.

    Parameters
    ----------
    uri : str
        A new sqlite file is filled with MLflow's tables, which takes seconds.
    artifacts : str, optional
        Folder for files of new experiments where the store is a database, not a server.
    refused : callable (str) -> None
        Shows what MLflow will never accept; it is left out.

    Attributes
    ----------
    experiment : Experiment
        The one in use.
    """

    def __init__(self, uri: str, artifacts: str | None, refused: Callable[[str], None]) -> None:
        self._is_server = uri.startswith(("http://", "https://", "databricks"))
        self._artifacts = artifacts
        self._refused = refused
        self._artifacts_of: dict[str, Path] = {}
        prepare_environment()
        with first_contact(uri, artifacts):
            from mlflow import MlflowClient
            from mlflow.tracking._tracking_service import utils as tracking_utils

            silence()
            self._client: Any = MlflowClient(tracking_uri=uri)
            self.experiment = Experiment(self._client, self._try)
            self._sqlite = tracking_utils._get_store(uri) if uri.startswith("sqlite:") else None
            if artifacts is not None and not self._is_server:
                artifact_paths.follow(uri, artifacts)
                # By a run's id alone, whatever the store: a copy's would go to the original.
                tracking_utils._artifact_repos_cache.clear()

    def open_experiment(self, name: str) -> None:
        """Use an experiment for new runs; made, or taken out of the bin, where needed."""
        location = None
        if self._artifacts is not None and not self._is_server:
            location = f"{self._artifacts}/{artifact_paths.folder_of(readable(name))}"
        self.experiment.open(name, location)

    def ask(self) -> None:
        """Raise what stands in the way of using the store."""
        self._client.search_experiments(max_results=1)

    def has_run(self, run_id: str) -> bool:
        """Return whether there is a run of that id, in the bin perhaps."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return False
        return True

    def tags(self, run_id: str) -> dict[str, str]:
        """Return the tags of a run; none if there is no such run."""
        return dict(self._client.get_run(run_id).data.tags) if self.has_run(run_id) else {}

    def transaction(self) -> AbstractContextManager[None]:
        """Let what is written within be one transaction, where the store allows it.

        Nobody else can write to a sqlite file meanwhile: keep it to a second or two.
        """
        return nullcontext() if self._sqlite is None else one_transaction(self._sqlite)

    def create_run(self, patch: RunPatch, tags: Mapping[str, str]) -> str:
        """Make a run and return its id."""
        run = self._client.create_run(
            self.experiment.id, start_time=patch.started, tags=fitting(tags), run_name=patch.name
        )
        run_id: str = run.info.run_id
        files = artifact_paths.local(run.info.artifact_uri)
        if not self._is_server and files.is_absolute():
            self._artifacts_of[run_id] = files
        return run_id

    def write(self, run_id: str, patch: RunPatch) -> None:
        """Write metrics, parameters and tags."""
        for batch in batches(patch):
            self._write_batch(run_id, *batch)

    def set_status(self, run_id: str, patch: RunPatch) -> None:
        """Open, reopen or end a run."""
        if patch.ended is not None:
            self._try(
                "the end of a run",
                lambda: self._client.set_terminated(run_id, patch.status, patch.ended),
            )
        elif patch.status is not None:
            self._try("a run", lambda: self._client.update_run(run_id, status=patch.status))

    def upload(self, run_id: str, name: str, content: bytes | Path, *, folder: str = "") -> None:
        """Store a file with a run, in a folder of its artifacts."""

        self._try(name, lambda: self._upload(run_id, name, content, folder), is_file=True)

    def register(self, run_id: str, model: Registration, folder: str) -> str:
        """Make a version of what is in a folder of a run's artifacts; return its number.

        It is looked for first: versions are not made twice. Empty: MLflow refuses it.
        """
        found = [""]

        def make() -> None:
            found[0] = registry.version_of(self._client, run_id, model, folder)

        self._try(f"model '{model.name}'", make)
        return found[0]

    def unregister(self, name: str, version: str) -> None:
        """Delete a version of a model, if it is there."""
        self._try("", lambda: self._client.delete_model_version(name, version))

    def delete_run(self, run_id: str) -> None:
        """Put a run into MLflow's bin, and remove its files where they are on this machine."""

        def delete() -> None:
            files = artifact_paths.local(self._client.get_run(run_id).info.artifact_uri)
            self._client.delete_run(run_id)
            if not self._is_server and files.is_absolute():
                shutil.rmtree(files.parent, ignore_errors=True)

        self._try("", delete)

    def _upload(self, run_id: str, name: str, content: bytes | Path, folder: str) -> None:
        if run_id in self._artifacts_of:
            # A new run on this machine: MLflow would first read all that the run has.
            there = self._artifacts_of[run_id] / folder
            there.mkdir(parents=True, exist_ok=True)
            _put(content, there / name)
        elif isinstance(content, Path):
            self._client.log_artifact(run_id, str(content), folder or None)
        else:
            with TemporaryDirectory() as parent:
                path = Path(parent, name)
                _put(content, path)
                self._client.log_artifact(run_id, str(path), folder or None)

    def _write_batch(
        self, run_id: str, metrics: Sequence[Any], params: Sequence[Any], tags: Sequence[Any]
    ) -> None:
        log = functools.partial(self._client.log_batch, run_id)
        if self._try("", lambda: log(metrics=metrics, params=params, tags=tags)):
            return
        # One of them is refused: keep the others.
        for kind, items in {"metrics": metrics, "params": params, "tags": tags}.items():
            for item in items:
                self._try(f"{kind[:-1]} '{item.key}'", functools.partial(log, **{kind: [item]}))

    def _try(self, what: str, call: Callable[[], object], *, is_file: bool = False) -> bool:
        """Return whether MLflow took it; an error that may pass is raised."""
        try:
            call()
        except Exception as error:
            if not (self._is_refusal(error) or (is_file and _is_hopeless(error))):
                raise
            if what:
                self._refused(f"{what}: {error}")
            return False
        return True

    def _is_refusal(self, error: Exception) -> bool:
        from mlflow.exceptions import MlflowException, RestException

        # A proxy before the server also says 404: only what MLflow itself says counts.
        kind = RestException if self._is_server else MlflowException
        return isinstance(error, kind) and error.error_code in REFUSALS


def _is_hopeless(error: Exception) -> bool:
    """Whether a file cannot be stored from this machine: no such folder, no client library."""
    if disk.shortage(error):
        return False
    from mlflow.exceptions import MlflowException
    from requests import RequestException

    return not isinstance(error, (MlflowException, RequestException))


def _put(content: bytes | Path, path: Path) -> None:
    if isinstance(content, Path):
        shutil.copyfile(content, path)
    else:
        path.write_bytes(content)


def silence() -> None:
    """Keep the libraries' own words off the terminal: errors come as exceptions."""
    for name in ("mlflow", "alembic", "sqlalchemy", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
