"""Cutting a data set once and for all."""

import torch
from torch import Tensor


def stratified(labels: Tensor, shares: tuple[float, ...], *, seed: int) -> list[Tensor]:
    """Cut rows into parts with the same mix of classes.

    Parameters
    ----------
    labels : Tensor, shape (N,), int64
    shares : tuple of float
        Size of each part but the last, which gets the rest; each below 1.
    seed : int
        The data set's own, never a trial's.

    Returns
    -------
    list of Tensor
        Row numbers of each part, ascending.
    """
    generator = torch.Generator().manual_seed(seed)
    parts: list[list[Tensor]] = [[] for _ in range(len(shares) + 1)]
    for label in labels.unique().tolist():
        rows = (labels == label).nonzero().flatten()
        rows = rows[torch.randperm(len(rows), generator=generator)]
        sizes = [round(share * len(rows)) for share in shares]
        for part, chosen in zip(parts, rows.split([*sizes, len(rows) - sum(sizes)]), strict=True):
            part.append(chosen)
    return [torch.cat(part).sort().values for part in parts]
