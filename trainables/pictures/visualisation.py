"""Activation maximisation: images that raise a feature (direct feature visualisation)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.features import encode
from trainables.networks.encoder import Encoder
from trainables.pictures.ascent import IMAGENET, Ascent
from trainables.pictures.figures import Grid, Tile
from trainables.pictures.straight_through import last_relu_open
from trainables.pictures.subject import (
    Subject,
    one_of_each,
    refuse_bad_settings,
    some_classes,
)


@dataclass(frozen=True, kw_only=True)
class FeatureVisualisation:
    """Climb a feature from images and from noise [1]_.

    Robust features grow into structure that people see; others into noise.

    Parameters
    ----------
    images : int
        Validation images to start with, and as many images of noise: grey 0.5 with a standard
        deviation of 1/20 (their code).
    features : int
        Coordinates, drawn from those that are not the same for all images.
    epsilon, step_size : float
        As the root mean square over pixels; their code: l2 of 1000 and 1 at 3x224x224, so that
        only the range of pixels is a bound.
    steps : int
        Their code.
    seed : int

    References
    ----------
    .. [1] Engstrom et al. 2019, arXiv:1906.00945, and the authors' code.
    """

    images: int = 2
    features: int = 6
    epsilon: float = 1000 / IMAGENET
    step_size: float = 1 / IMAGENET
    steps: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_bad_settings(self)

    def __call__(self, subject: Subject) -> Grid:
        """Return a row for every beginning and a column for every feature."""
        val, names = subject.images, subject.class_names
        climb = Ascent(epsilon=self.epsilon, step_size=self.step_size, steps=self.steps)
        with subject.at_rest(self.seed):
            rows = one_of_each(val, some_classes(val, self.images))
            origin = torch.cat([val.pixels(rows), _noise(val.pixels(rows))])
            features = self._draw(encode(subject.encoder, val.evenly(1000)))
            raised = maximise(subject.encoder, origin, features, climb)
            with torch.no_grad():
                before = subject.encoder(origin)[:, features].cpu()
                after = torch.stack(
                    [subject.encoder(raised[:, i])[:, f] for i, f in enumerate(features)], dim=1
                ).cpu()
        length = self.step_size * math.sqrt(origin[0].numel())
        kinds = [names[int(c)] for c in val.labels[rows]] + ["noise"] * len(rows)
        return Grid(
            title="Direct feature visualisation",
            note=f"From the image at the left, {self.steps} steps of l2 length {length:.2g} raise "
            "one feature. Below: before and after.",
            tiles=[
                [Tile(start), *_raised(images, old, new)]
                for start, images, old, new in zip(origin, raised, before, after, strict=True)
            ],
            columns=["from", *(f"feature {int(f)}" for f in features)],
            rows=kinds,
            column_gaps=[0],
            row_gaps=[len(rows) - 1],
        )

    def _draw(self, known: Tensor) -> Tensor:
        alive = (known.std(dim=0) > 0).nonzero().squeeze(1).cpu()
        return alive[torch.randperm(len(alive))[: self.features]].sort().values


def maximise(encoder: Encoder, images: Tensor, features: Tensor, climb: Ascent) -> Tensor:
    """Return every image with each feature raised, shape (N, F, C, H, W).

    Parameters
    ----------
    encoder : Encoder
        In eval mode.
    images : Tensor, shape (N, C, H, W)
    features : Tensor, shape (F,), int64
        Coordinates of the encoder's output.
    climb : Ascent
    """
    aims = features.to(images.device).repeat(len(images))

    def activation(x: Tensor, rows: Tensor) -> Tensor:
        values: Tensor = encoder(x)
        return values.gather(1, aims[rows, None]).squeeze(1)

    with last_relu_open(encoder, images[:1]):
        raised = climb(activation, images.repeat_interleave(len(features), dim=0))
    return raised.reshape(len(images), len(features), *images.shape[1:])


def _noise(like: Tensor) -> Tensor:
    drawn = torch.randn(like.shape).to(like.device)
    return (0.5 + drawn / 20).clamp(0, 1)


def _raised(images: Tensor, old: Tensor, new: Tensor) -> list[Tile]:
    values = zip(images, old.tolist(), new.tolist(), strict=True)
    return [Tile(image, f"{before:.2g} → {after:.2g}") for image, before, after in values]
