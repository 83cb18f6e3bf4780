"""The shortest way to a hyperplane without leaving [0, 1], in three norms."""

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.attacks.balls import Ball, L1Ball, LinfBall


def reach(x: Tensor, normals: Tensor, gaps: Tensor, ball: Ball) -> Tensor:
    r"""Return the shortest :math:`\delta` with :math:`w \cdot \delta = g` that stays in range.

    Where none does, the one that comes nearest.

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
        In [0, 1], as are ``x + delta``.
    normals : Tensor, shape (N, C, H, W)
        w.
    gaps : Tensor, shape (N,)
        g.
    ball : Ball
        Whose norm is meant.

    Returns
    -------
    Tensor, shape (N, C, H, W)
    """
    uphill = (normals * gaps.sign().view(-1, 1, 1, 1)).flatten(1)
    room = torch.where(uphill > 0, 1 - x.flatten(1), x.flatten(1))
    peak = uphill.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
    weight, gap = uphill.abs() / peak, gaps.abs()[:, None] / peak
    if isinstance(ball, L1Ball):
        size = _one_after_the_other(weight, room, gap)
    elif isinstance(ball, LinfBall):
        size = _level(weight, room, gap).minimum(room)
    else:
        tiny = torch.finfo(x.dtype).tiny
        pace = _level(weight.square(), room / weight.clamp(min=tiny), gap)
        size = (pace.clamp(max=1 / tiny) * weight).minimum(room)
    return (size * uphill.sign()).view_as(x)


def _level(rate: Tensor, cap: Tensor, total: Tensor) -> Tensor:
    r"""Return r, shape (N, 1), with :math:`\sum_i a_i \min(r, k_i) = s`; infinite if there is none.

    The sum is concave and piecewise linear in r, with a corner at every cap.
    """
    caps, order = cap.sort(dim=1)
    rates = rate.gather(1, order)
    full = F.pad((rates * caps).cumsum(dim=1), (1, 0))  # of those capped below a corner
    rising = rates.flip(1).cumsum(dim=1).flip(1)  # of those not capped below it
    enough = full[:, :-1] + rising * caps >= total
    first = enough.to(torch.uint8).argmax(dim=1, keepdim=True)
    tiny = torch.finfo(rate.dtype).tiny
    level = (total - full.gather(1, first)) / rising.gather(1, first).clamp(min=tiny)
    return torch.where(enough.any(dim=1, keepdim=True), level.clamp(min=0), torch.inf)


def _one_after_the_other(weight: Tensor, room: Tensor, total: Tensor) -> Tensor:
    """Return how far to move each, shape (N, D): the heaviest first, each as far as it can."""
    weights, order = weight.sort(dim=1, descending=True)
    gains = weights * room.gather(1, order)
    before = gains.cumsum(dim=1) - gains
    tiny = torch.finfo(weight.dtype).tiny
    needed = (total - before).clamp(min=0) / weights.clamp(min=tiny)
    return torch.zeros_like(room).scatter(1, order, needed).minimum(room)
