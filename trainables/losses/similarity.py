"""Cosine similarities of a contrastive loss."""

from typing import Any

import torch
from torch import Tensor

from trainables.precision import exact

SHORTEST = 1e-12  # as in torch.nn.functional.normalize


def similarities(
    anchors: Tensor, keys: Tensor | None, itself: Tensor, *, temperature: float
) -> Tensor:
    """Return cosines over the temperature, -inf where an anchor meets itself.

    Parameters
    ----------
    anchors : Tensor, shape (L, D)
        Only their directions matter.
    keys : Tensor, shape (M, D), optional
        The anchors if left out.
    itself : Tensor, shape (L,), int64
        Row of each anchor among the keys.
    temperature : float

    Returns
    -------
    Tensor, shape (L, M)
        In float32 at least.
    """
    z = directions(anchors)
    k = z if keys is None else directions(keys)
    with exact(anchors.device):  # bfloat16's 8 bits would be of a cosine over the temperature
        logits = (z / temperature) @ k.T
    with torch.no_grad():  # no gradient passes here: a softmax's is zero at -inf
        # Not logits[rows, itself] = ..., which on a GPU waits for the copy of the number.
        logits.scatter_(1, itself.unsqueeze(1), -torch.inf)
    return logits


def directions(embeddings: Tensor) -> Tensor:
    """Return unit vectors along the last dimension, in float32 at least.

    The gradient takes four kernels; torch's ``normalize`` takes fourteen for it.
    """
    unit: Tensor = _Direction.apply(_at_least_float32(embeddings))
    return unit


class _Direction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        lengths = torch.linalg.vector_norm(rows, dim=-1, keepdim=True).clamp_(min=SHORTEST)
        unit: Tensor = rows / lengths
        ctx.save_for_backward(unit, lengths)
        return unit

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        unit, lengths = ctx.saved_tensors
        along = (unit * slope).sum(dim=-1, keepdim=True)
        across: Tensor = torch.addcmul(slope, unit, along, value=-1).div_(lengths)
        return across


def _at_least_float32(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()
