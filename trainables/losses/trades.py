"""TRADES: accuracy on clean images, and agreement with their attacked copies."""

import torch.nn.functional as F
from torch import Tensor

from trainables.fusible import fusible


@fusible
def divergence(logits: Tensor, from_logits: Tensor) -> Tensor:
    r"""Return :math:`KL(p \,\|\, q)` of every row's classes, shape (N,), in nats.

    TRADES' attack maximises it: its gradient is zero at the clean image itself, so the attack
    must start beside it.

    Parameters
    ----------
    logits : Tensor, shape (N, Y)
        Of q, the attacked images' classes.
    from_logits : Tensor, shape (N, Y)
        Of p, the clean images' classes.
    """
    return _divergence(logits, from_logits)


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
    clean = F.cross_entropy(logits, labels)
    return clean + weight * _divergence(adversarial_logits, logits).mean()


def _divergence(logits: Tensor, from_logits: Tensor) -> Tensor:
    log_q, log_p = F.log_softmax(logits, dim=1), F.log_softmax(from_logits, dim=1)
    return F.kl_div(log_q, log_p, log_target=True, reduction="none").sum(dim=1)
