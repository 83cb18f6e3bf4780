"""What an evaluator is."""

from typing import ClassVar, Protocol

from trainables.data.image_set import Splits
from trainables.methods.base import Method


class Evaluator(Protocol):
    """Measures a method without moving it, its batch norm or any random stream.

    Every rank calls it with the same data and gets the same answer.

    Attributes
    ----------
    measures : tuple of str
        Names of all it returns, such as ``val/accuracy``.
    """

    measures: ClassVar[tuple[str, ...]]

    def __call__(self, method: Method, splits: Splits) -> dict[str, float]:
        """Return the measures by name."""
