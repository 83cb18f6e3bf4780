"""An experiment of MLflow: the runs in it, its note, and its views of studies."""

from collections.abc import Callable
from typing import Any

from raystudy.storage.file_names import readable
from raystudy.study.tracker import RunKey
from raystudy.trackers.mlflow import pages
from raystudy.trackers.mlflow.tags import NOTE, UID, key_of

LISTED = 50  # studies in the note, the newest first


class Experiment:
    """The experiment that a delivery is about; like all of a store, it may get things twice.

    Parameters
    ----------
    client : MlflowClient
    attempt : callable (str, callable) -> bool
        Does what is called so, unless MLflow will never accept it.
    """

    def __init__(self, client: Any, attempt: Callable[[str, Callable[[], object]], bool]) -> None:
        self.id = ""
        self._client = client
        self._attempt = attempt

    def open(self, name: str, location: str | None) -> None:
        """Use an experiment for new runs; made, or taken out of the bin, where needed.

        Parameters
        ----------
        name : str
        location : str, optional
            Where files of a new one go, if that is not the server's to say.
        """
        name = readable(name)
        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            # The UI then shows runs and charts first, not traces and prompts.
            kind = {"mlflow.experimentKind": "custom_model_development"}
            self.id = self._client.create_experiment(name, location, kind)
            return
        self.id = experiment.experiment_id
        if experiment.lifecycle_stage == "deleted":
            self._client.restore_experiment(self.id)

    def find_runs(self, uid: str, since: int) -> dict[RunKey, str]:
        """Return the ids of a study's runs that began at `since` (milliseconds) or later."""
        from mlflow.entities import ViewType

        runs: dict[RunKey, str] = {}
        token: str | None = None
        while token != "":
            page = self._client.search_runs(
                [self.id],
                f"tags.`{UID}` = '{uid}' and attributes.start_time >= {since}",
                run_view_type=ViewType.ALL,
                max_results=1000,
                page_token=token,
            )
            for run in page:
                runs[key_of(run.data.tags)] = run.info.run_id
            token = page.token or ""
        return runs

    def tag(self, key: str, value: str) -> None:
        """Write a tag."""
        self._attempt(f"tag '{key}'", lambda: self._client.set_experiment_tag(self.id, key, value))

    def untag(self, key: str) -> None:
        """Remove a tag, if it is there."""
        self._attempt("", lambda: self._client.delete_experiment_tag(self.id, key))

    def list_studies(self) -> None:
        """Let the note name the newest studies and link their pages and reports."""
        found = self._client.search_runs(
            [self.id],
            "tags.`raystudy.kind` = 'study'",
            max_results=LISTED,
            order_by=["attributes.start_time DESC"],
        )
        studies = [(run.info.run_id, run.data.tags) for run in found]
        old = self._client.get_experiment(self.id).tags.get(NOTE, "")
        if (new := pages.note(old, self.id, studies)) != old:
            self.tag(NOTE, new)
