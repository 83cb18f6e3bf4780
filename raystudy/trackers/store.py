"""Where MLflow keeps runs and files."""

from pathlib import Path

from raystudy.errors import UserError
from raystudy.trackers.redaction import redact

SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")


def store_uri(uri: str | None, output_dir: str) -> str:
    """Return the tracking URI: the one given, or a sqlite file beside the results.

    Raises
    ------
    UserError
        If MLflow could make nothing of the one given.
    """
    if uri is not None:
        scheme = uri.partition(":")[0].partition("+")[0]
        if scheme not in SCHEMES:
            raise UserError(
                f"tracker.uri must begin with one of {', '.join(SCHEMES)}, such as "
                f"http://host:5000 or sqlite:////folder/mlflow.db, got '{redact(uri)}'."
            )
        return uri
    return f"sqlite:///{Path(output_dir).expanduser().resolve() / 'mlflow.db'}"


def default_artifacts(output_dir: str) -> str:
    """Return where files of runs go when the store is a database."""
    return str(Path(output_dir).expanduser().resolve() / "artifacts")
