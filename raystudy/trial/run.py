"""One trial: the straight line from a configuration to reported epochs."""

import functools
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from raystudy.config.spec import StudySpec
from raystudy.errors import UserError
from raystudy.storage import checkpoint
from raystudy.storage.folders import StudyFolder, TrialFolder, write_atomically
from raystudy.trial import best_weights, images
from raystudy.trial.best_weights import BestWeights
from raystudy.trial.session import Session
from trainables import distributed
from trainables.data.image_set import Splits
from trainables.data.splitting import refuse_one_class
from trainables.evaluate.base import Evaluator
from trainables.evaluate.suite import Suite
from trainables.memory import keep_freed_memory
from trainables.methods.base import Method
from trainables.networks.encoder import Encoder
from trainables.random_state import seed_everything
from trainables.trainer import EpochResult, Trainer


def run_trial(config: DictConfig, session: Session) -> None:
    """Train, evaluate and report epoch by epoch, from the last checkpoint if there is one.

    Every rank of a trial calls this. The checkpoint of an epoch is written before the epoch is
    reported and carries its metrics, so that a trial killed in between loses nothing.

    Raises
    ------
    TrainingDivergedError
        If a training measure is not finite.
    TrainingCollapsedError
        From an evaluator, whose epoch then leaves no checkpoint: the last good one stays.
    TrialStoppedError
        From ``session.report``, if the trial shall end early.
    UserError
        If a setting does not fit what is there.
    """
    keep_freed_memory()
    splits = load_splits(config)
    refuse_other_images(session.folder, config, splits)
    trainer = build_trainer(config, splits)
    evaluators = build_evaluators(config)
    best = BestWeights(StudySpec.read(config.study), session.folder.path)
    if distributed.rank() == 0:
        session.folder.path.mkdir(parents=True, exist_ok=True)
        write_atomically(session.folder.config, OmegaConf.to_yaml(config, resolve=True))
    if session.folder.last_checkpoint.exists():
        state = checkpoint.load(session.folder.last_checkpoint)
        trainer.load_state_dict(state["trainer"])
        best.state = state["best"]
        session.report(trainer.epoch, state["metrics"])
    for result in trainer.epochs():
        metrics = {**result.metrics, "time/epoch_seconds": result.seconds}
        if _is_evaluated(result, config):
            for evaluate in evaluators.values():
                metrics |= evaluate(trainer.method, splits)
        improved = best.improved(result.epoch, metrics)
        if distributed.rank() == 0:
            best_weights.save(trainer.method, improved)
            state = {"trainer": trainer.state_dict(), "metrics": metrics, "best": best.state}
            checkpoint.save(state, session.folder.last_checkpoint)
        session.report(result.epoch, metrics)


def _is_evaluated(result: EpochResult, config: DictConfig) -> bool:
    return bool(result.epoch % config.evaluate_every == 0 or result.epoch == config.max_epochs)


def build_trainer(config: DictConfig, splits: Splits) -> Trainer:
    """Seed every random stream and build what trains."""
    method = build_method(config)
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


def load_splits(config: DictConfig) -> Splits:
    """Return the data set on the trial's device, from this process's memory if it is there."""
    recipe = OmegaConf.to_container(config.data.splits, resolve=True)
    with _settings_at_fault():
        device, root = pick_device(config.device), config.data.splits.get("root")
        splits = _splits(json.dumps(recipe, sort_keys=True), device, _files_in(root))
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


def refuse_other_images(folder: TrialFolder, config: DictConfig, splits: Splits) -> None:
    """Refuse to run a trial on other images than its study's: another node's folder may differ."""
    study = StudyFolder(folder.path.parent.parent)
    if (study.path / "study.json").is_file():
        images.refuse_others(study, study.read_manifest(), config, splits)


@functools.lru_cache(maxsize=1)  # a warm worker's next trial has the same data
def _splits(recipe: str, device: str, _files: str) -> Splits:
    splits: Splits = _build(json.loads(recipe))
    refuse_one_class(splits)
    return splits.to(device)


def _files_in(root: str | None) -> str:
    """Return what is another one once a file under `root` came, went or changed."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(Path(root).expanduser()) if root else ():
        folders.sort()
        for name in sorted(files):
            with suppress(OSError):  # a link that leads nowhere
                stat = Path(folder, name).stat()
                digest.update(ascii((folder, name, stat.st_size, stat.st_mtime_ns)).encode())
    return digest.hexdigest()


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
