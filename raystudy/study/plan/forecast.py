"""Forecast of a study's cost: the study itself, on simulated values and a virtual clock."""

import math
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from omegaconf import DictConfig

from raystudy.config import compose
from raystudy.config.budget import Spent
from raystudy.config.scaling import read_scaling
from raystudy.config.spec import StudySpec
from raystudy.search.rungs import of_scheduler
from raystudy.search.search_space import SearchSpace
from raystudy.study.info import StudyInfo
from raystudy.study.inline import InlineExecutor, Report, VirtualClock
from raystudy.study.open_tracker import open_tracker
from raystudy.study.plan.calibration import Calibration, Sizes
from raystudy.study.study import Study
from raystudy.trial.info import TrialInfo
from trainables.rehearsal import Rehearsal

STARTUP_S = 10.0  # of Ray and the trials' processes, once, on an idle machine
TRIAL_S = 0.3  # of a trial of one worker, before and after its epochs
WORKERS_S = 15.0  # of a trial of several, whose processes start anew
REPEATS, ENOUGH_S = 9, 2.5  # of the made-up study
LOOKS = 24  # epochs of a trial at which the made-up study looks at it
TRIAL_BYTES, EPOCH_BYTES = 8 << 10, 2 << 10  # configuration; journal and spool
RANDOM = {"_target_": "optuna.samplers.RandomSampler"}


