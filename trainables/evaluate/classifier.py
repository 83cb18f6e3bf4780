"""Evaluation of a method that is itself a classifier."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from trainables.attacks.pgd import PGD
from trainables.data.image_set import Splits
from trainables.evaluate.accuracy import accuracy
from trainables.methods.base import Method
from trainables.modes import isolated_rng
from trainables.networks.folding import under_attack
from trainables.ranges import refuse_below_one


@dataclass(frozen=True, kw_only=True)
class ClassifierAccuracy:
    """Measure the method's own logits on validation images, clean and attacked.

    ``val/accuracy`` is of all images, ``val/robust_accuracy`` of those under a white-box attack
    on the cross-entropy.

    Parameters
    ----------
    attack : PGD
        The same for every trial, whatever a trial trains against.
    max_images : int, optional
        Attack the first so many validation images only, the same for every trial.
    batch_size : int
        Images at once over all ranks.
    seed : int
        Of the attack's start.
    """

    measures: ClassVar[tuple[str, ...]] = ("val/accuracy", "val/robust_accuracy")

    attack: PGD
    max_images: int | None = None
    batch_size: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_below_one(
            "evaluate.classifier", max_images=self.max_images, batch_size=self.batch_size
        )

    def images(self, splits: Splits) -> dict[str, int]:
        """Return how many images each accuracy is a share of."""
        attacked = splits.val.rows(slice(self.max_images))
        return {"val/accuracy": len(splits.val), "val/robust_accuracy": len(attacked)}

    def __call__(self, method: Method, splits: Splits) -> dict[str, float]:
        """Return the two accuracies."""

        def logits_of(images: Tensor) -> Tensor:
            logits: Tensor = method(images)
            if logits.shape[1] != splits.num_classes:
                raise ValueError(
                    f"evaluate.classifier needs a method whose forward returns "
                    f"{splits.num_classes} logits, got {logits.shape[1]} values of "
                    f"{type(method).__name__}."
                )
            return logits

        val, size = splits.val, self.batch_size
        attacked = val.rows(slice(self.max_images))
        with isolated_rng(self.seed), under_attack(method, "eval"):
            return {
                "val/accuracy": accuracy(logits_of, val, batch_size=size),
                "val/robust_accuracy": accuracy(
                    logits_of, attacked, attack=self.attack, batch_size=size
                ),
            }
