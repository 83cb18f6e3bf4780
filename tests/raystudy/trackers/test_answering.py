"""The doctor asks an MLflow that is there."""

from raystudy.cli.doctor import services


def test_an_mlflow_that_is_there_answers(store):
    (check,) = services.check_mlflow(store.uri, "nowhere", enabled=True)
    assert (check.verdict, check.found) == ("well", f"{store.uri} responds")
