"""Attacks of evaluation: they see a classifier's logits and the labels, and want it to be wrong."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeVar

import torch
from torch import Tensor

from trainables.attacks.balls import Ball
from trainables.attacks.objectives import Objective, margin
from trainables.attacks.rows import gradient_of
from trainables.distributed import draw_rows
from trainables.memory import for_convolutions

LogitsOf = Callable[[Tensor], Tensor]  # (N, C, H, W) -> (N, Y)
Target = Literal["none", "random", "least_likely"]
TARGETS = ("none", "random", "least_likely")
EVERY_ROW = slice(None)
SMALL_ON_CPU = 64 * 8 * 8  # pixels of a batch that hardly takes longer than one image
SMALL_ON_ACCELERATORS = 64 * 32 * 32


class Adversary(Protocol):
    """An attack that is judged by the accuracy it leaves.

    Frozen dataclasses, one file each; YAML in ``search_spaces/adversary``. The caller puts the
    model in eval mode and seeds torch's random stream; batches may be of any size.

    Other settings are relative to the ball, so that `with_epsilon` works.
    """

    @property
    def ball(self) -> Ball:
        """The threat model."""

    def __call__(
        self, logits_of: LogitsOf, images: Tensor, labels: Tensor, *, delta0: Tensor | None = None
    ) -> Tensor:
        """Return adversarial copies of `images`, detached, inside the ball and in [0, 1].

        Parameters
        ----------
        logits_of : callable, (N, C, H, W) -> (N, Y)
            Must treat images one by one, as a network in eval mode does.
        images : Tensor, shape (N, C, H, W)
        labels : Tensor, shape (N,), int64
            The true classes, for targeted attacks too: what counts is the accuracy left.
        delta0 : Tensor, shape (N, C, H, W), optional
            First perturbation, instead of one the attack draws.
        """


A = TypeVar("A", bound=Any)  # a frozen dataclass that is an Adversary


def with_epsilon(adversary: A, epsilon: float) -> A:
    """Return the same attack in a ball of another radius."""
    return replace(adversary, ball=replace(adversary.ball, epsilon=epsilon))


def with_slope(logits_of: LogitsOf) -> LogitsOf:
    """Return the same function, flat where it ignores its input, so that attacks can run.

    A network that rounds by comparing, or leaves autograd, has no gradient to ask for.
    """

    def sloped(images: Tensor) -> Tensor:
        logits = logits_of(images)
        return logits + 0 * images.sum(dim=(1, 2, 3))[:, None] if images.requires_grad else logits

    return sloped


class Worst:
    """Each image's most harmful copy so far: the one whose logits put a wrong class furthest ahead.

    Parameters
    ----------
    images : Tensor, shape (N, C, H, W)
        The copies to start with.
    logits : Tensor, shape (N, Y)
        Theirs.
    labels : Tensor, shape (N,), int64

    Attributes
    ----------
    images : Tensor, shape (N, C, H, W)
    logits : Tensor, shape (N, Y)
    """

    def __init__(self, images: Tensor, logits: Tensor, labels: Tensor) -> None:
        self.images = images.detach().clone()
        self.logits = logits.detach().clone()
        self._labels = labels
        self._lead = margin(self.logits, labels)

    def offer(self, images: Tensor, logits: Tensor, rows: Tensor | slice = EVERY_ROW) -> None:
        """Keep the worse ones of new copies for `rows`, each of which occurs once."""
        lead = margin(logits.detach(), self._labels[rows])
        worse = lead > self._lead[rows]
        pixels = worse.view(-1, 1, 1, 1)
        self.images[rows] = torch.where(pixels, images.detach(), self.images[rows])
        self.logits[rows] = torch.where(worse[:, None], logits.detach(), self.logits[rows])
        self._lead[rows] = torch.where(worse, lead, self._lead[rows])

    def gains(self, logits: Tensor) -> Tensor:
        """Return which of T new copies of every image, logits (T N, Y), are worse, shape (T, N)."""
        times = len(logits) // len(self._labels)
        lead = margin(logits, self._labels.repeat(times))
        return lead.view(times, -1) > self._lead

    def standing(self) -> Tensor:
        """Return the rows still classified right, shape (M,), int64."""
        return (self.logits.argmax(dim=1) == self._labels).nonzero().squeeze(1)

    def rows(self, rows: Tensor) -> "Worst":
        """Return what was found for some of them."""
        return Worst(self.images[rows], self.logits[rows], self._labels[rows])


def try_in_turn(
    worst: Worst, logits_of: LogitsOf, attempts: Iterable[Callable[[Tensor], Tensor]]
) -> Tensor:
    """Give each attempt only what still stands, and return the worst copies in the end.

    Parameters
    ----------
    worst : Worst
        What to start with; updated.
    logits_of : callable, (N, C, H, W) -> (N, Y)
    attempts : iterable of callable, (M,) -> (M, C, H, W)
        Each takes the rows of images still classified right and returns copies of them.
    """
    with torch.no_grad():
        for attempt in attempts:
            rows = worst.standing()
            if len(rows) == 0:
                break
            found = attempt(rows)
            worst.offer(found, logits_of(found), rows)
    return worst.images


@dataclass(frozen=True)
class Victims:
    """Images under attack by somebody who wants them taken for `targets`, if there are any."""

    logits_of: LogitsOf
    images: Tensor
    labels: Tensor
    targets: Tensor | None

    def look(self, objective: Objective, delta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits (N, Y), objective (N,) and its gradient (N, C, H, W) at ``images + delta``.

        Weights get no gradients.
        """
        with torch.enable_grad():
            x = (self.images + delta).requires_grad_()
            logits = self.logits_of(x)
            values = objective(logits, self.labels, self.targets, x - self.images)
            gradient = gradient_of(values, x)
        return logits.detach(), values.detach(), gradient

    def rows(self, rows: Tensor) -> "Victims":
        """Return some of them."""
        targets = take(self.targets, rows)
        return Victims(self.logits_of, self.images[rows], self.labels[rows], targets)


