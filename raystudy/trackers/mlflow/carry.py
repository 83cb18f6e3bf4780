"""The courier's own process: ``python -m raystudy.trackers.mlflow.carry``."""

import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from raystudy.study_folder import StudyFolder
from raystudy.trackers.mlflow.client import MlflowStore
from raystudy.trackers.mlflow.delivery import Delivery, alone
from raystudy.trackers.redaction import redact

SAYS = "raystudy: "  # begins a line of output that is meant for the user
GATHER_SECONDS = 1.0  # events of so long go together
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds between attempts
NICENESS = 5


def carry(
    folder: StudyFolder,
    uri: str,
    artifacts: str | None,
    *,
    closing: threading.Event,
    say: Callable[[str], None],
) -> None:
    """Deliver what comes into the spool until `closing` is set and a last attempt was made.

    An error is told once and tried again ever more rarely.

    Parameters
    ----------
    folder : StudyFolder
    uri : str
    artifacts : str, optional
        See `MlflowStore`.
    closing : Event
    say : callable (str) -> None
    """
    said: set[str] = set()

    def say_once(topic: str, sentence: str) -> None:
        if topic not in said:
            said.add(topic)
            say(redact(sentence))

    def refused(what: str) -> None:
        say_once("refused", f"MLflow at {uri} refused {what}; it is left out there.")

    pause, store, delivery = FIRST_PAUSE, None, None
    while True:
        is_last = closing.is_set()
        try:
            store = store or MlflowStore(uri, artifacts, refused)
            delivery = delivery or Delivery(folder, store, uri)
            while delivery.step():
                pass
            pause, wait = FIRST_PAUSE, GATHER_SECONDS
        except Exception as error:  # of any library between here and the server
            delivery = None
            say_once(
                "absent",
                f"MLflow at {uri} takes nothing now ({cause(error)}); the study "
                f"goes on, and what there is to log waits in {folder.spool}.",
            )
            pause, wait = min(2 * pause, LONGEST_PAUSE), pause
        if is_last:
            return
        closing.wait(wait)


def cause(error: BaseException) -> str:
    """Return what an error really is about: the message at the bottom of its chain."""
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return redact(f"{type(error).__name__}: {error}".splitlines()[0])[:200]


def main() -> None:
    """Read the order, a line of JSON, from standard input; its end says that the study ended.

    It also ends when the driver is killed: the last events are delivered all the same.
    """
    os.nice(NICENESS)  # training comes first
    order = json.loads(sys.stdin.readline())
    folder = StudyFolder(Path(order["folder"]))
    closing = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        closing.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    with alone(folder):
        carry(folder, order["uri"], order["artifacts"], closing=closing, say=_say)


def _say(sentence: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # the driver may be gone
        print(f"{SAYS}{sentence}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
