"""Learning curves: the objective by epoch."""

import math
from collections.abc import Mapping, Sequence

from raystudy.config.spec import RECIPE
from raystudy.report.drawing import marks
from raystudy.report.drawing.plot import DISTINGUISHABLE, Plot, Spot
from raystudy.report.drawing.scales import Linear
from raystudy.report.history import explain
from raystudy.report.section import Section, slug
from raystudy.report.slices import thinned
from raystudy.study import comparability as measured_how
from raystudy.study.stored import StoredStudy, StoredTrial

POINTS = 12_000  # of all curves together; of longer ones points are left out evenly
FEWEST = 6  # points a curve keeps


def section(study: StoredStudy, rungs: Sequence[int] = ()) -> Section | None:
    """Return every objective's curves, `rungs` marked."""
    metrics = [objective.metric for objective in study.spec.objectives]
    figures = {
        f"curves-{slug(metric)}": draw(study, metric, rungs)
        for metric in metrics
        if any(len(points(trial, metric)) > 1 for trial in study.trials)
    }
    if not figures:
        return None
    _, left_out = thinned(study.trials, FEWEST, POINTS // len(metrics))
    marked = " Dashed vertical lines are the rungs of the trial scheduler." if rungs else ""
    return Section(
        title="Learning curves",
        words="The objective of every trial after each measured epoch; the best trials and the "
        "published recipe are highlighted, trials that did not complete end in a mark."
        f"{marked}{left_out}",
        figures=figures,
        measured=measured_how.stamp(study),
        source="The study's journal (attributes epoch:1, epoch:2, ...); MLflow has them, too.",
    )


def points(trial: StoredTrial, metric: str) -> list[tuple[int, float]]:
    """Return epoch and value wherever the value is a number."""
    return [
        (epoch, measures[metric])
        for epoch, measures in trial.curve.items()
        if metric in measures and math.isfinite(measures[metric])
    ]


def draw(study: StoredStudy, metric: str, rungs: Sequence[int]) -> str:
    """Return the picture of a measure."""
    room = POINTS // len(study.spec.objectives)
    trials, _ = thinned(study.trials, FEWEST, room)
    curves = {trial.summary.number: points(trial, metric) for trial in trials}
    last = max((epoch for curve in curves.values() for epoch, _ in curve), default=1)
    plot = Plot(
        Linear(0, 1.01 * last, whole=True),
        Linear.around(value for curve in curves.values() for _, value in curve),
        x_label="epoch",
        y_label=metric,
        height=300,
    )
    for rung in rungs:
        plot.upright(rung, f"{rung}")
    keep = room // len(curves)
    for state in marks.STATES:
        own = {
            t.summary.number: sparse(curves[t.summary.number], keep)
            for t in trials
            if t.summary.state == state
        }
        _draw_state(plot, state, own)
    best = [study.trial(summary.number) for summary in study.best]
    finest = max(FEWEST, room // 4 // max(1, len(best)))
    plot.lines(
        [(sparse(points(t, metric), finest), f"trial {t.summary.number}, best") for t in best],
        marks.BLUE,
        width=2.4,
    )
    recipe = next((t for t in study.trials if t.summary.number == RECIPE), None)
    if recipe is not None:
        words = "trial 0, the published recipe"
        plot.line(points(recipe, metric), marks.INK, width=1.8, dash="6 3", words=words)
    plot.key("best" if len(best) < 2 else "front", line=marks.BLUE)
    plot.key("published recipe (trial 0)", line=marks.INK, dash="6 3")
    plot.key("other complete trials", line=marks.FAINT)
    explain(plot, [trial for trial in trials if trial.summary.state != "complete"])
    return plot.svg(f"{metric} by epoch, {len(trials)} trials")


def sparse(curve: list[tuple[int, float]], keep: int) -> list[tuple[int, float]]:
    """Return at most about `keep` points of a curve, its ends among them."""
    step = max(1, -(-(len(curve) - 1) // max(keep - 1, 1)))
    return [*curve[:-1:step], *curve[-1:]]


def _draw_state(plot: Plot, state: str, curves: Mapping[int, list[tuple[int, float]]]) -> None:
    shown = [(curve, f"trial {number}, {state}") for number, curve in curves.items() if curve]
    if state == "complete":
        plot.lines(
            shown, marks.FAINT, width=1.0, opacity=0.55 if len(shown) <= DISTINGUISHABLE else 0.3
        )
        return
    look = marks.STATES[state]
    plot.lines(shown, look.colour, width=0.8, opacity=0.45)
    plot.marks([Spot(*curve[-1], words) for curve, words in shown], look)
