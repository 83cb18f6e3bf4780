"""MoCo v2: recognise a view among the keys of earlier batches."""

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables import distributed
from trainables.augment.pipeline import Augmentation, views
from trainables.batch import Batch
from trainables.losses.info_nce import info_nce
from trainables.methods.base import Method
from trainables.networks.encoder import Encoder
from trainables.networks.heads import mlp
from trainables.networks.target import Target
from trainables.progress import Progress
from trainables.ranges import refuse_not_above_zero, refuse_outside_unit


class MoCo(Method):
    """Find each view's key, made by a slowly moving copy, among a queue of older keys [1]_.

    Symmetrised as MSR's authors compare it: either view is query and key once. Over several
    workers the batch norms are synchronised, where the paper shuffles images between GPUs to keep
    the key from being recognised by its batch's statistics.

    Parameters
    ----------
    encoder : Encoder
    projector_width, embedding_width : int
        Hidden and output width of the projector, which has no batch norm.
    augment : Augmentation
    temperature : float
    momentum : float
        Of the copy, constant.
    queue_length : int
        Keys kept, over all workers together and the same on each.

    References
    ----------
    .. [1] He et al. 2019, arXiv:1911.05722, Algorithm 1; Chen et al. 2020, arXiv:2003.04297.
    """

    trains_every_parameter = True

    queue: Tensor

    def __init__(
        self,
        *,
        encoder: Encoder,
        projector_width: int,
        embedding_width: int,
        augment: Augmentation,
        temperature: float,
        momentum: float,
        queue_length: int,
    ) -> None:
        super().__init__()
        refuse_not_above_zero("method", temperature=temperature)
        refuse_outside_unit("method", momentum=momentum)
        if queue_length < 1:
            raise ValueError(f"method.queue_length must be at least 1, got {queue_length}.")
        self.encoder = encoder
        self.projector = mlp(encoder.num_features, [projector_width], embedding_width)
        self.target = Target(self.encoder, self.projector)
        self.augment = augment
        self.temperature = temperature
        self.momentum = momentum
        strangers = F.normalize(torch.randn(queue_length, embedding_width), dim=1)
        self.register_buffer("queue", strangers)  # as the authors initialise
        self._fresh = strangers[:0]

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the sum of both directions' losses."""
        self.target.follow(self.encoder, self.projector, momentum=self.momentum)
        pair = views(self.augment, batch.images, batch.images).chunk(2)
        queries = [self.projector(self.encoder(view)) for view in pair]
        keys = [F.normalize(self.target(view).float(), dim=1) for view in pair]
        pairs = zip(queries, reversed(keys), strict=True)
        losses = [info_nce(q, k, self.queue, temperature=self.temperature) for q, k in pairs]
        self._fresh = distributed.gather(torch.stack(keys, dim=1)).transpose(0, 1).flatten(0, 1)
        return {"loss": losses[0] + losses[1]}

    def after_update(self, progress: Progress) -> None:
        """Put the batch's keys before the older ones."""
        self.queue = torch.cat([self._fresh.to(self.queue.dtype), self.queue])[: len(self.queue)]
