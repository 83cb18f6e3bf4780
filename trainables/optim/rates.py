"""What a learning-rate schedule makes of an optimizer before each update."""

from typing import Any, Protocol, runtime_checkable

from torch.optim import Optimizer

from trainables.optim.schedules import Schedule
from trainables.progress import Progress


@runtime_checkable
class CountsUpdates(Protocol):
    """A schedule for which it matters how long an update is."""

    def at_update(self, epoch: float, max_epochs: int, update: float) -> float:
        """Return the factor of the update that starts at `epoch` and lasts `update` epochs."""


@runtime_checkable
class DipsMomentum(Protocol):
    """A schedule that takes momentum away where the rate is high."""

    @property
    def momentum_dip(self) -> float:
        """How much of it at a factor of 1; in proportion to the factor elsewhere."""


def set_rates(optimizer: Optimizer, schedule: Schedule, progress: Progress) -> None:
    """Give every group of parameters the learning rate, and the momentum, of the next update."""
    epoch = progress.fraction * progress.max_epochs
    if isinstance(schedule, CountsUpdates):
        update = progress.update * progress.max_epochs
        factor = schedule.at_update(epoch, progress.max_epochs, update)
    else:
        factor = schedule(epoch, progress.max_epochs)
    dip = _dip(schedule)
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
        if dip:
            _lower_momentum(group, dip * factor)


def rates(optimizer: Optimizer, schedule: Schedule) -> dict[str, float]:
    """Return the last update's learning rate, and its momentum where the schedule moves it."""
    group = optimizer.param_groups[0]
    momentum = _momentum(group) if _dip(schedule) else None
    found = {"train/lr": group["lr"]}
    return found if momentum is None else found | {"train/momentum": momentum}


def refuse_momentum_too_small(optimizer: Optimizer, schedule: Schedule) -> None:
    """Raise a ValueError if there is no momentum to take away, or not as much.

    Where it is 0 from the start, nothing is taken away.
    """
    dip = _dip(schedule)
    for group in optimizer.param_groups if dip else []:
        momentum = _momentum(group)
        if momentum is None:
            raise ValueError(
                f"lr_schedule.momentum_dip={dip} needs an optimizer with momentum or betas; "
                f"{type(optimizer).__name__} has none: set lr_schedule.momentum_dip=0."
            )
        if 0 < momentum <= dip:
            raise ValueError(
                f"optimizer.momentum must be 0 or above lr_schedule.momentum_dip={dip}, got "
                f"{momentum}."
            )


def _dip(schedule: Schedule) -> float:
    return schedule.momentum_dip if isinstance(schedule, DipsMomentum) else 0.0


def _momentum(group: dict[str, Any]) -> float | None:
    """Return a group's momentum, which is the first beta of Adam and its kin, if it has any."""
    momentum: float | None = group["betas"][0] if "betas" in group else group.get("momentum")
    return momentum


def _lower_momentum(group: dict[str, Any], amount: float) -> None:
    """Set a group's momentum to what it was at first, less an amount, as torch's CyclicLR does."""
    group.setdefault("initial_momentum", _momentum(group))
    momentum = max(0.0, group["initial_momentum"] - amount)
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum
