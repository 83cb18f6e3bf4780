"""A classifier at once: the method's own, or a linear one fitted to its optimum."""

import copy
from dataclasses import dataclass

from torch import nn

from trainables.data.image_set import Splits
from trainables.evaluate.linear import fit_linear
from trainables.features import encode
from trainables.networks.encoder import Encoder
from trainables.protocols.base import Classifier, Fitting, own_copy
from trainables.protocols.fitting import ImmediateFitting
from trainables.ranges import refuse_not_positive


@dataclass(frozen=True, kw_only=True)
class Quick:
    """Take the head a method has trained, or fit a linear layer to clean features by L-BFGS.

    The online probe's classifier: good for a look, not for comparing with papers' tables.

    Parameters
    ----------
    penalty : float
        Weight decay of the linear layer.
    branch : str, optional
        Which batch norm, where the encoder has several.
    """

    penalty: float = 1e-4
    branch: str | None = None

    def __post_init__(self) -> None:
        refuse_not_positive("penalty", self.penalty)

    def __call__(
        self, encoder: Encoder, splits: Splits, *, head: nn.Module | None = None
    ) -> Fitting:
        """Return a fitting that has not started."""
        train = splits.train.labelled
        twin = own_copy(encoder, self.branch).requires_grad_(False).to(train.images.device)

        def build() -> nn.Module:
            if head is not None:
                return Classifier(twin, copy.deepcopy(head)).requires_grad_(False)
            layer = fit_linear(
                encode(twin, train),
                train.labels,
                num_classes=splits.num_classes,
                penalty=self.penalty,
            )
            return Classifier(twin, layer)

        return ImmediateFitting(0, build)
