"""MSR: self-supervision robust to aggressive augmentation."""

from typing import Literal

import torch
from torch import Tensor

from trainables.augment.pipeline import Augmentation, views
from trainables.batch import Batch
from trainables.losses.byol import msr
from trainables.methods.base import Method
from trainables.networks.encoder import Encoder
from trainables.networks.heads import mlp
from trainables.networks.target import Target, rising_momentum
from trainables.optim.schedules import decayed
from trainables.progress import Progress
from trainables.ranges import refuse_outside_unit


class MSR(Method):
    r"""BYOL on aggressive views towards weak ones, and less and less towards each other [1]_.

    The aggressive view is made of the weak one: they share crop and flip. :math:`\beta` falls from
    `beta_base` to 0 as half a cosine.

    Parameters
    ----------
    encoder : Encoder
    hidden_width, embedding_width : int
        Of projector and predictor.
    augment : Augmentation
        The weak stage.
    aggressive : Augmentation
        The second stage, on top of the weak one.
    beta_base : float
        Weight in [0, 1] of the aggressive pair at the beginning; 0 is BYOL with aggressive online
        and weak target views.
    decay : {"cosine", "constant"}
        Of beta.
    momentum : float
        Of the target at the beginning; rises to 1.
    stop_gradient : bool
        In the aggressive pair, as in the authors' code; the paper's Eq. 5 has none.

    References
    ----------
    .. [1] Bai et al. 2022, "RSA: Reducing Semantic Shift from Aggressive Augmentations for
       Self-supervised Learning", Eq. 5 and 6.
    """

    trains_every_parameter = True

    def __init__(
        self,
        *,
        encoder: Encoder,
        hidden_width: int,
        embedding_width: int,
        augment: Augmentation,
        aggressive: Augmentation,
        beta_base: float,
        decay: Literal["cosine", "constant"] = "cosine",
        momentum: float,
        stop_gradient: bool = True,
    ) -> None:
        super().__init__()
        refuse_outside_unit("method", beta_base=beta_base, momentum=momentum)
        widths = [hidden_width], embedding_width
        self.encoder = encoder
        self.projector = mlp(encoder.num_features, *widths, batch_norm=True, last_bias=False)
        self.predictor = mlp(embedding_width, *widths, batch_norm=True, last_bias=False)
        self.target = Target(self.encoder, self.projector)
        self.augment = augment
        self.aggressive = aggressive
        self.beta_base = beta_base
        self.decay = decay
        self.momentum = momentum
        self.stop_gradient = stop_gradient

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Move the target, then return MSR's loss of two pairs of views."""
        momentum = rising_momentum(self.momentum, progress.reached)
        self.target.follow(self.encoder, self.projector, momentum=momentum)
        weak = views(self.augment, batch.images, batch.images).chunk(2)
        aggressive = views(self.aggressive, *weak).chunk(2)
        predictions = torch.stack([self._predict(view) for view in aggressive])
        targets = torch.stack([self.target(view) for view in weak])
        beta = decayed(self.beta_base, progress.reached, self.decay)
        loss = msr(predictions, targets, beta=beta, stop_gradient=self.stop_gradient)
        return {"loss": loss, "beta": loss.new_full((), beta)}

    def _predict(self, view: Tensor) -> Tensor:
        prediction: Tensor = self.predictor(self.projector(self.encoder(view)))
        return prediction
