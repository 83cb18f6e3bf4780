"""A process that uploads the spool to MLflow while the study runs."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from raystudy.config import import_path
from raystudy.storage import file_names
from raystudy.storage.folders import StudyFolder
from raystudy.trackers.mlflow.client import ENVIRONMENT
from raystudy.trackers.mlflow.delivered import count_waiting
from raystudy.trackers.mlflow.upload_process import REASON, SAYS

LOOK_AGAIN_S = 0.5
SILENT_SECONDS = 2.0  # of waiting at the end, before a word is said


def start(order: Mapping[str, Any], *, stdout: int, stderr: int) -> subprocess.Popen[str]:
    """Start a process that uploads; it reads the order, a line of JSON, from its input.

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


class Uploader:
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
    only_once : bool
        Try once what is there already, instead of what comes until `close`.

    Attributes
    ----------
    folder : StudyFolder
    reason : str
        Why the one try failed.

    Raises
    ------
    OSError
        If no process can be started.
    """

    def __init__(
        self,
        folder: StudyFolder,
        uri: str,
        artifacts: str | None,
        warn: Callable[[str], None],
        *,
        only_once: bool = False,
    ) -> None:
        self.folder = folder
        self.reason = ""
        self._uri = uri
        self._warn = warn
        self._only_once = only_once
        order = {
            "folder": str(folder.path.resolve()),
            "uri": uri,
            "artifacts": artifacts,
            "only_once": only_once,
        }
        self._process = start(order, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def close(self, patience: float, say: Callable[[str], None]) -> int:
        """Wait until the rest is delivered; return how many events wait after `patience` seconds.

        Ctrl-C ends the waiting, too. `say` shows that there is something to wait for.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died
            self._process.stdin.close()
        with contextlib.suppress(KeyboardInterrupt):
            if not self._has_ended(min(patience, SILENT_SECONDS)):
                say("delivering the last results to MLflow; Ctrl-C leaves them on disk")
                self._has_ended(patience - SILENT_SECONDS)
        self._process.terminate()  # what it did not note will be delivered again
        self._process.wait()
        self._listener.join()
        return count_waiting(self.folder, self._uri)

    def _has_ended(self, patience: float) -> bool:
        """Return whether it ended within `patience` seconds, or others did all there was."""
        deadline = time.monotonic() + patience
        while True:
            rest = deadline - time.monotonic()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(min(max(rest, 0), LOOK_AGAIN_S if self._only_once else rest))
                return True
            # The study's driver may run, in another process, and deliver this as well.
            if self._only_once and not count_waiting(self.folder, self._uri):
                return True
            if rest <= 0:
                return False

    def _listen(self) -> None:
        assert self._process.stdout is not None
        last = ""
        for line in self._process.stdout:
            if line.startswith(SAYS):
                self._warn(line.removeprefix(SAYS).strip())
            elif line.startswith(REASON):
                self.reason = line.removeprefix(REASON).strip()
            else:
                last = line.strip() or last
        code = self._process.wait()
        if code not in (0, -signal.SIGTERM):
            self._warn(f"the process that uploads to MLflow ended with {code}: {last}")
