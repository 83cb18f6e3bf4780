"""SwAV with the SuNCEt loss on a few labels."""

from torch import Tensor

from trainables.augment.pipeline import Augmentation, views
from trainables.batch import Batch
from trainables.losses.suncet import suncet_over_ranks
from trainables.losses.swav import swav
from trainables.methods.base import Method
from trainables.networks.encoder import Encoder
from trainables.networks.heads import mlp
from trainables.networks.prototypes import Prototypes
from trainables.progress import Progress
from trainables.ranges import refuse_below_zero, refuse_not_above_zero


class SuNCEtSwAV(Method):
    """Predict assignments of unlabelled images' views, and contrast classes of labelled ones [1]_.

    A batch without labelled images, as from the switch-off on, is SwAV's. Labelled images are
    compared with each other only, not with the prototypes.

    Parameters
    ----------
    encoder : Encoder
    projector_width : int
        Hidden width of the projector, which has batch norm.
    augment : Augmentation
        Two views of an unlabelled image, one of a labelled.
    prototypes : Prototypes
        Of the projector's output width.
    temperature : float
        Softmax temperature of both losses, in units of cosine similarity.
    epsilon : float
        Smoothness of the assignments, in the same unit.
    weight : float
        Of SuNCEt beside SwAV's loss.

    References
    ----------
    .. [1] Assran et al. 2020, arXiv:2006.10803, Eq. 2; Caron et al. 2020, arXiv:2006.09882.
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
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        refuse_not_above_zero("method", temperature=temperature, epsilon=epsilon)
        refuse_below_zero("method", weight=weight)
        self.encoder = encoder
        self.projector = mlp(
            encoder.num_features, [projector_width], prototypes.width, batch_norm=True
        )
        self.augment = augment
        self.prototypes = prototypes
        self.temperature = temperature
        self.epsilon = epsilon
        self.weight = weight

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings, shape (N, D)."""
        embeddings: Tensor = self.projector(self.encoder(images))
        return embeddings

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return both losses, of one forward pass, and their weighted sum."""
        labelled, unlabelled = batch.labelled, batch.images[len(batch.labels) :]
        images = views(self.augment, unlabelled, unlabelled, labelled)
        pair, others = self(images).split([2 * len(unlabelled), len(labelled)])
        scores, queue_scores = self.prototypes(pair.unflatten(0, (2, -1)), progress)
        prediction = swav(
            scores, temperature=self.temperature, epsilon=self.epsilon, queue_scores=queue_scores
        )
        if not len(labelled):
            return {"loss": prediction, "swav": prediction}
        supervised = suncet_over_ranks(others, batch.labels, temperature=self.temperature)
        loss = prediction + self.weight * supervised
        return {"loss": loss, "swav": prediction, "suncet": supervised}

    def after_update(self, progress: Progress) -> None:
        """Keep prototypes at unit length and the queue up to date."""
        self.prototypes.after_update(progress)
