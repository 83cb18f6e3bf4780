"""``raystudy ui``: the tracker's user interface on the results, or Optuna's on one study."""

import contextlib
import errno
import importlib.util
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

from raystudy.cli.commands.arguments import optional_study
from raystudy.config import compose
from raystudy.config.output_dir import folder_of, results_folder, results_folder_among
from raystudy.errors import EXIT_DONE, UserError
from raystudy.storage.folders import open_study_folder
from raystudy.study.open_tracker import open_tracker, settings_of_study


def ui(  # noqa: RET503
    study: str | None,
    overrides: Sequence[str],
    *,
    host: str,
    port: int,
    optuna: str | None,
    address: bool,
) -> int:
    """Replace this process by the tracker's own server, or serve Optuna's dashboard of a study.

    Parameters
    ----------
    study : str, optional
        Whose page to show. A setting is taken as an override.
    overrides : sequence of str
    host : str
    port : int
    optuna : str, optional
        The study of the dashboard.
    address : bool
        Whether to say only where the server's pages are.
    """
    study_id, overrides = optional_study("ui", study, overrides)
    if optuna is not None:
        if address:
            raise UserError("ui: --address is of MLflow's pages; leave it or --optuna out.")
        if study_id is not None:
            raise UserError(f"ui: give {study_id} or --optuna {optuna}, not both.")
        return _dashboard(optuna, overrides, host, port)
    folder = None if study_id is None else open_study_folder(results_folder(overrides), study_id)
    settings = (
        compose.load_shared(overrides) if folder is None else settings_of_study(folder, overrides)
    )
    interface = open_tracker(settings).user_interface(host, port, folder)
    if address or not interface.command:
        print(interface.words)  # noqa: T201
        return EXIT_DONE
    if _runs(interface.command):
        print(f"{interface.words}\nit runs already")  # noqa: T201
        return EXIT_DONE
    require_free(host, port)
    folder_of(settings).mkdir(parents=True, exist_ok=True)
    print(f"{interface.words}\nCtrl-C ends it", flush=True)  # noqa: T201
    os.environ |= interface.environment
    os.execv(sys.executable, list(interface.command))


def _runs(command: Sequence[str]) -> bool:
    """Return whether a process of this machine has these arguments, its program aside."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended, or is another user's
            given = (process / "cmdline").read_text(errors="replace").split("\0")
            if given[1:-1] == list(command[1:]):
                return True
    return False


def _dashboard(study_id: str, overrides: Sequence[str], host: str, port: int) -> int:
    """Serve until Ctrl-C."""
    if importlib.util.find_spec("optuna_dashboard") is None:
        raise UserError(
            "ui --optuna needs the package optuna-dashboard; install it by "
            "pip install 'raystudy[dashboard]', or leave --optuna out for MLflow."
        )
    from raystudy.study.stored import StoredStudy

    study = StoredStudy.open(results_folder_among(overrides), study_id)
    if not study.trials:
        raise UserError(f"{study_id} has no trials yet, so there is nothing to show.")
    require_free(host, port)
    import optuna_dashboard

    storage = study.growing
    number = storage.get_study_id_from_name(study_id)
    app = optuna_dashboard.wsgi(storage)
    with make_server(host, port, app, handler_class=_Silent) as server:
        address = f"http://{host}:{port}/dashboard/studies/{number}"
        print(f"Optuna's dashboard of {study_id}, until Ctrl-C: {address}", flush=True)  # noqa: T201
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
    return EXIT_DONE


class _Silent(WSGIRequestHandler):
    """Answers without a line for each request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """See `BaseHTTPRequestHandler.log_message`."""


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
