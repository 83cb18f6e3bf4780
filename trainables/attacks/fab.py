"""FAB: step to the linearised boundary, and stay near the image on the way."""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.attacks.adversary import LogitsOf, Victims, attack_targets
from trainables.attacks.balls import Ball
from trainables.attacks.hyperplanes import reach
from trainables.attacks.objectives import Margin
from trainables.attacks.rows import per_row
from trainables.ranges import refuse_not_whole

BIAS = 0.1  # largest share of the step that starts from the image; alpha_max
OVERSHOOT = 1.05  # beyond the boundary; eta
RETREAT = 0.9  # of the perturbation, once the image is misclassified; beta


@dataclass(frozen=True, kw_only=True)
class FAB:
    """Look for the shortest perturbation towards each of several classes, as far as the ball [1]_.

    An image leaves once a perturbation inside the ball has broken it.

    Parameters
    ----------
    ball : Ball
        In l-inf, l2 or l1.
    steps : int
    targets : int
        How many of the likeliest wrong classes to step towards, one after the other.

    References
    ----------
    .. [1] Croce & Hein 2020, arXiv:1907.02044, Algorithm 1; targets as in arXiv:2003.01690.
    """

    ball: Ball
    steps: int = 100
    targets: int = 9

    def __post_init__(self) -> None:
        refuse_not_whole("steps of FAB", self.steps)
        refuse_not_whole("targets of FAB", self.targets)

    def __call__(
        self, logits_of: LogitsOf, images: Tensor, labels: Tensor, *, delta0: Tensor | None = None
    ) -> Tensor:
        """Return a broken copy of each image for which there was one, else the image."""
        return attack_targets(
            self._run,
            logits_of,
            images,
            labels,
            targets=self.targets,
            restarts=1,
            delta0=delta0,
        )

    def _run(self, victims: Victims, delta0: Tensor | None) -> Tensor:
        found = victims.images.clone()
        rows = torch.arange(len(found), device=found.device)
        delta = torch.zeros_like(found)
        if delta0 is not None:
            delta = self.ball.confine(found, delta0)
        for _ in range(self.steps):
            delta = self._step(victims, delta)
            x = victims.images + delta
            wrong = victims.logits_of(x).argmax(dim=1) != victims.labels
            broken = wrong & (self.ball.length(delta) <= self.ball.epsilon)
            found[rows] = torch.where(per_row(broken, x), x, found[rows])
            left = (~broken).nonzero().squeeze(1)
            if len(left) == 0:
                break
            delta = torch.where(per_row(wrong, delta), RETREAT * delta, delta)[left]
            rows, victims = rows[left], victims.rows(left)
        return found

    def _step(self, victims: Victims, delta: Tensor) -> Tensor:
        """Mix the ways from here and from the image to where the target would catch up."""
        _, lead, gradient = victims.look(Margin(), delta)
        x = victims.images + delta
        here = reach(x, gradient, -lead, self.ball)
        along = (gradient * delta).flatten(1).sum(dim=1)
        whole = reach(victims.images, gradient, along - lead, self.ball)
        near, far = (self.ball.length(d).clamp(min=1e-8) for d in (here, whole))
        share = per_row((near / (near + far)).clamp(max=BIAS), delta)
        mixed = (1 - share) * (delta + OVERSHOOT * here) + share * OVERSHOOT * whole
        return (victims.images + mixed).clamp(0, 1) - victims.images
