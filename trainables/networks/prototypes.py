"""SwAV's prototypes, and the earlier embeddings that are assigned to them along with a batch."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables import distributed
from trainables.losses.similarity import directions
from trainables.precision import exact
from trainables.progress import Progress

VIEWS = 2
ROUNDING = 1e-6  # epochs


class Prototypes(nn.Module):
    """Unit vectors that embeddings are compared with, and a queue of earlier embeddings [1]_.

    Parameters
    ----------
    width : int
        D, of embeddings and prototypes.
    count : int
        K.
    frozen_epochs : float
        Epochs during which nothing moves the prototypes: they get no gradient, and an optimizer
        leaves what has none alone, momentum and weight decay included.
    queue_length : int
        Q, embeddings kept of either view, over all workers together and the same on each; 0 for
        no queue. The oldest leave first, and it is used once it is full.
    queue_start : int
        Epochs before the queue starts to fill.

    References
    ----------
    .. [1] Caron et al. 2020, arXiv:2006.09882, Sec. 3.1, and the authors' code.
    """

    queue: Tensor

    def __init__(
        self,
        *,
        width: int,
        count: int,
        frozen_epochs: float = 0.0,
        queue_length: int = 0,
        queue_start: int = 0,
    ) -> None:
        super().__init__()
        if count < 1 or width < 1:
            raise ValueError(
                f"prototypes.count and prototypes.width must be at least 1, got {count} and "
                f"{width}."
            )
        if frozen_epochs < 0 or queue_length < 0 or queue_start < 0:
            raise ValueError(
                f"prototypes.frozen_epochs, .queue_length and .queue_start must be at least 0, "
                f"got {frozen_epochs}, {queue_length} and {queue_start}."
            )
        self.width = width
        self.weight = nn.Parameter(F.normalize(torch.randn(count, width), dim=1))
        self.frozen_epochs = frozen_epochs
        self.queue_start = queue_start
        self.register_buffer("queue", torch.zeros(VIEWS, queue_length, width))
        self.queued = 0
        self._fresh = torch.empty(VIEWS, 0, width)

    def forward(self, embeddings: Tensor, progress: Progress) -> tuple[Tensor, Tensor | None]:
        """Compare a batch, and this rank's share of a full queue, with the prototypes.

        Parameters
        ----------
        embeddings : Tensor, shape (2, N, D)
            Only their directions matter. `after_update` puts them into the queue.
        progress : Progress

        Returns
        -------
        scores : Tensor, shape (2, N, K)
            Cosines, in float32 at least.
        queue_scores : Tensor, shape (2, Q / ranks, K), or None
            Without gradient; shares differ by a row where the ranks do not divide Q.
        """
        z = directions(embeddings)
        self._fresh = z.detach()
        weight: Tensor = self.weight
        if self._is_frozen(progress):  # what stands in for it takes the gradient, at equal cost
            weight = weight.detach().requires_grad_()
        with exact(z.device):  # Sinkhorn's exponents are 20 times the cosines
            scores = z @ weight.T
            if not self.queued or self.queued < self.queue.shape[1]:
                return scores, None
            earlier = self.queue[:, distributed.rank() :: distributed.world_size()]
            return scores, earlier @ weight.detach().T

    @torch.no_grad()
    def after_update(self, progress: Progress) -> None:
        """Give the prototypes unit length again, and the queue the last batch of all ranks."""
        if not self._is_frozen(progress):
            self.weight.copy_(F.normalize(self.weight, dim=1))
        length = self.queue.shape[1]
        if not length or progress.epoch < self.queue_start:
            return
        newest = distributed.gather(self._fresh.transpose(0, 1)).transpose(0, 1)
        kept = torch.cat([newest.to(self.queue.dtype), self.queue], dim=1)[:, :length]
        self.queue = kept.contiguous()  # a slice would be saved with all it is cut from
        self.queued = min(length, self.queued + newest.shape[1])

    def _is_frozen(self, progress: Progress) -> bool:
        # An epoch computed from a share of all steps may be a rounding error below the integer.
        return progress.fraction * progress.max_epochs < self.frozen_epochs - ROUNDING

    def get_extra_state(self) -> dict[str, Any]:
        """Return how full the queue is."""
        return {"queued": self.queued}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take it back."""
        self.queued = state["queued"]
