"""Toys to take pictures of."""

import torch
from torch import nn
from toy_methods import Pixels

from trainables.data.image_set import ImageSet, Splits
from trainables.networks.encoder import Encoder
from trainables.pictures.subject import Subject


class Mixer(Encoder):
    """Four fixed mixtures of nine pixels, in float64."""

    def __init__(self):
        super().__init__(num_features=4, mean=[0.0], std=[1.0])
        generator = torch.Generator().manual_seed(0)
        self.weight = torch.randn(4, 9, generator=generator, dtype=torch.float64)

    def forward(self, images):
        return (self.normalise(images).flatten(1) @ self.weight.T).tanh()


class Rectified(Encoder):
    """By how much the mean of the pixels, twice over, exceeds 1."""

    def __init__(self):
        super().__init__(num_features=1, mean=[0.0], std=[1.0])
        self.relu = nn.ReLU()

    def forward(self, images):
        return self.relu(2 * self.normalise(images).mean(dim=(1, 2, 3)) - 1)[:, None]


class BrightestColumn(nn.Module):
    """Logits that are the means of three columns of pixels."""

    def forward(self, images):
        return 10 * images.mean(dim=(1, 2))


def linear_subject(**parts):
    """Return 3x3 images whose class is their brightest column, and the classifier of that."""
    labels = torch.arange(24) % 3
    generator = torch.Generator().manual_seed(0)
    dark = torch.randint(40, 90, (24, 1, 3, 3), generator=generator)
    bright = torch.eye(3, dtype=torch.int64)[labels].view(24, 1, 1, 3) * 100
    images = ImageSet((dark + bright).to(torch.uint8), labels)
    splits = Splits(images, images, images, ("left", "middle", "right"))
    return Subject(encoder=Pixels(9), splits=splits, classifier=BrightestColumn(), **parts)
