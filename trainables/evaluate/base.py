"""What an evaluator is."""

from typing import Protocol

from trainables.data.image_set import Splits
from trainables.methods.base import Method


class Evaluator(Protocol):
    """Measures a method without moving it, its batch norm or any random stream.

    Every rank calls it with the same data and gets the same answer.
    """

    def __call__(self, method: Method, splits: Splits) -> dict[str, float]:
        """Return measures by name, such as ``val/accuracy``."""
