"""Delete a study's runs."""

from raystudy.storage.folders import StudyFolder
from raystudy.trackers.mlflow import pages
from raystudy.trackers.mlflow.client import MlflowStore
from raystudy.trackers.mlflow.contact import reach, takes_nothing
from raystudy.trackers.mlflow.delivered import experiment_of, models_of, run_ids, uid_of


def remove_runs(folder: StudyFolder, uri: str, artifacts: str | None) -> str:
    """Put a study's runs into MLflow's bin and delete its models; return why not, or "".

    Runs that are gone already are no hindrance.
    """
    try:
        reach(uri)
        store = MlflowStore(uri, artifacts, lambda _: None)
        for run_id in run_ids(folder, uri).values():
            store.delete_run(run_id)
        for address in models_of(folder, uri):
            store.unregister(*address.removeprefix("models:/").split("/"))
        if experiment := experiment_of(folder, uri):
            store.experiment.id = experiment
            for end in ("", pages.SUMMARIES):
                store.experiment.untag(f"{pages.VIEW}{uid_of(folder)}{end}")
            store.experiment.list_studies()
    except Exception as error:  # of any library between here and the server
        return takes_nothing(uri, error)
    return ""
