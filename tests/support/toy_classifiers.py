"""Small classifiers in eval mode, with images they mostly get right."""

import functools

import torch
import torch.nn.functional as F
from torch import nn

from trainables.data.image_set import ImageSet


def convolutional(dtype=torch.float64, images=24, classes=5):
    """An untrained network with batch norm, random images and the labels it gives two thirds."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(72, classes),
    )
    x = torch.rand(images, 3, 8, 8)
    with torch.no_grad():
        model(x)  # fills the running statistics
        model[-1].weight *= 5
        model.eval()
        labels = model(x).argmax(dim=1)
    labels[::3] = (labels[::3] + 1) % classes
    return model.to(dtype), x.to(dtype), labels


@functools.cache
def trained(images=200):
    """A network fitted to blurred prototypes of 10 classes in 1x12x12, under noise."""
    torch.manual_seed(0)
    prototypes = F.avg_pool2d(torch.rand(10, 1, 14, 14), 3, stride=1)
    prototypes = ((prototypes - 0.5) * 2 + 0.5).clamp(0, 1)

    def draw(count):
        labels = torch.arange(count) % 10
        return (prototypes[labels] + 0.15 * torch.randn(count, 1, 12, 12)).clamp(0, 1), labels

    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(400, 32), nn.ReLU()
    )
    model = nn.Sequential(model, nn.Linear(32, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(60):
        x, labels = draw(100)
        optimizer.zero_grad()
        F.cross_entropy(model(x), labels).backward()
        optimizer.step()
    return model.eval(), *draw(images)


def accuracy(model, images, labels):
    with torch.no_grad():
        return (model(images).argmax(dim=1) == labels).double().mean().item()


def toy_images(count=200):
    """The network and images it knows, as bytes."""
    model, x, labels = trained(count)
    return model, ImageSet((x * 255).round().to(torch.uint8), labels)
