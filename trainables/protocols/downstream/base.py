"""What a downstream task is: a network fitted on top of an encoder, and scores that it reaches."""

from typing import Protocol, runtime_checkable

import torch
from torch import nn

from trainables.data.annotated.images import AnnotatedSplits
from trainables.networks.encoder import Encoder
from trainables.protocols.base import Fitting


@runtime_checkable
class DownstreamTask(Protocol):
    """A task that is no classification, the same for every encoder.

    Frozen dataclasses; YAML in ``search_spaces/protocol``. `Fitting.classifier` is then the
    network of the task.
    """

    @property
    def task(self) -> str:
        """What must be annotated in the images."""

    def __call__(self, encoder: Encoder, splits: AnnotatedSplits, device: torch.device) -> Fitting:
        """Return a fitting that has not started; the encoder itself is only copied."""

    def scores(
        self, network: nn.Module, splits: AnnotatedSplits, device: torch.device
    ) -> dict[str, float]:
        """Return what a fitted network reaches on the test images; every rank returns the same."""
