"""``raystudy ui``: MLflow's user interface on the results."""

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from raystudy.config import compose, import_path
from raystudy.config.mlflow_uri import default_artifacts, store_uri
from raystudy.config.output_dir import folder_of
from raystudy.errors import EXIT_DONE, UserError
from raystudy.storage.redaction import redact
from raystudy.trackers.mlflow import artifact_paths

EXPERIMENTS = "#/experiments?workflowType=machine_learning"  # not the page for language models


def ui(overrides: Sequence[str], *, host: str, port: int) -> int:  # noqa: RET503
    """Replace this process by the MLflow server."""
    settings = compose.load_shared(overrides)
    uri = store_uri(settings.tracker.uri, settings.output_dir)
    if uri.startswith(("http://", "https://")):
        print(f"results are logged to an MLflow server; open {redact(uri)} in a browser")  # noqa: T201
        return EXIT_DONE
    require_free(host, port)
    folder_of(settings).mkdir(parents=True, exist_ok=True)
    artifacts = default_artifacts(settings.output_dir)
    if not uri.startswith("sqlite:///") or Path(uri.removeprefix("sqlite:///")).exists():
        with contextlib.suppress(SQLAlchemyError):  # the server reports it better
            artifact_paths.follow(uri, artifacts)
    where = f"http://{host}:{port}/{EXPERIMENTS}"
    print(f"MLflow on {redact(uri)}\nopen {where}   (stop with Ctrl-C)", flush=True)  # noqa: T201
    arguments = import_path.python("-m", "mlflow", "server", "--host", host, "--port", str(port))
    arguments += ["--backend-store-uri", uri]
    arguments += ["--default-artifact-root", artifacts]
    # More workers would be restarted forever if another process took the port just now.
    arguments += ["--workers", "1"]
    # uvicorn would import from the working folder, which is its --app-dir.
    arguments += ["--uvicorn-opts", f"--log-level warning --app-dir {os.devnull}"]
    os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "WARNING"}
    # Jobs are for language models, and each server would leave a folder in /dev/shm.
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    # Its workers inherit the first; the second keeps the working folder off `python -m`'s path.
    os.environ |= {"PYTHONWARNINGS": "ignore", "PYTHONSAFEPATH": "1"}
    os.execv(sys.executable, arguments)


def require_free(host: str, port: int) -> None:
    """Refuse a port that is taken or invalid, and a host that is not this machine.

    Raises
    ------
    UserError
        Its message suggests another port or host.
    """
    if not 1 <= port <= 65535:
        raise UserError(f"--port must be between 1 and 65535, got {port}.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError as error:
            raise UserError(f"--port {port} needs root; choose one above 1023.") from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise UserError(
                    f"--host {host} is not an address of this machine ({error.strerror}); use "
                    f"127.0.0.1 to serve this machine only, 0.0.0.0 to serve the network."
                ) from error
            other = port + 1 if port < 65535 else port - 1
            raise UserError(
                f"--port {port} on {host} is taken, perhaps by another 'raystudy ui'; choose "
                f"another, such as --port {other}."
            ) from error
