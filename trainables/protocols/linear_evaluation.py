"""Linear evaluation: a linear layer trained on a frozen encoder, on clean or attacked images."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables import distributed
from trainables.attacks.pgd import PGD
from trainables.augment.pipeline import Augmentation, Pipeline
from trainables.batch import Batch
from trainables.data.image_set import ImageSet, Splits
from trainables.features import unit_moments
from trainables.losses.classification import cross_entropies, loss_and_accuracy
from trainables.methods.base import Method
from trainables.modes import Mode
from trainables.networks.encoder import Encoder
from trainables.networks.folding import under_attack
from trainables.precision import arithmetic
from trainables.progress import Progress
from trainables.protocols.base import Classifier, Fitting, linear_head, own_copy
from trainables.protocols.fitting import BestOnTest, Fit, TrainedFitting
from trainables.trainer import Trainer


@dataclass(frozen=True, kw_only=True)
class LinearEvaluation:
    """Train a linear layer on a frozen encoder [1]_; under an attack it is robust, r-LE [2]_.

    Features of clean images in eval mode do not change while the layer is trained: they are
    computed once. Everything else goes through the encoder at every step.

    Parameters
    ----------
    fit : Fit
    augment : Augmentation
        Of the training images; an empty pipeline is none.
    attack : PGD, optional
        Train on its images, which raise the cross-entropy of encoder and current layer.
    init_std : float, optional
        Of the layer's first weights, with zero bias; if left out, torch's own first weights.
    encoder_mode : {"eval", "train"}
        ``train`` is a quirk of MSR's code: features of the batch's own statistics, while the
        running ones, which are used in the end, drift.
    standardise : bool
        Give the layer features of unit length, less their mean over clean training images, in
        units of their deviation [3]_.
    best_on_test : bool
        Also report the best epoch as judged on test images, as MSR does. Off; it flatters.
    branch : str, optional
        Which batch norm, where the encoder has several.

    References
    ----------
    .. [1] Chen et al. 2020, arXiv:2002.05709.
    .. [2] Kim, Tack & Hwang 2020, arXiv:2006.07589.
    .. [3] Koohpayegani, Tejankar & Pirsiavash 2021, arXiv:2105.07269.
    """

    fit: Fit
    augment: Augmentation
    attack: PGD | None = None
    init_std: float | None = None
    encoder_mode: Mode = "eval"
    standardise: bool = False
    best_on_test: bool = False
    branch: str | None = None

    def __post_init__(self) -> None:
        if self.encoder_mode not in ("eval", "train"):
            raise ValueError(f"encoder_mode must be eval or train, got '{self.encoder_mode}'.")

    def __call__(
        self, encoder: Encoder, splits: Splits, *, head: nn.Module | None = None
    ) -> Fitting:
        """Return a fitting that has not started; `head` is not looked at."""
        frozen = own_copy(encoder, self.branch).requires_grad_(False)
        frozen.to(splits.train.images.device)

        def build() -> tuple[Trainer, nn.Module]:
            train = splits.train.labelled
            head: nn.Module = linear_head(encoder.num_features, splits.num_classes, self.init_std)
            if self.standardise:
                head = nn.Sequential(Standardisation(*unit_moments(frozen, train)), head)
            return self._trainer(frozen, head, train), Classifier(frozen, head)

        fitting = TrainedFitting(self.fit.seed, build)
        return BestOnTest(fitting, splits.test) if self.best_on_test else fitting

    @property
    def is_cached(self) -> bool:
        """Whether the same features come back in every epoch."""
        plain = isinstance(self.augment, Pipeline) and not self.augment.transforms
        return plain and self.attack is None and self.encoder_mode == "eval"

    def _trainer(self, frozen: Encoder, head: nn.Module, train: ImageSet) -> Trainer:
        if not self.is_cached:
            method = _LinearLayer(frozen, head, self.augment, self.attack, self.encoder_mode)
            return self.fit.trainer(method, train)
        options = self.fit.options
        known = FeatureSet(self._features(frozen, train), train.labels)
        fit = replace(self.fit, options=replace(options, channels_last=False, compile=False))
        return fit.trainer(_LinearLayer(nn.Identity(), head, self.augment, None, "eval"), known)

    @torch.no_grad()
    def _features(self, frozen: Encoder, train: ImageSet) -> Tensor:
        """Return features (N, num_features) as steps would compute them; the ranks share the work.

        In whole batches of a step's size: what is added up in which order depends on it.
        """
        options, device = self.fit.options, train.images.device
        if options.channels_last:
            frozen = frozen.to(memory_format=torch.channels_last)
        ranks = distributed.world_size()
        size = self.fit.images_per_step(train) // ranks
        rows = torch.arange(-(-len(train) // (ranks * size)) * ranks * size, device=device)
        mine = rows.clamp(max=len(train) - 1).chunk(ranks)[distributed.rank()]
        parts = []
        with arithmetic(device, options.precision):
            for pixels in train.in_turn(torch.split(mine, size)):
                images = self.augment(pixels)
                if options.channels_last:
                    images = images.contiguous(memory_format=torch.channels_last)
                parts.append(frozen(images).float())
        return distributed.gather(torch.cat(parts))[: len(train)]


class Standardisation(nn.Module):
    """Features (N, D) of unit length, less a mean, in units of a deviation.

    Parameters
    ----------
    mean, variance : Tensor
        Of shape (D,).
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Tensor, variance: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", torch.sqrt(variance + 1e-5))  # as the authors' code

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape."""
        return (F.normalize(features, dim=1) - self.mean) / self.deviation


class FeatureSet(ImageSet):
    """Features (N, D) in the place of images."""

    def pixels(self, rows: Tensor | slice) -> Tensor:
        """Return the chosen features as they are."""
        return self.resident[rows]


class _LinearLayer(Method):
    """Cross-entropy of a linear layer on features nobody trains."""

    def __init__(
        self,
        frozen: nn.Module,
        layer: nn.Module,
        augment: Augmentation,
        attack: PGD | None,
        encoder_mode: Mode,
    ) -> None:
        super().__init__()
        self.frozen = frozen
        self.layer = layer
        self.augment = augment
        self.attack = attack
        self.encoder_mode = encoder_mode

    def train(self, mode: bool = True) -> "_LinearLayer":
        """Train the layer, with the encoder in its own mode."""
        super().train(mode)
        self.frozen.train(mode and self.encoder_mode == "train")
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, shape (N, Y)."""
        logits: Tensor = self.layer(self.frozen(images))
        return logits

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the cross-entropy on the batch, attacked or not."""
        images, labels = self.augment(batch.labelled), batch.labels
        if self.attack is not None:
            images = self._attacked(self.attack, images, labels)
        with torch.no_grad():
            features = self.frozen(images)
        loss, accuracy = loss_and_accuracy(self.layer(features), labels)
        return {"loss": loss, "accuracy": accuracy}

    def _attacked(self, attack: PGD, images: Tensor, labels: Tensor) -> Tensor:
        def misfit(perturbed: Tensor) -> Tensor:
            return cross_entropies(self(perturbed), labels)

        with under_attack(self, "eval"):
            return attack(misfit, images)
