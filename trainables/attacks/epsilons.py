"""One attack in growing balls, so that accuracy falls with epsilon as it must."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from trainables.attacks.adversary import Adversary, LogitsOf, Worst, try_in_turn, with_epsilon


def in_growing_balls(
    adversary: Adversary,
    epsilons: Sequence[float],
    logits_of: LogitsOf,
    images: Tensor,
    labels: Tensor,
) -> Iterator[Tensor]:
    """Yield each image's worst copy in every ball.

    What broke an image in a smaller ball breaks it in a larger one: such images are not attacked
    again. The others are attacked from where the smaller ball left them, and those that stay right
    also from the attack's own start. Accuracy therefore never rises with epsilon, which attacks
    made for each epsilon alone do not ensure.

    Parameters
    ----------
    adversary : Adversary
        Its ball gives the norm.
    epsilons : sequence of float
        Ascending, in pixel units.
    logits_of : callable, (N, C, H, W) -> (N, Y)
    images : Tensor, shape (N, C, H, W)
    labels : Tensor, shape (N,), int64

    Yields
    ------
    Tensor, shape (N, C, H, W)
    """
    if any(after <= before for before, after in pairwise(epsilons)):
        raise ValueError(f"epsilons must be ascending, got {list(epsilons)}.")
    with torch.no_grad():
        worst = Worst(images, logits_of(images), labels)
    for number, epsilon in enumerate(epsilons):
        if epsilon > 0:
            attack = partial(_attack, with_epsilon(adversary, epsilon), logits_of, images, labels)
            again = [partial(attack, worst)] if number else []
            try_in_turn(worst, logits_of, [*again, partial(attack, None)])
        yield worst.images.clone()


def _attack(
    adversary: Adversary,
    logits_of: LogitsOf,
    images: Tensor,
    labels: Tensor,
    before: Worst | None,
    rows: Tensor,
) -> Tensor:
    delta0 = None if before is None else before.images[rows] - images[rows]
    return adversary(logits_of, images[rows], labels[rows], delta0=delta0)
