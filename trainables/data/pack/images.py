"""Packed images in the place of a tensor of pixels."""

import os
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trainables.data.jpeg import Pixels
from trainables.data.pack.cutting import Bench, Draws, Request, WholeBatch
from trainables.data.pack.layout import Part, Rows
from trainables.data.pack.names import find
from trainables.data.pack.pace import Pace
from trainables.data.pack.reader import Reader
from trainables.data.pack.threads import pool
from trainables.whole_images import WholeImages

AHEAD = 2  # batches prepared while one is trained on


class PixelSource:
    """Where pixels come from: a pack's file, or memory.

    Parameters
    ----------
    part : Part
    where : str
        What the sentence starts with if something is wrong.
    members : ndarray
        The images that will be asked for.
    size : int
        Height and width of what training sees.
    threads : int, optional
        That decode; torch's number if left out.
    in_memory : bool
        Decode them now.
    """

    def __init__(
        self,
        part: Part,
        where: str,
        members: npt.NDArray[np.int64],
        *,
        size: int,
        threads: int | None,
        in_memory: bool,
    ) -> None:
        self.part, self.rows = part, part.rows
        self.size = size
        self.usual: dict[int, list[Request]] = {}  # asked of the last batch of so many rows
        # Nothing to cut from but what training sees: boxes are then cut on the device.
        sides = np.stack([part.rows["height"][members], part.rows["width"][members]])
        self.is_exact = bool((sides == size).all())
        self.pace = Pace()
        self._threads = threads
        self._reader = Reader(part, where)
        self._decoded: dict[int, Pixels] = {}
        if in_memory:
            _refuse_too_many(part.folder.name, part.rows[members], where)
            rows = members.tolist()
            self._decoded = dict(zip(rows, self.pool().map(self.read, rows), strict=True))

    def pool(self) -> ThreadPoolExecutor:
        """Return the threads."""
        return pool(self._threads or torch.get_num_threads())

    def read(self, row: int) -> Pixels:
        """Return an image, shape (H, W, 4); see `jpeg.decode`."""
        if (known := self._decoded.get(int(row))) is not None:
            return known
        return self._reader.pixels(row, fast=not self.is_exact)


@dataclass(frozen=True, eq=False)
class PackedImages:
    """Images (N, C, H, W) that are decoded when they are asked for.

    Parameters
    ----------
    source : PixelSource
    members : ndarray, shape (N,)
        Which images of the source these are.
    device : torch.device
        Where they are asked for.
    """

    source: PixelSource
    members: npt.NDArray[np.int64]
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __len__(self) -> int:
        """Return N."""
        return len(self.members)

    @property
    def shape(self) -> torch.Size:
        """(N, C, H, W)."""
        return torch.Size((len(self), 3, self.source.size, self.source.size))

    def numel(self) -> int:
        """Return the numbers in all images."""
        return self.shape.numel()

    def __getitem__(self, rows: Tensor | slice | int) -> "PackedImages":
        """Return the chosen images, not decoded either."""
        if isinstance(rows, int):
            rows = slice(rows, rows + 1)
        chosen = rows if isinstance(rows, slice) else rows.cpu().numpy()
        return replace(self, members=self.members[chosen])

    def to(self, device: torch.device | str) -> "PackedImages":
        """Return the same images for another device."""
        return replace(self, device=torch.device(device))

    def pixels(self) -> Tensor:
        """Return what an evaluation sees of all of them, float32 in [0, 1]."""
        return WholeBatch(self.bench(), self.members, _no_numbers, ()).middle(0, len(self))

    def batches(self, rows: Tensor, draws: Draws) -> Iterator[Tensor]:
        """Yield the images of each batch, prepared while the ones before are trained on.

        Parameters
        ----------
        rows : Tensor, shape (batches, rows of each)
        draws : Draws
        """
        table = self.members[rows.cpu().numpy()]
        bench, whole = self.bench(), Request(None, 0, rows.shape[1])
        usual, exact = self.source.usual, self.source.is_exact
        usual.setdefault(whole.last, [whole] if exact else [])

        def start(batch: int) -> WholeBatch:
            def numbers(request: int, count: int) -> Tensor:
                return draws.numbers(batch, request, count)

            return WholeBatch(bench, table[batch], numbers, usual[whole.last])

        for images in _ahead(start, len(table)):
            if exact:
                yield images.middle(0, whole.last)
            else:
                yield cast(Tensor, WholeImages(images, [(0, whole.last)]))
                usual[whole.last] = images.asked or usual[whole.last]

    def in_turn(self, chunks: Sequence[Tensor]) -> Iterator[Tensor]:
        """Yield what an evaluation sees of some rows, and then of others, as `batches` does."""
        bench = self.bench()

        def start(place: int) -> WholeBatch:
            rows = self.members[chunks[place].cpu().numpy()]
            return WholeBatch(bench, rows, _no_numbers, [Request(None, 0, len(rows))])

        for images, chunk in zip(_ahead(start, len(chunks)), chunks, strict=True):
            yield images.middle(0, len(chunk))

    def digests(self) -> npt.NDArray[np.uint64]:
        """Return what each image is."""
        found: npt.NDArray[np.uint64] = self.source.rows["digest"][self.members]
        return found

    def listed(self, names: Collection[str], where: str) -> npt.NDArray[np.bool_]:
        """Return which of these images are listed; see `trainables.data.pack.names.find`."""
        rows = find(self.source.part.folder, names, where)
        return np.isin(self.members, rows)

    def bench(self) -> Bench:
        """Return what batches of these images share."""
        source = self.source
        return Bench(
            read=source.read,
            heights=source.rows["height"],
            widths=source.rows["width"],
            size=source.size,
            device=self.device,
            pool=source.pool(),
            pace=source.pace,
        )


def _ahead(start: Callable[[int], WholeBatch], count: int) -> Iterator[WholeBatch]:
    """Yield what is started in turn, while the next ones are prepared."""
    ahead = deque[WholeBatch]()
    try:
        for place in range(count):
            while len(ahead) <= AHEAD and place + len(ahead) < count:
                ahead.append(start(place + len(ahead)))
            yield ahead.popleft()
    finally:
        for images in ahead:
            images.cancel()


def _no_numbers(request: int, rows: int) -> Tensor:
    raise NotImplementedError("evaluation cuts no random boxes")


def _refuse_too_many(split: str, rows: Rows, where: str) -> None:
    needed = int((rows["height"].astype(np.int64) * rows["width"]).sum()) * 4
    if hasattr(os, "sysconf"):
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if needed > there / 2:
            raise ValueError(
                f"{where}data.in_memory: the {split} images take {needed / 1e9:.1f} GB "
                f"and this machine has {there / 1e9:.1f} GB; leave it false."
            )
