"""BYOL: predict the momentum encoder's view of the same image."""

from collections.abc import Sequence

import torch
from torch import Tensor

from trainables.augment.pipeline import Augmentation, views
from trainables.batch import Batch
from trainables.losses.byol import byol
from trainables.methods.base import Method
from trainables.networks.encoder import Encoder
from trainables.networks.heads import mlp
from trainables.networks.target import Target, rising_momentum
from trainables.progress import Progress
from trainables.ranges import refuse_outside_unit


class BYOL(Method):
    """Predict from each view what the target network makes of the other [1]_.

    Heads and order of things are those of MSR's authors, who compare with it: the target moves
    before the loss, so that it lags one step, and each view is a forward of its own.

    Parameters
    ----------
    encoder : Encoder
    hidden_width, embedding_width : int
        Of projector and predictor.
    augment : Augmentation
        Of the first view.
    other_augment : Augmentation, optional
        Of the second; without it as the first (MSR's "AA"). A weak one is their "AW".
    momentum : float
        Of the target at the beginning; rises to 1.

    References
    ----------
    .. [1] Grill et al. 2020, arXiv:2006.07733, Algorithm 1.
    """

    trains_every_parameter = True

    def __init__(
        self,
        *,
        encoder: Encoder,
        hidden_width: int,
        embedding_width: int,
        augment: Augmentation,
        other_augment: Augmentation | None = None,
        momentum: float,
    ) -> None:
        super().__init__()
        refuse_outside_unit("method", momentum=momentum)
        widths = [hidden_width], embedding_width
        self.encoder = encoder
        self.projector = mlp(encoder.num_features, *widths, batch_norm=True, last_bias=False)
        self.predictor = mlp(embedding_width, *widths, batch_norm=True, last_bias=False)
        self.target = Target(self.encoder, self.projector)
        self.augment = augment
        self.other_augment = other_augment or augment
        self.momentum = momentum

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Move the target, then return BYOL's loss of two views."""
        momentum = rising_momentum(self.momentum, progress.reached)
        self.target.follow(self.encoder, self.projector, momentum=momentum)
        pair = self._views(batch.images)
        predictions = torch.stack([self._predict(view) for view in pair])
        targets = torch.stack([self.target(view) for view in pair])
        return {"loss": byol(predictions, targets)}

    def _views(self, images: Tensor) -> Sequence[Tensor]:
        if self.other_augment == self.augment:
            return views(self.augment, images, images).chunk(2)
        return self.augment(images), self.other_augment(images)

    def _predict(self, view: Tensor) -> Tensor:
        prediction: Tensor = self.predictor(self.projector(self.encoder(view)))
        return prediction
