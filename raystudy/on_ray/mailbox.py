"""How rank 0 of a trial reports an epoch to the trial's driver and gets its decision.

Train's own bridge (``TuneReportCallback``) is not used: it passes a report on only when its
controller polls, every two seconds, cannot carry an answer back, and blocks for ever in its queue
of one when the last report is still there as the training function returns.
"""

import asyncio
from typing import Any

import ray

from raystudy.on_ray.resources import own_node


class Mailbox:
    """An actor between the workers of a trial and its driver."""

    def __init__(self) -> None:
        self._reports: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._answers: asyncio.Queue[bool] = asyncio.Queue()

    async def ask(self, report: dict[str, Any]) -> bool:
        """Leave a report and wait for the driver's decision: continue or stop."""
        await self._reports.put(report)
        return await self._answers.get()

    async def next_report(self, timeout: float) -> dict[str, Any] | None:
        """Return the next report, or None after `timeout` seconds."""
        try:
            return await asyncio.wait_for(self._reports.get(), timeout)
        except TimeoutError:
            return None

    async def answer(self, proceed: bool) -> None:
        """Answer the last report."""
        await self._answers.put(proceed)


def open_mailbox() -> Any:
    """Start a mailbox on the caller's node; it ends with the caller."""
    return ray.remote(num_cpus=0, scheduling_strategy=own_node())(Mailbox).remote()
