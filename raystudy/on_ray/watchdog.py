"""Tune's stopper: ends the run on an interruption, or when it has stalled."""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import ray
from ray.tune import Stopper

from raystudy.config.scaling import Scaling
from raystudy.on_ray.capacity import Capacity
from raystudy.on_ray.guard import Guard
from raystudy.on_ray.resources import node_free, node_totals, trials_that_fit
from raystudy.on_ray.searcher import StudySearcher
from raystudy.storage.folders import StudyFolder

POLL_EVERY_S = 1.0
LONGEST_EPOCHS = 3


class Stillness:
    """Since when no trial has moved: reported an epoch, or kept a place inside one.

    Parameters
    ----------
    folder : StudyFolder
    clock : callable () -> float
        Seconds.

    Attributes
    ----------
    longest_s : float
        Between two moves.
    """

    def __init__(self, folder: StudyFolder, clock: Callable[[], float] = time.monotonic) -> None:
        self.longest_s = 0.0
        self._folder, self._clock = folder, clock
        self._moved_at = clock()
        self._places: dict[int, int] = {}

    def moved(self) -> None:
        """Note that a trial moved."""
        now = self._clock()
        self.longest_s = max(self.longest_s, now - self._moved_at)
        self._moved_at = now

    def seconds(self, live: Sequence[int]) -> float:
        """Return how long none has, of the running ones."""
        places = {}
        for number in live:
            with contextlib.suppress(OSError):  # no such place, or gone with its epoch
                found = self._folder.trial(number).inner_checkpoint.stat()
                places[number] = found.st_mtime_ns
        if places.items() - self._places.items():
            self.moved()
        self._places = places
        return self._clock() - self._moved_at


class Watchdog(Stopper):  # type: ignore[misc]
    """Tune asks it ten times a second whether to end the run.

    Parameters
    ----------
    study : Guard
    scaling : Scaling
    searcher : StudySearcher
        Knows the trials that are out.
    capacity : Capacity
        Follows the cluster's nodes.
    cut : callable
        Ends all trials' processes at once.
    grace_s : float
        How long trials of several workers may take to end themselves.

    Attributes
    ----------
    finding : str
        Why the run has stalled; empty otherwise.
    """

    def __init__(
        self,
        study: Guard,
        scaling: Scaling,
        searcher: StudySearcher,
        capacity: Capacity,
        *,
        cut: Callable[[], None],
        grace_s: float,
    ) -> None:
        self.finding = ""
        self._study = study
        self._scaling = scaling
        self._searcher = searcher
        self._capacity = capacity
        self._cut = cut
        self._grace_s = grace_s
        self._interrupted_at: float | None = None
        self._looked_at = time.monotonic()
        self._stillness = Stillness(StudyFolder(study.info.folder))

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Note that a trial reported; ending single trials is the scheduler's."""
        self._stillness.moved()
        return False

    def stop_all(self) -> bool:
        """Return whether the run shall end now."""
        if self._study.error is not None:
            ends = True
        elif self._study.interrupted:
            ends = self._is_graceful_enough()
        else:
            self._searcher.look()
            now = time.monotonic()
            if now - self._looked_at >= POLL_EVERY_S:
                self._looked_at = now
                self._look(self._stillness.seconds(self._searcher.live))
            ends = bool(self.finding)
        if ends:
            self._cut()
        return ends

    def _is_graceful_enough(self) -> bool:
        if self._scaling.num_workers == 1:
            return True  # it continues from its last checkpoint
        now = time.monotonic()
        if self._interrupted_at is None:
            self._interrupted_at = now
        for number in self._searcher.live:
            folder = StudyFolder(self._study.info.folder).trial(number)
            if folder.path.is_dir():
                folder.stop.touch()
        return not self._searcher.live or now - self._interrupted_at > self._grace_s

    def _look(self, still_s: float) -> None:
        patience_s = self._study.info.spec.stall_minutes * 60
        if still_s < max(patience_s, LONGEST_EPOCHS * self._stillness.longest_s):
            return
        waits = self._searcher.unplaced == self._searcher.live
        if waits and self._capacity.may_grow:
            return  # a node takes as long as it takes; the study can be stopped
        if trials_that_fit(self._scaling, node_free()) == 0:
            self.finding = self._words(still_s)

    def _words(self, still_s: float) -> str:
        free, total = ray.available_resources(), ray.cluster_resources()
        held = ", ".join(
            f"{total[name] - free.get(name, 0):g} of {total[name]:g} {name}"
            for name in ("CPU", "GPU")
            if name in total
        )
        trials = ", ".join(map(str, self._searcher.live)) or "none"
        resume = StudyFolder(self._study.info.folder).command("resume")
        return (
            f"no trial reported for {still_s / 60:.3g} minutes and no resource is free; "
            f"running: {trials}; a trial needs {self._scaling.words}; in use: "
            f"{held or 'nothing'} on {len(node_totals(self._scaling))} nodes. Look into the "
            f"trials' log.txt, then continue with '{resume}'; where an epoch takes longer than "
            f"this, raise study.stall_minutes={self._study.info.spec.stall_minutes:g}, or set "
            f"checkpoint_batches, which counts as progress."
        )

    def __getstate__(self) -> dict[str, object]:
        """Leave the study out of Tune's snapshots, from which nothing is ever restored."""
        return {}
