"""The parts of a trial, built from its configuration."""

import functools
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from raystudy.errors import UserError
from trainables.data.annotated.images import DATA_OF, AnnotatedData, AnnotatedSplits
from trainables.data.image_set import Splits
from trainables.data.splitting import refuse_one_class
from trainables.evaluate.base import Evaluator
from trainables.methods.base import Method
from trainables.networks.encoder import Encoder
from trainables.protocols.downstream.base import DownstreamTask
from trainables.random_state import seed_everything
from trainables.suite.suite import Suite
from trainables.trainer import Trainer


def build_trainer(config: DictConfig, splits: Splits) -> Trainer:
    """Seed every random stream and build what trains."""
    method = build_method(config)
    if config.checkpoint_batches is not None and config.checkpoint_batches < 1:
        raise UserError(
            f"checkpoint_batches must be at least 1, or null, got {config.checkpoint_batches}."
        )
    with _settings_at_fault():
        return Trainer(
            method=method,
            optimizer=_build(config.optimizer),
            lr_schedule=_build(config.lr_schedule),
            train=splits.train,
            batches=_build(config.batches)(splits.train),
            max_epochs=config.max_epochs,
            options=_build(config.trainer),
        )


def build_method(config: DictConfig) -> Method:
    """Seed every random stream and build an untrained method."""
    with _settings_at_fault():
        seed_everything(config.seed)
        method: Method = _build(config.method)
    return method


def build_encoder(config: DictConfig) -> Encoder:
    """Build an untrained encoder."""
    with _settings_at_fault():
        encoder: Encoder = _build(config.encoder)
    return encoder


def build_evaluators(config: DictConfig) -> dict[str, Evaluator]:
    """Build what measures a method after an epoch."""
    if config.evaluate_every < 1:
        raise UserError(f"evaluate_every must be at least 1 epoch, got {config.evaluate_every}.")
    with _settings_at_fault():
        evaluators: dict[str, Evaluator] = _build(config.evaluate)
    return evaluators


def build_suite(config: DictConfig) -> Suite:
    """Build what a trained network is measured by."""
    with _settings_at_fault():
        suite: Suite = _build(config.suite)
    return suite


def build_downstream(config: DictConfig, name: str) -> DownstreamTask:
    """Build the downstream task that `name`, an option of `protocol`, stands for."""
    with _settings_at_fault():
        protocol: DownstreamTask = _build(config.protocol)
    if not isinstance(protocol, DownstreamTask):
        raise UserError(
            f"protocol={name} makes a classifier, which a suite measures; choose suite=NAME "
            f"('raystudy list' shows the suites)."
        )
    return protocol


def load_annotated(config: DictConfig, task: str) -> AnnotatedSplits:
    """Return what is annotated for a downstream task in the images of ``data``."""
    recipe = OmegaConf.to_container(config.data.splits, resolve=True)
    with _settings_at_fault():
        data = _build(recipe)
        if not isinstance(data, AnnotatedData):
            raise ValueError(
                f"data={config.data.name} has no annotated {task}; choose data={DATA_OF[task]} and "
                f"data.root=FOLDER."
            )
        splits: AnnotatedSplits = data.of(task)
    return splits


def load_splits(config: DictConfig) -> Splits:
    """Return the data set on the trial's device, from this process's memory if it is there."""
    recipe = OmegaConf.to_container(config.data.splits, resolve=True)
    with _settings_at_fault():
        device = pick_device(config.device)
        places = [config.data.splits.get(name) for name in ("root", "class_list", "corrupted")]
        splits = _splits(json.dumps(recipe, sort_keys=True), device, _files_in(places))
    if OmegaConf.is_missing(config.data, "num_classes"):  # of a data set of the user's own
        config.data.num_classes = splits.num_classes
    found = {"num_classes": splits.num_classes, "channels": splits.train.images.shape[1]}
    for name, number in found.items():
        if name in config.data and config.data[name] != number:
            raise UserError(
                f"data.{name} must be {number}, as the images of data={config.data.name} have, "
                f"got {config.data[name]}."
            )
    return splits


@functools.lru_cache(maxsize=1)  # a warm worker's next trial has the same data
def _splits(recipe: str, device: str, _files: str) -> Splits:
    splits: Splits | AnnotatedData = _build(json.loads(recipe))
    if isinstance(splits, AnnotatedData):
        raise ValueError(
            f"data={splits.name} is for downstream tasks, not for training: each of its images "
            f"has {' and '.join(splits.tasks)}, not one class; measure a trained encoder on it "
            f"with 'raystudy evaluate RUN protocol=NAME data={splits.name}'."
        )
    refuse_one_class(splits)
    return splits.to(device)


def _files_in(places: Sequence[str | None]) -> str:
    """Return what is another one once a file there, or below, came, went or changed."""
    digest = hashlib.sha256()
    for path in (Path(place).expanduser() for place in places if place):
        for file in [path] if path.is_file() else _files_below(path):
            with suppress(OSError):  # a link that leads nowhere
                stat = file.stat()
                digest.update(ascii((str(file), stat.st_size, stat.st_mtime_ns)).encode())
    return digest.hexdigest()


def _files_below(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(files))


def _build(node: Any) -> Any:
    return instantiate(node, _convert_="all")


@contextmanager
def _settings_at_fault() -> Iterator[None]:
    """Turn what a constructor says of a value it refuses into a sentence for the user."""
    try:
        yield
    except (InstantiationException, ValueError, OSError) as error:
        cause: BaseException = error
        while isinstance(cause, InstantiationException) and cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, (ValueError, OSError, TypeError)):
            raise UserError(" ".join(str(cause).split())) from error
        raise


def pick_device(setting: str) -> str:
    """Return the device that `auto` stands for, or the one given."""
    if setting not in ("auto", "cpu", "cuda"):
        raise UserError(f"device must be auto, cpu or cuda, got '{setting}'.")
    if setting == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if setting == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda, but torch sees no GPU here; use device=auto or device=cpu.")
    return setting
