"""APGD: projected gradient ascent that finds its own step sizes."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields

import torch
from torch import Tensor

from trainables.attacks.adversary import LogitsOf, Victims, Worst, attack_targets
from trainables.attacks.balls import Ball, L1Ball, L2Ball, Start
from trainables.attacks.objectives import CrossEntropy, Objective
from trainables.ranges import refuse_not_whole

MOMENTUM = 0.75  # share of the new step; alpha in the paper
RISES = 0.75  # share of steps that must raise the objective; rho


@dataclass(frozen=True, kw_only=True)
class APGD:
    """Climb with momentum; where progress stalls, halve the step and return to the best point [1]_.

    Parameters
    ----------
    ball : Ball
        In l-inf or l2; `APGDL1` is for l1.
    steps : int
    objective : Objective
    targets : int
        How many of the likeliest wrong classes to push towards, one after the other; 0 pushes
        towards none in particular.
    restarts : int
        Starts per target.

    References
    ----------
    .. [1] Croce & Hein 2020, arXiv:2003.01690, Algorithm 1.
    """

    ball: Ball
    steps: int = 100
    objective: Objective = field(default_factory=CrossEntropy)
    targets: int = 0
    restarts: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.ball, L1Ball):
            raise ValueError(f"APGD needs an l-inf or l2 ball (APGDL1 is for l1), got {self.ball}.")
        refuse_not_whole("steps of APGD", self.steps)
        refuse_not_whole("restarts of APGD", self.restarts)
        refuse_not_whole("targets of APGD", self.targets, least=0)

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
        if delta0 is None:
            start: Start = "sphere" if isinstance(self.ball, L2Ball) else "ball"
            delta0 = self.ball.sample(victims.images, start)
        delta = self.ball.confine(victims.images, delta0)
        logits, value, gradient = victims.look(self.objective, delta)
        worst = Worst(victims.images + delta, logits, victims.labels)
        climb = _Climb.start(delta, value, gradient, 2 * self.ball.epsilon)
        rows = torch.arange(len(delta), device=delta.device)
        windows = dict(_checkpoints(self.steps))
        for step in range(self.steps):
            climb.advance(self.ball, victims.images, MOMENTUM if step else 1.0)
            logits, value, gradient = victims.look(self.objective, climb.delta)
            worst.offer(victims.images + climb.delta, logits, rows)
            climb.note(value, gradient)
            if step + 1 in windows:
                climb.review(RISES * windows[step + 1])
                left = (worst.logits[rows].argmax(dim=1) == victims.labels).nonzero().squeeze(1)
                if len(left) == 0:
                    break
                rows, victims, climb = rows[left], victims.rows(left), climb.rows(left)
        return worst.images


def _checkpoints(steps: int) -> Iterator[tuple[int, int]]:
    """Yield after which steps to review, and over how many: 22 of 100, then 3 fewer, at least 6."""
    window, at = max(int(0.22 * steps), 1), 0
    while (at := at + window) <= steps:
        yield at, window
        window = max(window - max(int(0.03 * steps), 1), max(int(0.06 * steps), 1))


@dataclass
class _Climb:
    """Where every image's ascent is; all fields have a row per image."""

    delta: Tensor
    previous: Tensor
    gradient: Tensor
    value: Tensor
    best: Tensor
    best_gradient: Tensor
    best_value: Tensor
    size: Tensor
    rises: Tensor
    reviewed_value: Tensor
    halved: Tensor

    @classmethod
    def start(cls, delta: Tensor, value: Tensor, gradient: Tensor, size: float) -> "_Climb":
        return cls(
            delta=delta,
            previous=delta,
            gradient=gradient,
            value=value,
            best=delta,
            best_gradient=gradient,
            best_value=value,
            size=torch.full_like(delta[:, :1, :1, :1], size),
            rises=torch.zeros_like(value),
            reviewed_value=value,
            halved=torch.ones_like(value, dtype=torch.bool),
        )

    def rows(self, rows: Tensor) -> "_Climb":
        return _Climb(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def advance(self, ball: Ball, images: Tensor, share: float) -> None:
        aim = ball.move(images, self.delta, self.gradient, self.size)
        step = share * (aim - self.delta) + (1 - share) * (self.delta - self.previous)
        self.previous, self.delta = self.delta, ball.confine(images, self.delta + step)

    def note(self, value: Tensor, gradient: Tensor) -> None:
        self.rises = self.rises + (value > self.value)
        self.value, self.gradient = value, gradient
        self._best(value > self.best_value)

    def _best(self, here: Tensor) -> None:
        pixels = here.view(-1, 1, 1, 1)
        self.best = torch.where(pixels, self.delta, self.best)
        self.best_gradient = torch.where(pixels, self.gradient, self.best_gradient)
        self.best_value = torch.where(here, self.value, self.best_value)

    def review(self, enough_rises: float) -> None:
        """Halve the steps of rows that swing, or that gained nothing at the same step size."""
        idle = ~self.halved & (self.reviewed_value >= self.best_value)
        self.halved = (self.rises <= enough_rises) | idle
        pixels = self.halved.view(-1, 1, 1, 1)
        self.size = torch.where(pixels, self.size / 2, self.size)
        self.delta = torch.where(pixels, self.best, self.delta)
        self.gradient = torch.where(pixels, self.best_gradient, self.gradient)
        self.reviewed_value, self.rises = self.best_value, torch.zeros_like(self.rises)
