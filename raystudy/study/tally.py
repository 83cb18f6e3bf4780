"""The trials of a study that have ended: how, at what cost, and whether that is all."""

from collections import Counter
from collections.abc import Sequence

from optuna.trial import FrozenTrial

from raystudy.config.budget import Spent
from raystudy.config.spec import StudySpec
from raystudy.study import trial_record
from raystudy.study.trial_record import TrialRecord
from raystudy.trial.info import TrialSummary

HOPELESS_AFTER = 3  # failures before a single trial ended otherwise


class Tally:
    """What came of the trials so far.

    Parameters
    ----------
    spec : StudySpec
    size : int, optional
        How many configurations the search space has, if it has an end.

    trials : sequence of FrozenTrial
        Started under previous drivers.

    Attributes
    ----------
    summaries : dict of int to TrialSummary
        Of the trials that have ended, by number.
    left : list of FrozenTrial
        That previous drivers did not finish.
    spent : Spent
        By the trials that have ended.
    wall : float
        Seconds the study ran under previous drivers.
    """

    def __init__(self, spec: StudySpec, size: int | None, trials: Sequence[FrozenTrial]) -> None:
        self.summaries: dict[int, TrialSummary] = {}
        self.left: list[FrozenTrial] = []
        self.spent = Spent()
        self.wall = 0.0
        self._spec = spec
        self._size = size
        self._failures = 0
        for trial in trials:
            if trial.state.is_finished():
                record, summary = trial_record.read_ended(trial, spec.objectives)
                self._take(summary, record.spent)
            else:
                record = TrialRecord.read(trial, spec.objectives)
                self.left.append(trial)
            self.wall = max(self.wall, record.wall)

    def add(self, summary: TrialSummary, spent: Spent) -> None:
        """Take a trial in that has just ended."""
        self._take(summary, spent)
        # Those of a previous driver do not count: the user may have fixed the cause.
        self._failures += summary.state == "failed"

    def _take(self, summary: TrialSummary, spent: Spent) -> None:
        self.summaries[summary.number] = summary
        self.spent += spent

    def ended_early(self, started: int, spent: Spent) -> str:
        """Return why no more trials are handed out before `num_trials`; empty if they are.

        Parameters
        ----------
        started : int
            Trials handed out, running ones included.
        spent : Spent
            By all of these.
        """
        ended_well = any(one.state != "failed" for one in self.summaries.values())
        if self._failures >= HOPELESS_AFTER and not ended_well:
            last = self.summaries[max(self.summaries)]
            return f"the first {len(self.summaries)} trials all failed, the last: {last.reason}"
        if started >= self._spec.num_trials:
            return ""
        if self._size is not None and self._size <= started and not self._spec.allow_repeats:
            return f"all {self._size} configurations of the search space were run"
        exhausted = self._spec.budget.exhausted(spent)
        of_all = f"{started} of {self._spec.num_trials} trials"
        return (
            f"{exhausted} after {of_all}; running ones continued to their end" if exhausted else ""
        )

    @property
    def failure(self) -> str:
        """What a study whose trials have all ended came to if none is complete; else empty."""
        counts = Counter(one.state for one in self.summaries.values())
        if counts["complete"]:
            return ""
        words = ", ".join(f"{count} {state}" for state, count in counts.items())
        return f"none of the {len(self.summaries)} trials completed: {words}"
