"""SupCon: supervised contrastive learning."""

import torch
from torch import Tensor

from trainables import distributed
from trainables.fusible import fusible
from trainables.losses.similarity import similarities


@fusible
def supcon(
    embeddings: Tensor,
    labels: Tensor,
    *,
    temperature: float,
    keys: Tensor | None = None,
    key_labels: Tensor | None = None,
    first_row: int = 0,
) -> Tensor:
    r"""Distinguish every other embedding of the class, each by itself, from all others [1]_.

    .. math::
        \ell(z_i) = -\frac{1}{|P_i|} \sum_{j \in P_i} \log
            \frac{\exp(\cos(z_i, z_j) / \tau)}{\sum_{k \ne i} \exp(\cos(z_i, z_k) / \tau)},
        \quad P_i = \{j \ne i : y_j = y_i\}

    The logarithm stands inside the sum over the class, unlike in SuNCEt. Several views of an
    image are several rows with its label; the image's row as label gives NT-Xent.

    Parameters
    ----------
    embeddings : Tensor, shape (L, D)
        Projections z; only their directions matter.
    labels : Tensor, shape (L,), int64
        Classes y. An embedding alone in its class counts as a loss of zero.
    temperature : float
        Softmax temperature tau > 0, in units of cosine similarity.
    keys : Tensor, shape (M, D), optional
        Embeddings contrasted with, such as every rank's; the anchors themselves if left out.
    key_labels : Tensor, shape (M,), int64, optional
        Their classes.
    first_row : int
        Where among the M keys the L anchors start.

    Returns
    -------
    Tensor, shape ()
        Mean loss over the L embeddings, in nats. The authors' code multiplies it by their
        temperature over 0.07.

    References
    ----------
    .. [1] Khosla et al. 2020, arXiv:2004.11362, Eq. 2.
    """
    itself = first_row + torch.arange(len(labels), device=labels.device)
    logits = similarities(embeddings, keys, itself, temperature=temperature)
    positive = labels[:, None] == (labels if key_labels is None else key_labels)
    positive &= logits > -torch.inf  # not itself
    count = positive.sum(dim=1)
    mean_positive = logits.masked_fill(~positive, 0).sum(dim=1) / count.clamp(min=1)
    return ((logits.logsumexp(dim=1) - mean_positive) * (count > 0)).mean()


def supcon_over_ranks(embeddings: Tensor, labels: Tensor, *, temperature: float) -> Tensor:
    """Return `supcon` of this rank's anchors against every rank's keys, shape ().

    Averaged over ranks, as DDP does with the gradients, it is the loss of one large batch.
    """
    keys, key_labels = distributed.gather_labelled(embeddings, labels)
    return supcon(
        embeddings,
        labels,
        temperature=temperature,
        keys=keys,
        key_labels=key_labels,
        first_row=distributed.rank() * len(labels),
    )
