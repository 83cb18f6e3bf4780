"""Weighted nearest neighbours in feature space."""

import torch
import torch.nn.functional as F
from torch import Tensor


def knn_logits(
    features: Tensor,
    known: Tensor,
    labels: Tensor,
    *,
    num_classes: int,
    neighbours: int,
    temperature: float,
) -> Tensor:
    r"""Let the nearest training images vote with weights :math:`\exp(\cos / \tau)` [1]_.

    Parameters
    ----------
    features : Tensor, shape (N, D)
    known : Tensor, shape (M, D)
        Training features; fewer than `neighbours` all vote.
    labels : Tensor, shape (M,), int64
    num_classes : int
    neighbours : int
    temperature : float

    Returns
    -------
    Tensor, shape (N, Y)
        Votes of each class.

    References
    ----------
    .. [1] Wu et al. 2018, arXiv:1805.01978, Sec. 3.4.
    """
    known = F.normalize(known, dim=1)
    votes = []
    for chunk in torch.split(F.normalize(features, dim=1), 2048):  # bounds the similarity matrix
        nearest = (chunk @ known.T).topk(min(neighbours, len(known)), dim=1)
        weights = (nearest.values / temperature).exp()
        tally = torch.zeros(len(chunk), num_classes, device=chunk.device)
        votes.append(tally.scatter_add_(1, labels[nearest.indices], weights.float()))
    return torch.cat(votes)
