"""ResNet bodies with a stem for small or for large images."""

from collections.abc import Sequence
from typing import Literal

import torchvision
from torch import Tensor, nn

from trainables.networks.encoder import Encoder

BODIES = {
    18: torchvision.models.resnet18,
    34: torchvision.models.resnet34,
    50: torchvision.models.resnet50,
}


class ResNet(Encoder):
    """torchvision's ResNet without its last layer.

    Parameters
    ----------
    depth : {18, 34, 50}
    stem : {"cifar", "imagenet"}
        ``cifar`` is a 3 x 3 convolution of stride 1 without pooling, for images of 32 to 64
        pixels [1]_; ``imagenet`` is the original one.
    channels : int
        Of the images.
    mean, std : sequence of C floats
    zero_init_residual : bool
        Let every residual block start as the identity.

    References
    ----------
    .. [1] Chen et al. 2020, arXiv:2002.05709, App. B.9.
    """

    def __init__(
        self,
        *,
        depth: int,
        stem: Literal["cifar", "imagenet"],
        channels: int,
        mean: Sequence[float],
        std: Sequence[float],
        zero_init_residual: bool = False,
    ) -> None:
        if depth not in BODIES:
            raise ValueError(f"encoder.depth must be one of {sorted(BODIES)}, got {depth}.")
        if stem not in ("cifar", "imagenet"):
            raise ValueError(f"encoder.stem must be cifar or imagenet, got '{stem}'.")
        body = BODIES[depth](zero_init_residual=zero_init_residual)
        super().__init__(num_features=body.fc.in_features, mean=mean, std=std, channels=channels)
        body.fc = nn.Identity()
        if stem == "cifar":
            body.conv1 = _first_convolution(channels, 3, stride=1)
            body.maxpool = nn.Identity()
        elif channels != 3:
            body.conv1 = _first_convolution(channels, 7, stride=2)
        self.body = body

    def forward(self, images: Tensor) -> Tensor:
        """Return features, shape (N, num_features)."""
        features: Tensor = self.body(self.normalise(images))
        return features

    def stages(self, standardised: Tensor) -> list[Tensor]:
        """Return the maps of the four stages."""
        body = self.body
        maps = [body.maxpool(body.relu(body.bn1(body.conv1(standardised))))]
        for stage in (body.layer1, body.layer2, body.layer3, body.layer4):
            maps.append(stage(maps[-1]))
        return maps[1:]


def _first_convolution(channels: int, size: int, *, stride: int) -> nn.Conv2d:
    convolution = nn.Conv2d(channels, 64, size, stride=stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return convolution
