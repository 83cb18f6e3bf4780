"""The encoder's interface."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Encoder(nn.Module):
    """The network kept after pretraining: images in [0, 1] to features.

    Normalisation happens inside, so that attacks and budgets live in pixel space.

    Parameters
    ----------
    num_features : int
        Width of the output.
    mean, std : sequence of C floats
        Per-channel statistics subtracted from and divided into the pixels; one of each serves all
        channels.
    channels : int, optional
        C, if more than one of each is to be held to it.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        num_features: int,
        mean: Sequence[float],
        std: Sequence[float],
        channels: int | None = None,
    ) -> None:
        super().__init__()
        fits = len(mean) == len(std) and len(mean) in (1, channels or len(mean))
        if not fits or not min(std) > 0:
            raise ValueError(
                f"encoder.mean and encoder.std need a number per channel, the latter above 0, got "
                f"{list(mean)} and {list(std)}."
            )
        self.num_features = num_features
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def normalise(self, images: Tensor) -> Tensor:
        """Return standardised images, shape (N, C, H, W)."""
        return (images - self.mean) / self.std

    def forward(self, images: Tensor) -> Tensor:
        """Return features, shape (N, num_features), for images in [0, 1]."""
        raise NotImplementedError

    def stages(self, standardised: Tensor) -> list[Tensor]:
        """Return feature maps (N, C', H', W') of standardised images, from fine to coarse.

        Segmentation and detection stand on them; each is half as large as the one before.
        """
        raise ValueError(
            f"the encoder {type(self).__name__} has no `stages`, the feature maps that "
            f"segmentation and detection need; ResNet and SmallConv have them."
        )
