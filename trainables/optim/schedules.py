"""Learning-rate schedules: factors on the base learning rate as functions of the epoch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

from trainables.ranges import refuse_below_zero

ROUNDING = 1e-6  # epochs

Count = Literal["from_zero", "from_one", "warmup_from_one", "warmup_to_peak"]
COUNTS = ("from_zero", "from_one", "warmup_from_one", "warmup_to_peak")


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
        Let the cosine last as long as the whole training, so that it stops before its end
        by the length of the warm-up, as in RoCL's code; else it ends with training.
    per_epoch : bool
        Change between epochs only.
    count : {"from_zero", "from_one", "warmup_from_one", "warmup_to_peak"}
        How updates are counted, or epochs where the factor changes between epochs only. From zero
        the first has the start's factor, and the first after the warm-up the peak's. Codes that
        step their schedule before the update count from one, as ACL's, or count the warm-up so, as
        RoCL's. In SwAV's and solo-learn's, the first update has the start's and the warm-up's
        last one the peak's.
    """

    warmup: float = 0.0
    start: float = 0.0
    peak: float = 1.0
    end: float = 0.0
    whole_period: bool = False
    per_epoch: bool = False
    count: Count = "from_zero"

    def __post_init__(self) -> None:
        _refuse_no_warmup(self.warmup)
        refuse_below_zero("lr_schedule", start=self.start, peak=self.peak, end=self.end)
        if self.count not in COUNTS:
            raise ValueError(
                f"lr_schedule.count must be one of {', '.join(COUNTS)}, got '{self.count}'."
            )

    def __call__(self, epoch: float, max_epochs: int) -> float:
        """Return the factor where updates are too many to count."""
        return self.at_update(epoch, max_epochs, 0.0)

    def at_update(self, epoch: float, max_epochs: int, update: float) -> float:
        """Return the factor of the update that starts at `epoch` and lasts `update` epochs."""
        done = _whole(epoch) if self.per_epoch else epoch
        one = 1.0 if self.per_epoch else update
        warmup = self.warmup * max_epochs
        if done < warmup - ROUNDING:
            return self.start + (self.peak - self.start) * self._warmed_up(done, one, warmup)
        period = max_epochs - (0.0 if self.whole_period else warmup)
        share = (done - warmup + (one if self.count == "from_one" else 0.0)) / period
        return _cosine(self.peak, self.end, share)

    def _warmed_up(self, done: float, one: float, warmup: float) -> float:
        """Return the share of the warm-up that the next update, or epoch, stands for."""
        if self.count == "from_zero":
            return done / warmup
        if self.count == "warmup_to_peak":
            return 0.0 if done == 0 else min(done / max(warmup - one, ROUNDING), 1.0)
        return min((done + one) / warmup, 1.0)


@dataclass(frozen=True, kw_only=True)
class WarmupOntoCosine:
    r"""Half a cosine over all of training, an epoch at a time, and a warm-up that leads onto it.

    .. math:: f = b + (1 - b) (1 + \cos \pi t) / 2

    with t the share of epochs done when the epoch ends; the warm-up moves with every update [1]_.

    Parameters
    ----------
    warmup : float
        Length of the warm-up as a share of training, in [0, 1).
    start : float
        Factor at the very beginning.
    end : float
        Factor b at the end.

    References
    ----------
    .. [1] Khosla et al. 2020, arXiv:2004.11362, their code, which counts epochs from 1.
    """

    warmup: float = 0.0
    start: float = 0.0
    end: float = 0.0

    def __post_init__(self) -> None:
        _refuse_no_warmup(self.warmup)
        refuse_below_zero("lr_schedule", start=self.start, end=self.end)

    @property
    def peak(self) -> float:
        """The factor at the end of the warm-up."""
        return _cosine(1.0, self.end, self.warmup)

    def __call__(self, epoch: float, max_epochs: int) -> float:
        """Return the factor."""
        warmup = self.warmup * max_epochs
        if epoch < warmup - ROUNDING:
            return self.start + (self.peak - self.start) * epoch / warmup
        return _cosine(1.0, self.end, (_whole(epoch) + 1) / max_epochs)


@dataclass(frozen=True, kw_only=True)
class Steps:
    """A drop at each milestone.

    Parameters
    ----------
    milestones : sequence of float
        Shares of training, ascending, each in (0, 1).
    gamma : float
        What the learning rate is multiplied with.
    warmup : float
        Length of a linear warm-up as a share of training, in [0, 1).
    start : float
        Factor at the very beginning of the warm-up.
    """

    milestones: Sequence[float]
    gamma: float = 0.1
    warmup: float = 0.0
    start: float = 0.0

    def __post_init__(self) -> None:
        _refuse_no_warmup(self.warmup)
        refuse_below_zero("lr_schedule", start=self.start)
        inside = all(0 < share < 1 for share in self.milestones)
        if not inside or any(a >= b for a, b in pairwise(self.milestones)):
            raise ValueError(
                f"lr_schedule.milestones are ascending shares of training between 0 and 1, got "
                f"{list(self.milestones)}."
            )

    def __call__(self, epoch: float, max_epochs: int) -> float:
        """Return the factor."""
        done, warmup = epoch + ROUNDING, self.warmup * max_epochs
        if done < warmup:
            return self.start + (1 - self.start) * epoch / warmup
        return float(self.gamma ** sum(done >= share * max_epochs for share in self.milestones))


@dataclass(frozen=True, kw_only=True)
class Triangular:
    r"""Up from nothing and down to nothing [1]_, and momentum the other way round.

    .. math:: m = m_0 - d f

    with f the factor on the learning rate. The authors' schedule is torch's ``CyclicLR``, which
    moves momentum too by default: 0.9 where the rate is 0, 0.8 at the peak.

    Parameters
    ----------
    top : float
        Where the peak is, as a share of training.
    momentum_dip : float
        d, in [0, 1); 0 leaves the optimizer's momentum alone.

    References
    ----------
    .. [1] Wong, Rice & Kolter 2020, arXiv:2001.03994, Sec. 5 (after Smith 2017). Their CIFAR-10
       code peaks at half of training, their MNIST code at 0.4.
    """

    top: float = 0.5
    momentum_dip: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.top < 1:
            raise ValueError(f"lr_schedule.top is a share of training in (0, 1), got {self.top}.")
        if not 0 <= self.momentum_dip < 1:
            raise ValueError(
                f"lr_schedule.momentum_dip must be in [0, 1), got {self.momentum_dip}."
            )

    def __call__(self, epoch: float, max_epochs: int) -> float:
        """Return the factor."""
        done = epoch / max_epochs
        return done / self.top if done < self.top else (1 - done) / (1 - self.top)


def _refuse_no_warmup(share: float) -> None:
    if not 0 <= share < 1:
        raise ValueError(f"lr_schedule.warmup is a share of training in [0, 1), got {share}.")


def _whole(epoch: float) -> int:
    # An epoch computed from a share of all steps may be a rounding error below the integer.
    return math.floor(epoch + ROUNDING)


def _cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * min(share, 1.0))) / 2


def decayed(value: float, fraction: float, decay: Literal["cosine", "constant"]) -> float:
    r"""Return a weight after a share t of training: :math:`v (\cos \pi t + 1) / 2`, or v itself.

    References
    ----------
    MSR, Eq. 6, whose code counts updates from 1.
    """
    if decay not in ("cosine", "constant"):
        raise ValueError(f"method.decay must be cosine or constant, got '{decay}'.")
    return value if decay == "constant" else value * (math.cos(math.pi * fraction) + 1) / 2
