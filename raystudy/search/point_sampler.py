"""A sampler that proposes whole points, whatever the distributions."""

from abc import abstractmethod
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial


class PointSampler(BaseSampler):
    """Propose points of a list, all parameters of a trial at once."""

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return {}

    @abstractmethod
    def next_point(self, study: optuna.Study) -> dict[str, Any]:
        """Return the next trial's parameters."""

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self.next_point(study)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self.next_point(study)[param_name]
