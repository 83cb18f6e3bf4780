"""SimSiam: predict one view of an image from another, with a stop-gradient."""

from collections.abc import Sequence

import torch
from torch import Tensor

from trainables.augment.pipeline import Augmentation, views
from trainables.batch import Batch
from trainables.losses.simsiam import simsiam
from trainables.methods.base import Method
from trainables.networks.encoder import Encoder
from trainables.networks.heads import mlp
from trainables.progress import Progress


class SimSiam(Method):
    """Predict from each view the projection of the other, which gets no gradient [1]_.

    Parameters
    ----------
    encoder : Encoder
    projector_widths : sequence of int
        Hidden widths; the output, normalised without affine parameters, is `embedding_width`.
    predictor_width, embedding_width : int
        The predictor's hidden layer is the narrow one.
    augment : Augmentation

    References
    ----------
    .. [1] Chen & He 2020, arXiv:2011.10566, Algorithm 1.
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
    ) -> None:
        super().__init__()
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

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return SimSiam's loss of two views."""
        pair = views(self.augment, batch.images, batch.images).chunk(2)
        projections = torch.stack([self.projector(self.encoder(view)) for view in pair])
        predictions = torch.stack([self.predictor(projection) for projection in projections])
        return {"loss": simsiam(predictions, projections)}
