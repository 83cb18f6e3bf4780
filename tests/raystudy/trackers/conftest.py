"""A real MLflow on one temporary sqlite file, shared because its tables take seconds to make."""

import pytest
from mlflow_studies import Store, tell
from surrogates import study_info

from raystudy.storage.folders import create_study_folder
from raystudy.trackers.mlflow import MlflowTracker, sync


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """Return the shared store, its tables made."""
    root = tmp_path_factory.mktemp("mlflow")
    uri, artifacts = f"sqlite:///{root}/mlflow.db", str(root / "artifacts")
    folder = create_study_folder(root, "first")
    tell(MlflowTracker(None), study_info(folder.path))
    result = sync(folder, uri, artifacts=artifacts)
    assert result.error == ""
    from mlflow import MlflowClient

    return Store(uri, artifacts, MlflowClient(tracking_uri=uri))


@pytest.fixture
def folder(tmp_path):
    """Return a new study's folder; its id is the test's own."""
    return create_study_folder(tmp_path, "study", tmp_path.name)


@pytest.fixture
def study(folder):
    """Return what is known of the study in `folder`."""
    return study_info(folder.path)
