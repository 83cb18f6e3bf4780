"""Run a study's trials in this process, one after another: small ones, for which Ray is slow."""

import traceback
from collections.abc import Callable, Sequence

import torch

from raystudy.errors import TrialStoppedError
from raystudy.storage import disk, file_names
from raystudy.storage.folders import TrialFolder
from raystudy.study.executor import TrialSource
from raystudy.study.trial_record import Outcome
from raystudy.trial.endings import ending_of
from raystudy.trial.info import Metrics, TrialInfo
from raystudy.trial.session import Session

TrialFunction = Callable[[str, Sequence[str], Sequence[str], Session], None]


class ProcessExecutor:
    """Runs each trial to its end before the next starts.

    Parameters
    ----------
    run : callable
        Runs one trial.
    threads : int
        Of torch's: the last digits of a sum depend on their number.
    """

    def __init__(self, run: TrialFunction, *, threads: int = 1) -> None:
        self._run = run
        self._threads = threads

    def run(self, study: TrialSource) -> None:
        """See `Executor.run`."""
        torch.set_num_threads(self._threads)
        while not study.interrupted and (trial := study.next_trial()) is not None:
            study.finish(trial.number, self._outcome(study, trial))

    def _outcome(self, study: TrialSource, trial: TrialInfo) -> Outcome:
        session = _Session(study, trial)
        session.folder.path.mkdir(parents=True, exist_ok=True)
        try:
            name = trial.name or study.info.name
            self._run(name, trial.overrides, study.info.search_path, session)
        except TrialStoppedError:
            return Outcome("stopped")
        except Exception as error:
            if disk.shortage(error):
                raise
            if (outcome := Outcome(*ending_of(error))).kind == "failed":
                text = traceback.format_exc()
                session.folder.error.write_text(text, errors=file_names.ANY)
            return outcome
        return Outcome("completed")


class _Session:
    """Passes reports on to the study."""

    def __init__(self, study: TrialSource, trial: TrialInfo) -> None:
        self.folder = TrialFolder(trial.folder)
        self._study = study
        self._number = trial.number

    def report(self, epoch: int, metrics: Metrics) -> None:
        """See `Session.report`."""
        if not self._study.report(self._number, epoch, metrics) or self._study.interrupted:
            raise TrialStoppedError
