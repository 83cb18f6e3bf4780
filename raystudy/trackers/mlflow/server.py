"""MLflow's own user interface on the store of the results."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from raystudy.config import import_path
from raystudy.storage.redaction import redact
from raystudy.study.tracker import UserInterface
from raystudy.trackers.mlflow import artifact_paths, pages


def user_interface(
    uri: str, artifacts: str, host: str, port: int, shown: Mapping[str, str]
) -> UserInterface:
    """Return the server's command; of a store that is a server itself, where it is.

    Parameters
    ----------
    uri, artifacts : str
    host : str
    port : int
    shown : mapping of str to str
        What there is to see, and its page.
    """
    if uri.startswith(("http://", "https://")):
        return UserInterface(f"the store is a server\n{_addresses(redact(uri), shown)}")
    if not uri.startswith("sqlite:///") or Path(uri.removeprefix("sqlite:///")).exists():
        with contextlib.suppress(SQLAlchemyError):  # the server says it better
            artifact_paths.follow(uri, artifacts)
    arguments = import_path.python("-m", "mlflow", "server", "--host", host, "--port", str(port))
    arguments += ["--backend-store-uri", uri]
    arguments += ["--default-artifact-root", artifacts]
    # More would be started anew for ever where another takes the port in this moment.
    arguments += ["--workers", "1"]
    # uvicorn would import from the working folder, which is its --app-dir.
    arguments += ["--uvicorn-opts", f"--log-level warning --app-dir {os.devnull}"]
    environment = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        # Jobs are for language models; each server would leave a folder in /dev/shm.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": os.environ.get(
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false"
        ),
        # The server's own workers inherit the one, its reading of `python -m` the other.
        "PYTHONWARNINGS": "ignore",
        "PYTHONSAFEPATH": "1",
    }
    where = _addresses(f"http://{host}:{port}", shown)
    return UserInterface(f"MLflow on {redact(uri)}\n{where}", arguments, environment)


def everything() -> dict[str, str]:
    """Return the page of all experiments."""
    return {"everything": pages.EXPERIMENTS}


def _addresses(server: str, shown: Mapping[str, str]) -> str:
    found = {f"open {what}:": f"{server.rstrip('/')}/{page}" for what, page in shown.items()}
    if len(found) == 1:
        return f"open {next(iter(found.values()))}"
    width = max(map(len, found))
    return "\n".join(f"{what:{width}} {address}" for what, address in found.items())
