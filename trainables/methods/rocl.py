"""RoCL: contrastive learning with an instance-wise adversary."""

import torch
from torch import Tensor

from trainables.attacks.instance import instance_wise
from trainables.attacks.pgd import PGD
from trainables.augment.pipeline import Augmentation, views
from trainables.batch import Batch
from trainables.losses.rocl import rocl
from trainables.methods.base import Method
from trainables.modes import Mode
from trainables.networks.encoder import Encoder
from trainables.networks.folding import under_attack
from trainables.networks.heads import mlp
from trainables.progress import Progress
from trainables.ranges import refuse_below_zero, refuse_not_above_zero


class RoCL(Method):
    """Add to two views a third: one of them, attacked away from the other [1]_.

    Parameters
    ----------
    encoder : Encoder
    projector_width, embedding_width : int
        Hidden and output width of the projector, which has no batch norm.
    augment : Augmentation
    attack : PGD
        On the embeddings, within the rank's own images.
    temperature : float
        Softmax temperature, in units of cosine similarity.
    regularisation : float
        Weight lambda of the pull towards the attacked view.
    detach_keys : bool
        As in the authors' code: gradient reaches an embedding only in its part as an anchor.
    attack_mode : {"eval", "train"}
        Batch-norm mode during the attack.

    References
    ----------
    .. [1] Kim, Tack & Hwang 2020, "Adversarial Self-Supervised Contrastive Learning",
       arXiv:2006.07589, Algorithm 1.
    """

    trains_every_parameter = True

    def __init__(
        self,
        *,
        encoder: Encoder,
        projector_width: int,
        embedding_width: int,
        augment: Augmentation,
        attack: PGD,
        temperature: float,
        regularisation: float,
        detach_keys: bool = False,
        attack_mode: Mode = "eval",
    ) -> None:
        super().__init__()
        refuse_not_above_zero("method", temperature=temperature)
        refuse_below_zero("method", regularisation=regularisation)
        self.encoder = encoder
        self.projector = mlp(encoder.num_features, [projector_width], embedding_width)
        self.augment = augment
        self.attack = attack
        self.temperature = temperature
        self.regularisation = regularisation
        self.detach_keys = detach_keys
        self.attack_mode = attack_mode

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings, shape (N, D)."""
        embeddings: Tensor = self.projector(self.encoder(images))
        return embeddings

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return RoCL's loss of two views and the attacked first one."""
        view1, view2 = views(self.augment, batch.images, batch.images).chunk(2)
        with under_attack(self, self.attack_mode):
            with torch.no_grad():
                targets = self(view2)
            adversarial = instance_wise(
                self.attack,
                self,
                view1,
                targets,
                temperature=self.temperature,
                detach_keys=self.detach_keys,
            )
        loss = rocl(
            self,
            view1,
            view2,
            adversarial,
            temperature=self.temperature,
            regularisation=self.regularisation,
            detach_keys=self.detach_keys,
        )
        return {"loss": loss}
