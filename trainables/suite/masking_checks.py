"""The gradient masking check: evidence that separates robust accuracy from a failed attack."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.attacks.adversary import Adversary, LogitsOf, nth_wrong_class, with_slope
from trainables.attacks.balls import Ball, L1Ball, LinfBall
from trainables.attacks.objectives import Margin
from trainables.attacks.rows import gradient_of
from trainables.attacks.square import Square
from trainables.attacks.white_box import WhiteBoxPGD
from trainables.data.image_set import ImageSet
from trainables.memory import for_convolutions, suit_planar
from trainables.modes import isolated_rng
from trainables.networks.folding import folded
from trainables.ranges import refuse_not_ascending, refuse_not_whole
from trainables.suite.masking import Evidence

GREY_LEVEL = 1 / 255
CHANGED = 0.01  # relative: arithmetic on a GPU differs by less from batch to batch


@dataclass(frozen=True, kw_only=True)
class MaskingChecks:
    """Attack a few images in ways that show whether gradients are masked [1]_ [2]_.

    In the given ball: one step; more and more steps, each 2.5 epsilon / steps long; several
    starts; as many steps on the margin loss; Square, which uses no gradients;
    and a ball that holds every image. The warnings are made in `masking.signs_of_masking`.

    Parameters
    ----------
    max_images : int
        The first so many.
    steps : sequence of int
        Ascending.
    restarts : int
    queries : int
        Of Square.
    unbounded_steps : int

    References
    ----------
    .. [1] Athalye, Carlini & Wagner 2018, arXiv:1802.00420, Sec. 3.1.
    .. [2] Carlini et al. 2019, arXiv:1902.06705, Sec. 4.
    """

    max_images: int = 200
    steps: tuple[int, ...] | list[int] = field(default=(5, 10, 20, 50))
    restarts: int = 5
    queries: int = 500
    unbounded_steps: int = 100

    def __post_init__(self) -> None:
        refuse_not_ascending("suite.checks.steps", self.steps)
        for steps in self.steps:
            refuse_not_whole("suite.checks.steps", steps)
        for name in ("max_images", "queries", "unbounded_steps"):
            refuse_not_whole(f"suite.checks.{name}", getattr(self, name))
        refuse_not_whole("suite.checks.restarts", self.restarts, least=2)

    def share(self, evidence: Evidence) -> float:
        """Return how much of all evidence is gathered, in [0, 1]."""
        one, whole = evidence.one_step is not None, evidence.unbounded is not None
        done = one + len(evidence.by_steps) + bool(evidence.by_restarts)
        return (done + bool(evidence.black_box) + whole) / (len(self.steps) + 4)

    def gather(
        self,
        classifier: nn.Module,
        ball: Ball,
        images: ImageSet,
        *,
        batch_size: int,
        seed: int,
        known: Evidence | None = None,
    ) -> Iterator[Evidence]:
        """Yield ever more evidence, a piece at a time, the last time all of it.

        Parameters
        ----------
        classifier : nn.Module
            In eval mode.
        ball : Ball
        images : ImageSet
        batch_size : int
        seed : int
        known : Evidence, optional
            What is not gathered again.
        """
        few, evidence = images.rows(slice(self.max_images)), known or Evidence()
        logits_of = with_slope(classifier)
        attacked = partial(_attacked, classifier, few, batch_size, seed)
        if evidence.one_step is None:
            one = WhiteBoxPGD(ball=ball, relative_step=1.0, steps=1, start="zero", keep_best=False)
            evidence = replace(
                evidence,
                images=len(few),
                one_step=attacked(one)[0],
                zero_gradients=_without_gradient(logits_of, few, batch_size),
                slope_error=_slope_error(logits_of, few, batch_size, seed),
                changing=_changing(logits_of, few, batch_size, seed),
            )
            yield evidence
        for steps in self.steps:
            if steps not in evidence.by_steps:
                accuracy, loss = attacked(_pgd(ball, steps))
                by_steps = {**evidence.by_steps, steps: accuracy}
                losses = {**evidence.losses, steps: loss}
                yield (evidence := replace(evidence, by_steps=by_steps, losses=losses))
        if not evidence.by_restarts:
            most = max(self.steps)
            several = attacked(replace(_pgd(ball, most), restarts=self.restarts))[0]
            by_restarts = {1: evidence.by_steps[most], self.restarts: several}
            by_margin = attacked(replace(_pgd(ball, most), objective=Margin()))[0]
            strongest = min(*evidence.by_steps.values(), several, by_margin)
            evidence = replace(
                evidence, by_restarts=by_restarts, by_margin=by_margin, many_steps=strongest
            )
            yield evidence
        if not evidence.black_box:
            square = attacked(Square(ball=ball, queries=self.queries))[0]
            yield (evidence := replace(evidence, black_box={"Square": square}))
        if evidence.unbounded is None:
            whole = replace(_pgd(_unbounded(ball, images), self.unbounded_steps), keep_best=True)
            yield replace(evidence, unbounded=attacked(whole)[0])


def _pgd(ball: Ball, steps: int) -> WhiteBoxPGD:
    return WhiteBoxPGD(ball=ball, relative_step=min(1.0, 2.5 / steps), steps=steps, keep_best=False)


def _unbounded(ball: Ball, images: ImageSet) -> Ball:
    """Return a ball that holds every image, whichever it is drawn around."""
    pixels = images.images[0].numel()
    if isinstance(ball, LinfBall):
        return LinfBall(epsilon=1.0)
    return replace(ball, epsilon=float(pixels) if isinstance(ball, L1Ball) else math.sqrt(pixels))  # type: ignore[type-var]


def _attacked(
    classifier: nn.Module, images: ImageSet, batch_size: int, seed: int, adversary: Adversary
) -> tuple[float, float]:
    """Return accuracy and mean cross-entropy under attack."""
    logits_of = with_slope(classifier)
    right = torch.zeros((), dtype=torch.int64, device=images.labels.device)
    loss = right.double()
    rows = torch.split(torch.arange(len(images), device=images.images.device), batch_size)
    for number, chunk in enumerate(rows):
        labels = images.labels[chunk]
        with isolated_rng(seed + number), torch.no_grad():
            pixels = for_convolutions(images.pixels(chunk))
            with folded(classifier, planar=suit_planar(pixels)):
                copies = adversary(logits_of, pixels, labels)
            logits = classifier(copies)
        right += (logits.argmax(dim=1) == labels).sum()
        loss += F.cross_entropy(logits, labels, reduction="sum")
    return right.item() / len(images), loss.item() / len(images)


def _without_gradient(classifier: LogitsOf, images: ImageSet, batch_size: int) -> float:
    """Return the share of images whose cross-entropy has no gradient, or one of exactly zero."""
    silent = torch.zeros((), dtype=torch.int64, device=images.labels.device)
    for chunk in torch.split(torch.arange(len(images), device=images.images.device), batch_size):
        x: Tensor = images.pixels(chunk).requires_grad_()
        with torch.enable_grad():
            loss = F.cross_entropy(classifier(x), images.labels[chunk], reduction="sum")
            (gradient,) = torch.autograd.grad(loss, x)
        slope = gradient.flatten(1).abs().sum(dim=1)
        silent += ((slope == 0) | slope.isnan()).sum()
    return silent.item() / len(images)


@torch.no_grad()
def _slope_error(classifier: LogitsOf, images: ImageSet, batch_size: int, seed: int) -> float:
    """Return how far the margin's gradient is from its change along a random direction.

    The gradient is taken in the middle of a step, and the rival class is held fast: what is left
    is of the third order, and the network's kinks.
    """
    sums = torch.zeros(2, dtype=torch.float64, device=images.labels.device)
    for chunk in torch.split(torch.arange(len(images), device=images.images.device), batch_size):
        x, labels = images.pixels(chunk), images.labels[chunk]
        with isolated_rng(seed):
            step = GREY_LEVEL * (2.0 * (torch.rand_like(x) < 0.5) - 1)
        step = torch.where(x < GREY_LEVEL, step.abs(), step)
        step = torch.where(x > 1 - GREY_LEVEL, -step.abs(), step)
        middle = (x + step / 2).requires_grad_()
        with torch.enable_grad():
            logits = classifier(middle)
            rivals = nth_wrong_class(logits, labels, 1)
            lead = Margin()(logits, labels, rivals, middle - x)
            gradient = gradient_of(lead, middle)
        ends = [Margin()(classifier(end), labels, rivals, end - x) for end in (x, x + step)]
        said, done = (gradient * step).sum(dim=(1, 2, 3)), ends[1] - ends[0]
        sums += torch.stack([(said - done).abs().sum(), (said.abs() + done.abs()).sum()])
    off, total = sums.tolist()
    error = off / total if total > 0 else 0.0
    return error if math.isfinite(error) else 1.0


@torch.no_grad()
def _changing(classifier: LogitsOf, images: ImageSet, batch_size: int, seed: int) -> float:
    """Return the share of images whose logits differ in smaller batches, drawn anew."""
    changing = torch.zeros((), dtype=torch.int64, device=images.labels.device)
    for chunk in torch.split(torch.arange(len(images), device=images.images.device), batch_size):
        x = images.pixels(chunk)
        with isolated_rng(seed):
            once = classifier(x)
        with isolated_rng(seed + 1):
            again = torch.cat([classifier(part) for part in x.chunk(8)])
        scale = once.abs().amax(dim=1).clamp(min=torch.finfo(once.dtype).tiny)
        changing += ((once - again).abs().amax(dim=1) > CHANGED * scale).sum()
    return changing.item() / len(images)
