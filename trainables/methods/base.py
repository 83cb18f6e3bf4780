"""The interface of a training method."""

from typing import ClassVar

from torch import Tensor, nn
from torch.optim import Optimizer

from trainables.batch import Batch
from trainables.data.image_set import ImageSet
from trainables.networks.encoder import Encoder
from trainables.progress import Progress


class Method(nn.Module):
    """Networks and the loss of one step; everything else lives elsewhere.

    A method makes its own views: which views exist is part of the method. It is handed its
    parts and inherits from this class and from nothing else.

    Attributes
    ----------
    encoder : Encoder
    trains_every_parameter : bool
        Whether each step's loss depends on every parameter that has a gradient, through as many
        passes at each step. Several ranks then need not look for those that it left out.
    """

    encoder: Encoder
    trains_every_parameter: ClassVar[bool] = False

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return ``{"loss": ..., other scalars to log}``, all on the device, none synchronised.

        Under several ranks each sees its own rows; the gradients are averaged afterwards.
        """
        raise NotImplementedError

    def check(self, train: ImageSet) -> None:
        """Raise a ValueError that names the setting if this training set does not fit."""

    def before_epoch(self, train: ImageSet, progress: Progress) -> None:
        """Prepare an epoch, for instance by clustering the whole training set."""

    def after_update(self, progress: Progress) -> None:
        """Move state that gradients do not move: momentum encoders, queues."""

    def update(
        self, batch: Batch, progress: Progress, optimizer: Optimizer
    ) -> dict[str, Tensor] | None:
        """Make the whole update instead of ``training_step``; None means the usual one."""
        return None
