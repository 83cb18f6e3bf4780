"""Perturbations large enough to turn an image into another class."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.pictures.ascent import IMAGENET, Ascent
from trainables.pictures.figures import Grid, Tile, Tone
from trainables.pictures.subject import (
    Subject,
    one_of_each,
    refuse_bad_settings,
    some_classes,
)


@dataclass(frozen=True, kw_only=True)
class LargePerturbations:
    """Push an image of every class towards every class, far beyond any threat model.

    Under a robust classifier images come to look like the class they are pushed to [1]_, [2]_.

    Parameters
    ----------
    classes : int
        At most, as sources and as targets.
    epsilon : float
        l2 radius as the root mean square over pixels; [2]_: 500 at 3x224x224, which leaves the
        range of pixels as the only bound.
    steps : int
        [2]_: 1000.
    relative_step : float
        Length of a step in units of ``epsilon / steps`` (2.5: [2]_, of its other attacks).
    seed : int
        Of the images.

    References
    ----------
    .. [1] Tsipras et al. 2019, arXiv:1805.12152.
    .. [2] "Fast training of deep neural networks robust to adversarial perturbations".
    """

    classes: int = 10
    epsilon: float = 500 / IMAGENET
    steps: int = 1000
    relative_step: float = 2.5
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_bad_settings(self)

    def __call__(self, subject: Subject) -> Grid:
        """Return a row for every source and a column for every target."""
        val, names = subject.images, subject.class_names
        climb = Ascent(
            epsilon=self.epsilon,
            step_size=self.relative_step * self.epsilon / self.steps,
            steps=self.steps,
        )
        with subject.at_rest(self.seed):
            classes = some_classes(val, self.classes)
            clean = val.pixels(one_of_each(val, classes))
            targets = torch.tensor(classes, device=clean.device)
            pushed = push(subject.logits_of, clean, targets, climb)
            with torch.no_grad():
                logits = subject.logits_of(pushed.flatten(0, 1))
        radius = self.epsilon * math.sqrt(clean[0].numel())
        shares = logits.softmax(dim=1)[:, targets].reshape(len(clean), -1, len(targets)).cpu()
        return Grid(
            title="Large targeted perturbations",
            note=f"Each image is pushed towards the class above it: {self.steps} steps within an "
            f"l2 distance of {radius:.3g}. Below: the probability of that class.",
            tiles=[
                [Tile(image), *map(_pushed, row, share.diagonal())]
                for image, row, share in zip(clean, pushed, shares, strict=True)
            ],
            columns=["image", *(names[c] for c in classes)],
            rows=[names[c] for c in classes],
            column_gaps=[0],
        )


def push(
    logits_of: Callable[[Tensor], Tensor], images: Tensor, targets: Tensor, climb: Ascent
) -> Tensor:
    """Return every image pushed to each target, shape (N, T, C, H, W).

    Parameters
    ----------
    logits_of : callable, (N, C, H, W) -> (N, Y)
        In eval mode.
    images : Tensor, shape (N, C, H, W)
    targets : Tensor, shape (T,), int64
    climb : Ascent
    """
    aims = targets.repeat(len(images))

    def fit(x: Tensor, rows: Tensor) -> Tensor:
        return -F.cross_entropy(logits_of(x), aims[rows], reduction="none")

    pushed = climb(fit, images.repeat_interleave(len(targets), dim=0))
    return pushed.reshape(len(images), len(targets), *images.shape[1:])


def _pushed(image: Tensor, share: Tensor) -> Tile:
    tone: Tone = "plain" if share > 0.5 else "wrong"
    return Tile(image, f"{100 * float(share):.0f} %", tone)
