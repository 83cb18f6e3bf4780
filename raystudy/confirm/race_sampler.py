"""The points of a race as a search space: a finalist and a seed are a trial."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import optuna

from raystudy.config.spec import Objective, maximised
from raystudy.confirm.race import Point, Race, Result
from raystudy.search.listed_space import FINALIST, SEED
from raystudy.search.point_sampler import PointSampler
from raystudy.study import trial_record
from raystudy.trial.info import TrialSummary

BAD_ENDINGS = ("diverged", "collapsed")


class RaceSampler(PointSampler):
    """Propose the next run that the race needs.

    Parameters
    ----------
    recipe : int
    challengers, seeds : sequence of int
    alpha : float
        See `Race`.
    objectives : sequence of mapping
        Fields of each `Objective`.
    """

    def __init__(
        self,
        *,
        recipe: int,
        challengers: Sequence[int],
        seeds: Sequence[int],
        alpha: float,
        objectives: Sequence[Mapping[str, Any]],
    ) -> None:
        self._race = Race(
            recipe=recipe, challengers=tuple(challengers), seeds=tuple(seeds), alpha=alpha
        )
        self._objectives = tuple(Objective(**entry) for entry in objectives)

    def next_point(self, study: optuna.Study) -> dict[str, Any]:
        others = [one for one in study.get_trials(deepcopy=False) if SEED in one.params]
        ended = {
            point_of(one.params): trial_record.read_summary(one, self._objectives)
            for one in others
            if one.state.is_finished()
        }
        standing = self._race.standing(
            {p: result_of(s, self._objectives, self._race, p) for p, s in ended.items()}
        )
        number, seed = first_new(standing.pending, [point_of(one.params) for one in others])
        return {FINALIST: number, SEED: seed}


def point_of(params: Mapping[str, Any]) -> Point:
    """Return the point that a trial's parameters name."""
    return int(params[FINALIST]), int(params[SEED])


def first_new(pending: Iterable[Point], started: Iterable[Point]) -> Point:
    """Return the first point that was not started."""
    known = set(started)
    return next(point for point in pending if point not in known)


def result_of(
    summary: TrialSummary, objectives: Sequence[Objective], race: Race, point: Point
) -> Result:
    """Return a run's result as the race counts it.

    A recipe that diverges or collapses gets the worst value; a finalist that does leaves.
    """
    if summary.state == "complete":
        return Result(tuple(maximised(o, summary.last[o.metric]) for o in objectives))
    if summary.state in BAD_ENDINGS and point[0] == race.recipe:
        return Result(tuple(maximised(o, o.worst_value) for o in objectives))
    return Result(reason=summary.state)
