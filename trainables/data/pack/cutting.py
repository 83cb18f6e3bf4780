"""Views of a batch, cut out of images that are decoded once for all of them."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trainables import distributed
from trainables.augment.crops import NUMBERS, Boxes
from trainables.data.jpeg import Pixels
from trainables.data.pack.pace import Pace
from trainables.memory import send

GROUP = 4  # images decoded by a thread before it takes others
# The kernel for bytes of `interpolate`, written to where it belongs: a third less of its time.
RESIZE = torch.ops.aten._upsample_bilinear2d_aa.out
SHARE = 224 / 256  # of the shorter side that an evaluation sees: the papers' resize and crop


@dataclass(frozen=True, kw_only=True)
class Draws:
    """What the boxes of an epoch follow from, with the batch and the place in it.

    Parameters
    ----------
    seed, epoch : int
    first : int
        Batch with which the iteration starts.
    """

    seed: int
    epoch: int
    first: int = 0

    def numbers(self, batch: int, request: int, rows: int) -> Tensor:
        """Return this rank's rows of a batch's random numbers, shape (rows, NUMBERS)."""
        # torch reads the low 32 bits of a seed: seeds far apart may still be one stream.
        seed = zlib.crc32(repr((self.seed, self.epoch, self.first + batch, request)).encode())
        stream = torch.Generator().manual_seed(seed)
        return distributed.draw_rows(lambda n: torch.rand(n, NUMBERS, generator=stream), rows)


class Request(NamedTuple):
    """What is wanted of some rows: boxes of a `RandomResizedCrop`, or without one the middles."""

    crop: Any
    first: int
    last: int


class _Box(NamedTuple):
    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class _Prepared:
    request: Request
    pixels: Tensor  # (N, H, W, 4), uint8; the last channel means nothing
    mirrored: Tensor  # (N,), bool: which still have to be
    work: Sequence[Future[None]]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What batches of one set share.

    Parameters
    ----------
    read : callable
        Returns the pixels of an image.
    heights, widths : ndarray
        Of the images.
    size : int
        Height and width of what is cut out.
    device : torch.device
    pool : Executor
    pace : Pace
    """

    read: Callable[[int], Pixels]
    heights: npt.NDArray[np.int32]
    widths: npt.NDArray[np.int32]
    size: int
    device: torch.device
    pool: Executor
    pace: Pace


