"""What an evaluation protocol is: from an encoder to a classifier, an epoch at a time."""

import copy
from collections.abc import Iterator
from typing import Any, Literal, Protocol, cast

import torch
from torch import Tensor, nn

from trainables.data.image_set import ImageSet, Splits
from trainables.evaluate.intervals import clopper_pearson
from trainables.features import encode
from trainables.networks.encoder import Encoder
from trainables.networks.split_batch_norm import SplitBatchNorm, keep_branch
from trainables.trainer import EpochResult

Split = Literal["val", "test"]


class Fitting(Protocol):
    """The fitting of one classifier: a random stream and networks of its own."""

    @property
    def epoch(self) -> int:
        """Epochs finished."""

    @property
    def max_epochs(self) -> int:
        """Epochs in all."""

    @property
    def classifier(self) -> nn.Module:
        """Images (N, C, H, W) to logits (N, Y), as far as it is fitted, in eval mode."""

    def epochs(self) -> Iterator[EpochResult]:
        """Yield after every epoch still to do; between two nothing of the caller's has moved."""

    def state_dict(self) -> dict[str, Any]:
        """Return everything the fitting continues from, as tensors and plain values."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state`, bit for bit on CPU."""


class EvaluationProtocol(Protocol):
    """A way to make a classifier of an encoder, the same for every encoder.

    Frozen dataclasses; YAML in ``search_spaces/protocol``. Fitted on training images, chosen, if
    there is anything to choose, on validation images; test images are for whoever reports.
    """

    def __call__(
        self, encoder: Encoder, splits: Splits, *, head: nn.Module | None = None
    ) -> Fitting:
        """Return a fitting that has not started; the encoder itself is only copied.

        Parameters
        ----------
        encoder : Encoder
        splits : Splits
            On the device where fitting shall happen.
        head : nn.Module, optional
            Features (N, num_features) to logits (N, Y), of methods that train one.
        """


class Classifier(nn.Module):
    """A head on an encoder.

    Parameters
    ----------
    encoder : Encoder
    head : nn.Module
        Features (N, num_features) to logits (N, Y).
    """

    def __init__(self, encoder: Encoder, head: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, shape (N, Y)."""
        logits: Tensor = self.head(self.encoder(images))
        return logits


def linear_head(num_features: int, num_classes: int, init_std: float | None) -> nn.Linear:
    """Return a linear layer: weights N(0, init_std) and no bias at first, or torch's own."""
    layer = nn.Linear(num_features, num_classes)
    if init_std is not None:
        nn.init.normal_(layer.weight, std=init_std)
        nn.init.zeros_(layer.bias)
    return layer


def own_copy(encoder: Encoder, branch: str | None) -> Encoder:
    """Return a copy that can be trained and moved, in eval mode and with all its gradients on.

    Parameters
    ----------
    encoder : Encoder
    branch : str, optional
        Which of its split batch norms the copy has, if it has such; without a name it keeps all
        and uses the one in use.

    Raises
    ------
    ValueError
        If there are other branches, and none of that name.
    """
    twin = copy.deepcopy(encoder)
    for part in twin.modules():
        if branch is not None and isinstance(part, SplitBatchNorm) and branch not in part.branches:
            raise ValueError(f"branch must be one of {sorted(part.branches)}, got '{branch}'.")
    if branch is not None:
        twin = keep_branch(twin, branch)
    return twin.eval().requires_grad_(True)


def finish(fitting: Fitting) -> nn.Module:
    """Do all epochs that are left and return the classifier."""
    for _ in fitting.epochs():
        pass
    return fitting.classifier


@torch.no_grad()
def is_right(classifier: nn.Module, images: ImageSet, *, batch_size: int = 1024) -> Tensor:
    """Return whether each clean image is classified right, shape (N,), bool."""
    labelled = images.labelled
    logits = encode(cast(Encoder, classifier), labelled, batch_size=batch_size)
    return logits.argmax(dim=1) == labelled.labels


def measure(classifier: nn.Module, splits: Splits, split: Split = "val") -> dict[str, float]:
    """Return the accuracy on one split and its exact 95 % interval.

    A search measures ``val``; ``test`` is for what is reported in the end.
    """
    if split not in ("val", "test"):
        raise ValueError(f"split must be val or test, got '{split}'.")
    right = is_right(classifier, splits.val if split == "val" else splits.test)
    accuracy = clopper_pearson(int(right.sum()), len(right))
    return {
        f"{split}/accuracy": accuracy.value,
        f"{split}/accuracy_low": accuracy.low,
        f"{split}/accuracy_high": accuracy.high,
    }
