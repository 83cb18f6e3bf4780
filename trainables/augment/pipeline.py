"""Augmentations of a whole batch on its device, each row with its own draw.

Every transform draws the batch's parameters first and applies them afterwards, so that known
parameters can be applied. Draws come from torch's global stream and are the same on all ranks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from trainables.distributed import draw_rows

Augmentation = Callable[[Tensor], Tensor]  # (N, C, H, W) -> (N, C, H, W), in [0, 1]


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Transforms one after the other; none at all is the identity.

    Parameters
    ----------
    transforms : mapping of str to Augmentation
        In the order they are applied; a name is the transform's place among the settings.
    """

    transforms: Mapping[str, Augmentation] = field(default_factory=dict)

    def __call__(self, images: Tensor) -> Tensor:
        """Return augmented images, shape (N, C, H, W)."""
        for transform in self.transforms.values():
            images = transform(images)
        return images


def uniform(images: Tensor, low: float, high: float, *shape: int) -> Tensor:
    """Draw from [low, high) for each image, shape (N, *shape)."""
    sample = draw_rows(lambda n: torch.rand(n, *shape, device=images.device), len(images))
    return low + (high - low) * sample


def coin(images: Tensor, probability: float) -> Tensor:
    """Toss a coin for each image, shape (N,), bool."""
    return uniform(images, 0, 1) < probability


def resample(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return ``rows @ image @ columns.T`` for every image and channel.

    Cropping, resizing, flipping, shifting and blurring along the axes are all of this form; two
    batched matrix products are faster than gathering pixels, on CPU and GPU alike.

    Parameters
    ----------
    images : Tensor, shape (N, C, H, W)
    rows : Tensor, shape (N, H', H)
    columns : Tensor, shape (N, W', W)
    """
    n, c, h, w = images.shape
    wide = images.reshape(n, c * h, w) @ columns.to(images.dtype).transpose(1, 2)
    return rows.to(images.dtype).unsqueeze(1) @ wide.view(n, c, h, -1)


def linear_weights(positions: Tensor, size: int) -> Tensor:
    """Return the weights that read between pixels, shape (N, P, size).

    Parameters
    ----------
    positions : Tensor, shape (N, P)
        Where to read, in pixels; outside the image all weights are 0.
    size : int
        Pixels along the axis.
    """
    pixels = torch.arange(size, device=positions.device, dtype=positions.dtype)
    return (1 - (positions.unsqueeze(2) - pixels).abs()).clamp_(min=0)


def check_probability(setting: str, probability: float) -> None:
    """Refuse what is no probability."""
    if not 0 <= probability <= 1:
        raise ValueError(f"{setting} must lie in [0, 1], got {probability}.")
