"""SimSiam with MSR's views and weights."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from trainables.augment.pipeline import Augmentation, views
from trainables.batch import Batch
from trainables.losses.byol import msr
from trainables.methods.base import Method
from trainables.networks.encoder import Encoder
from trainables.networks.heads import mlp
from trainables.optim.schedules import decayed
from trainables.progress import Progress
from trainables.ranges import refuse_outside_unit


class SimSiamMSR(Method):
    """Predict from aggressive views the weak ones' projections, and each other [1]_.

    The paper gives results (Appendix B) but neither formula nor code. Here a weak view's target is
    its projection by the same networks, without gradient: two forwards more than SimSiam.

    Parameters
    ----------
    encoder : Encoder
    projector_widths : sequence of int
    predictor_width, embedding_width : int
    augment : Augmentation
        The weak stage.
    aggressive : Augmentation
        The second stage, on top of the weak one.
    beta_base : float
        Weight in [0, 1] of the aggressive pair at the beginning.
    decay : {"cosine", "constant"}
        Of beta.

    References
    ----------
    .. [1] Bai et al. 2022, "RSA: Reducing Semantic Shift from Aggressive Augmentations for
       Self-supervised Learning", Appendix B.
    """

    trains_every_parameter = True

    def __init__(
        self,
        *,
        encoder: Encoder,
        projector_widths: Sequence[int],
        predictor_width: int,
        embedding_width: int,
        augment: Augmentation,
        aggressive: Augmentation,
        beta_base: float,
        decay: Literal["cosine", "constant"] = "cosine",
    ) -> None:
        super().__init__()
        refuse_outside_unit("method", beta_base=beta_base)
        self.encoder = encoder
        self.projector = mlp(
            encoder.num_features,
            projector_widths,
            embedding_width,
            batch_norm=True,
            last_batch_norm=True,
        )
        self.predictor = mlp(embedding_width, [predictor_width], embedding_width, batch_norm=True)
        self.augment = augment
        self.aggressive = aggressive
        self.beta_base = beta_base
        self.decay = decay

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return MSR's loss on SimSiam's scale (a quarter of BYOL's), up to a constant."""
        weak = views(self.augment, batch.images, batch.images).chunk(2)
        aggressive = views(self.aggressive, *weak).chunk(2)
        predictions = torch.stack(
            [self.predictor(self.projector(self.encoder(view))) for view in aggressive]
        )
        with torch.no_grad():
            targets = torch.stack([self.projector(self.encoder(view)) for view in weak])
        beta = decayed(self.beta_base, progress.reached, self.decay)
        loss = msr(predictions, targets, beta=beta) / 4
        return {"loss": loss, "beta": loss.new_full((), beta)}
