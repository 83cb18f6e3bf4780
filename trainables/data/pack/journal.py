"""Which images of a split are packed, through interruptions."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from trainables.data.pack.encoding import Encoded
from trainables.data.pack.layout import IMAGES, ROW, digest_of

CHUNK = 256  # images written at once, which waits for the disk
JOURNAL = "packed.bin"  # rows of images that are safe in images.bin, each with its file's key
ENTRY = np.dtype([("key", "<u8"), *((name, ROW[name]) for name in ROW.names or ())])


class Journal:
    """Images of a split as they are added, and those of an interrupted call."""

    def __init__(self, folder: Path, images: BinaryIO, entries: BinaryIO) -> None:
        self._images, self._entries = images, entries
        self._waiting: list[tuple[int, Encoded]] = []
        known = np.frombuffer(entries.read(), dtype=np.uint8)
        whole = known[: len(known) // ENTRY.itemsize * ENTRY.itemsize].view(ENTRY)
        end = images.seek(0, os.SEEK_END)
        whole = whole[whole["offset"] + whole["length"] <= end]
        self.rows = {int(row["key"]): row for row in whole}
        self._end = int((whole["offset"] + whole["length"]).max(initial=0))
        images.truncate(self._end)
        images.seek(self._end)
        entries.truncate(len(whole) * ENTRY.itemsize)
        entries.seek(0, os.SEEK_END)

    @classmethod
    @contextmanager
    def opened(cls, folder: Path) -> Iterator["Journal"]:
        folder.mkdir(exist_ok=True)
        for name in (IMAGES, JOURNAL):
            (folder / name).touch()
        with (folder / IMAGES).open("r+b") as images, (folder / JOURNAL).open("r+b") as entries:
            journal = cls(folder, images, entries)
            try:
                yield journal
            finally:
                journal.flush()

    def add(self, key: int, image: Encoded) -> None:
        self._waiting.append((key, image))
        if len(self._waiting) >= CHUNK:
            self.flush()

    def flush(self) -> None:
        """Write images, and only once they are on disk that they are there."""
        found = []
        for key, image in self._waiting:
            self._images.write(image.file)
            size = len(image.file), image.height, image.width
            found.append((key, self._end, *size, 0, digest_of(image.file)))
            self._end += len(image.file)
        rows = np.array(found, dtype=ENTRY)
        for file in (self._images, self._entries):
            if file is self._entries:
                file.write(rows.tobytes())
            file.flush()
            os.fsync(file.fileno())
        self.rows |= {int(row["key"]): row for row in rows}
        self._waiting.clear()
