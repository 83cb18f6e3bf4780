"""What is looked at: trained networks and their data."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from trainables.attacks.balls import LinfBall
from trainables.attacks.pgd import PGD
from trainables.augment.pipeline import Augmentation
from trainables.data.image_set import ImageSet, Splits
from trainables.evaluate.linear import fit_linear
from trainables.features import encode
from trainables.modes import in_mode, isolated_rng
from trainables.networks.encoder import Encoder
from trainables.pictures.figures import Figure, printable
from trainables.protocols.base import Classifier

# PGD-20 in 8/255 with steps of epsilon / 10, as in RoCL's code.
USUAL_ATTACK = PGD(ball=LinfBall(epsilon=8 / 255), step_size=0.8 / 255, steps=20)
USUAL_PENALTY = 1e-4  # of the probe after each epoch


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A trained encoder with what belongs to it.

    Parameters
    ----------
    encoder : Encoder
    splits : Splits
        On the encoder's device; pictures show validation images, views of training images.
    classifier : nn.Module, optional
        Images (N, C, H, W) to logits (N, Y).
    attack : PGD
        That the trial is evaluated under.
    augmentations : mapping of str to Augmentation
        By the names the method gives them.
    """

    encoder: Encoder
    splits: Splits
    classifier: nn.Module | None = None
    attack: PGD = USUAL_ATTACK
    augmentations: Mapping[str, Augmentation] = field(default_factory=dict)

    @property
    def images(self) -> ImageSet:
        """The validation images."""
        return self.splits.val

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes as they are written under an image."""
        return tuple(map(printable, self.splits.classes))

    @property
    def logits_of(self) -> Callable[[Tensor], Tensor]:
        """The classifier.

        Raises
        ------
        ValueError
            If there is none.
        """
        if self.classifier is None:
            raise ValueError("This picture needs a classifier, and the subject has none.")
        return self.classifier

    @contextmanager
    def at_rest(self, seed: int) -> Iterator[None]:
        """Put the networks in eval mode and the random streams at `seed`, and all back after."""
        with ExitStack() as stack:
            stack.enter_context(isolated_rng(seed))
            for network in (self.encoder, self.classifier):
                if network is not None:
                    stack.enter_context(in_mode(network, "eval"))
            yield


class Picture(Protocol):
    """A kind of picture with its settings.

    Frozen dataclasses, one file each. The same settings give the same picture; looking moves
    neither the networks nor any random stream.
    """

    def __call__(self, subject: Subject) -> Figure:
        """Look at a subject."""


def refuse_bad_settings(picture: Any) -> None:
    """Raise a ValueError if a setting but the seed is not above 0, or None."""
    for name, value in vars(picture).items():
        if name != "seed" and value is not None and value <= 0:
            kind = type(picture).__name__
            raise ValueError(f"{kind} needs {name} > 0, got {name}={value}.")


def with_linear_layer(
    encoder: Encoder, splits: Splits, *, penalty: float = USUAL_PENALTY, max_images: int = 10_000
) -> nn.Module:
    """Return a classifier: a linear layer fitted to features of training images.

    Parameters
    ----------
    encoder : Encoder
    splits : Splits
    penalty : float
        Weight decay.
    max_images : int
        Enough for a picture, and features of more take long.
    """
    train = splits.train.evenly(max_images)
    features = encode(encoder, train)
    head = fit_linear(features, train.labels, num_classes=splits.num_classes, penalty=penalty)
    return Classifier(encoder, head)


def some_classes(images: ImageSet, limit: int) -> list[int]:
    """Return at most `limit` of the classes that occur, evenly spaced."""
    found: list[int] = torch.unique(images.labelled.labels).tolist()
    count = min(limit, len(found))
    return [found[i * len(found) // count] for i in range(count)]


def one_of_each(images: ImageSet, classes: Sequence[int]) -> Tensor:
    """Draw the row of an image of each class, shape (len(classes),), right or wrong alike."""
    labels = images.labels.cpu()
    rows = [(labels == c).nonzero().squeeze(1) for c in classes]
    drawn = [of_class[torch.randint(len(of_class), ())] for of_class in rows]
    return torch.stack(drawn).to(images.labels.device)
