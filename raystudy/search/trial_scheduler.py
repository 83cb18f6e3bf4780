"""Which running trials to stop early."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

import optuna
from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from optuna.pruners import BasePruner, NopPruner, SuccessiveHalvingPruner
from optuna.trial import FrozenTrial

from raystudy.config.spec import StudySpec
from raystudy.errors import UserError
from raystudy.search.halving import ParetoHalving
from raystudy.search.samplers import quiet
from raystudy.trial.info import Metrics


class TrialScheduler:
    """An Optuna pruner, or successive halving by all objectives and constraints.

    Parameters
    ----------
    recipe : mapping
        ``_target_`` and settings of an Optuna pruner, and ``control``: of the trials it would end,
        the share that continues to the end anyway. ``SuccessiveHalvingPruner`` stands for
        `ParetoHalving` where several measures count, each constraint by how much it is exceeded:
        by the objective alone, trials that keep to the constraints would be stopped.
    spec : StudySpec

    Raises
    ------
    UserError
        If a setting, or the number of objectives, does not fit.
    """

    def __init__(self, recipe: Mapping[str, Any], spec: StudySpec) -> None:
        recipe = dict(recipe)
        self._control: float = recipe.pop("control", 0.0)
        if not (isinstance(self._control, (int, float)) and 0 <= self._control < 1):
            raise UserError(f"trial_scheduler.control must be in [0, 1), got {self._control}.")
        self._spec = spec
        self._halving: ParetoHalving | None = None
        several = len(spec.objectives) > 1
        try:
            with quiet():
                self.pruner: BasePruner = instantiate(recipe, _convert_="all")
            if (several or spec.constraints) and isinstance(self.pruner, SuccessiveHalvingPruner):
                settings = {key: value for key, value in recipe.items() if key != "_target_"}
                self._halving, self.pruner = ParetoHalving(**settings), NopPruner()
        except (InstantiationException, TypeError, ValueError) as error:
            raise UserError(f"trial_scheduler: {error.__cause__ or error}") from error
        if several and not isinstance(self.pruner, NopPruner):
            raise UserError(
                f"trial_scheduler must be asha or none with several objectives, because "
                f"{get_class(recipe['_target_']).__name__} compares trials by one only; got "
                f"{len(spec.objectives)} objectives."
            )

    @property
    def name(self) -> str:
        """What compares the trials."""
        return type(self._halving or self.pruner).__name__

    def is_behind(
        self, study: optuna.Study, trial: FrozenTrial, epoch: int, metrics: Metrics
    ) -> bool:
        """Return whether a trial shall end after an epoch that has just been kept."""
        if any(metric not in metrics for metric in self._judged):
            return False
        if self._halving is None:
            return not isinstance(self.pruner, NopPruner) and self.pruner.prune(study, trial)
        return self._misses_a_rung(self._halving, study, trial, epoch, metrics)

    def lets_through(self, number: int) -> bool:
        """Return whether a trial is one of the control, whatever it comes to."""
        return random.Random(f"{self._spec.seed}:{number}").random() < self._control

    @property
    def _judged(self) -> list[str]:
        return self._spec.metrics if self._halving else [self._spec.objectives[0].metric]

    def _misses_a_rung(
        self,
        halving: ParetoHalving,
        study: optuna.Study,
        trial: FrozenTrial,
        epoch: int,
        metrics: Metrics,
    ) -> bool:
        own = list(self._worth(metrics))
        rung = 0
        while epoch >= halving.epoch(rung):
            key = f"rung:{rung}"
            rung += 1
            if key in trial.system_attrs:
                continue
            study._storage.set_trial_system_attr(trial._trial_id, key, own)
            trials = study.get_trials(deepcopy=False)
            others = [
                other.system_attrs[key]
                for other in trials
                if other.number != trial.number and key in other.system_attrs
            ]
            if not halving.goes_on(own, others):
                return True
        return False

    def _worth(self, metrics: Metrics) -> Iterator[float]:
        """Yield what counts at a rung, the less the better."""
        for objective in self._spec.objectives:
            value = metrics[objective.metric]
            yield -value if objective.direction == "maximize" else value
        for constraint in self._spec.constraints:
            yield max(0.0, constraint.excess(metrics[constraint.metric]))


def read_trial_scheduler(config: DictConfig, spec: StudySpec) -> TrialScheduler:
    """Return what the `trial_scheduler:` section stands for in this study, checked."""
    section: dict[str, Any] = OmegaConf.to_container(config.trial_scheduler, resolve=True)  # type: ignore[assignment]
    return TrialScheduler(section, spec)
