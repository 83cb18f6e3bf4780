"""Reading a pack: one image at a time, in any order, by any number of threads."""

import os
import weakref
from functools import cached_property

import numpy as np
import numpy.typing as npt

from trainables.data import jpeg
from trainables.data.pack.layout import IMAGES, Part, digest_of


class DamagedPackError(ValueError):
    """A pack changed while, or after, it was opened."""


class Reader:
    """Images of one split.

    Files are read and not mapped: what a mapping reads counts as the process's own memory, and a
    file cut short while it is mapped ends the process by a signal.

    Parameters
    ----------
    part : Part
    where : str
        What the sentence starts with if something is wrong, such as ``data.root=/packed: ``.
    """

    def __init__(self, part: Part, where: str) -> None:
        self._part = part
        self._where = where
        self._known = np.zeros(len(part.rows), dtype=bool)  # read before, and whole

    @cached_property
    def _file(self) -> int:
        file = os.open(self._part.folder / IMAGES, os.O_RDONLY)
        weakref.finalize(self, os.close, file)
        return file

    def file(self, row: int) -> bytes:
        """Return the JPEG of an image.

        Raises
        ------
        DamagedPackError
            If it is not the one that was packed, which is looked at when it is first read.
        """
        entry = self._part.rows[row]
        content = os.pread(self._file, int(entry["length"]), int(entry["offset"]))
        if not self._known[row]:
            if digest_of(content) != entry["digest"]:
                raise self._damaged(row, "is not the one that was packed")
            self._known[row] = True
        return content

    def pixels(self, row: int, *, fast: bool) -> npt.NDArray[np.uint8]:
        """Return an image, shape (H, W, 4); see `jpeg.decode`."""
        try:
            found = jpeg.decode(self.file(row), fast=fast)
        except DamagedPackError:
            raise
        except ValueError as error:
            raise self._damaged(row, str(error)) from None
        entry = self._part.rows[row]
        if found.shape[:2] != (entry["height"], entry["width"]):
            raise self._damaged(row, "has another size than the index says")
        return found

    def _damaged(self, row: int, what: str) -> DamagedPackError:
        return DamagedPackError(
            f"{self._where}image {row} of {self._part.folder.name}/{IMAGES} {what}; copy the pack "
            f"again, or pack the images anew."
        )
