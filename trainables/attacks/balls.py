"""Threat models: what a perturbation may be."""

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.attacks.climbs import Climb, L2Climb, LinfClimb, direction
from trainables.attacks.rows import norm, normal, per_row, stuck, uniform

Start = Literal["ball", "sphere", "radius_uniform", "zero"]
STARTS = ("ball", "sphere", "radius_uniform", "zero")


class Ball(Protocol):
    """The perturbations no longer than `epsilon` in some norm, in pixel units."""

    epsilon: float

    def sample(self, images: Tensor, start: Start) -> Tensor:
        """Draw a perturbation per image, shape (N, C, H, W).

        ``ball`` is uniform in the ball, ``sphere`` on its surface, ``radius_uniform`` has a
        random direction and a length uniform in [0, epsilon], ``zero`` draws nothing.
        """

    def steepest(self, gradient: Tensor) -> Tensor:
        """Return the unit step that raises a linear loss most; zero where the gradient is."""

    def project(self, delta: Tensor) -> Tensor:
        """Return the nearest perturbation inside the ball."""

    def length(self, delta: Tensor) -> Tensor:
        """Return each perturbation's norm, shape (N,)."""

    def confine(self, images: Tensor, delta: Tensor) -> Tensor:
        """Return a perturbation near `delta` in the ball, with ``images + it`` in [0, 1].

        The nearest one in l-inf and l1; in l2 the projection with its pixels clipped, which
        moves them towards the image and so stays in the ball.
        """
        return _clip(images, self.project(delta))

    def move(self, images: Tensor, delta: Tensor, gradient: Tensor, size: Tensor | float) -> Tensor:
        """Return `delta` after a step of length `size` up the gradient, confined.

        `size` is one for all rows or one for each; a negative one descends.
        """
        return self.confine(images, delta + size * self.steepest(gradient))

    def climb(self, images: Tensor) -> Climb:
        """Return what moves copies of `images` as `confine` and `move` move perturbations."""
        return Climb(self, images)


def _clip(images: Tensor, delta: Tensor) -> Tensor:
    return (images + delta).clamp(0, 1) - images


def _refuse_bad_radius(ball: object, epsilon: float) -> None:
    if not isinstance(epsilon, (int, float)) or not 0 <= epsilon < math.inf:
        raise ValueError(f"{type(ball).__name__} needs epsilon >= 0, got epsilon={epsilon}.")


@dataclass(frozen=True, kw_only=True)
class LinfBall(Ball):
    """Every pixel moves by at most `epsilon`."""

    epsilon: float

    def __post_init__(self) -> None:
        _refuse_bad_radius(self, self.epsilon)

    def sample(self, images: Tensor, start: Start) -> Tensor:
        """Draw a perturbation per image; directions are the cube's corners.

        A corner is what R+FGSM starts from (Tramer et al. 2018, arXiv:1705.07204); a
        uniform point of the surface could hardly be distinguished from one of the ball.
        """
        if start == "zero":
            return torch.zeros_like(images)
        delta = uniform(images, *images.shape[1:], low=-self.epsilon, high=self.epsilon)
        if start == "sphere":
            return self.epsilon * delta.sign()
        if start == "radius_uniform":
            return delta.sign() * self.epsilon * per_row(uniform(images), images)
        return delta

    def steepest(self, gradient: Tensor) -> Tensor:
        """Return the sign."""
        return gradient.sign()

    def project(self, delta: Tensor) -> Tensor:
        """Clip every pixel."""
        return delta.clamp(-self.epsilon, self.epsilon)

    def length(self, delta: Tensor) -> Tensor:
        """Return the largest absolute value."""
        return norm(delta, torch.inf).flatten()

    def climb(self, images: Tensor) -> Climb:
        """Return what moves copies of `images`."""
        return LinfClimb(self, images)


@dataclass(frozen=True, kw_only=True)
class L2Ball(Ball):
    """The Euclidean length of the perturbation is at most `epsilon`."""

    epsilon: float

    def __post_init__(self) -> None:
        _refuse_bad_radius(self, self.epsilon)

    def sample(self, images: Tensor, start: Start) -> Tensor:
        """Draw a perturbation per image."""
        if start == "zero":
            return torch.zeros_like(images)
        direction = normal(images)
        length = norm(direction, 2).clamp_(min=torch.finfo(images.dtype).tiny).div_(self.epsilon)
        if start == "sphere":
            return direction.div_(length)
        share = uniform(images)
        if start == "ball":  # volume grows with the radius to the power of the dimension
            share.pow_(1 / images[0].numel())
        return direction.mul_(per_row(share, images) / length)

    def steepest(self, gradient: Tensor) -> Tensor:
        """Return the gradient's direction."""
        towards, length = direction(gradient)
        return towards / length

    def project(self, delta: Tensor) -> Tensor:
        """Shorten the rows that are too long."""
        tiny = torch.finfo(delta.dtype).tiny
        return delta * (self.epsilon / norm(delta, 2).clamp(min=tiny)).clamp(max=1)

    def length(self, delta: Tensor) -> Tensor:
        """Return the Euclidean length."""
        return norm(delta, 2).flatten()

    def climb(self, images: Tensor) -> Climb:
        """Return what moves copies of `images`."""
        return L2Climb(self, images)


