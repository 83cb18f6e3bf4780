"""The runs of a reproduction, one after another: every arm under a seed, then under the next."""

from collections.abc import Sequence
from typing import Any

import optuna

from raystudy.search.listed_space import ARM, SEED
from raystudy.search.point_sampler import PointSampler


class ArmSampler(PointSampler):
    """Propose the next arm and seed that were not started.

    An interrupted reproduction so has its arms under common seeds, which is what claims compare.

    Parameters
    ----------
    arms : sequence of str
    seeds : sequence of int
    """

    def __init__(self, *, arms: Sequence[str], seeds: Sequence[int]) -> None:
        self._points = [{ARM: arm, SEED: seed} for seed in seeds for arm in arms]

    def next_point(self, study: optuna.Study) -> dict[str, Any]:
        started = [one.params for one in study.get_trials(deepcopy=False) if SEED in one.params]
        # Asked for trial 0, too, whose point is given: of a single run none is left then.
        left = (point for point in self._points if point not in started)
        return next(left, self._points[0])
