"""Crops, shifts and mirror images."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.augment.pipeline import check_probability, coin, linear_weights, resample, uniform
from trainables.distributed import draw_rows

TRIES = 10  # torchvision's


@dataclass(frozen=True)
class Boxes:
    """A crop of every image.

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

    Boxes are distributed as torchvision's ``RandomResizedCrop`` draws them; resizing is bilinear.

    Parameters
    ----------
    scale_min, scale_max : float
        Share of the area.
    ratio_min, ratio_max : float
        Width over height, log-uniform.
    mirror : float
        Probability of a left-right flip.
    """

    scale_min: float
    scale_max: float = 1.0
    ratio_min: float = 3 / 4
    ratio_max: float = 4 / 3
    mirror: float = 0.5

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
        check_probability("mirror", self.mirror)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the crops, shape (N, C, H, W)."""
        return self.apply(images, self.draw(images))

    def draw(self, images: Tensor) -> Boxes:
        """Draw a box for each image: the first of ten tries that fits, else the whole image."""
        full_height, full_width = images.shape[2:]
        area = uniform(images, self.scale_min, self.scale_max, TRIES) * full_height * full_width
        log_ratio = uniform(images, math.log(self.ratio_min), math.log(self.ratio_max), TRIES)
        widths = (area * log_ratio.exp()).sqrt().round()
        heights = (area / log_ratio.exp()).sqrt().round()
        fits = (widths >= 1) & (widths <= full_width) & (heights >= 1) & (heights <= full_height)
        first = fits.int().argmax(dim=1, keepdim=True)  # of equal maxima the first
        fitting = fits.any(dim=1)
        width = torch.where(fitting, widths.gather(1, first)[:, 0], float(full_width))
        height = torch.where(fitting, heights.gather(1, first)[:, 0], float(full_height))
        corner = uniform(images, 0, 1, 2)
        top = (corner[:, 0] * (full_height - height + 1)).floor()
        left = (corner[:, 1] * (full_width - width + 1)).floor()
        return Boxes(top, left, height, width, coin(images, self.mirror))

    def apply(self, images: Tensor, boxes: Boxes) -> Tensor:
        """Return the boxes, resized to the images' size."""
        height, width = images.shape[2:]
        rows = _positions(boxes.top, boxes.height, height)
        columns = _positions(boxes.left, boxes.width, width)
        columns = torch.where(boxes.mirrored.unsqueeze(1), columns.flip(1), columns)
        return resample(images, linear_weights(rows, height), linear_weights(columns, width))


def _positions(first: Tensor, length: Tensor, size: int) -> Tensor:
    """Return where `size` evenly spaced pixels read from a segment, never beyond its ends."""
    pixel = torch.arange(size, device=first.device, dtype=torch.float32) + 0.5
    inside = pixel * (length / size).unsqueeze(1) - 0.5
    return first.unsqueeze(1) + inside.clamp(min=0).minimum((length - 1).unsqueeze(1))


@dataclass(frozen=True)
class Shifts:
    """A shift of every image.

    Parameters
    ----------
    down, right : Tensor, shape (N,), whole pixels as float32
    mirrored : Tensor, shape (N,), bool
    """

    down: Tensor
    right: Tensor
    mirrored: Tensor


@dataclass(frozen=True, kw_only=True)
class RandomShift:
    """Pad with black and cut out the image's own size, mirrored or not.

    Parameters
    ----------
    padding : int
        Pixels on each side.
    mirror : float
        Probability of a left-right flip.
    """

    padding: int
    mirror: float = 0.5

    def __post_init__(self) -> None:
        if self.padding < 0:
            raise ValueError(f"a shift needs padding >= 0, got {self.padding}.")
        check_probability("mirror", self.mirror)

    def __call__(self, images: Tensor) -> Tensor:
        """Return shifted images, shape (N, C, H, W)."""
        return self.apply(images, self.draw(images))

    def draw(self, images: Tensor) -> Shifts:
        """Draw a shift for each image."""
        offsets = draw_rows(
            lambda n: torch.randint(-self.padding, self.padding + 1, (n, 2), device=images.device),
            len(images),
        ).float()
        return Shifts(offsets[:, 0], offsets[:, 1], coin(images, self.mirror))

    def apply(self, images: Tensor, shifts: Shifts) -> Tensor:
        """Return the images moved, black where nothing was."""
        height, width = images.shape[2:]
        pixel = torch.arange(max(height, width), device=images.device, dtype=torch.float32)
        rows = pixel[:height] - shifts.down.unsqueeze(1)
        columns = pixel[:width] - shifts.right.unsqueeze(1)
        columns = torch.where(shifts.mirrored.unsqueeze(1), columns.flip(1), columns)
        return resample(images, linear_weights(rows, height), linear_weights(columns, width))
