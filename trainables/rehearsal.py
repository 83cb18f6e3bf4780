"""How long a trial will take, measured on a few of its steps."""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch

from trainables.data.image_set import ImageSet, Splits
from trainables.data.pack.pace import speed
from trainables.evaluate.base import Evaluator
from trainables.trainer import Trainer

LEAST_EPOCHS = 2
STEPS = 3  # of an epoch, after its first
FEW_IMAGES = 5000  # up to so many are evaluated whole, of more a tenth
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """What a trial costs.

    Parameters
    ----------
    preparation_s : float
        Before an epoch, such as clustering, on the average.
    first_s : float
        Of an epoch's first step, whose operations are counted.
    step_s : float
        Of another.
    steps : int
        Of an epoch.
    evaluation_s : float
        Of one evaluation.
    passes, images, flops : float
        Of an epoch on the average, as a trial reports them: images through encoders, forward and
        backward; images in batches; operations.
    compile_s : float
        Of compiling the encoders, once.
    speed : dict of str to float
        Of images that are read while they are trained on, how many a second.
    """

    preparation_s: float
    first_s: float
    step_s: float
    steps: int
    evaluation_s: float
    passes: float
    images: float = 0.0
    flops: float = 0.0
    compile_s: float = 0.0
    speed: dict[str, float] = field(default_factory=dict)

    @property
    def epoch_s(self) -> float:
        """Seconds of an epoch without its evaluation."""
        return self.preparation_s + self.first_s + (self.steps - 1) * self.step_s

    def seconds(self, epochs: int, evaluations: int) -> float:
        """Return the seconds of a whole trial."""
        return epochs * self.epoch_s + evaluations * self.evaluation_s


@dataclass
class _Epochs:
    """What was measured of some epochs."""

    preparations: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    costs: list[dict[str, float]] = field(default_factory=list)
    steps: int = 0
    compile_s: float = 0.0
    taken_s: float = 0.0  # by the steps after each epoch's first
    waited_s: float | None = None


def rehearse(
    trainer: Trainer, evaluators: Iterable[Evaluator], splits: Splits, *, enough_s: float = 3.0
) -> Rehearsal:
    """Train a few steps of epochs all over the training, and evaluate once; the trainer is spent.

    Parameters
    ----------
    trainer : Trainer
        Nobody trains with it afterwards.
    evaluators : iterable of Evaluator
    splits : Splits
    enough_s : float
        Seconds after which no further epoch is tried.
    """
    start, measured = time.perf_counter(), _Epochs()
    for epoch in evenly_ordered(trainer.max_epochs):
        trainer.epoch = epoch
        _try(trainer, measured)
        enough = time.perf_counter() - start > enough_s
        if enough and len(measured.costs) >= LEAST_EPOCHS:
            break
    mean = {
        name: sum(cost[name] for cost in measured.costs) / len(measured.costs)
        for name in measured.costs[0]
    }
    # The very first step of all allocates; where an epoch is one step, there is no other.
    firsts = measured.firsts[1:] or measured.firsts
    return Rehearsal(
        preparation_s=_mean(measured.preparations),
        first_s=_mean(firsts),
        step_s=_mean(measured.others or firsts),
        steps=trainer.steps_per_epoch,
        evaluation_s=_evaluation_seconds(trainer, evaluators, splits),
        passes=mean["cost/forward_passes"] + mean["cost/backward_passes"],
        images=mean["cost/images"],
        flops=mean["cost/flops"],
        compile_s=measured.compile_s,
        speed=_speed(measured, mean["cost/images"] / trainer.steps_per_epoch),
    )


def evenly_ordered(count: int) -> Iterator[int]:
    """Yield 0 to `count` - 1, each once, in an order whose beginnings cover all of them evenly."""
    yielded: set[int] = set()
    for turn in range(1, 50 * count):
        number = int(count * (turn * GOLDEN % 1))
        if number not in yielded:
            yielded.add(number)
            yield number
        if len(yielded) == count:
            return


def _try(trainer: Trainer, measured: _Epochs) -> None:
    """Prepare an epoch and take its first steps."""
    before = trainer.cost()
    trial = trainer.trial_run()
    measured.preparations.append(next(trial))
    prepared = trainer.cost()
    measured.firsts.append(next(trial))
    stepped = trainer.cost()
    waited_s = trainer.waited_s
    others = [seconds for _, seconds in zip(range(STEPS), trial, strict=False)]
    measured.taken_s += sum(others)
    measured.steps += len(others)
    if waited_s is not None:
        measured.waited_s = (measured.waited_s or 0.0) + (trainer.waited_s or 0.0) - waited_s
    if others:
        measured.others.append(sorted(others)[len(others) // 2])
        if trainer.is_compiled:  # in the first of them, if it is new
            measured.compile_s += max(0.0, others[0] - measured.others[-1])
    steps = trainer.steps_per_epoch
    measured.costs.append(
        {
            name: prepared[name] - before[name] + steps * (stepped[name] - prepared[name])
            for name in before
        }
    )


def _speed(measured: _Epochs, images_per_step: float) -> dict[str, float]:
    if measured.waited_s is None or not measured.others:
        return {}
    images = round(images_per_step * measured.steps)
    return speed(images, measured.taken_s, measured.waited_s)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _evaluation_seconds(trainer: Trainer, evaluators: Iterable[Evaluator], splits: Splits) -> float:
    share = 1.0 if len(splits.train) <= FEW_IMAGES else 0.1
    part = Splits(
        _first(splits.train, share), _first(splits.val, share), splits.test, splits.classes
    )
    started = time.perf_counter()
    with trainer.arithmetic():
        for evaluate in evaluators:
            evaluate(trainer.method, part)
    if trainer.device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / share


def _first(images: ImageSet, share: float) -> ImageSet:
    labelled = images.labelled
    return labelled if share == 1 else labelled.rows(slice(int(share * len(labelled))))
