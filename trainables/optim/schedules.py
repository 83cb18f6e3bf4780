"""Learning-rate schedules: factors on the base learning rate as functions of the epoch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

from trainables.ranges import refuse_below_zero

ROUNDING = 1e-6  # epochs


class Schedule(Protocol):
    """A factor for every moment of training."""

    def __call__(self, epoch: float, max_epochs: int) -> float:
        """Return the factor after `epoch` epochs, fractions included, of `max_epochs`."""


@dataclass(frozen=True, kw_only=True)
class Constant:
    """The base learning rate throughout."""

    def __call__(self, epoch: float, max_epochs: int) -> float:
        """Return 1."""
        return 1.0


@dataclass(frozen=True, kw_only=True)
class WarmupCosine:
    r"""A linear warm-up, then half a cosine.

    .. math:: f = b + (p - b) (1 + \cos \pi t) / 2

    with t the share of what follows the warm-up that is done. The warm-up is a share of training
    too, so that it keeps its meaning when a study shortens training.

    Parameters
    ----------
    warmup : float
        Length of the warm-up as a share of training, in [0, 1).
    start : float
        Factor at the very beginning.
    peak : float
        Factor p at the end of the warm-up.
    end : float
        Factor b at the end.
    whole_period : bool
        Let the cosine last as long as the whole training, so that it is cut off before its end
        by the length of the warm-up, as in RoCL's code; else it ends with training.
    per_epoch : bool
        Change between epochs only.
    """

    warmup: float = 0.0
    start: float = 0.0
    peak: float = 1.0
    end: float = 0.0
    whole_period: bool = False
    per_epoch: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < 1:
            raise ValueError(
                f"lr_schedule.warmup is a share of training in [0, 1), got {self.warmup}."
            )
        refuse_below_zero("lr_schedule", start=self.start, peak=self.peak, end=self.end)

    def __call__(self, epoch: float, max_epochs: int) -> float:
        """Return the factor."""
        # An epoch that comes from a share of all steps may lie a rounding below the whole number.
        done = (math.floor(epoch + ROUNDING) if self.per_epoch else epoch) / max_epochs
        if done < self.warmup:
            return self.start + (self.peak - self.start) * done / self.warmup
        share = (done - self.warmup) / (1.0 if self.whole_period else 1 - self.warmup)
        return self.end + (self.peak - self.end) * (1 + math.cos(math.pi * share)) / 2


@dataclass(frozen=True, kw_only=True)
class Steps:
    """A drop at each milestone.

    Parameters
    ----------
    milestones : sequence of float
        Shares of training, ascending, each in (0, 1).
    gamma : float
        What the learning rate is multiplied with.
    """

    milestones: Sequence[float]
    gamma: float = 0.1

    def __post_init__(self) -> None:
        inside = all(0 < share < 1 for share in self.milestones)
        if not inside or any(a >= b for a, b in pairwise(self.milestones)):
            raise ValueError(
                f"lr_schedule.milestones are ascending shares of training between 0 and 1, got "
                f"{list(self.milestones)}."
            )

    def __call__(self, epoch: float, max_epochs: int) -> float:
        """Return the factor."""
        done = epoch + ROUNDING
        return float(self.gamma ** sum(done >= share * max_epochs for share in self.milestones))


@dataclass(frozen=True, kw_only=True)
class Triangular:
    """Up from nothing and down to nothing [1]_.

    Parameters
    ----------
    top : float
        Where the peak is, as a share of training.

    References
    ----------
    .. [1] Wong, Rice & Kolter 2020, arXiv:2001.03994, Sec. 5 (after Smith 2017). Their CIFAR-10
       code peaks at half of training, their MNIST code at 0.4.
    """

    top: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.top < 1:
            raise ValueError(f"lr_schedule.top is a share of training in (0, 1), got {self.top}.")

    def __call__(self, epoch: float, max_epochs: int) -> float:
        """Return the factor."""
        done = epoch / max_epochs
        return done / self.top if done < self.top else (1 - done) / (1 - self.top)


def decayed(value: float, fraction: float, decay: Literal["cosine", "constant"]) -> float:
    r"""Return a weight after a share t of training: :math:`v (\cos \pi t + 1) / 2`, or v itself.

    References
    ----------
    MSR, Eq. 6; its code counts updates from 1, this from 0.
    """
    if decay not in ("cosine", "constant"):
        raise ValueError(f"method.decay must be cosine or constant, got '{decay}'.")
    return value if decay == "constant" else value * (math.cos(math.pi * fraction) + 1) / 2
