"""Calibration of a plan: the cost of trials, from a few measured steps and the first trials."""

import dataclasses
import io
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from omegaconf import DictConfig
from safetensors.torch import save as safetensors_bytes

from raystudy.config import compose
from raystudy.config.scaling import Scaling, read_scaling
from raystudy.errors import UserError
from raystudy.search.search_space import SearchSpace
from raystudy.study.info import StudyInfo
from raystudy.trial.build import build_evaluators, build_trainer, load_splits
from raystudy.trial.info import TrialInfo
from trainables.data.image_set import Splits
from trainables.rehearsal import Rehearsal, rehearse
from trainables.trainer import Trainer

FIRST = 8  # trials that are looked at
EACH_S, ALL_S = 1.0, 6.0  # for rehearsing the trials after the recipe


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Bytes that a trial keeps: its checkpoint, and its best weights."""

    checkpoint: int
    weights: int


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What trials take.

    Parameters
    ----------
    rehearsals : sequence of Rehearsal
        Of trial 0, the recipe, and the trials after it.
    sizes : Sizes
    at_a_time : int, optional
        Trials; none where a cluster decides.
    plain_step_s : float, optional
        Of a step of the recipe that is not compiled, where trials are.
    slowness : float
        How much longer things take than they would on an idle machine: 1 if it is idle.
    """

    rehearsals: Sequence[Rehearsal]
    sizes: Sizes
    at_a_time: int | None
    plain_step_s: float | None = None
    slowness: float = 1.0


def first_trials(space: SearchSpace, info: StudyInfo, settings: DictConfig) -> list[TrialInfo]:
    """Return the first trials, as the sampler will draw them while it knows nothing."""
    from raystudy.study.study import Study

    with TemporaryDirectory() as folder:
        study = Study.open(
            dataclasses.replace(info, folder=Path(folder)),
            space,
            sampler=compose.plain(settings.sampler),
            trial_scheduler=compose.plain(settings.trial_scheduler),
            max_epochs=settings.max_epochs,
        )
        with study:
            trials = [study.next_trial() for _ in range(min(FIRST, info.spec.num_trials))]
            study.interrupted = True
    return [one for one in trials if one is not None]


def calibrate(settings: DictConfig, info: StudyInfo, trials: Sequence[TrialInfo]) -> Calibration:
    """Train the first trials for a few seconds each, and evaluate the recipe once.

    Parameters
    ----------
    settings : DictConfig
        Of the recipe.
    info : StudyInfo
    trials : sequence of TrialInfo
        The first of them runs the recipe.
    """
    scaling = read_scaling(settings)
    torch.set_num_threads(max(1, int(scaling.cpus_per_worker)))
    if not scaling.use_gpu:  # trials see none
        settings = settings.copy()
        settings.device = "cpu"
    splits = load_splits(settings)
    trainer = build_trainer(settings, splits)
    started, worked = time.perf_counter(), time.process_time()
    recipe = rehearse(trainer, build_evaluators(settings).values(), splits)
    rehearsals, start = [recipe], time.perf_counter()
    here_s = start - started - recipe.compile_s  # compiling is done by other processes
    slowness = here_s / max(time.process_time() - worked, 1e-3)
    for trial in trials[1:]:
        if time.perf_counter() - start > ALL_S:
            break
        rehearsals.append(_rehearsed(trial, info, recipe, settings.device))
    return Calibration(
        rehearsals=rehearsals,
        sizes=sizes_of(trainer),
        at_a_time=at_a_time(scaling),
        plain_step_s=_plain_step_s(settings, splits) if trainer.is_compiled else None,
        slowness=max(1.0, slowness),
    )


def _plain_step_s(settings: DictConfig, splits: Splits) -> float:
    settings = settings.copy()
    settings.trainer.compile = False
    return rehearse(build_trainer(settings, splits), [], splits, enough_s=EACH_S).step_s


def _rehearsed(trial: TrialInfo, info: StudyInfo, recipe: Rehearsal, device: str) -> Rehearsal:
    try:
        overrides = [*trial.overrides, f"device={device}"]
        settings = compose.load(info.name, overrides, info.search_path)
        splits = load_splits(settings)
        own = rehearse(build_trainer(settings, splits), [], splits, enough_s=EACH_S)
    except UserError:  # the trial will fail by it, and say so
        return recipe
    return dataclasses.replace(own, evaluation_s=recipe.evaluation_s)


def sizes_of(trainer: Trainer) -> Sizes:
    """Return how large a trial's files are; `trainer` is spent.

    An optimizer has its memory only after a step.
    """
    for group in trainer.optimizer.param_groups:
        for parameter in group["params"]:  # of those that move: no averaged copies
            parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    trainer.optimizer.step()
    state = io.BytesIO()
    torch.save(trainer.state_dict(), state)
    tensors = {
        key: value.detach().cpu().contiguous()
        for key, value in trainer.method.state_dict().items()
        if isinstance(value, torch.Tensor)
    }
    return Sizes(checkpoint=state.tell(), weights=len(safetensors_bytes(tensors)))


def size_of_trial(settings: DictConfig) -> Sizes:
    """Return how large the files of a trial of the recipe are, without training it."""
    return sizes_of(build_trainer(settings, load_splits(settings)))


def at_a_time(scaling: Scaling) -> int | None:
    """Return how many trials run at a time on this machine; None where a cluster decides."""
    if scaling.address is not None:
        return None
    there = {"CPU": float(scaling.num_cpus or len(os.sched_getaffinity(0)))}
    there["GPU"] = float(torch.cuda.device_count())
    workers = min(math.floor(there[name] / need + 1e-6) for name, need in scaling.worker.items())
    return max(1, min(workers // scaling.num_workers, scaling.max_concurrent or workers))
