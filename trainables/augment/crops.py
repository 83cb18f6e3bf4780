"""Crops and mirror images."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.augment.pipeline import check_probability, coin, uniform
from trainables.whole_images import WholeImages

TRIES = 10  # torchvision's
NUMBERS = 2 * TRIES + 3  # random ones for a box


@dataclass(frozen=True)
class Boxes:
    """A part of every image; what is outside the image is black.

    Parameters
    ----------
    top, left, height, width : Tensor, shape (N,), whole pixels as float32
    mirrored : Tensor, shape (N,), bool
    """

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor
    mirrored: Tensor


@dataclass(frozen=True, kw_only=True)
class RandomResizedCrop:
    """Cut out a box, resize it to the image's own size, mirror it or not, in one pass.

    Boxes are distributed as torchvision's ``RandomResizedCrop`` draws them; resizing is bilinear
    without antialiasing.

    Parameters
    ----------
    scale_min, scale_max : float
        Share of the area.
    ratio_min, ratio_max : float
        Width over height, log-uniform.
    mirror : bool
        Mirror half of the images left to right.
    """

    scale_min: float
    scale_max: float = 1.0
    ratio_min: float = 3 / 4
    ratio_max: float = 4 / 3
    mirror: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.scale_min <= self.scale_max <= 1:
            raise ValueError(
                f"a crop needs 0 < scale_min <= scale_max <= 1, got {self.scale_min} and "
                f"{self.scale_max}."
            )
        if not 0 < self.ratio_min <= self.ratio_max:
            raise ValueError(
                f"a crop needs 0 < ratio_min <= ratio_max, got {self.ratio_min} and "
                f"{self.ratio_max}."
            )
        _check_mirror(self.mirror)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the crops, shape (N, C, H, W)."""
        if isinstance(images, WholeImages):
            return images.cut(self)
        return self.apply(images, self.draw(images))

    def draw(self, images: Tensor) -> Boxes:
        """Draw a box for each image: the first of ten tries that fits, else a central one."""
        height, width = images.shape[2:]
        shares, ratios = uniform(images, 0, 1, TRIES), uniform(images, 0, 1, TRIES)
        corners, mirrored = uniform(images, 0, 1, 2), _toss(images, self.mirror)
        return self._boxes(shares, ratios, corners, mirrored, height, width)

    def boxes(self, numbers: Tensor, heights: Tensor, widths: Tensor) -> Boxes:
        """Return boxes in images of different sizes.

        Parameters
        ----------
        numbers : Tensor, shape (N, NUMBERS)
            Random ones in [0, 1).
        heights, widths : Tensor, shape (N,), whole pixels as float32
        """
        shares, ratios, corners, coin = torch.split(numbers, [TRIES, TRIES, 2, 1], dim=1)
        mirrored = coin[:, 0] < (0.5 if self.mirror else 0.0)
        return self._boxes(shares, ratios, corners, mirrored, heights, widths)

    def _boxes(
        self,
        shares: Tensor,
        ratios: Tensor,
        corners: Tensor,
        mirrored: Tensor,
        full_height: Tensor | int,
        full_width: Tensor | int,
    ) -> Boxes:
        area = _between(self.scale_min, self.scale_max, shares)
        area = area * _column(full_height) * _column(full_width)
        ratio = _between(math.log(self.ratio_min), math.log(self.ratio_max), ratios).exp()
        widths = (area * ratio).sqrt().round()
        heights = (area / ratio).sqrt().round()
        fits = (widths >= 1) & (widths <= _column(full_width))
        fits &= (heights >= 1) & (heights <= _column(full_height))
        first = fits.int().argmax(dim=1, keepdim=True)  # of equal maxima the first
        fitting = fits.any(dim=1)
        last_height, last_width = self._largest_boxes(full_height, full_width)
        height = torch.where(fitting, heights.gather(1, first)[:, 0], last_height)
        width = torch.where(fitting, widths.gather(1, first)[:, 0], last_width)
        free_height, free_width = full_height - height, full_width - width
        down, right = corners.unbind(1)
        top = torch.where(fitting, (down * (free_height + 1)).floor(), (free_height / 2).floor())
        left = torch.where(fitting, (right * (free_width + 1)).floor(), (free_width / 2).floor())
        return Boxes(top, left, height, width, mirrored)

    def _largest_boxes(
        self, heights: Tensor | int, widths: Tensor | int
    ) -> tuple[Tensor | float, Tensor | float]:
        if isinstance(heights, int) and isinstance(widths, int):
            return self._largest_box(heights, widths)
        assert isinstance(heights, Tensor)
        assert isinstance(widths, Tensor)
        sizes = zip(heights.tolist(), widths.tolist(), strict=True)
        tallest, widest = zip(*(self._largest_box(*size) for size in sizes), strict=True)
        return heights.new_tensor(tallest), widths.new_tensor(widest)

    def _largest_box(self, height: float, width: float) -> tuple[float, float]:
        """Return height and width of the largest box within the ratios, as torchvision does."""
        ratio = min(max(width / height, self.ratio_min), self.ratio_max)
        return float(min(height, round(width / ratio))), float(min(width, round(height * ratio)))

    def apply(self, images: Tensor, boxes: Boxes) -> Tensor:
        """Return the boxes, resized to the images' size."""
        return _read(images, boxes, "bilinear")


