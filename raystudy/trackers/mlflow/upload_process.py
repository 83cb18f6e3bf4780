"""The process that uploads: ``python -m raystudy.trackers.mlflow.upload_process``."""

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from raystudy.storage import file_names
from raystudy.storage.folders import StudyFolder
from raystudy.storage.redaction import redact
from raystudy.trackers.mlflow.client import MlflowStore
from raystudy.trackers.mlflow.contact import reach, why
from raystudy.trackers.mlflow.delivery import Delivery, alone

SAYS = "raystudy: "  # starts a line of output that is meant for the user
REASON = "because: "  # starts the line that says why the one try failed
GATHER_SECONDS = 1.0  # events of so long go together
FIRST_PAUSE, MAX_DOUBLINGS = 1.0, 6  # between attempts: 1 s, 2 s, 4 s, ... 64 s
ATTEMPTS_AT_END = 3
NICENESS = 5


class Upload:
    """Deliver what comes into the spool; an error is tried again ever more rarely.

    Parameters
    ----------
    folder : StudyFolder
    uri : str
    artifacts : str, optional
        See `MlflowStore`.
    say : callable (str) -> None
        Shows, once each, an error that did not pass at once, and something refused.
    """

    def __init__(
        self, folder: StudyFolder, uri: str, artifacts: str | None, say: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._uri = uri
        self._artifacts = artifacts
        self._say = say
        self._said: set[str] = set()
        self._store: MlflowStore | None = None
        self._delivery: Delivery | None = None
        self._failures = 0

    def run_once(self) -> None:
        """Deliver what there is if the store answers; otherwise print why not."""
        try:
            reach(self._uri)
            self._step_on()
        except Exception as error:  # of any library between here and the server
            _print(f"{REASON}{why(error)}")

    def run_until_delivered(self) -> None:
        """Deliver what there is, however long that takes; end where the study was deleted."""
        while self._folder.spool.exists() and not self._attempt():
            time.sleep(self._pause)

    @property
    def _pause(self) -> float:
        return float(FIRST_PAUSE * 2 ** min(self._failures - 1, MAX_DOUBLINGS))

    def run(self, closing: threading.Event) -> None:
        """Deliver until `closing` is set and nothing is left, or the last attempts failed."""
        attempts_left = ATTEMPTS_AT_END
        while True:
            is_closing = closing.is_set()
            done = self._attempt()
            if is_closing:
                attempts_left -= 1
                if done or not attempts_left:
                    return
                time.sleep(FIRST_PAUSE)
            else:
                closing.wait(GATHER_SECONDS if done else self._pause)

    def _attempt(self) -> bool:
        """Return whether everything there is was delivered."""
        try:
            self._step_on()
        except Exception as error:  # of any library between here and the server
            self._delivery = None
            self._failures += 1
            if self._failures > 1:  # sqlite refuses one of two writers for a moment
                self._say_once(
                    "absent",
                    f"MLflow at {self._uri} takes nothing now ({why(error)}); the study continues, "
                    f"and what there is to log waits in {self._folder.spool}.",
                )
            return False
        self._failures = 0
        return True

    def _step_on(self) -> None:
        self._store = self._store or MlflowStore(self._uri, self._artifacts, self._refused)
        self._delivery = self._delivery or Delivery(self._folder, self._store, self._uri)
        while self._delivery.step():
            pass

    def _refused(self, what: str) -> None:
        self._say_once("refused", f"MLflow at {self._uri} refused {what}; it is left out there.")

    def _say_once(self, topic: str, sentence: str) -> None:
        if topic not in self._said:
            self._said.add(topic)
            self._say(redact(sentence))


def main() -> None:
    """Read the order, a line of JSON, from standard input; its end says that the study ended.

    It also ends when the driver is killed: the last events are delivered all the same.
    """
    file_names.to_terminal()
    os.nice(NICENESS)  # training comes first
    order = json.loads(sys.stdin.readline())
    folder = StudyFolder(Path(order["folder"]))
    upload = Upload(folder, order["uri"], order["artifacts"], _say)
    if order.get("until_delivered") or order.get("only_once"):
        with alone(folder):
            upload.run_once() if order.get("only_once") else upload.run_until_delivered()
        return
    closing = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        closing.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    with alone(folder):
        upload.run(closing)


def _say(sentence: str) -> None:
    _print(f"{SAYS}{sentence}")


def _print(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # the driver may be gone
        print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
