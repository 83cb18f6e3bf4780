"""Fine-tuning: encoder and a new linear layer trained together, on all labels or few."""

from dataclasses import dataclass, field

from torch import Tensor, nn

from trainables.augment.pipeline import Augmentation
from trainables.batch import Batch
from trainables.data.image_set import Splits
from trainables.losses.classification import loss_and_accuracy
from trainables.methods.base import Method
from trainables.networks.encoder import Encoder
from trainables.progress import Progress
from trainables.protocols.base import Classifier, Fitting, linear_head, own_copy
from trainables.protocols.fitting import BestOnTest, Fit, TrainedFitting
from trainables.protocols.label_share import LabelShare
from trainables.trainer import Trainer


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """Train the whole encoder and a linear layer on clean images [1]_.

    Parameters
    ----------
    fit : Fit
    augment : Augmentation
        Of the training images.
    labels : LabelShare
        Which training images are used.
    init_std : float, optional
        Of the layer's first weights, with zero bias; if left out, torch's own first weights.
    best_on_test : bool
        Also report the best epoch as judged on test images. Off; it flatters.
    branch : str, optional
        Which batch norm, where the encoder has several.

    References
    ----------
    .. [1] Assran et al. 2020, arXiv:2006.10803.
    """

    fit: Fit
    augment: Augmentation
    labels: LabelShare = field(default_factory=LabelShare)
    init_std: float | None = 0.0
    best_on_test: bool = False
    branch: str | None = None

    def __call__(
        self, encoder: Encoder, splits: Splits, *, head: nn.Module | None = None
    ) -> Fitting:
        """Return a fitting that has not started; `head` is not looked at."""
        train = self.labels.of(splits.train)
        twin = own_copy(encoder, self.branch)

        def build() -> tuple[Trainer, nn.Module]:
            layer = linear_head(encoder.num_features, splits.num_classes, self.init_std)
            method = _Supervised(twin, layer, self.augment)
            return self.fit.trainer(method, train), Classifier(twin, layer)

        fitting = TrainedFitting(self.fit.seed, build)
        return BestOnTest(fitting, splits.test) if self.best_on_test else fitting


class _Supervised(Method):
    """Cross-entropy on augmented images."""

    def __init__(self, encoder: Encoder, layer: nn.Linear, augment: Augmentation) -> None:
        super().__init__()
        self.encoder = encoder
        self.layer = layer
        self.augment = augment

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the cross-entropy on the batch."""
        logits, labels = self.layer(self.encoder(self.augment(batch.labelled))), batch.labels
        loss, accuracy = loss_and_accuracy(logits, labels)
        return {"loss": loss, "accuracy": accuracy}
