"""A race as an executor sees it: trials that come in rounds."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from raystudy.config.budget import Budget
from raystudy.confirm.race import Point, Race, Standing
from raystudy.confirm.race_sampler import point_of, result_of
from raystudy.study.executor import ForwardedTrials
from raystudy.study.study import Outcome, Study
from raystudy.trial.info import Metrics, TrialInfo, TrialSummary

NO_BUDGET = Budget()


class RaceStudy(ForwardedTrials):
    """Passes on a study's trials as long as the race needs them.

    The study proposes by `RaceSampler` and holds the state; this class only decides when. No
    round starts once the budget is spent, downtime between drivers not counted.

    Parameters
    ----------
    study : Study
    race : Race
    points : mapping of int to Point
        What the trials run that previous drivers started.
    say : callable (str) -> None
        Called after every round.
    budget : Budget
    most : int, optional
        Runs.
    """

    def __init__(
        self,
        study: Study,
        race: Race,
        points: Mapping[int, Point],
        *,
        say: Callable[[str], None] = lambda _: None,
        budget: Budget = NO_BUDGET,
        most: int | None = None,
    ) -> None:
        super().__init__(study)
        self._study = study
        self._race = race
        self._points = dict(points)
        self._left = self._points.keys() - {summary.number for summary in study.summaries()}
        self._say = say
        self._budget = budget
        self._most = most
        self._spent = ""
        self._standing: Standing | None = None
        self._announced = self.standing

    @property
    def standing(self) -> Standing:
        """The state of the race."""
        if self._standing is None:
            results = {
                point: result_of(summary, self.info.spec.objectives, self._race, point)
                for point, summary in self.runs.items()
            }
            self._standing = self._race.standing(results)
        return self._standing

    @property
    def runs(self) -> dict[Point, TrialSummary]:
        """The runs that have ended."""
        return {self._points[summary.number]: summary for summary in self._study.summaries()}

    @property
    def over(self) -> str:
        """Why no more runs start; empty if some may."""
        if self._study.ended_early:
            return self._study.ended_early
        return self._spent or self.standing.over

    @property
    def is_finished(self) -> bool:
        """Whether it is over and no trial runs."""
        return bool(self.over) and len(self.runs) == len(self._points)

    @property
    def outstanding(self) -> int:
        """How many runs of this round have not been handed out."""
        if self.over or self.interrupted:
            return 0
        return len(set(self.standing.pending) - set(self._points.values())) + len(self._left)

    def next_trial(self) -> TrialInfo | None:
        """Return a run of this round; None: there is none left, or not before another has ended."""
        pending = set(self.standing.pending)
        new = pending - set(self._points.values())
        if new and new == pending:
            self._spent = self._exhausted(len(new)) if self._points else ""
        if self.over or not (new or self._left):
            return None
        info = super().next_trial()
        self._changed()
        if info is not None:
            self._points[info.number] = point_of(info.params)
            self._left -= {info.number}
        return info

    def report(self, number: int, epoch: int, metrics: Metrics) -> bool:
        """See `Study.report`."""
        proceed = super().report(number, epoch, metrics)
        if not proceed:
            self._changed()
        return proceed

    def finish(self, number: int, outcome: Outcome) -> None:
        """See `Study.finish`."""
        super().finish(number, outcome)
        self._changed()

    def settle(self) -> None:
        """Set the number of trials to those there are, now that the race is over."""
        spec = replace(self.info.spec, num_trials=len(self._points))
        self.info = replace(self.info, spec=spec)

    def _changed(self) -> None:
        self._standing = None
        self._left -= {summary.number for summary in self._study.summaries()}
        standing, announced = self.standing, self._announced
        if standing.round == announced.round:
            return
        self._announced = standing
        for number, departure in standing.departures.items():
            if number not in announced.departures:
                self._say(
                    f"after round {departure.round}: trial {number} leaves: {departure.reason}"
                )
        names = ["the recipe", *(f"trial {number}" for number in standing.racing[1:])]
        seeds = len(self._race.seeds)
        self._say(f"{standing.round} of {seeds} seeds; in the race: {', '.join(names)}")

    def _exhausted(self, runs: int) -> str:
        """Return which limit forbids another round of `runs` runs; empty if none does."""
        if self._most is not None and len(self._points) + runs > self._most:
            return f"study.num_trials={self._most} leaves no room for another round"
        return self._budget.exhausted(self._study.spent)
