"""Training as a generator of epochs."""

import functools
import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from trainables import random_state
from trainables.batch import Batch
from trainables.compilation import CompiledStep, CompileMode, refuse_mode
from trainables.cost import Cost
from trainables.data.batches import Batches
from trainables.data.image_set import ImageSet
from trainables.data.pack.images import PackedImages
from trainables.memory import ones_like
from trainables.methods.base import Method
from trainables.optim.rates import rates, refuse_momentum_too_small, set_rates
from trainables.optim.schedules import Schedule
from trainables.part_of_epoch import PartOfEpoch
from trainables.precision import Precision, arithmetic, refuse_unknown
from trainables.preparation import (
    OptimizerFactory,
    build_optimizer,
    prepare,
    spare_dynamo,
    training_step,
)
from trainables.progress import Progress
from trainables.ranges import refuse_not_above_zero


class TrainingDivergedError(Exception):
    """A logged scalar became NaN or infinite."""


class TrainingCollapsedError(Exception):
    """Adversarial training overfitted to its own attack and lost its robustness."""


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """What one epoch came to.

    Parameters
    ----------
    epoch : int
        Epochs finished, from 1.
    metrics : dict of str to float
        Means over the epoch's steps and over all ranks, named ``train/...``, and what training
        cost so far, named ``cost/...``.
    seconds : float
        Wall-clock time of the epoch.
    waited : float
        Seconds of it in which the next images were waited for.
    speed : dict of str to float
        What else depends on the machine: how many images a second.
    """

    epoch: int
    metrics: dict[str, float]
    seconds: float
    waited: float = 0.0
    speed: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrainerOptions:
    """How the arithmetic is done; methods do not know of it.

    Parameters
    ----------
    precision : {"float32", "bfloat16"}
        ``bfloat16`` runs forwards under autocast; weights stay float32, and so do the verdicts of
        evaluators.
    channels_last : bool
        Memory format of images and convolutions.
    compile : bool
        Compile encoders, augmentation and losses for training steps with ``torch.compile``.
    compile_backend, compile_mode : str
        Of ``torch.compile``; ``reduce-overhead`` and ``max-autotune`` make CUDA graphs of them.
    clip_grad_norm : float, optional
        Largest l2 norm of the whole gradient.
    """

    precision: Precision = "float32"
    channels_last: bool = False
    compile: bool = False
    compile_backend: str = "inductor"
    compile_mode: CompileMode = "default"
    clip_grad_norm: float | None = None

    def __post_init__(self) -> None:
        refuse_unknown("trainer.precision", self.precision)
        refuse_mode(self.compile_backend, self.compile_mode)
        if self.clip_grad_norm is not None:
            refuse_not_above_zero("trainer", clip_grad_norm=self.clip_grad_norm)

    def compiled(self, method: Method) -> CompiledStep | None:
        """Return what a method's steps run compiled, if they are to."""
        if not self.compile:
            return None
        return CompiledStep(method, backend=self.compile_backend, mode=self.compile_mode)


