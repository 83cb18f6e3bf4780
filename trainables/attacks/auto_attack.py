"""AutoAttack: four parameter-free attacks, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from trainables.attacks.adversary import Adversary, LogitsOf, Worst, take, try_in_turn
from trainables.attacks.apgd import APGD
from trainables.attacks.apgd_l1 import APGDL1
from trainables.attacks.balls import Ball, L1Ball
from trainables.attacks.fab import FAB
from trainables.attacks.objectives import DLR
from trainables.attacks.square import Square


@dataclass(frozen=True, kw_only=True)
class AutoAttack:
    """APGD on cross-entropy, APGD towards targets, FAB towards targets, and Square [1]_.

    The standard ensemble, and the one its authors propose in l1 [2]_. Each attack is given only
    the images the ones before have not broken. The defaults are the authors'; smaller numbers are
    for quick looks and are not AutoAttack.

    Parameters
    ----------
    ball : Ball
    steps : int
        Of either APGD and of FAB, per target.
    targets : int
        Likeliest wrong classes that are tried; in l1 APGD tries 5 at most.
    queries : int
        Of Square.
    left_out : sequence of str
        Names of attacks that the images are known to withstand.

    References
    ----------
    .. [1] Croce & Hein 2020, arXiv:2003.01690.
    .. [2] Croce & Hein 2021, arXiv:2103.01208.
    """

    ball: Ball
    steps: int = 100
    targets: int = 9
    queries: int = 5000
    left_out: Sequence[str] = ()

    def __post_init__(self) -> None:
        _ = self.attacks  # refuses bad values

    @property
    def attacks(self) -> dict[str, Adversary]:
        """The attacks by name, in their order."""
        first: Adversary
        second: Adversary
        if isinstance(self.ball, L1Ball):
            few = min(self.targets, 5)
            first = APGDL1(ball=self.ball, steps=self.steps, restarts=5)
            second = APGDL1(ball=self.ball, steps=self.steps, objective=DLR(), targets=few)
        else:
            first = APGD(ball=self.ball, steps=self.steps)
            second = APGD(ball=self.ball, steps=self.steps, objective=DLR(), targets=self.targets)
        everything: dict[str, Adversary] = {
            "apgd_ce": first,
            "apgd_t": second,
            "fab_t": FAB(ball=self.ball, steps=self.steps, targets=self.targets),
            "square": Square(ball=self.ball, queries=self.queries, rescale=False),
        }
        return {name: attack for name, attack in everything.items() if name not in self.left_out}

    def __call__(
        self, logits_of: LogitsOf, images: Tensor, labels: Tensor, *, delta0: Tensor | None = None
    ) -> Tensor:
        """Return each image's worst copy."""

        def attempt(rows: Tensor, attack: Adversary) -> Tensor:
            return attack(logits_of, images[rows], labels[rows], delta0=take(delta0, rows))

        with torch.no_grad():
            worst = Worst(images, logits_of(images), labels)
        attempts = (partial(attempt, attack=attack) for attack in self.attacks.values())
        return try_in_turn(worst, logits_of, attempts)
