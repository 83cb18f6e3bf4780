"""RoCL's training loss: three views against all others, and a pull towards the attacked view."""

from collections.abc import Callable

import torch
from torch import Tensor

from trainables.losses.nt_xent import nt_xent, nt_xent_over_ranks


def rocl(
    embed: Callable[[Tensor], Tensor],
    view1: Tensor,
    view2: Tensor,
    adversarial: Tensor,
    *,
    temperature: float,
    regularisation: float,
    detach_keys: bool = False,
) -> Tensor:
    r"""Contrast two views and an adversarial one, each with its image's two others [1]_.

    .. math:: L = \mathrm{NTXent}_3(t_1, t_2, t_{adv}) + \lambda \mathrm{NTXent}_2(t_{adv}, t_2)

    The first term has every rank's images as negatives, the second this rank's only and its own
    forward pass, as in the authors' code.

    Parameters
    ----------
    embed : callable, (N, C, H, W) -> (N, D)
        Encoder and projector, in train mode.
    view1, view2, adversarial : Tensor, shape (N, C, H, W)
    temperature : float
    regularisation : float
        lambda; 1/256 in the code.
    detach_keys : bool
        As in the code: gradient reaches an embedding only in its part as an anchor.

    Returns
    -------
    Tensor, shape ()

    References
    ----------
    .. [1] Kim, Tack & Hwang 2020, arXiv:2006.07589, Eq. 6 and 7.
    """
    pair = torch.stack(embed(torch.cat([adversarial, view2])).chunk(2))
    pull = nt_xent(pair, temperature=temperature, keys=pair.detach() if detach_keys else None)
    three = torch.stack(embed(torch.cat([view1, view2, adversarial])).chunk(3))
    main = nt_xent_over_ranks(three, temperature=temperature, detach_keys=detach_keys)
    return main + regularisation * pull
