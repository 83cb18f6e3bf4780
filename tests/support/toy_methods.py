"""Small methods whose every number can be worked out by hand."""

import torch
from torch import nn

from trainables.methods.base import Method
from trainables.networks.encoder import Encoder


class Pixels(Encoder):
    """The pixels themselves as features."""

    def __init__(self, num_features):
        super().__init__(num_features=num_features, mean=[0.0], std=[1.0])

    def forward(self, images):
        return self.normalise(images).flatten(1)


class Normed(Encoder):
    """A convolution and a batch norm, then the mean of each channel."""

    def __init__(self, channels=6):
        super().__init__(num_features=channels, mean=[0.5], std=[0.25])
        self.convolution = nn.Conv2d(1, channels, 3)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, images):
        return self.norm(self.convolution(self.normalise(images))).relu().mean(dim=(2, 3))


class Classifier(Method):
    """A function of images as a method with logits."""

    def __init__(self, logits_of):
        super().__init__()
        self.encoder = Pixels(1)
        self.logits_of = logits_of

    def forward(self, images):
        return self.logits_of(images)


def grey(rows, *, low=0.3, high=0.7, size=3, dtype=torch.float64, seed=0):
    """Return random images (rows, 1, size, size) away from the ends of the range."""
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(rows, 1, size, size, generator=generator, dtype=dtype)
