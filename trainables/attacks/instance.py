"""The instance-wise attack: move an image's embedding away from its other view's."""

from collections.abc import Callable

import torch
from torch import Tensor

from trainables.attacks.pgd import PGD
from trainables.losses.nt_xent import nt_xent


def instance_wise(
    attack: PGD,
    embed: Callable[[Tensor], Tensor],
    images: Tensor,
    targets: Tensor,
    *,
    temperature: float,
    sense: Tensor | None = None,
    detach_keys: bool = False,
) -> Tensor:
    """Attack the contrastive loss between `images` and fixed target embeddings [1]_.

    The loss is the batch's, so that an image also feels where it stands among the others'
    negatives. The targets do not depend on the perturbation: they are embedded once.

    Parameters
    ----------
    attack : PGD
    embed : callable, (N, C, H, W) -> (N, D)
        In eval mode, so that batch norm does not mix the images.
    images : Tensor, shape (N, C, H, W)
    targets : Tensor, shape (N, D)
        Row i is what image i is moved away from, or towards.
    temperature : float
    sense : Tensor, shape (N,), optional
        +1 away from the target, -1 towards it (SwARo's beta).
    detach_keys : bool
        As in RoCL's code.

    Returns
    -------
    Tensor, shape (N, C, H, W)

    References
    ----------
    .. [1] Kim, Tack & Hwang 2020, arXiv:2006.07589, Eq. 5.
    """

    def misfit(perturbed: Tensor) -> Tensor:
        pair = torch.stack([embed(perturbed), targets])
        keys = pair.detach() if detach_keys else None
        return nt_xent(pair, temperature=temperature, keys=keys, reduction="none").mean(dim=0)

    return attack(misfit, images, sense=sense)
