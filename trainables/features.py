"""Features of a whole set of images."""

import torch
import torch.nn.functional as F
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


@torch.no_grad()
def unit_moments(
    encoder: Encoder, images: ImageSet, *, batch_size: int = 1024
) -> tuple[Tensor, Tensor]:
    """Return mean and variance, each (num_features,), of clean images' features of unit length.

    In eval mode and in one pass, with no more in memory than a batch; the ranks share the work.
    """
    rows = torch.arange(len(images), device=images.images.device)
    mine = rows.tensor_split(distributed.world_size())[distributed.rank()]
    sums = torch.zeros(2, encoder.num_features, dtype=torch.float64, device=rows.device)
    with in_mode(encoder, "eval"):
        for pixels in images.in_turn(torch.split(mine, _fitting(batch_size, images.images.shape))):
            unit = F.normalize(encoder(pixels).double(), dim=1)
            sums += torch.stack([unit.sum(dim=0), unit.square().sum(dim=0)])
    mean, square = distributed.sum_over_ranks(sums) / len(images)
    variance = (square - mean**2).clamp(min=0) * len(images) / max(1, len(images) - 1)
    return mean.float(), variance.float()


def _fitting(batch_size: int, shape: torch.Size) -> int:
    """Return how many images at once take no more room than so many of 64 x 64 pixels.

    Up to 96 x 96 the size stays: sums are taken in its order, and earlier studies' were.
    """
    pixels = shape[2:].numel()
    return max(1, batch_size * 64**2 // pixels) if pixels > 96**2 else batch_size
