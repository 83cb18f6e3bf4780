"""SimSiam's loss."""

import torch.nn.functional as F
from torch import Tensor

from trainables.fusible import fusible


@fusible
def simsiam(predictions: Tensor, projections: Tensor) -> Tensor:
    r"""Predict each view's projection from the other view.

    .. math::
        \ell = -\tfrac{1}{2} \cos(p_1, \mathrm{sg}(z_2))
               -\tfrac{1}{2} \cos(p_2, \mathrm{sg}(z_1))

    BYOL's loss of the same tensors is 4 + 4 times this one.

    Parameters
    ----------
    predictions : Tensor, shape (2, N, D)
        The predictor's outputs p.
    projections : Tensor, shape (2, N, D)
        The projector's outputs z; no gradient reaches them here.

    Returns
    -------
    Tensor, shape ()
        Mean over the N images, in [-1, 1].

    References
    ----------
    Chen & He 2020, arXiv:2011.10566, Eq. 2 and 4.
    """
    return -F.cosine_similarity(predictions, projections.detach().flip(0), dim=2).mean()
