"""Transfer: an encoder of one data set, a classifier for another."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.data.image_set import Splits
from trainables.networks.encoder import Encoder
from trainables.protocols.base import EvaluationProtocol, Fitting


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Follow a protocol on another data set than the encoder was trained on.

    Number of classes, image size and channels may differ. Images are fitted to the encoder inside
    the classifier, so that attacks and their budgets live in the pixels of the new data set, and
    are standardised by the statistics of the old.

    Parameters
    ----------
    protocol : EvaluationProtocol
        What to do there.
    image_size : int, optional
        Height and width the encoder gets to see; if left out, those the images have.
    channels : int, optional
        Channels the encoder gets to see, 1 or 3; if left out, those the images have.
    """

    protocol: EvaluationProtocol
    image_size: int | None = None
    channels: int | None = None

    def __post_init__(self) -> None:
        if self.channels not in (None, 1, 3):
            raise ValueError(f"channels must be 1 or 3, or null for any, got {self.channels}.")
        if self.image_size is not None and self.image_size < 1:
            raise ValueError(
                f"image_size must be at least 1, or null for any, got {self.image_size}."
            )

    def __call__(
        self, encoder: Encoder, splits: Splits, *, head: nn.Module | None = None
    ) -> Fitting:
        """Return a fitting on the new data set; `head` is for other classes and left alone."""
        return self.protocol(Adapted(encoder, self.image_size, self.channels), splits)


class Adapted(Encoder):
    """An encoder after a change of size and channels.

    Parameters
    ----------
    encoder : Encoder
    image_size : int, optional
    channels : int, optional
    """

    def __init__(
        self, encoder: Encoder, image_size: int | None = None, channels: int | None = None
    ) -> None:
        super().__init__(num_features=encoder.num_features, mean=[0.0], std=[1.0])
        self.encoder = encoder
        self._image_size = image_size
        self._channels = channels

    def forward(self, images: Tensor) -> Tensor:
        """Return features, shape (N, num_features), for images of any size."""
        given = images.shape[1]
        if self._channels is not None and self._channels != given:
            images = images.mean(dim=1, keepdim=True).expand(-1, self._channels, -1, -1)
        size = self._image_size
        if size is not None and images.shape[2:] != (size, size):
            images = F.interpolate(
                images, size=(size, size), mode="bilinear", antialias=True, align_corners=False
            )
        features: Tensor = self.encoder(images)
        return features
