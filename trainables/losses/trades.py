"""TRADES: accuracy on clean images, and agreement with their attacked copies."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.fusible import fusible


def divergence_from(logits: Tensor) -> Callable[[Tensor], Tensor]:
    r"""Return what TRADES' attack raises: how far classes are from those of the clean images.

    The gradient is zero at the clean image itself, so the attack must start beside it.

    Parameters
    ----------
    logits : Tensor, shape (N, Y)
        Of p, the clean images' classes; no gradient reaches them.

    Returns
    -------
    callable, (N, Y) -> (N,)
        From the logits of q to :math:`KL(p \,\|\, q)` plus the entropy of p, which no attack
        changes, in nats.
    """
    minus_shares = logits.detach().softmax(dim=1).neg_()
    return lambda others: _weighed(others, minus_shares)


@fusible
def trades(logits: Tensor, adversarial_logits: Tensor, labels: Tensor, *, weight: float) -> Tensor:
    r"""Fit the clean images, and let the attacked ones look the same.

    .. math:: \ell = \mathrm{CE}(f(x), y) + \beta\, KL(p_{f(x)} \,\|\, p_{f(x')})

    Parameters
    ----------
    logits : Tensor, shape (N, Y)
        Of the clean images x; both terms have a gradient to them, as in the authors' code.
    adversarial_logits : Tensor, shape (N, Y)
        Of the attacked images x'.
    labels : Tensor, shape (N,), int64
    weight : float
        beta, written 1 / lambda in the paper; 6 on CIFAR-10.

    Returns
    -------
    Tensor, shape ()
        Mean over the N images, in nats.

    References
    ----------
    Zhang et al. 2019, arXiv:1901.08573, Eq. 5.
    """
    log_p, log_q = logits.log_softmax(dim=1), adversarial_logits.log_softmax(dim=1)
    apart = (log_p.exp() * (log_p - log_q)).sum()
    return torch.add(F.nll_loss(log_p, labels), apart, alpha=weight / len(labels))


@fusible
def _weighed(logits: Tensor, weights: Tensor) -> Tensor:
    return (logits.log_softmax(dim=1) * weights).sum(dim=1)
