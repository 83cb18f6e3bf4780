"""The Pareto front: trials that no other trial dominates."""

from collections.abc import Iterable, Sequence

from raystudy.config.spec import Objective
from raystudy.trial.info import TrialSummary


def front(summaries: Iterable[TrialSummary], objectives: Sequence[Objective]) -> list[TrialSummary]:
    """Return the complete trials that no complete trial dominates, in order of number.

    Trials that ended early are left out: their values are of another epoch. Trials beyond a
    constraint are left out, too; while there are no others, the front is of those that exceed it
    least. With one objective the front is the best trial and those that equal it.
    """
    # By values: on few images many trials tie, and to compare each two of them took minutes.
    groups: dict[tuple[float, ...], list[TrialSummary]] = {}
    for summary in candidates(summaries):
        values = tuple(summary.last[objective.metric] for objective in objectives)
        groups.setdefault(values, []).append(summary)
    best: list[tuple[float, ...]] = []
    for values in groups:
        if any(_dominates(one, values, objectives) for one in best):
            continue
        best = [one for one in best if not _dominates(values, one, objectives)] + [values]
    return sorted(
        (summary for values in best for summary in groups[values]),
        key=lambda summary: summary.number,
    )


def candidates(summaries: Iterable[TrialSummary]) -> list[TrialSummary]:
    """Return the complete trials that exceed the constraints least: not at all, as a rule."""
    complete = [summary for summary in summaries if summary.state == "complete"]
    least = min((summary.violation for summary in complete), default=0.0)
    return [summary for summary in complete if summary.violation <= least]


def _dominates(
    one: Sequence[float], other: Sequence[float], objectives: Sequence[Objective]
) -> bool:
    wins = 0
    for objective, a, b in zip(objectives, one, other, strict=True):
        if objective.is_better(b, than=a):
            return False
        wins += objective.is_better(a, than=b)
    return wins > 0
