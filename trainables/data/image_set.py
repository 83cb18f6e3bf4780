"""Images held in memory, and their three splits."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ImageSet:
    """Decoded images and labels, resident on one device.

    Parameters
    ----------
    images : Tensor, shape (N, C, H, W), uint8
    labels : Tensor, shape (N,), int64
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """Return N."""
        return len(self.images)

    def to(self, device: torch.device | str) -> "ImageSet":
        """Return the set on `device`; itself if it is there already."""
        return ImageSet(self.images.to(device), self.labels.to(device))

    def pixels(self, rows: Tensor | slice) -> Tensor:
        """Return the chosen images as float32 in [0, 1]."""
        return self.images[rows].float() / 255

    def rows(self, rows: Tensor | slice) -> "ImageSet":
        """Return the chosen rows as a set of their own."""
        return ImageSet(self.images[rows], self.labels[rows])


@dataclass(frozen=True)
class Splits:
    """Training, validation and test images, cut once with the data set's own seed.

    A search reads `train` and `val` only.
    """

    train: ImageSet
    val: ImageSet
    test: ImageSet
    classes: tuple[str, ...]

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.classes)

    def to(self, device: torch.device | str) -> "Splits":
        """Return the splits on `device`."""
        return Splits(
            self.train.to(device), self.val.to(device), self.test.to(device), self.classes
        )
