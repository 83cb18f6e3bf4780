"""The classifier a supervised method has trained itself."""

import copy
from dataclasses import dataclass

from torch import nn

from trainables.data.image_set import Splits
from trainables.networks.encoder import Encoder
from trainables.protocols.base import Classifier, Fitting, own_copy
from trainables.protocols.fitting import ImmediateFitting


@dataclass(frozen=True, kw_only=True)
class AsTrained:
    """Put the method's own head on its encoder; nothing is fitted.

    Parameters
    ----------
    branch : str, optional
        Which batch norm, where the encoder has several.
    """

    branch: str | None = None

    def __call__(
        self, encoder: Encoder, splits: Splits, *, head: nn.Module | None = None
    ) -> Fitting:
        """Return a fitting that has nothing to do.

        Raises
        ------
        ValueError
            If the method has no head.
        """
        if head is None:
            raise ValueError(
                "protocol=as_trained needs a method that trains a head; for one that has none, "
                "choose a protocol that fits one, such as protocol=le_swaro."
            )
        twin = Classifier(own_copy(encoder, self.branch), copy.deepcopy(head))
        twin.requires_grad_(False).to(splits.train.images.device)
        return ImmediateFitting(0, lambda: twin)
