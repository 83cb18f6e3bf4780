"""Non-parametric classifiers: nearest neighbours, SuNCEt's non-parametric inference."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.augment.pipeline import Augmentation
from trainables.data.image_set import ImageSet, Splits
from trainables.evaluate.knn import knn_logits
from trainables.features import encode
from trainables.networks.encoder import Encoder
from trainables.precision import exact
from trainables.protocols.base import Fitting, own_copy
from trainables.protocols.fitting import ImmediateFitting
from trainables.protocols.label_share import LabelShare
from trainables.ranges import refuse_not_positive, refuse_not_whole


@dataclass(frozen=True, kw_only=True)
class NearestNeighbours:
    """Let the most similar training images vote; logits are the logarithms of the votes.

    Good for clean accuracy. Where all neighbours agree the votes have no gradient, so that an
    attack by gradients leaves such images alone: what it measures flatters.

    Parameters
    ----------
    neighbours : int
    temperature : float
        Of the votes, in units of cosine similarity.
    labels : LabelShare
        Who may vote.
    branch : str, optional
        Which batch norm, where the encoder has several.
    """

    neighbours: int
    temperature: float
    labels: LabelShare = field(default_factory=LabelShare)
    branch: str | None = None

    def __post_init__(self) -> None:
        refuse_not_whole("neighbours", self.neighbours)
        refuse_not_positive("temperature", self.temperature)

    def __call__(
        self, encoder: Encoder, splits: Splits, *, head: nn.Module | None = None
    ) -> Fitting:
        """Return a fitting that has not started; `head` is not looked at."""
        train = self.labels.of(splits.train)
        twin = own_copy(encoder, self.branch).requires_grad_(False).to(train.images.device)

        def build() -> nn.Module:
            return _Voters(twin, encode(twin, train), train.labels, splits.num_classes, self)

        return ImmediateFitting(0, build)


class _Voters(nn.Module):
    def __init__(
        self,
        encoder: Encoder,
        known: Tensor,
        labels: Tensor,
        num_classes: int,
        settings: NearestNeighbours,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("known", known)
        self.register_buffer("labels", labels)
        self._num_classes = num_classes
        self._settings = settings

    def forward(self, images: Tensor) -> Tensor:
        votes = knn_logits(
            self.encoder(images).float(),
            self.get_buffer("known"),
            self.get_buffer("labels"),
            num_classes=self._num_classes,
            neighbours=self._settings.neighbours,
            temperature=self._settings.temperature,
        )
        return votes.clamp(min=torch.finfo(votes.dtype).tiny).log()


@dataclass(frozen=True, kw_only=True)
class NonParametric:
    r"""Classify by similarity to all labelled images at once: SuNCEt-NPI [1]_.

    .. math:: p(c \mid x) = \sum_{j:\, y_j = c} \mathrm{softmax}_j(\cos(f(x), f(x_j)) / \tau)

    The logits are :math:`\log p`. It is the loss SuNCEt trains with, on features f.

    Parameters
    ----------
    temperature : float
        tau > 0.
    augment : Augmentation
        Of the labelled images; an empty pipeline is none. What is classified stays as it is.
    views : int
        Of each labelled image; all of them stand in the sum.
    labels : LabelShare
        Which training images are labelled.
    seed : int
        Of the views.
    branch : str, optional
        Which batch norm, where the encoder has several.

    References
    ----------
    .. [1] Assran et al. 2020, arXiv:2006.10803.
    """

    temperature: float
    augment: Augmentation
    views: int = 1
    labels: LabelShare = field(default_factory=LabelShare)
    seed: int = 0
    branch: str | None = None

    def __post_init__(self) -> None:
        refuse_not_positive("temperature", self.temperature)
        refuse_not_whole("views", self.views)

    def __call__(
        self, encoder: Encoder, splits: Splits, *, head: nn.Module | None = None
    ) -> Fitting:
        """Return a fitting that has not started; `head` is not looked at."""
        train = self.labels.of(splits.train)
        twin = own_copy(encoder, self.branch).requires_grad_(False).to(train.images.device)
        views = Views(train.images, train.labels, self.augment)

        def build() -> nn.Module:
            known = torch.cat([encode(twin, views) for _ in range(self.views)])
            labels = train.labels.repeat(self.views)
            return _Similar(twin, known, labels, splits.num_classes, self.temperature)

        return ImmediateFitting(self.seed, build)


@dataclass(frozen=True, eq=False)
class Views(ImageSet):
    """Images that look different every time; those of a pack are views of their middles.

    Parameters
    ----------
    augment : Augmentation
    """

    augment: Augmentation

    def in_turn(self, chunks: Sequence[Tensor]) -> Iterator[Tensor]:
        """Yield new views of some rows, then of others."""
        return map(self.augment, super().in_turn(chunks))


class _Similar(nn.Module):
    def __init__(
        self,
        encoder: Encoder,
        known: Tensor,
        labels: Tensor,
        num_classes: int,
        temperature: float,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("known", F.normalize(known, dim=1))
        self.register_buffer("membership", F.one_hot(labels, num_classes).to(known.dtype))
        self._temperature = temperature

    def forward(self, images: Tensor) -> Tensor:
        rows = F.normalize(self.encoder(images).float(), dim=1)
        with exact(rows.device):
            weights = (rows @ self.get_buffer("known").T / self._temperature).softmax(dim=1)
            shares = weights @ self.get_buffer("membership")
        return shares.clamp(min=torch.finfo(shares.dtype).tiny).log()
