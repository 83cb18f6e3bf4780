"""How many images a classifier gets right, attacked or not."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables import distributed
from trainables.attacks.pgd import PGD
from trainables.data.image_set import ImageSet
from trainables.precision import exact

LogitsOf = Callable[[Tensor], Tensor]  # (N, C, H, W) -> (N, Y)


@torch.no_grad()
def accuracy(
    logits_of: LogitsOf, images: ImageSet, *, attack: PGD | None = None, batch_size: int = 512
) -> float:
    """Return the share of `images` classified right; the ranks share the work.

    Parameters
    ----------
    logits_of : callable, (N, C, H, W) -> (N, Y)
        In eval mode.
    images : ImageSet
        All labelled.
    attack : PGD, optional
        White-box, on the cross-entropy.
    batch_size : int
        Images at once over all ranks, so that several attack as one would.
    """
    device, ranks = images.images.device, distributed.world_size()
    right = torch.zeros((), device=device)
    chunks = torch.split(torch.arange(len(images), device=device), batch_size)
    shares = [torch.arange(-(-len(rows) // ranks), device=device) for rows in chunks]
    shares = [distributed.rank() * len(share) + share for share in shares]
    pairs = list(zip(chunks, shares, strict=True))
    mine = [rows[places.clamp(max=len(rows) - 1)] for rows, places in pairs]
    for x, own, (rows, places) in zip(images.in_turn(mine), mine, pairs, strict=True):
        labels = images.labels[own]

        def misfit(perturbed: Tensor, labels: Tensor = labels) -> Tensor:
            return F.cross_entropy(logits_of(perturbed), labels, reduction="none")

        if attack is not None:
            x = attack(misfit, x)
        with exact(device):
            hits = logits_of(x).argmax(dim=1) == labels
        right += (hits & (places < len(rows))).sum()  # what fills up the last share counts not
    return distributed.sum_over_ranks(right).item() / len(images)
