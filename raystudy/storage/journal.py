"""Optuna's journal file with one writer."""

import contextlib
import gc
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend

from raystudy.errors import UserError
from raystudy.storage import disk

ONLY_READ = "this view of a study is only read; raystudy alone writes its journal."


class Journal(BaseJournalBackend):
    """Optuna's journal format, written in transactions by the one driver of a study.

    Optuna's own ``JournalFileBackend`` reads the same file. As a writer it has three faults for us:
    it locks and syncs for every single operation (ten or more per trial), a driver killed within
    leaves a lock that blocks the next one for 30 s, and a torn last line spoils all that is
    appended after it. Here a transaction is one write and one sync, the study folder's own lock
    keeps other drivers out, and a torn line is removed when the file is opened.

    Parameters
    ----------
    path : Path
        Created if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._logs, length = _read(path)
        self._first = 0  # number of the first operation that is still in memory
        self._file = path.open("ab", buffering=0)
        self._file.truncate(length)
        self._pending: list[str] = []
        self._depth = 0
        self._durable = False

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Return the operations from a number on, and forget those before.

        The storage above has taken these in; kept twice they would be half of a driver's memory.
        """
        assert log_number_from >= self._first
        del self._logs[: log_number_from - self._first]
        self._first = log_number_from
        return iter(self._logs)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add operations; they reach the disk at the end of the transaction."""
        with self.transaction(durable=self._depth == 0):
            for log in logs:
                line = json.dumps(log, separators=(",", ":"))
                self._pending.append(f"{line}\n")
                # Through JSON, so that memory holds what a later driver will read.
                self._logs.append(json.loads(line))

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """Write all that is appended within at once; nested ones are part of the outer one.

        Parameters
        ----------
        durable : bool
            Wait until it is on the disk itself. Without, a killed driver loses nothing, a machine
            without power perhaps the last epochs, which are then run again.
        """
        self._depth += 1
        self._durable = self._durable or durable
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._write()

    def _write(self) -> None:
        disk.append(self._file, "".join(self._pending).encode())
        if self._durable:
            os.fsync(self._file.fileno())
        self._pending, self._durable = [], False

    def close(self) -> None:
        """Close the file; what a full disk has not taken is tried once more."""
        with contextlib.suppress(OSError):
            self._write()
        self._file.close()


class Snapshot(BaseJournalBackend):
    """The whole lines of a journal as they are now; another process may be adding to it."""

    def __init__(self, path: Path) -> None:
        self._logs, _ = _read(path)

    @property
    def storage(self) -> JournalStorage:
        """What Optuna makes of it."""
        with no_collection():
            return JournalStorage(self)

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Return the operations from a number on."""
        return iter(self._logs[log_number_from:])

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Refuse: it is only read."""
        raise UserError(ONLY_READ)


class Live(JournalFileBackend):
    """A journal that another process writes, read again and again as it grows.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Refuse: it is only read."""
        raise UserError(ONLY_READ)


def _read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the operations of a journal and its length up to the last whole line, in bytes."""
    content = path.read_bytes() if path.exists() else b""
    length = content.rfind(b"\n") + 1
    lines = content[:length].decode().rstrip("\n").split("\n")
    try:  # all at once: line by line it takes twice as long
        return json.loads(f"[{','.join(lines)}]"), length
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is damaged: {error}; restore it from a copy.") from error


@contextmanager
def no_collection() -> Iterator[None]:
    """Make millions of objects, none of them garbage, without a look for garbage: a third less."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
