"""A data set at another size."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.image_set import ImageSet, Splits

CHUNK = 1000  # images as float32 at once


def resized(*, source: Callable[..., Splits], size: int, **arguments: Any) -> Splits:
    """Return the splits that `source` makes of the other arguments, with smaller or larger images.

    Parameters
    ----------
    source : callable
        A factory of splits, such as `stl10`.
    size : int
        Height and width in pixels; bilinear with antialiasing, as PIL does.
    **arguments
        Of `source`.
    """
    if size < 1:
        raise ValueError(f"data.image_size must be at least 1, got {size}.")
    splits = source(**arguments)
    train, val, test = (
        ImageSet(_resize(part.resident, size), part.labels)
        for part in (splits.train, splits.val, splits.test)
    )
    return Splits(train, val, test, splits.classes)


def _resize(images: Tensor, size: int) -> Tensor:
    if images.shape[2:] == (size, size):
        return images
    small = images.new_empty(*images.shape[:2], size, size)
    for before, after in zip(torch.split(images, CHUNK), torch.split(small, CHUNK), strict=True):
        pixels = F.interpolate(before.float(), (size, size), mode="bilinear", antialias=True)
        after.copy_(pixels.round_().clamp_(0, 255).to(torch.uint8))
    return small
