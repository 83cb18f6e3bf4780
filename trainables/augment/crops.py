"""Crops and mirror images."""

import functools
import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.augment.pipeline import check_probability, coin, uniform
from trainables.fusible import fusible
from trainables.memory import constant
from trainables.whole_images import WholeImages

TRIES = 10  # torchvision's
NUMBERS = 2 * TRIES + 3  # random ones for a box
BELOW_HALF = 0.5 - 2**-25  # the largest such float32


@dataclass(frozen=True)
class Boxes:
    """A part of every image; what is outside the image is black.

    Parameters
    ----------
    corner : Tensor, shape (N, 2), whole pixels as float32
        Top and left.
    size : Tensor, shape (N, 2), whole pixels as float32
        Height and width.
    mirrored : Tensor, shape (N,), bool
    """

    corner: Tensor
    size: Tensor
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

    each_row: ClassVar[bool] = True

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
        areas = uniform(images, self.scale_min, self.scale_max, TRIES)
        stretches = uniform(images, *self._stretches, TRIES)
        others = uniform(images, 0, 1, 3)
        sides, largest = _sides(images), constant(self._largest_box(height, width), images.device)
        return self._boxes(areas * (height * width), stretches, others, sides, largest)

    def boxes(self, numbers: Tensor, heights: Tensor, widths: Tensor) -> Boxes:
        """Return boxes in images of different sizes.

        Parameters
        ----------
        numbers : Tensor, shape (N, NUMBERS)
            Random ones in [0, 1).
        heights, widths : Tensor, shape (N,), whole pixels as float32
        """
        shares, stretches, others = torch.split(numbers, [TRIES, TRIES, 3], dim=1)
        areas = _between(self.scale_min, self.scale_max, shares) * (heights * widths).unsqueeze(1)
        sizes = zip(heights.tolist(), widths.tolist(), strict=True)
        largest = heights.new_tensor([self._largest_box(*size) for size in sizes])
        sides = torch.stack([heights, widths], dim=1)
        return self._boxes(areas, _between(*self._stretches, stretches), others, sides, largest)

    @property
    def _stretches(self) -> tuple[float, float]:
        """Between what half the logarithm of the ratio is uniform."""
        return math.log(self.ratio_min) / 2, math.log(self.ratio_max) / 2

    def _boxes(
        self, areas: Tensor, stretches: Tensor, others: Tensor, sides: Tensor, largest: Tensor
    ) -> Boxes:
        """Return the first of each row's tries that fits, else the largest box in the middle.

        Parameters
        ----------
        areas, stretches : Tensor, shape (N, TRIES)
            In pixels; half the logarithms of width over height.
        others : Tensor, shape (N, 3)
            In [0, 1): for the corner and the mirror.
        sides, largest : Tensor, shape (N, 2) or (2,)
            Height and width of the images, and of the largest boxes.
        """
        corner, size, coins = _first_that_fits(areas, stretches, others, sides, largest)
        return Boxes(corner, size, coins < (0.5 if self.mirror else 0.0))

    def _largest_box(self, height: float, width: float) -> tuple[float, float]:
        """Return height and width of the largest box within the ratios, as torchvision does."""
        ratio = min(max(width / height, self.ratio_min), self.ratio_max)
        return float(min(height, round(width / ratio))), float(min(width, round(height * ratio)))

    def apply(self, images: Tensor, boxes: Boxes) -> Tensor:
        """Return the boxes, resized to the images' size."""
        height, width = images.shape[2:]
        pixels = _pixels(height, images.device), _pixels(width, images.device)
        grid = _grid(boxes.corner, boxes.size, boxes.mirrored, _sides(images), *pixels)
        # Rounding may leave [0, 1].
        return _sample(images, grid, "bilinear").clamp_(0, 1)


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

    each_row: ClassVar[bool] = True

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
        draws = uniform(images, -self.padding, self.padding + 1, 3)
        corner = draws[:, :2].floor()
        size = _sides(images).expand_as(corner)
        return Boxes(corner, size, draws[:, 2] < (0.5 if self.mirror else -self.padding))

    def apply(self, images: Tensor, boxes: Boxes) -> Tensor:
        """Return the boxes, black where nothing was; their size is the images'."""
        height, width = images.shape[2:]
        grid = _moved_grid(
            boxes.corner,
            boxes.mirrored,
            constant((2 / height, 2 / width), images.device),
            _pixels(height, images.device),
            _pixels(width, images.device),
            _pixels(width, images.device, mirrored=True),
        )
        return _sample(images, grid, "nearest")


