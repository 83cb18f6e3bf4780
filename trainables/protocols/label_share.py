"""Part of the labels of a training set."""

from dataclasses import dataclass

import torch

from trainables.data.image_set import ImageSet
from trainables.data.labelled_batches import Supervision


@dataclass(frozen=True, kw_only=True)
class LabelShare:
    """Who keeps a label: each image by itself, drawn as SuNCEt's training draws it.

    With the same fraction and seed it is the images whose labels training saw. Another seed would
    let labels count that are said not to be there.

    Parameters
    ----------
    fraction : float
        Chance in (0, 1] of each image.
    seed : int
        Of the draw.
    files : str, optional
        A list of the images instead, as `Supervision` reads it.
    """

    fraction: float = 1.0
    seed: int = 0
    files: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise ValueError(f"labels.fraction must be in (0, 1], got {self.fraction}.")

    def of(self, train: ImageSet) -> ImageSet:
        """Return the images that keep their label, in their order.

        Raises
        ------
        ValueError
            If a class keeps fewer than two.
        """
        labelled = train.labelled
        if self.fraction == 1 and self.files is None:
            return labelled
        draw = Supervision(
            fraction=self.fraction, images_per_class=2, seed=self.seed, files=self.files
        )
        try:
            members = draw.members(labelled.labels, labelled.images)
        except ValueError as error:
            if self.files is not None:
                raise
            raise ValueError(
                f"labels.fraction={self.fraction} of {len(labelled)} images leaves a class fewer "
                f"than two; raise it, or leave the protocol out: '~suite.protocols.NAME'."
            ) from error
        rows = torch.cat(members).sort().values
        return labelled.rows(rows.to(labelled.images.device))
