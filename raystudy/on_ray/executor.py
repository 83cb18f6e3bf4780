"""Run a study's trials on Ray."""

import contextlib
import logging
import shutil
import warnings
from collections.abc import Iterator
from typing import Any

from ray import tune

from raystudy.errors import StudyStalledError
from raystudy.on_ray import trainables
from raystudy.on_ray.cluster import connected
from raystudy.on_ray.resources import concurrency, growth_limit, node_totals
from raystudy.on_ray.scaling import Scaling
from raystudy.on_ray.scheduler import StudyScheduler
from raystudy.on_ray.searcher import StudySearcher
from raystudy.on_ray.trainables import Job, TrialFunction
from raystudy.on_ray.watchdog import Watchdog
from raystudy.study import Study
from raystudy.study_folder import StudyFolder

INTERRUPT_GRACE_S = 60.0
DRIVER_MEMORY = 300 * 2**20  # of a process that waits for a trial's workers


class RayExecutor:
    """Ray Tune with the study as its searcher and scheduler.

    Parameters
    ----------
    scaling : Scaling
    run : callable, optional
        Runs one trial in a worker process, which must be able to import it.
    """

    def __init__(self, scaling: Scaling, run: TrialFunction = trainables.load_and_run) -> None:
        self._scaling = scaling
        self._run = run

    def run(self, study: Study) -> None:
        """Return when every trial has a final state or the study is interrupted.

        Raises
        ------
        UserError
            If a trial needs what is not there and never will be.
        StudyStalledError
            If nothing moves and nothing is free.
        """
        folder = StudyFolder(study.info.folder)
        shutil.rmtree(folder.ray, ignore_errors=True)
        with _quiet(), connected(self._scaling):
            at_a_time = concurrency(self._scaling, node_totals(), growth_limit())
            self._tune(study, self._job(study, folder), at_a_time)
        shutil.rmtree(folder.ray, ignore_errors=True)

    def _job(self, study: Study, folder: StudyFolder) -> Job:
        return Job(
            name=study.info.name,
            search_path=study.info.search_path,
            run=self._run,
            scaling=self._scaling,
            storage=folder.ray.absolute(),
        )

    def _tune(self, study: Study, job: Job, at_a_time: int) -> None:
        searcher = StudySearcher(study, at_a_time)
        watchdog = Watchdog(study, self._scaling, searcher, grace_s=INTERRUPT_GRACE_S)
        tuner = tune.Tuner(
            _trainable(job),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=StudyScheduler(study, job),
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=_name,
                trial_dirname_creator=_name,
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=str(job.storage),
                stop=watchdog,
                failure_config=tune.FailureConfig(max_failures=study.info.spec.max_failures),
                verbose=0,
            ),
        )
        tuner.fit()
        if watchdog.finding:
            raise StudyStalledError(f"study '{study.info.id}' was ended: {watchdog.finding}")


def _trainable(job: Job) -> Any:
    """Return what Tune runs, with what it reserves for it."""
    if job.scaling.num_workers > 1:
        bundle: dict[str, float] = {"memory": DRIVER_MEMORY}
        trial = trainables.several_workers(job)
    else:
        bundle, trial = dict(job.scaling.worker), trainables.one_worker(job)
    return tune.with_resources(trial, tune.PlacementGroupFactory([bundle]))


def _name(trial: Any) -> str:
    return f"{trial.config['number']:04d}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray's own words off the console; what matters to a user is said by the study."""
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