@dataclass(frozen=True, kw_only=True)
class L1Ball(Ball):
    """The absolute values of the perturbation sum to at most `epsilon`.

    Parameters
    ----------
    epsilon : float
    sparsity : float
        Share of the pixels a step leaves alone; the others move by equal amounts [1]_.

    References
    ----------
    .. [1] Tramer & Boneh 2019, arXiv:1904.13000, Sec. 4 (SLIDE).
    .. [2] Maini, Wong & Kolter 2020, arXiv:1909.04068, Sec. 5.
    """

    epsilon: float
    sparsity: float = 0.99

    def __post_init__(self) -> None:
        _refuse_bad_radius(self, self.epsilon)
        if not 0 <= self.sparsity < 1:
            raise ValueError(f"L1Ball needs 0 <= sparsity < 1, got sparsity={self.sparsity}.")

    def sample(self, images: Tensor, start: Start) -> Tensor:
        """Draw a perturbation per image; signed exponential spacings are uniform in the ball."""
        if start == "zero":
            return torch.zeros_like(images)
        pixels = images[0].numel()
        draws = uniform(images, pixels + 1).clamp(min=torch.finfo(images.dtype).tiny)
        spacings = -draws.log()
        inside = spacings[:, :pixels] / spacings[:, :pixels].sum(dim=1, keepdim=True)
        delta = (inside * (2 * (uniform(images, pixels) < 0.5) - 1)).view_as(images)
        if start == "sphere":
            return self.epsilon * delta
        if start == "ball":
            length = 1 - spacings[:, pixels] / spacings.sum(dim=1)
        else:
            length = uniform(images)
        return self.epsilon * per_row(length, images) * delta

    def steepest(self, gradient: Tensor) -> Tensor:
        """Return equal steps on the pixels with the largest gradient."""
        flat = gradient.flatten(1)
        kept = max(1, round(flat.shape[1] * (1 - self.sparsity)))
        _, top = flat.abs().topk(kept, dim=1)
        step = torch.zeros_like(flat).scatter(1, top, flat.gather(1, top).sign() / kept)
        return step.view_as(gradient)

    def project(self, delta: Tensor) -> Tensor:
        """Return the nearest point of the ball (Duchi et al. 2008, Fig. 1: by sorting)."""
        flat = delta.flatten(1)
        size = flat.abs()
        descending = size.sort(dim=1, descending=True).values
        rank = torch.arange(1, flat.shape[1] + 1, device=flat.device, dtype=flat.dtype)
        thresholds = (descending.cumsum(dim=1) - self.epsilon) / rank
        count = (descending > thresholds).sum(dim=1, keepdim=True).clamp(min=1)
        threshold = thresholds.gather(1, count - 1).clamp(min=0)
        return (flat.sign() * (size - threshold).clamp(min=0)).view_as(delta)

    def length(self, delta: Tensor) -> Tensor:
        """Return the sum of absolute values."""
        return norm(delta, 1).flatten()

    def confine(self, images: Tensor, delta: Tensor) -> Tensor:
        """Return the nearest perturbation in the ball that keeps pixels in [0, 1].

        All pixels shrink by one threshold and then stop at the end of their range. What is
        left is piecewise linear in the threshold; a walk down its corners finds epsilon.
        """
        flat, x = delta.flatten(1), images.flatten(1)
        size, room = flat.abs(), torch.where(flat > 0, 1 - x, x)
        corners, which = torch.cat([size, size - room], dim=1).sort(dim=1, descending=True)
        moving = torch.where(which < flat.shape[1], 1.0, -1.0).to(flat.dtype).cumsum(dim=1)
        spent = F.pad((moving[:, :-1] * -corners.diff(dim=1)).cumsum(dim=1), (1, 0))
        last = (spent <= self.epsilon).sum(dim=1, keepdim=True) - 1
        slack = (self.epsilon - spent.gather(1, last)) / moving.gather(1, last).clamp(min=1)
        threshold = (corners.gather(1, last) - slack).clamp(min=0)
        kept = (size - threshold).clamp(min=0).minimum(room)
        # The sums above round; this leaves the ball by no more than one product does.
        too_long = (self.epsilon / kept.sum(dim=1, keepdim=True)).nan_to_num(1.0).clamp(max=1)
        return _clip(images, (flat.sign() * kept * too_long).view_as(delta))

    def move(self, images: Tensor, delta: Tensor, gradient: Tensor, size: Tensor | float) -> Tensor:
        """Step on those pixels with the largest gradients that its sign can still move [2]_.

        Pixels already at their end with gradients as large are pushed along, or the projection
        would take them back.
        """
        uphill = gradient * torch.as_tensor(size).sign()
        ended = stuck(images + delta, uphill)
        step = self.steepest(uphill.masked_fill(ended, 0))
        least = uphill.abs().masked_fill(step == 0, torch.inf).amin(dim=(1, 2, 3), keepdim=True)
        held = ended & (delta != 0) & (uphill.abs() >= least)
        moved = delta + torch.as_tensor(size).abs() * (step + held * uphill.sign())
        return self.confine(images, moved)
