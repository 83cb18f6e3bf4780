"""Encoders and images whose best classifiers are known by hand."""

import torch
from torch import nn

from trainables.data.image_set import ImageSet, Splits
from trainables.networks.encoder import Encoder


class Flat(Encoder):
    """Pixels as features, behind a batch norm or not."""

    def __init__(self, pixels=4, batch_norm=False):
        super().__init__(num_features=pixels, mean=[0.5], std=[0.5])
        self.norm = nn.BatchNorm1d(pixels) if batch_norm else nn.Identity()
        self.scale = nn.Parameter(torch.ones(pixels))

    def forward(self, images):
        return self.norm(self.scale * self.normalise(images).flatten(1))


class BrightnessAndTexture(Encoder):
    """Mean brightness, and a loud measure of a checkerboard that hardly shows."""

    def __init__(self):
        super().__init__(num_features=2, mean=[0.5], std=[1.0])
        board = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).flatten()
        self.weight = nn.Parameter(torch.stack([torch.ones(4) / 4, 20 * board / 4]))

    def forward(self, images):
        return self.normalise(images).flatten(1) @ self.weight.T


def image_set(pixels, labels):
    """Make a set of 2x2 grey images, pixels (N, 4) in [0, 1]."""
    levels = (pixels * 255).round().to(torch.uint8)
    return ImageSet(levels.view(-1, 1, 2, 2), torch.as_tensor(labels))


def dark_and_light(n=64):
    """Two classes apart in brightness, by 0.15 on each side, and in a faint checkerboard."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % 2
    sign = (2 * labels - 1).float()[:, None]
    board = torch.tensor([1.0, -1.0, -1.0, 1.0])
    noise = 0.01 * torch.randn(n, 1, generator=generator)
    return image_set(0.5 + sign * (0.15 + 0.02 * board) + noise, labels)


def two_classes(n=64):
    """Split images of `dark_and_light` into three."""
    whole = dark_and_light(2 * n)
    val, test = whole.rows(slice(n, n + n // 2)), whole.rows(slice(n + n // 2, None))
    return Splits(whole.rows(slice(n)), val, test, ("dark", "light"))
