"""The session of `raystudy train`: one trial in this process."""

import contextlib
import math
import time
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import Literal, Self

from raystudy.errors import TrialStoppedError, UserError
from raystudy.storage import disk, file_names
from raystudy.storage.folders import TrialFolder
from raystudy.study.info import StudyInfo
from raystudy.study.tracker import StudyObserver
from raystudy.study.trial_record import TrialRecord
from raystudy.trial.endings import ending_of
from raystudy.trial.info import Metrics, TrialInfo, TrialState, TrialSummary
from trainables.trainer import TrainingDivergedError


class LocalSession:
    """Tell the trackers what a trial reports, from its beginning to its one final state.

    Within the context an exception is the trial's end: divergence, collapse and failure are noted
    and swallowed, a stop and the user's own mistakes go on to the caller.

    Parameters
    ----------
    study : StudyInfo
    trial : TrialInfo
    trackers : sequence of StudyObserver
    """

    def __init__(
        self, study: StudyInfo, trial: TrialInfo, trackers: Sequence[StudyObserver]
    ) -> None:
        self.folder = TrialFolder(trial.folder)
        self.summary: TrialSummary | None = None
        self._study = study
        self._trial = trial
        self._trackers = trackers
        self._record = TrialRecord(trial.number, study.spec.objectives, trial.params)
        self._interrupted = False
        self._started = time.monotonic()

    def interrupt(self) -> None:
        """Let the trial end after its current epoch."""
        self._interrupted = True

    def report(self, epoch: int, metrics: Metrics) -> None:
        """See `Session.report`."""
        for tracker in self._trackers:
            tracker.trial_reported(self._trial.number, epoch, metrics)
        self._record.add(epoch, metrics, time.monotonic() - self._started)
        if wrong := [name for name, value in metrics.items() if not math.isfinite(value)]:
            raise TrainingDivergedError(f"{wrong[0]} is {metrics[wrong[0]]} at epoch {epoch}")
        if self._interrupted:
            raise TrialStoppedError

    def __enter__(self) -> Self:
        for tracker in self._trackers:
            tracker.study_started(self._study)
            tracker.trial_started(self._trial)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is None:
            missing = ", ".join(self._record.missing)
            self._end("failed", f"{missing} was never reported") if missing else self._end(
                "complete", ""
            )
        elif disk.shortage(error):  # no fault of the trial, which is gone on with
            with contextlib.suppress(OSError):
                self._close("interrupted")
            return False
        elif isinstance(error, Exception) and not isinstance(error, TrialStoppedError):
            state, reason = ending_of(error)
            if state == "failed":
                self.folder.path.mkdir(parents=True, exist_ok=True)
                text = "".join(traceback.format_exception(error))
                self.folder.error.write_text(text, errors=file_names.ANY)
            self._end(state, reason)
        self._close("interrupted" if self.summary is None else "complete")
        return isinstance(error, Exception) and not isinstance(
            error, (TrialStoppedError, UserError)
        )

    def _end(self, state: TrialState, reason: str) -> None:
        self._record.seconds = time.monotonic() - self._started
        self.summary = self._record.summary(state, reason)
        for tracker in self._trackers:
            tracker.trial_finished(self.summary)

    def _close(self, state: Literal["complete", "interrupted"]) -> None:
        for tracker in self._trackers:
            tracker.study_finished(state)
