"""The sessions of trials on Ray: one process under Tune, or several workers that train together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed as dist

from raystudy.errors import TrialStoppedError
from raystudy.storage.folders import TrialFolder
from raystudy.trial.info import Metrics
from trainables import distributed

Send = Callable[[dict[str, Any]], None]
Ask = Callable[[dict[str, Any]], bool]


def report_of(epoch: int, metrics: Metrics) -> dict[str, Any]:
    """Return what goes through Tune, which keeps statistics of every number it sees until the end.

    A list is passed on as it is; of single measures a trial cost the driver 35 kB for good.
    """
    return {"epoch": epoch, "metrics": list(metrics.items())}


@dataclass(frozen=True)
class TrainSession:
    """Report from rank 0; every rank gets the answer and stops at the same epoch.

    Parameters
    ----------
    folder : TrialFolder
    ask : callable
        Reports an epoch to the trial's driver; returns whether to continue. Called on rank 0
        only.
    """

    folder: TrialFolder
    ask: Ask

    def report(self, epoch: int, metrics: Metrics) -> None:
        """See `Session.report`; a collective call."""
        proceed = torch.ones(1)
        if distributed.rank() == 0:
            proceed[0] = float(self.ask(report_of(epoch, metrics)))
        if distributed.is_distributed() and dist.get_backend() == "nccl":
            proceed = proceed.cuda()
        if not distributed.broadcast_from_first(proceed).item():
            raise TrialStoppedError


@dataclass(frozen=True)
class TuneSession:
    """Report through Tune.

    Parameters
    ----------
    folder : TrialFolder
    send : callable
        ``ray.tune.report``: returns once the driver has decided, and leaves by ``SystemExit``
        if the trial shall end.
    """

    folder: TrialFolder
    send: Send

    def report(self, epoch: int, metrics: Metrics) -> None:
        """See `Session.report`."""
        try:
            self.send(report_of(epoch, metrics))
        except SystemExit:
            raise TrialStoppedError from None
