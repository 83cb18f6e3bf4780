"""A data set at another size."""

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.image_set import ImageSet, Splits

CHUNK = 1000  # images as float32 at once


def resized(splits: Splits, size: int) -> Splits:
    """Return splits with smaller or larger images.

    Parameters
    ----------
    splits : Splits
        In memory.
    size : int
        Height and width in pixels; bilinear with antialiasing, as PIL does.
    """
    if size < 1:
        raise ValueError(f"data.image_size must be at least 1, got {size}.")
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
