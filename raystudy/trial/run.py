"""One trial, from a configuration to reported epochs."""

from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from raystudy.config.spec import StudySpec
from raystudy.storage.checkpoint import TrialCheckpoint
from raystudy.storage.folders import StudyFolder, TrialFolder, write_atomically
from raystudy.trial import best_weights, images
from raystudy.trial.best_weights import BestWeights
from raystudy.trial.build import build_evaluators, build_trainer, load_splits
from raystudy.trial.info import Metrics
from raystudy.trial.machine import measures_of, watching
from raystudy.trial.session import Session
from trainables import distributed
from trainables.data.image_set import Splits
from trainables.memory import keep_freed_memory
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
    left = _left(session.folder)
    if left is not None:
        trainer.load_state_dict(left.trainer)
        best.state = left.best
        if trainer.epoch:
            session.report(trainer.epoch, left.metrics)
    with watching(trainer.device, left.machine if left else {}) as machine:
        metrics = left.metrics if left else {}
        for result in trainer.stretches(config.checkpoint_batches):
            if result is None:
                _keep(session.folder.inner_checkpoint, trainer, metrics, best, machine.state())
                continue
            metrics = {**result.metrics, **result.speed, "time/epoch_seconds": result.seconds}
            if _is_evaluated(result, config):
                with trainer.arithmetic():
                    for evaluate in evaluators.values():
                        metrics |= evaluate(trainer.method, splits)
            machine.wait(result.waited)
            used = machine.state()
            metrics |= measures_of(used)
            improved = best.improved(result.epoch, metrics)
            if distributed.rank() == 0:
                best_weights.save(trainer.method, improved)
            _keep(session.folder.last_checkpoint, trainer, metrics, best, used)
            if distributed.rank() == 0:
                session.folder.inner_checkpoint.unlink(missing_ok=True)
            session.report(result.epoch, metrics)


def _left(folder: TrialFolder) -> TrialCheckpoint | None:
    """Return what a trial continues from: after its last epoch, or inside the next one."""
    found = [
        TrialCheckpoint.load(path)
        for path in (folder.last_checkpoint, folder.inner_checkpoint)
        if path.exists()
    ]
    return max(found, key=lambda one: (one.epoch, one.is_inside), default=None)


def _keep(
    path: Path,
    trainer: Trainer,
    metrics: Metrics,
    best: BestWeights,
    used: Mapping[str, float],
) -> None:
    if distributed.rank() == 0:
        state = trainer.state_dict()
        kept = TrialCheckpoint(trainer=state, metrics=metrics, best=best.state, machine=used)
        kept.save(path)


def _is_evaluated(result: EpochResult, config: DictConfig) -> bool:
    return bool(result.epoch % config.evaluate_every == 0 or result.epoch == config.max_epochs)


def refuse_other_images(folder: TrialFolder, config: DictConfig, splits: Splits) -> None:
    """Refuse to run a trial on other images than its study's: another node's folder may differ."""
    study = StudyFolder(folder.path.parent.parent)
    if (study.path / "study.json").is_file():
        images.refuse_others(study, study.read_manifest(), config, splits)
