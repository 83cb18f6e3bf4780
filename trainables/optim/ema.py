"""Exponential moving averages of networks."""

import torch
from torch import nn


@torch.no_grad()
def update_average(average: nn.Module, online: nn.Module, momentum: float) -> None:
    r"""Move the parameters of `average` towards those of `online`, buffers left alone.

    .. math:: \bar w \leftarrow m \bar w + (1 - m) w
    """
    torch._foreach_lerp_(
        list(average.parameters()), [p.detach() for p in online.parameters()], 1 - momentum
    )
