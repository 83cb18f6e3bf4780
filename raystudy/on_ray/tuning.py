"""A study as one run of Ray Tune."""

from typing import Any

from ray import tune

from raystudy.errors import StudyStalledError
from raystudy.on_ray import worker
from raystudy.on_ray.capacity import Capacity
from raystudy.on_ray.exit_reasons import ExitReasons
from raystudy.on_ray.guard import Guard
from raystudy.on_ray.job import Job
from raystudy.on_ray.resources import selector
from raystudy.on_ray.scheduler import StudyScheduler
from raystudy.on_ray.searcher import StudySearcher
from raystudy.on_ray.watchdog import Watchdog
from raystudy.study.executor import TrialSource
from raystudy.study.study import Study

INTERRUPT_GRACE_S = 60.0
DRIVER_MEMORY = 300 * 2**20  # of a process that waits for a trial's workers


def run_with_tune(study: TrialSource, job: Job, capacity: Capacity) -> None:
    """Run a study's trials, as many at a time as there is room for.

    Raises
    ------
    StudyStalledError
        If no trial makes progress and no resource is free.
    Exception
        What the study itself raised.
    """
    if isinstance(study, Study):  # the study of a race knows already
        study.accelerators = job.scaling.num_workers * job.scaling.worker.get("GPU", 1)
    guard = Guard(study)
    exit_reasons = ExitReasons()
    searcher = StudySearcher(guard, capacity, exit_reasons)
    scheduler = StudyScheduler(guard, job, exit_reasons)
    watchdog = Watchdog(
        guard, job.scaling, searcher, capacity, cut=scheduler.cut, grace_s=INTERRUPT_GRACE_S
    )
    tuner = tune.Tuner(
        _trainable(job),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
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
    try:
        tuner.fit()
    except Exception as error:
        guard.end(error)
    if guard.error is not None:
        raise guard.error
    if watchdog.finding:
        raise StudyStalledError(f"study '{study.info.id}' was ended: {watchdog.finding}")


def _trainable(job: Job) -> Any:
    """Return what Tune runs, with what it reserves for it."""
    if job.scaling.num_workers > 1:
        # Its driver may wait on the head in any case, where no node that goes takes it along.
        bundle: dict[str, float] = {"memory": DRIVER_MEMORY}
        trial, labels = worker.several_workers(job), {}
    else:
        bundle, trial = dict(job.scaling.worker), worker.one_worker(job)
        labels = selector(job.scaling)
    selectors = {"bundle_label_selector": [labels]} if labels else {}
    return tune.with_resources(trial, tune.PlacementGroupFactory([bundle], **selectors))


def _name(trial: Any) -> str:
    return f"{trial.config['number']:04d}"