def attack_targets(
    run: Callable[[Victims, Tensor | None], Tensor],
    logits_of: LogitsOf,
    images: Tensor,
    labels: Tensor,
    *,
    targets: int,
    restarts: int,
    delta0: Tensor | None,
) -> Tensor:
    """Run an attack towards each of the likeliest wrong classes; what is broken leaves.

    In turn, or several together where few images are left.

    Parameters
    ----------
    run : callable
        Takes victims and a first perturbation, or None to draw one, and returns copies of the
        victims' images.
    logits_of : callable, (N, C, H, W) -> (N, Y)
    images : Tensor, shape (N, C, H, W)
    labels : Tensor, shape (N,), int64
    targets : int
        How many classes, as far as there are so many; 0 is one untargeted attack.
    restarts : int
        Runs per target.
    delta0 : Tensor, shape (N, C, H, W), optional
        Where each target's first run starts.
    """
    images = for_convolutions(images.detach())
    with torch.no_grad():
        clean = logits_of(images)
    ranks = range(1, min(targets, clean.shape[1] - 1) + 1) if targets else (0,)
    left = [(rank, restart) for rank in ranks for restart in range(restarts)]
    worst = Worst(images, clean, labels)
    while left and len(rows := worst.standing()) > 0:
        count = 1 if delta0 is not None else at_once(len(rows), images)
        now, left = left[:count], left[count:]
        aims = [nth_wrong_class(clean[rows], labels[rows], rank) for rank, _ in now if rank]
        start = take(delta0, rows) if now[0][1] == 0 else None
        copies = rows.repeat(len(now))
        victims = Victims(
            logits_of, images[copies], labels[copies], torch.cat(aims) if aims else None
        )
        with torch.no_grad():
            for found in torch.split(run(victims, start), len(rows)):
                worst.offer(found, logits_of(found), rows)
    return worst.images


def at_once(standing: int, given: Tensor) -> int:
    """Return how many copies of each image still standing to attack together.

    As many as make a batch no larger than the one given, or a small one, which takes a device
    hardly longer than one image.

    Parameters
    ----------
    standing : int
        How many images do.
    given : Tensor, shape (N, C, H, W)
        All images of the attack.
    """
    pixels = SMALL_ON_CPU if given.device.type == "cpu" else SMALL_ON_ACCELERATORS
    few = pixels // given[0, 0].numel()
    return max(max(len(given), few) // standing, 1)


def choose_targets(kind: Target, logits: Tensor, labels: Tensor) -> Tensor | None:
    """Return a wrong class per image, shape (N,), or None for an untargeted attack.

    Drawn from torch's random stream, or the least likely one of the logits.
    """
    if kind == "none":
        return None
    classes = logits.shape[1]
    if kind == "random":
        shift = draw_rows(
            lambda n: torch.randint(1, classes, (n,), device=labels.device), len(labels)
        )
        return (labels + shift) % classes
    return nth_wrong_class(logits, labels, classes - 1)


def nth_wrong_class(logits: Tensor, labels: Tensor, rank: int) -> Tensor:
    """Return the `rank`-th likeliest class besides the label, from 1, shape (N,)."""
    others = logits.detach().scatter(1, labels[:, None], -torch.inf)
    return others.argsort(dim=1, descending=True)[:, rank - 1]


def take(values: Tensor | None, rows: Tensor) -> Tensor | None:
    """Return the rows of what may not be there."""
    return None if values is None else values[rows]
