"""TRADES: cross-entropy on clean images plus agreement with attacked ones."""

import torch
from torch import Tensor, nn

from trainables.attacks.pgd import PGD
from trainables.attacks.rows import normal
from trainables.augment.pipeline import Augmentation
from trainables.batch import Batch
from trainables.losses.classification import accuracy
from trainables.losses.trades import divergence_from, trades
from trainables.methods.base import Method
from trainables.modes import Mode
from trainables.networks.encoder import Encoder
from trainables.networks.folding import under_attack
from trainables.progress import Progress
from trainables.ranges import refuse_below_zero, refuse_not_above_zero


class TRADES(Method):
    """Fit the clean images, and let those look the same that look most different [1]_.

    Parameters
    ----------
    encoder : Encoder
    num_classes : int
    augment : Augmentation
    attack : PGD
        On the divergence from the clean image's classes; `noise` takes the place of its start.
    weight : float
        beta, written 1 / lambda in the paper.
    noise : float
        Standard deviation of the attack's start, in pixel units: the divergence has no gradient
        at the image itself.
    attack_mode : {"eval", "train"}
        Batch-norm mode during the attack.

    References
    ----------
    .. [1] Zhang et al. 2019, arXiv:1901.08573, Algorithm 1.
    """

    trains_every_parameter = True

    def __init__(
        self,
        *,
        encoder: Encoder,
        num_classes: int,
        augment: Augmentation,
        attack: PGD,
        weight: float,
        noise: float = 0.001,
        attack_mode: Mode = "eval",
    ) -> None:
        super().__init__()
        refuse_below_zero("method", weight=weight)
        refuse_not_above_zero("method", noise=noise)
        self.encoder = encoder
        self.head = nn.Linear(encoder.num_features, num_classes)
        self.augment = augment
        self.attack = attack
        self.weight = weight
        self.noise = noise
        self.attack_mode = attack_mode

    def forward(self, images: Tensor) -> Tensor:
        """Return class logits, shape (N, Y)."""
        logits: Tensor = self.head(self.encoder(images))
        return logits

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return TRADES' loss of the batch and its attacked copy."""
        images, labels = self.augment(batch.labelled), batch.labels
        with under_attack(self, self.attack_mode):
            adversarial = self._attacked(images)
        # A pass for each kind of image, as in the authors' code: each has its own statistics.
        features = torch.cat([self.encoder(images), self.encoder(adversarial)])
        logits, adversarial_logits = self.head(features).chunk(2)
        with torch.no_grad():
            # They pass the clean images again for the divergence: nothing new but that batch
            # norm's running statistics move a third time.
            self.encoder(images)
        loss = trades(logits, adversarial_logits, labels, weight=self.weight)
        return {"loss": loss, "adversarial_accuracy": accuracy(adversarial_logits, labels)}

    def _attacked(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            divergence = divergence_from(self(images))
        return self.attack(
            lambda x: divergence(self(x)), images, delta0=normal(images, std=self.noise)
        )
