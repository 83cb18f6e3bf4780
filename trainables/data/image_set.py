"""Images and their labels, and the three splits of a data set."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from trainables.data.pack.cutting import Draws
from trainables.data.pack.images import PackedImages


@dataclass(frozen=True, eq=False)  # tensors have no single answer to ==
class ImageSet:
    """Images and the labels of the first L of them, for one device.

    Parameters
    ----------
    images : Tensor, shape (N, C, H, W), uint8, or PackedImages
        Resident on the device, or decoded when they are asked for; labelled images first.
    labels : Tensor, shape (L,), int64
        Classes of the first L <= N images. L = N, except where a data set is asked for its
        unlabelled part: an image without a label has no entry here, and whoever reads labels
        (evaluators, supervised batches) reads `labelled`.
    """

    images: Tensor | PackedImages
    labels: Tensor

    def __len__(self) -> int:
        """Return N."""
        return len(self.images)

    @property
    def resident(self) -> Tensor:
        """The images themselves, of a set that is in memory."""
        if isinstance(self.images, PackedImages):
            raise ValueError("data=packed: images that are read one by one cannot be used here.")
        return self.images

    @property
    def labelled(self) -> "ImageSet":
        """The L images that have a label; the set itself if all have one."""
        return self if len(self.labels) == len(self) else self.rows(slice(len(self.labels)))

    def to(self, device: torch.device | str) -> "ImageSet":
        """Return the set on `device`; tensors that are there already are shared."""
        return ImageSet(self.images.to(device), self.labels.to(device))

    def pixels(self, rows: Tensor | slice) -> Tensor:
        """Return the chosen images as float32 in [0, 1]."""
        chosen = self.images[rows]
        return chosen.float() / 255 if isinstance(chosen, Tensor) else chosen.pixels()

    def in_turn(self, chunks: Sequence[Tensor]) -> Iterator[Tensor]:
        """Yield the pixels of some rows, then of others; a pack's are decoded meanwhile."""
        if isinstance(self.images, PackedImages):
            return self.images.in_turn(chunks)
        return (self.pixels(rows) for rows in chunks)

    def batches(self, rows: Tensor, draws: Draws) -> Iterator[Tensor]:
        """Yield the images of each batch of an epoch.

        Parameters
        ----------
        rows : Tensor, shape (batches, rows of each), int64
        draws : Draws
            What boxes follow from that are cut before images get to the device.
        """
        if isinstance(self.images, PackedImages):
            return self.images.batches(rows, draws)
        return (self.pixels(each) for each in rows)

    def rows(self, rows: Tensor | slice) -> "ImageSet":
        """Return the chosen rows, all labelled, as a set of their own."""
        return ImageSet(self.images[rows], self.labels[rows])

    def evenly(self, limit: int) -> "ImageSet":
        """Return at most `limit` labelled images, evenly spaced: a set may be sorted by class."""
        count = min(limit, len(self.labels))
        return self.rows(
            torch.arange(count, device=self.labels.device) * len(self.labels) // max(count, 1)
        )


@dataclass(frozen=True, eq=False)
class Splits:
    """Training, validation and test images, cut once with the data set's own seed.

    A search reads `train` and `val` only. Only `train` may hold images without labels. A data set
    may have its test images under corruptions besides: by name, one set for each severity. They
    stay where they are.
    """

    train: ImageSet
    val: ImageSet
    test: ImageSet
    classes: tuple[str, ...]
    corrupted: Mapping[str, Sequence[ImageSet]] = field(default_factory=dict)

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.classes)

    def to(self, device: torch.device | str) -> "Splits":
        """Return the splits on `device`."""
        there = {name: getattr(self, name).to(device) for name in ("train", "val", "test")}
        return replace(self, **there)
