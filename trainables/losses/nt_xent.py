"""NT-Xent: normalised temperature-scaled cross-entropy over several views."""

import functools
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables import distributed
from trainables.fusible import fusible
from trainables.losses.similarity import similarities


@fusible
def nt_xent(
    views: Tensor,
    *,
    temperature: float,
    keys: Tensor | None = None,
    first_row: int = 0,
    reduction: Literal["mean", "none"] = "mean",
) -> Tensor:
    r"""Distinguish an image's other views from all other images' views.

    .. math::
        \ell_{v,i} = -\sum_{u \ne v} \log
            \frac{\exp(\cos(z_{v,i}, k_{u,i}) / \tau)}
                 {\sum_{(w,j) \ne (v,i)} \exp(\cos(z_{v,i}, k_{w,j}) / \tau)}

    Two views give NT-Xent [1]_; three give RoCL's loss [2]_, twice SupCon's of the same views,
    because every anchor has two positives and they are summed. The denominator includes the
    positives; the formulas of SwARo that leave them out are misprints.

    Parameters
    ----------
    views : Tensor, shape (V, N, D)
        Anchors z; only their directions matter.
    temperature : float
        Softmax temperature tau > 0, in units of cosine similarity.
    keys : Tensor, shape (V, M, D), optional
        Embeddings k contrasted with; the anchors themselves if left out. Every rank's rows
        under DDP; detached ones reproduce RoCL's and SuNCEt's code, where gradient reaches an
        embedding only in its part as an anchor.
    first_row : int
        Where among the M keys the N anchors start.
    reduction : {"mean", "none"}
        Mean over the V * N anchors, shape (), or every anchor's loss, shape (V, N).

    Returns
    -------
    Tensor
        Loss in nats.

    References
    ----------
    .. [1] Chen et al. 2020, arXiv:2002.05709, Eq. 1.
    .. [2] Kim, Tack & Hwang 2020, arXiv:2006.07589, Eq. 6.
    """
    num_views, rows, _ = views.shape
    all_rows = rows if keys is None else keys.shape[1]
    places = torch.arange(num_views * all_rows, device=views.device).view(num_views, all_rows)
    column = places[:, first_row : first_row + rows]
    logits = similarities(
        views.flatten(0, 1),
        None if keys is None else keys.flatten(0, 1),
        column.flatten(),
        temperature=temperature,
    )
    log_shares = logits.log_softmax(dim=1)
    others = (column.roll(-shift, dims=0).flatten() for shift in range(1, num_views))
    each = [F.nll_loss(log_shares, other, reduction="none") for other in others]
    losses = functools.reduce(torch.add, each)
    return losses.mean() if reduction == "mean" else losses.view(num_views, rows)


def nt_xent_over_ranks(views: Tensor, *, temperature: float, detach_keys: bool = False) -> Tensor:
    """Return `nt_xent` of this rank's anchors against every rank's keys, shape ().

    Averaged over ranks, as DDP does with the gradients, it is the loss of one large batch.

    Parameters
    ----------
    views : Tensor, shape (V, N, D)
        This rank's rows.
    temperature : float
    detach_keys : bool
        Let gradient reach an embedding only in its part as an anchor.
    """
    rows = views.shape[1]
    if distributed.world_size() == 1 and not detach_keys:
        return nt_xent(views, temperature=temperature)
    keys = distributed.gather(views.transpose(0, 1)).transpose(0, 1)
    return nt_xent(
        views,
        temperature=temperature,
        keys=keys.detach() if detach_keys else keys,
        first_row=distributed.rank() * rows,
    )
