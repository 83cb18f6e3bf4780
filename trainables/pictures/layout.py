"""Where the images of a grid go, in whole pixels."""

from collections.abc import Collection
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels, counted from the top left."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Boxes of a grid's tiles and the space around them.

    Parameters
    ----------
    rows, columns : int
    tile : tuple of int
        Height and width of an enlarged image.
    gap, wide_gap : int
        Between tiles, and where there is a wider one.
    row_gaps, column_gaps : collection of int
        Rows and columns that a wider gap follows.
    captions : tuple of int
        Height of the text below each row.
    left, top, right, bottom : int
        Margins.
    """

    rows: int
    columns: int
    tile: tuple[int, int]
    gap: int
    wide_gap: int
    row_gaps: Collection[int]
    column_gaps: Collection[int]
    captions: tuple[int, ...]
    left: int
    top: int
    right: int
    bottom: int

    def box(self, row: int, column: int) -> Box:
        """Return where a tile goes."""
        height, width = self.tile
        left = self.left + column * width + self._gaps(column, self.column_gaps)
        above = row * height + sum(self.captions[:row]) + self._gaps(row, self.row_gaps)
        return Box(left, self.top + above, width, height)

    @property
    def width(self) -> int:
        """Width of the whole picture."""
        last = self.box(0, self.columns - 1)
        return last.left + last.width + self.right

    @property
    def height(self) -> int:
        """Height of the whole picture."""
        last = self.box(self.rows - 1, 0)
        return last.top + last.height + self.captions[-1] + self.bottom

    def _gaps(self, before: int, wide: Collection[int]) -> int:
        widened = sum(1 for place in wide if place < before)
        return before * self.gap + widened * (self.wide_gap - self.gap)


def enlarged_size(height: int, width: int, side: int) -> tuple[int, int]:
    """Return the size at which an image is shown: the longer side is at most `side`.

    Small images are enlarged by a whole factor, so that every pixel is a square.
    """
    longest = max(height, width)
    factor = side // longest
    if factor >= 2:
        return height * factor, width * factor
    return max(1, round(height * side / longest)), max(1, round(width * side / longest))


def enlarge(image: Tensor, side: int) -> Tensor:
    """Return an image at the size it is shown, shape (3, H', W'), in [0, 1]; grey stays grey."""
    colours = image if len(image) == 3 else image.mean(dim=0, keepdim=True).expand(3, -1, -1)
    height, width = enlarged_size(image.shape[1], image.shape[2], side)
    if side // max(image.shape[1:]) >= 2:
        factor = height // image.shape[1]
        return colours.repeat_interleave(factor, dim=1).repeat_interleave(factor, dim=2)
    shown = F.interpolate(
        colours[None].to(torch.float32), size=(height, width), mode="bilinear", antialias=True
    )
    return shown[0].clamp(0, 1)
