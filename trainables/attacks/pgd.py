"""Projected gradient ascent; one step of it is FGSM."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.attacks.balls import STARTS, Ball, Start
from trainables.attacks.rows import gradient_of
from trainables.memory import for_convolutions

PerExampleLoss = Callable[[Tensor], Tensor]  # (N, C, H, W) -> (N,)


@dataclass(frozen=True, kw_only=True)
class PGD:
    """Raise a per-example loss inside a ball around the images [1]_.

    The attack sees only a closure, so one object serves cross-entropy, a contrastive
    loss or a cluster assignment; a targeted attack passes the negated loss. Train or
    eval mode is the caller's choice.

    Parameters
    ----------
    ball : Ball
        Threat model, in pixel units.
    step_size : float
        Length of one step in the ball's norm, in pixel units.
    steps : int
        Gradient evaluations per call.
    start : {"ball", "sphere", "radius_uniform", "zero"}
        Where the first perturbation is drawn from; zero is the image itself.

    References
    ----------
    .. [1] Madry et al. 2018, arXiv:1706.06083, Sec. 2.1.
    """

    ball: Ball
    step_size: float
    steps: int
    start: Start = "ball"

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"attack.steps must be at least 0, got {self.steps}.")
        # In a ball of radius 0 every step ends where it started.
        if self.step_size < 0 or (self.step_size == 0 and self.ball.epsilon > 0):
            raise ValueError(f"attack.step_size must be above 0, got {self.step_size}.")
        if self.start not in STARTS:
            raise ValueError(f"attack.start must be one of {', '.join(STARTS)}, got {self.start}.")

    def __call__(
        self,
        loss: PerExampleLoss,
        images: Tensor,
        *,
        delta0: Tensor | None = None,
        sense: Tensor | None = None,
    ) -> Tensor:
        """Return adversarial copies of `images`, detached.

        Parameters
        ----------
        loss : callable, (N, C, H, W) -> (N,)
        images : Tensor, shape (N, C, H, W)
        delta0 : Tensor, shape (N, C, H, W), optional
            First perturbation, instead of one drawn as `start` says.
        sense : Tensor, shape (N,), optional
            +1 climbs, -1 descends; it multiplies each row's step.
        """
        given = images.detach()
        images = for_convolutions(given)
        delta = self.ball.sample(images, self.start) if delta0 is None else delta0.detach()
        climb = self.ball.climb(images)
        x = climb.start(delta)
        step = self.step_size if sense is None else self.step_size * sense.view(-1, 1, 1, 1)
        for _ in range(self.steps):
            x.requires_grad_()
            with torch.enable_grad():
                # torch's counters of operations put hooks on what a network is given: no leaf.
                losses = loss(x.view_as(x))
            x = climb.step(x.detach(), gradient_of(losses, x), step)
        return x if images is given else torch.empty_like(given).copy_(x)  # in the images' layout
