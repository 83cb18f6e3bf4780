"""The runs of a reproduction, one after another: every arm under a seed, then under the next."""

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from raystudy.search.listed_space import ARM, SEED


class ArmSampler(BaseSampler):
    """Propose the next arm and seed that were not started.

    An interrupted reproduction so has its arms under common seeds, which is what claims compare.

    Parameters
    ----------
    arms : sequence of str
    seeds : sequence of int
    """

    def __init__(self, *, arms: Sequence[str], seeds: Sequence[int]) -> None:
        self._points = [{ARM: arm, SEED: seed} for seed in seeds for arm in arms]

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        started = [one.params for one in study.get_trials(deepcopy=False) if SEED in one.params]
        # Asked for trial 0, too, whose point is given: of a single run none is left then.
        left = (point for point in self._points if point not in started)
        return next(left, self._points[0])

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self.sample_relative(study, trial, {})[param_name]
