"""The evaluator's interface."""

from collections.abc import Iterable
from typing import ClassVar, Protocol, runtime_checkable

from trainables.data.image_set import Splits
from trainables.methods.base import Method


class Evaluator(Protocol):
    """Measures a method without moving it, its batch norm or any random stream.

    Every rank calls it with the same data and gets the same answer. It is called in the trainer's
    arithmetic: attacks and what is fitted may be in bfloat16, a verdict on an image is `exact`.

    Attributes
    ----------
    measures : tuple of str
        Names of all it returns, such as ``val/accuracy``.
    """

    measures: ClassVar[tuple[str, ...]]

    def __call__(self, method: Method, splits: Splits) -> dict[str, float]:
        """Return the measures by name."""


@runtime_checkable
class CountsImages(Protocol):
    """An evaluator whose measures are shares of images; those of others get no intervals."""

    def images(self, splits: Splits) -> dict[str, int]:
        """Return how many images each measure is a share of; what is no share is left out."""


def images_of(evaluators: Iterable[Evaluator], splits: Splits) -> dict[str, int]:
    """Return of how many images the evaluators' measures are shares, as far as they say."""
    found: dict[str, int] = {}
    for evaluate in evaluators:
        if isinstance(evaluate, CountsImages):
            found |= evaluate.images(splits)
    return found
