"""The finalists of a search, and fresh seeds for their race."""

import itertools
from collections.abc import Collection, Iterator, Sequence

from raystudy.config.spec import RECIPE, Objective, maximised
from raystudy.errors import UserError
from raystudy.storage.folders import all_folders
from raystudy.storage.plans import ConfirmPlan
from raystudy.study.replay import trial_overrides
from raystudy.study.stored import StoredStudy, StoredTrial
from raystudy.trial.info import TrialSummary


def choose(study: StoredStudy, *, top: int, seeds: int, more: Sequence[str] = ()) -> ConfirmPlan:
    """Return the best of a search and its recipe, on seeds not used before.

    Parameters
    ----------
    study : StoredStudy
    top : int
        0: the recipe alone.
    seeds : int
    more : sequence of str
        Overrides for every run.

    Raises
    ------
    UserError
        If there is no finalist to run against the recipe.
    """
    best = finalists(study, top) if top else []
    if top and not best:
        raise UserError(
            f"{study.id} has no complete trial besides the recipe's, so there is nothing to "
            f"confirm; '{study.folder.command('extend', 'study.num_trials=+8')}' runs more."
        )
    trials = [study.trial(RECIPE), *best]
    return ConfirmPlan(
        study=study.id,
        top=top,
        seeds=tuple(itertools.islice(fresh_seeds(used_seeds(study)), seeds)),
        params={trial.summary.number: dict(trial.params) for trial in trials},
        overrides={
            trial.summary.number: [*trial_overrides(study, trial), *more] for trial in trials
        },
    )


def finalists(study: StoredStudy, top: int) -> list[StoredTrial]:
    """Return the best `top` complete trials, or `top` of the front, each configuration once.

    Trials that violate a constraint come last. The recipe runs anyway and is no finalist.
    """
    objectives = study.spec.objectives
    first = objectives[0]
    known = [study.trial(RECIPE).params]
    chosen: list[StoredTrial] = []
    candidates = study.best if len(objectives) > 1 else study.ended
    complete = [summary for summary in candidates if summary.state == "complete"]
    for summary in sorted(
        complete, key=lambda s: (s.violation, -maximised(first, s.last[first.metric]))
    ):
        trial = study.trial(summary.number)
        if trial.params not in known:
            known.append(trial.params)
            chosen.append(trial)
    if len(objectives) > 1:
        kept = spaced_along_front([trial.summary for trial in chosen], objectives, top)
        return [trial for trial in chosen if trial.summary.number in kept]
    return chosen[:top]


def spaced_along_front(
    front: Sequence[TrialSummary], objectives: Sequence[Objective], size: int
) -> set[int]:
    """Return the numbers of `size` trials that cover a front, its ends among them.

    The most crowded trial goes first [1]_.

    References
    ----------
    .. [1] Deb et al. 2002, IEEE Transactions on Evolutionary Computation 6(2), Sec. III-B.
    """
    kept = list(front)
    while len(kept) > size:
        room = dict.fromkeys((one.number for one in kept), 0.0)
        for objective in objectives:
            ordered = sorted(kept, key=lambda one, metric=objective.metric: one.last[metric])  # type: ignore[misc]
            values = [one.last[objective.metric] for one in ordered]
            width = values[-1] - values[0] or 1.0
            room[ordered[0].number] = room[ordered[-1].number] = float("inf")
            for index in range(1, len(ordered) - 1):
                gap = (values[index + 1] - values[index - 1]) / width
                room[ordered[index].number] += gap
        kept.remove(min(kept, key=lambda one: room[one.number]))
    return {one.number for one in kept}


def used_seeds(study: StoredStudy) -> set[int]:
    """Return the seeds of the search's own trials and of its previous confirms."""
    used = {int(study.composed[1].seed)}
    used |= {int(trial.params["seed"]) for trial in study.trials if "seed" in trial.params}
    for folder in all_folders(study.folder.path.parent.parent):
        plan = folder.read_manifest().confirm
        if plan is not None and plan.study == study.id:
            used |= set(plan.seeds)
    return used


def fresh_seeds(used: Collection[int]) -> Iterator[int]:
    """Yield 1, 2, 3, ... without those already used."""
    return (seed for seed in itertools.count(1) if seed not in used)
