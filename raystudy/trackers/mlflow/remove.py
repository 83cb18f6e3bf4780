"""Delete a study's runs."""

from collections.abc import Iterable

from raystudy.trackers.mlflow.client import MlflowStore
from raystudy.trackers.mlflow.contact import reach, takes_nothing


def remove_runs(run_ids: Iterable[str], uri: str, artifacts: str | None) -> str:
    """Put runs into MLflow's bin; return why it was not possible, or "".

    Runs that are gone already are no hindrance.
    """
    try:
        reach(uri)
        store = MlflowStore(uri, artifacts, lambda _: None)
        for run_id in run_ids:
            store.delete_run(run_id)
    except Exception as error:  # of any library between here and the server
        return takes_nothing(uri, error)
    return ""