@dataclass(frozen=True, kw_only=True)
class RandomFlip:
    """Mirror a row left to right with some probability; the crops do so by themselves.

    Parameters
    ----------
    probability : float
    """

    each_row: ClassVar[bool] = True

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


@fusible
def _first_that_fits(
    areas: Tensor, stretches: Tensor, others: Tensor, sides: Tensor, largest: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return corners and sizes, see `RandomResizedCrop._boxes`, and the random numbers left."""
    stretch = torch.stack((-stretches, stretches), dim=2).exp_()
    tries = (areas.sqrt().unsqueeze(2) * stretch).round_()
    fits = ((tries >= 1) & (tries <= sides.unsqueeze(-2))).all(dim=2)
    found, first = fits.byte().max(dim=1)  # of equal maxima the first
    size = tries.take_along_dim(first.view(-1, 1, 1), dim=1).squeeze(1)
    none = (found == 0).unsqueeze(1)
    size = torch.where(none, largest, size)
    # Of an odd number of free pixels, the smaller half is above.
    corner = others[:, :2].masked_fill(none, BELOW_HALF)
    corner = (corner * (sides - size).add_(1)).floor_()
    return corner, size, others[:, 2]


def _between(low: float, high: float, share: Tensor) -> Tensor:
    return low + (high - low) * share


def _check_mirror(mirror: bool) -> None:
    if mirror not in (False, True):
        raise ValueError(f"mirror must be true (half of the images) or false, got {mirror}.")


def _sides(images: Tensor) -> Tensor:
    """Return height and width, shape (2,)."""
    height, width = images.shape[2:]
    return constant((height, width), images.device)


def _sample(images: Tensor, grid: Tensor, mode: str) -> Tensor:
    """Return the pixels at the places of a grid.

    ``grid_sample`` is one kernel for all rows, and neither autocast nor TF32 round its pixels as
    they would those of two matrix products, which take 1.1 to 1.9 times as long on a CPU core at
    32 x 32 and 3.5 times as long at 224 x 224.
    """
    exact = images.to(torch.promote_types(images.dtype, torch.float32))
    pixels = F.grid_sample(exact, grid.to(exact.dtype), mode=mode, align_corners=False)
    return pixels.to(images.dtype)


@fusible
def _grid(
    corner: Tensor, size: Tensor, mirrored: Tensor, sides: Tensor, rows: Tensor, columns: Tensor
) -> Tensor:
    """Return where each pixel is read, shape (N, H, W, 2), from -1 to 1 over the image.

    No pixel is read from beyond the outermost pixels' centres of a box.
    """
    middle = torch.add(size, corner, alpha=2).div_(sides).sub_(1)
    half = size / sides
    reach = (size - 1).div_(sides)
    lowest, highest = middle - reach, middle + reach
    across = torch.where(mirrored, -half[:, 1], half[:, 1])

    def places(dim: int, slope: Tensor, pixels: Tensor) -> Tensor:
        centre, first, last = (value[:, dim, None] for value in (middle, lowest, highest))
        return torch.addcmul(centre, slope.unsqueeze(1), pixels).clamp_(first, last)

    return _cross(places(0, half[:, 0], rows), places(1, across, columns))


@fusible
def _moved_grid(
    corner: Tensor,
    mirrored: Tensor,
    pixel: Tensor,
    rows: Tensor,
    columns: Tensor,
    mirrored_columns: Tensor,
) -> Tensor:
    """Return what `_grid` does for boxes as large as the image, a `pixel` being so long there."""
    down, right = (corner * pixel).unsqueeze(2).unbind(1)
    across = torch.where(mirrored.unsqueeze(1), mirrored_columns, columns)
    return _cross(down + rows, right + across)


def _cross(ys: Tensor, xs: Tensor) -> Tensor:
    """Return every pair of rows' and columns' places, shape (N, H, W, 2)."""
    shape = (-1, ys.shape[1], xs.shape[1])
    return torch.stack((xs.unsqueeze(1).expand(shape), ys.unsqueeze(2).expand(shape)), dim=3)


@functools.cache
def _pixels(size: int, device: torch.device, *, mirrored: bool = False) -> Tensor:
    """Return the centres of pixels that share the space from -1 to 1."""
    first = 1 / size - 1
    return torch.linspace(*((-first, first) if mirrored else (first, -first)), size, device=device)
