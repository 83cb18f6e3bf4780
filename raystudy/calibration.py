"""What a study will take, from a few measured steps of the published recipe."""

import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from raystudy import config
from raystudy.on_ray.scaling import Scaling
from raystudy.plan import read_scaling
from raystudy.report.rungs import of_scheduler
from raystudy.search_space import SearchSpace
from raystudy.spec import StudySpec
from raystudy.trackers.base import StudyInfo
from raystudy.trial import build_evaluators, build_trainer, load_splits
from trainables.rehearsal import Rehearsal, rehearse

SHOWN = 4  # of the first trials
STARTUP_S = 8.0  # of Ray and the trials' processes, once
RESUME_SHARE = 2  # last.ckpt and its successor while that is written


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What a trial takes.

    Parameters
    ----------
    rehearsal : Rehearsal
    checkpoint_bytes : int
    at_a_time : int, optional
        Trials; none where a cluster decides.
    """

    rehearsal: Rehearsal
    checkpoint_bytes: int
    at_a_time: int | None


def calibrate(settings: DictConfig) -> Calibration:
    """Train and evaluate the published recipe for a few seconds, as a trial would."""
    scaling = read_scaling(settings)
    torch.set_num_threads(max(1, int(scaling.cpus_per_worker)))
    splits = load_splits(settings)
    trainer = build_trainer(settings, splits)
    state = io.BytesIO()
    torch.save(trainer.state_dict(), state)
    rehearsal = rehearse(trainer, build_evaluators(settings).values(), splits)
    optimizer_too = io.BytesIO()
    torch.save(trainer.state_dict(), optimizer_too)  # momenta are there after the first step
    return Calibration(
        rehearsal=rehearsal,
        checkpoint_bytes=max(state.tell(), optimizer_too.tell()),
        at_a_time=_at_a_time(scaling),
    )


def first_configurations(space: SearchSpace, info: StudyInfo, settings: DictConfig) -> list[str]:
    """Return the first trials' settings, as the sampler will draw them while it knows nothing."""
    from raystudy.study import Study

    with TemporaryDirectory() as folder:
        study = Study.open(
            replace(info, folder=Path(folder)),
            space,
            sampler=config.plain(settings.sampler),
            trial_scheduler=config.plain(settings.trial_scheduler),
            max_epochs=settings.max_epochs,
        )
        with study:
            trials = [study.next_trial() for _ in range(min(SHOWN, info.spec.num_trials))]
            study.interrupted = True
    return [
        "  ".join(f"{path.rpartition('.')[2]}={_word(value)}" for path, value in one.params.items())
        for one in trials
        if one is not None
    ]


def _word(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _at_a_time(scaling: Scaling) -> int | None:
    if scaling.address is not None:
        return None
    there = {"CPU": float(scaling.num_cpus or len(os.sched_getaffinity(0)))}
    there["GPU"] = float(torch.cuda.device_count())
    workers = min(math.floor(there[name] / need + 1e-6) for name, need in scaling.worker.items())
    return max(1, min(workers // scaling.num_workers, scaling.max_concurrent or workers))


def show(
    console: Console,
    calibration: Calibration,
    settings: DictConfig,
    space: SearchSpace,
    first: Sequence[str] = (),
) -> None:
    """Print hours, passes, disk and the first trials, and where the numbers are from."""
    spec, rehearsal = StudySpec.read(settings.study), calibration.rehearsal
    trials, epochs = spec.num_trials, settings.max_epochs
    if space.size is not None:
        trials = min(trials, space.size)
    evaluations = math.ceil(epochs / settings.evaluate_every)
    each = rehearsal.seconds(epochs, evaluations) / read_scaling(settings).num_workers
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(
        "measured",
        f"{rehearsal.step_s:.3g} s a step, {rehearsal.steps} steps an epoch, "
        f"{rehearsal.preparation_s:.2g} s to prepare it, {rehearsal.evaluation_s:.2g} s to "
        f"evaluate it",
    )
    table.add_row("a trial", f"{_duration(each)} for {epochs} epochs")
    table.add_row("all trials", _whole(calibration, trials, each))
    if rungs := of_scheduler(settings):
        table.add_row("rungs", f"epoch {', '.join(map(str, rungs))}: who is behind there ends")
    passes = trials * epochs * rehearsal.passes
    table.add_row("passes", f"at most {passes:.3g} images through encoders, there and back")
    disk = trials * RESUME_SHARE * calibration.checkpoint_bytes
    table.add_row("disk", f"at most {disk / 2**20:.0f} MiB of checkpoints")
    for number, words in enumerate(first):
        table.add_row(f"trial {number}", words)
    console.print(table)
    console.print(
        "[dim]measured on the recipe, one trial alone; trials that end early take less, those "
        "with dearer settings more[/dim]"
    )


def _whole(calibration: Calibration, trials: int, each: float) -> str:
    if calibration.at_a_time is None:
        whole = _duration(trials * each)
        return f"at most {whole} one after another; the cluster says how many run at a time"
    waves = math.ceil(trials / calibration.at_a_time)
    return f"at most {_duration(STARTUP_S + waves * each)}, {calibration.at_a_time} at a time"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"
