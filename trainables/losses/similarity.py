"""Cosine similarities of a contrastive loss."""

import torch
import torch.nn.functional as F
from torch import Tensor


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
    z = _directions(anchors)
    k = z if keys is None else _directions(keys)
    logits = _at_least_float32((z / temperature) @ k.T)  # in autocast the product is not
    with torch.no_grad():  # no gradient passes here: a softmax's is zero at -inf
        # Not logits[rows, itself] = ..., which on a GPU waits for the copy of the number.
        logits.scatter_(1, itself.unsqueeze(1), -torch.inf)
    return logits


def _directions(embeddings: Tensor) -> Tensor:
    return F.normalize(_at_least_float32(embeddings), dim=1)


def _at_least_float32(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()
