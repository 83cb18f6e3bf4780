"""BYOL's loss, and MSR's, which mixes it with one between the online views."""

import torch.nn.functional as F
from torch import Tensor

from trainables.fusible import fusible


def byol(predictions: Tensor, targets: Tensor) -> Tensor:
    r"""Predict each view's target from the other view.

    .. math:: \ell = d(q_1, z_2) + d(q_2, z_1), \quad d(u, v) = 2 - 2 \cos(u, v)

    Parameters
    ----------
    predictions : Tensor, shape (2, N, D)
        The online predictor's outputs q.
    targets : Tensor, shape (2, N, D)
        The target projector's outputs z; no gradient reaches them.

    Returns
    -------
    Tensor, shape ()
        Mean over the N images, in [0, 8].

    References
    ----------
    Grill et al. 2020, arXiv:2006.07733, Eq. 2 and 3.
    """
    return _crossed_distance(predictions, targets.detach())


def msr(
    predictions: Tensor, targets: Tensor, *, beta: float | Tensor, stop_gradient: bool = True
) -> Tensor:
    r"""Mix BYOL's loss towards weak views with one between the aggressive views.

    .. math::
        \ell = (1 - \beta)\,[d(q_1, z_2) + d(q_2, z_1)]
            + \beta\,[d(q_1, \mathrm{sg}(q_2)) + d(q_2, \mathrm{sg}(q_1))]

    Parameters
    ----------
    predictions : Tensor, shape (2, N, D)
        The online predictor's outputs q for the aggressive views.
    targets : Tensor, shape (2, N, D)
        The target projector's outputs z for the weak views; no gradient reaches them.
    beta : float or Tensor, shape ()
        Weight in [0, 1] of the aggressive pair; 0 is BYOL.
    stop_gradient : bool
        As in the authors' code. The paper's Eq. 5 has no sg, which doubles the gradient of the
        aggressive pair.

    Returns
    -------
    Tensor, shape ()
        Mean over the N images, in [0, 8].

    References
    ----------
    Bai et al. 2022, "RSA: Reducing Semantic Shift from Aggressive Augmentations for
    Self-supervised Learning", Eq. 5.
    """
    other = predictions.detach() if stop_gradient else predictions
    pair = _crossed_distance(predictions, other)
    return (1 - beta) * byol(predictions, targets) + beta * pair


@fusible
def _crossed_distance(predictions: Tensor, targets: Tensor) -> Tensor:
    cosines = F.cosine_similarity(predictions, targets.flip(0), dim=2)
    return (2 - 2 * cosines).sum(dim=0).mean()
