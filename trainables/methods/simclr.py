"""SimCLR: attract two views of an image, repel all other images."""

from torch import Tensor

from trainables.augment.pipeline import Augmentation, views
from trainables.batch import Batch
from trainables.losses.nt_xent import nt_xent_over_ranks
from trainables.methods.base import Method
from trainables.networks.encoder import Encoder
from trainables.networks.heads import mlp
from trainables.progress import Progress
from trainables.ranges import refuse_not_above_zero


class SimCLR(Method):
    """Contrast two augmented views of each image [1]_.

    Parameters
    ----------
    encoder : Encoder
    projector_width, embedding_width : int
        Hidden and output width of the projector.
    augment : Augmentation
    temperature : float
        Softmax temperature of NT-Xent, in units of cosine similarity.
    detach_keys : bool
        Let gradient reach an embedding only in its part as an anchor.

    References
    ----------
    .. [1] Chen et al. 2020, arXiv:2002.05709, Algorithm 1.
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
        detach_keys: bool = False,
    ) -> None:
        super().__init__()
        refuse_not_above_zero("method", temperature=temperature)
        self.encoder = encoder
        self.projector = mlp(encoder.num_features, [projector_width], embedding_width)
        self.augment = augment
        self.temperature = temperature
        self.detach_keys = detach_keys

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings, shape (N, D)."""
        embeddings: Tensor = self.projector(self.encoder(images))
        return embeddings

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return NT-Xent of two views."""
        images = views(self.augment, batch.images, batch.images)
        embeddings = self(images).unflatten(0, (2, -1))
        loss = nt_xent_over_ranks(
            embeddings, temperature=self.temperature, detach_keys=self.detach_keys
        )
        return {"loss": loss}
