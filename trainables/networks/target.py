"""The momentum copy of networks, and the schedule of its momentum."""

import copy
import math

import torch
from torch import Tensor, nn

from trainables.optim.ema import update_average


class Target(nn.Module):
    """A copy of networks in a row that follows them as an exponential moving average.

    Only parameters follow: batch-norm statistics are its own, from its own forwards. No gradient
    reaches it.

    Parameters
    ----------
    *parts : nn.Module
        Applied one after the other, such as encoder and projector.
    """

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.copy = copy.deepcopy(nn.Sequential(*parts)).requires_grad_(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Return what the last part makes of the images."""
        embeddings: Tensor = self.copy(images)
        return embeddings

    def follow(self, *parts: nn.Module, momentum: float) -> None:
        """Move towards the networks it was copied from."""
        for mine, part in zip(self.copy, parts, strict=True):
            update_average(mine, part, momentum)


def rising_momentum(momentum: float, fraction: float) -> float:
    r"""Return :math:`1 - (1 - m)(\cos \pi t + 1) / 2`: m at first, 1 in the end.

    References
    ----------
    Grill et al. 2020, arXiv:2006.07733, Sec. 3.3.
    """
    return 1 - (1 - momentum) * (math.cos(math.pi * fraction) + 1) / 2
