"""Adversarial fine-tuning: encoder and a new linear layer trained together by TRADES."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from trainables.attacks.pgd import PGD
from trainables.attacks.rows import normal
from trainables.augment.pipeline import Augmentation
from trainables.batch import Batch
from trainables.data.image_set import Splits
from trainables.losses.classification import accuracy
from trainables.losses.trades import divergence_from, trades
from trainables.methods.base import Method
from trainables.networks.encoder import Encoder
from trainables.networks.folding import under_attack
from trainables.progress import Progress
from trainables.protocols.base import Classifier, Fitting, linear_head, own_copy
from trainables.protocols.fitting import BestOnTest, Fit, TrainedFitting
from trainables.protocols.label_share import LabelShare
from trainables.trainer import Trainer


@dataclass(frozen=True, kw_only=True)
class AdversarialFineTuning:
    """Train the whole encoder and a linear layer by TRADES [1]_, as ACL is evaluated [2]_.

    Parameters
    ----------
    fit : Fit
    augment : Augmentation
        Of the training images.
    attack : PGD
        On the divergence of the classes, in eval mode; its start is not looked at.
    weight : float
        TRADES' beta.
    start_noise : float
        Standard deviation of the pixel noise the attack starts from.
    labels : LabelShare
        Which training images are used.
    best_on_test : bool
        Also report the best epoch as judged on test images. Off; it flatters.
    branch : str, optional
        Which batch norm, where the encoder has several.

    References
    ----------
    .. [1] Zhang et al. 2019, arXiv:1901.08573, Algorithm 1.
    .. [2] Jiang et al. 2020, arXiv:2010.13337.
    """

    fit: Fit
    augment: Augmentation
    attack: PGD
    weight: float
    start_noise: float = 1e-3
    labels: LabelShare = field(default_factory=LabelShare)
    best_on_test: bool = False
    branch: str | None = None

    def __post_init__(self) -> None:
        if self.start_noise <= 0:  # at the image itself the divergence has no slope
            raise ValueError(f"start_noise must be above 0, got {self.start_noise}.")

    def __call__(
        self, encoder: Encoder, splits: Splits, *, head: nn.Module | None = None
    ) -> Fitting:
        """Return a fitting that has not started; `head` is not looked at."""
        train = self.labels.of(splits.train)
        twin = own_copy(encoder, self.branch)

        def build() -> tuple[Trainer, nn.Module]:
            classifier = Classifier(
                twin, linear_head(encoder.num_features, splits.num_classes, init_std=0.0)
            )
            return self.fit.trainer(_Trades(classifier, self), train), classifier

        fitting = TrainedFitting(self.fit.seed, build)
        return BestOnTest(fitting, splits.test) if self.best_on_test else fitting


class _Trades(Method):
    """TRADES on augmented images."""

    def __init__(self, classifier: Classifier, settings: AdversarialFineTuning) -> None:
        super().__init__()
        self.classifier = classifier
        self.settings = settings

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return TRADES' loss on the batch and its attacked copy."""
        images, labels = self.settings.augment(batch.labelled), batch.labels
        adversarial = self._attacked(images)
        # ACL's code passes the clean images once, TRADES' own twice.
        logits, adversarial_logits = self.classifier(images), self.classifier(adversarial)
        return {
            "loss": trades(logits, adversarial_logits, labels, weight=self.settings.weight),
            "accuracy": accuracy(logits, labels),
            "robust_accuracy": accuracy(adversarial_logits, labels),
        }

    def _attacked(self, images: Tensor) -> Tensor:
        noise = normal(images, std=self.settings.start_noise)
        with under_attack(self, "eval"):
            with torch.no_grad():
                divergence = divergence_from(self.classifier(images))
            return self.settings.attack(
                lambda x: divergence(self.classifier(x)), images, delta0=noise
            )
