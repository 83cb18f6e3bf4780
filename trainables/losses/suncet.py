"""SuNCEt: supervised noise-contrastive estimation."""

import torch
from torch import Tensor

from trainables import distributed
from trainables.fusible import fusible
from trainables.losses.similarity import similarities


@fusible
def suncet(
    embeddings: Tensor,
    labels: Tensor,
    *,
    temperature: float,
    keys: Tensor | None = None,
    key_labels: Tensor | None = None,
    first_row: int = 0,
) -> Tensor:
    r"""Contrast each labelled embedding with its own class against all others.

    .. math::
        \ell(z_i) = -\log
            \frac{\sum_{j \ne i,\, y_j = y_i} \exp(\cos(z_i, z_j) / \tau)}
                 {\sum_{k \ne i} \exp(\cos(z_i, z_k) / \tau)}

    The logarithm stands outside the sum over the class, unlike in SupCon. The paper's Eq. 2
    sums over the anchor itself as well, which could make the loss negative: a misprint.

    Parameters
    ----------
    embeddings : Tensor, shape (L, D)
        Projections z; only their directions matter.
    labels : Tensor, shape (L,), int64
        Classes y. Each class must occur at least twice, which the class-balanced
        batches guarantee; an embedding alone in its class makes the loss infinite.
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
        Mean loss over the L embeddings, in nats.

    References
    ----------
    Assran et al. 2020, "Supervision Accelerates Pre-training in Contrastive
    Semi-Supervised Learning of Visual Representations", arXiv:2006.10803.
    """
    itself = first_row + torch.arange(len(labels), device=labels.device)
    logits = similarities(embeddings, keys, itself, temperature=temperature)
    stranger = labels[:, None] != (labels if key_labels is None else key_labels)
    log_share = logits.log_softmax(dim=1).clone()
    with torch.no_grad():  # spares the mask's backward: at -inf no gradient arrives
        log_share.masked_fill_(stranger, -torch.inf)
    return -log_share.logsumexp(dim=1).mean()


def suncet_over_ranks(embeddings: Tensor, labels: Tensor, *, temperature: float) -> Tensor:
    """Return `suncet` of this rank's anchors against every rank's keys, shape ().

    Averaged over ranks, as DDP does with the gradients, it is the loss of one large batch.
    """
    keys, key_labels = distributed.gather_labelled(embeddings, labels)
    return suncet(
        embeddings,
        labels,
        temperature=temperature,
        keys=keys,
        key_labels=key_labels,
        first_row=distributed.rank() * len(labels),
    )
