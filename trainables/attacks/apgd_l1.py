"""APGD in l1: steps on few pixels, as many as the best point so far suggests."""

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from trainables.attacks.adversary import LogitsOf, Victims, Worst, attack_targets
from trainables.attacks.balls import L1Ball
from trainables.attacks.objectives import CrossEntropy, Objective
from trainables.attacks.rows import normal, stuck
from trainables.ranges import refuse_not_whole

STAGES = ((3.0, 0.3), (2.0, 0.3), (1.0, 0.4))  # radius over epsilon, share of the steps
REVIEW = 0.04  # share of a stage's steps between two reviews
SHRINK = 1.5  # of the number of pixels, and of the step where that number falls no more
SMALLEST = 0.1  # step, over the stage's radius


@dataclass(frozen=True, kw_only=True)
class APGDL1:
    """Climb in l1 balls of three, two and one epsilon, each from the last one's best point [1]_.

    Parameters
    ----------
    ball : L1Ball
        Its sparsity is not used: the share of pixels that move adapts.
    steps : int
        Of all stages together.
    objective : Objective
    targets : int
        How many of the likeliest wrong classes to push towards, one after the other; 0 pushes
        towards none in particular.
    restarts : int
        Starts per target.

    References
    ----------
    .. [1] Croce & Hein 2021, arXiv:2103.01208, Sec. 3.
    """

    ball: L1Ball
    steps: int = 100
    objective: Objective = field(default_factory=CrossEntropy)
    targets: int = 0
    restarts: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.ball, L1Ball):
            raise ValueError(f"APGDL1 needs an l1 ball, got {self.ball}.")
        refuse_not_whole("steps of APGDL1", self.steps, least=len(STAGES))
        refuse_not_whole("restarts of APGDL1", self.restarts)
        refuse_not_whole("targets of APGDL1", self.targets, least=0)

    def __call__(
        self, logits_of: LogitsOf, images: Tensor, labels: Tensor, *, delta0: Tensor | None = None
    ) -> Tensor:
        """Return each image's worst copy."""
        return attack_targets(
            self._run,
            logits_of,
            images,
            labels,
            targets=self.targets,
            restarts=self.restarts,
            delta0=delta0,
        )

    def _run(self, victims: Victims, delta0: Tensor | None) -> Tensor:
        delta = normal(victims.images) if delta0 is None else delta0
        left = self.steps
        for radius, share in STAGES:
            ball = replace(self.ball, epsilon=radius * self.ball.epsilon)
            steps = left if radius == 1 else min(left, math.ceil(share * self.steps))
            left -= steps
            worst, delta = self._stage(ball, steps, victims, delta)
        return worst.images

    def _stage(
        self, ball: L1Ball, steps: int, victims: Victims, delta: Tensor
    ) -> tuple[Worst, Tensor]:
        """Return the worst copies, and the perturbations with the highest objective."""
        delta = ball.confine(victims.images, delta)
        logits, value, gradient = victims.look(self.objective, delta)
        worst = Worst(victims.images + delta, logits, victims.labels)
        climb = _Climb.start(delta, value, gradient, ball.epsilon)
        every = max(int(REVIEW * steps), 1)
        for step in range(1, steps + 1):
            climb.advance(ball, victims.images)
            logits, value, gradient = victims.look(self.objective, climb.delta)
            worst.offer(victims.images + climb.delta, logits)
            climb.note(value, gradient)
            if step % every == 0:
                climb.review(ball.epsilon)
        return worst, climb.best


@dataclass
class _Climb:
    """Where every image's ascent is; all fields have a row per image."""

    delta: Tensor
    gradient: Tensor
    best: Tensor
    best_gradient: Tensor
    best_value: Tensor
    size: Tensor
    moved: Tensor  # share of the pixels a step moves
    touched: Tensor  # number of pixels of the best point at the last review that are not zero

    @classmethod
    def start(cls, delta: Tensor, value: Tensor, gradient: Tensor, epsilon: float) -> "_Climb":
        touched = _touched(delta)
        return cls(
            delta=delta,
            gradient=gradient,
            best=delta,
            best_gradient=gradient,
            best_value=value,
            size=torch.full_like(delta[:, :1, :1, :1], epsilon),
            moved=touched / delta[0].numel() / SHRINK,
            touched=touched,
        )

    def advance(self, ball: L1Ball, images: Tensor) -> None:
        step = self.size * _sparse_step(images, self.gradient, self.moved)
        self.delta = ball.confine(images, self.delta + step)

    def note(self, value: Tensor, gradient: Tensor) -> None:
        self.gradient = gradient
        better = value > self.best_value
        pixels = better.view(-1, 1, 1, 1)
        self.best = torch.where(pixels, self.delta, self.best)
        self.best_gradient = torch.where(pixels, gradient, self.best_gradient)
        self.best_value = torch.where(better, value, self.best_value)

    def review(self, epsilon: float) -> None:
        """Move fewer pixels; continue from the best point with full steps where it grew sparser."""
        touched = _touched(self.best)
        sparser = (touched < 0.95 * self.touched).view(-1, 1, 1, 1)
        smaller = (self.size / SHRINK).clamp(min=SMALLEST * epsilon)
        self.size = torch.where(sparser, epsilon, smaller)
        self.delta = torch.where(sparser, self.best, self.delta)
        self.gradient = torch.where(sparser, self.best_gradient, self.gradient)
        self.moved, self.touched = touched / self.delta[0].numel() / SHRINK, touched


def _touched(delta: Tensor) -> Tensor:
    return (delta != 0).flatten(1).sum(dim=1).to(delta.dtype)


def _sparse_step(images: Tensor, gradient: Tensor, share: Tensor) -> Tensor:
    """Return equal steps, of l1 length 1, on each row's share of the largest gradients.

    Those whose pixel has no room at all are left out. Pixels the perturbation has already taken to
    the end are not: without a push the projection would take them back.
    """
    uphill = gradient.masked_fill(stuck(images, gradient), 0).flatten(1)
    pixels = uphill.shape[1]
    # Rounded down, other than in the authors' code, where two touched pixels stay two for ever.
    last = (share * pixels).long().clamp(min=1) - 1
    least = uphill.abs().sort(dim=1, descending=True).values.gather(1, last[:, None])
    signs = torch.where(uphill.abs() >= least, uphill.sign(), 0)
    return (signs / signs.abs().sum(dim=1, keepdim=True).clamp(min=1)).view_as(images)
