"""Gaussian blur."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.augment.pipeline import check_probability, uniform
from trainables.fusible import fusible
from trainables.precision import exact

REACH = 4.0  # in widest standard deviations: the bell ends at 3e-4 of its peak
UNTOUCHED = 1e-3  # of so narrow a bell only the centre is left, and its weight is exactly 1


@dataclass(frozen=True, kw_only=True)
class GaussianBlur:
    """Blur a row with some probability, each by its own width.

    Parameters
    ----------
    sigma_min, sigma_max : float
        Standard deviation in pixels, uniform; PIL calls it the radius.
    probability : float
    """

    each_row: ClassVar[bool] = True

    sigma_min: float = 0.1
    sigma_max: float = 2.0
    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.sigma_min <= self.sigma_max:
            raise ValueError(
                f"a blur needs 0 < sigma_min <= sigma_max, got {self.sigma_min} and "
                f"{self.sigma_max}."
            )
        check_probability("blur.probability", self.probability)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the images, some of them blurred, shape (N, C, H, W)."""
        return self.apply(images, self.draw(images))

    def draw(self, images: Tensor) -> Tensor:
        """Draw a standard deviation for each image, shape (N,)."""
        sigma = uniform(images, self.sigma_min, self.sigma_max)
        return sigma.masked_fill_(uniform(images, 0, 1) >= self.probability, UNTOUCHED)

    def apply(self, images: Tensor, sigma: Tensor) -> Tensor:
        """Return the images blurred, mirrored at their edges."""
        blurred = images.to(torch.promote_types(images.dtype, torch.float32))
        reach = math.ceil(REACH * self.sigma_max)
        with exact(images.device):  # bfloat16 would round pixels
            for dim in (2, 3):
                # One reflection reaches no further than the image.
                bells = _bells(sigma, min(reach, images.shape[dim] - 1))
                blurred = _weigh_neighbours(blurred, bells.to(blurred.dtype), dim)
        return blurred.clamp_(0, 1).to(images.dtype)


@fusible
def _bells(sigma: Tensor, reach: int) -> Tensor:
    """Return the weights of each image's pixels by distance, shape (N, 2 * reach + 1)."""
    distance = torch.arange(-reach, reach + 1, device=sigma.device, dtype=sigma.dtype)
    return (distance / sigma.unsqueeze(1)).square_().mul_(-0.5).softmax(dim=1)


def _weigh_neighbours(images: Tensor, bells: Tensor, dim: int) -> Tensor:
    """Return each pixel's mean along an axis under its image's weights."""
    rows, channels, *sizes = images.shape
    reach = bells.shape[1] // 2
    edges, kernel = ((0, 0, reach, reach), (-1, 1)) if dim == 2 else ((reach, reach, 0, 0), (1, -1))
    padded = F.pad(images, edges, mode="reflect").flatten(0, 1).unsqueeze(0)
    weights = bells.repeat_interleave(channels, dim=0).view(rows * channels, 1, *kernel)
    return F.conv2d(padded, weights, groups=len(weights)).view(rows, channels, *sizes)
