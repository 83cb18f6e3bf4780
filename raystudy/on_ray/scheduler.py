"""Tune's trial scheduler: reports to the study and follows its decisions."""

import contextlib
from pathlib import Path
from typing import Any

import ray
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from raystudy.on_ray.exit_reasons import ExitReasons
from raystudy.on_ray.guard import Guard
from raystudy.on_ray.job import Job
from raystudy.on_ray.placement_groups import release_placement_group
from raystudy.storage import file_names
from raystudy.storage.folders import TrialFolder
from raystudy.study.trial_record import Outcome
from raystudy.trial.endings import DISK_FULL

LONGEST_ERROR = 4000  # characters


class StudyScheduler(FIFOScheduler):  # type: ignore[misc]
    """Pass results to the study, decisions to the trials.

    Parameters
    ----------
    study : Guard
    job : Job
        Trials of several workers are asked to end by their ``stop`` file instead of being ended:
        Ray leaks the workers' placement group when their driver is taken away.
    exit_reasons : ExitReasons
        Notes why processes died.
    """

    def __init__(self, study: Guard, job: Job, exit_reasons: ExitReasons) -> None:
        super().__init__()
        self._study = study
        self._job = job
        self._exit_reasons = exit_reasons
        self._trials: dict[int, Any] = {}

    def on_trial_add(self, controller: Any, trial: Any) -> None:
        """Remember a trial."""
        self._trials[trial.config["number"]] = trial

    def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Report an epoch to the study."""
        number = trial.config["number"]
        if self._study.report(number, result["epoch"], dict(result["metrics"])):
            return str(TrialScheduler.CONTINUE)
        if self._job.scaling.num_workers > 1:
            TrialFolder(Path(trial.config["folder"])).stop.touch()
            return str(TrialScheduler.CONTINUE)
        return str(TrialScheduler.STOP)

    def on_trial_error(self, controller: Any, trial: Any) -> None:
        """Clean up after a trial whose process died; it is tried again or has failed."""
        number, folder = trial.config["number"], TrialFolder(Path(trial.config["folder"]))
        message = Path(trial.error_file).read_text() if trial.error_file else ""
        self._exit_reasons.note(number, message)
        folder.host.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.path.mkdir(parents=True, exist_ok=True)
            with folder.error.open("x", errors=file_names.ANY) as file:
                file.write(message[:LONGEST_ERROR])
        release_placement_group(self._job.group_file(number))

    def cut(self) -> None:
        """End the processes of all trials at once.

        A graceful stop would last until their epoch ends, and Tune would wait for it.
        """
        for number, trial in self._trials.items():
            if trial.temporary_state.ray_actor is not None:
                ray.kill(trial.temporary_state.ray_actor)
            release_placement_group(self._job.group_file(number))

    def on_trial_complete(self, controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Report to the study how a trial ended."""
        number = trial.config["number"]
        del self._trials[number]
        kind, reason = result.get("outcome", "stopped"), result.get("reason", "")
        if kind == DISK_FULL:
            self._study.end(OSError(reason))
        else:
            self._study.finish(number, Outcome(kind, reason))

    def __getstate__(self) -> dict[str, Any]:
        """Leave the study out of Tune's snapshots, from which nothing is ever restored."""
        return {}
