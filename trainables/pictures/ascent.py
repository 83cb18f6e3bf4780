"""Long climbs in pixel space, in lengths that mean the same at every image size."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trainables.attacks.balls import L2Ball
from trainables.attacks.pgd import PGD

LossOfRows = Callable[[Tensor, Tensor], Tensor]  # images (M, C, H, W), their rows (M,) -> (M,)

# Diagonal of the cube of pixels at 3x224x224: what a length there is divided by.
IMAGENET = math.sqrt(3 * 224 * 224)


@dataclass(frozen=True, kw_only=True)
class Ascent:
    """Projected gradient ascent in l2 from the images themselves.

    Parameters
    ----------
    epsilon : float
        Radius of the ball as the root mean square over all pixels; from 1 on only the range of
        pixels is a bound.
    step_size : float
        Length of a step in the same unit.
    steps : int
    pixels_at_once : int
        Of all images of a batch, which bounds memory; the default is 128 images of 32x32.
    """

    epsilon: float
    step_size: float
    steps: int
    pixels_at_once: int = 128 * 32 * 32

    def __call__(self, loss: LossOfRows, images: Tensor, *, start: Tensor | None = None) -> Tensor:
        """Return climbed copies of `images`, shape (N, C, H, W), in [0, 1].

        Parameters
        ----------
        loss : callable, (M, C, H, W), (M,) -> (M,)
            Of some of the images, with their rows.
        images : Tensor, shape (N, C, H, W)
            Centres of the balls.
        start : Tensor, shape (N, C, H, W), optional
            Where to start instead.
        """
        diagonal = math.sqrt(images[0].numel())
        climb = PGD(
            ball=L2Ball(epsilon=self.epsilon * diagonal),
            step_size=self.step_size * diagonal,
            steps=self.steps,
            start="zero",
        )
        delta = torch.zeros_like(images) if start is None else start - images

        def found(rows: Tensor) -> Tensor:
            return climb(lambda x: loss(x, rows), images[rows], delta0=delta[rows])

        everyone = torch.arange(len(images), device=images.device)
        at_once = max(1, self.pixels_at_once // images[0, 0].numel())
        return torch.cat([found(rows) for rows in torch.split(everyone, at_once)])

    def settling(self, loss: LossOfRows, images: Tensor) -> Tensor:
        """Climb likewise, each quarter of the steps a quarter as long as the quarter before.

        Steps of one length would circle around an optimum at their own distance.
        """
        found = images
        for quarter in range(4):
            shorter = replace(self, steps=self.steps // 4, step_size=self.step_size / 4**quarter)
            found = shorter(loss, images, start=found)
        return found
