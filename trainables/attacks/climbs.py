"""Copies of images on their way up a gradient, within a ball."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainables.attacks.rows import norm
from trainables.fusible import fusible

if TYPE_CHECKING:
    from trainables.attacks.balls import Ball


class Climb:
    """Copies of images on their way up a gradient within a ball.

    Parameters
    ----------
    ball : Ball
    images : Tensor, shape (N, C, H, W)
    """

    def __init__(self, ball: "Ball", images: Tensor) -> None:
        self._ball, self._images = ball, images

    def start(self, delta: Tensor) -> Tensor:
        """Return copies perturbed by `delta`, confined."""
        return self._images + self._ball.confine(self._images, delta)

    def step(self, x: Tensor, gradient: Tensor, size: Tensor | float) -> Tensor:
        """Return copies `x` a step of length `size`, one or one a row, further."""
        return self._images + self._ball.move(self._images, x - self._images, gradient, size)


class LinfClimb(Climb):
    """The same in fewer kernels: the pixels' bounds are known beforehand."""

    def __init__(self, ball: "Ball", images: Tensor) -> None:
        super().__init__(ball, images)
        self._least = (images - ball.epsilon).clamp_(min=0)
        self._most = (images + ball.epsilon).clamp_(max=1)

    def start(self, delta: Tensor) -> Tensor:
        """Return copies perturbed by `delta`, confined."""
        return (self._images + delta).clamp_(self._least, self._most)

    def step(self, x: Tensor, gradient: Tensor, size: Tensor | float) -> Tensor:
        """Return copies `x` a step further."""
        return _step_between(self._least, self._most, x, gradient, size)


class L2Climb(Climb):
    """The same in fewer kernels: a step's quotients and products are added as they are made."""

    def start(self, delta: Tensor) -> Tensor:
        """Return copies perturbed by `delta`, confined."""
        return _start_in_ball(self._images, delta, self._ball.epsilon)

    def step(self, x: Tensor, gradient: Tensor, size: Tensor | float) -> Tensor:
        """Return copies `x` a step further."""
        return _step_in_ball(self._images, x, gradient, size, self._ball.epsilon)


@fusible
def _step_between(
    least: Tensor, most: Tensor, x: Tensor, gradient: Tensor, size: Tensor | float
) -> Tensor:
    step = gradient.sign()
    if isinstance(size, Tensor):
        return torch.addcmul(x, step, size).clamp_(least, most)
    return torch.add(x, step, alpha=size).clamp_(least, most)


@fusible
def _step_in_ball(
    images: Tensor, x: Tensor, gradient: Tensor, size: Tensor | float, epsilon: float
) -> Tensor:
    towards, length = direction(gradient)
    delta = x - images
    if isinstance(size, Tensor):
        delta += size * towards / length
    else:
        delta.addcdiv_(towards, length, value=size)
    return _within(images, delta, epsilon)


@fusible
def _start_in_ball(images: Tensor, delta: Tensor, epsilon: float) -> Tensor:
    return _within(images, delta, epsilon)


def _within(images: Tensor, delta: Tensor, epsilon: float) -> Tensor:
    """Return images plus perturbations no longer than epsilon in l2, clipped."""
    least = max(epsilon, torch.finfo(delta.dtype).tiny)
    length = norm(delta, 2).clamp_(min=least)
    return torch.addcdiv(images, delta, length, value=epsilon).clamp_(0, 1)


def direction(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return a gradient's l2 direction as a quotient: rows and their lengths.

    A confident network's gradient is so small that its squares underflow to zero.
    """
    tiny = torch.finfo(gradient.dtype).tiny
    scaled = gradient / norm(gradient, torch.inf).clamp_(min=tiny)
    return scaled, norm(scaled, 2).clamp_(min=tiny)
