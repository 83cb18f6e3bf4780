"""Where MLflow keeps runs and files."""

import os
import re

from raystudy.errors import UserError
from raystudy.storage.file_names import reachable
from raystudy.storage.output_dir import resolve
from raystudy.storage.redaction import redact

VARIABLE = "MLFLOW_TRACKING_URI"  # what tracker.uri is where nobody sets it
SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")
DATABASE = "mlflow.db"
# What no URI of a database can hold; ? starts its options.
UNFIT = re.compile(r"[?\x00-\x1f\x7f\ud800-\udfff]")


def store_uri(uri: str | None, output_dir: str) -> str:
    """Return the tracking URI: the one given, or a sqlite file beside the results.

    Raises
    ------
    UserError
        If MLflow could make nothing of the one given.
    """
    if uri:
        scheme, _, rest = re.sub(r"^(\w+)\+\w+:", r"\1:", uri).partition("://")
        if scheme not in SCHEMES or not (rest or scheme == "databricks"):
            raise UserError(
                f"{_name(uri)} must start with one of {', '.join(SCHEMES)}, such as "
                f"http://host:5000 or sqlite:////folder/mlflow.db, got '{redact(uri)}'."
            )
        return uri
    return f"sqlite:///{reachable(resolve(output_dir), UNFIT) / DATABASE}"


def _name(uri: str) -> str:
    """Return where the user wrote it."""
    if os.environ.get(VARIABLE) != uri:
        return "tracker.uri"
    return f"the environment variable {VARIABLE} (or tracker.uri, which beats it)"


def default_artifacts(output_dir: str) -> str:
    """Return where files of runs go when the store is a database, a path or a ``file:`` URI.

    MLflow takes a path for a URI and reads ``%41``, ``#`` and ``?`` in it as such.
    """
    path = reachable(resolve(output_dir)) / "artifacts"
    return path.as_uri() if re.search(r"[%#?\x00-\x1f\x7f]", str(path)) else str(path)
