"""Events on disk, one JSON object per line, until MLflow has them."""

import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from raystudy.storage import disk
from raystudy.storage.redaction import redact

Event = Mapping[str, Any]


class Spool:
    """A file of events that only grows.

    A process killed while writing leaves a torn last line; it is closed by the next writer and
    skipped by readers. Credentials in URIs never reach the file.

    Parameters
    ----------
    path : Path
        Made if it is not there, with a line that gives this spool an identity of its own: studies
        of different folders may share a name and an MLflow server.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        if self._file.tell() and not _ends_with_newline(path):
            disk.append(self._file, b"\n")
        if not any(event["kind"] == "spool" for event, _ in read(path)):
            self.append({"kind": "spool", "format": 1, "uid": uuid.uuid4().hex})

    def append(self, event: Event) -> None:
        """Write an event so that it outlives this process."""
        line = redact(json.dumps(event, default=str))
        disk.append(self._file, f"{line}\n".encode())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read(path: Path, offset: int = 0) -> Iterator[tuple[Event, int]]:
    """Yield each whole event from a byte offset on, with the offset after it."""
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            try:
                event = json.loads(line)
            except ValueError:  # the end of a writer that was killed
                continue
            if isinstance(event, dict) and "kind" in event:
                yield event, offset


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read() == b"\n"