@dataclass(frozen=True, kw_only=True)
class RandomCrop:
    """Pad with black and cut out the image's own size, mirrored or not.

    Parameters
    ----------
    padding : int
        Pixels on each side.
    mirror : bool
        Mirror half of the images left to right.
    """

    padding: int
    mirror: bool = True

    def __post_init__(self) -> None:
        if self.padding < 0:
            raise ValueError(f"a crop needs padding >= 0, got {self.padding}.")
        _check_mirror(self.mirror)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the crops, shape (N, C, H, W)."""
        return self.apply(images, self.draw(images))

    def draw(self, images: Tensor) -> Boxes:
        """Draw a box of the image's own size for each image."""
        height, width = images.shape[2:]
        corner = uniform(images, 0, 2 * self.padding + 1, 2).floor() - self.padding
        top, left = corner.unbind(1)
        sizes = torch.full_like(top, height), torch.full_like(top, width)
        return Boxes(top, left, *sizes, _toss(images, self.mirror))

    def apply(self, images: Tensor, boxes: Boxes) -> Tensor:
        """Return the boxes, black where nothing was."""
        return _read(images, boxes, "nearest")


@dataclass(frozen=True, kw_only=True)
class RandomFlip:
    """Mirror a row left to right with some probability; the crops do so by themselves.

    Parameters
    ----------
    probability : float
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        check_probability("flip.probability", self.probability)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the images, some of them mirrored, shape (N, C, H, W)."""
        return self.apply(images, self.draw(images))

    def draw(self, images: Tensor) -> Tensor:
        """Draw which rows are mirrored, shape (N,), bool."""
        return coin(images, self.probability)

    def apply(self, images: Tensor, mirrored: Tensor) -> Tensor:
        """Return the chosen rows mirrored."""
        return torch.where(mirrored.view(-1, 1, 1, 1), images.flip(3), images)


def _between(low: float, high: float, share: Tensor) -> Tensor:
    return low + (high - low) * share


def _column(sizes: Tensor | int) -> Tensor | int:
    """Return sizes as what goes with one row of tries an image."""
    return sizes.unsqueeze(1) if isinstance(sizes, Tensor) else sizes


def _check_mirror(mirror: bool) -> None:
    if mirror not in (False, True):
        raise ValueError(f"mirror must be true (half of the images) or false, got {mirror}.")


def _toss(images: Tensor, mirror: bool) -> Tensor:
    return coin(images, 0.5 if mirror else 0.0)


def _read(images: Tensor, boxes: Boxes, mode: str) -> Tensor:
    """Return each image's box, resized to the images' size.

    ``grid_sample`` is one kernel for all rows, and neither autocast nor TF32 round its pixels as
    they would those of two matrix products, which take 1.1 to 1.9 times as long on a CPU core at
    32 x 32 and 3.5 times as long at 224 x 224.
    """
    height, width = images.shape[2:]
    down = _positions(boxes.top, boxes.height, height)
    right = _positions(boxes.left, boxes.width, width)
    right = torch.where(boxes.mirrored.unsqueeze(1), right.flip(1), right)
    grid = right.new_empty(len(images), height, width, 2)
    grid[..., 0] = ((2 * right + 1) / width - 1).unsqueeze(1)
    grid[..., 1] = ((2 * down + 1) / height - 1).unsqueeze(2)
    exact = images.to(torch.promote_types(images.dtype, torch.float32))
    crops = F.grid_sample(exact, grid.to(exact.dtype), mode=mode, align_corners=False)
    return crops.clamp_(0, 1).to(images.dtype)


def _positions(first: Tensor, length: Tensor, size: int) -> Tensor:
    """Return where `size` evenly spaced pixels read from a segment, never beyond its ends.

    Returns
    -------
    Tensor, shape (N, size)
        In pixels of the image, 0 being the centre of its first one.
    """
    pixel = torch.arange(size, device=first.device, dtype=torch.float32) + 0.5
    inside = pixel * (length / size).unsqueeze(1) - 0.5
    return first.unsqueeze(1) + inside.clamp(min=0).minimum((length - 1).unsqueeze(1))
