"""What one training step sees."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Images, the labels of the first L of them, and where each image came from.

    Parameters
    ----------
    images : Tensor, shape (N, C, H, W), float32 in [0, 1]
        Labelled images first.
    labels : Tensor, shape (L,), int64
        Classes of the first L <= N images; L = 0 for self-supervision, L = N for supervision.
    indices : Tensor, shape (N,), int64
        Row of each image in the training set.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor

    def __len__(self) -> int:
        """Return N."""
        return len(self.images)

    @property
    def labelled(self) -> Tensor:
        """The images that have a label, shape (L, C, H, W)."""
        return self.images[: len(self.labels)]
