"""SuNCEt: SimCLR with a supervised contrastive loss on a few labels."""

from torch import Tensor

from trainables.augment.pipeline import Augmentation, views
from trainables.batch import Batch
from trainables.losses.nt_xent import nt_xent_over_ranks
from trainables.losses.suncet import suncet_over_ranks
from trainables.methods.base import Method
from trainables.networks.encoder import Encoder
from trainables.networks.heads import mlp
from trainables.progress import Progress
from trainables.ranges import refuse_below_zero, refuse_not_above_zero


class SuNCEt(Method):
    """Contrast views of unlabelled images, and classes of labelled ones [1]_.

    A batch without labelled images, as from the switch-off on, is SimCLR's.

    Parameters
    ----------
    encoder : Encoder
    projector_width, embedding_width : int
        Hidden and output width of the projector.
    augment : Augmentation
        Two views of an unlabelled image, one of a labelled.
    temperature : float
        Softmax temperature of both losses, in units of cosine similarity.
    weight : float
        Of SuNCEt beside NT-Xent.
    detach_keys : bool
        Let NT-Xent's gradient reach an embedding only in its part as an anchor, as in the
        authors' code; SuNCEt's keys have gradient there too. The paper's formulas stop none:
        NT-Xent's gradient is then about twice as long, and SuNCEt counts half as much beside it.

    References
    ----------
    .. [1] Assran et al. 2020, arXiv:2006.10803, Eq. 2.
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
        weight: float = 1.0,
        detach_keys: bool = False,
    ) -> None:
        super().__init__()
        refuse_not_above_zero("method", temperature=temperature)
        refuse_below_zero("method", weight=weight)
        self.encoder = encoder
        self.projector = mlp(encoder.num_features, [projector_width], embedding_width)
        self.augment = augment
        self.temperature = temperature
        self.weight = weight
        self.detach_keys = detach_keys

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings, shape (N, D)."""
        embeddings: Tensor = self.projector(self.encoder(images))
        return embeddings

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return both losses, of one forward pass, and their weighted sum."""
        labelled, unlabelled = batch.labelled, batch.images[len(batch.labels) :]
        images = views(self.augment, unlabelled, unlabelled, labelled)
        pair, others = self(images).split([2 * len(unlabelled), len(labelled)])
        contrast = nt_xent_over_ranks(
            pair.unflatten(0, (2, -1)), temperature=self.temperature, detach_keys=self.detach_keys
        )
        if not len(labelled):
            return {"loss": contrast, "nt_xent": contrast}
        supervised = suncet_over_ranks(others, batch.labels, temperature=self.temperature)
        loss = contrast + self.weight * supervised
        return {"loss": loss, "nt_xent": contrast, "suncet": supervised}