class Trainer:
    """Train a method, an epoch at a time.

    Parameters
    ----------
    method : Method
        On the device already or not; it is moved.
    optimizer : callable
        From parameters to an optimizer; its ``lr`` is the base learning rate.
    lr_schedule : Schedule
        Factor on the base learning rate, and what follows from it; set before every step.
    train : ImageSet
        On the device; handed to the method before each epoch.
    batches : Batches
        Batches of it.
    max_epochs : int
    options : TrainerOptions
    """

    def __init__(
        self,
        *,
        method: Method,
        optimizer: OptimizerFactory,
        lr_schedule: Schedule,
        train: ImageSet,
        batches: Batches,
        max_epochs: int,
        options: TrainerOptions,
    ) -> None:
        if max_epochs < 1:
            raise ValueError(f"max_epochs must be at least 1, got {max_epochs}.")
        if not options.compile:
            spare_dynamo()
        method.check(train)
        self.device = train.images.device
        self.method = prepare(method, self.device, channels_last=options.channels_last)
        self._compiled = options.compiled(self.method)
        self.optimizer = build_optimizer(optimizer, self.method)
        refuse_momentum_too_small(self.optimizer, lr_schedule)
        self._step = training_step(self.method)
        self._lr_schedule = lr_schedule
        self._train = train
        self._batches = batches
        self._options = options
        self._cost = Cost()
        self._within = PartOfEpoch()
        self.max_epochs = max_epochs
        self.epoch = 0

    def epochs(self) -> Iterator[EpochResult]:
        """Yield after every epoch that is still to do.

        Raises
        ------
        TrainingDivergedError
            If a scalar the method logs is not finite at the end of an epoch.
        """
        return (result for result in self.stretches() if result is not None)

    def stretches(self, batches: int | None = None) -> Iterator[EpochResult | None]:
        """Yield after every epoch, and None inside one wherever training could continue from.

        Parameters
        ----------
        batches : int, optional
            At least so many between two places inside an epoch; without it there are none.
        """
        while self.epoch < self.max_epochs:
            before = self._within.seconds, self._cost.images, self.waited_s or 0.0
            for _ in self._train_epoch(batches):
                yield None
            with self._within.timed():
                metrics = self._metrics()
            within, speed = self._within, self._speed(*before)
            self._within = PartOfEpoch()
            self.epoch += 1
            yield EpochResult(
                epoch=self.epoch,
                metrics=metrics,
                seconds=within.seconds,
                waited=within.waited,
                speed=speed,
            )

    def _train_epoch(self, stretch: int | None) -> Iterator[None]:
        """Train what is left of an epoch; yield inside it."""
        within = self._within
        with within.timed():
            self.method.train()
            if not within.batch:
                with self._cost.preparing():
                    self.method.before_epoch(self._train, self._progress(0))
        batches, before = self._batches_of_epoch(), within.batch
        last: Batch | None = None
        while True:
            waited_s, started = self.waited_s, time.perf_counter()
            with within.timed():
                batch = next(batches, None)
            next_s = time.perf_counter() - started
            if batch is None:
                return
            # Between two replays of one batch there is more than a checkpoint holds: its views.
            if stretch and within.batch - before >= stretch and batch is not last:
                before = within.batch
                within.kept = within.state(self._cost.known())
                yield
            with within.timed():
                update = functools.partial(self._update, batch, self._progress(within.batch))
                within.means.add(self._cost.of_update(batch, update))
            within.batch += 1
            within.waited += self._waited(next_s, waited_s)
            last = batch

    def _waited(self, next_s: float, before: float | None) -> float:
        """Return the seconds a batch was waited for; a pack has a clock of its own."""
        return next_s if before is None else (self.waited_s or 0.0) - before

    def _batches_of_epoch(self) -> Iterator[Batch]:
        if not self._within.batch:  # batches of others may know of no other start
            return self._batches.epoch(self.epoch)
        return self._batches.epoch(self.epoch, self._within.batch)

    def _metrics(self) -> dict[str, float]:
        means = self._within.means.over_ranks()
        metrics = {f"train/{name}": value for name, value in means.items()}
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise TrainingDivergedError(f"{name} became {value} in epoch {self.epoch + 1}.")
        return metrics | rates(self.optimizer, self._lr_schedule) | self._cost.metrics()

    @property
    def waited_s(self) -> float | None:
        """How long training has waited for images that are read meanwhile; None if none are."""
        images = self._train.images
        return images.source.pace.waited_s if isinstance(images, PackedImages) else None

    def _speed(self, seconds: float, images: int, waited_s: float) -> dict[str, float]:
        """Return images per second since there were so many of each."""
        trained, took = self._cost.images - images, self._within.seconds - seconds
        if not isinstance(self._train.images, PackedImages):
            return {"cost/images_per_second": trained / max(took, 1e-6)}
        return self._train.images.source.pace.of(trained, took, (self.waited_s or 0.0) - waited_s)

    @property
    def is_compiled(self) -> bool:
        """Whether training steps run what was compiled."""
        return self._compiled is not None

    @property
    def steps_per_epoch(self) -> int:
        """Updates in an epoch."""
        return len(self._batches)

    def cost(self) -> dict[str, float]:
        """Return what training has cost so far, ``cost/...``."""
        return self._cost.metrics()

    def trial_run(self) -> Iterator[float]:
        """Yield how many seconds an epoch's preparation and then each of its steps take."""
        self.method.train()
        started = self._now()
        with self._cost.preparing():
            self.method.before_epoch(self._train, self._progress(0))
        yield self._now() - started
        started = self._now()
        for index, batch in enumerate(self._batches.epoch(self.epoch)):
            update = functools.partial(self._update, batch, self._progress(index))
            self._cost.of_update(batch, update)
            yield self._now() - started
            started = self._now()

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def _progress(self, index: int) -> Progress:
        step = self.epoch * len(self._batches) + index
        total = self.max_epochs * len(self._batches)
        return Progress(
            step=step,
            epoch=self.epoch,
            max_epochs=self.max_epochs,
            fraction=step / total,
            update=1 / total,
        )

    def _update(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        if self._options.channels_last:
            images = batch.images.contiguous(memory_format=torch.channels_last)
            batch = Batch(images, batch.labels, batch.indices)
        set_rates(self.optimizer, self._lr_schedule, progress)
        self.optimizer.zero_grad(set_to_none=True)  # before CUDA graphs overwrite gradients
        with nullcontext() if self._compiled is None else self._compiled.in_use():
            scalars = self.method.update(batch, progress, self.optimizer)
            if scalars is None:
                scalars = self._usual_update(batch, progress)
            self.method.after_update(progress)
        return scalars

    def _usual_update(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        with self.arithmetic():
            scalars: dict[str, Any] = self._step(batch, progress)
        scalars["loss"].backward(ones_like(scalars["loss"]))
        if self._options.clip_grad_norm is not None:
            nn.utils.clip_grad_norm_(self.method.parameters(), self._options.clip_grad_norm)
        self.optimizer.step()
        return scalars

    def arithmetic(self) -> AbstractContextManager[object]:
        """Have networks multiply as in training, such as for evaluators."""
        return arithmetic(self.device, self._options.precision)

    def state_dict(self) -> dict[str, Any]:
        """Return everything training continues from, the random state included."""
        state = {
            "epoch": self.epoch,
            "method": self.method.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "cost": self._cost.state_dict(),
            "random": random_state.capture(),
        }
        return state | ({"within": self._within.kept} if self._within.kept else {})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state`, bit for bit on CPU."""
        self.epoch = state["epoch"]
        self.method.load_state_dict(state["method"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._cost.load_state_dict(state["cost"])
        random_state.restore(state["random"])
        self._within = PartOfEpoch()
        if "within" in state:
            self._within = PartOfEpoch.of(state["within"], self.device)
            self._cost.know(state["within"]["known"])
