"""Cross-entropy of classes, and accuracy."""

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.fusible import fusible


@fusible
def loss_and_accuracy(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean cross-entropy in nats, and accuracy without gradient, both of shape ().

    Parameters
    ----------
    logits : Tensor, shape (N, Y)
    labels : Tensor, shape (N,), int64
    """
    return F.cross_entropy(logits, labels), _accuracy(logits, labels)


@fusible
def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the share of rows that are right, shape ()."""
    return _accuracy(logits, labels)


@fusible
def cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    """Return each row's cross-entropy in nats, shape (N,): what an attack raises."""
    return F.cross_entropy(logits, labels, reduction="none")


def _accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits.argmax(dim=1) == labels).mean(dtype=torch.float32)
