"""Learning rate and weight decay chosen on validation images."""

import copy
import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from trainables.data.image_set import Splits
from trainables.networks.encoder import Encoder
from trainables.protocols.base import EvaluationProtocol, Fitting, is_right
from trainables.protocols.finetuning import FineTuning
from trainables.protocols.linear_evaluation import LinearEvaluation
from trainables.trainer import EpochResult, TrainingDivergedError


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Fit at every learning rate and weight decay, keep what does best on validation images [1]_.

    Ties go to the first. A fitting that diverges has lost.

    Parameters
    ----------
    protocol : FineTuning or LinearEvaluation
        Its optimizer takes ``lr`` and ``weight_decay``.
    learning_rates : sequence of float
    weight_decays : sequence of float
    divide_decay : bool
        Divide each weight decay by the learning rate, as in [1]_.

    References
    ----------
    .. [1] Chen et al. 2020, arXiv:2002.05709, App. B.8; after Kornblith et al. 2019,
       arXiv:1805.08974.
    """

    protocol: FineTuning | LinearEvaluation
    learning_rates: Sequence[float]
    weight_decays: Sequence[float] = (0.0,)
    divide_decay: bool = False

    def __post_init__(self) -> None:
        if not self.learning_rates or min(self.learning_rates) <= 0:
            raise ValueError(f"learning_rates must be above 0, got {list(self.learning_rates)}.")
        if not self.weight_decays or min(self.weight_decays) < 0:
            raise ValueError(f"weight_decays must be at least 0, got {list(self.weight_decays)}.")

    @property
    def points(self) -> list[tuple[float, float]]:
        """Learning rate and weight decay of every fitting, in order."""
        return list(itertools.product(self.learning_rates, self.weight_decays))

    def at(self, point: int) -> EvaluationProtocol:
        """Return the protocol of one of the points."""
        lr, decay = self.points[point]
        fit = self.protocol.fit
        optimizer = functools.partial(
            fit.optimizer, lr=lr, weight_decay=decay / lr if self.divide_decay else decay
        )
        return replace(self.protocol, fit=replace(fit, optimizer=optimizer))

    def __call__(
        self, encoder: Encoder, splits: Splits, *, head: nn.Module | None = None
    ) -> Fitting:
        """Return a fitting of all points, one after the other; `head` is not looked at."""
        return _GridFitting(self, encoder, splits)


class _GridFitting:
    """All points, one after the other; the best so far is kept."""

    def __init__(self, grid: Grid, encoder: Encoder, splits: Splits) -> None:
        self._grid = grid
        self._encoder = copy.deepcopy(encoder)  # the caller's may move before the last point
        self._splits = splits
        self._accuracies: list[float] = []  # of the points that are done
        self._best: nn.Module | None = None
        self._current = self._start(0)
        self.max_epochs = len(grid.points) * grid.protocol.fit.max_epochs

    @property
    def epoch(self) -> int:
        fitted = len(self._accuracies) * self._grid.protocol.fit.max_epochs
        return fitted if self._is_done else fitted + self._current.epoch

    @property
    def classifier(self) -> nn.Module:
        return self._current.classifier if self._best is None else self._best.eval()

    def epochs(self) -> Iterator[EpochResult]:
        while not self._is_done:
            lr, decay = self._grid.points[len(self._accuracies)]
            metrics, seconds = {"grid/lr": lr, "grid/weight_decay": decay}, 0.0
            try:
                result = next(self._current.epochs())
            except TrainingDivergedError:
                metrics["grid/diverged"] = 1.0
                self._end_point(math.nan)
            else:
                metrics, seconds = result.metrics | metrics, result.seconds
                if self._current.epoch == self._current.max_epochs:
                    metrics["val/accuracy"] = self._judge()
                    self._end_point(metrics["val/accuracy"])
            yield EpochResult(epoch=self.epoch, metrics=metrics, seconds=seconds)
        if self._best is None:
            raise TrainingDivergedError("every learning rate of the grid diverged; lower them.")

    @property
    def _is_done(self) -> bool:
        return len(self._accuracies) == len(self._grid.points)

    def _judge(self) -> float:
        classifier = self._current.classifier
        accuracy = is_right(classifier, self._splits.val).float().mean().item()
        if all(accuracy > other or math.isnan(other) for other in self._accuracies):
            self._best = copy.deepcopy(classifier)
        return accuracy

    def _end_point(self, accuracy: float) -> None:
        self._accuracies.append(accuracy)
        if not self._is_done:
            self._current = self._start(len(self._accuracies))

    def _start(self, point: int) -> Fitting:
        return self._grid.at(point)(self._encoder, self._splits)

    def state_dict(self) -> dict[str, Any]:
        return {
            "accuracies": list(self._accuracies),
            "best": None if self._best is None else self._best.state_dict(),
            "current": None if self._is_done else self._current.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._accuracies = list(state["accuracies"])
        if state["best"] is not None:
            self._best = self._start(0).classifier
            self._best.load_state_dict(state["best"])
        if not self._is_done:
            self._current = self._start(len(self._accuracies))
            self._current.load_state_dict(state["current"])
