"""How far an epoch is trained."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from trainables.means import Means


@dataclass
class PartOfEpoch:
    """What is known of an epoch that is not finished.

    Parameters
    ----------
    batch : int
        Batches trained on.
    seconds : float
        Spent on it.
    waited : float
        Seconds of it spent waiting for images.
    means : Means
        Of what was logged.
    kept : dict, optional
        What a checkpoint holds of it; the same on all ranks.
    """

    batch: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    means: Means = field(default_factory=Means)
    kept: dict[str, Any] | None = None

    @classmethod
    def of(cls, state: dict[str, Any], device: torch.device) -> "PartOfEpoch":
        """Return what `state` was taken of."""
        means = Means.of(state["means"], device)
        waited = state.get("waited", 0.0)  # older checkpoints do not know it
        return cls(batch=state["batch"], seconds=state["seconds"], waited=waited, means=means)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count the time spent within."""
        started = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - started

    def state(self, known: list[list[int]]) -> dict[str, Any]:
        """Return plain values and tensors; a collective call.

        Parameters
        ----------
        known : list of list of int
            Of the epoch's costs.
        """
        return {
            "batch": self.batch,
            "seconds": self.seconds,
            "waited": self.waited,
            "means": self.means.state(),
            "known": known,
        }
