"""Black-box transfer: images made on one model, shown to others."""

from collections.abc import Sequence

import torch
from torch import Tensor

from trainables.attacks.adversary import Adversary, LogitsOf


def transfer(
    adversary: Adversary, classifiers: Sequence[LogitsOf], images: Tensor, labels: Tensor
) -> Tensor:
    """Return which images made on each classifier the others, and it itself, get right.

    The mean over the last dimension is the matrix of accuracies; its diagonal is the white-box
    attack. Use an attack that continues where its source is already wrong, such as
    ``adversary/transfer_linf``: one that spares those images shows them clean to the others.

    Parameters
    ----------
    adversary : Adversary
    classifiers : sequence of callable, (N, C, H, W) -> (N, Y)
        M of them.
    images : Tensor, shape (N, C, H, W)
    labels : Tensor, shape (N,), int64

    Returns
    -------
    Tensor, shape (M, M, N), bool
        Whether the column's classifier is right about the image made on the row's.
    """
    rows = []
    for source in classifiers:
        found = adversary(source, images, labels)
        with torch.no_grad():
            rows.append(torch.stack([c(found).argmax(dim=1) == labels for c in classifiers]))
    return torch.stack(rows)
