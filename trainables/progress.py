"""Progress of training."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far training has come, as schedules inside methods read it.

    Parameters
    ----------
    step : int
        Optimizer updates made before this one; the first step is 0.
    epoch : int
        Passes over the data made before this one; the first epoch is 0.
    max_epochs : int
        Passes in the whole run.
    fraction : float
        Share of all updates already made, in [0, 1).
    update : float
        Share of all updates that this one is.
    """

    step: int
    epoch: int
    max_epochs: int
    fraction: float
    update: float = 0.0

    @property
    def reached(self) -> float:
        """Share of all updates made once this one is, where updates are counted from 1."""
        return self.fraction + self.update
