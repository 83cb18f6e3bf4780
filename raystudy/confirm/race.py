"""A race of configurations over common seeds: who is still in it, and what runs next.

Nothing here is remembered: the standing is a function of the results so far, so that an
interrupted race continues as if it had not been.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from raystudy.confirm.statistics import paired_t, significant_difference
from raystudy.study.confirmed import ALPHA

FIRST_LOOK = 2  # seeds before anything can be compared
FIRST_END = 3  # seeds before a race may end early: two give intervals too wide to report
SEPARATED = 0.001  # Haybittle and Peto's level for stopping early: it leaves the last tests theirs

Point = tuple[int, int]  # configuration, seed


@dataclass(frozen=True)
class Result:
    """The result of one run.

    Parameters
    ----------
    values : tuple of float
        Each objective with its sign such that larger is better; empty if there is none.
    reason : str
        Why there is none.
    """

    values: tuple[float, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Departure:
    """Why a configuration is no longer in the race.

    Parameters
    ----------
    round : int
        After which it left.
    reason : str
    """

    round: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The state of a race.

    Parameters
    ----------
    round : int
        Rounds decided.
    racing : tuple of int
        Configurations still in it, the recipe first.
    departures : mapping of int to Departure
    pending : tuple of Point
        Runs without a result that the race needs now.
    over : str
        Why it has ended; empty if it has not.
    """

    round: int
    racing: tuple[int, ...]
    departures: Mapping[int, Departure] = field(default_factory=dict)
    pending: tuple[Point, ...] = ()
    over: str = ""


@dataclass(frozen=True, kw_only=True)
class Race:
    """Rounds of one seed each for the published recipe and its challengers.

    After every round from the second on a challenger leaves if another configuration is
    significantly better in every objective. Two tests must say so, at `alpha` shared out over the
    looks: Tukey's among all that still race, which stays right although the best is chosen first
    and several are compared, and the pair's own t-test, which counts where some configurations vary
    more than others. A challenger that diverges, collapses or fails leaves, too. The recipe stays
    to the end. Where a single challenger is left, the race ends early if the same two tests
    separate it from the recipe at `SEPARATED` [1]_.

    Parameters
    ----------
    recipe : int
    challengers : tuple of int
    seeds : tuple of int
        One per round.
    alpha : float
        Bound on the chance that anything at all leaves a race of equals. Simulated: 0.02 where all
        vary alike, 0.09 where one of nine varies ten times as much as the others.

    References
    ----------
    .. [1] Peto et al. 1976, British Journal of Cancer 34, Sec. 9.
    """

    recipe: int
    challengers: tuple[int, ...]
    seeds: tuple[int, ...]
    alpha: float = ALPHA

    def standing(self, results: Mapping[Point, Result]) -> Standing:
        """Return the state of the race after these results."""
        racing: tuple[int, ...] = (self.recipe, *self.challengers)
        departures: dict[int, Departure] = {}
        for round_ in range(1, len(self.seeds) + 1):
            # Nobody can leave a race of the recipe alone.
            seeds = self.seeds[: max(round_, FIRST_LOOK)] if self.challengers else self.seeds
            points = [(configuration, seed) for seed in seeds for configuration in racing]
            pending = tuple(point for point in points if point not in results)
            if pending:
                return Standing(
                    round=round_ - 1, racing=racing, departures=departures, pending=pending
                )
            for number, reason in self._leavers(racing, self.seeds[:round_], results).items():
                departures[number] = Departure(round_, reason)
            racing = tuple(number for number in racing if number not in departures)
            if over := self._over(racing, round_, results):
                break
        return Standing(round=round_, racing=racing, departures=departures, over=over)

    def _leavers(
        self, racing: Sequence[int], seeds: Sequence[int], results: Mapping[Point, Result]
    ) -> dict[int, str]:
        leavers = {
            number: f"{results[number, seed].reason} on seed {seed}"
            for seed in reversed(seeds)
            for number in racing
            if number != self.recipe and not results[number, seed].values
        }
        there = [number for number in racing if number not in leavers]
        level = self.alpha / max(1, len(self.seeds) - FIRST_LOOK + 1)
        for worse, better in self._beaten(there, seeds, results, level).items():
            if worse != self.recipe:
                leavers[worse] = f"significantly worse than trial {better}"
        return leavers

    def _over(self, racing: Sequence[int], round_: int, results: Mapping[Point, Result]) -> str:
        if len(racing) == 1 and self.challengers:
            return "no finalist is left"
        if round_ == len(self.seeds):
            return f"all {round_} seeds were run"
        if round_ < FIRST_END or len(racing) != 2:
            return ""
        beaten = self._beaten(racing, self.seeds[:round_], results, SEPARATED)
        return "the intervals have separated" if self.recipe in beaten else ""

    def _beaten(
        self,
        racing: Sequence[int],
        seeds: Sequence[int],
        results: Mapping[Point, Result],
        level: float,
    ) -> dict[int, int]:
        """Return pairs of configurations of which one is significantly worse in every objective."""
        runs = [[results[number, seed].values for number in racing] for seed in seeds]
        whole = [run for run in runs if all(run)]  # the recipe may lack a value
        if len(racing) < 2 or len(whole) < FIRST_LOOK:
            return {}
        values = np.array(whole).transpose(2, 1, 0)  # objective, configuration, seed
        margins = [significant_difference(one, level) for one in values]
        means = values.mean(2)
        beaten: dict[int, int] = {}
        for better in np.argsort(-means[0], kind="stable"):
            for worse, number in enumerate(racing):
                ahead = means[:, better] - means[:, worse]
                if number in beaten or np.any(ahead <= margins):
                    continue
                pairs = [paired_t(one[better], one[worse]) for one in values]
                if all(pair.p_value < level for pair in pairs):
                    beaten[number] = racing[better]
        return beaten
