"""Square: random search in windows that shrink, by the logits alone."""

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from trainables.attacks.adversary import LogitsOf, Worst, at_once
from trainables.attacks.balls import Ball, L1Ball, LinfBall
from trainables.attacks.rows import norm, per_row, uniform
from trainables.ranges import refuse_not_whole

FIRST_SHARE = 0.8  # of the image that a window covers at first
HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # queries after which the share halves


@dataclass(frozen=True, kw_only=True)
class Square:
    """Change a random window, and keep the change where a wrong class gains on the label [1]_.

    In l-inf a window moves to one of the ball's corners; in l2 and l1 it takes over what another
    window has of epsilon, for a pattern of two peaks [2]_. Other than in the authors' code every
    image has windows of its own.

    Parameters
    ----------
    ball : Ball
        In l-inf, l2 or l1.
    queries : int
        Forward passes at most; what is broken leaves.
    rescale : bool
        Stretch the schedule of window sizes, made for 10,000 queries, to `queries`.

    References
    ----------
    .. [1] Andriushchenko et al. 2020, arXiv:1912.00049, Algorithms 1 to 3.
    .. [2] Croce & Hein 2021, arXiv:2103.01208, for l1.
    """

    ball: Ball
    queries: int = 5000
    rescale: bool = True

    def __post_init__(self) -> None:
        refuse_not_whole("queries of Square", self.queries)

    @torch.no_grad()
    def __call__(
        self, logits_of: LogitsOf, images: Tensor, labels: Tensor, *, delta0: Tensor | None = None
    ) -> Tensor:
        """Return each image's worst copy."""
        worst = Worst(images, logits_of(images), labels)
        rows = worst.standing()
        if len(rows) == 0:
            return worst.images
        images = images[rows]
        delta = self._start(images) if delta0 is None else delta0[rows]
        copies = images + self.ball.confine(images, delta)
        search = Worst(copies, logits_of(copies), labels[rows])
        query = 1
        while query < self.queries:
            left = search.standing()
            if len(left) < len(rows):
                worst.offer(search.images, search.logits, rows)
                rows, images, search = rows[left], images[left], search.rows(left)
            if len(rows) == 0:
                break
            query += self._try(logits_of, images, search, query)
        worst.offer(search.images, search.logits, rows)
        return worst.images

    def _try(self, logits_of: LogitsOf, images: Tensor, search: Worst, query: int) -> int:
        """Change windows and keep what gains; return how many queries of each image that were.

        Where few images are left, each tries several windows at once. Those after the first that
        any image gained by do not count: one by one they would have changed other copies.
        """
        most = at_once(len(images), images)
        sides = [self._side(images, at) for at in range(query, self.queries)[:most]]
        tries = sides.count(sides[0])
        x = torch.cat([images] * tries)
        delta = self._change(torch.cat([search.images] * tries) - x, sides[0])
        copies = x + self.ball.confine(x, delta)
        logits = logits_of(copies)
        gains = search.gains(logits).any(dim=1).tolist() if tries > 1 else [True]
        first = gains.index(True) if True in gains else tries - 1
        kept = slice(first * len(images), (first + 1) * len(images))
        search.offer(copies[kept], logits[kept])
        return first + 1

    def _start(self, images: Tensor) -> Tensor:
        """Return vertical stripes in l-inf, tiles of two peaks otherwise."""
        channels, height, width = images.shape[1:]
        if isinstance(self.ball, LinfBall):
            return self.ball.epsilon * _signs(images, channels, 1, width).expand_as(images)
        order = _order(self.ball)
        side = max(height // 5, 1)
        first = max((height - 5 * side) // 2, 0)
        delta = torch.zeros_like(images)
        for top in range(first, height - side + 1, side):
            for left in range(first, width - side + 1, side):
                tile = _peaks(images, side, order) * _signs(images, channels, 1, 1)
                delta[:, :, top : top + side, left : left + side] = tile
        return self.ball.epsilon * delta / norm(delta, order)

    def _side(self, images: Tensor, query: int) -> int:
        """Return how many pixels high and wide the windows of a query are, from 1."""
        height, width = images.shape[2:]
        done = query - 1
        if self.rescale:
            done = done * 10_000 // self.queries
        share = FIRST_SHARE / 2 ** sum(done > bound for bound in HALVINGS)
        side = round(math.sqrt(share * height * width))
        side = max(side, 1) if isinstance(self.ball, LinfBall) else max(side, 3) | 1
        return min(side, height, width)

    def _change(self, delta: Tensor, side: int) -> Tensor:
        """Return `delta` with a window of every row changed."""
        if not isinstance(self.ball, LinfBall):
            return self._take_over(delta, side)
        channels = delta.shape[1]
        window = _window(delta, side)
        moved = delta.clone()
        moved[window] += 2 * self.ball.epsilon * _signs(delta, channels, 1, 1)
        return moved

    def _take_over(self, delta: Tensor, side: int) -> Tensor:
        """Give a window peaks as large as it, another one and what is left of epsilon allow."""
        order, channels = _order(self.ball), delta.shape[1]
        here, there = _window(delta, side), _window(delta, side)
        emptied = delta.clone()
        emptied[here] = emptied[there] = delta.new_zeros(())  # a number would be copied
        freed = _channel_norm(delta - emptied, order)
        spare = (self.ball.epsilon**order - norm(delta, order) ** order).clamp(min=0) / channels
        budget = (spare + freed**order) ** (1 / order)
        tiny = torch.finfo(delta.dtype).tiny
        old = delta[here]
        old = old / _channel_norm(old, order).clamp(min=tiny)
        new = old + _peaks(delta, side, order) * _signs(delta, channels, 1, 1)
        emptied[here] = new / _channel_norm(new, order).clamp(min=tiny) * budget
        if order == 1:  # beyond epsilon, for the projection to keep the peaks and cut the rest
            emptied[here] *= channels
            return emptied
        return self.ball.epsilon * emptied / norm(emptied, order).clamp(min=tiny)


def _order(ball: Ball) -> int:
    return 1 if isinstance(ball, L1Ball) else 2


def _channel_norm(values: Tensor, order: int) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(values, ord=order, dim=(2, 3), keepdim=True)
    return length


def _signs(images: Tensor, *shape: int) -> Tensor:
    one = images.new_ones(())
    return torch.where(uniform(images, *shape) < 0.5, one, -one)


def _window(images: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return an index of a random window in every row, the same in all channels."""
    channels, height, width = images.shape[1:]
    down, right = uniform(images, 2).view(-1, 2, 1, 1, 1).unbind(dim=1)
    top, left = (down * (height - side + 1)).long(), (right * (width - side + 1)).long()
    offset = torch.arange(side, device=images.device)
    return (
        torch.arange(len(images), device=images.device).view(-1, 1, 1, 1),
        torch.arange(channels, device=images.device).view(1, -1, 1, 1),
        top + offset.view(1, 1, -1, 1),
        left + offset,
    )


def _peaks(images: Tensor, side: int, order: int) -> Tensor:
    """Return a positive and a negative peak of norm 1, upright or lying, shape (N, 1, S, S)."""
    pattern = _pattern(side, order, images.device, images.dtype)
    upright = per_row(uniform(images), images) < 0.5
    return torch.where(upright, pattern, pattern.T)


@cache
def _pattern(side: int, order: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    top, bottom = (_peak(height, side, order, device) for height in (side // 2, side - side // 2))
    pattern = torch.cat([top, -bottom]).to(dtype)
    return pattern / norm(pattern[None], order)[0]


def _peak(height: int, width: int, order: int, device: torch.device) -> Tensor:
    """Return rings around the middle that sum up squares (l2) or fourth powers (l1) of 1 / k."""
    with device:
        rings = max(height, width) // 2 + 1
        steps = 1 / torch.arange(1, rings + 1, dtype=torch.float64) ** (2 if order == 2 else 4)
        down = (torch.arange(height) - height // 2).abs()[:, None]
        right = (torch.arange(width) - width // 2).abs()[None, :]
    peak = steps.flip(0).cumsum(0).flip(0)[torch.maximum(down, right)]
    return peak / norm(peak[None], order)[0]
