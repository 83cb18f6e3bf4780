"""Augmentations of a whole batch on its device, each row with its own draw.

Every transform draws the batch's parameters first and applies them afterwards, so that known
parameters can be applied. Draws come from torch's global stream and are the same on all ranks;
nothing waits for the device.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor

from trainables.distributed import draw_rows, stacked
from trainables.whole_images import BoxCrop, WholeImages

Augmentation = Callable[[Tensor], Tensor]  # (N, C, H, W) -> (N, C, H, W), in [0, 1]


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Transforms one after the other; none at all is the identity.

    From images of a pack that are larger than what training sees, boxes are cut first, wherever
    that stands: a crop after the colours (RoCL's) would else see the middles alone. What changes
    each pixel by itself is the same before and after; contrast takes the mean grey of the box in
    the place of the image's, as where the crop comes first (SimCLR's).

    Parameters
    ----------
    transforms : mapping of str to Augmentation
        In the order they are applied; a name is the transform's place among the settings.
    """

    transforms: Mapping[str, Augmentation] = field(default_factory=dict)

    @property
    def each_row(self) -> bool:
        """Whether every transform draws for each row by itself, as all do that are ours."""
        return all(getattr(one, "each_row", False) for one in self.transforms.values())

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Return augmented images, shape (N, C, H, W), in the memory format they came in."""
        planar = images.is_contiguous() or not images.is_contiguous(
            memory_format=torch.channels_last
        )
        views = images
        for transform in self._in_order(views):
            views = transform(views)
        if isinstance(views, WholeImages):  # nothing was cut: encoders see tensors only
            views = views.tensor()
        return views if planar else views.contiguous(memory_format=torch.channels_last)

    def _in_order(self, images: Tensor) -> list[Augmentation]:
        transforms = list(self.transforms.values())
        if isinstance(images, WholeImages):
            transforms.sort(key=lambda transform: not isinstance(transform, BoxCrop))
        return transforms


def views(augment: Augmentation, *batches: Tensor) -> Tensor:
    """Return a view of each batch, one after the other, shape (sum of all N, C, H, W).

    Made in one go where the augmentation allows it, which takes as few kernels as one batch does;
    jitter's order is then common to all. A batch may come twice: its views differ.
    """
    batches = tuple(images for images in batches if len(images))
    if not getattr(augment, "each_row", False):
        return torch.cat([augment(images) for images in batches])
    with stacked([len(images) for images in batches]):
        if isinstance(batches[0], WholeImages):
            return augment(cast(Tensor, WholeImages.stacked(cast(Any, batches))))
        return augment(torch.cat(batches))


def uniform(images: Tensor, low: float, high: float, *shape: int) -> Tensor:
    """Draw from [low, high) for each image, shape (N, *shape), float32."""
    return draw_rows(
        lambda n: torch.empty(n, *shape, device=images.device).uniform_(low, high), len(images)
    )


def coin(images: Tensor, probability: float) -> Tensor:
    """Toss a coin for each image, shape (N,), bool."""
    return uniform(images, 0, 1) < probability


def check_probability(setting: str, probability: float) -> None:
    """Refuse what is no probability."""
    if not 0 <= probability <= 1:
        raise ValueError(f"{setting} must be in [0, 1], got {probability}.")