@dataclass(frozen=True, kw_only=True)
class Span:
    """A number that depends on which trials turn out well: its mean, least and most."""

    mean: float
    low: float
    high: float

    @classmethod
    def over(cls, values: Sequence[float]) -> "Span":
        """Return the span of values of made-up studies."""
        return cls(mean=statistics.fmean(values), low=min(values), high=max(values))


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a study will come to.

    Parameters
    ----------
    trials, complete : Span
        Started, and run to the last epoch.
    seconds : Span
        From start to end; of all trials one after another where a cluster decides.
    accelerator_hours, passes, images, flops : Span
        As budgets count them.
    disk : Span
        Bytes in the results folder.
    ends_by : str
        The budget that ends it, such as ``passes``; empty if all trials are run.
    """

    trials: Span
    complete: Span
    seconds: Span
    accelerator_hours: Span
    passes: Span
    images: Span
    flops: Span
    disk: Span
    ends_by: str


@dataclass(frozen=True, kw_only=True)
class _MadeUp:
    """One made-up study."""

    trials: int
    complete: int
    epochs: int
    seconds: float
    spent: Spent
    ends_by: str


def foresee(
    space: SearchSpace, info: StudyInfo, settings: DictConfig, calibration: Calibration
) -> Forecast:
    """Run the study on made-up values until the mean is known well enough."""
    start, studies = time.perf_counter(), []
    for seed in range(REPEATS):
        studies.append(_make_up(space, info, settings, calibration, seed))
        if time.perf_counter() - start > ENOUGH_S:
            break
    ends = [one.ends_by for one in studies]

    def span(value: Callable[[_MadeUp], float]) -> Span:
        return Span.over([value(one) for one in studies])

    sizes = calibration.sizes
    return Forecast(
        trials=span(lambda one: one.trials),
        complete=span(lambda one: one.complete),
        seconds=span(lambda one: one.seconds),
        accelerator_hours=span(lambda one: one.spent.accelerator_hours),
        passes=span(lambda one: one.spent.passes),
        images=span(lambda one: one.spent.images),
        flops=span(lambda one: one.spent.flops),
        disk=span(
            lambda one: (
                _bytes(settings, sizes, one.trials, one.complete, one.epochs)
                + _bytes_inside(settings, sizes, min(one.trials, calibration.at_a_time or 1))
            )
        ),
        ends_by=max(ends, key=ends.count),
    )


def most_bytes(settings: DictConfig, sizes: Sizes) -> float:
    """Return what a study writes if every trial is run to its end."""
    trials, at_a_time = settings.study.num_trials, read_scaling(settings).max_concurrent or 1
    kept = _bytes(settings, sizes, trials, trials, trials * settings.max_epochs)
    return kept + _bytes_inside(settings, sizes, min(trials, at_a_time))


def _bytes(settings: DictConfig, sizes: Sizes, trials: int, complete: int, epochs: int) -> float:
    weights = sizes.weights * len(StudySpec.read(settings.study).objectives)
    tracked = open_tracker(settings).bytes_on_disk(trials=trials, epochs=epochs, weights=weights)
    kept = complete * sizes.checkpoint + trials * (weights + TRIAL_BYTES)
    return kept + epochs * EPOCH_BYTES + tracked


def _bytes_inside(settings: DictConfig, sizes: Sizes, at_a_time: int) -> float:
    """Return what trials keep beside that until their epoch ends."""
    return at_a_time * sizes.checkpoint if settings.checkpoint_batches is not None else 0


def _make_up(
    space: SearchSpace,
    info: StudyInfo,
    settings: DictConfig,
    calibration: Calibration,
    seed: int,
) -> _MadeUp:
    clock, scaling, draw = VirtualClock(), read_scaling(settings), random.Random(seed)
    costs, looks = calibration.rehearsals, list(_looks(settings))

    def curves(trial: TrialInfo) -> Iterator[Report]:
        known = trial.number < len(costs)
        cost = costs[trial.number] if known else draw.choice(costs[1:] or costs)
        worth = {metric: draw.random() for metric in info.spec.metrics}
        start_s = calibration.slowness * (WORKERS_S if scaling.num_workers > 1 else TRIAL_S)
        return _curve(cost, looks, settings.evaluate_every, scaling.num_workers, worth, start_s)

    with TemporaryDirectory() as folder:
        alone = replace(info, folder=Path(folder), spec=replace(info.spec, warm_start=None))
        study = Study.open(
            alone,
            space,
            sampler=_sampler(settings, space),
            trial_scheduler=compose.plain(settings.trial_scheduler),
            max_epochs=settings.max_epochs,
            clock=clock,
        )
        study.accelerators = scaling.num_workers * scaling.worker.get("GPU", 1)
        clock.now = STARTUP_S * calibration.slowness
        with study:
            InlineExecutor(curves, workers=calibration.at_a_time or 1, clock=clock).run(study)
            ended, spent = study.summaries(), study.spent
    return _MadeUp(
        trials=len(ended),
        complete=sum(one.state == "complete" for one in ended),
        epochs=sum(one.epoch for one in ended),
        seconds=clock.now,
        spent=spent,
        ends_by=_limit(alone.spec, spent) if study.ended_early else "",
    )


def _sampler(settings: DictConfig, space: SearchSpace) -> Mapping[str, Any]:
    """Return what draws: only where all is drawn that there is does it matter which."""
    return RANDOM if space.size is None else compose.plain(settings.sampler)


def _limit(spec: StudySpec, spent: Spent) -> str:
    limits = spec.budget.limits
    reached = {name: getattr(spent, name) / limit for name, limit in limits.items()}
    return max(reached, key=lambda name: reached[name], default="")


def _looks(settings: DictConfig) -> Iterator[int]:
    """Yield the epochs at which anything can happen to a trial: rungs and a few evaluations."""
    every, last = settings.evaluate_every, settings.max_epochs
    apart = every * math.ceil(last / every / LOOKS)
    rungs = [every * math.ceil(rung / every) for rung in of_scheduler(settings)]
    looks = {*range(apart, last, apart), *(rung for rung in rungs if rung < last), last}
    yield from sorted(looks)


def _curve(
    cost: Rehearsal,
    looks: Sequence[int],
    every: int,
    workers: int,
    worth: Mapping[str, float],
    start_s: float,
) -> Iterator[Report]:
    before = 0
    for epoch in looks:
        evaluations = epoch // every - before // every
        if epoch == looks[-1] and epoch % every:
            evaluations += 1
        seconds = cost.seconds(epoch - before, evaluations) / workers
        constant = {
            "cost/forward_passes": epoch * cost.passes,
            "cost/images": epoch * cost.images,
            "cost/flops": epoch * cost.flops,
        }
        first_s = 0.0 if before else start_s + cost.compile_s
        yield Report(epoch, {**worth, **constant}, seconds + first_s)
        before = epoch
