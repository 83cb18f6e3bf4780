"""Which of a study's trials are best so far."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from raystudy.config.spec import Objective, maximised
from raystudy.search import pareto
from raystudy.trial.info import TrialSummary


class Standing:
    """The trials that ended, and the best of them.

    Parameters
    ----------
    objectives : sequence of Objective
    is_race : bool
        Whether runs differ in their seed, which is luck: none is best.

    Attributes
    ----------
    ended : dict of int to TrialSummary
    """

    def __init__(self, objectives: Sequence[Objective], *, is_race: bool) -> None:
        self.ended: dict[int, TrialSummary] = {}
        self._objectives = objectives
        self._is_race = is_race
        self._front: list[TrialSummary] = []

    def add(self, summary: TrialSummary) -> None:
        """Take a trial in that ended."""
        self.ended[summary.number] = summary
        self._front = self._best_of([*self._front, summary])

    def drop(self, number: int) -> None:
        """Forget a trial that goes on after all."""
        if self.ended.pop(number, None):
            self._front = self._best_of(self.ended.values())

    def best_trials(self, most: int) -> list[int]:
        """Return the numbers of the best trials, the best first; of several objectives, a front."""
        objective, *others = self._objectives
        best = self._front
        if best and not others:
            best = pareto.candidates(self._measured(self.ended.values()))
            best.sort(key=lambda one: -maximised(objective, one.last[objective.metric]))
        return [one.number for one in best[:most]]

    def measures(self) -> dict[str, float]:
        """Return how many trials ended how, and the best value of each objective."""
        counts = Counter(f"trials/{one.state}" for one in self.ended.values())
        best = {}
        for objective in self._objectives if self._front else ():
            values = [one.last[objective.metric] for one in self._front]
            extreme = max if objective.direction == "maximize" else min
            best[f"best/{objective.metric}"] = extreme(values)
        return {"trials/ended": float(len(self.ended)), **counts, **best}

    def tags(self, commands: Mapping[int, str]) -> dict[str, str]:
        """Return which trials are best, and how the one that is was started."""
        if not self._front:
            return {}
        tags = {"raystudy.best_trials": ",".join(str(one.number) for one in self._front)}
        if len(self._objectives) == 1:
            best = self._front[0].number
            tags |= {
                "raystudy.best_trial": str(best),
                "raystudy.best_command": commands.get(best, ""),
            }
        return tags

    def _best_of(self, trials: Iterable[TrialSummary]) -> list[TrialSummary]:
        return [] if self._is_race else pareto.front(self._measured(trials), self._objectives)

    def _measured(self, trials: Iterable[TrialSummary]) -> list[TrialSummary]:
        return [t for t in trials if all(o.metric in t.last for o in self._objectives)]
