"""A full disk: no trial's fault, and no half-written file may be left."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import BinaryIO

WORDS = ("No space left on device", "Disk quota exceeded", "disk is full")  # the last is sqlite's


def shortage(error: BaseException) -> str:
    """Return in words which full disk caused an error; empty if none did."""
    link: BaseException | None = error
    while link is not None:
        found = [words for words in WORDS if words in str(link)]
        if found:
            return found[0]
        link = link.__cause__ or link.__context__
    return ""


def ending(study: Path, shortage: str, resume: str) -> str:
    """Return the message about a study that a full disk ended.

    Parameters
    ----------
    study : Path
        Its folder.
    shortage : str
        In words.
    resume : str
        The command that continues it.
    """
    free = shutil.disk_usage(study).free / 2**20
    return (
        f"study '{study.name}' was ended: {shortage} ({free:.0f} MiB are free in {study}). What "
        f"was finished is kept; make room, then continue with '{resume}'."
    )


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield where to write a file's new content; once on disk it takes the old one's place."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def append(file: FileIO, content: bytes) -> None:
    """Write all of it to the end of an unbuffered file, or nothing."""
    before = file.seek(0, 2)
    rest = memoryview(content)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError:
        file.truncate(before)
        raise
