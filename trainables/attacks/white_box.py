"""PGD on a classifier's logits: FGSM, BIM, Jitter and SLIDE are settings of it."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from trainables.attacks.adversary import (
    TARGETS,
    LogitsOf,
    Target,
    Worst,
    at_once,
    choose_targets,
    take,
)
from trainables.attacks.balls import Ball, Start
from trainables.attacks.objectives import CrossEntropy, Objective
from trainables.attacks.pgd import PGD
from trainables.ranges import refuse_not_positive, refuse_not_whole


@dataclass(frozen=True, kw_only=True)
class WhiteBoxPGD:
    """PGD from several starts, of which each image's worst is kept.

    Images that are misclassified, at first or after a start, are not attacked again; later
    starts of the others then share a batch, so that it stays full.

    Parameters
    ----------
    ball : Ball
        Threat model, in pixel units.
    relative_step : float
        Length of one step in the ball's norm, in units of epsilon.
    steps : int
        Gradient evaluations per start.
    start : {"ball", "sphere", "radius_uniform", "zero"}
        Where the first perturbation is drawn from; zero is the image itself.
    objective : Objective
        What is raised.
    target : {"none", "random", "least_likely"}
        Class that images are pushed to: none in particular, a wrong one drawn once per call, or
        the least likely one of the clean image.
    restarts : int
        Starts; more than one needs a random start.
    keep_best : bool
        Keep the worst of all steps. Otherwise each start's last step counts, and the first is
        made for all images, right or wrong: as in the papers' code, and to be carried over to
        other models.
    """

    ball: Ball
    relative_step: float
    steps: int
    start: Start = "ball"
    objective: Objective = field(default_factory=CrossEntropy)
    target: Target = "none"
    restarts: int = 1
    keep_best: bool = True

    def __post_init__(self) -> None:
        refuse_not_positive("relative_step", self.relative_step)
        refuse_not_whole("steps", self.steps, least=0)
        if self.target not in TARGETS:
            raise ValueError(f"target must be one of {', '.join(TARGETS)}, got {self.target}.")
        refuse_not_whole("restarts", self.restarts)
        if self.restarts > 1 and self.start == "zero":
            raise ValueError(
                f"restarts need a random start, got {self.restarts} restarts and start=zero."
            )
        self._attack(1.0)

    def __call__(
        self, logits_of: LogitsOf, images: Tensor, labels: Tensor, *, delta0: Tensor | None = None
    ) -> Tensor:
        """Return each image's worst copy; `delta0` replaces the first start."""
        if self.ball.epsilon == 0 or len(images) == 0:
            return images.detach().clone()
        if not self.keep_best and self.restarts == 1 and self.target == "none":
            return self._climb(logits_of, images, labels, None, None, delta0)
        with torch.no_grad():
            clean = logits_of(images)
            targets = choose_targets(self.target, clean, labels)

            def climb(rows: Tensor, delta0: Tensor | None = None) -> Tensor:
                best = Worst(images[rows], clean[rows], labels[rows]) if self.keep_best else None
                aims = take(targets, rows)
                return self._climb(logits_of, images[rows], labels[rows], aims, best, delta0)

            worst, left = Worst(images, clean, labels), self.restarts
            if not self.keep_best:
                first = climb(torch.arange(len(labels), device=labels.device), delta0)
                worst, left, delta0 = Worst(first, logits_of(first), labels), left - 1, None
            while left > 0 and len(rows := worst.standing()) > 0:
                starts = 1 if delta0 is not None else min(left, at_once(len(rows), images))
                found = climb(rows.repeat(starts), take(delta0, rows))
                for copies in torch.split(found, len(rows)):
                    worst.offer(copies, logits_of(copies), rows)
                left, delta0 = left - starts, None
        return worst.images

    def _climb(
        self,
        logits_of: LogitsOf,
        images: Tensor,
        labels: Tensor,
        targets: Tensor | None,
        worst: Worst | None,
        delta0: Tensor | None,
    ) -> Tensor:
        """Make one start from every image; return its last step, or the worst found."""

        def misfit(x: Tensor) -> Tensor:
            logits = logits_of(x)
            if worst:
                worst.offer(x, logits)
            return self.objective(logits, labels, targets, x - images)

        last = self._attack(self.ball.epsilon)(misfit, images, delta0=delta0)
        if worst is None:
            return last
        worst.offer(last, logits_of(last))
        return worst.images

    def _attack(self, epsilon: float) -> PGD:
        return PGD(
            ball=self.ball,
            step_size=self.relative_step * epsilon,
            steps=self.steps,
            start=self.start,
        )
