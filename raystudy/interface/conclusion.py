"""The conclusion of a sweep."""

from rich.console import Console
from rich.text import Text

from raystudy.config.budget import WORDS
from raystudy.config.spec import RECIPE, Objective
from raystudy.storage.folders import StudyFolder
from raystudy.study import confirmed, uncertainty
from raystudy.study.study import Study
from raystudy.study.tracker import Tracker
from raystudy.trackers.console import short
from raystudy.trial.info import TrialSummary

SHOWN = 12  # trials of a front
CAUTION = "one seed each, on validation images; not conclusive"


def show(console: Console, study: Study, tracker: Tracker) -> None:
    """Print the best trial, its comparison with the recipe, and the next commands."""
    ended = study.summaries()
    counts = {state: sum(s.state == state for s in ended) for state in {s.state for s in ended}}
    words = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    trials = "1 trial" if len(ended) == 1 else f"{len(ended)} trials"
    _say(console, f"\n{study.info.id}: {trials} ended ({words or 'none'})")
    if study.ended_early:
        _say(console, study.ended_early)
    if study.prior:
        _say(console, f"warm start:    {study.prior.words}")
    if study.failure:
        has_traceback = any(study.info.folder.glob("trials/*/error.txt"))
        where = f"; tracebacks: {study.info.folder}/trials/*/error.txt" if has_traceback else ""
        _say(console, f"{study.failure}{where}")
    for name in study.info.spec.budget.limits:
        _say(console, f"spent:         {getattr(study.spent, name):.4g} {WORDS[name]}")
    infeasible = sum(summary.violation > 0 for summary in ended)
    if infeasible:
        bounds = ", ".join(map(str, study.info.spec.constraints))
        _say(console, f"infeasible:    {infeasible} of {counts['complete']} complete ({bounds})")
    best = study.best()
    if len(best) > 1:
        _show_front(console, study, best)
    elif best:
        _show_best(console, study, best[0], ended)
    folder = StudyFolder(study.info.folder)
    if study.is_finished and best:
        _say(console, f"next:          {folder.command('confirm')}")
    if not study.is_finished:
        _say(console, f"continue with: {folder.command('resume')}")
    if where := tracker.where(folder):
        _say(console, f"look at it:    {where}")


def _show_front(console: Console, study: Study, front: list[TrialSummary]) -> None:
    """Print the Pareto front, each trial with its values."""
    _say(console, f"Pareto front:  {len(front)} trials that no complete trial dominates")
    intervals = uncertainty.estimate(
        study.summaries(), study.info.spec.objectives, study.info.measured_on
    )
    for trial in front[:SHOWN]:
        recipe = "  the published recipe" if trial.number == RECIPE else ""
        chance = f"  {uncertainty.chance_words(intervals, trial.number)}" if intervals else ""
        _say(console, f"               {trial.number:>3}  {_values(trial)}{chance}{recipe}")
    if len(front) > SHOWN:
        _say(console, f"               and {len(front) - SHOWN} more")
    if intervals and intervals.hypervolume:
        _say(console, f"hypervolume:   {uncertainty.area_words(intervals.hypervolume)}")
    if front[0].violation:
        _say(console, "               no trial is feasible; these have the smallest violation")
    _say(console, f"               {CAUTION}")
    _say(console, f"replay them:   {StudyFolder(study.info.folder).command('best')}")


def _show_best(
    console: Console, study: Study, best: TrialSummary, ended: list[TrialSummary]
) -> None:
    objectives = study.info.spec.objectives
    intervals = uncertainty.estimate(ended, objectives, study.info.measured_on)
    chance = f"  {uncertainty.chance_words(intervals, best.number)}" if intervals else ""
    _say(console, f"best trial:    {best.number}  {_values(best)}{chance}")
    if best.violation:
        _say(console, f"               {best.reason}; no trial satisfies all constraints")
    recipe = next((s for s in ended if s.number == RECIPE and s.state == "complete"), None)
    if best.number == RECIPE:
        _say(console, "               this is the published recipe")
    elif recipe is not None:
        gains = "  ".join(_gain(study, best, recipe, objective) for objective in objectives)
        _say(console, f"recipe:        {RECIPE}  {_values(recipe)}\ndifference:    {gains}")
        if recipe.violation > best.violation:
            _say(console, f"               the recipe is {recipe.reason}")
        _say(console, f"               {CAUTION}")
    else:
        _say(console, "recipe:        trial 0 did not complete; no comparison")
    _say(console, f"replay it:     {study.command(best.number)}")


def _gain(study: Study, best: TrialSummary, recipe: TrialSummary, objective: Objective) -> str:
    metric = objective.metric
    difference = best.last[metric] - recipe.last[metric]
    floor = confirmed.floor_of_one_run(study.info.folder, metric)
    is_noise = floor is not None and abs(difference) < floor
    below = f" (below the seed-to-seed noise of single runs, {floor:.4f})" if is_noise else ""
    return f"{short(metric)} {difference:+.4f}{below}"


def _values(trial: TrialSummary) -> str:
    measures = dict.fromkeys([*trial.last, "val/accuracy", "val/robust_accuracy"])
    shown = [measure for measure in measures if measure in trial.metrics]
    return "  ".join(f"{short(measure)} {trial.metrics[measure]:.4f}" for measure in shown)


def _say(console: Console, line: str) -> None:
    console.print(Text(line), soft_wrap=True)
