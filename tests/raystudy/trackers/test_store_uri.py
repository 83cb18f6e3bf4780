"""Where MLflow is: what cannot be one is refused under the name it was given by."""

import pytest

from raystudy.errors import UserError
from raystudy.trackers.mlflow.store_uri import store_uri

WRONG = ["host:5000", "/folder/mlruns", "file:///mlruns", "http:", "http://", "sqlite:mlflow.db"]


@pytest.mark.parametrize("uri", WRONG)
def test_a_variable_that_does_not_fit_is_named(uri, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(UserError, match=r"^the environment variable MLFLOW_TRACKING_URI"):
        store_uri(uri, "x")


@pytest.mark.parametrize("uri", WRONG)
def test_a_setting_that_does_not_fit_is_named(uri, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://other:5000")
    with pytest.raises(UserError, match=r"^tracker\.uri must start with one of http"):
        store_uri(uri, "x")


@pytest.mark.parametrize(
    "uri",
    [
        *("http://host:5000", "https://me:secret@host/x", "sqlite:////folder/mlflow.db"),
        *("postgresql+psycopg2://me@host/db", "databricks", "databricks://profile"),
    ],
)
def test_what_mlflow_reads_is_taken(uri):
    assert store_uri(uri, "x") == uri


def test_a_variable_that_is_empty_is_none(tmp_path):
    assert store_uri("", str(tmp_path)) == f"sqlite:///{tmp_path.resolve()}/mlflow.db"
