"""Supervised training on attacked images, multi-step or fast, or on clean ones."""

from torch import Tensor, nn

from trainables.attacks.pgd import PGD
from trainables.augment.pipeline import Augmentation
from trainables.batch import Batch
from trainables.losses.classification import cross_entropies, loss_and_accuracy
from trainables.methods.base import Method
from trainables.modes import Mode
from trainables.networks.encoder import Encoder
from trainables.networks.folding import under_attack
from trainables.progress import Progress


class AdversarialTraining(Method):
    """Fit a classifier to the attack's images instead of the clean ones [1]_.

    Parameters
    ----------
    encoder : Encoder
    num_classes : int
    augment : Augmentation
        Applied to the batch, on its device, before the attack.
    attack : PGD, optional
        Several steps give PGD training [1]_, one random-start step the fast variants [2]_, [3]_,
        none at all plain cross-entropy.
    attack_mode : {"eval", "train"}
        Batch-norm mode during the attack; in train mode its images count among the running
        statistics. The update itself is always in train mode.

    References
    ----------
    .. [1] Madry et al. 2018, arXiv:1706.06083, Eq. 2.1.
    .. [2] Wong, Rice & Kolter 2020, arXiv:2001.03994, Algorithm 3.
    .. [3] "Fast training of deep neural networks robust to adversarial perturbations", l2.
    """

    trains_every_parameter = True

    def __init__(
        self,
        *,
        encoder: Encoder,
        num_classes: int,
        augment: Augmentation,
        attack: PGD | None,
        attack_mode: Mode = "eval",
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.num_features, num_classes)
        self.augment = augment
        self.attack = attack
        self.attack_mode = attack_mode

    def forward(self, images: Tensor) -> Tensor:
        """Return class logits, shape (N, Y)."""
        logits: Tensor = self.head(self.encoder(images))
        return logits

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return cross-entropy of the attacked images."""
        images, labels = self.augment(batch.labelled), batch.labels

        def misfit(x: Tensor) -> Tensor:
            return cross_entropies(self(x), labels)

        if self.attack is not None:
            with under_attack(self, self.attack_mode):
                images = self.attack(misfit, images)
        loss, accuracy = loss_and_accuracy(self(images), labels)
        name = "accuracy" if self.attack is None else "adversarial_accuracy"
        return {"loss": loss, name: accuracy}
