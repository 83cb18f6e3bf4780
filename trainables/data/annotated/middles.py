"""The middle of each image of a folder, all of one size."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.annotated.images import AnnotatedImages, RowNumbers

MIDDLE = 8 / 7  # the shorter side over what is seen of it: 256 to 224 pixels


@dataclass(frozen=True, eq=False)
class Middles(RowNumbers):
    """The middle of each image, read when it is asked for.

    Parameters
    ----------
    source : AnnotatedImages
    size : int
        Height and width of the middle.
    """

    source: AnnotatedImages
    size: int

    def pixels(self, rows: Tensor | slice) -> Tensor:
        """Return the chosen middles, shape (N, C, size, size), float32 in [0, 1]."""
        numbers = self.resident[rows].flatten()
        images = [middle(one, self.size) for one in self.source.read(numbers.tolist())]
        return torch.stack(images).to(numbers.device)


def middle(image: Tensor, size: int) -> Tensor:
    """Return the middle of an image, shape (C, size, size), float32 in [0, 1]."""
    height, width = image.shape[1:]
    scale = round(MIDDLE * size) / min(height, width)
    shape = [max(size, round(side * scale)) for side in (height, width)]
    whole = F.interpolate(
        image[None].float() / 255, size=shape, mode="bilinear", antialias=True, align_corners=False
    )
    top, left = ((side - size) // 2 for side in shape)
    return whole[0, :, top : top + size, left : left + size].clamp(0, 1)
