"""MLflow's registry of models."""

from typing import Any

from raystudy.trackers.mlflow.limits import fitting
from raystudy.trackers.mlflow.run_patch import Registration

ID = "raystudy.registration"  # of a version, by which it is found again


def version_of(client: Any, run_id: str, model: Registration, folder: str) -> str:
    """Return the number of a model's version, which is made if it is not there.

    Parameters
    ----------
    client : MlflowClient
    run_id : str
    model : Registration
    folder : str
        Among the artifacts of the run.
    """
    from mlflow.exceptions import MlflowException

    name = model.name
    for version in client.search_model_versions(f"run_id = '{run_id}'"):
        if version.name == name and version.tags.get(ID) == model.id:
            return str(version.version)
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    made = client.create_model_version(
        name,
        f"{client.get_run(run_id).info.artifact_uri}/{folder}",
        run_id,
        tags={**fitting(model.tags), ID: model.id},
        description=model.note,
    )
    return str(made.version)
