"""The control: trials that the trial scheduler would have stopped, but let through."""

from collections.abc import Sequence

from raystudy.config.spec import RECIPE, Objective
from raystudy.report.section import counted
from raystudy.study.stored import StoredTrial


def facts(trials: Sequence[StoredTrial], objectives: Sequence[Objective]) -> dict[str, str]:
    """Return the control's ranks among all complete trials, by objective."""
    complete = [trial for trial in trials if trial.summary.state == "complete"]
    control = [t for t in complete if t.let_through and t.summary.number != RECIPE]
    if not control:
        return {}
    stopped = sum(trial.summary.state == "pruned" for trial in trials)
    found = {"control": f"{counted(len(control), 'trial')} let through, {stopped} stopped"}
    for objective in objectives:
        ranks = sorted(rank(trial, complete, objective) for trial in control)
        words = ", ".join(map(str, ranks))
        found[f"ranks in {objective.metric}"] = f"{words} of {len(complete)} complete"
    return found


def rank(trial: StoredTrial, complete: Sequence[StoredTrial], objective: Objective) -> int:
    """Return a trial's place, from 1."""
    metric = objective.metric
    own = trial.summary.last[metric]
    return 1 + sum(objective.is_better(other.summary.last[metric], than=own) for other in complete)
