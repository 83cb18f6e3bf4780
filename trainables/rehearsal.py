"""How long a trial will take, measured on a few of its steps."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from trainables.data.image_set import ImageSet, Splits
from trainables.evaluate.base import Evaluator
from trainables.trainer import Trainer

ENOUGH_S = 2.0  # of timed steps
LEAST_STEPS = 3
FEW_IMAGES = 5000  # up to so many are evaluated whole, of more a tenth


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """What a trial costs.

    Parameters
    ----------
    preparation_s : float
        Before each epoch, such as clustering.
    step_s : float
    steps : int
        Of an epoch.
    evaluation_s : float
        Of one evaluation.
    passes : float
        Of an epoch: images through encoders, forward and backward.
    """

    preparation_s: float
    step_s: float
    steps: int
    evaluation_s: float
    passes: float

    def seconds(self, epochs: int, evaluations: int) -> float:
        """Return the seconds of a whole trial."""
        epoch = self.preparation_s + self.steps * self.step_s
        return epochs * epoch + evaluations * self.evaluation_s


def rehearse(trainer: Trainer, evaluators: Iterable[Evaluator], splits: Splits) -> Rehearsal:
    """Train a few steps from the middle of training, and evaluate once; the trainer is spent.

    Parameters
    ----------
    trainer : Trainer
        Nobody trains with it afterwards.
    evaluators : iterable of Evaluator
    splits : Splits
    """
    trainer.epoch = trainer.max_epochs // 2  # behind warm-ups, which many methods have
    trial = trainer.trial_run()
    preparation_s = next(trial)
    prepared = _passes(trainer)
    times: list[float] = []
    for number, seconds in enumerate(trial):
        if number:  # the first step allocates
            times.append(seconds)
        if sum(times) > ENOUGH_S and len(times) >= LEAST_STEPS:
            break
    steps, timed = trainer.steps_per_epoch, sorted(times or [0.0])
    of_a_step = (_passes(trainer) - prepared) / max(1.0, trainer.cost()["cost/updates"])
    return Rehearsal(
        preparation_s=preparation_s,
        step_s=timed[len(timed) // 2],
        steps=steps,
        evaluation_s=_evaluation_seconds(trainer, evaluators, splits),
        passes=prepared + steps * of_a_step,
    )


def _passes(trainer: Trainer) -> float:
    cost = trainer.cost()
    return cost["cost/forward_passes"] + cost["cost/backward_passes"]


def _evaluation_seconds(trainer: Trainer, evaluators: Iterable[Evaluator], splits: Splits) -> float:
    share = 1.0 if len(splits.train) <= FEW_IMAGES else 0.1
    part = Splits(
        _first(splits.train, share), _first(splits.val, share), splits.test, splits.classes
    )
    started = time.perf_counter()
    for evaluate in evaluators:
        evaluate(trainer.method, part)
    if trainer.device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / share


def _first(images: ImageSet, share: float) -> ImageSet:
    labelled = images.labelled
    return labelled if share == 1 else labelled.rows(slice(int(share * len(labelled))))