class WholeBatch:
    """The images of one batch, as their origin.

    What training will ask for is prepared before it asks: what it asked of the last batch. Boxes
    follow from `numbers` alone, so that what is not prepared is cut when it is asked for, and is
    the same.

    Parameters
    ----------
    bench : Bench
    rows : ndarray
        Of the images, in the set.
    numbers : callable
        From the number of a request and its rows to random numbers.
    expected : sequence of Request
    """

    def __init__(
        self,
        bench: Bench,
        rows: npt.NDArray[np.int64],
        numbers: Callable[[int, int], Tensor],
        expected: Sequence[Request],
    ) -> None:
        self.shape = (3, bench.size, bench.size)
        self.device = bench.device
        self.asked: list[Request] = []
        self._bench = bench
        self._rows = rows
        self._numbers = numbers
        self._middles: dict[Request, Tensor] = {}
        self._prepared = self._prepare(dict(enumerate(expected)))

    def cut(self, crop: Any, first: int, last: int) -> Tensor:
        """Return a random box of each of the rows, shape (N, C, H, W), float32 in [0, 1]."""
        return self._answer(Request(crop, first, last))

    def middle(self, first: int, last: int) -> Tensor:
        """Return the middles of the rows, in the same shape."""
        request = Request(None, first, last)
        if request not in self._middles:
            self._middles[request] = self._answer(request)
        return self._middles[request]

    def cancel(self) -> None:
        """Stop what is prepared."""
        for prepared in self._prepared.values():
            for work in prepared.work:
                work.cancel()

    def _answer(self, request: Request) -> Tensor:
        number = len(self.asked)
        self.asked.append(request)
        prepared = self._prepared.pop(number, None)
        if prepared is None or prepared.request != request:
            prepared = self._prepare({number: request})[number]
        with self._bench.pace.waiting():
            for work in prepared.work:
                work.result()
        return _floats(prepared.pixels, prepared.mirrored, self.device)

    def _prepare(self, requests: Mapping[int, Request]) -> dict[int, _Prepared]:
        """Start to decode what these requests are about, each image once."""
        size, pinned = self._bench.size, self.device.type == "cuda"
        targets, mirrored = [], []
        for number, request in requests.items():
            shape = (request.last - request.first, size, size, 4)
            pixels = torch.empty(shape, dtype=torch.uint8, pin_memory=pinned)
            boxes, turned = self._boxes(number, request)
            targets.append((request, pixels, boxes))
            mirrored.append(turned)
        rows = sorted({row for one in requests.values() for row in range(one.first, one.last)})
        groups = [rows[first : first + GROUP] for first in range(0, len(rows), GROUP)]
        work = [self._bench.pool.submit(self._cut, group, targets) for group in groups]
        return {
            number: _Prepared(request, pixels, turned, work)
            for number, (request, pixels, _), turned in zip(
                requests, targets, mirrored, strict=True
            )
        }

    def _boxes(self, number: int, request: Request) -> tuple[list[_Box], Tensor]:
        """Return the box of each row, and which of them are mirrored."""
        rows = self._rows[request.first : request.last]
        heights, widths = self._bench.heights[rows], self._bench.widths[rows]
        if request.crop is None:
            size, pairs = self._bench.size, zip(heights.tolist(), widths.tolist(), strict=True)
            middles = [_middle(height, width, size) for height, width in pairs]
            return middles, torch.zeros(len(rows), dtype=torch.bool)
        sizes = (torch.from_numpy(side.astype(np.float32)) for side in (heights, widths))
        found: Boxes = request.crop.boxes(self._numbers(number, len(rows)), *sizes)
        sides = torch.cat([found.corner, found.size], dim=1)
        return [_Box(*one) for one in sides.int().tolist()], found.mirrored

    def _cut(
        self, rows: Sequence[int], targets: Sequence[tuple[Request, Tensor, list[_Box]]]
    ) -> None:
        for row in rows:
            pixels = self._bench.read(int(self._rows[row]))
            for request, views, boxes in targets:
                if request.first <= row < request.last:
                    place = row - request.first
                    _cut_to(views[place], pixels, boxes[place])


def _floats(pixels: Tensor, mirrored: Tensor, device: torch.device) -> Tensor:
    """Return images (N, H, W, 4) of bytes as floats (N, 3, H, W) on a device, some mirrored."""
    whole = pixels.view(torch.int32)[..., 0]  # each pixel as one number
    if device.type != "cpu":
        # Pinned memory is torch's own ring: it is used anew once these copies have been made.
        whole = whole.to(device, non_blocking=True)
        turned = send(mirrored, device).view(-1, 1, 1)
        colours = _colours(torch.where(turned, whole.flip(2), whole))
        return colours.to(torch.float32, memory_format=torch.contiguous_format).div_(255)
    images = torch.empty(len(whole), 3, *whole.shape[1:])
    for image, one, turned in zip(images, whole, mirrored.tolist(), strict=True):
        # One at a time, which a cache holds.
        image.copy_(_colours(one.flip(1) if turned else one)).div_(255)
    return images


def _colours(whole: Tensor) -> Tensor:
    """Return the colours of pixels (..., H, W) that are one number each, shape (..., 3, H, W)."""
    return whole.unsqueeze(-1).view(torch.uint8)[..., :3].movedim(-1, -3)


def _middle(height: int, width: int, size: int) -> _Box:
    """Return the square in the middle; one of `size` pixels is not resized."""
    short = min(height, width)
    side = max(round(SHARE * short), min(short, size))
    return _Box((height - side) // 2, (width - side) // 2, side, side)


def _cut_to(view: Tensor, pixels: Pixels, box: _Box) -> None:
    """Write a box at the size of a view, shape (H, W, C).

    torch's kernel for bytes is as exact as Pillow's, antialiased as that is, and takes a quarter
    of its time; it wants channels last, which the axis of length 1 makes plain.
    """
    part = pixels[box.top : box.top + box.height, box.left : box.left + box.width]
    source = torch.from_numpy(part)
    if source.shape == view.shape:
        view.copy_(source)
        return
    planes, target = source[None].permute(0, 3, 1, 2), view[None].permute(0, 3, 1, 2)
    RESIZE(planes, list(view.shape[:2]), False, None, None, out=target)
