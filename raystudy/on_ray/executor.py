"""Run a study's trials on Ray."""

import contextlib
import logging
import shutil
import warnings
from collections.abc import Iterator

from raystudy.config.scaling import Scaling
from raystudy.errors import StudyStalledError
from raystudy.on_ray.cluster import connected
from raystudy.on_ray.following import following
from raystudy.on_ray.head_failure import exit_on_head_failure
from raystudy.on_ray.job import Job, TrialFunction, load_and_run
from raystudy.storage import disk, file_names
from raystudy.storage.folders import StudyFolder
from raystudy.study.executor import TrialSource

LOCAL_HEAD_PATIENCE_S, HEAD_PATIENCE_S = 5, 45  # Ray's own is 60 s


class RayExecutor:
    """Ray Tune with the study as its searcher and scheduler.

    Parameters
    ----------
    scaling : Scaling
    run : callable, optional
        Runs one trial in a worker process, which must be able to import it.
    """

    def __init__(self, scaling: Scaling, run: TrialFunction = load_and_run) -> None:
        self._scaling = scaling
        self._run = run

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Keep one Ray for everything that is run within."""
        with _quiet(), connected(self._scaling):
            yield

    def run(self, study: TrialSource) -> None:
        """Return when every trial has a final state or the study is interrupted.

        Raises
        ------
        UserError
            If a trial needs resources that the cluster never has.
        StudyStalledError
            If no trial makes progress and no resource is free, or a disk is full.
        """
        folder = StudyFolder(study.info.folder)
        shutil.rmtree(folder.ray, ignore_errors=True)
        try:
            self._run_in(folder, study)
        except Exception as error:
            if not (shortage := disk.shortage(error)):
                raise
            raise StudyStalledError(
                disk.ending(folder.path, shortage, folder.command("resume"))
            ) from error
        finally:
            shutil.rmtree(folder.ray, ignore_errors=True)

    def _run_in(self, folder: StudyFolder, study: TrialSource) -> None:
        patience_s = HEAD_PATIENCE_S if self._scaling.address else LOCAL_HEAD_PATIENCE_S
        guarded = exit_on_head_failure(
            folder.command("resume"),
            patience_s=patience_s,
            interrupted=lambda: study.interrupted,
        )
        follow = following(self._scaling, folder)
        with _quiet(), connected(self._scaling), guarded, follow as capacity:
            # Only now: importing Tune takes seconds in which the trials' processes start, too.
            from raystudy.on_ray.tuning import run_with_tune

            run_with_tune(study, self._job(study, folder), capacity)

    def _job(self, study: TrialSource, folder: StudyFolder) -> Job:
        return Job(
            name=study.info.name,
            search_path=study.info.search_path,
            run=self._run,
            scaling=self._scaling,
            storage=file_names.reachable(folder.path.absolute()) / folder.ray.name,
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray's own messages off the console; the study prints what matters to a user."""
    loggers = [logging.getLogger(name) for name in ("ray", "ray.tune", "ray.train")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
