"""The session of `raystudy train`: one trial in this process."""

import contextlib
import time
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import Literal, Self

from raystudy.errors import TrialStoppedError, UserError
from raystudy.storage import disk, file_names
from raystudy.storage.folders import TrialFolder
from raystudy.study import trial_record
from raystudy.study.info import StudyInfo
from raystudy.study.tracker import StudyObserver
from raystudy.study.trial_record import Outcome, TrialRecord
from raystudy.trial.endings import ending_of
from raystudy.trial.info import Metrics, TrialInfo, TrialSummary
from trainables.trainer import TrainingDivergedError


class LocalSession:
    """Pass a trial's reports to the trackers, from its start to its one final state.

    Within the context an exception is the trial's end: divergence, collapse and failure are noted
    and swallowed, a stop and the user's own mistakes reach the caller.

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
        spec = study.spec
        self._record = TrialRecord(trial.number, spec.objectives, trial.params, spec.constraints)
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
        if wrong := trial_record.not_finite(metrics):
            raise TrainingDivergedError(f"{wrong} at epoch {epoch}")
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
            self._end(Outcome("completed"))
        elif disk.shortage(error):  # no fault of the trial, which can be resumed
            with contextlib.suppress(OSError):
                self._close("interrupted")
            return False
        elif isinstance(error, Exception) and not isinstance(error, TrialStoppedError):
            outcome = Outcome(*ending_of(error))
            if outcome.kind == "failed":
                self.folder.path.mkdir(parents=True, exist_ok=True)
                text = "".join(traceback.format_exception(error))
                self.folder.error.write_text(text, errors=file_names.ANY)
            self._end(outcome)
        self._close("interrupted" if self.summary is None else "complete")
        return isinstance(error, Exception) and not isinstance(
            error, (TrialStoppedError, UserError)
        )

    def _end(self, outcome: Outcome) -> None:
        self._record.seconds = time.monotonic() - self._started
        self.summary = self._record.summary(*self._record.conclude(outcome))
        for tracker in self._trackers:
            tracker.trial_finished(self.summary)

    def _close(self, state: Literal["complete", "interrupted"]) -> None:
        for tracker in self._trackers:
            tracker.study_finished(state)
