"""Features of a whole set of images."""

import torch
from torch import Tensor

from trainables import distributed
from trainables.data.image_set import ImageSet
from trainables.modes import in_mode
from trainables.networks.encoder import Encoder


@torch.no_grad()
def encode(encoder: Encoder, images: ImageSet, *, batch_size: int = 1024) -> Tensor:
    """Return the features of clean images in eval mode, shape (N, num_features).

    The ranks share the work; each ends with every row.
    """
    ranks = distributed.world_size()
    share = -(-len(images) // ranks)
    rows = torch.arange(share * ranks, device=images.images.device).clamp(max=len(images) - 1)
    mine = rows[distributed.rank() * share :][:share]
    batch_size = _fitting(batch_size, images.images.shape)
    with in_mode(encoder, "eval"):
        chunks = torch.split(mine, batch_size)
        parts = [encoder(pixels).float() for pixels in images.in_turn(chunks)]
    return distributed.gather(torch.cat(parts))[: len(images)]


def _fitting(batch_size: int, shape: torch.Size) -> int:
    """Return how many images at once take no more room than so many of 64 x 64 pixels.

    Up to 96 x 96 the size stays: sums are taken in its order, and earlier studies' were.
    """
    pixels = shape[2:].numel()
    return max(1, batch_size * 64**2 // pixels) if pixels > 96**2 else batch_size
