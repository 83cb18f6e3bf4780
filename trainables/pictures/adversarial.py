"""Adversarial examples and what was done to them."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.attacks.balls import L1Ball, L2Ball, LinfBall
from trainables.attacks.pgd import PGD
from trainables.pictures.figures import Grid, Tile
from trainables.pictures.subject import (
    Subject,
    one_of_each,
    refuse_bad_settings,
    some_classes,
)

NORMS = {LinfBall: "l∞", L2Ball: "l2", L1Ball: "l1"}


@dataclass(frozen=True, kw_only=True)
class AdversarialExamples:
    """Validation images, their copies under the trial's evaluation attack, and the difference.

    Parameters
    ----------
    images : int
        One of each class, drawn whether it is classified right or not.
    epsilon : float, optional
        Radius of another ball, in pixel units; steps keep their share of it.
    steps : int, optional
        Another number of steps.
    seed : int
        Of the images and of the attack's start.
    """

    images: int = 10
    epsilon: float | None = None
    steps: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_bad_settings(self)

    def __call__(self, subject: Subject) -> Grid:
        """Return three rows: clean, adversarial, amplified perturbation."""
        attack, val = self.of(subject.attack), subject.images
        with subject.at_rest(self.seed):
            rows = one_of_each(val, some_classes(val, self.images))
            clean, labels = val.pixels(rows), val.labels[rows]

            def misfit(x: Tensor) -> Tensor:
                return F.cross_entropy(subject.logits_of(x), labels, reduction="none")

            adversarial = attack(misfit, clean)
            with torch.no_grad():
                before, after = (subject.logits_of(x).argmax(1) for x in (clean, adversarial))
        delta = adversarial - clean
        gain = amplification(delta)
        names = subject.class_names
        return Grid(
            title="Adversarial examples",
            note=f"{described(attack)}. Above: the true class; below: the predicted one. "
            f"Perturbations are shown times {gain:g}; grey is none.",
            tiles=[
                _classified(clean, labels, before, names),
                _classified(adversarial, labels, after, names),
                [Tile(image) for image in (0.5 + gain * delta).clamp(0, 1)],
            ],
            columns=[names[int(label)] for label in labels],
            rows=["clean", "adversarial", f"perturbation\n× {gain:g}"],
        )

    def of(self, attack: PGD) -> PGD:
        """Return the attack under these settings."""
        if self.epsilon is not None:
            share = attack.step_size / (attack.ball.epsilon or 1)
            ball = replace(attack.ball, epsilon=self.epsilon)  # type: ignore[type-var]
            attack = replace(attack, ball=ball, step_size=share * (self.epsilon or 1))
        return attack if self.steps is None else replace(attack, steps=self.steps)


def amplification(delta: Tensor) -> float:
    """Return the factor, of two digits, by which the largest change becomes half the range."""
    largest = float(delta.abs().max())
    return float(f"{0.5 / largest:.2g}") if largest > 0 else 1.0


def described(attack: PGD) -> str:
    """Return an attack in words."""
    norm = NORMS.get(type(attack.ball), type(attack.ball).__name__)
    return (
        f"PGD in {norm}: ε = {levels(attack.ball.epsilon)}, {attack.steps} "
        f"step{'s' if attack.steps != 1 else ''} of {levels(attack.step_size)}"
    )


def levels(length: float) -> str:
    """Return a length in 8-bit levels if it is a round number of them, such as 8/255."""
    tenths = length * 2550
    is_round = abs(tenths - round(tenths)) < 1e-3 and length < 0.1
    return f"{round(tenths) / 10:g}/255" if is_round else f"{length:.3g}"


def _classified(
    images: Tensor, labels: Tensor, said: Tensor, names: tuple[str, ...]
) -> list[Tile | None]:
    return [
        Tile(image, names[int(answer)], "right" if answer == label else "wrong")
        for image, label, answer in zip(images, labels, said, strict=True)
    ]
