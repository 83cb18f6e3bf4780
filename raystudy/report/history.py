"""Each trial's result, in order, and the best so far."""

from collections.abc import Iterable, Iterator, Sequence

from raystudy.config.spec import RECIPE, Objective
from raystudy.report.drawing import marks
from raystudy.report.drawing.plot import Plot, Spot
from raystudy.report.drawing.scales import Linear
from raystudy.report.section import Section, measured, slug
from raystudy.study import comparability as measured_how
from raystudy.study.stored import StoredStudy, StoredTrial
from raystudy.trial.info import TrialSummary


def section(study: StoredStudy) -> Section | None:
    """Return every objective's history."""
    shown = [trial for trial in study.trials if trial.summary.last]
    if not shown:
        return None
    return Section(
        title="History",
        words="Every trial's last value, in the order in which the trials started, and the best "
        "value that a complete trial had reached by then. A stopped trial is at the value it had "
        f"when it was stopped, at an earlier epoch than the others.{_of_constraints(study)}",
        figures={
            f"history-{slug(objective.metric)}": draw(study.trials, objective)
            for objective in study.spec.objectives
        },
        measured=measured_how.stamp(study),
        source="Column of the objective in the table of all trials.",
    )


def _of_constraints(study: StoredStudy) -> str:
    if not study.spec.constraints:
        return ""
    return " The best so far is among those that violate the constraints least."


def best_so_far(trials: Sequence[StoredTrial], objective: Objective) -> Iterator[tuple[int, float]]:
    """Yield number and value of each complete trial that beat all before it."""
    best: TrialSummary | None = None
    for summary in (trial.summary for trial in trials):
        if summary.state == "complete" and (best is None or _beats(summary, best, objective)):
            best = summary
            yield summary.number, summary.last[objective.metric]


def _beats(one: TrialSummary, other: TrialSummary, objective: Objective) -> bool:
    if one.violation != other.violation:
        return one.violation < other.violation
    metric = objective.metric
    return objective.is_better(one.last[metric], than=other.last[metric])


def draw(trials: Sequence[StoredTrial], objective: Objective) -> str:
    """Return the picture of an objective."""
    metric = objective.metric
    values = [t.summary.last[metric] for t in trials if metric in t.summary.last]
    last = max(trial.summary.number for trial in trials)
    plot = Plot(
        Linear(-0.02 * last - 0.5, 1.02 * last + 0.5, whole=True),
        Linear.around(values),
        x_label="trial, in order of start",
        y_label=metric,
    )
    recipe = _recipe(trials, metric)
    if recipe is not None:
        plot.level(recipe, "")
    climbed = stairs(best_so_far(trials, objective), last)
    plot.line(climbed, marks.GREEN, width=2.0)
    for state, look in marks.STATES.items():
        spots = [_spot(trial, metric) for trial in trials if marks.kind(trial.summary) == state]
        plot.marks(spots, look)
    explain(plot, trials)
    if climbed:
        plot.key("best complete trial so far", line=marks.GREEN)
    if recipe is not None:
        plot.key(f"published recipe (trial 0): {measured(recipe)}", line=marks.INK, dash="5 3")
    return plot.svg(f"{metric} of {len(values)} trials in order, with the best so far")


def stairs(points: Iterable[tuple[float, float]], end: float) -> list[tuple[float, float]]:
    """Return the corners of a line that keeps each value until the next point, up to `end`."""
    corners: list[tuple[float, float]] = []
    for x, y in points:
        if corners:
            corners.append((x, corners[-1][1]))
        corners.append((x, y))
    return [*corners, (end, corners[-1][1])] if corners else []


def explain(plot: Plot, trials: Sequence[StoredTrial]) -> None:
    """Put the states that occur into a plot's key."""
    for state, look in reversed(marks.STATES.items()):
        if any(marks.kind(trial.summary) == state for trial in trials):
            plot.key(state, look)


def _spot(trial: StoredTrial, metric: str) -> Spot:
    summary = trial.summary
    value = summary.last.get(metric, float("nan"))
    words = (
        f"trial {summary.number}: {measured(value)}, {marks.kind(summary)}, {summary.epoch} epochs"
    )
    return Spot(summary.number, value, words)


def _recipe(trials: Sequence[StoredTrial], metric: str) -> float | None:
    for trial in trials:
        if trial.summary.number == RECIPE and trial.summary.state == "complete":
            return trial.summary.last[metric]
    return None
