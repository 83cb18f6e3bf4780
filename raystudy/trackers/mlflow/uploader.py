"""A process that carries the spool to MLflow while the study goes on."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from raystudy.config import import_path
from raystudy.storage import file_names
from raystudy.storage.folders import StudyFolder
from raystudy.trackers.mlflow.client import ENVIRONMENT
from raystudy.trackers.mlflow.delivery import count_waiting
from raystudy.trackers.mlflow.upload_process import SAYS

SILENT_SECONDS = 2.0  # of waiting at the end, before a word is said


def start(order: Mapping[str, Any], *, stdout: int, stderr: int) -> subprocess.Popen[str]:
    """Start a process that carries; it reads the order, a line of JSON, from its input.

    By the pipe, not as an argument: the URI may hold a password, and `ps` shows arguments.
    """
    process = subprocess.Popen(
        import_path.python("-m", "raystudy.trackers.mlflow.upload_process"),
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        text=True,
        errors=file_names.ANY,
        env={
            **ENVIRONMENT,
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
        start_new_session=True,  # Ctrl-C is for the driver
    )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it died; who waits for it sees that
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
    return process


class Courier:
    """Deliver in the background.

    A process, not a thread: MLflow's import and the tables of a new database are 6 to 9 s of
    Python. As a thread they slowed a small training in the same process threefold (with two torch
    threads forty-fold) for that long; of a process of low priority nothing was to be measured.

    Parameters
    ----------
    folder : StudyFolder
    uri : str
    artifacts : str, optional
        See `MlflowStore`.
    warn : callable (str) -> None
        Called from a thread.

    Raises
    ------
    OSError
        If no process can be started.
    """

    def __init__(
        self, folder: StudyFolder, uri: str, artifacts: str | None, warn: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._uri = uri
        self._warn = warn
        order = {"folder": str(folder.path.resolve()), "uri": uri, "artifacts": artifacts}
        self._process = start(order, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def finish(self) -> None:
        """Nothing more will come."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died; `close` says what is left
            self._process.stdin.close()

    def close(self, patience: float, say: Callable[[str], None]) -> None:
        """Wait until the rest is delivered; warn if some is left after `patience` seconds.

        Ctrl-C ends the waiting, too. `say` hears that there is something to wait for.
        """
        self.finish()
        with contextlib.suppress(KeyboardInterrupt):
            if not self._has_ended(min(patience, SILENT_SECONDS)):
                say("delivering the last results to MLflow; Ctrl-C leaves them on disk")
                self._has_ended(patience - SILENT_SECONDS)
        self._process.terminate()  # what it did not note will be delivered again
        self._process.wait()
        self._listener.join()
        if left := count_waiting(self._folder, self._uri):
            self._warn(
                f"{left} events wait for MLflow in {self._folder.spool}; deliver them by: "
                f"{self._folder.command('sync')}"
            )

    def _has_ended(self, patience: float) -> bool:
        try:
            self._process.wait(max(patience, 0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def _listen(self) -> None:
        assert self._process.stdout is not None
        last = ""
        for line in self._process.stdout:
            if line.startswith(SAYS):
                self._warn(line.removeprefix(SAYS).strip())
            else:
                last = line.strip() or last
        code = self._process.wait()
        if code not in (0, -signal.SIGTERM):
            self._warn(f"MLflow hears no more of this study: its courier ended with {code}: {last}")
