"""Whether images come as fast as training takes them."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

logger = logging.getLogger(__name__)

MUCH, LONG_S = 0.1, 60.0  # of the time of an epoch; an epoch whose first batches do not matter


@dataclass
class Pace:
    """How long training waited for images.

    On a GPU, which is still at work on earlier steps while the next one waits, it is the most that
    can be lost.

    Parameters
    ----------
    waited_s : float
        Since the process started.
    epochs : int
        Looked at.
    has_warned : bool
    """

    waited_s: float = 0.0
    epochs: int = 0
    has_warned: bool = False

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time spent within."""
        started = time.perf_counter()
        yield
        self.waited_s += time.perf_counter() - started

    def of(self, images: int, seconds: float, waited_s: float) -> dict[str, float]:
        """Return images per second, delivered and as training would take them without waiting.

        That training waits much is said once, at level WARNING.

        Parameters
        ----------
        images : int
            Trained on.
        seconds : float
            That took.
        waited_s : float
            What of it was waiting.
        """
        found = speed(images, seconds, waited_s)
        delivered, asked = found.values()
        self.epochs += 1
        settled = self.epochs > 1 or seconds > LONG_S
        if settled and waited_s > MUCH * seconds and not self.has_warned:
            self.has_warned = True
            logger.warning(
                "training waited %.0f %% of its time for images: it got %.0f a second and would "
                "take %.0f; give each worker more cores (scaling.cpus_per_worker, data.threads), "
                "pack with --chroma 420 or a smaller --size, or set data.in_memory=true where "
                "memory suffices",
                100 * waited_s / seconds,
                delivered,
                asked,
            )
        return found


def speed(images: int, seconds: float, waited_s: float) -> dict[str, float]:
    """Return images per second, delivered and as they would be taken without waiting."""
    return {
        "cost/images_per_second": images / max(seconds, 1e-6),
        "cost/images_asked_per_second": images / max(seconds - waited_s, 1e-6),
    }
