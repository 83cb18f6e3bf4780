"""A thread that carries the spool to MLflow while the study goes on."""

import threading
from collections.abc import Callable

from raystudy.study_folder import StudyFolder
from raystudy.trackers.mlflow.client import MlflowStore
from raystudy.trackers.mlflow.delivery import Delivery, count_waiting
from raystudy.trackers.redaction import redact

GATHER_SECONDS = 1.0  # events of so long go together
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds between attempts


class Courier:
    """Deliver in the background; an error is told once and tried again ever more rarely.

    Parameters
    ----------
    folder : StudyFolder
    uri : str
    artifacts : str, optional
        See `MlflowStore`.
    warn : callable (str) -> None
        Called from the courier's thread.
    """

    def __init__(
        self, folder: StudyFolder, uri: str, artifacts: str | None, warn: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._uri = uri
        self._artifacts = artifacts
        self._warn = warn
        self._warned: set[str] = set()
        self._store: MlflowStore | None = None
        self._delivery: Delivery | None = None
        self._news = threading.Event()
        self._closing = threading.Event()
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._work, name="raystudy-mlflow", daemon=True)
        self._thread.start()

    def nudge(self) -> None:
        """Say that there is something new."""
        self._news.set()

    def close(self, patience: float) -> None:
        """Deliver the rest, for at most `patience` seconds, and say so if some is left."""
        self._closing.set()
        self._news.set()
        self._thread.join(patience)
        self._given_up.set()
        if left := count_waiting(self._folder, self._uri):
            self._warn(
                f"{left} events wait for MLflow in {self._folder.spool}; deliver them by: "
                f"raystudy sync {self._folder.id}"
            )

    def _work(self) -> None:
        pause = FIRST_PAUSE
        while True:
            last = self._closing.is_set()
            try:
                self._deliver()
                pause = FIRST_PAUSE
            except Exception as error:  # whatever it is, the study goes on
                self._delivery = None
                self._warn_once(
                    "absent",
                    f"MLflow at {self._uri} cannot be reached ({cause(error)}); the study goes on "
                    f"and its metrics wait in {self._folder.spool}.",
                )
                if last:
                    return
                self._closing.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            if last or self._given_up.is_set():
                return
            self._news.wait()
            self._news.clear()
            self._closing.wait(GATHER_SECONDS)

    def _deliver(self) -> None:
        if self._store is None:
            self._store = MlflowStore(self._uri, self._artifacts, self._refused)
        if self._delivery is None:
            self._delivery = Delivery(self._folder, self._store, self._uri)
        while self._delivery.step():
            if self._given_up.is_set():
                return

    def _refused(self, what: str) -> None:
        self._warn_once("refused", f"MLflow at {self._uri} refused {what}; it is left out there.")

    def _warn_once(self, topic: str, sentence: str) -> None:
        if topic not in self._warned:
            self._warned.add(topic)
            self._warn(redact(sentence))


def cause(error: BaseException) -> str:
    """Return what an error really is about: the message at the bottom of its chain."""
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return redact(f"{type(error).__name__}: {error}".splitlines()[0])[:200]
