"""Fittings of classifiers: by training, or at once."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from trainables import distributed, random_state
from trainables.data.batches import ShuffledBatches
from trainables.data.image_set import ImageSet
from trainables.methods.base import Method
from trainables.modes import isolated_rng
from trainables.optim.schedules import Schedule
from trainables.protocols.base import Fitting, is_right
from trainables.trainer import EpochResult, Trainer, TrainerOptions


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How long, how fast and on what order of the images a classifier is trained.

    Parameters
    ----------
    optimizer : callable
        From parameters to an optimizer; its ``lr`` is the base learning rate.
    lr_schedule : Schedule
    max_epochs : int
    batch_size : int
        Images per step over all ranks; all images where there are fewer. The last, smaller batch
        of an epoch is left out.
    seed : int
        Of first weights, order, augmentation and attack.
    options : TrainerOptions
    """

    optimizer: Callable[..., Optimizer]
    lr_schedule: Schedule
    max_epochs: int
    batch_size: int
    seed: int = 0
    options: TrainerOptions = field(default_factory=TrainerOptions)

    def images_per_step(self, train: ImageSet) -> int:
        """Return how many images all ranks see at once."""
        ranks = distributed.world_size()
        if len(train) < ranks:
            raise ValueError(
                f"a classifier is fitted to images with labels, at least one per worker; there "
                f"are {len(train)}."
            )
        return min(self.batch_size, len(train) // ranks * ranks)

    def trainer(self, method: Method, train: ImageSet) -> Trainer:
        """Return a trainer of `method` on labelled images."""
        batches = ShuffledBatches(
            train, batch_size=self.images_per_step(train), seed=self.seed, labelled=True
        )
        return Trainer(
            method=method,
            optimizer=self.optimizer,
            lr_schedule=self.lr_schedule,
            train=train,
            batches=batches,
            max_epochs=self.max_epochs,
            options=self.options,
        )


class RandomStream:
    """Random streams that are used for a while, rest, and continue where they were.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int) -> None:
        with isolated_rng(seed):
            self._state = random_state.capture()

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Put these streams in the place of the process's, and those back afterwards."""
        before = random_state.capture()
        random_state.restore(self._state)
        try:
            yield
        finally:
            self._state = random_state.capture()
            random_state.restore(before)


class TrainedFitting:
    """A classifier that a trainer fits.

    Parameters
    ----------
    seed : int
        Of a random stream of its own.
    build : callable
        Returns the trainer and the classifier, which share their networks.
    """

    def __init__(self, seed: int, build: Callable[[], tuple[Trainer, nn.Module]]) -> None:
        self._stream = RandomStream(seed)
        with self._stream.flowing():
            self._trainer, self._classifier = build()
        self._classifier.to(self._trainer.device)
        self.max_epochs = self._trainer.max_epochs

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return self._trainer.epoch

    @property
    def classifier(self) -> nn.Module:
        """The classifier as far as it is fitted, in eval mode."""
        return self._classifier.eval()

    def epochs(self) -> Iterator[EpochResult]:
        """Yield after every epoch still to do."""
        return (result for result in self.stretches(None) if result is not None)

    def stretches(self, batches: int | None) -> Iterator[EpochResult | None]:
        """Yield after every epoch still to do, and None inside it after so many batches."""
        stretches = self._trainer.stretches(batches)
        while self.epoch < self.max_epochs:
            # Not across the yield: the caller's random streams are the caller's.
            with self._stream.flowing(), torch.enable_grad():
                result = next(stretches)
            yield result

    def state_dict(self) -> dict[str, Any]:
        """Return everything the fitting continues from."""
        with self._stream.flowing():
            return self._trainer.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state`, bit for bit on CPU."""
        with self._stream.flowing():
            self._trainer.load_state_dict(state)


class ImmediateFitting:
    """A classifier that takes one pass over the images, which resuming makes again.

    Parameters
    ----------
    seed : int
    build : callable
        Returns the classifier.
    """

    max_epochs = 1

    def __init__(self, seed: int, build: Callable[[], nn.Module]) -> None:
        self.epoch = 0
        self._seed = seed
        self._build = build
        self._classifier: nn.Module | None = None

    @property
    def classifier(self) -> nn.Module:
        """The classifier, made now if it is not there."""
        if self._classifier is None:
            with isolated_rng(self._seed), torch.no_grad():
                self._classifier = self._build()
        return self._classifier.eval()

    def epochs(self) -> Iterator[EpochResult]:
        """Yield once."""
        if self.epoch == 0:
            started = time.perf_counter()
            _ = self.classifier
            self.epoch = 1
            yield EpochResult(epoch=1, metrics={}, seconds=time.perf_counter() - started)

    def state_dict(self) -> dict[str, Any]:
        """Return whether it is done."""
        return {"epoch": self.epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over whether it is done."""
        self.epoch = state["epoch"]


class BestOnTest:
    """A fitting that also looks at the test images after every epoch, as some papers do.

    What it adds to an epoch's metrics flatters: ``test/best_on_test_accuracy`` is a maximum over
    epochs chosen on the very images it is measured on. The classifier stays the last epoch's.

    Parameters
    ----------
    fitting : Fitting
    test : ImageSet
    """

    def __init__(self, fitting: Fitting, test: ImageSet) -> None:
        self._fitting = fitting
        self._test = test
        self._best = 0.0
        self.max_epochs = fitting.max_epochs

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return self._fitting.epoch

    @property
    def classifier(self) -> nn.Module:
        """The last epoch's classifier."""
        return self._fitting.classifier

    def epochs(self) -> Iterator[EpochResult]:
        """Yield after every epoch still to do."""
        for result in self._fitting.epochs():
            accuracy = is_right(self.classifier, self._test).float().mean().item()
            self._best = max(self._best, accuracy)
            measured = {"test/accuracy": accuracy, "test/best_on_test_accuracy": self._best}
            metrics = result.metrics | measured
            yield EpochResult(epoch=result.epoch, metrics=metrics, seconds=result.seconds)

    def state_dict(self) -> dict[str, Any]:
        """Return the fitting's state and the best so far."""
        return {"fitting": self._fitting.state_dict(), "best": self._best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state`."""
        self._fitting.load_state_dict(state["fitting"])
        self._best = state["best"]
