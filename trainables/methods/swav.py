"""SwAV: predict a view's cluster from another view."""

from torch import Tensor

from trainables.augment.pipeline import Augmentation, views
from trainables.batch import Batch
from trainables.losses.swav import swav
from trainables.methods.base import Method
from trainables.networks.encoder import Encoder
from trainables.networks.heads import mlp
from trainables.networks.prototypes import Prototypes
from trainables.progress import Progress
from trainables.ranges import refuse_not_above_zero


class SwAV(Method):
    """Assign views to prototypes evenly, and predict each view's assignment from the other [1]_.

    Two views of full size; the paper's further, small crops are not made.

    Parameters
    ----------
    encoder : Encoder
    projector_width : int
        Hidden width of the projector, which has batch norm.
    augment : Augmentation
    prototypes : Prototypes
        Of the projector's output width.
    temperature : float
        Softmax temperature of the predictions, in units of cosine similarity.
    epsilon : float
        Smoothness of the assignments, in the same unit.

    References
    ----------
    .. [1] Caron et al. 2020, arXiv:2006.09882, Listing 1.
    """

    def __init__(
        self,
        *,
        encoder: Encoder,
        projector_width: int,
        augment: Augmentation,
        prototypes: Prototypes,
        temperature: float,
        epsilon: float,
    ) -> None:
        super().__init__()
        refuse_not_above_zero("method", temperature=temperature, epsilon=epsilon)
        self.encoder = encoder
        self.projector = mlp(
            encoder.num_features, [projector_width], prototypes.width, batch_norm=True
        )
        self.augment = augment
        self.prototypes = prototypes
        self.temperature = temperature
        self.epsilon = epsilon

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings, shape (N, D)."""
        embeddings: Tensor = self.projector(self.encoder(images))
        return embeddings

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the swapped prediction loss of two views."""
        images = views(self.augment, batch.images, batch.images)
        scores, queue_scores = self.prototypes(self(images).unflatten(0, (2, -1)), progress)
        loss = swav(
            scores, temperature=self.temperature, epsilon=self.epsilon, queue_scores=queue_scores
        )
        return {"loss": loss}

    def after_update(self, progress: Progress) -> None:
        """Keep prototypes at unit length and the queue up to date."""
        self.prototypes.after_update(progress)
