"""SimCLR with cross-entropy on a few labels, SuNCEt's baseline."""

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.augment.pipeline import Augmentation, views
from trainables.batch import Batch
from trainables.losses.nt_xent import nt_xent_over_ranks
from trainables.methods.base import Method
from trainables.networks.encoder import Encoder
from trainables.networks.heads import mlp
from trainables.progress import Progress
from trainables.ranges import refuse_below_zero, refuse_not_above_zero


class SimCLRWithCE(Method):
    """Contrast views of unlabelled images, and classify labelled ones [1]_.

    A batch without labelled images, as from the switch-off on, is SimCLR's; the classifier then
    stays as it is.

    Parameters
    ----------
    encoder : Encoder
    num_classes : int
        Of the linear classifier on the features.
    projector_width, embedding_width : int
        Hidden and output width of the projector.
    augment : Augmentation
        Two views of an unlabelled image, one of a labelled.
    temperature : float
        Softmax temperature of NT-Xent, in units of cosine similarity.
    weight : float
        Of the cross-entropy beside NT-Xent.
    detach_keys : bool
        Let NT-Xent's gradient reach an embedding only in its part as an anchor.

    References
    ----------
    .. [1] Assran et al. 2020, arXiv:2006.10803, Fig. 8.
    """

    def __init__(
        self,
        *,
        encoder: Encoder,
        num_classes: int,
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
        self.head = nn.Linear(encoder.num_features, num_classes)
        self.augment = augment
        self.temperature = temperature
        self.weight = weight
        self.detach_keys = detach_keys

    def forward(self, images: Tensor) -> Tensor:
        """Return class logits, shape (N, Y)."""
        logits: Tensor = self.head(self.encoder(images))
        return logits

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return both losses, of one forward pass of the encoder, and their weighted sum."""
        labelled, unlabelled = batch.labelled, batch.images[len(batch.labels) :]
        images = views(self.augment, unlabelled, unlabelled, labelled)
        pair, others = self.encoder(images).split([2 * len(unlabelled), len(labelled)])
        contrast = nt_xent_over_ranks(
            self.projector(pair).unflatten(0, (2, -1)),
            temperature=self.temperature,
            detach_keys=self.detach_keys,
        )
        if not len(labelled):
            return {"loss": contrast, "nt_xent": contrast}
        supervised = F.cross_entropy(self.head(others), batch.labels)
        loss = contrast + self.weight * supervised
        return {"loss": loss, "nt_xent": contrast, "cross_entropy": supervised}
