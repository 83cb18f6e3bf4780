"""The doctor asks an MLflow that is there."""

from raystudy.cli.doctor import services
from raystudy.config import compose


def test_an_mlflow_that_is_there_answers(store):
    (check,) = services.check_tracker(compose.load_shared([f"tracker.uri={store.uri}"]))
    assert (check.verdict, check.found) == ("well", f"{store.uri} answers")
