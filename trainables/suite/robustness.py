"""Which images a classifier still gets right under attack."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from trainables.attacks.adversary import Adversary, LogitsOf, with_slope
from trainables.attacks.auto_attack import AutoAttack
from trainables.attacks.balls import Ball
from trainables.attacks.epsilons import in_growing_balls
from trainables.data.image_set import ImageSet
from trainables.memory import for_convolutions, suit_planar
from trainables.modes import isolated_rng
from trainables.networks.folding import folded
from trainables.precision import Precision, arithmetic, refuse_unknown
from trainables.ranges import refuse_not_ascending


@dataclass(frozen=True, kw_only=True)
class RobustnessCurve:
    """An adversary and the balls it is run in.

    Parameters
    ----------
    adversary : Adversary
    epsilons : sequence of float, optional
        Radii, ascending, in pixel units; if left out, the adversary's own.
    precision : {"float32", "bfloat16"}
        With ``bfloat16`` images are attacked so first, and those still right once more in float32.
        The verdict is always one in float32, so the accuracy left is never above float32's by more
        than the draw of random starts.
    """

    adversary: Adversary
    epsilons: Sequence[float] | None = None
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        if self.epsilons is not None:
            refuse_not_ascending("epsilons of an attack", self.epsilons)
        refuse_unknown("precision of an attack", self.precision)

    @property
    def radii(self) -> list[float]:
        """The radii of all balls."""
        return [self.adversary.ball.epsilon] if self.epsilons is None else list(self.epsilons)

    def within(self, epsilon: float) -> Ball:
        """Return the ball of one radius."""
        ball: Ball = replace(self.adversary.ball, epsilon=epsilon)  # type: ignore[type-var]
        return ball

    def after(self, others: Mapping[str, "RobustnessCurve"]) -> tuple["RobustnessCurve", list[str]]:
        """Return what is left of an ensemble once others are done, and which of them are in it."""
        if not isinstance(self.adversary, AutoAttack):
            return self, []
        found = {
            part: name
            for part, attack in self.adversary.attacks.items()
            for name, other in others.items()
            if other.radii == self.radii and other.adversary == attack
        }
        left = replace(self.adversary, left_out=tuple(found))
        return replace(self, adversary=left), list(found.values())

    def robust_images(
        self,
        classifier: nn.Module,
        images: ImageSet,
        *,
        batch_size: int,
        seed: int,
        done: int = 0,
        standing: Tensor | None = None,
    ) -> Iterator[Tensor]:
        """Yield for one batch after another which images are right in every ball.

        A batch has a random stream of its own, so that a rest gives what the whole would.

        Parameters
        ----------
        classifier : nn.Module
            Images (N, C, H, W) to logits (N, Y), in eval mode.
        images : ImageSet
            All labelled.
        batch_size : int
        seed : int
        done : int
            Batches to leave out at first.
        standing : Tensor, shape (E, N), bool, optional
            What is known to be wrong elsewhere is not attacked.

        Yields
        ------
        Tensor, shape (E, n), bool
            On the CPU, a row for each of the `radii`.
        """
        rows = torch.arange(len(images), device=images.images.device)
        chunks = torch.split(rows, batch_size)[done:]
        pairs = zip(chunks, images.in_turn(chunks), strict=True)
        for number, (chunk, pixels) in enumerate(pairs, start=done):
            known = None if standing is None else standing[:, chunk.cpu()]
            with isolated_rng(seed + number), torch.no_grad():
                right = self._standing(classifier, pixels, images.labels[chunk], known)
            yield right.cpu()

    def _standing(
        self, classifier: nn.Module, images: Tensor, labels: Tensor, known: Tensor | None
    ) -> Tensor:
        if known is None:
            return self._verdicts(classifier, images, labels)
        right = known.clone()
        rows = known.any(dim=0).nonzero().squeeze(1)
        if len(rows):
            there = rows.to(images.device)
            right[:, rows] &= self._verdicts(classifier, images[there], labels[there]).cpu()
        return right

    def _verdicts(self, classifier: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        logits_of, images = with_slope(classifier), for_convolutions(images)

        def low_precision(x: Tensor) -> Tensor:
            with arithmetic(x.device, self.precision):
                logits = logits_of(x)
            return logits.float()

        def right(logits_of: LogitsOf, rows: Tensor | slice = slice(None)) -> Tensor:
            with folded(classifier, planar=suit_planar(images)):
                found = list(
                    in_growing_balls(
                        self.adversary, self.radii, logits_of, images[rows], labels[rows]
                    )
                )
            hits = [classifier(copies).argmax(dim=1) == labels[rows] for copies in found]
            return torch.stack(hits)

        if self.precision == "float32":
            verdicts = right(logits_of)
        else:
            verdicts = right(low_precision)
            left = verdicts.any(dim=0).nonzero().squeeze(1)
            verdicts[:, left] &= right(logits_of, left)
        return verdicts.int().cumprod(dim=0).bool()  # a larger ball holds the smaller
