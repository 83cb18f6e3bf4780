"""Processes that a local Ray leaves when it is ended during its start."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

MARK = "RAYSTUDY_RAY"  # in the environment of every process of a local Ray


@contextlib.contextmanager
def ending_orphans(folder: Path) -> Iterator[None]:
    """On exit, end every process that a local Ray of this temporary folder has left.

    A raylet that ends before it knows its agents leaves them running.
    """
    try:
        yield
    finally:
        end_marked(folder)


def end_marked(folder: Path) -> None:
    """End every process of a local Ray of this temporary folder."""
    for pid in marked(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def marked(folder: Path) -> list[int]:
    """Return the processes, this one left out, that bear the mark of a folder."""
    wanted, found = f"{MARK}={folder}".encode(), []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it ended, or is another user's
            if wanted in environment.read_bytes().split(b"\0"):
                found.append(int(environment.parent.name))
    return [pid for pid in found if pid != os.getpid()]
