"""Ctrl-C and SIGTERM: the first ends gracefully, the second at once."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from raystudy.errors import EXIT_KILLED, EXIT_RESUMABLE


@dataclass
class Interruption:
    """Which signal asked for the end, if any did."""

    signal: int | None = None

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, 75 after SIGTERM."""
        return EXIT_KILLED if self.signal == signal.SIGINT else EXIT_RESUMABLE


@contextmanager
def graceful(
    end: Callable[[], None], kill: Callable[[], None] = lambda: None
) -> Iterator[Interruption]:
    """Call `end` on the first SIGINT or SIGTERM; on the second call `kill` and leave at once.

    Both run inside a signal handler and must return quickly. Only the main thread can have one.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def handle(number: int, _: FrameType | None) -> None:
        if interruption.signal is not None:
            kill()
            os._exit(EXIT_KILLED)
        interruption.signal = number
        sys.stderr.write("\nraystudy: ending gracefully; once more to kill\n")
        end()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def pausable(pause: Callable[[], None]) -> Iterator[None]:
    """Call `pause` on SIGUSR2, which would otherwise end the process; SIGUSR1 is Ray Tune's."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGUSR2, lambda *_: pause())
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR2, before)
