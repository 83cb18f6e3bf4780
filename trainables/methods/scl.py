"""SCL: supervised contrastive learning with the SupCon loss."""

from torch import Tensor

from trainables.augment.pipeline import Augmentation, views
from trainables.batch import Batch
from trainables.losses.supcon import supcon_over_ranks
from trainables.methods.base import Method
from trainables.networks.encoder import Encoder
from trainables.networks.heads import mlp
from trainables.progress import Progress
from trainables.ranges import refuse_not_above_zero


class SCL(Method):
    """Contrast classes, over two augmented views of every image [1]_.

    Parameters
    ----------
    encoder : Encoder
    projector_width, embedding_width : int
        Hidden and output width of the projector.
    augment : Augmentation
    temperature : float
        Softmax temperature of SupCon, in units of cosine similarity.

    References
    ----------
    .. [1] Khosla et al. 2020, arXiv:2004.11362, Eq. 2.
    """

    trains_every_parameter = True

    def __init__(
        self,
        *,
        encoder: Encoder,
        projector_width: int,
        embedding_width: int,
        augment: Augmentation,
        temperature: float,
    ) -> None:
        super().__init__()
        refuse_not_above_zero("method", temperature=temperature)
        self.encoder = encoder
        self.projector = mlp(encoder.num_features, [projector_width], embedding_width)
        self.augment = augment
        self.temperature = temperature

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings, shape (N, D)."""
        embeddings: Tensor = self.projector(self.encoder(images))
        return embeddings

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return SupCon of two views of the labelled images."""
        images = views(self.augment, batch.labelled, batch.labelled)
        loss = supcon_over_ranks(self(images), batch.labels.repeat(2), temperature=self.temperature)
        return {"loss": loss}
