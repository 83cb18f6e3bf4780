"""A small network for small images and no GPU."""

from collections.abc import Sequence

from torch import Tensor, nn

from trainables.networks.encoder import Encoder

BLOCK, LAST = 3, 2  # layers of a block, and those after all blocks
STAGES = 4


class SmallConv(Encoder):
    """Conv-BN-ReLU blocks, every one but the first halving the image, then global average.

    Parameters
    ----------
    channels : int
        Of the images.
    widths : sequence of int
        Output channels of each block; the last is `num_features`.
    mean, std : sequence of C floats
    """

    def __init__(
        self,
        *,
        channels: int,
        widths: Sequence[int],
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        if not widths or min(widths) < 1:
            raise ValueError(
                f"encoder.widths needs at least one block, each of at least 1, got {list(widths)}."
            )
        super().__init__(num_features=widths[-1], mean=mean, std=std, channels=channels)
        blocks: list[nn.Module] = []
        before = channels
        for index, width in enumerate(widths):
            stride = 1 if index == 0 else 2
            blocks += [
                nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            before = width
        self.body = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, images: Tensor) -> Tensor:
        """Return features, shape (N, num_features)."""
        features: Tensor = self.body(self.normalise(images))
        return features

    def stages(self, standardised: Tensor) -> list[Tensor]:
        """Return the maps of the last four blocks, of all where there are fewer."""
        maps = [standardised]
        for start in range(0, len(self.body) - LAST, BLOCK):
            maps.append(self.body[start : start + BLOCK](maps[-1]))
        return maps[1:][-STAGES:]
