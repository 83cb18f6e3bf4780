"""The state of a trial that ended by an exception."""

from typing import Literal

DISK_FULL = "disk_full"  # no end of a trial: it is resumed once there is room
Ending = Literal["diverged", "collapsed", "failed"]


def ending_of(error: Exception) -> tuple[Ending, str]:
    """Return a trial's state and the reason in words."""
    from trainables.trainer import (  # which imports torch
        TrainingCollapsedError,
        TrainingDivergedError,
    )

    if isinstance(error, TrainingDivergedError):
        return "diverged", str(error)
    if isinstance(error, TrainingCollapsedError):
        return "collapsed", str(error)
    return "failed", f"{type(error).__name__}: {error}"
