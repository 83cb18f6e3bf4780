"""Made-up methods with known fronts, noise, failures and cost, to test the platform itself."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from optuna.distributions import FloatDistribution

from raystudy.config.spec import Objective, StudySpec
from raystudy.search.search_space import SearchSpace
from raystudy.storage.folders import StudyFolder
from raystudy.storage.manifest import Manifest
from raystudy.study.info import StudyInfo
from raystudy.study.inline import Report
from raystudy.trial.info import TrialInfo

CLEAN, ROBUST = "val/accuracy", "val/robust_accuracy"
STRENGTH, RATE = "attack.strength", "optimizer.lr"
BEST_RATE = 0.1
IMAGES = 360  # on which they say to be measured
SPACE = SearchSpace(
    distributions={
        STRENGTH: FloatDistribution(0, 1),
        RATE: FloatDistribution(1e-3, 1, log=True),
    },
    published={STRENGTH: 0.5, RATE: BEST_RATE},
)


@dataclass(frozen=True)
class Behaviour:
    """What a trial does from an epoch on.

    Parameters
    ----------
    kind : {"healthy", "nan", "collapse", "missing", "crash"}
        ``nan``: the loss is not finite. ``collapse``: robust accuracy falls to zero while the
        clean one stays. ``missing``: robust accuracy is never measured, whatever `epoch` says.
        ``crash``: the process dies.
    epoch : int
        From 1.
    """

    kind: Literal["healthy", "nan", "collapse", "missing", "crash"] = "healthy"
    epoch: int = 1


def always_healthy(_: TrialInfo) -> Behaviour:
    """Return the behaviour of a trial that nothing befalls."""
    return Behaviour()


@dataclass(frozen=True, kw_only=True)
class Surrogate:
    r"""Accuracy curves of a method whose attack strength x trades clean for robust accuracy.

    .. math::
        \text{clean} = 0.9 - 0.3 x^2 - q, \quad \text{robust} = 0.6 x (2 - x) - q, \quad
        q = 0.1 \log_{10}^2(\eta / 0.1)

    so the front is :math:`\eta = 0.1` for every x in [0, 1] and the most robust point is x = 1.
    Curves rise to these values as :math:`1 - e^{-2 t / T}`.

    Parameters
    ----------
    epochs : int
        T, the length of a trial.
    noise : float
        Standard deviation of both accuracies, drawn anew by seed, trial and epoch.
    seed : int
    seconds : float
        Virtual seconds of an epoch at x = 0; the strongest attack doubles them.
    behaviour : callable TrialInfo -> Behaviour
    """

    epochs: int = 8
    noise: float = 0.0
    seed: int = 0
    seconds: float = 1.0
    behaviour: Callable[[TrialInfo], Behaviour] = always_healthy

    def __call__(self, trial: TrialInfo) -> Iterator[Report]:
        """Yield the trial's epochs."""
        behaviour = self.behaviour(trial)
        strength = float(trial.params.get(STRENGTH, 1.0))
        for epoch in range(1, self.epochs + 1):
            metrics = self._healthy(trial, strength, epoch)
            if behaviour.kind == "missing":
                del metrics[ROBUST]
            elif epoch >= behaviour.epoch and behaviour.kind == "nan":
                metrics = dict.fromkeys(metrics, math.nan)
            elif epoch >= behaviour.epoch and behaviour.kind == "collapse":
                metrics[ROBUST] = 0.0
            elif epoch >= behaviour.epoch and behaviour.kind == "crash":
                raise RuntimeError(f"out of memory in epoch {epoch}")
            yield Report(epoch, metrics, self.seconds * (1 + strength))

    def _healthy(self, trial: TrialInfo, strength: float, epoch: int) -> dict[str, float]:
        clean, robust = end_values(strength, float(trial.params.get(RATE, BEST_RATE)))
        learnt = 1 - math.exp(-2 * epoch / self.epochs)
        draw = np.random.default_rng([self.seed, trial.number, epoch]).normal(0, self.noise, 2)
        return {
            "train/loss": 2.0 - learnt,
            CLEAN: clean * learnt + float(draw[0]),
            ROBUST: robust * learnt + float(draw[1]),
        }


def end_values(strength: float, rate: float) -> tuple[float, float]:
    """Return clean and robust accuracy after infinitely many epochs."""
    misfit = 0.1 * math.log10(rate / BEST_RATE) ** 2
    return 0.9 - 0.3 * strength**2 - misfit, 0.6 * strength * (2 - strength) - misfit


def study_info(
    folder: Path,
    *,
    num_trials: int = 8,
    objectives: tuple[str, ...] = (ROBUST,),
    space: SearchSpace = SPACE,
    seed: int = 0,
    resumed: bool = False,
) -> StudyInfo:
    """Return the description of a study of surrogates in `folder`."""
    measures = tuple(Objective(metric=metric) for metric in objectives)
    spec = StudySpec(name="surrogate", objectives=measures, num_trials=num_trials, seed=seed)
    on = dict.fromkeys((CLEAN, ROBUST), IMAGES)
    manifest = Manifest(kind="sweep", name="surrogate", data="none", measured_on=on)
    return StudyInfo.of(StudyFolder(folder), space, spec, manifest, resumed=resumed)
