"""``raystudy ui``: the tracker's user interface on the results."""

import errno
import os
import socket
import sys
from collections.abc import Sequence

from raystudy.config import compose
from raystudy.config.output_dir import folder_of
from raystudy.errors import EXIT_DONE, UserError
from raystudy.study.open_tracker import open_tracker


def ui(overrides: Sequence[str], *, host: str, port: int) -> int:  # noqa: RET503
    """Replace this process by the tracker's own server."""
    settings = compose.load_shared(overrides)
    interface = open_tracker(settings).user_interface(host, port)
    if not interface.command:
        print(interface.words)  # noqa: T201
        return EXIT_DONE
    require_free(host, port)
    folder_of(settings).mkdir(parents=True, exist_ok=True)
    print(interface.words, flush=True)  # noqa: T201
    os.environ |= interface.environment
    os.execv(sys.executable, list(interface.command))


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
