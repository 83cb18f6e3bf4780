"""SwAV: predict one view's prototype assignment from another view."""

import torch
from torch import Tensor

from trainables import distributed
from trainables.precision import exact


@torch.no_grad()
def sinkhorn(scores: Tensor, *, epsilon: float, iterations: int = 3) -> Tensor:
    r"""Assign every row softly to prototypes that all get the same share of the rows [1]_.

    Alternately finds the scales of the columns and of the rows of :math:`\exp(scores / \epsilon)`,
    over the rows of all ranks.

    Parameters
    ----------
    scores : Tensor, shape (N, K)
        Cosines of this rank's embeddings and the prototypes.
    epsilon : float
        Smoothness > 0, in units of cosine similarity; towards 0 assignments become hard.
    iterations : int
        At least 1.

    Returns
    -------
    Tensor, shape (N, K)
        Codes without gradient; a row sums to 1, a column over all ranks nearly to N / K.

    References
    ----------
    .. [1] Caron et al. 2020, arXiv:2006.09882, Sec. 3.1 and Listing 1.
    """
    values = scores if scores.dtype == torch.float64 else scores.float()
    highest = distributed.gather(values.amax(dim=0, keepdim=True)).amax(dim=0)
    logits = (values - highest).div_(epsilon)  # scales columns, which the first step undoes
    row_highest = logits.amax(dim=1)
    plain = logits.sub_(row_highest[:, None]).exp_()  # no row or column is all zero
    rows = row_highest.exp()
    with exact(scores.device):
        for _ in range(iterations):
            columns = distributed.sum_over_ranks(rows @ plain).reciprocal()
            rows = (plain @ columns).reciprocal()
    return (plain * columns).mul_(rows[:, None])


def swav(
    scores: Tensor,
    *,
    temperature: float,
    epsilon: float,
    iterations: int = 3,
    queue_scores: Tensor | None = None,
) -> Tensor:
    r"""Predict each view's codes from every other view.

    .. math::
        \ell = -\frac{1}{V (V - 1)} \sum_{v \ne w} \sum_k q_{v,k} \log p_{w,k}, \quad
        p_w = \mathrm{softmax}(s_w / \tau), \quad q_v = \mathrm{sinkhorn}(s_v)

    Parameters
    ----------
    scores : Tensor, shape (V, N, K)
        Cosines s of the views' embeddings and the prototypes.
    temperature : float
        Softmax temperature tau > 0 of the predictions.
    epsilon : float
        Smoothness of the codes.
    iterations : int
        Of Sinkhorn's algorithm.
    queue_scores : Tensor, shape (V, Q, K), optional
        Cosines of earlier embeddings, which take part in the assignment only.

    Returns
    -------
    Tensor, shape ()
        Mean over the N images, in nats.

    References
    ----------
    Caron et al. 2020, arXiv:2006.09882, Eq. 2.
    """
    num_views, rows, _ = scores.shape
    earlier = [None] * num_views if queue_scores is None else queue_scores
    # A view at a time: both together leave a core's cache and take a sixth longer.
    log_predictions = [(view / temperature).log_softmax(dim=1) for view in scores]
    total = scores.new_zeros(())
    for v, queued in enumerate(earlier):
        candidates = scores[v] if queued is None else torch.cat([scores[v], queued])
        codes = sinkhorn(candidates, epsilon=epsilon, iterations=iterations)[:rows]
        for w, log_prediction in enumerate(log_predictions):
            if w != v:
                total = total - (codes * log_prediction).sum()
    return total / (num_views * (num_views - 1) * rows)
