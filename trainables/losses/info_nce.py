"""MoCo's loss: a key among those of earlier batches."""

import torch
from torch import Tensor

from trainables.fusible import fusible
from trainables.losses.similarity import directions
from trainables.precision import exact


@fusible
def info_nce(queries: Tensor, keys: Tensor, queue: Tensor, *, temperature: float) -> Tensor:
    r"""Recognise each query's own key among the queue.

    .. math::
        \ell_i = -\log \frac{e^{q_i \cdot k_i / \tau}}
            {e^{q_i \cdot k_i / \tau} + \sum_j e^{q_i \cdot n_j / \tau}}

    The other keys of the batch are no negatives.

    Parameters
    ----------
    queries : Tensor, shape (N, D)
    keys : Tensor, shape (N, D)
        No gradient reaches them.
    queue : Tensor, shape (Q, D)
        Keys n of earlier batches. All three are normalised here.
    temperature : float
        Softmax temperature tau > 0, in units of cosine similarity.

    Returns
    -------
    Tensor, shape ()
        Mean over the N queries, in nats.

    References
    ----------
    He et al. 2019, arXiv:1911.05722, Eq. 1.
    """
    wide = torch.float64 if queries.dtype == torch.float64 else torch.float32
    with exact(queries.device):
        q, k, n = (directions(t.to(wide)) for t in (queries, keys.detach(), queue))
        own = (q * k).sum(dim=1, keepdim=True)
        logits = torch.cat([own, q @ n.T], dim=1) / temperature
        return (logits.logsumexp(dim=1) - logits[:, 0]).mean()
