"""Detection of catastrophic overfitting during training."""

from dataclasses import dataclass
from typing import ClassVar

from trainables.attacks.balls import Ball
from trainables.attacks.relative import relative_pgd
from trainables.data.image_set import Splits
from trainables.evaluate.accuracy import accuracy
from trainables.methods.base import Method
from trainables.modes import isolated_rng
from trainables.networks.folding import under_attack
from trainables.ranges import refuse_below_one
from trainables.trainer import TrainingCollapsedError


@dataclass(frozen=True, kw_only=True)
class CollapseGuard:
    """End training when a classifier resists one step of an attack but not several [1]_.

    Fast adversarial training can overfit to its single step within an epoch: accuracy under FGSM
    is then high, often above the clean one, and under PGD in the same ball there is nothing left.
    Training images serve as well as others, and a search may look at them.

    Parameters
    ----------
    ball : Ball
        Threat model, the one trained against.
    steps : int
        Of PGD, each 2.5 epsilon / steps long, from a random start. FGSM is one step of epsilon.
    high : float
        FGSM accuracy from which on a collapse is believed; a network that resists neither attack
        has not learnt yet.
    share : float
        Training has collapsed when PGD leaves less than this share of FGSM's accuracy.
    max_images : int
        So many training images, evenly spaced and the same every epoch.
    batch_size : int
        Images at once over all ranks.
    seed : int
        Of PGD's start.

    References
    ----------
    .. [1] Wong, Rice & Kolter 2020, arXiv:2001.03994, Sec. 5.3, who compare the PGD accuracy of a
       training batch with that of the epoch before and stop when it falls by 0.2.
    """

    measures: ClassVar[tuple[str, ...]] = ("train/fgsm_accuracy", "train/pgd_accuracy")

    ball: Ball
    steps: int = 10
    high: float = 0.4
    share: float = 0.25
    max_images: int = 512
    batch_size: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in ("steps", "max_images", "batch_size")}
        refuse_below_one("evaluate.collapse", **counts)

    def __call__(self, method: Method, splits: Splits) -> dict[str, float]:
        """Return the accuracies under one step and under several.

        Raises
        ------
        TrainingCollapsedError
            If the second has fallen away under the first.
        """
        one = relative_pgd(ball=self.ball, relative_step=1.0, steps=1, start="zero")
        many = relative_pgd(ball=self.ball, relative_step=2.5 / self.steps, steps=self.steps)
        images, size = splits.train.evenly(self.max_images), self.batch_size
        with isolated_rng(self.seed), under_attack(method, "eval"):
            fgsm = accuracy(method, images, attack=one, batch_size=size)
            pgd = accuracy(method, images, attack=many, batch_size=size)
        if fgsm >= self.high and pgd < self.share * fgsm:
            raise TrainingCollapsedError(
                f"catastrophic overfitting: of {len(images)} training images {fgsm:.0%} are right "
                f"under one step of the attack, {pgd:.0%} under {self.steps}"
            )
        return {"train/fgsm_accuracy": fgsm, "train/pgd_accuracy": pgd}
