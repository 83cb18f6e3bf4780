"""Tune's searcher: passes on the trials that the study proposes."""

import contextlib
import math
import time
from typing import Any

from ray.exceptions import RayError
from ray.tune.search import Searcher

from raystudy.on_ray.capacity import Capacity
from raystudy.on_ray.exit_reasons import ExitReasons
from raystudy.on_ray.guard import Guard
from raystudy.storage.folders import StudyFolder
from raystudy.study.trial_record import Outcome

LOOK_EVERY_S = 1.0


class StudySearcher(Searcher):  # type: ignore[misc]
    """Ask the study for a trial whenever one more fits.

    Parameters
    ----------
    study : Guard
    capacity : Capacity
        Trials at a time. A trial is proposed only once it can start, so that the sampler knows
        every result there is.
    exit_reasons : ExitReasons
        Knows why processes died.
    """

    def __init__(self, study: Guard, capacity: Capacity, exit_reasons: ExitReasons) -> None:
        super().__init__()
        self._study = study
        self._capacity = capacity
        self._exit_reasons = exit_reasons
        self._numbers: dict[str, int] = {}
        self._looked_at = -math.inf

    @property
    def live(self) -> list[int]:
        """Numbers of the trials that run."""
        return list(self._numbers.values())

    @property
    def unplaced(self) -> list[int]:
        """Numbers of the trials that no process runs yet."""
        folder = StudyFolder(self._study.info.folder)
        return [number for number in self.live if not folder.trial(number).host.exists()]

    def look(self) -> None:
        """Have the capacity follow the nodes; before the first trial Tune calls nothing else."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            # A head out of reach is looked at again; `head_failure` knows when it is gone for good.
            with contextlib.suppress(RayError, RuntimeError, OSError):
                self._capacity.refresh(len(self.live), self._study.outstanding, self.unplaced)

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the next trial as the trainable's parameters."""
        self.look()
        if len(self._numbers) >= self._capacity.trials:
            waits = self._numbers or self._study.outstanding
            return None if waits else Searcher.FINISHED
        info = self._study.next_trial()
        if info is None:  # perhaps only until a running trial has ended
            return None if self._numbers else Searcher.FINISHED
        self._numbers[trial_id] = info.number
        return {
            "number": info.number,
            "folder": str(info.folder),
            "overrides": list(info.overrides),
            "name": info.name,
        }

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Forget a trial; one whose process died too often has failed."""
        number = self._numbers.pop(trial_id)
        if error:
            times = self._study.info.spec.max_failures + 1
            self._study.finish(number, Outcome("failed", self._exit_reasons.reason(number, times)))

    # The study's journal is the state; Tune's own snapshots are never restored.
    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Keep nothing."""

    def save(self, checkpoint_path: str) -> None:
        """Keep nothing."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing."""

    def __getstate__(self) -> dict[str, Any]:
        """Leave the study out of Tune's snapshots, from which nothing is ever restored."""
        return {}
