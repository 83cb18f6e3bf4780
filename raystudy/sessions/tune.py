"""The session of a trial that runs in one process under Ray Tune."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from raystudy.errors import TrialStoppedError
from raystudy.storage.folders import TrialFolder
from raystudy.trackers.base import Metrics

Send = Callable[[dict[str, Any]], None]


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
            self.send({"epoch": epoch, "metrics": dict(metrics)})
        except SystemExit:
            raise TrialStoppedError from None
